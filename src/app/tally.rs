//! How much was done since the start, and how fast: for the demo's report and for health at a glance.

use crate::domain::decision::{Decision, Fact};
use hdrhistogram::Histogram;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The longest time told apart; longer ones count as this.
const LONGEST_US: u64 = 600_000_000;

#[derive(Debug, Default)]
pub struct Tally {
    alarms: AtomicU64,
    tasks: AtomicU64,
    completed: AtomicU64,
    /// From hand-in to release, in microseconds; none until the first message.
    latency: Mutex<Option<Histogram<u64>>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    pub alarms: u64,
    pub tasks: u64,
    pub completed: u64,
    pub latency_ms_p50: f64,
    pub latency_ms_p99: f64,
}

impl Tally {
    pub fn count(&self, decision: &Decision) {
        for fact in &decision.facts {
            let counter = match fact {
                Fact::AlarmRaised { .. } => &self.alarms,
                Fact::TaskRequested { .. } => &self.tasks,
                Fact::TaskCompleted { .. } => &self.completed,
                Fact::DelayStarted { .. }
                | Fact::DelayCancelled { .. }
                | Fact::ShadowRaised { .. }
                | Fact::ShadowEnded { .. }
                | Fact::AlarmReactivated { .. }
                | Fact::ReturnedToNormal { .. }
                | Fact::Acknowledged { .. }
                | Fact::AlarmClosed { .. }
                | Fact::TaskOffered { .. }
                | Fact::TaskWaiting { .. }
                | Fact::OfferExpired { .. }
                | Fact::TaskRejected { .. }
                | Fact::TaskAccepted { .. }
                | Fact::TaskStage { .. }
                | Fact::TaskCancelled { .. }
                | Fact::DeliveryEnded { .. }
                | Fact::DeviceSilent { .. }
                | Fact::DeviceHeard { .. }
                | Fact::DeviceClockAhead { .. }
                | Fact::MeasuredLate { .. }
                | Fact::ReleasedEarly { .. } => continue,
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Messages of one batch, each with its time from hand-in to release.
    pub fn took(&self, times: impl Iterator<Item = Duration>) {
        let mut latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        if latency.is_none() {
            *latency = Histogram::new_with_bounds(1, LONGEST_US, 3).ok();
        }
        let Some(histogram) = latency.as_mut() else { return };
        for time in times {
            histogram.saturating_record(u64::try_from(time.as_micros()).unwrap_or(LONGEST_US).max(1));
        }
    }

    #[must_use]
    pub fn totals(&self) -> Totals {
        let latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        let at = |quantile| latency.as_ref().map_or(0.0, |known| known.value_at_quantile(quantile) as f64 / 1_000.0);
        Totals {
            alarms: self.alarms.load(Ordering::Relaxed),
            tasks: self.tasks.load(Ordering::Relaxed),
            completed: self.completed.load(Ordering::Relaxed),
            latency_ms_p50: at(0.5),
            latency_ms_p99: at(0.99),
        }
    }
}
