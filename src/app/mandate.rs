//! Which rules a gateway decides by: those of the files, or others that stand in their place.
//!
//! Files that were rolled back, and files that no second person has approved, stay on disk and out of force. Sensor types
//! and calendars are those of the files in every case. Start with [`choose`].

use super::assembly::{Assembly, assemble};
use crate::config::{Approval, Loaded};
use crate::domain::configuration::{Configuration, Mandate, rules_version};
use crate::domain::fault::Fault;
use crate::domain::ids::RulesVersion;
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use arc_swap::ArcSwapOption;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What becomes of the rule files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// They are in force, or come into force.
    Files,
    /// They were rolled back and have not changed since: others stay in force in their place.
    RolledBack,
    /// They differ from what is in force, and wait for a second person.
    Waits,
}

/// What is to be in force.
pub struct Choice {
    pub assembly: Assembly,
    pub course: Course,
}

/// The rules in force do not fit the sensor types and calendars of the files.
#[derive(Debug)]
pub struct Unfit {
    pub course: Course,
    pub faults: Vec<Fault>,
}

/// What people are told while the rules in force are not those of the files, or rules wait. Cheap to clone.
#[derive(Clone, Default)]
pub struct Notice(Arc<ArcSwapOption<String>>);

/// Decides between the files, which are without fault, and what is in force.
///
/// # Errors
/// When what is in force is to stay, and does not fit the other files any more.
pub fn choose(
    loaded: &Loaded,
    files: Assembly,
    in_force: Option<&Configuration>,
    now: Timestamp,
) -> Result<Choice, Unfit> {
    let course = course(loaded, in_force);
    let Some(in_force) = in_force else { return Ok(Choice { assembly: files, course }) };
    if course == Course::Files {
        let same = in_force.rule_files == loaded.rule_files;
        let mandate = Mandate { in_place_of: None, ..in_force.mandate.clone() };
        let mut assembly = files;
        assembly.configuration.mandate = if same { mandate } else { Mandate::default() };
        return Ok(Choice { assembly, course });
    }
    let kept = with_rules(loaded, in_force.rule_files.clone(), now);
    let mut assembly = kept.map_err(|faults| Unfit { course, faults })?;
    assembly.configuration.mandate = in_force.mandate.clone();
    Ok(Choice { assembly, course })
}

fn course(loaded: &Loaded, in_force: Option<&Configuration>) -> Course {
    let Some(in_force) = in_force else { return Course::Files };
    if in_force.rule_files == loaded.rule_files {
        Course::Files
    } else if in_force.mandate.in_place_of == Some(rules_version(&loaded.rule_files)) {
        Course::RolledBack
    } else if loaded.settings.rules.approval == Approval::SecondPerson {
        Course::Waits
    } else {
        Course::Files
    }
}

/// The files, but with these rules.
///
/// # Errors
/// Every fault of the rules with the sensor types and calendars of the files.
pub fn with_rules(
    loaded: &Loaded,
    rule_files: BTreeMap<SmolStr, String>,
    now: Timestamp,
) -> Result<Assembly, Vec<Fault>> {
    assemble(&Loaded { rule_files, ..loaded.clone() }, now)
}

/// What people are to be told; none when the files are in force and nothing waits.
#[must_use]
pub fn told(engine: &Engine, files: RulesVersion, approval: Approval) -> Option<String> {
    let configuration = engine.configuration()?;
    let in_force = configuration.rules_version();
    let proposal = engine.standing().proposal.as_deref();
    let mut told = Vec::new();
    if let Some(proposal) = proposal {
        let (version, by) = (short(proposal.rules.version), &proposal.by);
        told.push(format!(
            "rules {version}, proposed by {by}, wait for a second person: `rettidig rules approve {version} --as ACCOUNT`"
        ));
    }
    if configuration.mandate.in_place_of == Some(files) {
        told.push(format!(
            "rules {} are in force in place of the files, {}, which were rolled back; change the files, or \
             `rettidig rules rollback` goes forward again",
            short(in_force),
            short(files)
        ));
    } else if files != in_force
        && approval == Approval::SecondPerson
        && proposal.is_none_or(|proposal| proposal.rules.version != files)
    {
        told.push(format!(
            "the rule files, {}, are not those in force and not proposed: `rettidig reload --as ACCOUNT` proposes them",
            short(files)
        ));
    }
    (!told.is_empty()).then(|| told.join("; "))
}

/// As many digits as a person compares.
#[must_use]
pub fn short(version: RulesVersion) -> String {
    version.to_string().chars().take(SHORT).collect()
}

/// Digits of a version that a person is shown.
pub const SHORT: usize = 12;

impl Notice {
    #[must_use]
    pub fn of(told: Option<String>) -> Self {
        Self(Arc::new(ArcSwapOption::from_pointee(told)))
    }

    pub fn set(&self, told: Option<String>) {
        self.0.store(told.map(Arc::new));
    }

    #[must_use]
    pub fn now(&self) -> Option<Arc<String>> {
        self.0.load_full()
    }
}

impl Unfit {
    /// What is wrong and what to do.
    #[must_use]
    pub fn text(&self) -> String {
        let (count, first) = (self.faults.len(), self.faults.first());
        let first = first.map_or_else(String::new, |fault| format!(", the first in {}: {}", fault.file, fault.message));
        let stay = match self.course {
            Course::RolledBack => "were rolled back to and stay in force",
            Course::Waits | Course::Files => "stay in force until a second person approves others",
        };
        format!(
            "the rules in force do not fit the sensor types and calendars of the files ({count} faults{first}); they {stay}: \
             put the sensor types and calendars back as they were, or change the rule files and approve them before these"
        )
    }
}
