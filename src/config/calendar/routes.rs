//! When a route is served: its weekdays, and what becomes of a service that falls on a holiday.

use super::days::Kind;
use super::local::{TimeOfDay, moment};
use super::written::{OnHoliday, WrittenCalendars, WrittenRoute};
use crate::domain::time::Timestamp;
use jiff::ToSpan as _;
use jiff::civil::Date;
use std::collections::BTreeSet;

/// How far a service is moved at most in search of a workday.
const MOVED_DAYS_MAX: i64 = 14;

impl WrittenCalendars {
    /// When a crew sets out on the dates from `first` to `last`, in order; some more around them.
    pub(super) fn services(&self, route: &WrittenRoute, first: Date, last: Date) -> BTreeSet<Timestamp> {
        let from = first.checked_sub(MOVED_DAYS_MAX.days()).unwrap_or(first);
        let to = last.checked_add(MOVED_DAYS_MAX.days()).unwrap_or(last);
        let regular = from.series(1.day()).take_while(|date| *date <= to).filter(|date| route.is_regular(*date));
        // A service may be moved by hand from any date to any other.
        let by_hand = route.exceptions.values().flatten().chain(&route.extra).copied();
        regular
            .filter(|date| !route.exceptions.contains_key(date))
            .filter_map(|date| self.served_instead(route, date))
            .chain(by_hand)
            .filter_map(|date| moment(&self.zone, date, TimeOfDay::At(route.at)))
            .collect()
    }

    /// The date on which the service of this date really is, if at all.
    fn served_instead(&self, route: &WrittenRoute, date: Date) -> Option<Date> {
        if !self.free(route, date, &[Kind::Holiday]) {
            return Some(date);
        }
        let step = match route.on_holiday {
            OnHoliday::NextWorkday => 1,
            OnHoliday::PreviousWorkday => -1,
            OnHoliday::Skip => return None,
            OnHoliday::AsUsual => return Some(date),
        };
        let candidates = (1..=MOVED_DAYS_MAX).filter_map(|days| date.checked_add((step * days).days()).ok());
        candidates.into_iter().find(|day| !self.free(route, *day, &[Kind::Holiday, Kind::Weekend]))
    }

    /// Whether nobody works on the route that day: it is of one of these kinds, or a half-day that ends before.
    fn free(&self, route: &WrittenRoute, date: Date, kinds: &[Kind]) -> bool {
        let kind = self.holidays.of(date).0;
        kinds.contains(&kind) || (kind == Kind::HalfDay && route.at >= self.holidays.half_days_end)
    }
}

impl WrittenRoute {
    /// Whether the date would have a service if there were neither holidays nor exceptions.
    pub(super) fn is_regular(&self, date: Date) -> bool {
        self.days.weekdays.contains(&super::days::weekday(date)) && self.in_served_week(date)
    }

    fn in_served_week(&self, date: Date) -> bool {
        let Some(anchor) = self.anchor.filter(|_| self.every_weeks > 1) else { return true };
        let week = |date: Date| {
            let monday = i64::from(date.weekday().to_monday_zero_offset());
            (days_since_1970(date) - monday).div_euclid(7)
        };
        (week(date) - week(anchor)).rem_euclid(self.every_weeks) == 0
    }
}

fn days_since_1970(date: Date) -> i64 {
    i64::from((date - jiff::civil::date(1970, 1, 1)).get_days())
}
