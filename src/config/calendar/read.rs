//! From `calendars/*.toml` to `WrittenCalendars`: every key checked, every fault of every file reported.
//!
//! The files belong together: a shift or route is named once in all of them, and the time zone and the holidays are
//! said in one. Without any file the defaults hold: Danish time, Danish holidays, no shifts and no routes.

use super::days::{ByHand, Holidays, Kind};
use super::fields::{self, NAME_BYTES_MAX, dates, items, name, time, time_of_day, weekdays};
use super::holidays::ByChoice;
use super::local::{TimeOfDay, time_zone, time_zone_names};
use super::written::{DefaultRoute, Hours, OnHoliday, WrittenCalendars, WrittenRoute};
use crate::domain::fault::{Fault, suggest_known};
use crate::domain::ids::AssetKind;
use crate::domain::toml_reader::{Document, Faults, Field, Section};
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use smol_str::SmolStr;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

const TIME_ZONE: &str = "Europe/Copenhagen";
const HALF_DAYS_END: Time = Time::constant(12, 0, 0, 0);
/// Weeks from one service to the next.
pub(super) const EVERY_WEEKS: RangeInclusive<i64> = 1..=26;
const SHIFTS_MAX: usize = 100;
const ROUTES_MAX: usize = 500;
/// Sets of hours of one shift, days by hand in one file.
const HOURS_MAX: usize = 16;
const DAYS_MAX: usize = 1_000;

/// Reads the files of a calendar folder, by name.
///
/// # Errors
/// Every fault of every file, ordered by place.
pub fn read_calendars(files: &BTreeMap<SmolStr, String>) -> Result<WrittenCalendars, Vec<Fault>> {
    let faults = Faults::default();
    let mut reading = Reading::default();
    for (file, text) in files {
        let document = Document::parse(file.clone(), text, &faults);
        reading.file(file, text, document.root(&faults));
    }
    if faults.is_empty() { Ok(reading.finish()) } else { Err(faults.into_sorted()) }
}

/// What has been read so far, and where, so that the second of two is told about the first.
#[derive(Default)]
struct Reading {
    zone: Option<(SmolStr, TimeZone)>,
    holidays: Option<Holidays>,
    by_hand: BTreeMap<Date, ByHand>,
    shifts: BTreeMap<SmolStr, Vec<Hours>>,
    routes: BTreeMap<SmolStr, WrittenRoute>,
    default_routes: BTreeMap<AssetKind, DefaultRoute>,
    /// What is taken, and the place where it stands: `shift night` → `calendars/care.toml:12`.
    taken: BTreeMap<String, String>,
}

/// One file being read.
#[derive(Clone, Copy)]
struct File<'t> {
    name: &'t SmolStr,
    text: &'t str,
}

impl Reading {
    fn file(&mut self, name: &SmolStr, text: &str, mut root: Section<'_>) {
        let file = File { name, text };
        if let Some(field) = root.optional("time_zone") {
            self.take(file, "time zone", &field);
            self.zone = zone(&field);
        }
        if let Some(field) = root.optional("holidays") {
            self.take(file, "table `holidays`", &field);
            self.holidays = field.section().map(holidays);
        }
        for section in at_most(root.sections("day"), DAYS_MAX) {
            self.day(file, section);
        }
        for section in at_most(root.sections("shift"), SHIFTS_MAX) {
            self.shift(file, section);
        }
        for section in at_most(root.sections("route"), ROUTES_MAX) {
            self.route(file, section);
        }
        root.finish();
    }

    /// Whether `what` is said for the first time; the second time is a fault.
    fn take(&mut self, file: File<'_>, what: &str, field: &Field<'_>) -> bool {
        match self.taken.entry(what.to_owned()) {
            Entry::Occupied(taken) => {
                field.fault(format!("the {what} is already there"), format!("the other one stands in {}", taken.get()));
                false
            }
            Entry::Vacant(free) => {
                let before = file.text.get(..field.span().start).unwrap_or_default();
                free.insert(format!("{}:{}", file.name, before.matches('\n').count() + 1));
                true
            }
        }
    }

