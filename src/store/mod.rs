//! History: what was observed, every alarm and task with the moments of its life, what was quarantined.
//!
//! The journal owns the truth; a store is a projection of it with its own checkpoint, kept in the same transaction
//! as the rows, so it can be thrown away and rebuilt. It never shows the present (that is `board`) and never answers
//! the engine. Values about a person are kept sealed and are never opened here.
//!
//! Start with [`Store`], the interface that every database implements, then `rows` (an entry becomes rows) and
//! `projector` (follows the journal). `conformance` is the one suite that every implementation passes.

mod compare;
mod error;
mod history;
mod migrations;
mod postgres;
mod projector;
mod retention;
mod rollup;
mod rows;
mod sqlite;
mod tables;

#[cfg(test)]
pub(crate) mod conformance;
#[cfg(test)]
pub(crate) mod tests;

pub use compare::{Compared, Difference, Open, Scope, compare};
pub use error::StoreError;
pub use history::{
    AlarmLife, Bucket, Cursor, LoggedEvent, ObservationAsked, Page, PageAsked, QuarantineKept, Rollup, RollupAsked,
    SetAside, State, StoredHead, StoredObservation, StoredValue, TaskLife,
};
pub use postgres::{PostgresOptions, PostgresStore};
pub use projector::{Entry, Failure, Ports, Progress, Projector, Read, Seal, SealValue, Sealed, Tending, rebuild};
pub use retention::{Cutoff, Retention, Tended};
pub use rows::{AlarmChange, ObservationRow, Projected, Row, TaskChange};
pub use sqlite::SqliteStore;
pub use tables::{Cell, Cells, TABLES, Table};

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

    /// When this entry happened, by the log of events or by what was set aside; `None` where neither holds it.
    fn kept_at(&self, journal: JournalId, seq: Seq) -> Result<Option<Timestamp>, StoreError>;

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

    /// Roll-ups of the numbers of one property of one asset, oldest first.
    fn rollups(&self, asked: &RollupAsked, page: &PageAsked) -> Result<Page<Rollup>, StoreError>;

    /// Makes room for the months ahead and forgets what is old enough, in small steps and only so many of them at a
    /// time: history waits for it. What was left, or could not be done, is done by the next call.
    fn tend(&self, now: Timestamp, retention: &Retention) -> Result<Tended, StoreError>;

    /// Breaks off what waits for a server, and lets no later call wait: the process ends. A database in the process needs
    /// nothing.
    fn close(&self);

    /// How it is, for operators.
    fn state(&self) -> Result<State, StoreError>;

    /// Rows of one table in the order of its key, after the row with this key, at most that many; of one journal where
    /// the table has journals, and then without that column. For comparing two stores.
    fn rows(
        &self,
        table: &'static Table,
        journal: JournalId,
        after: Option<&[Cell<'static>]>,
        rows_max: usize,
    ) -> Result<Vec<Cells>, StoreError>;
}
