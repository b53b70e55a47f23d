//! The writing end: append into an open transaction, sync it, switch to the next file between batches.
//!
//! One connection, one thread. A failed append or sync ends the journal: nothing is retried, because after a failed
//! sync nobody knows what is durable. The process starts again and recovers instead.

use super::chain::{self, Chain};
use super::error::JournalError;
use super::fault::Step;
use super::file::{self, End, Header};
use super::maintenance::{self, Maintenance};
use super::open::{self, Opened};
use super::options::{FileLimits, Options};
use super::record;
use super::seal::Sealing;
use super::shared::{Retired, Shared};
use super::snapshot::{Section, SnapshotWriter};
use crate::domain::decision::Decision;
use crate::domain::event::Event;
use crate::domain::ids::{JournalId, Seq};
use crate::domain::time::Timestamp;
use crate::telemetry::{self, stopwatch};
use rusqlite::Connection;
use std::mem;
use std::path::PathBuf;
use std::sync::Arc;

/// Finished files whose write-ahead log nobody has folded in; beyond this the writer does it itself.
const RETIRED_MAX: usize = 4;
/// A batch of long records does not hold on to its memory.
const RECORDS_KEPT_BYTES: usize = 4 << 20;

pub struct Journal {
    shared: Arc<Shared>,
    file: Current,
    /// The last record appended, durable or not.
    end: End,
    batch: Batch,
    limits: FileLimits,
    scratch: Vec<u8>,
}

/// The file that is written.
pub(super) struct Current {
    pub connection: Connection,
    pub path: PathBuf,
    pub bytes: u64,
    /// The moment of its first record.
    pub first_at: Option<Timestamp>,
}

/// What was appended since the last sync: in memory until then, so that SQLite is handed a batch at once.
#[derive(Default)]
struct Batch {
    rows: Vec<Row>,
    /// The records of all rows, one after the other.
    records: Vec<u8>,
}

struct Row {
    seq: Seq,
    at: Timestamp,
    /// Where its record ends in [`Batch::records`].
    end: usize,
    checksum: u32,
    chain: Chain,
}

impl Journal {
    /// Opens the journal in `options.folder`, or makes one with the id that `fresh_id` gives. Recovers from whatever
    /// moment the last process ended at.
    ///
    /// # Errors
    /// Damage, gaps and files of another journal, each with the file and the seq.
    pub fn open(
        options: Options,
        sealing: Sealing,
        fresh_id: impl FnOnce() -> JournalId,
    ) -> Result<Opened, JournalError> {
        open::open(options, sealing, fresh_id)
    }

    pub(super) fn new(shared: Shared, file: Current, end: End, limits: FileLimits) -> Self {
        Self { shared: Arc::new(shared), file, end, batch: Batch::default(), limits, scratch: Vec::new() }
    }

    pub fn id(&self) -> JournalId {
        self.shared.journal_id
    }

    /// The seq the next record will have.
    pub fn next_seq(&self) -> Seq {
        self.end.seq.next()
    }

    /// Keeps one event with its decision; `decision.seq` must be the next one. Durable only after [`Self::sync`].
    ///
    /// # Errors
    /// After any error the journal is dead.
    pub fn append(&mut self, at: Timestamp, event: &Event, decision: &Decision) -> Result<(), JournalError> {
        self.shared.gate.alive()?;
        let appended = self.try_append(at, event, decision);
        self.or_die(appended)
    }

    fn try_append(&mut self, at: Timestamp, event: &Event, decision: &Decision) -> Result<(), JournalError> {
        let seq = self.next_seq();
        if decision.seq != seq {
            return Err(JournalError::OutOfOrder { expected: seq, found: decision.seq });
        }
        let reach = self.shared.gate.enter(Step::Append)?;
        let begin = self.batch.records.len();
        record::encode(&self.shared.sealing, event, decision, &mut self.scratch, &mut self.batch.records)
            .map_err(|source| JournalError::Unwritable { seq, source })?;
        let record = &self.batch.records[begin..];
        let chain = chain::link(&self.end.chain, seq, at, record);
        let checksum = chain::checksum(record);
        self.batch.rows.push(Row { seq, at, end: self.batch.records.len(), checksum, chain });
        self.shared.gate.leave(Step::Append, reach)?;
        self.end = End { seq, at, chain };
        self.file.first_at.get_or_insert(at);
        Ok(())
    }

    /// Makes everything appended so far durable and returns the last seq of the batch; `None` when there was nothing.
    ///
    /// # Errors
    /// The journal is dead and nothing of the batch may be released: whether it is durable, only opening again tells.
    pub fn sync(&mut self) -> Result<Option<Seq>, JournalError> {
        self.shared.gate.alive()?;
        if self.batch.rows.is_empty() {
            return Ok(None);
        }
        let watch = stopwatch();
        let written = self.write();
        self.or_die(written)?;
        let (inserting, watch) = (watch.elapsed(), stopwatch());
        let committed = self.commit();
        self.or_die(committed)?;
        self.shared.set_durable(self.end.seq);
        let Batch { rows, records } = &mut self.batch;
        self.file.bytes += records.len() as u64;
        telemetry::journal::synced(rows.len() as u64, records.len() as u64, inserting, watch.elapsed());
        rows.clear();
        records.clear();
        records.shrink_to(RECORDS_KEPT_BYTES);
        Ok(Some(self.end.seq))
    }

