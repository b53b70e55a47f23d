//! What is waited for, in order of time.
//!
//! An entry may be early: a device that spoke since has its deadline later than its entry. The engine asks the
//! owner of the deadline before it believes an entry, so that hearing a device costs nothing here.

use crate::domain::event::Deadline;
use crate::domain::time::Timestamp;
use std::collections::BTreeSet;

#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    entries: BTreeSet<Deadline>,
}

impl Timers {
    pub fn set(&mut self, deadline: Deadline) {
        self.entries.insert(deadline);
    }

    /// All of them at once, in any order: sorting them is much quicker than finding a place for each.
    pub fn set_all(&mut self, deadlines: Vec<Deadline>) {
        if self.entries.is_empty() {
            self.entries = deadlines.into_iter().collect();
        } else {
            self.entries.extend(deadlines);
        }
    }

    pub fn remove(&mut self, deadline: &Deadline) {
        self.entries.remove(deadline);
    }

    pub fn first(&self) -> Option<&Deadline> {
        self.entries.first()
    }

    pub fn drop_first(&mut self) {
        self.entries.pop_first();
    }

    /// Moves the first entry to its true moment.
    pub fn move_first(&mut self, at: Timestamp) {
        if let Some(first) = self.entries.pop_first() {
            self.entries.insert(Deadline { at, why: first.why });
        }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }
}
