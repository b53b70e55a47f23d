//! Whether a device has stopped speaking (DOMAIN §1.1, §1.3).
//!
//! A device is silent when it has not been heard for four of its intervals, suspect after two and a half. Whoever was
//! waiting while the gateway itself was away gets one interval after the start to speak first, so that a restart causes
//! no storm; so does a device whose radio gateway was silent, and while that lasts it is hidden behind it.
//! [`Cadence`] learns the interval; [`Silence`] measures by it or by the declared one.

use crate::domain::time::{Span, Timestamp};

/// Intervals without a word until a device is silent (DOMAIN §7.1 `offline=4x`).
pub const SILENT_INTERVALS: i64 = 4;

/// Half intervals without a word until a device is suspect (DOMAIN §7.1 `offline_suspect=2.5x`).
pub const SUSPECT_HALF_INTERVALS: i64 = 5;

/// How a device stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    Heard,
    /// Not heard for 2.5 intervals: shown, and nobody is sent.
    Suspect,
    /// Not heard for four.
    Silent,
    /// Would be suspect or silent, but so is every gateway that brings its words.
    Hidden,
}

/// What became of the way from a device to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// When we began to listen.
    pub started_at: Timestamp,
    /// Since when every gateway that brings this device's words has been silent; none while one of them speaks, or when
    /// they are not known.
    pub closed_since: Option<Timestamp>,
    /// When the first of them spoke again after such a time.
    pub reopened_at: Option<Timestamp>,
}

/// The interval at which a device really speaks: the median of the times between its words, followed by steps of 5 %.
/// Starts at the declared interval and stays between an eighth and twice of it, so that no spell of bad radio can teach
/// that silence is usual. 24 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cadence {
    pub declared: Span,
    pub learned: Span,
    pub heard_at: Timestamp,
}

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

impl Silence {
    /// When it becomes suspect unless it speaks.
    #[must_use]
    pub fn suspect_at(&self, way: &Way) -> Timestamp {
        let half = Span::from_micros(self.interval.as_micros() / 2);
        self.counted_from(way, half.times(SUSPECT_HALF_INTERVALS))
    }

    /// When it becomes silent unless it speaks. Without closed gateways the same as [`Silence::due`].
    #[must_use]
    pub fn silent_at(&self, way: &Way) -> Timestamp {
        self.counted_from(way, self.interval.times(SILENT_INTERVALS))
    }

    /// How it stands at `at`, whatever was told before.
    #[must_use]
    pub fn standing(&self, at: Timestamp, way: &Way) -> Standing {
        let standing = if at >= self.silent_at(way) {
            Standing::Silent
        } else if at >= self.suspect_at(way) {
            Standing::Suspect
        } else {
            Standing::Heard
        };
        // A device that was silent before its gateway was stays silent: the gateway does not explain it.
        let explained = way.closed_since.is_some_and(|since| since < self.silent_at(way));
        if standing != Standing::Heard && explained { Standing::Hidden } else { standing }
    }

    /// So long after its last word, and one interval after the way to us was open again.
    fn counted_from(&self, way: &Way, after: Span) -> Timestamp {
        let opened = way.reopened_at.map_or(way.started_at, |at| at.max(way.started_at));
        let by_word = self.heard_at + after;
        if opened > self.heard_at { by_word.max(opened + self.interval) } else { by_word }
    }
}

impl Cadence {
    #[must_use]
    pub const fn new(declared: Span, registered_at: Timestamp) -> Self {
        Self { declared, learned: declared, heard_at: registered_at }
    }

    /// The device spoke. A word that is sent beside the clock (an event) is too near to teach an interval, one after a
    /// silence too far; a late one is not looked at.
    pub fn heard(&mut self, at: Timestamp) {
        let gap = at.since(self.heard_at).as_micros();
        if gap <= 0 {
            return;
        }
        self.heard_at = at;
        let learned = self.learned.as_micros();
        if gap < learned / 8 || gap > learned.saturating_mul(SILENT_INTERVALS) {
            return;
        }
        let step = (learned / 20).max(1).min((gap - learned).abs());
        let moved = if gap > learned { learned + step } else { learned - step };
        let declared = self.declared.as_micros();
        self.learned = Span::from_micros(moved.clamp((declared / 8).max(1), declared.saturating_mul(2).max(1)));
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
