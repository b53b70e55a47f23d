//! One value of a calendar file: a name, a date, a time of day, a list of days.

use super::days::Days;
use super::local::TimeOfDay;
use crate::domain::calendar::Weekday;
use crate::domain::fault::suggest_known;
use crate::domain::toml_reader::Field;
use jiff::civil::{Date, Time};
use smol_str::SmolStr;

/// Bytes of a name.
pub(super) const NAME_BYTES_MAX: usize = 64;
/// Entries in one list.
pub(super) const LIST_MAX: usize = 200;
/// Years that a date may be in: beyond them it is a slip of the pen.
const YEARS: std::ops::RangeInclusive<i16> = 2000..=2100;

const WORKDAY: &str = "workday";
const WEEKEND: &str = "weekend";
const HOLIDAY: &str = "holiday";
const EVERY_DAY: &str = "every-day";

/// The name of a shift, a route or a kind of asset.
pub(super) fn name(field: &Field<'_>) -> Option<SmolStr> {
    field.machine_name(NAME_BYTES_MAX, "night")
}

/// A date, `2026-12-24`, with quotes or without.
pub(super) fn date(field: &Field<'_>) -> Option<Date> {
    let text = field.moment("2026-12-24")?;
    // What follows a date in a longer text is not read over.
    let parsed = (text.value.len() == 10).then(|| text.value.parse::<Date>().ok()).flatten();
    if parsed.is_none_or(|date| !YEARS.contains(&date.year())) {
        field.fault(
            format!("`{}` is no date: {}", field.name(), text.value),
            format!("year, month and day, such as 2026-12-24, from {} to {}", YEARS.start(), YEARS.end()),
        );
        return None;
    }
    parsed
}

/// Several dates.
pub(super) fn dates(field: &Field<'_>) -> Vec<Date> {
    items(field, "a list of dates", "[2026-12-24]").iter().filter_map(date).collect()
}

/// A time of day before midnight.
pub(super) fn time(field: &Field<'_>) -> Option<Time> {
    match time_of_day(field)? {
        TimeOfDay::At(time) => Some(time),
        TimeOfDay::Midnight => {
            field.fault(format!("`{}` is 24:00, the end of a day", field.name()), "00:00 begins a day".to_owned());
            None
        }
    }
}

/// A time of day, `07:00` to `24:00`, with quotes or without.
pub(super) fn time_of_day(field: &Field<'_>) -> Option<TimeOfDay> {
    let text = field.moment("\"07:00\"")?;
    let found = parse_time(&text.value);
    if found.is_none() {
        field.fault(
            format!("`{}` is no time of day: {}", field.name(), text.value),
            "hours and minutes, such as \"07:00\", from \"00:00\" to \"24:00\"".to_owned(),
        );
    }
    found
}

fn parse_time(text: &str) -> Option<TimeOfDay> {
    let (hour, minute) = text.strip_suffix(":00").filter(|rest| rest.contains(':')).unwrap_or(text).split_once(':')?;
    let number = |digits: &str| {
        let written = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        written.then(|| digits.parse::<i8>().ok()).flatten()
    };
    match (number(hour)?, number(minute)?) {
        (24, 0) => Some(TimeOfDay::Midnight),
        (hour, minute) => Time::new(hour, minute, 0, 0).ok().map(TimeOfDay::At),
    }
}

/// The days of a shift: weekdays, `workday`, `weekend`, `holiday`, `every-day`.
pub(super) fn days(field: &Field<'_>) -> Option<Days> {
    let known: Vec<&str> =
        [WORKDAY, WEEKEND, HOLIDAY, EVERY_DAY].into_iter().chain(Weekday::ALL.map(Weekday::as_str)).collect();
    days_among(field, &known)
}

/// The days of a route: weekdays only, because holidays move them.
pub(super) fn weekdays(field: &Field<'_>) -> Option<Days> {
    let known: Vec<&str> = Weekday::ALL.map(Weekday::as_str).into_iter().chain([EVERY_DAY]).collect();
    days_among(field, &known)
}

fn days_among(field: &Field<'_>, known: &[&str]) -> Option<Days> {
    let items = items(field, "a list of days", &format!("{} = [\"monday\", \"thursday\"]", field.name()));
    let mut days = Days::default();
    for item in &items {
        let Some(word) = item.one_of(known).map(|at| known[at]) else { continue };
        match word {
            WORKDAY => days.workdays = true,
            WEEKEND => days.weekends = true,
            HOLIDAY => days.holidays = true,
            EVERY_DAY => days.weekdays.extend(Weekday::ALL),
            weekday => days.weekdays.extend(Weekday::ALL.into_iter().filter(|day| day.as_str() == weekday)),
        }
    }
    if items.is_empty() {
        field.fault(format!("`{}` names no day", field.name()), suggest_known("", known.iter().copied()));
    }
    (days != Days::default()).then_some(days)
}

/// The values of a list that is not too long.
pub(super) fn items<'a>(field: &Field<'a>, expected: &str, example: &str) -> Vec<Field<'a>> {
    let mut items = field.items(expected, example);
    if items.len() > LIST_MAX {
        field.fault(format!("`{}` has {} entries", field.name(), items.len()), format!("at most {LIST_MAX}"));
        items.truncate(LIST_MAX);
    }
    items
}
