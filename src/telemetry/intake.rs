//! What external brokers are metered and logged by. The label `broker` is its name in the configuration.
#![expect(clippy::disallowed_macros, reason = "the one place where the metric names of this room live")]

use super::Seldom;
use metrics::{Counter, counter, gauge};

/// The counters of one broker, looked up once: some of them count every message.
pub struct Meter {
    /// Handed on, QoS 1: repeated by the broker until acknowledged.
    pub promised: Counter,
    /// Handed on, QoS 0: promised nothing.
    pub unpromised: Counter,
    pub acknowledged: Counter,
    /// Longer than can be read: quarantined by their heads.
    pub oversize: Counter,
    /// Published by us and taken over by the broker.
    pub handed_over: Counter,
    /// Arrived while we were stopping; QoS 1 waits at the broker for the next start.
    pub left_at_broker: Counter,
    /// Retained, handed on before, and repeated only because we subscribed again.
    pub retained_again: Counter,
}

impl Meter {
    #[must_use]
    pub fn new(broker: &str) -> Self {
        let name = broker.to_owned();
        Self {
            promised: counter!("rettidig_intake_messages_total", "broker" => name.clone(), "qos" => "1"),
            unpromised: counter!("rettidig_intake_messages_total", "broker" => name.clone(), "qos" => "0"),
            acknowledged: counter!("rettidig_intake_acknowledged_total", "broker" => name.clone()),
            oversize: counter!("rettidig_intake_oversize_total", "broker" => name.clone()),
            handed_over: counter!("rettidig_intake_handed_over_total", "broker" => name.clone()),
            left_at_broker: counter!("rettidig_intake_left_at_broker_total", "broker" => name.clone()),
            retained_again: counter!("rettidig_intake_retained_again_total", "broker" => name),
        }
    }
}

pub fn up(broker: &str, session_present: bool, refused: &[String]) {
    gauge!("rettidig_intake_connected", "broker" => broker.to_owned()).set(1.0);
    counter!("rettidig_intake_connections_total", "broker" => broker.to_owned()).increment(1);
    tracing::info!(broker, session_present, "broker connected");
    if !refused.is_empty() {
        tracing::error!(broker, filters = ?refused, "broker refused subscriptions, or grants them QoS 0 only");
    }
}

/// The connection ended or could not be made; `reason` is the label, `error` the text. What does not heal by itself
/// is for somebody to look at at once.
pub fn down(broker: &str, error: &str, reason: &'static str, heals: bool) {
    gauge!("rettidig_intake_connected", "broker" => broker.to_owned()).set(0.0);
    counter!("rettidig_intake_connection_failures_total", "broker" => broker.to_owned(), "reason" => reason)
        .increment(1);
    if heals {
        tracing::warn!(broker, reason, error, "broker connection ended");
    } else {
        tracing::error!(broker, reason, error, "broker connection ended, and somebody has to change a setting");
    }
}

/// It held up what was behind it for as long as it took to pass by.
pub fn oversize(broker: &str, bytes: u64) {
    static LINES: Seldom = Seldom::new();
    if let Some(kept_back) = LINES.may_speak() {
        tracing::warn!(broker, bytes, kept_back, "a message too long to be read is quarantined by its head");
    }
}

pub fn stopped(broker: &str) {
    gauge!("rettidig_intake_connected", "broker" => broker.to_owned()).set(0.0);
    tracing::info!(broker, "broker connection stopped on request");
}

pub fn old_certificate(broker: &str, error: &str) {
    tracing::warn!(broker, error, "cannot read TLS files again, keeping those loaded last");
}
