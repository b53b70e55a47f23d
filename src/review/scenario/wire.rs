//! The report for a script: `rettidig test --json`. The form is versioned; fields are only ever added.

use super::{Failure, Report, Run};
use crate::domain::ids::RuleId;
use crate::review::account::written;
use crate::review::draw::WireFault;
use serde::Serialize;

const VERSION: u32 = 1;

#[derive(Serialize)]
struct WireReport<'a> {
    version: u32,
    passed: bool,
    faults: Vec<WireFault<'a>>,
    scenarios: Vec<WireRun<'a>>,
    rules: usize,
    uncovered: Vec<&'a str>,
}

#[derive(Serialize)]
struct WireRun<'a> {
    name: &'a str,
    file: &'a str,
    line: usize,
    passed: bool,
    failure: Option<WireFailure<'a>>,
}

#[derive(Serialize)]
struct WireFailure<'a> {
    line: usize,
    column: usize,
    at: String,
    expected: &'a [String],
    happened: &'a [String],
    trouble: Option<&'a str>,
    later: Vec<WireLater<'a>>,
    state: Vec<WireRule<'a>>,
}

#[derive(Serialize)]
struct WireLater<'a> {
    outcome: &'a str,
    at: &'a str,
}

#[derive(Serialize)]
struct WireRule<'a> {
    rule: &'a str,
    lines: &'a [String],
}

impl Report {
    /// The report as JSON.
    #[must_use]
    pub fn json(&self) -> String {
        let faults = self.faults.iter().map(|fault| {
            let place = self.texts.get(&fault.file).map(|text| fault.place(text));
            WireFault::of(fault, place)
        });
        let report = WireReport {
            version: VERSION,
            passed: self.passed(),
            faults: faults.collect(),
            scenarios: self.runs.iter().map(WireRun::from).collect(),
            rules: self.rules,
            uncovered: self.uncovered.iter().map(RuleId::as_str).collect(),
        };
        // Texts and numbers only: nothing in it can fail to become JSON.
        serde_json::to_string_pretty(&report).unwrap_or_default()
    }
}

impl<'a> From<&'a Run> for WireRun<'a> {
    fn from(run: &'a Run) -> Self {
        let failure = run.failure.as_ref();
        Self {
            name: &run.name,
            file: &run.file,
            line: run.line,
            passed: failure.is_none(),
            failure: failure.map(WireFailure::from),
        }
    }
}

impl<'a> From<&'a Failure> for WireFailure<'a> {
    fn from(failure: &'a Failure) -> Self {
        Self {
            line: failure.line,
            column: failure.column,
            at: written(failure.at),
            expected: &failure.expected,
            happened: &failure.happened,
            trouble: failure.trouble.as_deref(),
            later: failure.later.iter().map(|(outcome, at)| WireLater { outcome, at }).collect(),
            state: failure.state.iter().map(|(rule, lines)| WireRule { rule: rule.as_str(), lines }).collect(),
        }
    }
}
