//! Five years hour by hour: the tables against a slow second way that knows nothing of them.
//!
//! The second way asks jiff what the wall clock shows and walks: a time of day is the first quarter of an hour at which
//! the clock shows it or more, holidays are the printed ones, weeks are counted by walking seven days at a time.

use super::holidays::printed;
use super::{at, written};
use crate::domain::calendar::{DayKind, Turn};
use crate::domain::time::{Span, Timestamp};
use jiff::civil::{Date, Weekday, date};
use jiff::tz::TimeZone;
use jiff::{ToSpan as _, ZonedDateTime};
use std::collections::{BTreeMap, BTreeSet};

const TEXT: &str = r#"
[holidays]
half_days = ["constitution-day", "christmas-eve", "new-years-eve"]

[[day]]
date = 2027-05-07
kind = "holiday"
name = "The day after Ascension Day"

[[shift]]
name = "night"
days = ["every-day"]
start = "23:00"
end = "07:00"

[[shift]]
name = "day"
days = ["workday"]
start = "07:00"
end = "15:00"
[[shift.also]]
days = ["weekend", "holiday"]
start = "08:15"
end = "16:00"

[[shift]]
name = "late"
days = ["friday", "saturday"]
start = "20:00"
end = "02:30"

[[shift]]
name = "odd"
days = ["every-day"]
start = "02:30"
end = "05:15"

[[shift]]
name = "watch"
days = ["holiday"]
start = "10:00"
end = "20:00"

[[shift]]
name = "weekend"
days = ["weekend"]
start = "00:00"
end = "24:00"

[[route]]
name = "town"
days = ["monday", "wednesday", "friday"]
at = "06:00"

[[route]]
name = "north"
days = ["thursday"]
at = "13:00"
every_weeks = 3
anchor = 2026-01-08
on_holiday = "previous-workday"

[[route]]
name = "night"
days = ["sunday"]
at = "02:30"
on_holiday = "as-usual"
"#;

type Time = (i8, i8);

#[derive(Clone, Copy, PartialEq)]
enum Sort {
    Work,
    Half,
    Free,
    Rest,
}

struct Oracle {
    zone: TimeZone,
    holidays: BTreeSet<Date>,
    moments: BTreeMap<(Date, Time), Timestamp>,
}

impl Oracle {
    fn new() -> Self {
        let holidays = printed().into_keys().chain([date(2027, 5, 7), date(2031, 1, 1)]).collect();
        Self { zone: TimeZone::get("Europe/Copenhagen").unwrap(), holidays, moments: BTreeMap::new() }
    }

    fn zoned(&self, at: Timestamp) -> ZonedDateTime {
        ZonedDateTime::new(jiff::Timestamp::from_microsecond(at.as_micros()).unwrap(), self.zone.clone())
    }

    /// The first quarter of an hour at which the wall clock shows this time of this date, or more.
    fn moment(&mut self, day: Date, (hour, minute): Time) -> Timestamp {
        if let Some(known) = self.moments.get(&(day, (hour, minute))) {
            return *known;
        }
        let target = day.at(hour % 24, minute, 0, 0).checked_add(i64::from(hour / 24).days()).unwrap();
        let noon_before = self.zone.to_timestamp(day.yesterday().unwrap().at(12, 0, 0, 0)).unwrap();
        let mut found = Timestamp::from_micros(noon_before.as_microsecond());
        while self.zoned(found).datetime() < target {
            found = found + Span::from_mins(15);
        }
        self.moments.insert((day, (hour, minute)), found);
        found
    }

    fn sort(&self, day: Date) -> Sort {
        let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        if self.holidays.contains(&day) {
            Sort::Free
        } else if weekend {
            Sort::Rest
        } else if [(6, 5), (12, 24), (12, 31)].contains(&(day.month(), day.day())) {
            Sort::Half
        } else {
            Sort::Work
        }
    }

