//! The answer for a script: `rettidig explain --json`. The form is versioned; fields are only ever added.

use super::Explained;
use crate::review::account::{WireState, written};
use serde::Serialize;

const VERSION: u32 = 1;

#[derive(Serialize)]
struct WireExplained<'a> {
    version: u32,
    asset: &'a str,
    rule: &'a str,
    at: String,
    fired: bool,
    sentence: WireSentence<'a>,
    journal: String,
    /// The last event before that moment.
    seq: u64,
    seq_at: String,
    configuration: Option<String>,
    /// Absent when it came into force before the snapshot that the replay began with.
    configuration_seq: Option<u64>,
    configuration_since: Option<String>,
    /// The exact form of the rule.
    rule_version: String,
    place: &'a str,
    priority: u8,
    state: &'a WireState,
    decided: Vec<WireRecent<'a>>,
}

#[derive(Serialize)]
struct WireSentence<'a> {
    en: &'a str,
    da: &'a str,
}

#[derive(Serialize)]
struct WireRecent<'a> {
    seq: u64,
    at: String,
    what: &'a str,
}

impl Explained {
    /// The answer as JSON.
    #[must_use]
    pub fn json(&self) -> String {
        let recent = |recent: &'_ super::Recent| (recent.seq.0, written(recent.at));
        let explained = WireExplained {
            version: VERSION,
            asset: self.asset.as_str(),
            rule: self.rule.as_str(),
            at: written(self.at),
            fired: self.fired,
            sentence: WireSentence { en: &self.english, da: &self.danish },
            journal: self.journal.to_string(),
            seq: self.seq.0,
            seq_at: written(self.seq_at),
            configuration: self.version.map(|version| version.to_string()),
            configuration_seq: self.version_since.map(|(seq, _)| seq.0),
            configuration_since: self.version_since.map(|(_, at)| written(at)),
            rule_version: self.rule_version.to_string(),
            place: &self.place,
            priority: self.priority,
            state: &self.state,
            decided: self
                .recent
                .iter()
                .map(|known| {
                    let (seq, at) = recent(known);
                    WireRecent { seq, at, what: &known.what }
                })
                .collect(),
        };
        // Texts and numbers only: nothing in it can fail to become JSON.
        serde_json::to_string_pretty(&explained).unwrap_or_default()
    }
}
