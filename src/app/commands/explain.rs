//! `rettidig explain`: why a rule fired, or did not. It may run beside a gateway.

use super::past::{Beside, Progress, failed};
use super::{Outcome, complain, load, say};
use crate::app::Source;
use crate::app::clock::Clock;
use crate::config::{WrittenCalendars, read_calendars};
use crate::domain::ids::{AssetId, RuleId, Seq};
use crate::domain::time::Timestamp;
use crate::review::explain::{ExplainError, Question, explain as explain_past, explain_event};
use clap::Args;
use jiff::civil::DateTime;

#[derive(Args)]
pub struct ExplainArguments {
    /// The asset, by its id in the registry
    #[arg(required_unless_present = "event")]
    asset: Option<String>,
    /// The rule, by its id
    #[arg(required_unless_present = "event")]
    rule: Option<String>,
    /// What was decided with this event of the journal: by which rules, from which values, and why
    #[arg(long, value_name = "SEQ", conflicts_with_all = ["asset", "rule", "at"])]
    event: Option<u64>,
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
    if let Some(seq) = arguments.event {
        return Ok(event(&beside, &calendars, Seq(seq), arguments.json));
    }
    let question = Question {
        journal: &beside.journal,
        sealing: &beside.sealing,
        clock: &calendars,
        asset: AssetId::new(arguments.asset.as_deref().unwrap_or_default()),
        rule: RuleId::new(arguments.rule.as_deref().unwrap_or_default()),
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
        Err(error) => Ok(refused(error)),
    }
}

fn event(beside: &Beside, calendars: &WrittenCalendars, seq: Seq, json: bool) -> Outcome {
    let mut progress = Progress::new();
    let explained = explain_event(&beside.journal, &beside.sealing, calendars, seq, |done, of| progress.tell(done, of));
    progress.end();
    match explained {
        Ok(explained) => {
            say(&if json { explained.json() } else { explained.text() });
            Outcome::Done
        }
        Err(error) => refused(error),
    }
}

fn refused(error: ExplainError) -> Outcome {
    if let ExplainError::Journal(error) = error {
        return failed(error);
    }
    complain(&error.to_string());
    Outcome::NotDone
}

/// A date with a time by the wall clock, or an instant with its offset.
fn moment(written: Option<&str>, calendars: &WrittenCalendars, now: Timestamp) -> Option<Timestamp> {
    let Some(written) = written else { return Some(now) };
    if let Ok(instant) = written.parse::<jiff::Timestamp>() {
        return Some(Timestamp::from_micros(instant.as_microsecond()));
    }
    written.parse::<DateTime>().ok().and_then(|shown| calendars.moment_of(shown))
}
