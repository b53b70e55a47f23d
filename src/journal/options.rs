//! What the journal is told when it is opened.

use super::fault::FaultHook;
use crate::domain::time::Span;
use std::fmt;
use std::path::PathBuf;

#[derive(Clone)]
pub struct Options {
    /// The journal owns this folder; it is created when missing.
    pub folder: PathBuf,
    /// A file with this many bytes of records is followed by the next one.
    pub file_bytes_max: u64,
    /// So is a file whose first record is this old.
    pub file_age_max: Span,
    /// Files older than this are removed, unless a snapshot still needs them.
    pub retain_for: Span,
    pub durability: Durability,
    /// Asked before every step that changes a file; for simulation and tests.
    pub fault: Option<FaultHook>,
}

/// When a file is full, and when it is gone.
#[derive(Clone, Copy)]
pub(super) struct FileLimits {
    pub bytes_max: u64,
    pub age_max: Span,
    pub retain_for: Span,
}

/// What `sync` promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// What was synced survives the loss of power.
    Full,
    /// What was synced survives the end of the process only. For simulation and tests: `rettidig run` never uses it.
    None,
}

impl Options {
    /// Full durability, a file per day or GiB, 400 days kept: a year and the month to look back at it.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            file_bytes_max: 1 << 30,
            file_age_max: Span::from_hours(24),
            retain_for: Span::from_hours(24 * 400),
            durability: Durability::Full,
            fault: None,
        }
    }

    pub(super) fn limits(&self) -> FileLimits {
        FileLimits { bytes_max: self.file_bytes_max, age_max: self.file_age_max, retain_for: self.retain_for }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("folder", &self.folder)
            .field("file_bytes_max", &self.file_bytes_max)
            .field("file_age_max", &self.file_age_max)
            .field("retain_for", &self.retain_for)
            .field("durability", &self.durability)
            .field("fault", &self.fault.is_some())
            .finish()
    }
}
