//! Everything that can go wrong with a journal, naming the file and the record.

use super::fault::Step;
use super::seal::SealError;
use crate::domain::ids::{JournalId, Seq};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("cannot {doing} {path}", path = path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot {doing} {file}", file = file.display())]
    Sqlite { doing: &'static str, file: PathBuf, source: rusqlite::Error },
    #[error("{file} is no journal file: {why}", file = file.display())]
    NotAJournal { file: PathBuf, why: &'static str },
    #[error("journal file {file} has format {format}; this program reads format {known}", file = file.display())]
    UnknownFormat { file: PathBuf, format: u32, known: u32 },
    #[error("{file} belongs to journal {found}, the files before it to {expected}: keep one journal per folder",
        file = file.display())]
    Foreign { file: PathBuf, found: JournalId, expected: JournalId },
    #[error("{file} holds seq {found} where seq {expected} belongs: a record or a file is missing", file = file.display())]
    Gap { file: PathBuf, expected: Seq, found: Seq },
    #[error("record {seq} in {file} is damaged: its {part} does not match", file = file.display())]
    Damaged { file: PathBuf, seq: Seq, part: Part },
    #[error("SQLite cannot read {file} from seq {seq} on", file = file.display())]
    Unreadable { file: PathBuf, seq: Seq, source: rusqlite::Error },
    #[error("record {seq} in {file} cannot be read", file = file.display())]
    Record { file: PathBuf, seq: Seq, source: RecordError },
    #[error("record {seq} cannot be written")]
    Unwritable { seq: Seq, source: RecordError },
    #[error("a decision for seq {found} was appended where seq {expected} belongs")]
    OutOfOrder { expected: Seq, found: Seq },
    #[error("snapshot {file} cannot be used: {why}", file = file.display())]
    Snapshot { file: PathBuf, why: String },
    #[error("a snapshot of seq {seq} was asked for, but the journal is durable through seq {durable} only")]
    SnapshotTooEarly { seq: Seq, durable: Seq },
    #[error("the journal in {folder} ends at seq {last}, but a snapshot of seq {snapshot} exists: journal files are missing",
        folder = folder.display())]
    EndsBeforeSnapshot { folder: PathBuf, last: Seq, snapshot: Seq },
    #[error("the journal in {folder} starts at seq {first} and no usable snapshot reaches it: restore the folder from a backup",
        folder = folder.display())]
    NoSnapshot { folder: PathBuf, first: Seq },
    #[error("seq {asked} is no longer kept: the journal in {folder} starts at seq {first}", folder = folder.display())]
    Pruned { folder: PathBuf, asked: Seq, first: Seq },
    #[error("{folder} holds no journal", folder = folder.display())]
    Empty { folder: PathBuf },
    #[error("the simulated process ended at step {step:?}")]
    Crashed { step: Step },
    #[error("the journal has failed before and takes nothing more until it is opened again")]
    Dead,
}

/// Why the bytes of one record could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("it has version {version}; this program reads version {known}")]
    UnknownVersion { version: u16, known: u16 },
    #[error("it is not in the record format")]
    Malformed(#[from] minicbor::decode::Error),
    #[error("it is sealed but names no person")]
    NoSubject,
    #[error("it does not fit the record format: {0}")]
    Unencodable(String),
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// The part of a record in which damage was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Checksum,
    Chain,
}

impl JournalError {
    /// Whether the same call may succeed later. A failed `append` or `sync` is never repeated: the journal is dead.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Sqlite { source, .. } | Self::Unreadable { source, .. } => matches!(
                source.sqlite_error_code(),
                Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
            ),
            Self::SnapshotTooEarly { .. } => true,
            Self::Io { .. }
            | Self::NotAJournal { .. }
            | Self::UnknownFormat { .. }
            | Self::Foreign { .. }
            | Self::Gap { .. }
            | Self::Damaged { .. }
            | Self::Record { .. }
            | Self::Unwritable { .. }
            | Self::OutOfOrder { .. }
            | Self::Snapshot { .. }
            | Self::EndsBeforeSnapshot { .. }
            | Self::NoSnapshot { .. }
            | Self::Pruned { .. }
            | Self::Empty { .. }
            | Self::Crashed { .. }
            | Self::Dead => false,
        }
    }

    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }

    pub(super) fn sqlite(doing: &'static str, file: &Path) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| Self::Sqlite { doing, file: file.to_owned(), source }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Checksum => "checksum",
            Self::Chain => "hash chain",
        })
    }
}
