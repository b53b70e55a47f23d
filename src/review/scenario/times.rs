//! Moments of a scenario: a time of day, a date with one, or so long after the step before.

use crate::config::WrittenCalendars;
use crate::domain::time::{Span, Timestamp};
use crate::domain::toml_reader::{Field, Text};
use jiff::civil::{Date, DateTime, Time};

/// A Monday without holidays near.
const DAY: Date = Date::constant(2026, 3, 2);
/// From the first step to the last.
pub(super) const LONGEST: Span = Span::from_hours(24 * 150);
const EXAMPLE: &str = "write \"08:00\", \"2026-03-03 08:00\", or \"+10m\" for so long after the step before";

/// Where a reading stands in time.
pub(super) struct Times<'a> {
    calendars: &'a WrittenCalendars,
    /// The date that a time of day belongs to.
    date: Date,
    /// The moment of the step before.
    before: Option<Timestamp>,
    first: Option<Timestamp>,
}

impl<'a> Times<'a> {
    pub fn starting(calendars: &'a WrittenCalendars, day: Option<&Field<'_>>) -> Self {
        let date = day.and_then(|field| {
            let text = field.moment("2026-03-02")?;
            let date = text.value.parse().ok();
            if date.is_none() {
                text.fault(format!("\"{}\" is no date", text.value), "write day = 2026-03-02".to_owned());
            }
            date
        });
        Self { calendars, date: date.unwrap_or(DAY), before: None, first: None }
    }

    /// The moment of the next step.
    pub fn step(&mut self, field: &Field<'_>) -> Option<Timestamp> {
        let text = field.moment("\"08:00\"")?;
        let at = self.moment(&text)?;
        if let Some(before) = self.before.filter(|before| at < *before) {
            let shown = self.calendars.shown_at(before).map_or_else(String::new, |shown| shown.to_string());
            text.fault(
                format!("\"{}\" is before the step before it, at {shown}", text.value),
                "steps go forward in time; a later day is written with its date, or as \"+1d\"".to_owned(),
            );
            return None;
        }
        let first = *self.first.get_or_insert(at);
        if at.since(first) > LONGEST {
            let message = format!("\"{}\" is more than {LONGEST} after the first step", text.value);
            text.fault(message, "tell it as two scenarios".to_owned());
            return None;
        }
        self.before = Some(at);
        if let Some(shown) = self.calendars.shown_at(at) {
            self.date = shown.date();
        }
        Some(at)
    }

    /// A moment that is not that of a step; it may lie before it.
    pub fn moment(&self, text: &Text<'_>) -> Option<Timestamp> {
        let written = text.value.trim();
        if let Some(length) = written.strip_prefix('+') {
            let Ok(span) = Span::parse(length) else {
                text.fault(format!("\"{written}\" is no length of time after a plus"), EXAMPLE.to_owned());
                return None;
            };
            let from = self.before.or_else(|| self.calendars.moment_of(self.date.to_datetime(Time::midnight())))?;
            return Some(from + span);
        }
        let shown = match written.split_once([' ', 'T']) {
            Some((date, time)) => date.parse::<Date>().ok().zip(time_of_day(time)),
            None => time_of_day(written).map(|time| (self.date, time)),
        };
        let at = shown.and_then(|(date, time)| self.calendars.moment_of(DateTime::from_parts(date, time)));
        if at.is_none() {
            text.fault(format!("\"{written}\" is no moment"), EXAMPLE.to_owned());
        }
        at
    }
}

/// Hours and minutes, and perhaps seconds; a zone is nothing here.
fn time_of_day(text: &str) -> Option<Time> {
    let shaped = text.len() >= 5 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    if shaped { text.parse().ok() } else { None }
}
