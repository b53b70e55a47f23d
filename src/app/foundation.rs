//! What must stand before anything is served: the data folder is ours, the vault open, the journal recovered, and
//! the engine where it was when the last process ended.
//!
//! Recorded decisions are applied, never decided again: what is on the road stays on the road.

use super::clock::Clock;
use super::data_folder::DataFolder;
use super::poison::Poison;
use crate::config;
use crate::domain::event::Event;
use crate::domain::ids::{JournalId, PersonId, Seq};
use crate::domain::time::Timestamp;
use crate::engine::{Engine, Limits};
use crate::journal::{
    Entry, Journal, JournalError, Opened, Options, Reader, SealError, Sealing, Snapshot, restore_engine,
};
use crate::vault::{self, Vault, VaultError};
use anyhow::Context as _;
use std::path::Path;
use std::sync::Arc;
use std::thread;

/// Records applied between two readings of the journal.
const APPLY_AT_ONCE: usize = 4_096;
/// More threads than this would wait for the one that takes in what they read.
const READERS_BESIDE_MAX: usize = 3;

pub struct Foundation {
    pub folder: DataFolder,
    pub vault: Vault,
    pub sealing: Sealing,
    pub clock: Clock,
    pub journal: Journal,
    pub engine: Engine,
    pub poison: Poison,
    /// Records applied behind the snapshot.
    pub applied: u64,
    /// What the snapshot reaches, and when the engine was there; none without one.
    pub snapshot: Option<(Seq, Timestamp)>,
}

impl Foundation {
    /// Takes the data folder and recovers.
    ///
    /// # Errors
    /// When another process holds the folder, or something in it is damaged or missing; the text names the file.
    pub fn lay(data: &Path, settings: &config::Journal, clock: Clock) -> anyhow::Result<Self> {
        let folder = DataFolder::own(data)?;
        let vault = Vault::open(vault::Options::new(folder.vault()))
            .with_context(|| format!("open the vault in {}", folder.vault().display()))?;
        let sealing = sealing(&vault, &clock);
        let options = Options {
            file_bytes_max: u64::from(settings.file_mebibytes_max) << 20,
            file_age_max: settings.file_age_max,
            retain_for: settings.retain_for,
            fault: super::faults::journal(),
            ..Options::new(folder.journal())
        };
        let id = JournalId(random_bytes()?);
        let opened = Journal::open(options, sealing.clone(), || id).context("open the journal")?;
        for unusable in &opened.unusable_snapshots {
            tracing::warn!(reason = %unusable, "a snapshot was passed over");
        }
        let poison = Poison::open(&folder.crash()).context("read data/crash")?;
        let Recovered { journal, engine, applied, snapshot } = recover(&folder.journal(), &sealing, opened)?;
        clock.not_before(engine.now().max(Timestamp::from_micros(0)));
        Ok(Self { folder, vault, sealing, clock, journal, engine, poison, applied, snapshot })
    }

    /// Decides and keeps one event with nobody else around: for commands while no gateway runs.
    ///
    /// # Errors
    /// When the journal fails.
    pub fn decide(&mut self, event: Event) -> anyhow::Result<super::Answer> {
        let now = self.clock.now();
        let event = self.engine.admit(now, event).into_event();
        let decision = self.engine.step(now, &event);
        self.journal.append(now, &event, &decision)?;
        self.journal.sync()?;
        Ok(super::Answer { seq: decision.seq, verdict: decision.verdict })
    }
}

/// The engine where the last process left it.
pub struct Recovered {
    pub journal: Journal,
    pub engine: Engine,
    /// Records applied behind the snapshot.
    pub applied: u64,
    /// What the snapshot reaches, and when the engine was there; none without one.
    pub snapshot: Option<(Seq, Timestamp)>,
}

/// Takes on the newest snapshot and applies the records behind it.
///
/// # Errors
/// When the snapshot or a record cannot be read.
pub fn recover(folder: &Path, sealing: &Sealing, opened: Opened) -> anyhow::Result<Recovered> {
    let restored = opened.snapshot.is_some();
    let last = opened.last.map_or(Seq(0), |(last, _)| last);
    let others = thread::available_parallelism().map_or(0, |cores| (cores.get() - 1).min(READERS_BESIDE_MAX));
    let (engine, begun) = follow(opened.snapshot, last, others, || Reader::open(folder, sealing.clone()))?;
    let (applied, snapshot) = (engine.seq().0 - begun.0.0, restored.then_some(begun));
    for broken in engine.broken_invariants() {
        tracing::error!(%broken, "the recovered state breaks a promise");
    }
    Ok(Recovered { journal: opened.journal, engine, applied, snapshot })
}

/// The engine after record `through`: the snapshot's, with the records behind it applied; and what the snapshot reached.
/// So many other threads help to read the snapshot.
///
/// # Errors
/// When the snapshot or a record cannot be read, or the journal ends before `through`.
pub fn follow(
    snapshot: Option<Snapshot>,
    through: Seq,
    others: usize,
    journal: impl FnOnce() -> Result<Reader, JournalError>,
) -> anyhow::Result<(Engine, (Seq, Timestamp))> {
    let mut engine = match snapshot {
        Some(snapshot) => {
            restore_engine(Limits::default(), &snapshot, others).context("take on the newest snapshot")?
        }
        None => Engine::new(Limits::default()),
    };
    let begun = (engine.seq(), engine.now());
    if through > engine.seq() {
        let mut reader = journal()?;
        while through > engine.seq() {
            let wanted = APPLY_AT_ONCE.min((through.0 - engine.seq().0) as usize);
            let entries = reader.read(engine.seq().next(), wanted).context("read the journal")?;
            anyhow::ensure!(!entries.is_empty(), "the journal ends at {}, before {through}", engine.seq());
            for Entry { at, event, decision, .. } in &entries {
                engine.apply(*at, event, decision);
            }
        }
    }
    Ok((engine, begun))
}

/// The journal's way to the keys.
pub(super) fn sealing(vault: &Vault, clock: &Clock) -> Sealing {
    let (sealer, opener, clock) = (vault.clone(), vault.clone(), clock.clone());
    Sealing {
        seal: Arc::new(move |person: &PersonId, plain: &[u8]| {
            sealer.seal(person, plain, clock.now()).map_err(seal_error)
        }),
        open: Arc::new(move |person: &PersonId, sealed: &[u8]| opener.open_sealed(person, sealed).map_err(seal_error)),
    }
}

fn seal_error(error: VaultError) -> SealError {
    SealError::new(error)
}

/// Bytes nobody can guess.
///
/// # Errors
/// When the system has none to give.
pub fn random_bytes<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness from the system: {error}"))?;
    Ok(bytes)
}
