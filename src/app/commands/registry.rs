//! `rettidig registry`: lists of assets, devices, crews and people, in and out.

use super::ask::carry_out;
use super::{Outcome, complain, say};
use crate::app::Source;
use crate::app::clock::Clock;
use crate::app::control::Request;
use crate::registry::{Kind, template};
use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use std::fs;
use std::path::PathBuf;

/// Bytes of one file: in base64 it fits into one request.
const FILE_BYTES_MAX: u64 = 47 << 20;

#[derive(Subcommand)]
pub enum Registry {
    /// A file with example rows, to fill in; it can be imported as it is: people, crews, assets, devices
    Template {
        /// assets, devices, crews or people
        #[arg(value_parser = kind)]
        kind: Kind,
    },
    /// Compare a file (CSV, XLSX, GeoJSON, JSON) with the registry; with --apply, change the registry
    Import {
        /// assets, devices, crews or people
        #[arg(value_parser = kind)]
        kind: Kind,
        file: PathBuf,
        /// Add and change what the file says; nothing is removed
        #[arg(long)]
        apply: bool,
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
    /// What is registered, as a CSV file that `import` reads; names and phone numbers stay in the vault
    Export {
        /// assets, devices, crews or people
        #[arg(value_parser = kind)]
        kind: Kind,
    },
    /// Remove one entry
    Remove {
        /// assets, devices, crews or people
        #[arg(value_parser = kind)]
        kind: Kind,
        id: String,
    },
}

/// # Errors
/// When the file cannot be read, or the request cannot be served.
pub fn registry(source: &Source, command: Registry) -> anyhow::Result<Outcome> {
    match command {
        Registry::Template { kind } => {
            say(&template(kind, Clock::wall().now()));
            Ok(Outcome::Done)
        }
        Registry::Import { kind, file, apply, json } => {
            let length = fs::metadata(&file).with_context(|| format!("read {}", file.display()))?.len();
            if length > FILE_BYTES_MAX {
                let shown = file.display();
                complain(&format!("{shown} has {length} bytes, at most {FILE_BYTES_MAX} are read; split the file"));
                return Ok(Outcome::Faults);
            }
            let bytes = fs::read(&file).with_context(|| format!("read {}", file.display()))?;
            let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
            let request = Request::RegistryImport {
                kind: kind.as_str().to_owned(),
                file: name,
                content: STANDARD.encode(bytes),
                apply,
            };
            carry_out(source, request, json)
        }
        Registry::Export { kind } => {
            carry_out(source, Request::RegistryExport { kind: kind.as_str().to_owned() }, false)
        }
        Registry::Remove { kind, id } => {
            carry_out(source, Request::RegistryRemove { kind: kind.as_str().to_owned(), id }, false)
        }
    }
}

fn kind(text: &str) -> Result<Kind, String> {
    Kind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == text)
        .ok_or_else(|| "it is one of assets, devices, crews, people".to_owned())
}
