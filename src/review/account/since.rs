//! Since when each part of a rule has answered what it answers, followed from event to event.

use crate::domain::ids::PropertyName;
use crate::domain::observation::Quality;
use crate::domain::time::Timestamp;
use crate::rules::{Answer, Explanation, Part};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub struct Since {
    /// By the part's text: what it answers, from when on, and whether it was seen to turn then.
    answers: BTreeMap<String, (Answer, Timestamp, bool)>,
    /// How good the newest value of a property is, and when it was measured.
    qualities: BTreeMap<PropertyName, (Timestamp, Quality)>,
    followed: bool,
}

impl Since {
    /// What the rule says at `at`, after an event about its asset.
    pub fn note(&mut self, explanation: &Explanation, at: Timestamp) {
        let seen = std::mem::replace(&mut self.followed, true);
        for (_, condition) in explanation.conditions() {
            condition.walk(&mut |part| self.note_part(part, at, seen));
        }
    }

    pub fn note_quality(&mut self, property: &PropertyName, measured_at: Timestamp, quality: Quality) {
        let known = self.qualities.get(property).is_some_and(|(known, _)| *known > measured_at);
        if !known {
            self.qualities.insert(property.clone(), (measured_at, quality));
        }
    }

    /// Since when the part has answered this, and whether it was seen to turn then: otherwise it may be longer.
    #[must_use]
    pub fn of(&self, part: &Part) -> Option<(Timestamp, bool)> {
        self.answers.get(&part.source).map(|(_, at, seen)| (*at, *seen))
    }

    #[must_use]
    pub fn quality(&self, property: &PropertyName) -> Option<Quality> {
        self.qualities.get(property).map(|(_, quality)| *quality)
    }

    fn note_part(&mut self, part: &Part, at: Timestamp, seen: bool) {
        if !matches!(part.answer, Answer::Truth(_)) {
            return;
        }
        match self.answers.get_mut(&part.source) {
            Some((answer, ..)) if *answer == part.answer => {}
            Some(known) => *known = (part.answer.clone(), at, true),
            None => drop(self.answers.insert(part.source.clone(), (part.answer.clone(), at, seen))),
        }
    }
}
