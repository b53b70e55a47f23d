//! Every address at one glance, and what surrounds every answer.

use super::Shared;
use super::problem::Problem;
use super::{access, command, health, history, live, pages, present, rules, session, why};
use crate::telemetry;
use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, HeaderName};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::any::Any;
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;

/// Nothing comes from another host, nothing frames us, nothing is guessed.
const HEADERS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
];

pub(super) fn router(console: &Shared) -> Router {
    let api = Router::new()
        .route("/session", get(session::who_am_i).post(session::sign_in).delete(session::sign_out))
        .route("/first-start", post(session::first_start))
        .route("/stream", get(live::stream))
        .route("/alarms", get(present::alarms))
        .route("/alarms/{id}/acknowledge", post(command::acknowledge))
        .route("/alarms/{id}/why", get(why::why))
        .route("/tasks", get(present::tasks))
        .route("/rules", get(rules::rules))
        .route("/tasks/{id}/cancel", post(command::cancel))
        .route("/quarantine", get(history::quarantine))
        .route("/history/alarms", get(history::alarms))
        .route("/history/tasks", get(history::tasks))
        .route("/observations", get(history::observations))
        .route("/observations/rollups", get(history::rollups))
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { wrong_method() })
        .layer(DefaultBodyLimit::max(console.options.body_bytes_max))
        .layer(from_fn_with_state(Arc::clone(console), access::same_site));
    let machines = Router::new()
        .route("/metrics", get(health::metrics))
        .route("/health/ready", get(health::ready))
        .layer(from_fn_with_state(Arc::clone(console), access::this_machine));
    Router::new()
        .nest("/api/v1", api)
        .merge(machines)
        .route("/health/live", get(health::live))
        .route("/api/{*rest}", axum::routing::any(|| async { Problem::not_found() }))
        .fallback(pages::page)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(Arc::clone(console), described))
        .layer(from_fn(metered))
        .with_state(Arc::clone(console))
}

/// The headers that every answer carries.
async fn described(State(console): State<Shared>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if console.site.secure() {
        let value = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(axum::http::header::STRICT_TRANSPORT_SECURITY, value);
    }
    if !headers.contains_key(CACHE_CONTROL) || response.status().is_server_error() {
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

async fn metered(request: Request, next: Next) -> Response {
    let stopwatch = telemetry::stopwatch();
    let route =
        request.extensions().get::<MatchedPath>().map_or_else(|| "page".to_owned(), |path| path.as_str().into());
    let response = next.run(request).await;
    telemetry::console::answered(&stopwatch, &route, response.status().as_u16());
    response
}

fn wrong_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", "This address does not take that method")
}

/// A panic stops one request and nothing else.
#[expect(clippy::needless_pass_by_value, reason = "the signature the layer asks for")]
fn panicked(cause: Box<dyn Any + Send + 'static>) -> Response {
    let words = cause.downcast_ref::<String>().map(String::as_str).or_else(|| cause.downcast_ref::<&str>().copied());
    tracing::error!(cause = words.unwrap_or("unknown"), "a request of the console has panicked");
    let title = "The console made a mistake";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", title).into_response()
}
