//! Who does it: the handles of a running gateway, or a foundation that this process alone owns.

use super::reload::Reload;
use super::wire::{Failure, FailureKind};
use crate::app::Answer;
use crate::app::assembly::{Assembly, assemble};
use crate::app::clock::Clock;
use crate::app::foundation::Foundation;
use crate::app::gateway::Addresses;
use crate::app::handle::Handle;
use crate::app::health::Health;
use crate::app::ledger::Ledger;
use crate::app::mandate;
use crate::app::ways_in::WaysOut;
use crate::config::{Approval, Loaded};
use crate::decode::SensorTypeSpec;
use crate::domain::configuration::rules_version;
use crate::domain::event::Event;
use crate::domain::ids::{RulesVersion, SensorTypeId};
use crate::domain::reason::Verdict;
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use crate::vault::{Vault, VaultError};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

pub enum Backend {
    Running(Box<Running>),
    Offline(Box<Offline>),
}

/// What a running gateway lets commands do. Cheap to clone.
#[derive(Clone)]
pub struct Running {
    pub(in crate::app) handle: Handle,
    pub(in crate::app) vault: Vault,
    pub(in crate::app) clock: Clock,
    pub(in crate::app) ledger: Arc<Ledger>,
    pub(in crate::app) health: Arc<Health>,
    pub(in crate::app) out: WaysOut,
    pub(in crate::app) addresses: Addresses,
    pub(in crate::app) reload: Reload,
}

/// No gateway runs; the data folder is ours.
pub struct Offline {
    foundation: Foundation,
    loaded: Loaded,
}

pub(super) type Types = Arc<BTreeMap<SensorTypeId, Arc<SensorTypeSpec>>>;

impl Backend {
    #[must_use]
    pub fn offline(foundation: Foundation, loaded: Loaded) -> Self {
        Self::Offline(Box::new(Offline { foundation, loaded }))
    }

    pub(super) const fn running(&self) -> Option<&Running> {
        match self {
            Self::Running(running) => Some(running),
            Self::Offline(_) => None,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        match self {
            Self::Running(running) => running.clock.now(),
            Self::Offline(offline) => offline.foundation.clock.now(),
        }
    }

    /// Looks at the engine between two events.
    pub(super) async fn look<T: Send + 'static>(
        &mut self,
        question: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        match self {
            Self::Running(running) => running.handle.look(question).await.map_err(|_| Failure::stopping()),
            Self::Offline(offline) => Ok(question(&offline.foundation.engine)),
        }
    }

    /// Hands in an event; when this returns, its verdict is durable.
    pub(super) async fn decide(&mut self, event: Event) -> Result<Answer, Failure> {
        match self {
            Self::Running(running) => running.handle.ask_for(event).await.map_err(|_| Failure::stopping()),
            Self::Offline(offline) => offline.decide(event),
        }
    }

