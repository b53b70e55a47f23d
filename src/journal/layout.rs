//! Names in the journal folder, and the three moves that make a file appear exactly once or not at all.
//!
//! ```text
//! journal/00000000000000000001.journal     a SQLite file, named after its first seq, with -wal and -shm beside it
//! journal/snapshots/00000000000000004711.snapshot
//! *.new                                    half made: removed at the next start
//! ```

use super::error::JournalError;
use super::options::Durability;
use crate::domain::ids::Seq;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

pub(super) const JOURNAL: &str = "journal";
pub(super) const SNAPSHOT: &str = "snapshot";
const UNFINISHED: &str = "new";

/// A file of the folder whose name says where it starts, or through which record it reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Numbered {
    pub seq: Seq,
    pub path: PathBuf,
}

pub(super) fn snapshots(folder: &Path) -> PathBuf {
    folder.join("snapshots")
}

pub(super) fn named(folder: &Path, seq: Seq, extension: &str) -> PathBuf {
    folder.join(format!("{:020}.{extension}", seq.0))
}

/// The name a file has until it is whole.
pub(super) fn unfinished(path: &Path) -> PathBuf {
    beside(path, &format!(".{UNFINISHED}"))
}

/// The files that SQLite keeps beside a database.
pub(super) fn companions(path: &Path) -> [PathBuf; 3] {
    [beside(path, "-wal"), beside(path, "-shm"), beside(path, "-journal")]
}

pub(super) fn wal(path: &Path) -> PathBuf {
    beside(path, "-wal")
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// All files with this extension, in the order of their seq. Names that are no seq are an error: nothing else
/// belongs in this folder under this extension.
pub(super) fn numbered(folder: &Path, extension: &str) -> Result<Vec<Numbered>, JournalError> {
    let mut found = Vec::new();
    for path in paths(folder)? {
        if path.extension().is_none_or(|end| end != extension) {
            continue;
        }
        let seq = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok()).map(Seq);
        let Some(seq) = seq.filter(|seq| named(folder, *seq, extension) == path) else {
            return Err(JournalError::NotAJournal { file: path, why: "its name is not a seq of 20 digits" });
        };
        found.push(Numbered { seq, path });
    }
    found.sort_by_key(|file| file.seq);
    Ok(found)
}

/// Removes what an ended process left half made, and what SQLite kept beside files that are gone.
pub(super) fn clear_leftovers(folder: &Path) -> Result<(), JournalError> {
    for path in paths(folder)? {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let half_made = path.extension().is_some_and(|end| end == UNFINISHED) || name.contains(".new-");
        let orphan = ["-wal", "-shm", "-journal"]
            .iter()
            .filter_map(|end| name.strip_suffix(end))
            .any(|owner| owner.ends_with(".journal") && !folder.join(owner).exists());
        if (half_made || orphan) && path.is_file() {
            fs::remove_file(&path).map_err(JournalError::io("remove the leftover", &path))?;
        }
    }
    Ok(())
}

/// Gives a whole file its name. Afterwards the name survives the loss of power.
pub(super) fn publish(unfinished: &Path, path: &Path, durability: Durability) -> Result<(), JournalError> {
    fs::rename(unfinished, path).map_err(JournalError::io("rename the finished file to", path))?;
    let Some(folder) = path.parent() else { return Ok(()) };
    sync_folder(folder, durability)
}

pub(super) fn sync_folder(folder: &Path, durability: Durability) -> Result<(), JournalError> {
    sync_path(folder, durability)
}

/// Makes the content of a file or a folder durable. Never called for a SQLite file that is open: closing our handle
/// would drop SQLite's locks on it.
pub(super) fn sync_path(path: &Path, durability: Durability) -> Result<(), JournalError> {
    match durability {
        Durability::Full => {
            File::open(path).and_then(|file| file.sync_all()).map_err(JournalError::io("make durable", path))
        }
        Durability::None => Ok(()),
    }
}

fn paths(folder: &Path) -> Result<Vec<PathBuf>, JournalError> {
    let entries = fs::read_dir(folder).map_err(JournalError::io("list", folder))?;
    let found: Result<Vec<_>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    found.map_err(JournalError::io("list", folder))
}
