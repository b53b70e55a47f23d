//! `rettidig demo` and `rettidig twin play`: a gateway for the twin, in a folder that goes when it ends.

use super::{Outcome, complain, runtime};
use crate::app::{demo as stage, logging};
use crate::config::{Log, LogFormat, LogLevel};
use crate::domain::time::Span;
use crate::twin::{DEFAULT_SEED, DemoOptions, Display, PlayOptions, Recording, Report, Speed};
use anyhow::Context as _;
use clap::Args;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[derive(Args)]
pub struct DemoArguments {
    /// The same seed gives the same municipality, and the same counts
    #[arg(long, default_value_t = DEFAULT_SEED)]
    seed: u64,
    /// Simulated seconds for each second at the wall, or "max"
    #[arg(long, default_value = "600", value_parser = Speed::parse)]
    speed: Speed,
    /// How long, at the wall at this speed, such as 60s; without it, until it is stopped
    #[arg(long = "for", value_parser = Span::parse)]
    wall: Option<Span>,
    /// One JSON object at the end instead of a live view
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct PlayArguments {
    /// A folder of CSV files, one per container: time, fill in per cent
    folder: PathBuf,
    #[arg(long, default_value_t = DEFAULT_SEED)]
    seed: u64,
    /// Simulated seconds for each second at the wall, or "max"
    #[arg(long, default_value = "max", value_parser = Speed::parse)]
    speed: Speed,
    /// One JSON object at the end instead of a live view
    #[arg(long)]
    json: bool,
}

/// # Errors
/// When the gateway or the twin cannot go on.
pub fn demo(arguments: &DemoArguments) -> anyhow::Result<Outcome> {
    let display = display(arguments.json);
    quiet_log(display)?;
    let wall = arguments.wall.map(|wall| Duration::from_micros(wall.as_micros().unsigned_abs()));
    let options = DemoOptions { seed: arguments.seed, speed: arguments.speed, wall, display };
    let stop = CancellationToken::new();
    let report = runtime()?.block_on(async {
        stop_on_signal(&stop)?;
        match display {
            Display::Screen => stage::demo(options, stop.clone(), &mut io::stdout()).await,
            Display::Lines | Display::Quiet => stage::demo(options, stop.clone(), &mut io::stderr()).await,
        }
    })?;
    finish(&report, arguments.json)
}

/// # Errors
/// When the folder cannot be read, or the gateway or the twin cannot go on.
pub fn play(arguments: &PlayArguments) -> anyhow::Result<Outcome> {
    let display = display(arguments.json);
    quiet_log(display)?;
    let recording = Recording::open(&arguments.folder)
        .with_context(|| format!("read recorded series from {}", arguments.folder.display()))?;
    let options = PlayOptions { seed: arguments.seed, speed: arguments.speed, display };
    let stop = CancellationToken::new();
    let report = runtime()?.block_on(async {
        stop_on_signal(&stop)?;
        match display {
            Display::Screen => stage::play(recording, options, stop.clone(), &mut io::stdout()).await,
            Display::Lines | Display::Quiet => stage::play(recording, options, stop.clone(), &mut io::stderr()).await,
        }
    })?;
    finish(&report, arguments.json)
}

fn display(json: bool) -> Display {
    match (json, io::stdout().is_terminal()) {
        (true, _) => Display::Quiet,
        (false, true) => Display::Screen,
        (false, false) => Display::Lines,
    }
}

/// A live screen and log lines do not share a terminal: only what somebody must know is written.
fn quiet_log(display: Display) -> anyhow::Result<()> {
    let level = match display {
        Display::Screen => LogLevel::Error,
        Display::Lines | Display::Quiet => LogLevel::Warn,
    };
    logging::start(&Log { level, format: LogFormat::Text })
}

/// However it is told to stop, by a key, by a script or by a terminal that closes: it says what it counted and removes
/// its folder.
fn stop_on_signal(stop: &CancellationToken) -> anyhow::Result<()> {
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let (stop, mut told) = (stop.clone(), signal(kind)?);
        #[expect(clippy::disallowed_methods, reason = "it ends with the runtime")]
        drop(tokio::spawn(async move {
            told.recv().await;
            stop.cancel();
        }));
    }
    Ok(())
}

fn finish(report: &Report, json: bool) -> anyhow::Result<Outcome> {
    let mut out = io::stdout();
    if json {
        report.write_json(&mut out)?;
    } else {
        report.write_lines(&mut out)?;
    }
    if !report.counts.ledger_balanced {
        complain("the ledger does not balance: received messages are unaccounted for");
        anyhow::bail!("the run broke a promise");
    }
    Ok(Outcome::Done)
}
