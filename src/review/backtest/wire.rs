//! What came of both rule sets, for a script: `rettidig backtest --json`. Fields are only ever added.

use super::render::hours;
use super::{Compared, Count, Row, Side};
use crate::review::account::written;
use serde::Serialize;

const VERSION: u32 = 1;

#[derive(Serialize)]
struct WireCompared<'a> {
    version: u32,
    data: &'a str,
    from: String,
    until: String,
    reports: u64,
    against: WireSide<'a>,
    new: WireSide<'a>,
    rules: Vec<WireRow<'a>>,
}

#[derive(Serialize)]
struct WireSide<'a> {
    name: &'a str,
    refused: u64,
}

#[derive(Serialize)]
struct WireRow<'a> {
    rule: &'a str,
    /// `null` when the set has no such rule.
    against: Option<WireCount>,
    new: Option<WireCount>,
}

#[derive(Serialize)]
struct WireCount {
    alarms: u64,
    tasks: u64,
    active_hours: f64,
    open_at_the_end: u64,
    /// Day, counted from the first, and alarms of that day.
    alarms_by_day: Vec<(i64, u64)>,
}

impl Compared {
    #[must_use]
    pub fn json(&self) -> String {
        let row = |row: &'_ Row| (row.against.as_ref().map(WireCount::from), row.new.as_ref().map(WireCount::from));
        let compared = WireCompared {
            version: VERSION,
            data: &self.data,
            from: written(self.from),
            until: written(self.until),
            reports: self.reports,
            against: WireSide::from(&self.against),
            new: WireSide::from(&self.new),
            rules: self
                .rules
                .iter()
                .map(|known| {
                    let (against, new) = row(known);
                    WireRow { rule: known.rule.as_str(), against, new }
                })
                .collect(),
        };
        // Texts and finite numbers only: nothing in it can fail to become JSON.
        serde_json::to_string_pretty(&compared).unwrap_or_default()
    }
}

impl<'a> From<&'a Side> for WireSide<'a> {
    fn from(side: &'a Side) -> Self {
        Self { name: &side.name, refused: side.refused }
    }
}

impl From<&Count> for WireCount {
    fn from(count: &Count) -> Self {
        Self {
            alarms: count.alarms,
            tasks: count.tasks,
            active_hours: hours(count.active),
            open_at_the_end: count.open,
            alarms_by_day: count.by_day.iter().map(|(day, alarms)| (*day, *alarms)).collect(),
        }
    }
}
