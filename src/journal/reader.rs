//! Reading along: for the projector, replay and explain, from any seq, beside the writer and without delaying it.
//!
//! A reader has a connection of its own and sees records only once they are durable.

use super::error::JournalError;
use super::file::{self, Row};
use super::layout::{self, JOURNAL, Numbered};
use super::record;
use super::seal::Sealing;
use crate::domain::decision::Decision;
use crate::domain::event::Event;
use crate::domain::ids::Seq;
use crate::domain::time::Timestamp;
use rusqlite::Connection;
use std::path::{Path, PathBuf};

/// One journaled event with its decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub seq: Seq,
    pub at: Timestamp,
    pub event: Event,
    pub decision: Decision,
}

pub struct Reader {
    folder: PathBuf,
    sealing: Sealing,
    open: Option<(Numbered, Connection)>,
}

/// When this event happened, without a key; `None` where the journal does not hold it.
///
/// # Errors
/// Damage, with file and seq.
pub fn moment(folder: &Path, seq: Seq) -> Result<Option<Timestamp>, JournalError> {
    let files = layout::numbered(folder, JOURNAL)?;
    let Some(file) = files.iter().rfind(|file| file.seq <= seq) else { return Ok(None) };
    let connection = file::open_reader(&file.path)?;
    file::header(&connection, &file.path, file.seq)?;
    let mut at = None;
    file::rows(&connection, &file.path, seq, 1, |row| {
        row.check_bytes(&file.path)?;
        at = (row.seq == seq).then_some(row.at);
        Ok(())
    })?;
    Ok(at)
}

impl Reader {
    /// # Errors
    /// When there is no journal in the folder.
    pub fn open(folder: impl Into<PathBuf>, sealing: Sealing) -> Result<Self, JournalError> {
        let folder = folder.into();
        if layout::numbered(&folder, JOURNAL)?.is_empty() {
            return Err(JournalError::Empty { folder });
        }
        Ok(Self { folder, sealing, open: None })
    }

    /// Up to `max` entries from `from` on, over file borders; empty when the journal ends before `from`.
    ///
    /// # Errors
    /// `Pruned` when `from` is no longer kept; damage and gaps with file and seq.
    pub fn read(&mut self, from: Seq, max: usize) -> Result<Vec<Entry>, JournalError> {
        let mut entries = Vec::with_capacity(max.min(1_024));
        let mut next = from.max(Seq(1));
        loop {
            let (file, connection) = self.file_with(next)?;
            let wanted = max - entries.len();
            file::rows(&connection, &file.path, next, wanted, |row| {
                entries.push(self.entry(&file, next, &row)?);
                next = next.next();
                Ok(())
            })?;
            // The file that follows is named after the very record that comes next.
            let goes_on = layout::named(&self.folder, next, JOURNAL);
            let followed = entries.len() < max && next != file.seq && goes_on.exists();
            self.open = Some((file, connection));
            if !followed {
                return Ok(entries);
            }
        }
    }

    fn entry(&self, file: &Numbered, expected: Seq, row: &Row<'_>) -> Result<Entry, JournalError> {
        if row.seq != expected {
            return Err(JournalError::Gap { file: file.path.clone(), expected, found: row.seq });
        }
        row.check_bytes(&file.path)?;
        let (event, decision) = record::decode(&self.sealing, row.seq, row.record)
            .map_err(|source| JournalError::Record { file: file.path.clone(), seq: row.seq, source })?;
        Ok(Entry { seq: row.seq, at: row.at, event, decision })
    }

    /// The file that holds `seq`, or would: the one already open, if it still is the right one.
    fn file_with(&mut self, seq: Seq) -> Result<(Numbered, Connection), JournalError> {
        let open = self.open.take().filter(|(file, _)| {
            file.seq == seq || (file.seq < seq && !layout::named(&self.folder, seq, JOURNAL).exists())
        });
        if let Some(open) = open {
            return Ok(open);
        }
        let files = layout::numbered(&self.folder, JOURNAL)?;
        let holds = files.iter().rfind(|file| file.seq <= seq);
        let Some(file) = holds else {
            let folder = self.folder.clone();
            return Err(match files.first() {
                Some(first) => JournalError::Pruned { folder, asked: seq, first: first.seq },
                None => JournalError::Empty { folder },
            });
        };
        let connection = file::open_reader(&file.path)?;
        file::header(&connection, &file.path, file.seq)?;
        Ok((file.clone(), connection))
    }
}
