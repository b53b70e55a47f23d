//! What each function works out at one moment, and what it remembers for the next.
//!
//! A call is worked out once at every moment its rule is judged: when a message about the asset comes in, and at the
//! deadlines it asks for itself.

use super::evaluate::{Moment, Outcome};
use super::expression::{Call, Condition, Operation};
use super::memory::{moment, word_of};
use super::truth::Truth;
use crate::domain::time::{Span, Timestamp};

impl<'a> Moment<'a, '_> {
    /// The answer of `call`, whose words of memory these are.
    pub fn work_out(&mut self, call: &'a Call, words: &mut [u64]) -> Outcome {
        match &call.operation {
            Operation::Silent => Outcome { truth: Truth::from(self.inputs.silent), turns_at: None },
            Operation::Held { condition, wait_for } => self.held(call, condition, *wait_for, words),
        }
    }

    /// True once the condition has been true for `wait_for`: either the values themselves span that time, however late
    /// they came in, or that time has passed here since we learned of it and nothing contradicted.
    ///
    /// Remembers since when, as observed and as received. Exact.
    fn held(&mut self, call: &Call, condition: &'a Condition, wait_for: Span, words: &mut [u64]) -> Outcome {
        let truth = self.truth(condition);
        let [observed, received] = words else { return Outcome::UNKNOWN };
        if truth != Truth::True {
            (*observed, *received) = (0, 0);
            return Outcome { truth, turns_at: None };
        }
        let newest = self.newest(&call.reads);
        let now = self.inputs.now;
        if moment(*received).is_none() {
            (*observed, *received) = (newest.map_or(0, word_of), word_of(now));
        }
        let shown = newest.zip(moment(*observed)).is_some_and(|(newest, since)| newest.since(since) >= wait_for);
        let ripe_at = moment(*received).unwrap_or(now) + wait_for;
        if shown || now >= ripe_at {
            return Outcome { truth: Truth::True, turns_at: None };
        }
        Outcome { truth: Truth::False, turns_at: Some(ripe_at) }
    }

    /// When the newest of these values was observed.
    fn newest(&self, slots: &[u16]) -> Option<Timestamp> {
        slots.iter().filter_map(|slot| self.sample(*slot)).map(|sample| sample.observed_at).max()
    }
}