    fn write(&self) -> Result<(), JournalError> {
        let Batch { rows, records, .. } = &self.batch;
        let insert = || {
            let connection = &self.file.connection;
            connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            let mut insert = connection
                .prepare_cached("INSERT INTO entry (seq, at, record, crc32c, chain) VALUES (?, ?, ?, ?, ?)")?;
            let mut begin = 0;
            for row in rows {
                let record = &records[begin..row.end];
                begin = row.end;
                insert.execute((row.seq.0.cast_signed(), row.at.as_micros(), record, row.checksum, &row.chain[..]))?;
            }
            Ok(())
        };
        insert().map_err(JournalError::sqlite("append to", &self.file.path))
    }

    fn commit(&self) -> Result<(), JournalError> {
        let reach = self.shared.gate.enter(Step::Commit)?;
        self.file
            .connection
            .prepare_cached("COMMIT")
            .and_then(|mut commit| commit.execute([]))
            .map_err(JournalError::sqlite("sync", &self.file.path))?;
        self.shared.gate.leave(Step::Commit, reach)
    }

    /// Goes on in the next file when this one is large or old enough. Between batches only: with records waiting for
    /// their sync it does nothing. Returns whether it switched.
    ///
    /// # Errors
    /// After any error the journal is dead.
    pub fn switch_file_if_due(&mut self, now: Timestamp) -> Result<bool, JournalError> {
        self.shared.gate.alive()?;
        let Some(first_at) = self.file.first_at else { return Ok(false) };
        let due = self.file.bytes >= self.limits.bytes_max || now.since(first_at) >= self.limits.age_max;
        if !due || !self.batch.rows.is_empty() {
            return Ok(false);
        }
        let switched = self.switch_file();
        self.or_die(switched)?;
        telemetry::journal::file_switched();
        Ok(true)
    }

    fn switch_file(&mut self) -> Result<(), JournalError> {
        let shared = &self.shared;
        let header = Header::after(shared.journal_id, &self.end);
        let path = file::create(&shared.folder, &header, shared.durability, &shared.gate)?;
        let connection = file::open_writer(&path, shared.durability)?;
        file::make_room(&connection, &path, shared.durability);
        let next = Current { connection, path: path.clone(), bytes: 0, first_at: None };
        let finished = mem::replace(&mut self.file, next);
        let mut files = shared.files();
        files.current = path;
        files.retired.push(Retired { path: finished.path, connection: finished.connection });
        let crowded = files.retired.len() > RETIRED_MAX;
        drop(files);
        if crowded {
            self.maintenance().fold_in_retired()?;
        }
        Ok(())
    }

    /// Folds in what is left of a long write-ahead log, when the maintenance has left little: the log then starts over.
    /// Between two batches, and after everybody has been told about the last one. Returns whether it did.
    ///
    /// # Errors
    /// After any error the journal is dead.
    pub fn fold_in_if_ready(&mut self) -> Result<bool, JournalError> {
        self.shared.gate.alive()?;
        if !self.batch.rows.is_empty() || !self.shared.take_log_ready() {
            return Ok(false);
        }
        let watch = stopwatch();
        let folded = maintenance::pass(&self.file.connection, &self.file.path);
        let folded = self.or_die(folded)?;
        telemetry::journal::checkpointed(folded.moved_pages, watch.elapsed());
        Ok(true)
    }

    /// Writes a snapshot here and now. It delays the next append; [`Self::snapshot_writer`] does not.
    pub fn save_snapshot(&mut self, seq: Seq, version: u32, sections: Vec<Section>) -> Result<(), JournalError> {
        self.snapshot_writer().write(seq, version, sections)
    }

    /// Writes snapshots from another thread, without delaying append and sync.
    pub fn snapshot_writer(&self) -> SnapshotWriter {
        SnapshotWriter::new(Arc::clone(&self.shared))
    }

    /// Checkpoints and prunes from another thread, outside the commit path.
    pub fn maintenance(&self) -> Maintenance {
        Maintenance::new(Arc::clone(&self.shared), self.limits.retain_for)
    }

    /// Removes files that are no longer kept, here and now; returns how many. See [`Maintenance::prune`].
    pub fn prune(&mut self, now: Timestamp) -> Result<usize, JournalError> {
        self.maintenance().prune(now)
    }

    /// Ends an orderly run: folds the write-ahead log into its file, so that the folder is quick to open and easy
    /// to copy. Dropping the journal instead loses nothing. Records that were not synced are gone.
    ///
    /// # Errors
    /// The log stays and is read at the next start.
    pub fn close(self) -> Result<(), JournalError> {
        self.shared.gate.alive()?;
        let maintenance = self.maintenance();
        let finished = Retired { path: self.file.path, connection: self.file.connection };
        self.shared.files().retired.push(finished);
        maintenance.fold_in_retired()
    }

    fn or_die<T>(&self, result: Result<T, JournalError>) -> Result<T, JournalError> {
        if result.is_err() {
            self.shared.gate.die();
        }
        result
    }
}
