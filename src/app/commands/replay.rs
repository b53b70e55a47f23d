//! `rettidig replay --verify`: is everything decided again as it was? It may run beside a gateway.

use super::past::{Beside, Progress, failed};
use super::{Outcome, complain, load, say};
use crate::app::Source;
use crate::review::replay::verify;
use clap::Args;

#[derive(Args)]
pub struct ReplayArguments {
    /// Decide every event of the journal again and compare with what was decided then
    #[arg(long, required = true)]
    verify: bool,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// # Errors
/// When the vault cannot be read.
pub fn replay(source: &Source, arguments: &ReplayArguments) -> anyhow::Result<Outcome> {
    let loaded = match load(source) {
        Ok(loaded) => loaded,
        Err(outcome) => return Ok(outcome),
    };
    let Some(beside) = Beside::open(&loaded.settings.data.folder)? else { return Ok(Outcome::Unavailable) };
    let mut progress = Progress::new();
    let verified = verify(&beside.journal, &beside.sealing, |done, of| progress.tell(done, of));
    progress.end();
    let verified = match verified {
        Ok(verified) => verified,
        Err(error) => return Ok(failed(error)),
    };
    say(&if arguments.json { verified.json() } else { verified.text() });
    if verified.same() {
        return Ok(Outcome::Done);
    }
    complain("what was recorded stands; another version of the program, or a fault in it, would decide otherwise now");
    Ok(Outcome::NotDone)
}
