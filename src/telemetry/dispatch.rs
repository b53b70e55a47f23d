//! What dispatch is metered and logged by.
#![expect(clippy::disallowed_macros, reason = "the one place where the metric names of this room live")]

use super::queues::Queue;
use crate::domain::ids::DeliveryId;
use metrics::counter;

/// Deliveries kept for crews.
pub fn pending(count: usize) {
    Queue::Deliveries.length(count);
}

/// A message was given to a channel; `channel` is `endpoint` or `broker`.
pub fn sent(channel: &'static str) {
    counter!("rettidig_dispatch_sent_total", "channel" => channel).increment(1);
}

/// Pending no more, for whatever reason.
pub fn ended(count: usize) {
    counter!("rettidig_dispatch_ended_total").increment(count as u64);
}

/// Not answered in time.
pub fn expired(count: usize) {
    counter!("rettidig_dispatch_expired_total").increment(count as u64);
}

/// A delivery found no room and stays with the engine for a while.
pub fn no_room() {
    counter!("rettidig_dispatch_no_room_total").increment(1);
}

/// What a callback had to say found no room to wait in and was dropped: a crew may be told once more.
pub fn untold() {
    counter!("rettidig_dispatch_untold_total").increment(1);
    tracing::error!("dispatch is so far behind that an acknowledgement was dropped");
}

/// No channel will ever take it; the engine asks somebody else when the offer expires.
pub fn unsendable(delivery: DeliveryId, error: &str) {
    counter!("rettidig_dispatch_unsendable_total").increment(1);
    tracing::error!(%delivery, error, "a delivery cannot be sent");
}
