//! When it was observed: the device's own time when it can be believed, otherwise `received_at`.

use super::json::Json;
use crate::domain::observation::Identity;
use crate::domain::time::{Span, Timestamp};
use smol_str::SmolStr;

/// A device that claims to have observed longer ago than this has a clock that was never set: many start in 1970.
const UNSET_CLOCK: Span = Span::from_hours(10 * 365 * 24);

#[derive(Debug)]
pub(super) struct Moment {
    pub observed_at: Timestamp,
    /// How far ahead the device's clock was, when that is why `observed_at` is not the device's time.
    pub clock_ahead: Option<Span>,
    pub identity: Identity,
}

/// Chooses `observed_at` and the strongest identity there is (DESIGN §3.3).
///
/// A clock that is not believed gives no identity either: it may stand still, and two presses of a button under
/// the same wrong time are two presses.
pub(super) fn settle(
    network: Option<SmolStr>,
    device_time: Option<Timestamp>,
    received_at: Timestamp,
    tolerance: Span,
) -> Moment {
    let ahead = device_time.map(|time| time.since(received_at)).filter(|ahead| *ahead > tolerance);
    let unset = device_time.is_some_and(|time| received_at.since(time) > UNSET_CLOCK);
    let believed = device_time.filter(|_| ahead.is_none() && !unset);
    let identity = match (network, believed) {
        (Some(id), _) => Identity::Network(id),
        (None, Some(time)) => Identity::DeviceTime(time),
        (None, None) => Identity::Redelivery,
    };
    Moment { observed_at: believed.unwrap_or(received_at), clock_ahead: ahead, identity }
}

/// RFC 3339 text with an offset, or a whole number of milliseconds since 1970.
pub(super) fn read(value: &Json<'_>) -> Option<Timestamp> {
    match value {
        Json::Text(text) => rfc3339(text),
        // Beyond 2^53 milliseconds a JSON number is no longer exact, and far outside any calendar.
        Json::Number(millis) if libm::fabs(*millis) < 9e15 => {
            Some(Timestamp::from_micros((*millis as i64).saturating_mul(1_000)))
        }
        Json::Null | Json::Boolean(_) | Json::Number(_) | Json::Array | Json::Object(_) => None,
    }
}

pub(super) fn rfc3339(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|moment| Timestamp::from_micros(moment.as_microsecond()))
}
