//! The report for a person: what was expected and what happened, with the values and timers of that moment.

use super::{Failure, Report, Run};
use crate::review::draw::{Style, count, draw};
use std::fmt::Write as _;

impl Report {
    /// The report as text.
    #[must_use]
    pub fn text(&self, style: Style) -> String {
        if !self.faults.is_empty() {
            let text_of = |file: &str| self.texts.get(file).cloned();
            return draw(&self.faults, text_of, style) + &count(&self.faults);
        }
        let mut text = String::new();
        for (run, failure) in self.runs.iter().filter_map(|run| Some((run, run.failure.as_ref()?))) {
            tell(&mut text, run, failure);
        }
        let failed = self.runs.iter().filter(|run| run.failure.is_some()).count();
        // Writing to a text cannot fail.
        let _ = match failed {
            0 => writeln!(text, "{} scenarios, all as expected", self.runs.len()),
            _ => writeln!(text, "{failed} of {} scenarios failed", self.runs.len()),
        };
        for rule in &self.uncovered {
            let _ = writeln!(text, "no scenario expects an alarm of `{rule}`");
        }
        text
    }
}

fn tell(text: &mut String, run: &Run, failure: &Failure) {
    let Failure { line, column, shown_at, expected, happened, trouble, later, state, .. } = failure;
    let _ = writeln!(text, "FAILED  {}\n        {}:{line}:{column}, at {shown_at}", run.name, run.file);
    if let Some(trouble) = trouble {
        let _ = writeln!(text, "        {trouble}");
    }
    let missing = expected.iter().filter(|wanted| !happened.contains(wanted));
    let surplus = happened.iter().filter(|known| !expected.contains(known));
    let as_expected = expected.iter().filter(|wanted| happened.contains(wanted));
    for (sign, outcomes) in
        [("  ", as_expected.collect::<Vec<_>>()), ("- ", missing.collect()), ("+ ", surplus.collect())]
    {
        for outcome in outcomes {
            let note = match sign {
                "- " => "expected, did not happen",
                "+ " => "happened, not expected",
                _ => "as expected",
            };
            let came = later.iter().find(|(known, _)| known == outcome);
            let came = came.map_or_else(String::new, |(_, at)| format!("; came at {at}"));
            let _ = writeln!(text, "      {sign}{outcome:<40} {note}{came}");
        }
    }
    if expected.is_empty() && happened.is_empty() && trouble.is_none() {
        let _ = writeln!(text, "        nothing happened");
    }
    for (rule, lines) in state {
        let _ = writeln!(text, "    {rule} at that moment:");
        for line in lines {
            let _ = writeln!(text, "      {line}");
        }
    }
    text.push('\n');
}
