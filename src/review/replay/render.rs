//! What a replay found, for a person.

use super::{Side, Verified};
use std::fmt::Write as _;

impl Verified {
    #[must_use]
    pub fn text(&self) -> String {
        let Self { journal, from, through, events, decisions, effects, erased, differences, more, .. } = self;
        let mut text = format!("journal {journal}, events {from} to {through}\n");
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{events} decided again, with {decisions} facts and {effects} effects");
        if *erased > 0 {
            let _ = writeln!(text, "{erased} about people whose keys are erased: taken as recorded");
        }
        let Some(first) = &self.first_difference else {
            let _ = writeln!(text, "no difference");
            return text;
        };
        let at_least = if *more { "at least " } else { "" };
        let plural = if *differences == 1 { "" } else { "s" };
        let _ = writeln!(
            text,
            "{at_least}{differences} difference{plural}; the first at event {} ({})",
            first.seq, first.event
        );
        for (name, Side { verdict, differs }) in [("recorded", &first.recorded), ("decided now", &first.decided)] {
            let _ = writeln!(text, "  {name:<12}{verdict}");
            for line in differs {
                let _ = writeln!(text, "    {line}");
            }
        }
        text
    }
}
