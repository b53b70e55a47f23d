//! What commands that look back stand on: the journal and the keys, read beside a gateway or without one.

use super::{Outcome, complain};
use crate::app::clock::Clock;
use crate::app::foundation::sealing;
use crate::journal::{JournalError, Sealing};
use crate::vault::{self, Vault};
use anyhow::Context as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

pub(super) struct Beside {
    pub journal: PathBuf,
    pub sealing: Sealing,
}

impl Beside {
    /// None, said already, where nothing has happened yet.
    pub fn open(data: &Path) -> anyhow::Result<Option<Self>> {
        let journal = data.join("journal");
        if !journal.is_dir() {
            complain(&format!("there is no journal in {}; a gateway that runs makes it", data.display()));
            return Ok(None);
        }
        let vault = Vault::open_to_read(vault::Options::new(data.join("vault")))
            .context("open the vault, which has the keys to what is about people")?;
        Ok(Some(Self { journal, sealing: sealing(&vault, &Clock::wall()) }))
    }
}

/// Says what is wrong with the journal.
pub(super) fn failed(error: JournalError) -> Outcome {
    if matches!(error, JournalError::Empty { .. }) {
        complain("the journal is empty: nothing has happened yet");
        return Outcome::Unavailable;
    }
    complain(&format!("{:#}", anyhow::Error::new(error)));
    Outcome::JournalFailed
}

/// One line on a terminal that says how far it is.
pub(super) struct Progress {
    shown: bool,
    told: bool,
}

impl Progress {
    pub fn new() -> Self {
        Self { shown: io::stderr().is_terminal(), told: false }
    }

    pub fn tell(&mut self, done: u64, of: u64) {
        self.tell_of("events", done, of);
    }

    pub fn tell_of(&mut self, what: &str, done: u64, of: u64) {
        if self.shown {
            self.told = true;
            // A terminal that is gone needs nothing.
            write!(io::stderr(), "\r\x1b[K{done} of {of} {what}").ok();
        }
    }

    pub fn end(&self) {
        if self.told {
            write!(io::stderr(), "\r\x1b[K").ok();
        }
    }
}
