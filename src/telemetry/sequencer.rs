//! Names for the loop: how many events, with what verdict, how fast, how many at once.

use crate::domain::decision::{Decision, Fact};
use crate::domain::reason::Verdict;
use metrics::{Counter, Gauge, Histogram};
use std::time::Duration;

pub const EVENTS: &str = "rettidig_events_total";
pub const QUARANTINED: &str = "rettidig_quarantined_total";
pub const RECEIVE_TO_RELEASE: &str = "rettidig_receive_to_release_seconds";
pub const DECIDE: &str = "rettidig_decide_seconds";
pub const SYNC: &str = "rettidig_journal_sync_seconds";
pub const BATCH: &str = "rettidig_batch_events";
pub const LATE: &str = "rettidig_observations_late_total";
pub const EARLY: &str = "rettidig_observations_released_early_total";
pub const HELD_BACK: &str = "rettidig_observations_held_back";
pub const DISPATCH_FULL: &str = "rettidig_dispatch_inbox_full_total";

/// The loop's meters, fetched once: an event then costs an atomic addition and not a look-up by name.
#[derive(Clone)]
pub struct Meters {
    accepted: Counter,
    duplicate: Counter,
    redacted: Counter,
    quarantined: Counter,
    refused: Counter,
    receive_to_release: Histogram,
    decide: Histogram,
    sync: Histogram,
    batch: Histogram,
    late: Counter,
    early: Counter,
    held_back: Gauge,
}

impl Meters {
    #[expect(clippy::disallowed_macros, reason = "telemetry is where metric names live")]
    #[must_use]
    pub fn new() -> Self {
        let events = |verdict: &'static str| metrics::counter!(EVENTS, "verdict" => verdict);
        Self {
            accepted: events("accepted"),
            duplicate: events("duplicate"),
            redacted: events("redacted"),
            quarantined: events("quarantined"),
            refused: events("refused"),
            receive_to_release: metrics::histogram!(RECEIVE_TO_RELEASE),
            decide: metrics::histogram!(DECIDE),
            sync: metrics::histogram!(SYNC),
            batch: metrics::histogram!(BATCH),
            late: metrics::counter!(LATE),
            early: metrics::counter!(EARLY),
            held_back: metrics::gauge!(HELD_BACK),
        }
    }

    /// One event is decided and durable.
    #[expect(clippy::disallowed_macros, reason = "telemetry is where metric names live")]
    pub fn decided(&self, decision: &Decision, since_received: Option<Duration>) {
        let events = match decision.verdict {
            Verdict::Accepted => &self.accepted,
            Verdict::Duplicate { .. } => &self.duplicate,
            Verdict::Redacted => &self.redacted,
            Verdict::Quarantined(reason) => {
                metrics::counter!(QUARANTINED, "reason" => reason.as_str()).increment(1);
                &self.quarantined
            }
            Verdict::Refused(_) => &self.refused,
        };
        events.increment(1);
        for fact in &decision.facts {
            if let Fact::MeasuredLate { values, .. } = fact {
                self.late.increment(u64::from(*values));
            } else if let Fact::ReleasedEarly { values, .. } = fact {
                self.early.increment(u64::from(*values));
            }
        }
        if let Some(elapsed) = since_received {
            self.receive_to_release.record(elapsed.as_secs_f64());
        }
    }

    /// The engine has concluded what follows from one message, the one of its batch that is measured.
    pub fn concluded(&self, took: Duration) {
        self.decide.record(took.as_secs_f64());
    }

    /// One batch is durable; so many values wait for their place in time.
    pub fn synced(&self, took: Duration, events: usize, held_back: usize) {
        self.held_back.set(held_back as f64);
        self.sync.record(took.as_secs_f64());
        self.batch.record(events as f64);
    }
}

impl Default for Meters {
    fn default() -> Self {
        Self::new()
    }
}

/// Dispatch's inbox had no room; it is handed everything later.
#[expect(clippy::disallowed_macros, reason = "telemetry is where metric names live")]
pub fn dispatch_full() {
    metrics::counter!(DISPATCH_FULL).increment(1);
}
