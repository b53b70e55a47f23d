//! Messages as misbehaving devices send them.
//!
//! What each kind means and what the gateway must make of it stands in `misbehaviour`.

use super::bin::BinSeen;
use super::formats::{self, Message};
use super::misbehaviour::Misbehaviour;
use crate::domain::ids::DeviceId;
use crate::domain::time::{Span, Timestamp};
use bytes::Bytes;
use serde_json::json;

/// A device that nobody registered.
pub(crate) const STRANGER: &str = "bin-999-level";
/// How far the clock of a device is ahead.
const AHEAD: Span = Span::from_hours(72);

/// What the gateway reads at most: oversize messages lie just above it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub payload_bytes_max: usize,
}

pub(crate) fn stranger(at: Timestamp) -> Message {
    let seen = BinSeen { fill: 0.5, temperature: 15.0, battery: 80, tilted: false };
    formats::canonical_bin(&DeviceId::new(STRANGER), &seen, Some(at))
}

/// A bin's message, spoiled. Kinds that are not about the message itself leave it as it is.
pub(crate) fn bin(kind: Misbehaviour, device: &DeviceId, seen: &BinSeen, at: Timestamp, limits: Limits) -> Message {
    let topic = formats::up(device);
    match kind {
        Misbehaviour::Unparsable => {
            let whole = formats::canonical_bin(device, seen, Some(at));
            Message { payload: whole.payload.slice(..whole.payload.len() / 2), ..whole }
        }
        Misbehaviour::Oversize => {
            let payload = Bytes::from(vec![b' '; limits.payload_bytes_max + 1]);
            Message { topic, payload, again_with_dup: false }
        }
        Misbehaviour::OutOfRange => {
            let payload = json!({ "fill": 65.535, "temperature": -273.0, "observed_at": super::civil::rfc3339(at) });
            Message::json(topic, &payload)
        }
        Misbehaviour::ClockAhead => formats::canonical_bin(device, seen, Some(at + AHEAD)),
        // Without a time of its own: only DUP and the packet id tell that it is the same message.
        Misbehaviour::Redelivery => Message { again_with_dup: true, ..formats::canonical_bin(device, seen, None) },
        Misbehaviour::UnknownDevice | Misbehaviour::TwoGateways | Misbehaviour::Silent => {
            formats::canonical_bin(device, seen, Some(at))
        }
    }
}
