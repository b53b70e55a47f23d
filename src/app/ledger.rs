//! The conservation ledger: whatever came in has been decided, or is still on its way, and nothing else.
//!
//! Both sides are counted where they happen, by different code, so that a message lost in between shows.

use crate::domain::reason::{QuarantineReason, Verdict};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
pub struct Ledger {
    counts: Mutex<Counts>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages handed in by an endpoint or a broker.
    pub received: u64,
    /// Messages between hand-in and verdict.
    pub in_flight: u64,
    /// Of the received ones: decided on.
    pub decided: u64,
    /// Of the received ones: stored without their values.
    pub redacted: u64,
    /// Of the received ones: recognised as repeats.
    pub duplicates: u64,
    /// Of the received ones: well-formed but not wanted.
    pub refused: u64,
    /// Of the received ones: set aside, by reason.
    pub quarantined: BTreeMap<QuarantineReason, u64>,
}

impl Ledger {
    pub fn received(&self) {
        let mut counts = self.lock();
        counts.received += 1;
        counts.in_flight += 1;
    }

    /// A message that was handed in but will never be decided: the gateway stops, and its sender keeps it.
    pub fn returned(&self) {
        let mut counts = self.lock();
        counts.received -= 1;
        counts.in_flight -= 1;
    }

    /// The verdicts of one batch, all at once, so that every reading balances.
    pub fn settled(&self, verdicts: impl Iterator<Item = Verdict>) {
        self.lock().settle(verdicts);
    }

    /// What `settled` will make of it; nothing is changed.
    pub fn after(&self, verdicts: impl Iterator<Item = Verdict>) -> Counts {
        let mut counts = self.counts();
        counts.settle(verdicts);
        counts
    }

    #[must_use]
    pub fn counts(&self) -> Counts {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn settle(&mut self, verdicts: impl Iterator<Item = Verdict>) {
        for verdict in verdicts {
            self.in_flight -= 1;
            match verdict {
                Verdict::Accepted => self.decided += 1,
                Verdict::Redacted => self.redacted += 1,
                Verdict::Duplicate { .. } => self.duplicates += 1,
                Verdict::Refused(_) => self.refused += 1,
                Verdict::Quarantined(reason) => *self.quarantined.entry(reason).or_default() += 1,
            }
        }
    }

    #[must_use]
    pub fn quarantined_total(&self) -> u64 {
        self.quarantined.values().sum()
    }

    /// What came in equals what became of it.
    #[must_use]
    pub fn balanced(&self) -> bool {
        let settled =
            self.decided + self.redacted + self.duplicates + self.refused + self.quarantined_total() + self.in_flight;
        self.received == settled
    }
}
