//! What came of both rule sets, as a table.

use super::{Compared, Count, Row, Side};
use crate::domain::time::Span;
use std::fmt::Write as _;

const DAY: f64 = 24.0 * 3.6e9;

impl Compared {
    #[must_use]
    pub fn text(&self) -> String {
        let days = self.lasts().as_micros() as f64 / DAY;
        let Self { data, reports, against, new, .. } = self;
        let mut text = format!("{data}: {reports} messages with values over {days:.1} days\n");
        // Writing to a text cannot fail.
        let _ = writeln!(text, "against  {}\nnew      {}\n", against.name, new.name);
        for Side { name, refused } in [against, new].into_iter().filter(|side| side.refused > 0) {
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
        text
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
