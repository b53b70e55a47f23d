//! `rettidig quarantine`: messages that could not be used, each with its reason and first bytes.
//!
//! Read from history, beside a gateway that runs or without one; the newest ones may take a moment to be there.

use super::{Outcome, complain, load, render, say};
use crate::app::control::written;
use crate::app::{Source, stores};
use crate::store::{PageAsked, QuarantineKept, StoredHead};
use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};

/// Of a message's first bytes, in the table.
const HEAD_CHARS: usize = 48;

#[derive(Args)]
pub struct Quarantine {
    #[command(subcommand)]
    command: Option<QuarantineCommand>,
    /// Rows, newest first
    #[arg(long, global = true, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    limit: u16,
    /// One JSON object instead of text
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum QuarantineCommand {
    /// The newest messages that could not be used (the default)
    List,
}

/// # Errors
/// When history cannot be read.
pub fn quarantine(source: &Source, arguments: &Quarantine) -> anyhow::Result<Outcome> {
    match arguments.command {
        None | Some(QuarantineCommand::List) => list(source, arguments),
    }
}

fn list(source: &Source, arguments: &Quarantine) -> anyhow::Result<Outcome> {
    let loaded = match load(source) {
        Ok(loaded) => loaded,
        Err(outcome) => return Ok(outcome),
    };
    let (settings, data) = (&loaded.settings.store, &loaded.settings.data.folder);
    let Some(store) = stores::open_to_read(settings, data)? else {
        complain(&format!("there is no history at {}; a gateway that runs makes it", stores::place(settings, data)));
        return Ok(Outcome::Unavailable);
    };
    let rows = store.quarantine(&PageAsked::first(arguments.limit.into())).context("read quarantined messages")?.rows;
    if arguments.json {
        let rows: Vec<_> = rows.iter().map(json).collect();
        say(&serde_json::to_string_pretty(&serde_json::json!({ "version": 1, "quarantined": rows }))?);
    } else {
        let header = ["event", "received", "reason", "device", "topic", "detail", "first bytes"];
        say(&render::table(&header, rows.iter().map(cells).collect()));
    }
    Ok(Outcome::Done)
}

fn json(row: &QuarantineKept) -> serde_json::Value {
    serde_json::json!({
        "seq": row.seq.0,
        "received_at": written(row.received_at),
        "reason": row.reason,
        "detail": row.detail,
        "topic": row.topic,
        "device": row.device.as_ref().map(ToString::to_string),
        "personal": personal(row),
        "head_base64": STANDARD.encode(open_head(row)),
        "length": row.length,
    })
}

fn cells(row: &QuarantineKept) -> Vec<String> {
    vec![
        row.seq.to_string(),
        written(row.received_at),
        row.reason.clone(),
        row.device.as_ref().map_or(String::new(), ToString::to_string),
        printable(row.topic.as_bytes()),
        printable(row.detail.as_bytes()),
        if personal(row) { "(about a person: sealed)".to_owned() } else { printable(open_head(row)) },
    ]
}

/// What is about a person is opened by the vault only, where the reading is recorded.
const fn personal(row: &QuarantineKept) -> bool {
    match row.head {
        StoredHead::Open(_) => false,
        StoredHead::Sealed { .. } | StoredHead::Erased { .. } => true,
    }
}

fn open_head(row: &QuarantineKept) -> &[u8] {
    match &row.head {
        StoredHead::Open(bytes) => bytes,
        StoredHead::Sealed { .. } | StoredHead::Erased { .. } => &[],
    }
}

/// Whatever a stranger sent must not steer a terminal.
fn printable(bytes: &[u8]) -> String {
    let text: String =
        String::from_utf8_lossy(bytes).chars().map(|letter| if letter.is_control() { '·' } else { letter }).collect();
    let cut: String = text.chars().take(HEAD_CHARS).collect();
    if cut.len() < text.len() { format!("{cut}…") } else { cut }
}
