//! Looking back, beside a gateway and without changing anything: where a moment lies in the journal, and the snapshots
//! from which a replay can begin.

use super::error::JournalError;
use super::file::{self, End};
use super::layout::{self, JOURNAL, Numbered, SNAPSHOT};
use super::seal::Sealing;
use super::snapshot::{self, Snapshot};
use crate::domain::ids::{JournalId, Seq};
use crate::domain::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};
use std::path::{Path, PathBuf};

/// A journal that is looked at.
#[derive(Clone, Debug)]
pub struct Past {
    folder: PathBuf,
    files: Vec<Numbered>,
    pub journal_id: JournalId,
    /// The first and the last record that are kept, with their moments.
    pub first: (Seq, Timestamp),
    pub last: (Seq, Timestamp),
}

impl Past {
    /// # Errors
    /// There is no journal in the folder, or it holds no record yet, or it cannot be read.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, JournalError> {
        let folder = folder.into();
        let empty = || JournalError::Empty { folder: folder.clone() };
        let files = if folder.is_dir() { layout::numbered(&folder, JOURNAL)? } else { Vec::new() };
        let oldest = files.first().ok_or_else(empty)?;
        let connection = file::open_reader(&oldest.path)?;
        let header = file::header(&connection, &oldest.path, oldest.seq)?;
        let mut ends = files.iter().map(bounds);
        let first_at = ends.find_map(Result::transpose).transpose()?.map(|(first_at, _)| first_at);
        let last = files.iter().rev().map(bounds).find_map(Result::transpose).transpose()?.map(|(_, end)| end);
        let (first_at, last) = first_at.zip(last).ok_or_else(empty)?;
        let (first, last) = ((header.first_seq, first_at), (last.seq, last.at));
        Ok(Self { journal_id: header.journal_id, first, last, folder, files })
    }

    /// The last record that is not after `at`; none before the first.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn last_until(&self, at: Timestamp) -> Result<Option<Seq>, JournalError> {
        for numbered in self.files.iter().rev() {
            let connection = file::open_reader(&numbered.path)?;
            let Some((first_at, end)) = file::bounds(&connection, &numbered.path)? else { continue };
            if first_at <= at {
                return search(&connection, &numbered.path, (numbered.seq, end.seq), at).map(Some);
            }
        }
        Ok(None)
    }

    /// The moment of a record.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn moment_of(&self, seq: Seq) -> Result<Option<Timestamp>, JournalError> {
        let Some(numbered) = self.files.iter().rfind(|file| file.seq <= seq) else { return Ok(None) };
        let connection = file::open_reader(&numbered.path)?;
        moment(&connection, &numbered.path, seq)
    }

    /// The newest snapshot that is whole and reaches no further than `through`.
    ///
    /// # Errors
    /// The folder cannot be read, or a value in it not be opened.
    pub fn snapshot_until(&self, through: Seq, sealing: &Sealing) -> Result<Option<Snapshot>, JournalError> {
        let found = self.snapshots()?;
        self.first_whole(found.iter().rev().filter(|file| file.seq <= through), sealing)
    }

    /// The oldest snapshot that is whole and has all records behind it.
    ///
    /// # Errors
    /// The folder cannot be read, or a value in it not be opened.
    pub fn oldest_snapshot(&self, sealing: &Sealing) -> Result<Option<Snapshot>, JournalError> {
        let found = self.snapshots()?;
        self.first_whole(found.iter().filter(|file| file.seq.next() >= self.first.0), sealing)
    }

    fn first_whole<'a>(
        &self,
        mut files: impl Iterator<Item = &'a Numbered>,
        sealing: &Sealing,
    ) -> Result<Option<Snapshot>, JournalError> {
        // A gateway beside us may have removed it meanwhile, or it is damaged: another one will do.
        let whole = |read: Result<Snapshot, JournalError>| match read {
            Ok(snapshot) => Some(Ok(snapshot)),
            Err(JournalError::Snapshot { .. } | JournalError::Io { .. }) => None,
            Err(fault) => Some(Err(fault)),
        };
        files.find_map(|file| whole(snapshot::read(&file.path, self.journal_id, sealing))).transpose()
    }

    fn snapshots(&self) -> Result<Vec<Numbered>, JournalError> {
        let folder = layout::snapshots(&self.folder);
        if folder.is_dir() { layout::numbered(&folder, SNAPSHOT) } else { Ok(Vec::new()) }
    }
}

fn bounds(numbered: &Numbered) -> Result<Option<(Timestamp, End)>, JournalError> {
    file::bounds(&file::open_reader(&numbered.path)?, &numbered.path)
}

/// Moments never go back from one record to the next.
fn search(connection: &Connection, path: &Path, (first, last): (Seq, Seq), at: Timestamp) -> Result<Seq, JournalError> {
    let (mut low, mut high) = (first.0, last.0);
    while low < high {
        let middle = high - (high - low) / 2;
        let found = moment(connection, path, Seq(middle))?;
        if found.is_some_and(|found| found <= at) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    Ok(Seq(low))
}

fn moment(connection: &Connection, path: &Path, seq: Seq) -> Result<Option<Timestamp>, JournalError> {
    connection
        .prepare_cached("SELECT at FROM entry WHERE seq = ?")
        .and_then(|mut found| {
            found.query_row([seq.0.cast_signed()], |row| row.get(0).map(Timestamp::from_micros)).optional()
        })
        .map_err(|source| JournalError::Unreadable { file: path.to_owned(), seq, source })
}
