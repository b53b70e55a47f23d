//! What came of it, as tables.

use super::modelled::Outcome;
use super::words::{self, LIMITS, ONLY_ALARMS};
use super::{Compared, Count, Policies, Report, Row, Side};
use crate::domain::time::Span;
use crate::review::account::written;
use std::fmt::Write as _;

/// Bins told of as losses.
const LOSSES_MAX: usize = 10;
const DAY: f64 = 24.0 * 3.6e9;

impl Report {
    #[must_use]
    pub fn text(&self) -> String {
        let (mut text, data) = (String::new(), self.data.said().en);
        // Writing to a text cannot fail.
        let _ = match (&self.policies, &self.compared) {
            (Some(Policies { modelled, .. }), None) => {
                writeln!(text, "{data}: {} values over {:.1} days", modelled.values, modelled.days())
            }
            (_, Some(compared)) => {
                let days = compared.until.since(compared.from).as_micros() as f64 / DAY;
                writeln!(text, "{data}: {} messages with values over {days:.1} days", compared.reports)
            }
            (None, None) => writeln!(text, "{data}"),
        };
        if self.left_out.rows > 0 {
            let _ = writeln!(
                text,
                "{} rows left out; the first of each file are named on standard error",
                self.left_out.rows
            );
        }
        if let Some(policies) = &self.policies {
            text.push_str(&policies.text());
        }
        if let Some(compared) = &self.compared {
            text.push_str(&compared.text());
        }
        text
    }
}

impl Policies {
    fn text(&self) -> String {
        let mut text = format!("\n{}\n\n", words::model(&self.model).en);
        let header = [
            "policy",
            "levels",
            "stops",
            "unneeded",
            "at level",
            "overflow h",
            "times full",
            "spilled",
            "alarms",
            "tasks",
        ];
        text.push_str(&policy_line(&header.map(str::to_owned)));
        for (at, outcome) in self.modelled.policies.iter().enumerate() {
            let levels = if at == 0 { "recorded" } else { "modelled" };
            text.push_str(&policy_line(&self.cells(at, levels, outcome)));
        }
        text.push_str(&self.losses_text());
        text.push_str("\nat level: how full on average; unneeded: below a quarter; spilled: put beside full bins, in bin volumes\n");
        for (en, _) in LIMITS {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "- {en}");
        }
        text
    }

    fn losses_text(&self) -> String {
        let Some(judged) = self.model.judged else { return String::new() };
        let mut losses: Vec<_> =
            self.modelled.bins.iter().flat_map(|bin| bin.losses.iter().map(move |loss| (bin, loss))).collect();
        let name = self.name(judged).en;
        if losses.is_empty() {
            return format!("\n{name} loses at no bin\n");
        }
        losses.sort_by(|(a_bin, a), (b_bin, b)| {
            (b.overflow, b.stops).cmp(&(a.overflow, a.stops)).then_with(|| a_bin.asset.cmp(&b_bin.asset))
        });
        let bins = self.modelled.bins.iter().filter(|bin| !bin.losses.is_empty()).count();
        let mut text = format!("\n{name} loses at {bins} of {} bins:\n", self.modelled.bins.len());
        for (bin, loss) in losses.iter().take(LOSSES_MAX) {
            let days: Vec<String> =
                loss.days.iter().map(|(day, span)| format!("{} ({:+.1} h)", date(*day), hours(*span))).collect();
            // Writing to a text cannot fail.
            let _ = writeln!(
                text,
                "  {:<20} against {:<22} {:+.1} overflow h, {:+} stops{}{}",
                bin.asset,
                self.name(loss.policy).en,
                hours(loss.overflow),
                loss.stops,
                if days.is_empty() { "" } else { "; most on " },
                days.join(", "),
            );
        }
        if losses.len() > LOSSES_MAX {
            let _ = writeln!(text, "  … {} more in --json", losses.len() - LOSSES_MAX);
        }
        text
    }

    fn cells(&self, at: usize, levels: &str, outcome: &Outcome) -> [String; 10] {
        let figures = &outcome.figures;
        let number = |number: u64, known: bool| if known { number.to_string() } else { "-".to_owned() };
        [
            self.name(at).en,
            levels.to_owned(),
            figures.stops.to_string(),
            figures.unneeded.to_string(),
            figures.level_at_stop().map_or("-".to_owned(), |level| format!("{:.0} %", level * 100.0)),
            format!("{:.1}", hours(figures.overflow)),
            figures.overflows.to_string(),
            format!("{:.1}", figures.spilled),
            number(figures.alarms, outcome.tally.is_some()),
            number(figures.tasks, self.calls(at)),
        ]
    }

    pub(super) fn name(&self, policy: usize) -> words::Both {
        policy.checked_sub(1).and_then(|at| self.names.get(at)).map_or_else(words::as_it_was, super::PolicyName::said)
    }

    /// Whether it calls for crews, or nobody knows: then there are no tasks to count.
    pub(super) fn calls(&self, policy: usize) -> bool {
        let name = policy.checked_sub(1).and_then(|at| self.names.get(at));
        name.is_some_and(|name| !matches!(name, super::PolicyName::Fixed(_)))
    }
}

