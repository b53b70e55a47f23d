//! What the store tells about itself: how far behind the journal it is, and what did not fit.

use super::Stopwatch;

#[expect(clippy::disallowed_macros, reason = "metric names live in telemetry")]
pub fn projected(stopwatch: &Stopwatch, entries: usize) {
    metrics::histogram!("rettidig_store_batch_seconds").record(stopwatch.elapsed().as_secs_f64());
    metrics::counter!("rettidig_store_entries_total").increment(entries as u64);
}

#[expect(clippy::disallowed_macros, reason = "metric names live in telemetry")]
pub fn behind(entries: u64) {
    metrics::gauge!("rettidig_store_behind_entries").set(entries as f64);
}

#[expect(clippy::disallowed_macros, reason = "metric names live in telemetry")]
pub fn failed() {
    metrics::counter!("rettidig_store_failures_total").increment(1);
}

#[expect(clippy::disallowed_macros, reason = "metric names live in telemetry")]
pub fn set_aside() {
    metrics::counter!("rettidig_store_set_aside_total").increment(1);
}
