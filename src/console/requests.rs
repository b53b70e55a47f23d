//! What a request carries, read strictly: a fault becomes a problem that says what was wrong.

use super::Shared;
use super::problem::Problem;
use crate::domain::event::CommandKind;
use crate::domain::ids::{AccountId, CommandId};
use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

/// The question behind `?`.
pub(super) struct Asked<T>(pub(super) T);

/// The number in the address.
pub(super) struct Number(pub(super) u64);

/// The caller's key for one change: a repeat with the same key is the same change.
pub(super) struct IdempotencyKey(String);

impl<T: DeserializeOwned> FromRequest<Shared> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, console: &Shared) -> Result<Self, Problem> {
        match Json::<T>::from_request(request, console).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                let bytes_max = console.options.body_bytes_max;
                let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The request is too large");
                Err(problem.detail(format!("at most {bytes_max} bytes")))
            }
            Err(rejection) => Err(Problem::bad_request(rejection.body_text())),
        }
    }
}

impl<T: DeserializeOwned> FromRequestParts<Shared> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, console: &Shared) -> Result<Self, Problem> {
        let asked = Query::<T>::from_request_parts(parts, console).await;
        asked.map(|Query(asked)| Self(asked)).map_err(|rejection| Problem::bad_request(rejection.body_text()))
    }
}

impl FromRequestParts<Shared> for Number {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, console: &Shared) -> Result<Self, Problem> {
        let number = Path::<u64>::from_request_parts(parts, console).await;
        number.map(|Path(number)| Self(number)).map_err(|rejection| Problem::bad_request(rejection.body_text()))
    }
}

impl IdempotencyKey {
    const HEADER: &'static str = "idempotency-key";
    const LENGTH_MAX: usize = 64;

    /// The command's id: a key stands for one change of one thing by one account. The same key for another change is
    /// another command, never taken for a repetition.
    pub(super) fn command_of(&self, account: &AccountId, kind: &CommandKind) -> CommandId {
        let what = match kind {
            CommandKind::AcknowledgeAlarm(alarm) => format!("acknowledge/{alarm}"),
            CommandKind::CancelTask(task) => format!("cancel/{task}"),
            CommandKind::ProposeRules(rules) => format!("propose-rules/{}", rules.version),
            CommandKind::RejectRules { version, .. } => format!("reject-rules/{version}"),
        };
        CommandId::new(format!("{account}:{what}:{}", self.0))
    }
}

impl FromRequestParts<Shared> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        let value = parts.headers.get(Self::HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let fits = (1..=Self::LENGTH_MAX).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic());
        if fits {
            return Ok(Self(value.to_owned()));
        }
        let detail = format!("a change needs the header Idempotency-Key: 1 to {} visible characters", Self::LENGTH_MAX);
        Err(Problem::bad_request(detail))
    }
}
