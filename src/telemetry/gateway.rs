//! Names for the whole gateway: the conservation ledger and the inbox.

use crate::domain::reason::QuarantineReason;
use std::time::Duration;

pub const LEDGER: &str = "rettidig_messages";
pub const LEDGER_BALANCED: &str = "rettidig_ledger_balanced";
pub const INBOX: &str = "rettidig_inbox_events";
pub const INBOX_MAX: &str = "rettidig_inbox_events_max";

pub const DECODE: &str = "rettidig_decode_seconds";

/// What became of the messages received since the start.
#[derive(Clone, Debug, Default)]
pub struct Stages {
    pub received: u64,
    pub in_flight: u64,
    pub decided: u64,
    pub redacted: u64,
    pub duplicates: u64,
    pub refused: u64,
    pub quarantined: Vec<(QuarantineReason, u64)>,
    pub balanced: bool,
}

/// The ledger, as one reading that balances.
#[expect(clippy::disallowed_macros, reason = "telemetry is where metric names live")]
pub fn ledger(stages: &Stages) {
    let quarantined: u64 = stages.quarantined.iter().map(|(_, count)| count).sum();
    let readings = [
        ("received", stages.received),
        ("in_flight", stages.in_flight),
        ("decided", stages.decided),
        ("redacted", stages.redacted),
        ("duplicate", stages.duplicates),
        ("refused", stages.refused),
        ("quarantined", quarantined),
    ];
    for (stage, count) in readings {
        metrics::gauge!(LEDGER, "stage" => stage).set(count as f64);
    }
    metrics::gauge!(LEDGER_BALANCED).set(f64::from(u8::from(stages.balanced)));
}

/// One message has been read, or found unreadable.
#[expect(clippy::disallowed_macros, reason = "telemetry is where metric names live")]
pub fn decoded(took: Duration) {
    metrics::histogram!(DECODE).record(took.as_secs_f64());
}

/// How full the inbox is.
#[expect(clippy::disallowed_macros, reason = "telemetry is where metric names live")]
pub fn inbox(waiting: usize, max: u32) {
    metrics::gauge!(INBOX).set(waiting as f64);
    metrics::gauge!(INBOX_MAX).set(f64::from(max));
}
