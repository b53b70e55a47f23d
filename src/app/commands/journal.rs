//! `rettidig journal verify`: every record, every link, every snapshot. It may run beside a gateway.

use super::{Outcome, complain, load, say};
use crate::app::Source;
use crate::domain::ids::Seq;
use crate::journal::{Progress, Verified, verify};
use clap::Subcommand;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};

#[derive(Subcommand)]
pub enum Journal {
    /// Check the whole journal against its checksums and its chain
    Verify {
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
}

/// # Errors
/// When the result cannot be written.
pub fn journal(source: &Source, command: &Journal) -> anyhow::Result<Outcome> {
    let Journal::Verify { json } = *command;
    let loaded = match load(source) {
        Ok(loaded) => loaded,
        Err(outcome) => return Ok(outcome),
    };
    let folder = loaded.settings.data.folder.join("journal");
    let shown = io::stderr().is_terminal();
    let verified = verify(&folder, |progress| {
        if shown {
            progress_line(progress);
        }
    });
    if shown {
        // The line of progress goes; a terminal that is gone needs nothing.
        io::Write::write_all(&mut io::stderr(), b"\r\x1b[K").ok();
    }
    match verified {
        Ok(verified) => {
            say(&if json { serde_json::to_string_pretty(&wire(&verified))? } else { text(&verified) });
            Ok(Outcome::Done)
        }
        Err(error) => {
            let text = format!("{:#}", anyhow::Error::new(error));
            if json {
                say(&serde_json::to_string_pretty(&serde_json::json!({ "whole": false, "fault": text }))?);
            }
            complain(&format!("{text}; restore the data folder from a backup, or ask for help before starting again"));
            Ok(Outcome::JournalFailed)
        }
    }
}

fn progress_line(progress: Progress) {
    let Progress { file, files, entries, seq } = progress;
    let line = format!("\r\x1b[Kfile {file} of {files}: {entries} records, up to event {seq}");
    io::Write::write_all(&mut io::stderr(), line.as_bytes()).ok();
}

fn text(verified: &Verified) -> String {
    let Verified { journal_id, entries, files, snapshots, first, last, .. } = verified;
    format!(
        "journal {journal_id} is whole: {entries} records in {files} files, events {first} to {last}, {snapshots} \
         snapshots\nchain {}",
        chain(verified)
    )
}

fn wire(verified: &Verified) -> serde_json::Value {
    let Verified { journal_id, entries, files, snapshots, first, last, .. } = verified;
    let (Seq(first), Seq(last)) = (first, last);
    serde_json::json!({
        "whole": true,
        "journal": journal_id.to_string(),
        "entries": entries,
        "files": files,
        "snapshots": snapshots,
        "first": first,
        "last": last,
        "chain": chain(verified),
    })
}

/// Kept elsewhere, it shows later whether anything up to here was changed.
fn chain(verified: &Verified) -> String {
    verified.last_chain.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}
