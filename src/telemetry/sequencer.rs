//! Names for the loop: how many events, with what verdict, how fast, how many at once.

use crate::domain::decision::Decision;
use crate::domain::reason::Verdict;
use std::time::Duration;

pub const EVENTS: &str = "rettidig_events_total";
pub const QUARANTINED: &str = "rettidig_quarantined_total";
pub const RECEIVE_TO_RELEASE: &str = "rettidig_receive_to_release_seconds";
pub const DECIDE: &str = "rettidig_decide_seconds";
pub const SYNC: &str = "rettidig_journal_sync_seconds";
pub const BATCH: &str = "rettidig_batch_events";
pub const DISPATCH_FULL: &str = "rettidig_dispatch_inbox_full_total";

/// One event is decided and durable.
#[expect(clippy::disallowed_macros, reason = "telemetry is where metric names live")]
pub fn decided(decision: &Decision, since_received: Option<Duration>) {
    let verdict = match decision.verdict {
        Verdict::Accepted => "accepted",
        Verdict::Duplicate { .. } => "duplicate",
        Verdict::Redacted => "redacted",
        Verdict::Quarantined(reason) => {
            metrics::counter!(QUARANTINED, "reason" => reason.as_str()).increment(1);
            "quarantined"
        }
        Verdict::Refused(_) => "refused",
    };
    metrics::counter!(EVENTS, "verdict" => verdict).increment(1);
    if let Some(elapsed) = since_received {
        metrics::histogram!(RECEIVE_TO_RELEASE).record(elapsed.as_secs_f64());
    }
}

/// The engine has concluded what follows from one event.
#[expect(clippy::disallowed_macros, reason = "telemetry is where metric names live")]
pub fn concluded(took: Duration) {
    metrics::histogram!(DECIDE).record(took.as_secs_f64());
}

/// One batch is durable.
#[expect(clippy::disallowed_macros, reason = "telemetry is where metric names live")]
pub fn synced(took: Duration, events: usize) {
    metrics::histogram!(SYNC).record(took.as_secs_f64());
    metrics::histogram!(BATCH).record(events as f64);
}

/// Dispatch's inbox had no room; it is handed everything later.
#[expect(clippy::disallowed_macros, reason = "telemetry is where metric names live")]
pub fn dispatch_full() {
    metrics::counter!(DISPATCH_FULL).increment(1);
}
