//! Every metric and log field name, one file per room, so that a dashboard never meets a stranger.
//!
//! Rooms call these functions; the raw `metrics` macros are banned elsewhere. Labels are bounded:
//! never a device, a person or an alarm.

mod catalogue;
mod seldom;
pub use catalogue::{CATALOGUE, Kind, Label, Metric, Values, begin, markdown};
pub use seldom::Seldom;

pub mod board;
pub mod console;
pub mod dispatch;
pub mod endpoint;
pub mod gateway;
pub mod intake;
pub mod journal;
pub mod machine;
pub mod queues;
pub mod sequencer;
pub mod services;
pub mod store;
pub mod trace;

use std::time::{Duration, Instant};

/// Measures how long a stage takes; for metering only, never for a decision.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock for metering")]
#[must_use]
pub fn stopwatch() -> Stopwatch {
    Stopwatch(Instant::now())
}

impl Stopwatch {
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// How much later this one was started than an `earlier` one.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }
}
