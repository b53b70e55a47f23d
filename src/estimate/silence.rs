//! Whether a device has stopped speaking (DOMAIN §1.1, §1.3).
//!
//! A device is silent when it has not been heard for four of its intervals. Whoever was waiting while the
//! gateway itself was away gets one interval after the start to speak first, so that a restart causes no storm.

use crate::domain::time::{Span, Timestamp};

/// Intervals without a word until a device is silent (DOMAIN §7.1 `offline=4x`).
pub const SILENT_INTERVALS: i64 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    pub interval: Span,
    pub heard_at: Timestamp,
    pub silent: bool,
}

impl Silence {
    /// A device is given its first four intervals from the moment it is registered.
    #[must_use]
    pub const fn new(interval: Span, registered_at: Timestamp) -> Self {
        Self { interval, heard_at: registered_at, silent: false }
    }

    /// The device spoke; a message that arrives late does not make it quieter.
    pub fn heard(&mut self, at: Timestamp) {
        self.heard_at = self.heard_at.max(at);
    }

    pub const fn set_silent(&mut self, silent: bool) {
        self.silent = silent;
    }

    #[must_use]
    pub const fn silent(&self) -> bool {
        self.silent
    }

    /// When it becomes silent unless it speaks; none while it is silent.
    #[must_use]
    pub fn due(&self, started_at: Timestamp) -> Option<Timestamp> {
        let by_word = self.heard_at + self.interval.times(SILENT_INTERVALS);
        let by_start = started_at + self.interval;
        (!self.silent).then(|| if started_at > self.heard_at { by_word.max(by_start) } else { by_word })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Span = Span::from_hours(1);

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_micros(0) + HOUR.times(hours)
    }

    #[test]
    fn silent_after_four_intervals() {
        let mut device = Silence::new(HOUR, at(0));
        assert_eq!(device.due(at(0)), Some(at(4)));
        device.heard(at(3));
        assert_eq!(device.due(at(0)), Some(at(7)));
        device.heard(at(2));
        assert_eq!(device.due(at(0)), Some(at(7)), "a late message does not bring silence nearer");
    }

    #[test]
    fn after_a_long_stop_of_the_gateway_one_interval_is_given() {
        let device = Silence::new(HOUR, at(0));
        assert_eq!(device.due(at(100)), Some(at(101)));
        assert_eq!(device.due(at(1)), Some(at(4)), "a short stop changes nothing");
    }
}
