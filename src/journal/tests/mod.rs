//! The journal's promises, through its public way in: the format is fixed, nothing durable is lost, damage is named.

mod damage;
mod files;
mod golden;
mod images;
mod recovery;
mod samples;
mod snapshots;

use super::{Durability, Journal, JournalError, Opened, Options, SealError, Sealing};
use crate::domain::decision::Decision;
use crate::domain::event::Event;
use crate::domain::ids::{JournalId, PersonId, Seq};
use crate::domain::reason::Verdict;
use crate::domain::time::Timestamp;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

pub const ID: JournalId = JournalId(*b"journal of tests");

/// A sealer whose output can be foretold: the person's name, then every byte turned over.
#[derive(Clone, Default)]
pub struct Keys {
    erased: Arc<Mutex<BTreeSet<PersonId>>>,
}

impl Keys {
    pub fn erase(&self, person: &str) {
        self.erased.lock().unwrap().insert(PersonId::new(person));
    }

    pub fn sealing(&self) -> Sealing {
        let erased = Arc::clone(&self.erased);
        Sealing {
            seal: Arc::new(|person, clear| Ok(person.as_str().bytes().chain(clear.iter().map(|byte| !byte)).collect())),
            open: Arc::new(move |person, sealed| {
                if erased.lock().unwrap().contains(person) {
                    return Ok(None);
                }
                let hidden = sealed
                    .strip_prefix(person.as_str().as_bytes())
                    .ok_or_else(|| SealError::new("sealed with another key"))?;
                Ok(Some(hidden.iter().map(|byte| !byte).collect()))
            }),
        }
    }
}

pub fn options(folder: &Path) -> Options {
    Options { durability: Durability::None, ..Options::new(folder) }
}

pub fn open(options: Options) -> Opened {
    try_open(options).unwrap()
}

pub fn try_open(options: Options) -> Result<Opened, JournalError> {
    Journal::open(options, Keys::default().sealing(), || ID)
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

pub fn decision(seq: u64) -> Decision {
    Decision { seq: Seq(seq), verdict: Verdict::Accepted, subject: None, facts: Vec::new(), effects: Vec::new() }
}

/// Appends `count` small records, one second apart, without syncing.
pub fn append(journal: &mut Journal, count: u64) -> Result<(), JournalError> {
    for _ in 0..count {
        let seq = journal.next_seq();
        journal.append(at(seq.0.cast_signed()), &Event::Started, &decision(seq.0))?;
    }
    Ok(())
}

pub fn fill(journal: &mut Journal, count: u64) {
    append(journal, count).unwrap();
    journal.sync().unwrap();
}
