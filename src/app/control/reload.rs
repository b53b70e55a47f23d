//! The configuration folder read again while the gateway runs: rules, sensor types and calendars change, sockets and
//! limits do not.
//!
//! Everything is checked first; with a fault anywhere, what is in force stays in force.

use super::backend::{Running, blocking};
use super::wire::{Failure, FailureKind, Response, RuleRow};
use crate::app::assembly::{Assembly, assemble};
use crate::app::calendars::SharedCalendars;
use crate::app::directory::SharedDirectory;
use crate::app::source::Source;
use crate::config::{ConfigError, Settings};
use crate::domain::event::Event;
use crate::domain::reason::Verdict;
use crate::domain::time::Timestamp;
use crate::rules::{Became, RuleChange, Shade};
use std::sync::Arc;

/// What a reload reads and changes. Cheap to clone.
#[derive(Clone)]
pub struct Reload {
    /// None in a demo, whose configuration is the shipped one.
    pub source: Option<Source>,
    /// As they were at the start.
    pub settings: Arc<Settings>,
    pub(in crate::app) directory: SharedDirectory,
    pub(in crate::app) calendars: SharedCalendars,
}

pub(super) async fn reload(running: &Running) -> Result<Response, Failure> {
    let Some(source) = running.reload.source.clone() else {
        return Err(Failure::refused("a simulated gateway has no configuration folder to read"));
    };
    let now = running.clock.now();
    let (settings, assembly) = blocking(move || read(&source, now)).await??;
    let needs_restart = differing(&running.reload.settings, &settings);
    let version = assembly.configuration.version;
    let in_force = running.handle.look(|engine| (engine.configuration_version(), engine.rules().clone())).await;
    let (in_force, before) = in_force.map_err(|_| Failure::stopping())?;
    let changed = in_force != Some(version);
    let mut rules = Vec::new();
    if changed {
        put_in_force(running, assembly).await?;
        let after = running.handle.look(|engine| engine.rules().clone()).await.map_err(|_| Failure::stopping())?;
        rules = after.changes_from(&before).into_iter().map(row).collect();
    }
    Ok(Response::Reloaded { changed, version: version.to_string(), needs_restart, rules })
}

fn row(change: RuleChange) -> RuleRow {
    let (became, kept, begun) = match change.became {
        Became::New => ("new", Vec::new(), Vec::new()),
        Became::Removed => ("removed", Vec::new(), Vec::new()),
        Became::Changed { kept, begun } => ("changed", kept, begun),
    };
    let shadow = match change.shadow {
        Shade::Live => None,
        Shade::Enters => Some("enters"),
        Shade::Stays => Some("stays"),
        Shade::Leaves => Some("leaves"),
    };
    let shadow = shadow.map(str::to_owned);
    RuleRow { rule: change.rule.to_string(), became: became.to_owned(), kept, begun, shadow }
}

/// Decoding takes on the types before the event is decided, because the registry is read again right after it.
async fn put_in_force(running: &Running, assembly: Assembly) -> Result<(), Failure> {
    let directory = &running.reload.directory;
    let before = directory.use_types(Arc::new(assembly.types.clone()));
    let answer = running.handle.ask_for(Event::Configured(Box::new(assembly.configuration.clone()))).await;
    match answer.map_err(|_| Failure::stopping())?.verdict {
        Verdict::Accepted => {
            running.reload.calendars.use_those_of(&assembly);
            Ok(())
        }
        verdict @ (Verdict::Duplicate { .. } | Verdict::Redacted | Verdict::Quarantined(_) | Verdict::Refused(_)) => {
            directory.use_types(before);
            Err(Failure::refused(format!("the configuration was not accepted: {verdict:?}")))
        }
    }
}

pub(super) async fn reload_certificates(running: &Running) -> Result<Response, Failure> {
    let tls = running.reload.settings.endpoint.tls.is_some();
    let Some(endpoint) = running.out.endpoint().filter(|_| tls).cloned() else {
        let text = "the endpoint listens without TLS: there are no certificates to read".to_owned();
        return Ok(Response::Done { text, seq: None });
    };
    let reloaded = blocking(move || endpoint.reload_tls()).await?;
    reloaded.map_err(|error| Failure::failed(&anyhow::Error::new(error).context("certificates not changed")))?;
    Ok(Response::Done { text: "certificates read again; connections made from here on use them".to_owned(), seq: None })
}

fn read(source: &Source, now: Timestamp) -> Result<(Settings, Assembly), Failure> {
    let check = format!("`rettidig check {}` shows them; nothing was changed", source.folder.display());
    let faulty =
        |count: usize| Failure::new(FailureKind::Faults, format!("{count} faults in the configuration; {check}"));
    let loaded = source.load().map_err(|error| match error {
        ConfigError::Faulty { faults, .. } => faulty(faults.len()),
        ConfigError::Unreadable { .. } => Failure::new(FailureKind::Failed, error.to_string()),
    })?;
    let assembly = assemble(&loaded, now).map_err(|faults| faulty(faults.len()))?;
    Ok((loaded.settings, assembly))
}

/// Sections that are read at the start only and differ.
fn differing(before: &Settings, after: &Settings) -> Vec<String> {
    [
        ("data", before.data == after.data),
        ("endpoint", before.endpoint == after.endpoint),
        ("broker", before.brokers == after.brokers),
        ("http", before.http == after.http),
        ("journal", before.journal == after.journal),
        ("store", before.store == after.store),
        ("limits", before.limits == after.limits),
        ("log", before.log == after.log),
    ]
    .into_iter()
    .filter(|(_, same)| !same)
    .map(|(section, _)| section.to_owned())
    .collect()
}
