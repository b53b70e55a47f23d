//! Work on the files that must never stand in the way of a commit: checkpoints, and pruning by unlink.
//!
//! A checkpoint copies synced pages from the write-ahead log into the file, passively, over a connection of its own.
//! The log starts over when a checkpoint has caught up, which one beside a busy writer never does: when the log is long,
//! a second pass leaves only what came during itself, and the writer is told to fold that in between two batches. A log
//! that starts over costs no new pages of the system's cache and no growing file, and its sync is quicker.

use super::error::JournalError;
use super::fault::Step;
use super::file;
use super::layout::{self, JOURNAL, SNAPSHOT};
use super::shared::{Retired, Shared};
use crate::domain::time::{Span, Timestamp};
use crate::telemetry::{self, stopwatch};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::fs;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// For one thread of its own, which calls [`Maintenance::checkpoint`] every few seconds and [`Maintenance::prune`]
/// now and then.
pub struct Maintenance {
    shared: Arc<Shared>,
    retain_for: Span,
    connection: Option<(PathBuf, Connection)>,
}

/// How far a checkpoint came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checkpointed {
    /// Pages in the write-ahead log.
    pub log_pages: u64,
    /// How many of them are in the file; the rest belongs to a batch or a reader in flight.
    pub moved_pages: u64,
}

impl Maintenance {
    pub(super) fn new(shared: Arc<Shared>, retain_for: Span) -> Self {
        Self { shared, retain_for, connection: None }
    }

    /// Copies what is synced from the log into the file in use, and finishes the files before it.
    ///
    /// # Errors
    /// Nothing is lost: the next call tries again.
    pub fn checkpoint(&mut self) -> Result<Checkpointed, JournalError> {
        self.shared.gate.alive()?;
        let watch = stopwatch();
        let current = self.shared.files().current.clone();
        // Let go of a finished file first, so that closing it can clear its log away.
        let held = self.connection.take().filter(|(path, _)| *path == current);
        self.fold_in_retired()?;
        let connection = match held {
            Some((_, connection)) => connection,
            None => file::open_writer(&current, self.shared.durability)?,
        };
        let mut done = pass(&connection, &current)?;
        if done.log_pages >= file::LOG_PAGES && done.moved_pages < done.log_pages {
            done = pass(&connection, &current)?;
            self.shared.tell_log_ready();
        }
        self.connection = Some((current, connection));
        telemetry::journal::checkpointed(done.moved_pages, watch.elapsed());
        Ok(done)
    }

    /// Unlinks whole files whose last record is older than `retain_for`, oldest first, but none with a record behind
    /// the older of the newest two snapshots; with fewer than two snapshots, none. Returns how many are gone.
    pub fn prune(&self, now: Timestamp) -> Result<usize, JournalError> {
        self.shared.gate.alive()?;
        let folder = &self.shared.folder;
        let snapshots = layout::numbered(&layout::snapshots(folder), SNAPSHOT)?;
        let [.., needed, _] = &snapshots[..] else { return Ok(0) };
        let files = layout::numbered(folder, JOURNAL)?;
        let mut removed = 0;
        for pair in files.windows(2) {
            let [old, next] = pair else { break };
            if next.seq > needed.seq.next() {
                break;
            }
            let ended_at = file::header(&file::open_reader(&next.path)?, &next.path, next.seq)?.prior_at;
            if now.since(ended_at) <= self.retain_for {
                break;
            }
            self.unlink(&old.path)?;
            removed += 1;
        }
        telemetry::journal::pruned(removed);
        Ok(removed)
    }

    /// The database goes first: a log without its database is cleared at the next start, while a database without
    /// its log could miss records.
    fn unlink(&self, path: &Path) -> Result<(), JournalError> {
        let reach = self.shared.gate.enter(Step::Prune)?;
        fs::remove_file(path).map_err(JournalError::io("remove", path))?;
        self.shared.gate.leave(Step::Prune, reach)?;
        for companion in layout::companions(path).iter().filter(|companion| companion.exists()) {
            fs::remove_file(companion).map_err(JournalError::io("remove", companion))?;
        }
        Ok(())
    }

    /// Moves the whole log of each finished file into it and closes it. A file that a reader holds waits for the
    /// next call.
    pub(super) fn fold_in_retired(&self) -> Result<(), JournalError> {
        let retired = mem::take(&mut self.shared.files().retired);
        let mut waiting = Vec::new();
        for file in retired {
            let (done, _) = run_checkpoint(&file.connection, &file.path, "PRAGMA wal_checkpoint(TRUNCATE)")?;
            if done {
                close(file)?;
            } else {
                waiting.push(file);
            }
        }
        self.shared.files().retired.extend(waiting);
        Ok(())
    }
}

/// Lets SQLite remove its companions as the last connection goes.
fn close(file: Retired) -> Result<(), JournalError> {
    file.connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
        .and_then(|_| file.connection.close().map_err(|(_, fault)| fault))
        .map_err(JournalError::sqlite("close", &file.path))
}

/// Copies what is synced, as far as no reader is in the way; waits for nobody.
pub(super) fn pass(connection: &Connection, path: &Path) -> Result<Checkpointed, JournalError> {
    run_checkpoint(connection, path, "PRAGMA wal_checkpoint(PASSIVE)").map(|(_, done)| done)
}

/// Whether nothing stood in the way, and how far it came.
fn run_checkpoint(connection: &Connection, path: &Path, pragma: &str) -> Result<(bool, Checkpointed), JournalError> {
    connection
        .query_row(pragma, [], |row| {
            let busy: bool = row.get(0)?;
            let pages = |column| row.get::<_, i64>(column).map(|pages| u64::try_from(pages).unwrap_or(0));
            Ok((!busy, Checkpointed { log_pages: pages(1)?, moved_pages: pages(2)? }))
        })
        .map_err(JournalError::sqlite("checkpoint", path))
}
