//! Everything the engine is told by files, as one value with content: replay is exact because this is an event.

use super::alarm::Priority;
use super::asset::SensorType;
use super::calendar::Calendars;
use super::ids::{AccountId, ConfigurationVersion, RulesVersion, SensorTypeId};
use super::time::Span;
use smol_str::SmolStr;
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    pub version: ConfigurationVersion,
    pub sensor_types: BTreeMap<SensorTypeId, SensorType>,
    /// Rule files as text, by name: the text is the truth, the engine compiles it.
    pub rule_files: BTreeMap<SmolStr, String>,
    pub dispatch: DispatchPolicy,
    /// What the calendar files mean in the time around this event.
    pub calendars: Calendars,
    pub mandate: Mandate,
}

/// By whom its rules are in force, and whether they are those of the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mandate {
    /// Who put them in force; none when a start did, and in records from before it was kept.
    pub by: Option<AccountId>,
    /// The second person; none where none was asked for.
    pub approved_by: Option<AccountId>,
    /// The rule files on disk in whose place they stand, because those were rolled back.
    pub in_place_of: Option<RulesVersion>,
}

impl Configuration {
    #[must_use]
    pub fn rules_version(&self) -> RulesVersion {
        rules_version(&self.rule_files)
    }
}

/// A hash over the names and texts of rule files.
#[must_use]
pub fn rules_version(files: &BTreeMap<SmolStr, String>) -> RulesVersion {
    let mut hasher = blake3::Hasher::new();
    for text in files.iter().flat_map(|(name, text)| [name.as_str(), text]) {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    let mut version = [0; 16];
    hasher.finalize_xof().fill(&mut version);
    RulesVersion(version)
}

/// How long an offer waits for an answer before the next crew is asked (DOMAIN §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DispatchPolicy {
    pub offer_timeouts: [Span; 4],
    /// When nobody can be asked, ask again after this.
    pub retry_after: Span,
}

impl DispatchPolicy {
    #[must_use]
    pub const fn offer_timeout(&self, priority: Priority) -> Span {
        self.offer_timeouts[(priority.number() - 1) as usize]
    }
}

impl Default for DispatchPolicy {
    fn default() -> Self {
        Self {
            offer_timeouts: [Span::from_secs(60), Span::from_secs(75), Span::from_mins(10), Span::from_mins(60)],
            retry_after: Span::from_mins(2),
        }
    }
}
