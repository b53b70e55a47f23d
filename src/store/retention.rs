//! Which months of history are kept.
//!
//! Retention counts in whole calendar months (UTC), in both stores: PostgreSQL drops a month's partition, SQLite its
//! rows, and two stores that are told the same time forget the same.

use crate::domain::time::{Span, Timestamp};
use jiff::civil::Date;
use jiff::tz::Offset;

/// Rows that one step of forgetting looks at.
pub(super) const FORGET_AT_ONCE: usize = 10_000;
/// Steps at a time; history waits for them.
pub(super) const FORGET_STEPS_MAX: usize = 20;

/// How long history is kept; what is older goes with its month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Observations, the log of events, quarantined messages and what was set aside.
    pub retain_for: Span,
    /// Alarms, tasks and the hourly roll-ups.
    pub summaries_for: Span,
}

/// Everything before these moments may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cutoff {
    pub observed: Timestamp,
    pub summarised: Timestamp,
}

/// How far looking after the months has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tended {
    All,
    /// There is more that is old enough.
    Part,
}

/// One calendar month from 2000 to 2099, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Month {
    year: i16,
    month: i8,
}

impl Retention {
    #[must_use]
    pub fn cutoff(&self, now: Timestamp) -> Cutoff {
        let before = |span| Month::of(now - span).map_or(Timestamp::MIN, Month::start);
        Cutoff { observed: before(self.retain_for), summarised: before(self.summaries_for) }
    }
}

impl Month {
    /// None before 2000 and after 2099: no sensor of ours measured then.
    pub(super) fn of(at: Timestamp) -> Option<Self> {
        let date = Offset::UTC.to_datetime(jiff::Timestamp::from_microsecond(at.as_micros()).ok()?).date();
        (2000..2100).contains(&date.year()).then(|| Self { year: date.year(), month: date.month() })
    }

    pub(super) fn next(self) -> Self {
        if self.month == 12 { Self { year: self.year + 1, month: 1 } } else { Self { month: self.month + 1, ..self } }
    }

    /// Its first microsecond.
    pub(super) fn start(self) -> Timestamp {
        let date = Date::new(self.year, self.month, 1);
        let start = date.and_then(|date| Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)));
        // A year with four digits and a month of twelve is always a date.
        start.map_or(Timestamp::MIN, |start| Timestamp::from_micros(start.as_microsecond()))
    }

    /// The partition that holds it.
    pub(super) fn table(self) -> String {
        format!("observation_{:04}_{:02}", self.year, self.month)
    }

    /// The month a partition holds; none for a table that is not one of a month.
    pub(super) fn of_table(table: &str) -> Option<Self> {
        let (year, month) = table.strip_prefix("observation_")?.split_once('_')?;
        let month = Self { year: year.parse().ok()?, month: month.parse().ok()? };
        ((2000..2100).contains(&month.year) && (1..=12).contains(&month.month)).then_some(month)
    }
}

impl std::fmt::Display for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
    }

    #[test]
    fn a_month_starts_at_midnight_and_ends_before_the_next() {
        let december = Month::of(at("2026-12-31T23:59:59.999999Z")).unwrap();
        assert_eq!(december.start(), at("2026-12-01T00:00:00Z"));
        assert_eq!(december.next().start(), at("2027-01-01T00:00:00Z"));
        assert_eq!(Month::of_table(&december.table()), Some(december));
        let first = Month::of(at("2000-01-01T00:00:00Z")).unwrap();
        assert_eq!(first.start(), at("2000-01-01T00:00:00Z"));
    }

    #[test]
    fn no_device_clock_asks_for_a_month_of_another_century() {
        for text in ["1999-12-31T23:59:59Z", "2100-01-01T00:00:00Z"] {
            assert_eq!(Month::of(at(text)), None);
        }
        assert_eq!((Month::of(Timestamp::MIN), Month::of(Timestamp::from_micros(i64::MAX))), (None, None));
        assert_eq!(Month::of_table("observation_before"), None);
    }

    #[test]
    fn only_whole_months_are_forgotten() {
        let days = |days: i64| Span::from_hours(days * 24);
        let retention = Retention { retain_for: days(31), summaries_for: days(366) };
        let cutoff = retention.cutoff(at("2026-05-20T10:00:00Z"));
        assert_eq!(cutoff, Cutoff { observed: at("2026-04-01T00:00:00Z"), summarised: at("2025-05-01T00:00:00Z") });
        assert_eq!(retention.cutoff(Timestamp::from_micros(0)).observed, Timestamp::MIN);
    }
}
