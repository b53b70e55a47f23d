//! Under load a batch waits a moment for company.
//!
//! A sync costs the same for one event and for a hundred. While few events come, each is decided and synced at once:
//! nothing is quicker. While many come, a sync for every few of them takes the processors from everybody else, and with
//! them more time than the wait: so a batch then waits while more keep coming, until a millisecond has passed since the
//! last.

use crate::telemetry::{self, Stopwatch};
use std::time::Duration;

/// Events a second from which on a batch waits.
const MANY: f64 = 20_000.0;
/// Over about so long the events are counted, in seconds: one burst is not a load.
const MEMORY: f64 = 0.020;
/// Two batches are not taken within this time; where deciding and syncing take as long, nobody waits.
const PERIOD: Duration = Duration::from_millis(1);
/// One wait, after which there should be more.
const WAIT: Duration = Duration::from_micros(250);

pub struct Pace {
    since: Stopwatch,
    per_second: f64,
}

impl Pace {
    #[must_use]
    pub fn new() -> Self {
        Self { since: telemetry::stopwatch(), per_second: 0.0 }
    }

    /// So many events came since the last call.
    pub fn came(&mut self, count: usize) {
        let elapsed = self.since.elapsed().as_secs_f64();
        self.since = telemetry::stopwatch();
        self.count(count, elapsed);
    }

    fn count(&mut self, count: usize, elapsed: f64) {
        let elapsed = elapsed.max(1e-6);
        let weight = (elapsed / MEMORY).min(1.0);
        self.per_second += weight * (count as f64 / elapsed - self.per_second);
    }

    /// Waits while `more` brings something, if many come.
    pub fn gather(&self, mut more: impl FnMut() -> bool) {
        while self.may_wait(self.since.elapsed()) {
            std::thread::sleep(WAIT);
            if !more() {
                return;
            }
        }
    }

    fn may_wait(&self, since_the_last: Duration) -> bool {
        self.per_second >= MANY && since_the_last + WAIT <= PERIOD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_under_load_and_never_before_or_after() {
        let soon = Duration::from_micros(300);
        let mut pace = Pace::new();
        assert!(!pace.may_wait(soon), "nothing has come yet");
        pace.count(40, 0.000_4);
        assert!(!pace.may_wait(soon), "a burst is not a load");
        for _ in 0..200 {
            pace.count(35, 0.001);
        }
        assert!(pace.may_wait(soon), "35,000 a second");
        assert!(!pace.may_wait(Duration::from_micros(800)), "deciding and syncing have taken as long");
        for _ in 0..200 {
            pace.count(4, 0.000_4);
        }
        assert!(!pace.may_wait(soon), "10,000 a second");
        pace.count(1_000, 0.010);
        pace.count(1, 60.0);
        assert!(!pace.may_wait(soon), "a minute of silence");
    }

    #[test]
    fn it_stops_waiting_when_nobody_comes() {
        let mut pace = Pace::new();
        pace.count(5_000, 0.1);
        let mut waits = 0;
        pace.gather(|| {
            waits += 1;
            false
        });
        assert!(waits <= 1, "{waits}");
    }
}
