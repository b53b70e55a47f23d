//! What is measured around exposure: a person's own pressure, and whether a relief really relieved (DOMAIN §2.5, §2.7).
//!
//! [`Reference`] finds the median pressure of the first calm day. [`Check`] judges a requested redistribution by
//! pressure and never by an acknowledgement or an angle. Neither asks anybody for anything.

use super::exposure::{Settings, TURN};
use crate::domain::time::{Span, Timestamp};

/// Width of a class of pressures, mmHg: the median is told to half of it.
pub const CLASS: f64 = 2.0;
pub const CLASSES: usize = 100;
/// A pressure that differs by more than this share from the one before is a movement.
const CALM: f64 = 0.2;
const FIRST_DAY: Span = Span::from_hours(24);
/// Fewer calm pressures than this give no median.
const ENOUGH: u32 = 60;

/// Classes of the calm pressures of a zone's first day, 0 to 200 mmHg; at most 240 bytes, and not needed after that day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reference {
    pub counts: [u16; CLASSES],
    pub started_at: Timestamp,
    pub last: f64,
}

/// Why a relief is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// Not yet known.
    Waits,
    /// Down by 30 % and off for 15 minutes, and nothing else loaded more.
    Relieved,
    /// Not down within 5 minutes.
    NotDown,
    /// Down, but loaded again before 15 minutes.
    NotHeld,
    /// Another zone bears more than 1.2 of its usual load.
    Shifted,
}

/// State of one check; 48 bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Check {
    pub asked_at: Timestamp,
    /// mmHg when it was asked for.
    pub before: f64,
    pub down_since: Option<Timestamp>,
    pub verdict: Verdict,
}

impl Reference {
    #[must_use]
    pub const fn new(started_at: Timestamp) -> Self {
        Self { counts: [0; CLASSES], started_at, last: -1.0 }
    }

    /// Only while somebody lies in the bed. Calm pressures above 10 mmHg of the first 24 hours count; in whatever order
    /// they come the same are counted, as long as neighbours stay neighbours.
    pub fn observe(&mut self, at: Timestamp, pressure: f64) {
        if !pressure.is_finite() || at.since(self.started_at) > FIRST_DAY {
            return;
        }
        let calm = (pressure - self.last).abs() <= CALM * self.last.max(1.0);
        self.last = pressure;
        if calm && pressure > 10.0 {
            let class = ((pressure / CLASS) as usize).min(CLASSES - 1);
            self.counts[class] = self.counts[class].saturating_add(1);
        }
    }

    /// Median in mmHg, to 1 mmHg; none from fewer than 60 calm pressures, or before the day is over unless `early`.
    #[must_use]
    pub fn median(&self, at: Timestamp, early: bool) -> Option<f64> {
        let total: u32 = self.counts.iter().map(|count| u32::from(*count)).sum();
        if total < ENOUGH || (!early && at.since(self.started_at) < FIRST_DAY) {
            return None;
        }
        let mut below = 0;
        for (class, count) in self.counts.iter().enumerate() {
            below += u32::from(*count);
            if below * 2 >= total {
                return Some((class as f64 + 0.5) * CLASS);
            }
        }
        None
    }
}

impl Check {
    const WITHIN: Span = Span::from_mins(5);
    const DOWN: f64 = 0.7;
    const ELSEWHERE: f64 = 1.2;

    #[must_use]
    pub const fn new(asked_at: Timestamp, before: f64) -> Self {
        Self { asked_at, before, down_since: None, verdict: Verdict::Waits }
    }

    /// `pressure` of the zone in mmHg, `elsewhere` the greatest weight ([`Settings::weight`]) of the other zones.
    /// Call it without a pressure when time has passed: what is not measured is not verified.
    pub fn observe(&mut self, settings: &Settings, at: Timestamp, measured: Option<(f64, f64)>) -> Verdict {
        if self.verdict != Verdict::Waits {
            return self.verdict;
        }
        let down =
            measured.is_some_and(|(pressure, _)| pressure <= Self::DOWN * self.before && pressure <= settings.off());
        let shifted = measured.is_some_and(|(_, elsewhere)| elsewhere > Self::ELSEWHERE);
        let late = at.since(self.asked_at) > Self::WITHIN;
        self.verdict = match (self.down_since, measured.is_some()) {
            (None, _) if down && !late => {
                self.down_since = Some(at);
                if shifted { Verdict::Shifted } else { Verdict::Waits }
            }
            (None, _) if late => Verdict::NotDown,
            (Some(_), true) if !down => Verdict::NotHeld,
            (Some(_), true) if shifted => Verdict::Shifted,
            (Some(since), true) if at.since(since) >= TURN => Verdict::Relieved,
            // Twice the time without a pressure that says so.
            (Some(since), false) if at.since(since) >= TURN.times(2) => Verdict::NotHeld,
            (None | Some(_), _) => Verdict::Waits,
        };
        self.verdict
    }
}
