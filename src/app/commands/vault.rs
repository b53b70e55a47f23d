//! `rettidig vault`: a copy of who stands behind the ids, while it is in use.

use super::Outcome;
use super::ask::carry_out;
use crate::app::Source;
use crate::app::control::Request;
use anyhow::Context as _;
use clap::Subcommand;
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum Vault {
    /// Copy the vault, also while the gateway runs; the key file is not part of the copy
    Backup {
        /// The copy; an older one is replaced
        file: PathBuf,
    },
}

/// # Errors
/// When the request cannot be served.
pub fn vault(source: &Source, command: Vault) -> anyhow::Result<Outcome> {
    let Vault::Backup { file } = command;
    let to = std::path::absolute(&file).with_context(|| format!("find {}", file.display()))?;
    carry_out(source, Request::VaultBackup { to }, false)
}