    /// From when to when the shift that begins on this day is on.
    fn hours(&mut self, shift: &str, day: Date) -> Vec<(Timestamp, Timestamp)> {
        let (sort, weekend) = (self.sort(day), matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday));
        let (noon, tomorrow) = (self.moment(day, (12, 0)), day.tomorrow().unwrap());
        let mut span = |from: Time, last: Date, until: Time| (self.moment(day, from), self.moment(last, until));
        match shift {
            "night" => vec![span((23, 0), tomorrow, (7, 0))],
            "odd" => vec![span((2, 30), day, (5, 15))],
            "weekend" if weekend => vec![span((0, 0), day, (24, 0))],
            "late" if matches!(day.weekday(), Weekday::Friday | Weekday::Saturday) => {
                vec![span((20, 0), tomorrow, (2, 30))]
            }
            "watch" if sort == Sort::Free => vec![span((10, 0), day, (20, 0))],
            "watch" if sort == Sort::Half => vec![(noon, span((10, 0), day, (20, 0)).1)],
            "day" if sort == Sort::Work => vec![span((7, 0), day, (15, 0))],
            // A half-day is a workday until noon and a holiday from there.
            "day" if sort == Sort::Half => {
                vec![(span((7, 0), day, (15, 0)).0, noon), (noon, span((8, 15), day, (16, 0)).1)]
            }
            "day" => vec![span((8, 15), day, (16, 0))],
            _ => Vec::new(),
        }
    }

    fn in_shift(&mut self, shift: &str, at: Timestamp) -> bool {
        let today = self.zoned(at).date();
        let mut hours = self.hours(shift, today.yesterday().unwrap());
        hours.extend(self.hours(shift, today));
        hours.iter().any(|(from, until)| *from <= at && at < *until)
    }

    /// Every service from the end of 2025 to the beginning of 2032.
    fn services(&mut self, route: &str) -> BTreeSet<Timestamp> {
        let (first, end) = (date(2025, 11, 1), date(2032, 2, 1));
        let worked = |sort: Sort, after_noon: bool| sort == Sort::Work || (sort == Sort::Half && !after_noon);
        let mut days = BTreeSet::new();
        match route {
            "town" => {
                for day in first.series(1.day()).take_while(|day| *day < end) {
                    if matches!(day.weekday(), Weekday::Monday | Weekday::Wednesday | Weekday::Friday) {
                        let mut served = day;
                        while self.sort(day) == Sort::Free && !worked(self.sort(served), false) {
                            served = served.tomorrow().unwrap();
                        }
                        days.insert(served);
                    }
                }
            }
            "north" => {
                let mut day = date(2026, 1, 8);
                while day > first {
                    day = day.checked_sub(21.days()).unwrap();
                }
                while day < end {
                    let mut served = day;
                    while matches!(self.sort(day), Sort::Free | Sort::Half) && !worked(self.sort(served), true) {
                        served = served.yesterday().unwrap();
                    }
                    days.insert(served);
                    day = day.checked_add(21.days()).unwrap();
                }
            }
            _ => days.extend(
                first.series(1.day()).take_while(|day| *day < end).filter(|day| day.weekday() == Weekday::Sunday),
            ),
        }
        let time = match route {
            "town" => (6, 0),
            "north" => (13, 0),
            _ => (2, 30),
        };
        days.into_iter().map(|day| self.moment(day, time)).collect()
    }
}

#[test]
fn five_years_hour_by_hour() {
    let calendars = written(TEXT);
    let mut oracle = Oracle::new();
    let services = ["town", "north", "night"].map(|route| (route, oracle.services(route)));
    let (mut now, end) = (at("2026-01-01T00:00Z"), at("2031-01-01T00:00Z"));
    let mut tables = calendars.around(now);
    let mut expansions = 0;
    while now < end {
        if now >= tables.renew_at {
            tables = calendars.around(now);
            expansions += 1;
        }
        let zoned = oracle.zoned(now);
        for shift in ["night", "day", "late", "odd", "watch", "weekend"] {
            let on = oracle.in_shift(shift, now);
            assert_eq!(tables.in_shift(shift, now), Some(on), "{shift} at {zoned}");
            // Nothing changes before the next boundary, and the answer changes there.
            let boundary = tables.next_boundary(shift, now).unwrap();
            assert_eq!(boundary.turn == Turn::Ends, on, "{shift} at {zoned}");
            let around = [boundary.at - Span::from_micros(1), boundary.at].map(|at| tables.in_shift(shift, at));
            assert_eq!(around, [Some(on), Some(!on)], "{shift} at {zoned}");
        }
        for (route, services) in &services {
            let (next, last) =
                (services.range(now + Span::from_micros(1)..).next(), services.range(..=now).next_back());
            assert_eq!(tables.next_service(route, now), next.copied(), "{route} after {zoned}");
            assert_eq!(
                tables.previous_service(route, now),
                last.copied().filter(|last| tables.covers(*last)),
                "{route} before {zoned}"
            );
        }
        let day = tables.day(now).unwrap();
        assert_eq!(day.weekday.place(), usize::try_from(zoned.weekday().to_monday_zero_offset()).unwrap(), "{zoned}");
        let sort = match day.kind {
            DayKind::Workday => Sort::Work,
            DayKind::HalfDay { .. } => Sort::Half,
            DayKind::Weekend => Sort::Rest,
            DayKind::Holiday => Sort::Free,
        };
        assert!(sort == oracle.sort(zoned.date()), "{zoned}: {:?}", day.kind);
        assert_eq!(day.from, oracle.moment(zoned.date(), (0, 0)), "{zoned}");
        now = now + Span::from_hours(1);
    }
    assert_eq!(expansions, 9, "every 200 days");
}
