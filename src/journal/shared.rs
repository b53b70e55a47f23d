//! What the journal, its maintenance and its snapshot writers share across threads.

use super::fault::Gate;
use super::options::Durability;
use super::seal::Sealing;
use crate::domain::ids::{JournalId, Seq};
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) struct Shared {
    pub folder: PathBuf,
    pub durability: Durability,
    pub journal_id: JournalId,
    pub sealing: Sealing,
    pub gate: Gate,
    durable: AtomicU64,
    /// The write-ahead log is long and nearly folded in: the writer may finish it and start over.
    log_ready: AtomicBool,
    files: Mutex<Files>,
    snapshots: Mutex<()>,
}

/// The file that is written, and those that are finished but still have a write-ahead log to fold in.
pub(super) struct Files {
    pub current: PathBuf,
    pub retired: Vec<Retired>,
}

pub(super) struct Retired {
    pub path: PathBuf,
    pub connection: Connection,
}

impl Shared {
    pub fn new(base: Base, current: PathBuf, retired: Vec<Retired>, durable: Seq) -> Self {
        Self {
            folder: base.folder,
            durability: base.durability,
            journal_id: base.journal_id,
            sealing: base.sealing,
            gate: base.gate,
            durable: AtomicU64::new(durable.0),
            log_ready: AtomicBool::new(false),
            files: Mutex::new(Files { current, retired }),
            snapshots: Mutex::new(()),
        }
    }

    /// The last record that survives.
    pub fn durable(&self) -> Seq {
        Seq(self.durable.load(Ordering::Acquire))
    }

    pub fn set_durable(&self, seq: Seq) {
        self.durable.store(seq.0, Ordering::Release);
    }

    /// Tells the writer that little is left to fold in.
    pub fn tell_log_ready(&self) {
        self.log_ready.store(true, Ordering::Release);
    }

    /// Whether it was told since the last time it asked.
    pub fn take_log_ready(&self) -> bool {
        self.log_ready.load(Ordering::Relaxed) && self.log_ready.swap(false, Ordering::AcqRel)
    }

    /// A panic while it was held leaves a list of files that is still true.
    pub fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held while a snapshot is written: one at a time.
    pub fn one_snapshot(&self) -> MutexGuard<'_, ()> {
        self.snapshots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What stays the same from opening to dropping.
pub(super) struct Base {
    pub folder: PathBuf,
    pub durability: Durability,
    pub journal_id: JournalId,
    pub sealing: Sealing,
    pub gate: Gate,
}