    fn day(&mut self, file: File<'_>, mut section: Section<'_>) {
        const KINDS: [(&str, Kind); 3] =
            [("holiday", Kind::Holiday), ("half-day", Kind::HalfDay), ("workday", Kind::Workday)];
        let date = section.required("date", "date = 2026-05-15");
        let kind =
            section.required("kind", "kind = \"holiday\"").and_then(|field| field.one_of(&KINDS.map(|known| known.0)));
        let name = section
            .required("name", "name = \"The day after Ascension Day\"")
            .and_then(|field| field.filled_text(NAME_BYTES_MAX));
        section.finish();
        let Some((field, date)) = date.and_then(|field| Some((field.clone(), fields::date(&field)?))) else { return };
        if self.take(file, &format!("day {date}"), &field)
            && let (Some(kind), Some(name)) = (kind, name)
        {
            self.by_hand.insert(date, ByHand { kind: KINDS[kind].1, name: SmolStr::new(name.value.trim()) });
        }
    }

    fn shift(&mut self, file: File<'_>, mut section: Section<'_>) {
        let named = section.required("name", "name = \"night\"");
        let mut all = vec![hours(&mut section)];
        for mut also in at_most(section.sections("also"), HOURS_MAX) {
            all.push(hours(&mut also));
            also.finish();
        }
        section.finish();
        if let Some((field, name)) = named.and_then(|field| Some((field.clone(), name(&field)?)))
            && self.take(file, &format!("shift `{name}`"), &field)
        {
            self.shifts.insert(name, all.into_iter().flatten().collect());
        }
    }

    fn route(&mut self, file: File<'_>, mut section: Section<'_>) {
        let named = section.required("name", "name = \"north\"");
        let default_for = section.optional("default_for");
        let route = route(section);
        let Some((field, name)) = named.and_then(|field| Some((field.clone(), name(&field)?))) else { return };
        if !self.take(file, &format!("route `{name}`"), &field) {
            return;
        }
        let kinds = default_for.map(|field| items(&field, "a list of kinds of asset", "default_for = [\"bin\"]"));
        for kind in kinds.unwrap_or_default() {
            let Some(text) = fields::name(&kind) else { continue };
            if self.take(file, &format!("route of every `{text}`"), &kind) {
                let default = DefaultRoute { route: name.clone(), file: file.name.clone(), place: kind.span() };
                self.default_routes.insert(AssetKind::new(text), default);
            }
        }
        if let Some(route) = route {
            self.routes.insert(name, route);
        }
    }

    fn finish(self) -> WrittenCalendars {
        let Self { zone, holidays, by_hand, shifts, routes, default_routes, taken: _ } = self;
        let (zone_name, zone) =
            zone.unwrap_or_else(|| (TIME_ZONE.into(), time_zone(TIME_ZONE).unwrap_or(TimeZone::UTC)));
        let holidays = Holidays { by_hand, ..holidays.unwrap_or_else(usual_holidays) };
        WrittenCalendars { zone_name, zone, holidays, shifts, routes, default_routes }
    }
}

fn usual_holidays() -> Holidays {
    Holidays {
        danish: true,
        half_days: BTreeSet::new(),
        whole_days: BTreeSet::new(),
        half_days_end: HALF_DAYS_END,
        by_hand: BTreeMap::new(),
    }
}

fn zone(field: &Field<'_>) -> Option<(SmolStr, TimeZone)> {
    let text = field.filled_text(NAME_BYTES_MAX)?;
    let found = time_zone(&text.value);
    if found.is_none() {
        let names = time_zone_names();
        let message = format!("\"{}\" is no time zone", text.value);
        field.fault(message, suggest_known(&text.value, names.iter().map(String::as_str)));
    }
    found.map(|zone| (SmolStr::new(&text.value), zone))
}

fn holidays(mut section: Section<'_>) -> Holidays {
    const RULES: [&str; 2] = ["denmark", "none"];
    let usual = usual_holidays();
    let rules = section.optional("rules").and_then(|field| field.one_of(&RULES));
    let mut chosen = BTreeSet::new();
    let half_days = by_choice(section.optional("half_days").as_ref(), &mut chosen);
    let whole_days = by_choice(section.optional("whole_days").as_ref(), &mut chosen);
    let half_days_end = section.optional("half_days_end").and_then(|field| time(&field));
    section.finish();
    Holidays {
        danish: rules.is_none_or(|at| RULES[at] == "denmark"),
        half_days,
        whole_days,
        half_days_end: half_days_end.unwrap_or(usual.half_days_end),
        ..usual
    }
}

