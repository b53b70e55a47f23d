//! Opening and recovery: from any moment at which a process may have ended, to the exact end of what is durable.
//!
//! SQLite drops the torn tail of a write-ahead log; here the files are found to be one unbroken journal, the last
//! records are checked, half-made files are cleared, and the newest usable snapshot is chosen. A full check of every
//! record is `verify`'s.

use super::error::JournalError;
use super::fault::Gate;
use super::file::{self, End, Header};
use super::layout::{self, JOURNAL};
use super::options::Options;
use super::seal::Sealing;
use super::shared::{Base, Retired, Shared};
use super::snapshot::{self, Snapshot};
use super::writer::{Current, Journal};
use crate::domain::ids::{JournalId, Seq};
use crate::domain::time::Timestamp;
use rusqlite::Connection;
use std::fs;
use std::mem;
use std::path::Path;

/// So many last records are checked whenever a journal is opened.
const CHECKED_AT_START: u64 = 1_000;

/// An open journal, and from where the engine goes on.
pub struct Opened {
    pub journal: Journal,
    /// The newest usable snapshot; the records behind it are all there.
    pub snapshot: Option<Snapshot>,
    /// The last record.
    pub last: Option<(Seq, Timestamp)>,
    /// Snapshots that were passed over, and why; worth a warning.
    pub unusable_snapshots: Vec<JournalError>,
}

/// What the files say together.
struct Survey {
    journal_id: JournalId,
    first: Seq,
    end: End,
    current: Current,
    retired: Vec<Retired>,
}

pub(super) fn open(
    options: Options,
    sealing: Sealing,
    fresh_id: impl FnOnce() -> JournalId,
) -> Result<Opened, JournalError> {
    let gate = Gate::new(options.fault.clone());
    prepare(&options)?;
    if layout::numbered(&options.folder, JOURNAL)?.is_empty() {
        start_fresh(&options, fresh_id(), &gate)?;
    }
    let survey = survey(&options)?;
    let chosen = snapshot::choose(&options.folder, survey.journal_id, &sealing)?;
    reaches(&options.folder, &survey, chosen.snapshot.as_ref())?;
    file::make_room(&survey.current.connection, &survey.current.path, options.durability);
    let limits = options.limits();
    let base =
        Base { folder: options.folder, durability: options.durability, journal_id: survey.journal_id, sealing, gate };
    let end = survey.end;
    let shared = Shared::new(base, survey.current.path.clone(), survey.retired, end.seq);
    Ok(Opened {
        journal: Journal::new(shared, survey.current, end, limits),
        snapshot: chosen.snapshot,
        last: (end.seq > Seq(0)).then_some((end.seq, end.at)),
        unusable_snapshots: chosen.unusable,
    })
}

fn prepare(options: &Options) -> Result<(), JournalError> {
    let folder = &options.folder;
    let snapshots = layout::snapshots(folder);
    if !snapshots.is_dir() {
        fs::create_dir_all(&snapshots).map_err(JournalError::io("make the folder", &snapshots))?;
        for made in [folder.parent(), Some(folder)].into_iter().flatten().filter(|made| made.is_dir()) {
            layout::sync_path(made, options.durability)?;
        }
    }
    layout::clear_leftovers(folder)?;
    layout::clear_leftovers(&snapshots)
}

/// A folder with snapshots but without files is not fresh: it has lost its journal.
fn start_fresh(options: &Options, journal_id: JournalId, gate: &Gate) -> Result<(), JournalError> {
    let folder = &options.folder;
    if let Some(newest) = layout::numbered(&layout::snapshots(folder), layout::SNAPSHOT)?.pop() {
        return Err(JournalError::EndsBeforeSnapshot { folder: folder.clone(), last: Seq(0), snapshot: newest.seq });
    }
    let header = Header::after(journal_id, &End::genesis(journal_id));
    file::create(folder, &header, options.durability, gate).map(|_| ())
}

/// Opens every file and finds that each begins exactly where the one before it ends.
fn survey(options: &Options) -> Result<Survey, JournalError> {
    let mut found: Option<Survey> = None;
    for numbered in layout::numbered(&options.folder, JOURNAL)? {
        let connection = file::open_writer(&numbered.path, options.durability)?;
        let header = file::header(&connection, &numbered.path, numbered.seq)?;
        file::follows(&numbered.path, &header, found.as_ref().map(|before| (before.journal_id, before.end)))?;
        let bounds = file::bounds(&connection, &numbered.path)?;
        let current = Current {
            bytes: file::size(&connection, &numbered.path)?,
            first_at: bounds.map(|(first_at, _)| first_at),
            connection,
            path: numbered.path,
        };
        let end = bounds.map_or(header.prior(), |(_, end)| end);
        found = Some(match found {
            None => {
                let (journal_id, first) = (header.journal_id, header.first_seq);
                Survey { journal_id, first, end, current, retired: Vec::new() }
            }
            Some(mut survey) => {
                survey.retire(current, end);
                survey
            }
        });
    }
    let survey = found.ok_or_else(|| JournalError::Empty { folder: options.folder.clone() })?;
    check_last_records(&survey.current.connection, &survey.current.path, survey.end.seq)?;
    Ok(survey)
}

impl Survey {
    /// Goes on to the next file. The one before stays open only while it has a log to fold in.
    fn retire(&mut self, next: Current, end: End) {
        let finished = mem::replace(&mut self.current, next);
        self.end = end;
        if fs::metadata(layout::wal(&finished.path)).is_ok_and(|log| log.len() > 0) {
            self.retired.push(Retired { path: finished.path, connection: finished.connection });
        }
    }
}

fn check_last_records(connection: &Connection, path: &Path, last: Seq) -> Result<(), JournalError> {
    let from = Seq(last.0.saturating_sub(CHECKED_AT_START));
    let mut previous: Option<End> = None;
    file::rows(connection, path, from, usize::MAX, |row| {
        previous = Some(if let Some(previous) = &previous {
            row.check(path, previous)?
        } else {
            row.check_bytes(path)?;
            End { seq: row.seq, at: row.at, chain: row.stored_chain(path)? }
        });
        Ok(())
    })
    .map(|_| ())
}

/// Every record behind the snapshot is there, and the snapshot is not ahead of the journal.
fn reaches(folder: &Path, survey: &Survey, snapshot: Option<&Snapshot>) -> Result<(), JournalError> {
    let folder = || folder.to_owned();
    match snapshot {
        Some(snapshot) if snapshot.seq > survey.end.seq => {
            Err(JournalError::EndsBeforeSnapshot { folder: folder(), last: survey.end.seq, snapshot: snapshot.seq })
        }
        Some(snapshot) if snapshot.seq.next() < survey.first => {
            Err(JournalError::NoSnapshot { folder: folder(), first: survey.first })
        }
        None if survey.first > Seq(1) => Err(JournalError::NoSnapshot { folder: folder(), first: survey.first }),
        Some(_) | None => Ok(()),
    }
}
