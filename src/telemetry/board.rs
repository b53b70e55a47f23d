//! What the board tells about itself: how much is open, and what publishing a view costs.

use super::Stopwatch;

#[expect(clippy::disallowed_macros, reason = "metric names live in telemetry")]
pub fn published(stopwatch: &Stopwatch, alarms_open: u64, tasks_open: u64) {
    metrics::histogram!("rettidig_board_publish_seconds").record(stopwatch.elapsed().as_secs_f64());
    metrics::gauge!("rettidig_alarms_open").set(alarms_open as f64);
    metrics::gauge!("rettidig_tasks_open").set(tasks_open as f64);
}
