//! How long to wait before connecting again: doubling, bounded, with jitter.
//!
//! A thousand gateways that lost one broker must not come back in the same second. The random bits are handed in, so
//! that tests and simulation choose them. Nothing here waits.

use crate::domain::time::Span;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackOff {
    /// Longest wait before the first attempt after a loss.
    pub first: Span,
    /// Longest wait before any attempt. A connection that lived at least this long starts the count again.
    pub max: Span,
}

impl Default for BackOff {
    fn default() -> Self {
        Self { first: Span::from_millis(500), max: Span::from_secs(30) }
    }
}

impl BackOff {
    /// The wait before attempt number `attempt` (counted from 1): evenly between half and the whole of
    /// `first · 2^(attempt-1)`, at most `max`.
    #[must_use]
    pub fn wait(&self, attempt: u32, random: u64) -> Span {
        let doublings = attempt.saturating_sub(1).min(62);
        let whole = self.first.times(1 << doublings).as_micros().clamp(0, self.max.as_micros().max(0));
        let half = whole / 2;
        // Below 2^63 by the remainder, and the bias of a remainder does not matter for spreading load.
        let jitter = (random % (half as u64 + 1)) as i64;
        Span::from_micros(whole - half + jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_doubles_until_the_maximum() {
        let back_off = BackOff { first: Span::from_secs(1), max: Span::from_secs(10) };
        let shortest: Vec<_> = (1..=6).map(|attempt| back_off.wait(attempt, 0).to_string()).collect();
        assert_eq!(shortest, ["500ms", "1s", "2s", "4s", "5s", "5s"]);
        let longest: Vec<_> = (1..=6).map(|attempt| back_off.wait(attempt, 500_000)).collect();
        assert_eq!(longest[0], Span::from_secs(1));
        assert!(longest.iter().all(|wait| *wait <= Span::from_secs(10)));
    }

    proptest! {
        #[test]
        fn the_wait_stays_between_half_and_whole(attempt: u32, random: u64, first in 1i64..10_000_000, max in 1i64..100_000_000) {
            let back_off = BackOff { first: Span::from_micros(first), max: Span::from_micros(max) };
            let wait = back_off.wait(attempt, random).as_micros();
            prop_assert!(wait <= max);
            prop_assert!(wait >= first.min(max) / 2);
        }
    }
}
