//! `rettidig status`, `reload` and `tls reload`: asked of the gateway that runs.

use super::ask::carry_out;
use super::{Outcome, rules};
use crate::app::Source;
use crate::app::control::Request;
use clap::Subcommand;

#[derive(Subcommand)]
pub enum Tls {
    /// Read the certificates of the endpoint again
    Reload,
}

/// # Errors
/// When the gateway does not answer.
pub fn status(source: &Source, json: bool) -> anyhow::Result<Outcome> {
    carry_out(source, Request::Status, json)
}

/// # Errors
/// When the gateway does not answer.
pub fn reload(source: &Source, account: Option<String>, json: bool) -> anyhow::Result<Outcome> {
    let credentials = account.map(rules::credentials).transpose()?;
    carry_out(source, Request::Reload { credentials }, json)
}

/// # Errors
/// When the gateway does not answer.
pub fn tls(source: &Source, command: &Tls) -> anyhow::Result<Outcome> {
    match command {
        Tls::Reload => carry_out(source, Request::TlsReload, false),
    }
}
