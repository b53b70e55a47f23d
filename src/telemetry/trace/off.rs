//! Without the feature `otel`: the same words, and nothing behind them.

use crate::domain::decision::Decision;

/// A point in time on the path.
#[derive(Clone, Copy, Debug)]
pub struct Moment;

/// Leads nowhere.
#[derive(Debug, Default)]
pub struct Trace;

/// Would send what waits when it is dropped.
#[derive(Debug)]
pub struct Exporting;

/// # Errors
/// Never; with the feature, when the exporter cannot be made.
pub fn start() -> Result<Exporting, String> {
    Ok(Exporting)
}

#[must_use]
pub const fn moment() -> Moment {
    Moment
}

impl Trace {
    pub const NONE: Self = Self;

    #[must_use]
    pub const fn arrived(_way: &'static str) -> Self {
        Self
    }

    pub const fn decoded(&self, _since: Moment) {}

    pub const fn decided(&mut self, _since: Moment, _decision: &Decision) {}

    pub const fn synced(&mut self, _from: Moment, _to: Moment) {}

    pub const fn released(self, _since: Moment) {}
}
