//! History: what was observed, every alarm and task with the moments of its life, what was quarantined.
//!
//! The journal owns the truth; a store is a projection of it with its own checkpoint, kept in the same transaction
//! as the rows, so it can be thrown away and rebuilt. It never shows the present (that is `board`) and never answers
//! the engine. Values about a person are kept sealed and are never opened here.
//!
//! Start with [`Store`], the interface that every database implements, then `rows` (an entry becomes rows) and
//! `projector` (follows the journal). `conformance` is the one suite that every implementation passes.

mod error;
mod history;
mod projector;
mod rows;
mod sqlite;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;

pub use error::StoreError;
pub use history::{
    AlarmLife, Cursor, LoggedEvent, ObservationAsked, Page, PageAsked, QuarantineKept, SetAside, StoredHead,
    StoredObservation, StoredValue, TaskLife,
};
pub use projector::{Entry, Ports, Progress, Projector, Read, Seal, SealValue, Sealed};
pub use rows::{AlarmChange, ObservationRow, Projected, Row, TaskChange};
pub use sqlite::SqliteStore;

use crate::domain::ids::{JournalId, Seq};
use crate::domain::time::Timestamp;

/// A database that holds history.
///
/// The calls block: the projector has a thread of its own and the console asks from the blocking pool. An
/// implementation over an async client waits inside.
pub trait Store: Send + Sync {
    /// The last entry of this journal whose rows are kept; `None` when it has never been projected.
    fn checkpoint(&self, journal: JournalId) -> Result<Option<Seq>, StoreError>;

    /// Keeps the rows of these entries and moves the checkpoint, all or nothing. Entries rise by seq; those at or
    /// before the checkpoint are skipped, so that projecting twice is projecting once.
    fn project(&self, journal: JournalId, entries: &[Projected]) -> Result<(), StoreError>;

    /// Moves the checkpoint past an entry whose rows cannot be kept, and keeps the reason instead.
    fn set_aside(&self, journal: JournalId, seq: Seq, at: Timestamp, reason: &str) -> Result<(), StoreError>;

    /// Forgets everything, checkpoints included, so that it can be projected again.
    fn clear(&self) -> Result<(), StoreError>;

    /// Alarms, newest first by `raised_at`.
    fn alarms(&self, asked: &PageAsked) -> Result<Page<AlarmLife>, StoreError>;

    /// Tasks, newest first by `requested_at`.
    fn tasks(&self, asked: &PageAsked) -> Result<Page<TaskLife>, StoreError>;

    /// One property of one asset, oldest first by `observed_at`.
    fn observations(&self, asked: &ObservationAsked, page: &PageAsked) -> Result<Page<StoredObservation>, StoreError>;

    /// Quarantined messages, newest first by `received_at`.
    fn quarantine(&self, asked: &PageAsked) -> Result<Page<QuarantineKept>, StoreError>;

    /// The log of events, newest first.
    fn events(&self, asked: &PageAsked) -> Result<Page<LoggedEvent>, StoreError>;

    /// Entries that were set aside, newest first.
    fn set_asides(&self, asked: &PageAsked) -> Result<Page<SetAside>, StoreError>;
}
