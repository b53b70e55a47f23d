//! Checks a whole journal: every record, every link, every file border, every snapshot. Needs no key.
//!
//! It may run beside the writer. The first fault is reported with its file and seq; nothing is repaired.

use super::chain::Chain;
use super::error::{JournalError, RecordError};
use super::file::{self, End};
use super::layout::{self, JOURNAL, Numbered};
use super::record;
use super::snapshot;
use crate::domain::ids::{JournalId, Seq};
use std::path::Path;

/// Rows per read: a longer one would hold back checkpoints of a running gateway.
const ROWS: usize = 4_096;

/// So many last records of each file does the quick check read.
const LAST_RECORDS: u64 = 1_000;

/// How far the check has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The file being read, counted from 1.
    pub file: usize,
    pub files: usize,
    /// Records found whole so far.
    pub entries: u64,
    pub seq: Seq,
}

/// A journal in which nothing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    pub journal_id: JournalId,
    pub entries: u64,
    pub files: u64,
    pub snapshots: u64,
    /// The first record kept; later than 1 once files were pruned.
    pub first: Seq,
    pub last: Seq,
    /// Kept elsewhere, it shows later whether anything up to here was changed.
    pub last_chain: Chain,
}

/// Checks the journal in `folder`, telling `progress` after every few thousand records.
///
/// # Errors
/// The first fault, with file and seq.
pub fn verify(folder: &Path, mut progress: impl FnMut(Progress)) -> Result<Verified, JournalError> {
    let files = layout::numbered(folder, JOURNAL)?;
    let mut verified: Option<Verified> = None;
    for (at, file) in files.iter().enumerate() {
        let step = |entries, seq| Progress { file: at + 1, files: files.len(), entries, seq };
        verified = Some(check_file(file, verified, |entries, seq| progress(step(entries, seq)))?);
    }
    let mut verified = verified.ok_or_else(|| JournalError::Empty { folder: folder.to_owned() })?;
    verified.snapshots = snapshot::check_all(folder, verified.journal_id)?;
    Ok(verified)
}

/// The quick check: every file's header, every border between files, and the last records, as at a start.
///
/// # Errors
/// The first fault, with file and seq.
pub fn verify_end(folder: &Path) -> Result<Verified, JournalError> {
    let mut verified: Option<Verified> = None;
    let mut before: Option<(JournalId, End)> = None;
    for numbered in layout::numbered(folder, JOURNAL)? {
        let path = &numbered.path;
        let connection = file::open_reader(path)?;
        let header = file::header(&connection, path, numbered.seq)?;
        file::follows(path, &header, before)?;
        let end = file::bounds(&connection, path)?.map_or(header.prior(), |(_, end)| end);
        let from = Seq(end.seq.0.saturating_sub(LAST_RECORDS).max(header.first_seq.0));
        let mut previous: Option<End> = None;
        let count = file::rows(&connection, path, from, usize::MAX, |row| {
            previous = Some(match &previous {
                Some(previous) => row.check(path, previous)?,
                None if row.seq == header.first_seq => row.check(path, &header.prior())?,
                None => {
                    row.check_bytes(path)?;
                    End { seq: row.seq, at: row.at, chain: row.stored_chain(path)? }
                }
            });
            check_format(path, row.seq, row.record)
        })?;
        let known = verified.unwrap_or_else(|| Verified::before(header.journal_id, header.first_seq));
        verified = Some(Verified {
            files: known.files + 1,
            entries: known.entries + count as u64,
            last: end.seq,
            last_chain: end.chain,
            ..known
        });
        before = Some((header.journal_id, end));
    }
    verified.ok_or_else(|| JournalError::Empty { folder: folder.to_owned() })
}

fn check_file(
    file: &Numbered,
    before: Option<Verified>,
    mut progress: impl FnMut(u64, Seq),
) -> Result<Verified, JournalError> {
    let path = &file.path;
    let connection = file::open_reader(path)?;
    let header = file::header(&connection, path, file.seq)?;
    let known = before.map(|before| (before.journal_id, before.end_of(&header)));
    file::follows(path, &header, known)?;
    let mut end = header.prior();
    let mut verified = before.unwrap_or_else(|| Verified::before(header.journal_id, header.first_seq));
    verified.files += 1;
    loop {
        let from = end.seq.next();
        let count = file::rows(&connection, path, from, ROWS, |row| {
            end = row.check(path, &end)?;
            check_format(path, row.seq, row.record)
        })?;
        verified.entries += count as u64;
        progress(verified.entries, end.seq);
        if count < ROWS {
            break;
        }
    }
    Ok(Verified { last: end.seq, last_chain: end.chain, ..verified })
}

fn check_format(path: &Path, seq: Seq, bytes: &[u8]) -> Result<(), JournalError> {
    record::check(bytes).map_err(|source: RecordError| JournalError::Record { file: path.to_owned(), seq, source })
}

impl Verified {
    fn before(journal_id: JournalId, first: Seq) -> Self {
        Self { journal_id, entries: 0, files: 0, snapshots: 0, first, last: Seq(0), last_chain: Chain::default() }
    }

    fn end_of(&self, header: &file::Header) -> End {
        End { seq: self.last, at: header.prior_at, chain: self.last_chain }
    }
}
