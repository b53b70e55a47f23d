//! A request finds who serves it: the gateway that runs, or, when none does, this process alone.

use super::{Outcome, complain, load, render, runtime, say};
use crate::app::Source;
use crate::app::clock::Clock;
use crate::app::control::{self, AskError, Backend, Failure, FailureKind, Request, Response};
use crate::app::data_folder::DataFolderError;
use crate::app::foundation::Foundation;
use crate::app::logging;
use crate::config::{Loaded, Log, LogLevel};

/// Serves a request and says the answer.
///
/// # Errors
/// When the data folder is damaged, or the gateway does not answer.
pub fn carry_out(source: &Source, request: Request, json: bool) -> anyhow::Result<Outcome> {
    let loaded = match load(source) {
        Ok(loaded) => loaded,
        Err(outcome) => return Ok(outcome),
    };
    match control::ask(&loaded.settings.data.folder, &request) {
        Ok(answer) => Ok(tell(answer, json)),
        Err(error @ AskError::NobodyListens { .. }) => alone(loaded, request, json, &error),
        Err(error) => {
            complain(&format!("{:#}", anyhow::Error::new(error)));
            Ok(Outcome::Unavailable)
        }
    }
}

fn alone(loaded: Loaded, request: Request, json: bool, nobody: &AskError) -> anyhow::Result<Outcome> {
    let data = &loaded.settings.data.folder;
    if request.needs_gateway() {
        return Ok(unavailable(&nobody.to_string(), json));
    }
    if request.only_looks() && !data.exists() {
        return Ok(unavailable(
            &format!("there is no data folder \"{}\"; `rettidig run` makes it", data.display()),
            json,
        ));
    }
    logging::start(&Log { level: LogLevel::Warn, format: loaded.settings.log.format })?;
    let foundation = match Foundation::lay(data, &loaded.settings.journal, Clock::wall()) {
        Ok(foundation) => foundation,
        Err(error) if error.is::<DataFolderError>() => return Ok(unavailable(&format!("{error:#}"), json)),
        Err(error) => return Err(error),
    };
    let mut backend = Backend::offline(foundation, loaded);
    let answer = runtime()?.block_on(control::serve(&mut backend, request));
    Ok(tell(answer, json))
}

fn unavailable(text: &str, json: bool) -> Outcome {
    tell(Err(Failure { kind: FailureKind::Unavailable, text: text.to_owned(), faults: Vec::new() }), json)
}

fn tell(answer: Result<Response, Failure>, json: bool) -> Outcome {
    if json {
        let text = match &answer {
            Ok(response) => serde_json::to_string_pretty(response),
            Err(failure) => serde_json::to_string_pretty(&serde_json::json!({ "failure": failure })),
        };
        // Texts and numbers only: nothing in it can fail to become JSON.
        say(&text.unwrap_or_default());
    }
    match answer {
        Ok(response) => {
            if !json {
                say(&render::text(&response));
            }
            Outcome::Done
        }
        Err(failure) => {
            if !json {
                failure.faults.iter().for_each(|fault| say(&render::fault(fault)));
            }
            complain(&failure.text);
            outcome(failure.kind)
        }
    }
}

const fn outcome(kind: FailureKind) -> Outcome {
    match kind {
        FailureKind::Faults => Outcome::Faults,
        FailureKind::Refused | FailureKind::Failed => Outcome::NotDone,
        FailureKind::Unavailable => Outcome::Unavailable,
        FailureKind::Journal => Outcome::JournalFailed,
    }
}
