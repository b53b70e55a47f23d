//! `rettidig test`: stories beside the rules, "at … given … expect …", played through the engine that decides live.
//!
//! A scenario is about one asset with sensors of its own, and a crew for every skill. Time is that of the story: every
//! deadline on the way fires at its own moment. A scenario is a whole account: what it does not expect must not happen.
//! Decoding is not part of it: values come in as sensor types name them.
//!
//! Start with `rehearse`; `read` is the form of the files, `play` runs one, `render` and `wire` show the report.

mod files;
mod given;
mod outcome;
mod play;
mod read;
mod render;
mod times;
mod wire;

use crate::config::WrittenCalendars;
use crate::domain::configuration::Configuration;
use crate::domain::fault::Fault;
use crate::domain::ids::RuleId;
use crate::domain::time::Timestamp;
use crate::rules::RuleSet;
use outcome::Outcome;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

pub use files::{FOLDER, ScenarioError};

/// What scenarios are played on: the folder's own configuration.
pub struct Stage<'a> {
    pub configuration: &'a Configuration,
    pub calendars: &'a WrittenCalendars,
    /// The rules of the configuration.
    pub rules: &'a RuleSet,
}

/// What came of all scenarios.
#[derive(Debug)]
pub struct Report {
    /// Faults of the files; with any of them nothing was played.
    pub faults: Vec<Fault>,
    pub runs: Vec<Run>,
    /// Rules of which no scenario expects an alarm; none when only some scenarios were asked for.
    pub uncovered: Vec<RuleId>,
    pub rules: usize,
    texts: BTreeMap<SmolStr, String>,
}

/// What came of one scenario.
#[derive(Clone, Debug)]
pub struct Run {
    pub name: String,
    pub file: SmolStr,
    pub line: usize,
    /// The first moment at which something else happened than expected.
    pub failure: Option<Failure>,
}

#[derive(Clone, Debug)]
pub struct Failure {
    pub line: usize,
    pub column: usize,
    pub at: Timestamp,
    /// The same by the wall clock.
    pub shown_at: String,
    pub expected: Vec<String>,
    pub happened: Vec<String>,
    /// What could not be done as the step says.
    pub trouble: Option<String>,
    /// What was expected here and came later, and when.
    pub later: Vec<(String, String)>,
    /// The values and timers at that moment, rule by rule.
    pub state: Vec<(RuleId, Vec<String>)>,
}

/// One story, checked.
pub(in crate::review::scenario) struct Scenario {
    pub name: String,
    pub file: SmolStr,
    pub place: Range<usize>,
    pub cast: given::Cast,
    /// Rules whose alarms and tasks are looked at.
    pub watched: Vec<RuleId>,
    pub beats: Vec<Beat>,
    pub checks: Vec<Check>,
}

/// Something that happens in a story.
pub(in crate::review::scenario) struct Beat {
    pub at: Timestamp,
    pub place: Range<usize>,
    pub act: given::Act,
}

/// What is expected at one moment.
pub(in crate::review::scenario) struct Check {
    pub at: Timestamp,
    pub place: Range<usize>,
    pub expected: Vec<Outcome>,
}

/// Plays every scenario of a configuration folder, or those whose name holds `only`.
///
/// # Errors
/// The files cannot be read, there are none, or none is called so. What is wrong inside is in the report.
pub fn rehearse(folder: &Path, stage: &Stage<'_>, only: Option<&str>) -> Result<Report, ScenarioError> {
    let (texts, mut faults) = files::read(folder)?;
    let scenarios = read::read(&texts, stage, &mut faults);
    let mut report = Report { faults, runs: Vec::new(), uncovered: Vec::new(), rules: stage.rules.iter().len(), texts };
    if !report.faults.is_empty() {
        return Ok(report);
    }
    let asked = |scenario: &&Scenario| only.is_none_or(|only| scenario.name.contains(only));
    let chosen: Vec<&Scenario> = scenarios.iter().filter(asked).collect();
    if chosen.is_empty() {
        let names = scenarios.iter().map(|scenario| scenario.name.clone()).collect();
        return Err(ScenarioError::NoneSo { asked: only.unwrap_or_default().to_owned(), names });
    }
    for scenario in chosen {
        let text = report.texts.get(&scenario.file).map_or("", String::as_str);
        report.runs.push(play::play(scenario, stage, text));
    }
    if only.is_none() {
        let raised = |rule: &RuleId| {
            let wanted = [Outcome::Raised(rule.clone()), Outcome::RaisedInShadow(rule.clone())];
            let mut checks = scenarios.iter().flat_map(|scenario| &scenario.checks);
            checks.any(|check| wanted.iter().any(|wanted| check.expected.contains(wanted)))
        };
        report.uncovered = stage.rules.iter().map(|rule| rule.id.clone()).filter(|rule| !raised(rule)).collect();
    }
    Ok(report)
}

impl Report {
    #[must_use]
    pub fn passed(&self) -> bool {
        self.faults.is_empty() && self.runs.iter().all(|run| run.failure.is_none())
    }
}
