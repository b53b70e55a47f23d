//! What a replay found, for a script: `rettidig replay --verify --json`. Fields are only ever added.

use super::{Side, Verified};
use crate::review::account::written;
use serde::Serialize;

const VERSION: u32 = 1;

#[derive(Serialize)]
struct WireVerified<'a> {
    version: u32,
    same: bool,
    journal: String,
    from: u64,
    through: u64,
    events: u64,
    facts: u64,
    effects: u64,
    erased: u64,
    differences: u64,
    /// The replay ended early: there may be more.
    more: bool,
    first_difference: Option<WireDifference<'a>>,
}

#[derive(Serialize)]
struct WireDifference<'a> {
    seq: u64,
    at: String,
    event: &'a str,
    recorded: WireSide<'a>,
    decided: WireSide<'a>,
}

#[derive(Serialize)]
struct WireSide<'a> {
    verdict: &'a str,
    differs: &'a [String],
}

impl Verified {
    #[must_use]
    pub const fn same(&self) -> bool {
        self.differences == 0
    }

    /// What was found as JSON.
    #[must_use]
    pub fn json(&self) -> String {
        let verified = WireVerified {
            version: VERSION,
            same: self.same(),
            journal: self.journal.to_string(),
            from: self.from.0,
            through: self.through.0,
            events: self.events,
            facts: self.decisions,
            effects: self.effects,
            erased: self.erased,
            differences: self.differences,
            more: self.more,
            first_difference: self.first_difference.as_ref().map(|first| WireDifference {
                seq: first.seq.0,
                at: written(first.at),
                event: first.event,
                recorded: WireSide::from(&first.recorded),
                decided: WireSide::from(&first.decided),
            }),
        };
        // Texts and numbers only: nothing in it can fail to become JSON.
        serde_json::to_string_pretty(&verified).unwrap_or_default()
    }
}

impl<'a> From<&'a Side> for WireSide<'a> {
    fn from(side: &'a Side) -> Self {
        Self { verdict: &side.verdict, differs: &side.differs }
    }
}
