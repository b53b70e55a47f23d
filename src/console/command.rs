//! A click becomes a command, goes the way of every event, and comes back with its seq and the engine's verdict.

use super::Shared;
use super::access::Changer;
use super::ports::CommandAnswer;
use super::problem::Problem;
use super::requests::{IdempotencyKey, Number};
use crate::domain::event::{Command, CommandKind};
use crate::domain::ids::{AlarmId, TaskId};
use crate::domain::reason::{Refusal, Verdict};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

/// It is done and durable.
#[derive(Serialize)]
pub(super) struct Done {
    seq: u64,
    verdict: &'static str,
    /// The seq of the first time, when this was a repeat with the same key.
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<u64>,
}

/// `POST /api/v1/alarms/{id}/acknowledge`
pub(super) async fn acknowledge(
    State(console): State<Shared>,
    who: Changer,
    key: IdempotencyKey,
    Number(alarm): Number,
) -> Result<Json<Done>, Problem> {
    send(&console, &who, &key, CommandKind::AcknowledgeAlarm(AlarmId(alarm))).await
}

/// `POST /api/v1/tasks/{id}/cancel`
pub(super) async fn cancel(
    State(console): State<Shared>,
    who: Changer,
    key: IdempotencyKey,
    Number(task): Number,
) -> Result<Json<Done>, Problem> {
    send(&console, &who, &key, CommandKind::CancelTask(TaskId(task))).await
}

async fn send(
    console: &Shared,
    Changer { account }: &Changer,
    key: &IdempotencyKey,
    kind: CommandKind,
) -> Result<Json<Done>, Problem> {
    let command = Command { id: key.command_of(&account.id, &kind), account: account.id.clone(), kind };
    let answering = (console.ports.command)(command);
    let Ok(answered) = tokio::time::timeout(console.options.command_timeout, answering).await else {
        let detail = "the gateway has not answered in time; repeat with the same Idempotency-Key to learn the verdict";
        return Err(Problem::busy(detail));
    };
    told(answered?)
}

fn told(CommandAnswer { seq, verdict }: CommandAnswer) -> Result<Json<Done>, Problem> {
    match verdict {
        Verdict::Accepted => Ok(Json(Done { seq: seq.0, verdict: "accepted", of: None })),
        Verdict::Duplicate { of } => Ok(Json(Done { seq: seq.0, verdict: "duplicate", of: Some(of.0) })),
        Verdict::Refused(refusal) => Err(refused(refusal).seq(seq.0)),
        Verdict::Redacted | Verdict::Quarantined(_) => {
            let problem = Problem::new(StatusCode::CONFLICT, "quarantined", "The command was set aside undone");
            Err(problem.seq(seq.0))
        }
    }
}

fn refused(refusal: Refusal) -> Problem {
    let (status, title) = match refusal {
        Refusal::UnknownAlarm => (StatusCode::NOT_FOUND, "There is no such alarm"),
        Refusal::UnknownTask => (StatusCode::NOT_FOUND, "There is no such task"),
        Refusal::AlreadyAcknowledged => (StatusCode::CONFLICT, "The alarm is already acknowledged"),
        Refusal::AlreadyClosed => (StatusCode::CONFLICT, "It is already closed"),
        Refusal::LimitReached => (StatusCode::CONFLICT, "A limit of the gateway is reached"),
        Refusal::NotOfferedToThisCrew
        | Refusal::UnknownAsset
        | Refusal::UnknownDevice
        | Refusal::UnknownSensorType
        | Refusal::StillReferenced
        | Refusal::InvalidConfiguration
        | Refusal::NothingProposed
        | Refusal::SamePerson => (StatusCode::CONFLICT, "The gateway said no"),
    };
    Problem::new(status, refusal.as_str(), title)
}