/// Days free by choice; one that is chosen already is a fault.
fn by_choice(field: Option<&Field<'_>>, chosen: &mut BTreeSet<ByChoice>) -> BTreeSet<ByChoice> {
    let mut found = BTreeSet::new();
    let listed = field.map(|field| items(field, "a list of days", "half_days = [\"christmas-eve\"]"));
    for item in listed.unwrap_or_default() {
        let Some(day) = item.one_of(&ByChoice::ALL.map(ByChoice::as_str)).map(|at| ByChoice::ALL[at]) else { continue };
        if chosen.insert(day) {
            found.insert(day);
        } else {
            item.fault(format!("`{}` is chosen twice", day.as_str()), "keep one of them".to_owned());
        }
    }
    found
}

/// Days, beginning and end; `None` after a fault in one of them.
fn hours(section: &mut Section<'_>) -> Option<Hours> {
    let days = section.required("days", "days = [\"every-day\"]").and_then(|field| fields::days(&field));
    let start = section.required("start", "start = \"23:00\"").and_then(|field| time(&field));
    let end = section.required("end", "end = \"07:00\"");
    let found = end.as_ref().and_then(time_of_day);
    if let (Some(start), Some(TimeOfDay::At(same)), Some(field)) = (start, found, end)
        && start == same
    {
        field.fault("it ends when it begins".to_owned(), "a whole day is from \"00:00\" to \"24:00\"".to_owned());
    }
    Some(Hours { days: days?, start: start?, end: found? })
}

fn route(mut section: Section<'_>) -> Option<WrittenRoute> {
    let days = section.required("days", "days = [\"monday\", \"thursday\"]").and_then(|field| weekdays(&field));
    let at = section.required("at", "at = \"06:00\"").and_then(|field| time(&field));
    let every = section.optional("every_weeks");
    let every_weeks = every.as_ref().map_or(Some(1), |field| field.whole(EVERY_WEEKS));
    let anchored = section.optional("anchor");
    let anchor = anchored.as_ref().and_then(fields::date);
    if let (Some(every), Some(2..), None) = (&every, every_weeks, &anchored) {
        every.fault(
            "not every week is served, and nothing says which are".to_owned(),
            "anchor = 2026-01-05, any date in a week with service".to_owned(),
        );
    }
    let on_holiday =
        section.optional("on_holiday").and_then(|field| field.one_of(&OnHoliday::ALL.map(OnHoliday::as_str)));
    let extra = section.optional("extra").map(|field| dates(&field));
    let sections = at_most(section.sections("exception"), fields::LIST_MAX);
    let route = match (days, at, every_weeks) {
        (Some(days), Some(at), Some(every_weeks)) => Some(WrittenRoute {
            days,
            at,
            every_weeks,
            anchor,
            on_holiday: on_holiday.map_or(OnHoliday::NextWorkday, |at| OnHoliday::ALL[at]),
            exceptions: BTreeMap::new(),
            extra: extra.unwrap_or_default().into_iter().collect(),
        }),
        _ => None,
    };
    let mut exceptions = BTreeMap::new();
    for exception in sections {
        exceptions.extend(one_exception(exception, route.as_ref(), &exceptions));
    }
    section.finish();
    route.map(|route| WrittenRoute { exceptions, ..route })
}

/// A date without its service, and the date that has it instead.
fn one_exception(
    mut section: Section<'_>,
    route: Option<&WrittenRoute>,
    known: &BTreeMap<Date, Option<Date>>,
) -> Option<(Date, Option<Date>)> {
    let field = section.required("date", "date = 2026-07-20");
    let moved_to = section.optional("moved_to").map(|field| fields::date(&field));
    section.finish();
    let field = field?;
    let date = fields::date(&field)?;
    if known.contains_key(&date) {
        field.fault(format!("the exception {date} is already there"), "keep one of them".to_owned());
    } else if route.is_some_and(|route| !route.is_regular(date)) {
        field.fault(
            format!("{date} is a {} without service on this route", super::days::weekday(date).as_str()),
            "one of the days of the route; a service more goes into extra = [2026-07-20]".to_owned(),
        );
    }
    Some((date, moved_to.flatten()))
}

/// The tables of a list that is not too long.
fn at_most(mut sections: Vec<Section<'_>>, most: usize) -> Vec<Section<'_>> {
    if let Some(beyond) = sections.get(most) {
        beyond.fault(beyond.span(), format!("more than {most} of them"), "leave some out".to_owned());
        sections.truncate(most);
    }
    sections
}
