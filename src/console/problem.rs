//! Every refusal has one form: `application/problem+json` (RFC 9457) with a code that a screen can translate.

use super::ports::Unavailable;
use crate::store::StoreError;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// One refusal.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Problem {
    #[serde(rename = "type")]
    kind: String,
    /// Short, stable, lower case with underscores: what a screen translates.
    code: &'static str,
    title: &'static str,
    #[serde(serialize_with = "status_number")]
    status: StatusCode,
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
    /// The journaled refusal, when the engine itself said no.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip)]
    retry_after_s: Option<u64>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        let kind = format!("urn:rettidig:problem:{code}");
        Self { kind, code, title, status, detail: String::new(), seq: None, retry_after_s: None }
    }

    pub(super) fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    pub(super) fn seq(self, seq: u64) -> Self {
        Self { seq: Some(seq), ..self }
    }

    pub(super) fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", "The request cannot be read").detail(detail)
    }

    pub(super) fn signed_out() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "signed_out", "Nobody is signed in")
    }

    pub(super) fn forbidden(detail: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "This account may not do that").detail(detail)
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "There is nothing at this address")
    }

    pub(super) fn busy(detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The gateway cannot answer right now")
            .detail(detail)
            .retry_after(1)
    }

    /// The store may be away for long: whoever asks comes back less often.
    pub(super) fn store_behind(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_behind", "History is not that far yet")
            .detail(detail)
            .retry_after(5)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let retry_after = self.retry_after_s;
        let mut response = (self.status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<Unavailable> for Problem {
    fn from(_: Unavailable) -> Self {
        Self::busy("nothing was changed")
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Cursor(_) => Self::bad_request(error.to_string()),
            StoreError::Open { .. }
            | StoreError::Damaged { .. }
            | StoreError::Incomplete { .. }
            | StoreError::Migrate(_)
            | StoreError::Newer { .. }
            | StoreError::Busy(_)
            | StoreError::Away { .. }
            | StoreError::Refused(_)
            | StoreError::Unusable(_)
            | StoreError::Database(_)
            | StoreError::Unstorable { .. } => {
                tracing::warn!(error = &error as &dyn std::error::Error, "history could not be read");
                Self::busy("history cannot be read; the present is not affected")
            }
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn status_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}
