//! Log lines to standard error: ids only, one line per event of the service, never per message above `trace`.

use crate::config::{Log, LogFormat, LogLevel};
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// Starts logging. `RUST_LOG`, when set, overrides the configured level.
///
/// # Errors
/// When logging has been started before.
pub fn start(settings: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(directives(settings.level)));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    let started = match settings.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("start logging: {error}"))
}

/// Tables that are brought up to date tell it at every start; only what goes wrong there is worth a line.
fn directives(asked: LogLevel) -> String {
    let tables = if asked == LogLevel::Error { LogLevel::Error } else { LogLevel::Warn };
    format!("{},refinery_core={}", level(asked), level(tables))
}

const fn level(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    }
}
