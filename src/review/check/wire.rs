//! The report for a script: `rettidig check --json`. The form is versioned; fields are only ever added.

use super::{Report, Summary};
use crate::domain::ids::PropertyName;
use crate::review::draw::WireFault;
use serde::Serialize;
use smol_str::SmolStr;

const VERSION: u32 = 1;

#[derive(Serialize)]
struct WireReport<'a> {
    version: u32,
    passed: bool,
    faults: Vec<WireFault<'a>>,
    summary: Option<WireSummary<'a>>,
}

#[derive(Serialize)]
struct WireSummary<'a> {
    files: usize,
    kinds: Vec<WireKind<'a>>,
    rules: Vec<WireRule<'a>>,
    /// Sensor types whose values may be late.
    late: Vec<WireLate<'a>>,
    calendars: WireCalendars<'a>,
    planned_assets: u64,
    /// What the rules of the costliest kind remember about that many assets, and may remember.
    state_bytes: u64,
    state_bytes_max: u64,
}

#[derive(Serialize)]
struct WireCalendars<'a> {
    time_zone: &'a str,
    shifts: Vec<&'a str>,
    routes: Vec<&'a str>,
}

#[derive(Serialize)]
struct WireLate<'a> {
    sensor_type: &'a str,
    lateness: String,
}

#[derive(Serialize)]
struct WireKind<'a> {
    kind: &'a str,
    sensor_types: usize,
    properties: usize,
    rules: usize,
    estimators: Vec<WireEstimator<'a>>,
    state_bytes_per_asset: usize,
}

#[derive(Serialize)]
struct WireEstimator<'a> {
    property: &'a str,
    /// What is made of it: `fill` or `exposure`.
    quantity: &'a str,
    state_bytes_per_asset: usize,
}

#[derive(Serialize)]
struct WireRule<'a> {
    id: &'a str,
    file: &'a str,
    applies_to: &'a str,
    priority: u8,
    eager: bool,
    /// `ignore` or `raise`.
    when_late: &'static str,
    shadow: bool,
    task: Option<&'a str>,
    stateful_calls: usize,
    state_bytes_per_asset: usize,
}

impl Report {
    /// The report as JSON.
    #[must_use]
    pub fn json(&self) -> String {
        let faults = self.faults.iter().map(|fault| WireFault::of(fault, self.place(fault)));
        let report = WireReport {
            version: VERSION,
            passed: self.passed(),
            faults: faults.collect(),
            summary: self.summary.as_ref().map(WireSummary::from),
        };
        // Texts and numbers only: nothing in it can fail to become JSON.
        serde_json::to_string_pretty(&report).unwrap_or_default()
    }
}

impl<'a> From<&'a Summary> for WireSummary<'a> {
    fn from(summary: &'a Summary) -> Self {
        let estimator = |known: &'a (PropertyName, &'static str, usize)| WireEstimator {
            property: known.0.as_str(),
            quantity: known.1,
            state_bytes_per_asset: known.2,
        };
        let kinds = summary.kinds.iter().map(|kind| WireKind {
            kind: kind.kind.as_str(),
            sensor_types: kind.sensor_types,
            properties: kind.properties,
            rules: kind.rules,
            estimators: kind.estimators.iter().map(estimator).collect(),
            state_bytes_per_asset: kind.state_bytes_per_asset,
        });
        let rules = summary.rules.iter().map(|rule| WireRule {
            id: rule.id.as_str(),
            file: &rule.file,
            applies_to: rule.applies_to.as_str(),
            priority: rule.priority,
            eager: rule.eager,
            when_late: rule.when_late.as_str(),
            shadow: rule.shadow,
            task: rule.task.as_deref(),
            stateful_calls: rule.stateful_calls,
            state_bytes_per_asset: rule.state_bytes_per_asset,
        });
        let late = summary.late.iter().map(|(sensor_type, lateness)| WireLate {
            sensor_type: sensor_type.as_str(),
            lateness: lateness.to_string(),
        });
        let calendars = WireCalendars {
            time_zone: &summary.calendars.time_zone,
            shifts: summary.calendars.shifts.iter().map(SmolStr::as_str).collect(),
            routes: summary.calendars.routes.iter().map(SmolStr::as_str).collect(),
        };
        Self {
            files: summary.files,
            kinds: kinds.collect(),
            rules: rules.collect(),
            late: late.collect(),
            calendars,
            planned_assets: summary.budget.assets,
            state_bytes: summary.state_bytes(),
            state_bytes_max: summary.budget.bytes_max,
        }
    }
}
