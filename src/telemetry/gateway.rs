//! Names for the whole gateway: what runs, and the conservation ledger.

use super::catalogue::OUTCOMES;
use crate::domain::reason::QuarantineReason;
use metrics::Histogram;
use std::time::Duration;

pub const RECEIVED: &str = "rettidig_messages_received_total";
pub const SETTLED: &str = "rettidig_messages_settled_total";
pub const IN_FLIGHT: &str = "rettidig_messages_in_flight";
pub const LEDGER_BALANCED: &str = "rettidig_ledger_balanced";
pub const DECODE: &str = "rettidig_decode_seconds";

/// What runs.
#[expect(clippy::disallowed_macros, reason = "telemetry is where metric names live")]
pub fn build(version: &'static str, simulated: bool) {
    metrics::gauge!("rettidig_build_info", "version" => version).set(1.0);
    metrics::gauge!("rettidig_simulated").set(f64::from(u8::from(simulated)));
}

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
    metrics::counter!(RECEIVED).absolute(stages.received);
    let settled = [stages.decided, stages.redacted, stages.duplicates, stages.refused, quarantined];
    for (outcome, count) in OUTCOMES.into_iter().zip(settled) {
        metrics::counter!(SETTLED, "outcome" => outcome).absolute(count);
    }
    metrics::gauge!(IN_FLIGHT).set(stages.in_flight as f64);
    metrics::gauge!(LEDGER_BALANCED).set(f64::from(u8::from(stages.balanced)));
}

/// How long it takes to read a message, or to find it unreadable; fetched once.
#[derive(Clone)]
pub struct Decoding(Histogram);

impl Decoding {
    #[expect(clippy::disallowed_macros, reason = "telemetry is where metric names live")]
    #[must_use]
    pub fn new() -> Self {
        Self(metrics::histogram!(DECODE))
    }

    pub fn took(&self, took: Duration) {
        self.0.record(took.as_secs_f64());
    }
}

impl Default for Decoding {
    fn default() -> Self {
        Self::new()
    }
}
