//! `rettidig/v1/crew/{crew}/replies`: what a crew answers to a task.
//!
//! `{"task": 17, "answer": "rejected", "reason": "busy"}`. A reason is a code, never free text; other fields are
//! passed over. Whether the task exists and was offered to this crew is for the engine to say.

use super::directory::Directory;
use super::json::{self, Fields, Json};
use super::rejection::{Rejection, listed};
use crate::domain::event::{Answer, Event, Reply};
use crate::domain::ids::TaskId;
use crate::domain::task::RejectReason;
use crate::domain::uplink::Uplink;
use smol_str::format_smolstr;

const ANSWERS: [(&str, Answer); 5] = [
    ("accepted", Answer::Accepted),
    ("rejected", Answer::Rejected(RejectReason::Other)),
    ("en-route", Answer::EnRoute),
    ("on-site", Answer::OnSite),
    ("completed", Answer::Completed),
];

pub(super) fn address(topic: &str) -> Option<&str> {
    let crew = topic.strip_prefix("rettidig/v1/crew/")?.strip_suffix("/replies")?;
    (!crew.is_empty() && !crew.contains('/')).then_some(crew)
}

pub(super) fn read(directory: &Directory, uplink: &Uplink, address: &str) -> Result<Event, Rejection> {
    let crew = directory.crew(address)?.clone();
    let text = json::utf8(&uplink.payload)?;
    let fields = Fields::parse("the payload", text, directory.limits.observations_max)?;
    let task = task(&fields)?;
    let answer = match answer(&fields)? {
        Answer::Rejected(_) => Answer::Rejected(reason(&fields)?),
        answer @ (Answer::Accepted | Answer::EnRoute | Answer::OnSite | Answer::Completed) => answer,
    };
    let (ingress, received_at) = (uplink.ingress.clone(), uplink.received_at);
    Ok(Event::Replied(Reply { crew, task, answer, ingress, received_at }))
}

fn task(fields: &Fields<'_>) -> Result<TaskId, Rejection> {
    fields
        .get("task")
        .and_then(|raw| raw.get().parse().ok())
        .map(TaskId)
        .ok_or_else(|| Rejection::wrong_type("\"task\" is not the number of a task"))
}

fn answer(fields: &Fields<'_>) -> Result<Answer, Rejection> {
    let known = ANSWERS.iter().map(|(name, _)| *name);
    one_of("answer", fields, known).map(|index| ANSWERS[index].1)
}

fn reason(fields: &Fields<'_>) -> Result<RejectReason, Rejection> {
    if fields.get("reason").map(Json::read).is_none_or(|reason| reason == Json::Null) {
        return Ok(RejectReason::Other);
    }
    one_of("reason", fields, RejectReason::ALL.iter().map(|reason| reason.as_str()))
        .map(|index| RejectReason::ALL[index])
}

/// Where the text in `field` stands among `known`.
fn one_of<'k>(
    field: &str,
    fields: &Fields<'_>,
    known: impl Iterator<Item = &'k str> + Clone,
) -> Result<usize, Rejection> {
    match fields.get(field).map(Json::read) {
        Some(Json::Text(given)) => known.clone().position(|name| name == given).ok_or_else(|| {
            // What was given is not quoted: it may be free text about a person.
            Rejection::unparsable(format_smolstr!("\"{field}\" is not one of {}", listed(known)))
        }),
        None | Some(Json::Null | Json::Boolean(_) | Json::Number(_) | Json::Array | Json::Object(_)) => {
            Err(Rejection::wrong_type(format_smolstr!("\"{field}\" is not one of {}", listed(known))))
        }
    }
}
