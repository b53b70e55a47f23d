//! Events that abort the engine.
//!
//! A panic in the engine is our bug and stops the process: deciding on with a broken state would be worse. What
//! did it is written to `data/crash/` first. The sender, never acknowledged, repeats it after the restart; an
//! event that has aborted the engine twice is quarantined instead of decided, and the rest flows.

use crate::domain::event::Event;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// So many aborts by the same event are enough.
pub const ABORTS_UNTIL_POISON: u32 = 2;

#[derive(Debug, Default)]
pub struct Poison {
    folder: PathBuf,
    aborts: BTreeMap<String, u32>,
}

impl Poison {
    /// Reads what earlier processes left behind.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let mut aborts = BTreeMap::new();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let Some((identity, _)) = name.to_str().and_then(|name| name.split_once('.')) else { continue };
            *aborts.entry(identity.to_owned()).or_default() += 1;
        }
        Ok(Self { folder: folder.to_owned(), aborts })
    }

    /// Whether this event has had its chances.
    #[must_use]
    pub fn is_poison(&self, event: &Event) -> bool {
        !self.aborts.is_empty()
            && self.aborts.get(&identity(event)).is_some_and(|aborts| *aborts >= ABORTS_UNTIL_POISON)
    }

    /// Leaves a note about the event that has just aborted the engine: its identity, and what it was without
    /// any measured value.
    ///
    /// # Errors
    /// When the note cannot be written.
    pub fn note(&self, event: &Event, panic: &str) -> io::Result<PathBuf> {
        let identity = identity(event);
        let nth = self.aborts.get(&identity).copied().unwrap_or(0) + 1;
        let path = self.folder.join(format!("{identity}.{nth}"));
        fs::write(&path, format!("event: {}\npanic: {panic}\n", outline(event)))?;
        fs::File::open(&path)?.sync_all()?;
        fs::File::open(&self.folder)?.sync_all()?;
        Ok(path)
    }
}

/// The same for a repeated message, whatever connection it comes over.
fn identity(event: &Event) -> String {
    match event {
        Event::Observed(observed) => observed.ingress.content.to_string(),
        Event::Quarantined(quarantined) => quarantined.ingress.content.to_string(),
        Event::Replied(reply) => reply.ingress.content.to_string(),
        Event::Receipt(_)
        | Event::Commanded(_)
        | Event::Registered(_)
        | Event::Configured(_)
        | Event::Due(_)
        | Event::Started
        | Event::Released { .. }
        | Event::Erased { .. } => blake3::hash(format!("{event:?}").as_bytes()).to_hex().to_string(),
    }
}

fn outline(event: &Event) -> String {
    match event {
        Event::Observed(observed) => {
            let properties: Vec<_> = observed.observations.iter().map(|observation| &observation.property).collect();
            format!("observed by device {} {properties:?}", observed.device)
        }
        Event::Quarantined(quarantined) => format!("quarantined for {}", quarantined.reason),
        Event::Replied(reply) => format!("reply of crew {} to task {}: {:?}", reply.crew, reply.task, reply.answer),
        Event::Receipt(receipt) => format!("{receipt:?}"),
        Event::Commanded(command) => format!("{command:?}"),
        Event::Registered(changes) => format!("registered {} changes", changes.len()),
        Event::Configured(configuration) => format!("configured {}", configuration.version),
        Event::Due(deadline) => format!("{deadline:?}"),
        Event::Started => "started".to_owned(),
        Event::Released { through, .. } => format!("released through {through}"),
        Event::Erased { .. } => "erased".to_owned(),
    }
}
