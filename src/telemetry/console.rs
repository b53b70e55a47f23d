//! What the console tells about itself: requests by route and status, live streams, sign-ins.
//!
//! The route is its pattern, never its path, so that the labels stay few.

use super::Stopwatch;
use super::queues::Queue;

#[expect(clippy::disallowed_macros, reason = "metric names live in telemetry")]
pub fn answered(stopwatch: &Stopwatch, route: &str, status: u16) {
    let labels = [("route", route.to_owned()), ("status", status.to_string())];
    metrics::histogram!("rettidig_console_request_seconds", &labels).record(stopwatch.elapsed().as_secs_f64());
}

/// Live streams to screens.
pub fn streams(open: usize) {
    Queue::LiveStreams.length(open);
}

/// A stream began with the whole view instead of the difference.
#[expect(clippy::disallowed_macros, reason = "metric names live in telemetry")]
pub fn stream_reset() {
    metrics::counter!("rettidig_console_stream_resets_total").increment(1);
}

/// `outcome` is one of the few words of the sign-in's answer.
#[expect(clippy::disallowed_macros, reason = "metric names live in telemetry")]
pub fn sign_in(outcome: &'static str) {
    metrics::counter!("rettidig_console_sign_ins_total", "outcome" => outcome).increment(1);
}
