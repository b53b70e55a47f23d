//! For machines that watch the machine: alive, ready, and the numbers.

use super::Shared;
use super::ports::HealthPart;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

/// `GET /health/live`: it answers, so it is.
pub(super) async fn live() -> Json<Value> {
    Json(json!({ "live": true }))
}

/// `GET /health/ready`: 200 when every required part is ready, else 503; the parts say which is not.
pub(super) async fn ready(State(console): State<Shared>) -> Response {
    let health = (console.ports.health)();
    let ready = health.ready() && !console.shutdown.is_cancelled();
    let parts: Map<_, _> = health.parts.into_iter().map(|part| (part.name.clone(), told(&part))).collect();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": ready, "parts": parts }))).into_response()
}

/// `GET /metrics`, Prometheus text.
pub(super) async fn metrics(State(console): State<Shared>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], (console.ports.metrics)()).into_response()
}

fn told(part: &HealthPart) -> Value {
    let mut told = json!({ "ready": part.ready, "required": part.required });
    if let Some(behind) = part.behind {
        told["behind"] = json!(behind);
    }
    if !part.detail.is_empty() {
        told["detail"] = json!(part.detail);
    }
    told
}
