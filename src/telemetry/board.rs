//! What the board tells about itself: what publishing a view costs.

use super::Stopwatch;

#[expect(clippy::disallowed_macros, reason = "metric names live in telemetry")]
pub fn published(stopwatch: &Stopwatch) {
    metrics::histogram!("rettidig_board_publish_seconds").record(stopwatch.elapsed().as_secs_f64());
}
