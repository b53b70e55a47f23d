//! How a simulation ends the journal's process at the n-th step and damages what was never reported durable.
//!
//! A hook in `Options::fault` is asked before every step that changes a file. What it orders ends the journal: every
//! later call answers `Dead`, the files stay as they are, and the folder may be opened again. `tear` then does to
//! the write-ahead log what a machine does that loses power before a sync has returned.

use super::error::JournalError;
use super::layout::{self, JOURNAL};
use crate::domain::ids::Seq;
use rusqlite::Connection;
use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A place at which the process may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Append,
    Commit,
    /// Making the next file under its unfinished name; also at the first start.
    SwitchCreate,
    SwitchRename,
    SnapshotWrite,
    SnapshotRename,
    /// Unlinking one file that is no longer kept.
    Prune,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultOrder {
    Go,
    /// The process ends before the step.
    Crash,
    /// The process ends inside the step: a file is half written, a commit or rename is made but never reported.
    Torn,
}

pub type FaultHook = Arc<dyn Fn(Step) -> FaultOrder + Send + Sync>;

/// How far a step that was entered may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Whole,
    Half,
}

/// Stands before every step: asks the hook, and remembers that the process has ended.
#[derive(Default)]
pub(super) struct Gate {
    hook: Option<FaultHook>,
    dead: AtomicBool,
}

impl Gate {
    pub fn new(hook: Option<FaultHook>) -> Self {
        Self { hook, dead: AtomicBool::new(false) }
    }

    pub fn alive(&self) -> Result<(), JournalError> {
        if self.dead.load(Ordering::Acquire) { Err(JournalError::Dead) } else { Ok(()) }
    }

    pub fn die(&self) {
        self.dead.store(true, Ordering::Release);
    }

    /// Asked before the step.
    pub fn enter(&self, step: Step) -> Result<Reach, JournalError> {
        self.alive()?;
        let Some(hook) = &self.hook else { return Ok(Reach::Whole) };
        match hook(step) {
            FaultOrder::Go => Ok(Reach::Whole),
            FaultOrder::Torn => Ok(Reach::Half),
            FaultOrder::Crash => Err(self.crash(step)),
        }
    }

    /// Asked after the step: one that was to be torn has happened as far as it may, and is not reported.
    pub fn leave(&self, step: Step, reach: Reach) -> Result<(), JournalError> {
        match reach {
            Reach::Whole => Ok(()),
            Reach::Half => Err(self.crash(step)),
        }
    }

    fn crash(&self, step: Step) -> JournalError {
        self.die();
        JournalError::Crashed { step }
    }
}

/// Damages the write-ahead log of the newest file behind the last record that was reported durable, as a loss of
/// power may: cut off, or garbled. `noise` decides where and how; the same noise does the same. Returns the number of
/// bytes that were at risk.
///
/// The journal and every reader of the folder must have been dropped: SQLite holds locks that this would break.
pub fn tear(folder: &Path, durable_through: Seq, noise: &[u8]) -> Result<u64, JournalError> {
    let Some(newest) = layout::numbered(folder, JOURNAL)?.pop() else { return Ok(0) };
    let path = layout::wal(&newest.path);
    let log = match fs::read(&path) {
        Ok(log) => log,
        Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(fault) => return Err(JournalError::io("read", &path)(fault)),
    };
    let (commits, end) = frames(&log);
    let start = first_unreported(&newest.path, &log, &commits, durable_through)?;
    let at_risk = end.saturating_sub(start);
    if at_risk == 0 || noise.is_empty() {
        return Ok(0);
    }
    let place = noise.iter().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
    let from = start + place % at_risk;
    let mut torn = log;
    if noise[0].is_multiple_of(2) {
        torn.truncate(from);
    } else {
        for (byte, noise) in torn[from..end].iter_mut().zip(noise.iter().cycle()) {
            *byte ^= noise | 1;
        }
    }
    fs::write(&path, torn).map_err(JournalError::io("damage", &path))?;
    Ok(at_risk as u64)
}

const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// Where each commit of the log ends, and where its last frame does. Frames of an earlier round of the log carry
/// another salt and are not part of it (<https://sqlite.org/fileformat2.html#walformat>).
fn frames(log: &[u8]) -> (Vec<usize>, usize) {
    let word =
        |at: usize| log.get(at..at + 4).map_or(0, |bytes| bytes.iter().fold(0, |sum, b| sum << 8 | usize::from(*b)));
    let frame = FRAME_HEADER + word(8);
    let mut commits = Vec::new();
    let mut end = LOG_HEADER.min(log.len());
    while frame > FRAME_HEADER && end + frame <= log.len() && log[end + 8..end + 16] == log[16..24] {
        let committed = word(end + 4) != 0;
        end += frame;
        if committed {
            commits.push(end);
        }
    }
    (commits, end)
}

/// The end of the last commit that holds nothing behind `durable_through`: asked of SQLite itself, on a copy.
fn first_unreported(file: &Path, log: &[u8], commits: &[usize], durable: Seq) -> Result<usize, JournalError> {
    let copy = layout::unfinished(file);
    let doing = "look for the last durable record in";
    let mut found = LOG_HEADER.min(log.len());
    for end in commits.iter().rev().copied() {
        fs::copy(file, &copy).map_err(JournalError::io("copy", file))?;
        let copied_log = layout::wal(&copy);
        fs::write(&copied_log, &log[..end]).map_err(JournalError::io("write", &copied_log))?;
        let last: i64 = Connection::open(&copy)
            .and_then(|copy| copy.query_row("SELECT coalesce(max(seq), 0) FROM entry", [], |row| row.get(0)))
            .map_err(JournalError::sqlite(doing, &copy))?;
        if last.cast_unsigned() <= durable.0 {
            found = end;
            break;
        }
    }
    for leftover in layout::companions(&copy).iter().chain([&copy]).filter(|path| path.exists()) {
        fs::remove_file(leftover).map_err(JournalError::io("remove", leftover))?;
    }
    Ok(found)
}

/// Leaves half of an unfinished file behind.
pub(super) fn halve(path: &Path) -> Result<(), JournalError> {
    let cut = |file: File| file.metadata().and_then(|whole| file.set_len(whole.len() / 2));
    OpenOptions::new().write(true).open(path).and_then(cut).map_err(JournalError::io("cut", path))
}
