//! From what people wrote to tables of UTC instants for a bounded time.

use super::days::Kind;
use super::local::{TimeOfDay, moment, shown};
use super::written::WrittenCalendars;
use crate::domain::calendar::{Calendars, Day, DayKind, Route, Shift, Window};
use crate::domain::time::{Span, Timestamp};
use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, Time};

/// How far back the tables reach: for values that were measured long before they arrive.
const BACK: Span = Span::from_hours(24 * 35);
/// How far ahead they reach.
const AHEAD: Span = Span::from_hours(24 * 400);
/// When only this much is left they are expanded further: longer than the longest wait for a service
/// (`read::EVERY_WEEKS`).
const SPARE: Span = Span::from_hours(24 * 200);

impl WrittenCalendars {
    /// The tables for the time around `now`.
    #[must_use]
    pub fn around(&self, now: Timestamp) -> Calendars {
        self.expand(Window { from: now - BACK, until: now + AHEAD })
    }

    /// The tables for this time; empty when no calendar reaches there.
    #[must_use]
    pub fn expand(&self, covers: Window) -> Calendars {
        let date = |at: Timestamp| shown(&self.zone, at).map(DateTime::date);
        let (Some(first), Some(last)) = (date(covers.from), date(covers.until)) else { return Calendars::default() };
        let shift = |name| {
            // A shift that is on at the first moment may have begun the day before.
            let windows = self.windows(name, dates(first, last, 1));
            let known = windows.into_iter().filter(|window| window.until > covers.from && window.from < covers.until);
            Shift { name: name.clone(), windows: known.collect() }
        };
        let route = |(name, route)| {
            let services = self.services(route, first, last).into_iter();
            Route { name: Clone::clone(name), services: services.filter(|service| covers.holds(*service)).collect() }
        };
        Calendars {
            covers,
            renew_at: covers.until - SPARE,
            time_zone: self.zone_name.clone(),
            days: dates(first, last, 0).filter_map(|date| self.day(date)).collect(),
            shifts: self.shifts.keys().map(shift).collect(),
            routes: self.routes.iter().map(route).collect(),
            default_routes: self
                .default_routes
                .iter()
                .map(|(kind, default)| (kind.clone(), default.route.clone()))
                .collect(),
        }
    }

    fn day(&self, date: Date) -> Option<Day> {
        let (kind, name) = self.holidays.of(date);
        let kind = match kind {
            Kind::Workday => DayKind::Workday,
            Kind::HalfDay => DayKind::HalfDay { free_from: self.free_from(date)? },
            Kind::Weekend => DayKind::Weekend,
            Kind::Holiday => DayKind::Holiday,
        };
        let from = moment(&self.zone, date, TimeOfDay::At(Time::midnight()))?;
        Some(Day { from, weekday: super::days::weekday(date), kind, name })
    }

    /// When a half-day ends and the free part of the day begins.
    pub(super) fn free_from(&self, date: Date) -> Option<Timestamp> {
        moment(&self.zone, date, TimeOfDay::At(self.holidays.half_days_end))
    }
}

/// Every date from `before` days ahead of `first` to `last`.
fn dates(first: Date, last: Date, before: i64) -> impl Iterator<Item = Date> {
    let first = first.checked_sub(before.days()).unwrap_or(first);
    first.series(1.day()).take_while(move |date| *date <= last)
}
