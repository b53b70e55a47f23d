//! The present, in memory: open alarms and tasks, silent devices, what was quarantined, and whether the books balance.
//!
//! Fed by released decisions only, so it never shows what could still be lost. Each batch gives one immutable
//! [`View`] with its seq; a reader keeps a view as long as it likes and never delays the writer. A view also knows
//! what changed lately, so that a screen which was away asks for the difference instead of everything.
//! It decides nothing and remembers no history: that is `engine` and `store`. Start with [`Board`], then `view`.

mod apply;
mod rows;
mod view;

#[cfg(test)]
mod tests;

pub use rows::{AlarmRow, Ledger, QuarantineRow, TaskRow};
pub use view::{Changes, Counts, Difference, Part, Place, View};

use crate::domain::alarm::Alarm;
use crate::domain::decision::Decision;
use crate::domain::event::Event;
use crate::domain::ids::{DeviceId, JournalId, Seq};
use crate::domain::reason::QuarantineReason;
use crate::domain::task::Task;
use crate::domain::time::Timestamp;
use crate::telemetry;
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// How much the board keeps beside what is open. Open alarms and tasks are bounded by the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Closed alarms kept for screens; older ones are in the store.
    pub closed_alarms_max: usize,
    /// Ended tasks kept for screens.
    pub ended_tasks_max: usize,
    /// Newest quarantined messages kept for screens.
    pub quarantine_rows_max: usize,
    /// Batches that [`View::changes_since`] can look back.
    pub batches_max: usize,
    /// Changed rows, over all batches, that it can look back.
    pub changes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            closed_alarms_max: 200,
            ended_tasks_max: 200,
            quarantine_rows_max: 100,
            batches_max: 4_096,
            changes_max: 32_768,
        }
    }
}

/// What is true when the gateway starts: taken from the engine after it has applied the journal.
#[derive(Clone, Debug)]
pub struct Initial {
    pub journal: JournalId,
    /// The last applied event.
    pub seq: Seq,
    pub at: Timestamp,
    pub alarms: Vec<Alarm>,
    pub tasks: Vec<Task>,
    pub devices_silent: Vec<DeviceId>,
    /// Quarantined messages by reason, as far as the engine counts them.
    pub quarantined: BTreeMap<QuarantineReason, u64>,
}

/// One writer, any number of readers.
#[derive(Debug)]
pub struct Board {
    current: ArcSwap<View>,
    writing: Mutex<()>,
    limits: Limits,
    seq: watch::Sender<Seq>,
}

impl Board {
    #[must_use]
    pub fn new(initial: Initial) -> Self {
        Self::with_limits(initial, Limits::default())
    }

    #[must_use]
    pub fn with_limits(initial: Initial, limits: Limits) -> Self {
        let seq = watch::Sender::new(initial.seq);
        Self { current: ArcSwap::from_pointee(View::from_initial(initial)), writing: Mutex::new(()), limits, seq }
    }

    /// Takes in one released batch, in the order of the journal, and publishes one view of it.
    ///
    /// The cost follows the number of facts in the batch, not the number of open alarms.
    pub fn apply<'a>(&self, released: impl IntoIterator<Item = (Timestamp, &'a Event, &'a Decision)>) {
        let stopwatch = telemetry::stopwatch();
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut view = View::clone(&self.current.load());
        let mut batch = apply::Batch::new(&mut view, &self.limits);
        for (at, event, decision) in released {
            batch.apply(at, event, decision);
        }
        batch.finish();
        let seq = view.seq;
        telemetry::board::published(&stopwatch);
        self.current.store(Arc::new(view));
        drop(writing);
        self.seq.send_replace(seq);
    }

    /// Takes over the ledger's numbers; they travel beside the seq and never advance it.
    pub fn set_ledger(&self, ledger: Ledger) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut view = View::clone(&self.current.load());
        view.ledger = ledger;
        self.current.store(Arc::new(view));
    }

    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.current.load_full()
    }

    /// Wakes whenever a view with a later seq has been published.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Seq> {
        self.seq.subscribe()
    }
}
