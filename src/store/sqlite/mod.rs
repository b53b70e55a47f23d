//! The embedded store: one SQLite file, one writer, a few readers beside it.
//!
//! WAL lets readers go on while a batch is written. `synchronous=NORMAL` is enough: what a power cut takes back is
//! taken back with its checkpoint and is projected again from the journal. `write` keeps rows, `read` answers.

mod read;
mod write;

use super::history::{
    AlarmLife, LoggedEvent, ObservationAsked, Page, PageAsked, QuarantineKept, Rollup, RollupAsked, SetAside, State,
    StoredObservation, TaskLife,
};
use super::migrations::{self, known};
use super::retention::{Cutoff, FORGET_STEPS_MAX, Retention, Tended};
use super::rows::Projected;
use super::tables::{Cell, Cells, TABLES, Table};
use super::{Store, StoreError};
use crate::domain::ids::{JournalId, Seq};
use crate::domain::time::Timestamp;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Idle read connections kept; more readers at once open their own for the moment.
const READERS_MAX: usize = 4;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// History in one SQLite file.
pub struct SqliteStore {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    /// What was forgotten last; the same needs no second look.
    forgotten: Mutex<Option<Cutoff>>,
}

impl SqliteStore {
    /// Opens or creates the file and brings its tables up to date.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let mut writer = Connection::open(path).map_err(|error| StoreError::open(path, &error))?;
        settings(&writer).map_err(|error| StoreError::open(path, &error))?;
        not_newer(&writer, path)?;
        migrations::sqlite().run(&mut writer).map_err(|error| StoreError::Migrate(Box::new(error)).of_file(path))?;
        Ok(Self::of(path, writer))
    }

    /// Opens a store that another process writes, to ask it only; what would change it fails.
    ///
    /// # Errors
    /// When the file is missing or cannot be read.
    pub fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || {
            let connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            Ok(connection)
        };
        let writer = open().map_err(|error| StoreError::open(path, &error))?;
        not_newer(&writer, path)?;
        Ok(Self::of(path, writer))
    }

    /// Reads the whole file, which takes its time.
    ///
    /// # Errors
    /// When anything in it is damaged.
    pub fn check(&self) -> Result<(), StoreError> {
        let first: String = self.read(|reader| Ok(reader.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?))?;
        if first == "ok" {
            return Ok(());
        }
        Err(StoreError::Damaged { path: self.path.display().to_string(), reason: first })
    }

    fn of(path: &Path, writer: Connection) -> Self {
        Self {
            path: path.to_owned(),
            writer: Mutex::new(writer),
            readers: Mutex::default(),
            forgotten: Mutex::default(),
        }
    }

    fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let write = || {
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        write().map_err(|error: StoreError| error.of_file(&self.path))
    }

    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let reader = match idle {
            Some(reader) => reader,
            None => self.reader().map_err(|error| StoreError::open(&self.path, &error))?,
        };
        let answer = work(&reader).map_err(|error| error.of_file(&self.path));
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS_MAX {
            readers.push(reader);
        }
        answer
    }

    fn reader(&self) -> Result<Connection, rusqlite::Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let reader = Connection::open_with_flags(&self.path, flags)?;
        reader.busy_timeout(BUSY_TIMEOUT)?;
        Ok(reader)
    }
}

fn settings(writer: &Connection) -> Result<(), rusqlite::Error> {
    writer.busy_timeout(BUSY_TIMEOUT)?;
    writer.pragma_update(None, "journal_mode", "wal")?;
    writer.pragma_update(None, "synchronous", "normal")?;
    writer.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Refuses tables that only a later program knows.
fn not_newer(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let found = read::version(connection).map_err(|error| StoreError::open(path, &error))?;
    let known = known(&migrations::sqlite());
    if found > known { Err(StoreError::Newer { found, known }) } else { Ok(()) }
}

impl Store for SqliteStore {
    fn checkpoint(&self, journal: JournalId) -> Result<Option<Seq>, StoreError> {
        self.read(|reader| read::checkpoint(reader, journal))
    }

    fn project(&self, journal: JournalId, entries: &[Projected]) -> Result<(), StoreError> {
        self.write(|transaction| write::project(transaction, journal, entries))
    }

    fn set_aside(&self, journal: JournalId, seq: Seq, at: Timestamp, reason: &str) -> Result<(), StoreError> {
        self.write(|transaction| write::set_aside(transaction, journal, seq, at, reason))
    }

    fn kept_at(&self, journal: JournalId, seq: Seq) -> Result<Option<Timestamp>, StoreError> {
        self.read(|reader| read::kept_at(reader, journal, seq))
    }

    fn clear(&self) -> Result<(), StoreError> {
        // What comes again may be old.
        *self.forgotten.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.write(write::clear)
    }

    fn alarms(&self, asked: &PageAsked) -> Result<Page<AlarmLife>, StoreError> {
        self.read(|reader| read::alarms(reader, asked))
    }

    fn tasks(&self, asked: &PageAsked) -> Result<Page<TaskLife>, StoreError> {
        self.read(|reader| read::tasks(reader, asked))
    }

    fn observations(&self, asked: &ObservationAsked, page: &PageAsked) -> Result<Page<StoredObservation>, StoreError> {
        self.read(|reader| read::observations(reader, asked, page))
    }

    fn quarantine(&self, asked: &PageAsked) -> Result<Page<QuarantineKept>, StoreError> {
        self.read(|reader| read::quarantine(reader, asked))
    }

    fn events(&self, asked: &PageAsked) -> Result<Page<LoggedEvent>, StoreError> {
        self.read(|reader| read::events(reader, asked))
    }

    fn set_asides(&self, asked: &PageAsked) -> Result<Page<SetAside>, StoreError> {
        self.read(|reader| read::set_asides(reader, asked))
    }

    fn rollups(&self, asked: &RollupAsked, page: &PageAsked) -> Result<Page<Rollup>, StoreError> {
        self.read(|reader| read::rollups(reader, asked, page))
    }

    fn tend(&self, now: Timestamp, retention: &Retention) -> Result<Tended, StoreError> {
        let cutoff = retention.cutoff(now);
        let mut forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        if *forgotten == Some(cutoff) {
            return Ok(Tended::All);
        }
        let mut steps = 0;
        for table in TABLES {
            // Found beside the writer and removed in short transactions: nobody waits for a large clearing.
            loop {
                let old = self.read(|reader| read::old_rows(reader, table, &cutoff))?;
                if old.is_empty() {
                    break;
                }
                self.write(|transaction| write::forget(transaction, table, &old))?;
                steps += 1;
                if steps == FORGET_STEPS_MAX {
                    return Ok(Tended::Part);
                }
            }
        }
        *forgotten = Some(cutoff);
        Ok(Tended::All)
    }

    fn close(&self) {}

    fn state(&self) -> Result<State, StoreError> {
        self.read(read::state)
    }

    fn rows(
        &self,
        table: &'static Table,
        journal: JournalId,
        after: Option<&[Cell<'static>]>,
        rows_max: usize,
    ) -> Result<Vec<Cells>, StoreError> {
        self.read(|reader| read::rows(reader, table, journal, after, rows_max))
    }
}
