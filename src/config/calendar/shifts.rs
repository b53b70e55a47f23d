//! When a shift is on.

use super::days::Part;
use super::local::{TimeOfDay, moment};
use super::written::{Hours, WrittenCalendars};
use crate::domain::calendar::Window;
use jiff::ToSpan as _;
use jiff::civil::Date;
use smol_str::SmolStr;

impl WrittenCalendars {
    /// The windows of the shift that begin on these dates, in order; those that touch are one.
    pub(super) fn windows(&self, shift: &SmolStr, dates: impl Iterator<Item = Date>) -> Vec<Window> {
        let hours = self.shifts.get(shift).map_or(&[][..], Vec::as_slice);
        let mut found: Vec<Window> =
            dates.flat_map(|date| hours.iter().filter_map(move |hours| self.window(hours, date))).collect();
        found.sort_unstable();
        let mut joined: Vec<Window> = Vec::with_capacity(found.len());
        for window in found {
            match joined.last_mut().filter(|last| window.from <= last.until) {
                Some(last) => last.until = last.until.max(window.until),
                None => joined.push(window),
            }
        }
        joined
    }

    /// A shift belongs to the day it begins on.
    fn window(&self, hours: &Hours, date: Date) -> Option<Window> {
        let part = hours.days.part_of(date, self.holidays.of(date).0)?;
        let over_midnight = hours.end <= TimeOfDay::At(hours.start);
        let last = if over_midnight { date.checked_add(1.day()).ok()? } else { date };
        let mut window = Window {
            from: moment(&self.zone, date, TimeOfDay::At(hours.start))?,
            until: moment(&self.zone, last, hours.end)?,
        };
        match part {
            Part::Whole => {}
            Part::Worked => window.until = window.until.min(self.free_from(date)?),
            Part::Free => window.from = window.from.max(self.free_from(date)?),
        }
        // A change of clocks, or the end of a half-day, may leave nothing of it.
        (window.from < window.until).then_some(window)
    }
}