    /// Uses the vault where blocking is allowed: it waits for the disk, and passwords for the processor.
    pub(super) async fn vault<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Vault, Timestamp) -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, Failure> {
        let (vault, now) = match self {
            Self::Running(running) => (running.vault.clone(), running.clock.now()),
            Self::Offline(offline) => (offline.foundation.vault.clone(), offline.foundation.clock.now()),
        };
        let done = blocking(move || work(&vault, now)).await?;
        done.map_err(|error| vault_failure(&error))
    }

    /// The sensor types in force.
    pub(super) fn types(&self) -> Result<Types, Failure> {
        match self {
            Self::Running(running) => Ok(running.reload.directory.types()),
            Self::Offline(offline) => offline.assemble().map(|assembly| Arc::new(assembly.types)),
        }
    }

    /// The routes of the calendars that types come from too.
    pub(super) async fn routes(&mut self) -> Result<BTreeSet<SmolStr>, Failure> {
        if let Self::Offline(offline) = self {
            return Ok(offline.assemble()?.calendars.routes().cloned().collect());
        }
        let names = |engine: &Engine| {
            let routes = engine.calendars().into_iter().flat_map(|calendars| &calendars.routes);
            routes.map(|route| route.name.clone()).collect()
        };
        self.look(names).await
    }

    /// The configuration on disk is in force, as it will be when a gateway starts: devices are checked against it.
    pub(super) fn put_configuration_in_force(&mut self) -> Result<(), Failure> {
        let Self::Offline(offline) = self else { return Ok(()) };
        let configuration = offline.chosen()?.configuration;
        if offline.foundation.engine.configuration_version() == Some(configuration.version) {
            return Ok(());
        }
        match offline.decide(Event::Configured(Box::new(configuration)))?.verdict {
            Verdict::Accepted => Ok(()),
            verdict @ (Verdict::Duplicate { .. }
            | Verdict::Redacted
            | Verdict::Quarantined(_)
            | Verdict::Refused(_)) => Err(Failure::refused(format!("the configuration was not accepted: {verdict:?}"))),
        }
    }

    /// How changed rules come into force, and the version of the rule files; none when they cannot be read.
    pub(super) async fn rule_files(&mut self) -> (Approval, Option<RulesVersion>) {
        match self {
            Self::Running(running) => {
                let approval = running.reload.settings.rules.approval;
                let Some(source) = running.reload.source.clone() else { return (approval, None) };
                let loaded = blocking(move || source.load()).await.ok().and_then(Result::ok);
                (approval, loaded.map(|loaded| rules_version(&loaded.rule_files)))
            }
            Self::Offline(offline) => {
                let loaded = &offline.loaded;
                (loaded.settings.rules.approval, Some(rules_version(&loaded.rule_files)))
            }
        }
    }

    /// Where the console is, or will be.
    pub(super) fn http(&self) -> Option<SocketAddr> {
        match self {
            Self::Running(running) => running.addresses.http.first().copied(),
            Self::Offline(offline) => Some(offline.loaded.settings.http.listen),
        }
    }

    /// How people reach the console through a proxy.
    pub(super) fn public_origin(&self) -> Option<&str> {
        match self {
            Self::Running(running) => running.reload.settings.http.public_origin.as_deref(),
            Self::Offline(offline) => offline.loaded.settings.http.public_origin.as_deref(),
        }
    }
}

impl Offline {
    fn decide(&mut self, event: Event) -> Result<Answer, Failure> {
        self.foundation.decide(event).map_err(|error| Failure::new(FailureKind::Journal, format!("{error:#}")))
    }

    /// As a start would put it in force.
    fn chosen(&self) -> Result<Assembly, Failure> {
        let (engine, now) = (&self.foundation.engine, self.foundation.clock.now());
        let choice = mandate::choose(&self.loaded, self.assemble()?, engine.configuration(), now);
        choice.map(|choice| choice.assembly).map_err(|unfit| Failure::new(FailureKind::Faults, unfit.text()))
    }

    fn assemble(&self) -> Result<Assembly, Failure> {
        assemble(&self.loaded, self.foundation.clock.now()).map_err(|faults| {
            let text = format!("{} faults in the configuration; `rettidig check` shows them", faults.len());
            Failure::new(FailureKind::Faults, text)
        })
    }
}

/// Runs work that blocks off the I/O runtime.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Failure::new(FailureKind::Failed, "the command has panicked"))
}

/// What the vault says about the request is a refusal; what it says about itself is a failure.
pub(super) fn vault_failure(error: &VaultError) -> Failure {
    match error {
        VaultError::PasswordTooShort { .. }
        | VaultError::PasswordTooLong { .. }
        | VaultError::AccountExists { .. }
        | VaultError::UnknownAccount { .. }
        | VaultError::LastAdmin { .. }
        | VaultError::CertificateTaken { .. }
        | VaultError::UnknownPerson { .. } => Failure::refused(error.to_string()),
        VaultError::Io { .. }
        | VaultError::Database { .. }
        | VaultError::Migration(_)
        | VaultError::KeyMissing { .. }
        | VaultError::KeyMalformed { .. }
        | VaultError::KeyExposed { .. }
        | VaultError::WrongKey { .. }
        | VaultError::CannotOpen { .. }
        | VaultError::CannotSeal { .. }
        | VaultError::Random(_)
        | VaultError::Hashing { .. }
        | VaultError::Unreadable { .. } => Failure::new(FailureKind::Failed, error.to_string()),
    }
}
