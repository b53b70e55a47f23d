//! The configuration folder read again while the gateway runs: rules, sensor types and calendars change, sockets and
//! limits do not.
//!
//! Everything is checked first; with a fault anywhere, what is in force stays in force.

use super::alarms::ACCOUNT;
use super::backend::{Running, blocking};
use super::rules;
use super::wire::{Credentials, Failure, FailureKind, Response, RuleRow};
use crate::app::assembly::{Assembly, assemble};
use crate::app::calendars::SharedCalendars;
use crate::app::directory::SharedDirectory;
use crate::app::mandate::{self, Course, Notice};
use crate::app::source::Source;
use crate::config::{ConfigError, Loaded, Settings};
use crate::domain::configuration::Configuration;
use crate::domain::event::Event;
use crate::domain::ids::{AccountId, RulesVersion};
use crate::domain::reason::Verdict;
use crate::domain::time::Timestamp;
use crate::engine::{Engine, Standing};
use crate::rules::{Became, RuleChange, RuleSet, Shade};
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
    pub(in crate::app) notice: Notice,
}

impl Reload {
    pub(in crate::app) fn new(
        source: Option<Source>,
        settings: Settings,
        directory: &SharedDirectory,
        calendars: SharedCalendars,
        notice: Notice,
    ) -> Self {
        Self { source, settings: Arc::new(settings), directory: directory.clone(), calendars, notice }
    }
}

/// What files and engine say before anything is changed.
pub(super) struct Found {
    pub loaded: Loaded,
    pub files: Assembly,
    pub configuration: Option<Configuration>,
    pub standing: Standing,
    pub rules: RuleSet,
}

pub(super) async fn reload(running: &Running, credentials: Option<Credentials>) -> Result<Response, Failure> {
    let by = match credentials {
        Some(credentials) => Some(rules::may_change_rules(running, credentials).await?),
        None => None,
    };
    let found = find(running).await?;
    let needs_restart = differing(&running.reload.settings, &found.loaded.settings);
    let (now, files) = (running.clock.now(), found.files.clone());
    let loaded = with_approval_of_start(running, &found.loaded);
    let choice = mandate::choose(&loaded, files, found.configuration.as_ref(), now)
        .map_err(|unfit| Failure::new(FailureKind::Faults, unfit.text()))?;
    if choice.course == Course::Waits {
        return rules::propose(running, found, by, needs_restart).await;
    }
    let mut assembly = choice.assembly;
    let known = found.configuration.as_ref();
    if known.is_none_or(|known| known.rule_files != assembly.configuration.rule_files) {
        assembly.configuration.mandate.by = Some(by.unwrap_or_else(|| AccountId::new(ACCOUNT)));
    }
    let as_before = |known: &Configuration| {
        (known.version, &known.mandate) == (assembly.configuration.version, &assembly.configuration.mandate)
    };
    let changed = !known.is_some_and(as_before);
    let response = shown(&found.rules, &assembly, changed, needs_restart);
    if changed {
        put_in_force(running, assembly).await?;
    }
    let note = tell(running, found.files.configuration.rules_version()).await?;
    Ok(with_note(response, note))
}

/// Reads the files and looks at what is in force.
pub(super) async fn find(running: &Running) -> Result<Found, Failure> {
    let Some(source) = running.reload.source.clone() else {
        return Err(Failure::refused("a simulated gateway has no configuration folder to read"));
    };
    let now = running.clock.now();
    let (loaded, files) = blocking(move || read(&source, now)).await??;
    let look = |engine: &Engine| (engine.configuration().cloned(), engine.standing().clone(), engine.rules().clone());
    let (configuration, standing, rules) = running.handle.look(look).await.map_err(|_| Failure::stopping())?;
    Ok(Found { loaded, files, configuration, standing, rules })
}

/// Loosening the approval needs a start: otherwise it would be one line in the file that asks for it.
pub(super) fn with_approval_of_start(running: &Running, loaded: &Loaded) -> Loaded {
    let mut loaded = loaded.clone();
    loaded.settings.rules = running.reload.settings.rules.clone();
    loaded
}

/// The answer about rules that come into force, or wait.
pub(super) fn shown(before: &RuleSet, after: &Assembly, changed: bool, needs_restart: Vec<String>) -> Response {
    let rules = if changed { after.rules.changes_from(before) } else { Vec::new() };
    Response::Reloaded {
        changed,
        version: after.configuration.version.to_string(),
        needs_restart,
        rules: rules.into_iter().map(row).collect(),
        rules_version: after.configuration.rules_version().to_string(),
        proposed: false,
        note: None,
    }
}

pub(super) fn with_note(mut response: Response, told: Option<String>) -> Response {
    if let Response::Reloaded { note, .. } = &mut response {
        *note = told;
    }
    response
}

/// Brings what people are told about the rules up to date.
pub(super) async fn tell(running: &Running, files: RulesVersion) -> Result<Option<String>, Failure> {
    let approval = running.reload.settings.rules.approval;
    let look = move |engine: &Engine| mandate::told(engine, files, approval);
    let told = running.handle.look(look).await.map_err(|_| Failure::stopping())?;
    running.reload.notice.set(told.clone());
    Ok(told)
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
pub(super) async fn put_in_force(running: &Running, assembly: Assembly) -> Result<(), Failure> {
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
            let why = if let Verdict::Refused(refusal) = verdict { refusal.as_str() } else { "it is none" };
            Err(Failure::refused(format!("the configuration was not accepted: {}", why.replace('_', " "))))
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

fn read(source: &Source, now: Timestamp) -> Result<(Loaded, Assembly), Failure> {
    let check = format!("`rettidig check {}` shows them; nothing was changed", source.folder.display());
    let faulty =
        |count: usize| Failure::new(FailureKind::Faults, format!("{count} faults in the configuration; {check}"));
    let loaded = source.load().map_err(|error| match error {
        ConfigError::Faulty { faults, .. } => faulty(faults.len()),
        ConfigError::Unreadable { .. } => Failure::new(FailureKind::Failed, error.to_string()),
    })?;
    let assembly = assemble(&loaded, now).map_err(|faults| faulty(faults.len()))?;
    Ok((loaded, assembly))
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
        ("rules", before.rules == after.rules),
        ("log", before.log == after.log),
    ]
    .into_iter()
    .filter(|(_, same)| !same)
    .map(|(section, _)| section.to_owned())
    .collect()
}
