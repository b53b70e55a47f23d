//! `rettidig run`: the gateway, until it is told to stop.

use super::{Outcome, complain, load, runtime};
use crate::app::Source;
use crate::app::assembly::assemble;
use crate::app::clock::Clock;
use crate::app::control::{Backend, Request, serve as serve_request};
use crate::app::data_folder::addresses;
use crate::app::foundation::Foundation;
use crate::app::gateway::{Gateway, Start};
use crate::app::mandate::{self, Course, Notice};
use crate::app::{logging, metering};
use crate::telemetry::trace;
use anyhow::Context as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// How often it is seen whether the loop still runs.
const PULSE: Duration = Duration::from_millis(200);

/// # Errors
/// When something cannot start or stop.
pub fn run(source: Source) -> anyhow::Result<Outcome> {
    let loaded = match load(&source) {
        Ok(loaded) => loaded,
        Err(outcome) => return Ok(outcome),
    };
    logging::start(&loaded.settings.log)?;
    let _traces = trace::start().map_err(anyhow::Error::msg)?;
    let clock = Clock::wall();
    let Ok(assembly) = assemble(&loaded, clock.now()) else {
        complain(&format!("faults in the configuration: `rettidig check {}` shows them", source.folder.display()));
        return Ok(Outcome::Faults);
    };
    let foundation = Foundation::lay(&loaded.settings.data.folder, &loaded.settings.journal, clock)?;
    let metrics = metering::install()?;
    let files = assembly.configuration.rules_version();
    let choice = match mandate::choose(&loaded, assembly, foundation.engine.configuration(), foundation.clock.now()) {
        Ok(choice) => choice,
        Err(unfit) => {
            complain(&unfit.text());
            return Ok(Outcome::Faults);
        }
    };
    let told = mandate::told(&foundation.engine, files, loaded.settings.rules.approval).filter(|_| {
        let same = foundation.engine.configuration().is_some_and(|known| known.rules_version() == files);
        choice.course != Course::Files || same
    });
    if let Some(told) = &told {
        tracing::warn!("{told}");
    }
    let (settings, notice) = (loaded.settings, Notice::of(told));
    let assembly = choice.assembly;
    let start = Start { settings, assembly, metrics, notice, source: Some(source), simulated: false };
    runtime()?.block_on(serve(foundation, start))
}

async fn serve(foundation: Foundation, start: Start) -> anyhow::Result<Outcome> {
    let mut stop = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let posted = Posted::nothing_yet(foundation.folder.root());
    let gateway = Gateway::start(foundation, start).await?;
    if let Err(error) = posted.post(&gateway).and_then(|()| gateway.announce()) {
        drop(posted);
        return gateway.drain().await.and(Err(error));
    }
    loop {
        tokio::select! {
            _ = stop.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => reload(&gateway).await,
            () = tokio::time::sleep(PULSE) => {
                if gateway.failed() {
                    break;
                }
            }
        }
    }
    let failed = gateway.failed();
    tracing::info!("stopping");
    drop(posted);
    match gateway.drain().await {
        Ok(()) => {
            tracing::info!("stopped; everything accepted is durable");
            Ok(Outcome::Done)
        }
        Err(error) if failed => {
            complain(&format!("{error:#}"));
            Ok(Outcome::JournalFailed)
        }
        Err(error) => Err(error),
    }
}

/// On SIGHUP: configuration and certificates, as `rettidig reload` and `rettidig tls reload` do.
async fn reload(gateway: &Gateway) {
    let mut backend = Backend::Running(Box::new(gateway.commands()));
    for (what, request) in
        [("configuration", Request::Reload { credentials: None }), ("certificates", Request::TlsReload)]
    {
        match serve_request(&mut backend, request).await {
            Ok(answer) => tracing::info!(what, ?answer, "read again"),
            Err(failure) => tracing::error!(what, reason = %failure.text, "not changed"),
        }
    }
}

/// `data/addresses.json`: there while the gateway listens, so that a script with port 0 finds it.
struct Posted {
    path: PathBuf,
}

impl Posted {
    /// A file left by a process that was killed names addresses nobody listens on.
    fn nothing_yet(data: &Path) -> Self {
        let path = addresses(data);
        drop(fs::remove_file(&path));
        Self { path }
    }

    fn post(&self, gateway: &Gateway) -> anyhow::Result<()> {
        let unfinished = self.path.with_extension("json.unfinished");
        let addresses = &gateway.addresses;
        let text = serde_json::json!({
            "process": std::process::id(),
            "mqtt": addresses.mqtt,
            "mqtts": addresses.mqtts,
            "http": addresses.http,
        });
        let written = fs::write(&unfinished, format!("{text:#}\n"));
        let posted = written.and_then(|()| fs::rename(&unfinished, &self.path));
        if posted.is_err() {
            drop(fs::remove_file(&unfinished));
        }
        posted.with_context(|| format!("write {}", self.path.display()))
    }
}

impl Drop for Posted {
    fn drop(&mut self) {
        // When it cannot go, the next start removes it.
        drop(fs::remove_file(&self.path));
    }
}
