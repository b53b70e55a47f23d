//! The municipality's wall clock: from a date and a time that a person wrote to the moment meant, and back.

use super::local::{TimeOfDay, moment, shown};
use super::written::WrittenCalendars;
use crate::domain::time::Timestamp;
use jiff::civil::DateTime;

impl WrittenCalendars {
    /// When the wall clock shows this date and time. One that a change of clocks leaves out is the moment of the change,
    /// one that comes twice is the first.
    #[must_use]
    pub fn moment_of(&self, shown: DateTime) -> Option<Timestamp> {
        moment(&self.zone, shown.date(), TimeOfDay::At(shown.time()))
    }

    /// What the wall clock shows at this moment; none outside the years that have dates.
    #[must_use]
    pub fn shown_at(&self, at: Timestamp) -> Option<DateTime> {
        shown(&self.zone, at)
    }
}
