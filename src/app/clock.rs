//! The only clock. It never goes back, and a demo may drive it by hand.
//!
//! Real time is the system's wall clock, held at its highest reading when the system steps back. Scaled time
//! stands still until somebody moves it: gateway and twin share it, so that a simulated day is the same day on
//! every machine.

use crate::domain::time::{Span, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

/// A step back of the system clock larger than this is worth a line in the log.
const STEP_WORTH_TELLING: Span = Span::from_millis(500);

#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
    highest: Arc<AtomicI64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Wall,
    Scaled,
}

impl Clock {
    #[must_use]
    pub fn wall() -> Self {
        Self { source: Source::Wall, highest: Arc::new(AtomicI64::new(i64::MIN)) }
    }

    /// A clock that stands at `start` until it is moved.
    #[must_use]
    pub fn scaled(start: Timestamp) -> Self {
        Self { source: Source::Scaled, highest: Arc::new(AtomicI64::new(start.as_micros())) }
    }

    #[must_use]
    pub fn is_scaled(&self) -> bool {
        self.source == Source::Scaled
    }

    /// The clock of people at a keyboard: sessions and lock-outs last as long as they say, also when the day around
    /// them is scaled.
    #[must_use]
    pub fn of_people(&self) -> Self {
        match self.source {
            Source::Wall => self.clone(),
            Source::Scaled => Self::wall(),
        }
    }

    /// The present: never before any earlier answer.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        if self.source == Source::Scaled {
            return Timestamp::from_micros(self.highest.load(Ordering::Acquire));
        }
        let wall = wall_micros();
        let highest = self.highest.fetch_max(wall, Ordering::AcqRel).max(wall);
        Timestamp::from_micros(highest)
    }

    /// The clock is at least at `at` from here on: what the journal has seen is past, whatever the system says.
    pub fn not_before(&self, at: Timestamp) {
        let before = self.highest.fetch_max(at.as_micros(), Ordering::AcqRel);
        let ahead = at.since(Timestamp::from_micros(before.max(wall_micros())));
        if self.source == Source::Wall && ahead > STEP_WORTH_TELLING {
            tracing::warn!(%ahead, "the system clock is behind the journal; time stands still until it catches up");
        }
    }

    /// Moves scaled time forward; a moment that has passed changes nothing.
    pub fn advance(&self, to: Timestamp) {
        if self.source == Source::Scaled {
            self.highest.fetch_max(to.as_micros(), Ordering::AcqRel);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the time of day")]
fn wall_micros() -> i64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since_epoch.ok().and_then(|elapsed| i64::try_from(elapsed.as_micros()).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_stays_where_the_journal_has_been() {
        let clock = Clock::wall();
        let ahead = clock.now() + Span::from_hours(1);
        clock.not_before(ahead);
        assert!(clock.now() >= ahead);
    }

    #[test]
    fn scaled_time_moves_only_by_hand_and_only_forward() {
        let clock = Clock::scaled(Timestamp::from_micros(10));
        assert_eq!(clock.now(), Timestamp::from_micros(10));
        clock.advance(Timestamp::from_micros(25));
        clock.advance(Timestamp::from_micros(20));
        assert_eq!(clock.now(), Timestamp::from_micros(25));
    }
}
