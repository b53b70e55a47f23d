//! The numbers that a container's estimates follow, with the start values of DOMAIN §7.1.
//!
//! One value serves all containers of a model; nothing here changes with what is observed.

use super::level::Scale;
use crate::domain::time::Span;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    pub scale: Scale,
    /// A fall at least this deep may be an emptying …
    pub emptied_drop: f64,
    /// … when what is left is at most this.
    pub emptied_post: f64,
    /// The next value, or a crew's word, confirms an emptying within this time; after it the fall is believed alone.
    pub confirm_within: Span,
    /// False for a device that speaks so seldom that its next value may be of the next cycle (once a day).
    pub confirm_by_next: bool,
    /// A step above this is a spike if the next value is back within `spike_back`.
    pub spike_step: f64,
    pub spike_back: f64,
    /// A rise above this from one value to the next may be an obstruction.
    pub sudden_rise: f64,
    /// A fall of the smoothed level from here to `emptied_drop` is settling or compaction.
    pub settle_drop: f64,
    /// After a crew's word the content is still there when the level is above what it was less this.
    pub still_there: f64,
    /// A distance sensor whose last eight values vary by less than this is stuck, if its neighbours rise. mm².
    pub stuck_variance: f64,
    /// Weight of the newest day in rate and variance. DOMAIN §7.1 starts at 0.12; on recorded containers 0.06 is closer
    /// for all fractions but paper, where there is no difference (docs/ESTIMATORS.md).
    pub learn: f64,
    /// Days of a weekday at which the container's own factor weighs as much as its cluster's.
    pub shrink: f64,
    /// Standard deviation of one level.
    pub sensor_deviation: f64,
    /// From this level on a rise is a lower bound.
    pub censored_from: f64,
    /// A day further from the rate than this many standard deviations counts as this many.
    pub robust: f64,
}

impl Settings {
    #[must_use]
    pub const fn new(scale: Scale) -> Self {
        Self {
            scale,
            emptied_drop: 0.35,
            emptied_post: 0.25,
            confirm_within: Span::from_hours(24),
            confirm_by_next: true,
            spike_step: 0.5,
            spike_back: 0.1,
            sudden_rise: 0.6,
            settle_drop: 0.05,
            still_there: 0.2,
            stuck_variance: 1.0,
            learn: 0.06,
            shrink: 20.0,
            sensor_deviation: 0.03,
            censored_from: 0.98,
            robust: 3.0,
        }
    }

    /// For devices that tell one of six steps once a day: a step is 0.2 wide, and tomorrow's value is of another cycle.
    #[must_use]
    pub const fn six_steps() -> Self {
        let mut settings = Self::new(Scale::Share { full: 10.0 });
        settings.confirm_by_next = false;
        settings.sensor_deviation = 0.2 / 3.464; // an even spread over one step: width / √12
        settings.settle_drop = 0.25; // one step down is the device's rounding
        settings
    }
}
