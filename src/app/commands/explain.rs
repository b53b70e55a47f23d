//! `rettidig explain`: why a rule fired, or did not. It may run beside a gateway.

use super::past::{Beside, Progress, failed};
use super::{Outcome, complain, load, say};
use crate::app::Source;
use crate::app::clock::Clock;
use crate::config::{WrittenCalendars, read_calendars};
use crate::domain::ids::{AssetId, RuleId};
use crate::domain::time::Timestamp;
use crate::review::explain::{ExplainError, Question, explain as explain_past};
use clap::Args;
use jiff::civil::DateTime;

#[derive(Args)]
pub struct ExplainArguments {
    /// The asset, by its id in the registry
    asset: String,
    /// The rule, by its id
    rule: String,
    /// The moment: "2026-03-02 14:02" by the wall clock of the calendars, or 2026-03-02T13:02:00Z; now without it
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// # Errors
/// When the journal or the vault cannot be read.
pub fn explain(source: &Source, arguments: &ExplainArguments) -> anyhow::Result<Outcome> {
    let loaded = match load(source) {
        Ok(loaded) => loaded,
        Err(outcome) => return Ok(outcome),
    };
    let Ok(calendars) = read_calendars(&loaded.calendar_files) else {
        complain("there are faults in the calendars; `rettidig check` shows them");
        return Ok(Outcome::Faults);
    };
    let now = Clock::wall().now();
    let Some(at) = moment(arguments.at.as_deref(), &calendars, now) else {
        let at = arguments.at.as_deref().unwrap_or_default();
        complain(&format!("\"{at}\" is no moment; write \"2026-03-02 14:02\" or 2026-03-02T13:02:00Z"));
        return Ok(Outcome::Usage);
    };
    if at > now {
        complain("that moment has not come yet");
        return Ok(Outcome::NotDone);
    }
    let Some(beside) = Beside::open(&loaded.settings.data.folder)? else { return Ok(Outcome::Unavailable) };
    let question = Question {
        journal: &beside.journal,
        sealing: &beside.sealing,
        clock: &calendars,
        asset: AssetId::new(&arguments.asset),
        rule: RuleId::new(&arguments.rule),
        at,
    };
    let mut progress = Progress::new();
    let explained = explain_past(&question, |done, of| progress.tell(done, of));
    progress.end();
    match explained {
        Ok(explained) => {
            say(&if arguments.json { explained.json() } else { explained.text() });
            Ok(Outcome::Done)
        }
        Err(ExplainError::Journal(error)) => Ok(failed(error)),
        Err(error) => {
            complain(&error.to_string());
            Ok(Outcome::NotDone)
        }
    }
}

/// A date with a time by the wall clock, or an instant with its offset.
fn moment(written: Option<&str>, calendars: &WrittenCalendars, now: Timestamp) -> Option<Timestamp> {
    let Some(written) = written else { return Some(now) };
    if let Ok(instant) = written.parse::<jiff::Timestamp>() {
        return Some(Timestamp::from_micros(instant.as_microsecond()));
    }
    written.parse::<DateTime>().ok().and_then(|shown| calendars.moment_of(shown))
}
