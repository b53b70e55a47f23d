//! The report for a person: each fault with its line, a caret and a proposal; or the summary as two tables.

use super::{CalendarSummary, Report, Summary};
use crate::review::draw::{Style, count, draw};
use smol_str::SmolStr;
use std::fmt::{Display, Write as _};

impl Report {
    /// The report as text.
    #[must_use]
    pub fn text(&self, style: Style) -> String {
        let mut text = draw(&self.faults, |file| self.texts.text(file), style);
        match &self.summary {
            Some(summary) => text.push_str(&tables(summary)),
            None => text.push_str(&count(&self.faults)),
        }
        text
    }
}

fn tables(summary: &Summary) -> String {
    let mut text = format!("{} files, no faults\n\n", summary.files);
    line(&mut text, [&"kind of asset", &"sensor types", &"properties", &"rules", &"state bytes per asset"]);
    for kind in &summary.kinds {
        line(&mut text, [&kind.kind, &kind.sensor_types, &kind.properties, &kind.rules, &kind.state_bytes_per_asset]);
    }
    text.push('\n');
    line(&mut text, [&"rule", &"applies to", &"priority", &"calls", &"state bytes per asset"]);
    for rule in &summary.rules {
        line(
            &mut text,
            [&rule.id, &rule.applies_to, &rule.priority, &rule.stateful_calls, &rule.state_bytes_per_asset],
        );
    }
    let mut estimators = summary.kinds.iter().flat_map(|kind| kind.estimators.iter().map(|known| (&kind.kind, known)));
    if let Some(first) = estimators.next() {
        text.push('\n');
        line(&mut text, [&"estimator", &"applies to", &"of", &"", &"state bytes per asset"]);
        for (kind, (property, quantity, bytes)) in std::iter::once(first).chain(estimators) {
            line(&mut text, [property, kind, quantity, &"", bytes]);
        }
    }
    let mebibytes = |bytes: u64| bytes.div_ceil(1_024 * 1_024);
    let (used, most) = (mebibytes(summary.state_bytes()), mebibytes(summary.budget.bytes_max));
    let _ = writeln!(text, "\n{} assets of one kind: {used} MiB of {most} MiB", summary.budget.assets);
    if !summary.late.is_empty() {
        let late: Vec<_> = summary.late.iter().map(|(known, lateness)| format!("{known} {lateness}")).collect();
        let eager: Vec<_> = summary.rules.iter().filter(|rule| rule.eager).map(|rule| rule.id.as_str()).collect();
        let eager = if eager.is_empty() { "none".to_owned() } else { eager.join(", ") };
        let _ = writeln!(text, "\nmay be late: {}\ndecide on arrival all the same: {eager}", late.join(", "));
    }
    let shadow: Vec<_> = summary.rules.iter().filter(|rule| rule.shadow).map(|rule| rule.id.as_str()).collect();
    if !shadow.is_empty() {
        let _ = writeln!(text, "\nin shadow, and raise nothing: {}", shadow.join(", "));
    }
    if summary.calendars.files > 0 {
        text.push_str(&calendars(&summary.calendars));
    }
    text
}

fn calendars(summary: &CalendarSummary) -> String {
    let names = |names: &[SmolStr]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    format!(
        "\ncalendars in {}\nshifts: {}\nroutes: {}\n",
        summary.time_zone,
        names(&summary.shifts),
        names(&summary.routes)
    )
}

fn line(text: &mut String, cells: [&dyn Display; 5]) {
    let [name, a, b, c, d] = cells.map(ToString::to_string);
    let _ = writeln!(text, "{name:<28} {a:>12} {b:>12} {c:>8} {d:>24}");
}