fn policy_line([name, levels, rest @ ..]: &[String; 10]) -> String {
    rest.iter().fold(format!("{name:<28} {levels:<8}"), |text, cell| format!("{text} {cell:>10}")) + "\n"
}

impl Compared {
    fn text(&self) -> String {
        let Self { against, new, .. } = self;
        let levels = if self.modelled {
            "by rule; modelled: each rule set empties its own bins"
        } else {
            "by rule; as recorded: people did what they did, whatever the rules would have called for"
        };
        let mut text = format!("\n{levels}\nagainst  {}\nnew      {}\n\n", against.name, new.name);
        for Side { name, refused } in [against, new].into_iter().filter(|side| side.refused > 0) {
            // Writing to a text cannot fail.
            let _ = writeln!(
                text,
                "{refused} changes of the registry are not possible with {name}: some assets are missing\n"
            );
        }
        let header = ["rule", "alarms", "new", "change", "tasks", "new", "change", "active h", "new"];
        text.push_str(&line(&header.map(str::to_owned)));
        let total = |of: fn(&Row) -> Option<&Count>| {
            self.rules.iter().filter_map(of).fold(Count::default(), |sum, count| Count {
                alarms: sum.alarms + count.alarms,
                tasks: sum.tasks + count.tasks,
                active: sum.active + count.active,
                ..sum
            })
        };
        for row in self.rules.iter().filter(|row| !row.quiet()) {
            text.push_str(&cells(row.rule.as_str(), row.against.as_ref(), row.new.as_ref()));
        }
        let (against, new) = (total(|row| row.against.as_ref()), total(|row| row.new.as_ref()));
        text.push_str(&cells("all", Some(&against), Some(&new)));
        let quiet: Vec<&str> = self.rules.iter().filter(|row| row.quiet()).map(|row| row.rule.as_str()).collect();
        if !quiet.is_empty() {
            let _ = writeln!(text, "\nnothing in either: {}", quiet.join(", "));
        }
        if self.others {
            let _ = writeln!(text, "\n{}", ONLY_ALARMS.0);
        }
        text
    }
}

impl Row {
    /// Neither set called for anything by this rule.
    fn quiet(&self) -> bool {
        let said = |count: &Count| count.alarms > 0 || count.tasks > 0;
        !self.against.as_ref().is_some_and(said) && !self.new.as_ref().is_some_and(said)
    }
}

fn cells(name: &str, against: Option<&Count>, new: Option<&Count>) -> String {
    let number =
        |count: Option<&Count>, of: fn(&Count) -> u64| count.map_or("-".to_owned(), |count| of(count).to_string());
    let change = |of: fn(&Count) -> u64| {
        let of = |count: Option<&Count>| count.map_or(0, of).cast_signed();
        format!("{:+}", of(new) - of(against))
    };
    let hours = |count: Option<&Count>| count.map_or("-".to_owned(), |count| format!("{:.1}", hours(count.active)));
    line(&[
        name.to_owned(),
        number(against, |count| count.alarms),
        number(new, |count| count.alarms),
        change(|count| count.alarms),
        number(against, |count| count.tasks),
        number(new, |count| count.tasks),
        change(|count| count.tasks),
        hours(against),
        hours(new),
    ])
}

fn line(cells: &[String; 9]) -> String {
    let [name, rest @ ..] = cells;
    rest.iter().fold(format!("{name:<28}"), |text, cell| format!("{text} {cell:>9}")) + "\n"
}

pub(super) fn hours(span: Span) -> f64 {
    span.as_micros() as f64 / 3.6e9
}

/// The date of a day since 1970 (UTC).
pub(super) fn date(day: i64) -> String {
    let midnight = crate::domain::time::Timestamp::from_micros(day.saturating_mul(86_400_000_000));
    written(midnight).chars().take(10).collect()
}
