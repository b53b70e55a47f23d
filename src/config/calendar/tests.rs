//! Calendars through their own door: files in, tables or faults out.

mod five_years;
mod holidays;

use super::*;
use crate::config::{Kind, schema};
use crate::domain::calendar::{Boundary, Calendars, DayKind, Turn, Weekday, Window};
use crate::domain::fault::Fault;
use crate::domain::ids::AssetKind;
use crate::domain::time::{Span, Timestamp};
use jiff::civil::date;
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};

fn files(texts: &[(&str, &str)]) -> BTreeMap<SmolStr, String> {
    texts.iter().map(|(name, text)| (format!("calendars/{name}.toml").into(), (*text).to_owned())).collect()
}

fn written(text: &str) -> WrittenCalendars {
    read_calendars(&files(&[("test", text)])).unwrap_or_else(|faults| panic!("{}", shown(text, &faults)))
}

fn shown(text: &str, faults: &[Fault]) -> String {
    let line = |fault: &Fault| {
        let (line, column) = fault.place(text);
        format!("{}:{line}:{column} {}\n    {}", fault.file, fault.message, fault.suggestion.as_deref().unwrap_or("-"))
    };
    faults.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn faults(text: &str) -> String {
    shown(text, &read_calendars(&files(&[("test", text)])).expect_err("faults are expected"))
}

/// `2026-03-29T01:00Z`
pub(super) fn at(text: &str) -> Timestamp {
    let full = text.replace('Z', ":00Z");
    Timestamp::from_micros(full.parse::<jiff::Timestamp>().unwrap().as_microsecond())
}

fn text(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.as_micros()).unwrap().to_string().replace(":00Z", "Z")
}

fn year(calendars: &WrittenCalendars, year: i16) -> Calendars {
    let covers = Window { from: at(&format!("{year}-01-01T00:00Z")), until: at(&format!("{}-01-01T00:00Z", year + 1)) };
    let tables = calendars.expand(covers);
    assert!(tables.in_order());
    tables
}

fn shift(text: &str) -> WrittenCalendars {
    written(&format!("[[shift]]\nname = \"s\"\n{text}"))
}

/// Where the shift is on around a moment: `from – until`.
fn window(tables: &Calendars, around: &str) -> String {
    let at = at(around);
    assert_eq!(tables.in_shift("s", at), Some(true), "{around}");
    let (from, until) = (tables.previous_boundary("s", at).unwrap(), tables.next_boundary("s", at).unwrap());
    assert_eq!((from.turn, until.turn), (Turn::Begins, Turn::Ends));
    format!("{} – {}", text(from.at), text(until.at))
}

/// The local dates on which the route is served.
fn served(route: &str, tables_of: i16) -> Vec<String> {
    let calendars = written(&format!("[[route]]\nname = \"r\"\nat = \"06:00\"\n{route}"));
    let zone = jiff::tz::TimeZone::get("Europe/Copenhagen").unwrap();
    let services = year(&calendars, tables_of).route("r").unwrap().services.clone();
    let local = |at: &Timestamp| {
        let shown = zone.to_datetime(jiff::Timestamp::from_microsecond(at.as_micros()).unwrap());
        assert_eq!((shown.hour(), shown.minute()), (6, 0));
        shown.date().strftime("%a %d.%m").to_string()
    };
    services.iter().map(local).collect()
}

#[test]
fn a_night_shift_is_seven_hours_in_spring_and_nine_in_autumn() {
    let tables = year(&shift("days = [\"every-day\"]\nstart = \"23:00\"\nend = \"07:00\""), 2026);
    assert_eq!(window(&tables, "2026-03-28T23:00Z"), "2026-03-28T22:00Z – 2026-03-29T05:00Z");
    assert_eq!(window(&tables, "2026-10-25T00:00Z"), "2026-10-24T21:00Z – 2026-10-25T06:00Z");
    assert_eq!(window(&tables, "2026-07-01T00:00Z"), "2026-06-30T21:00Z – 2026-07-01T05:00Z");
    assert_eq!(window(&tables, "2026-01-02T00:00Z"), "2026-01-01T22:00Z – 2026-01-02T06:00Z");
}

#[test]
fn a_time_that_is_left_out_is_the_moment_of_the_change() {
    let from = year(&shift("days = [\"every-day\"]\nstart = \"02:30\"\nend = \"06:00\""), 2026);
    assert_eq!(window(&from, "2026-03-29T01:00Z"), "2026-03-29T01:00Z – 2026-03-29T04:00Z");
    assert_eq!(window(&from, "2026-03-28T02:00Z"), "2026-03-28T01:30Z – 2026-03-28T05:00Z");
    let until = year(&shift("days = [\"every-day\"]\nstart = \"22:00\"\nend = \"02:30\""), 2026);
    assert_eq!(window(&until, "2026-03-29T00:00Z"), "2026-03-28T21:00Z – 2026-03-29T01:00Z");
    let inside = year(&shift("days = [\"every-day\"]\nstart = \"02:15\"\nend = \"02:45\""), 2026);
    let before = inside.previous_boundary("s", at("2026-03-29T12:00Z"));
    assert_eq!(before, Some(Boundary { at: at("2026-03-28T01:45Z"), turn: Turn::Ends }), "nothing is left of it");
}

#[test]
fn a_time_that_comes_twice_is_the_first_of_the_two() {
    let from = year(&shift("days = [\"every-day\"]\nstart = \"02:30\"\nend = \"06:00\""), 2026);
    assert_eq!(window(&from, "2026-10-25T01:00Z"), "2026-10-25T00:30Z – 2026-10-25T05:00Z");
    let until = year(&shift("days = [\"every-day\"]\nstart = \"22:00\"\nend = \"02:30\""), 2026);
    assert_eq!(window(&until, "2026-10-25T00:00Z"), "2026-10-24T20:00Z – 2026-10-25T00:30Z");
    let tables = year(&written("[[route]]\nname = \"r\"\ndays = [\"sunday\"]\nat = \"02:30\"\n"), 2026);
    assert_eq!(tables.next_service("r", at("2026-10-24T12:00Z")), Some(at("2026-10-25T00:30Z")));
    assert_eq!(tables.next_service("r", at("2026-10-25T00:30Z")), Some(at("2026-11-01T01:30Z")), "once, not twice");
    assert_eq!(tables.next_service("r", at("2026-03-28T12:00Z")), Some(at("2026-03-29T01:00Z")));
}

#[test]
fn shifts_that_follow_each_other_leave_no_moment_out_and_none_twice() {
    let calendars = written(
        "[[shift]]\nname = \"a\"\ndays = [\"every-day\"]\nstart = \"22:15\"\nend = \"02:30\"\n\
         [[shift]]\nname = \"b\"\ndays = [\"every-day\"]\nstart = \"02:30\"\nend = \"22:15\"\n",
    );
    let tables = year(&calendars, 2026);
    for night in ["2026-03-28T20:00Z", "2026-10-24T19:00Z"] {
        for minute in 0..720 {
            let moment = at(night) + Span::from_mins(minute);
            let on = ["a", "b"].map(|name| tables.in_shift(name, moment));
            assert!(on == [Some(true), Some(false)] || on == [Some(false), Some(true)], "{}: {on:?}", text(moment));
        }
    }
}

#[test]
fn days_that_touch_are_one_window() {
    let tables = year(&shift("days = [\"weekend\"]\nstart = \"00:00\"\nend = \"24:00\""), 2026);
    assert_eq!(window(&tables, "2026-03-28T12:00Z"), "2026-03-27T23:00Z – 2026-03-29T22:00Z");
    let always = year(&shift("days = [\"every-day\"]\nstart = \"00:00\"\nend = \"24:00\""), 2026);
    let noon = at("2026-06-01T12:00Z");
    assert_eq!((always.in_shift("s", noon), always.next_boundary("s", noon)), (Some(true), None));
}

#[test]
fn a_half_day_ends_the_shifts_of_workdays_and_begins_those_of_holidays() {
    let choice = "[holidays]\nhalf_days = [\"christmas-eve\", \"new-years-eve\"]\nhalf_days_end = \"13:00\"\n";
    let of = |days: &str| {
        let text = format!("{choice}[[shift]]\nname = \"s\"\ndays = {days}\nstart = \"08:00\"\nend = \"16:00\"\n");
        year(&written(&text), 2026)
    };
    assert_eq!(window(&of("[\"workday\"]"), "2026-12-24T08:00Z"), "2026-12-24T07:00Z – 2026-12-24T12:00Z");
    assert_eq!(window(&of("[\"holiday\"]"), "2026-12-24T14:00Z"), "2026-12-24T12:00Z – 2026-12-24T15:00Z");
    for days in ["[\"workday\", \"holiday\"]", "[\"thursday\"]"] {
        assert_eq!(window(&of(days), "2026-12-24T08:00Z"), "2026-12-24T07:00Z – 2026-12-24T15:00Z");
    }
    let tables = of("[\"workday\"]");
    assert_eq!(tables.day_kind(at("2026-12-24T06:00Z")), Some(DayKind::HalfDay { free_from: at("2026-12-24T12:00Z") }));
    let free = ["2026-12-24T11:59Z", "2026-12-24T12:00Z"].map(|moment| tables.is_holiday(at(moment)));
    assert_eq!(free, [Some(false), Some(true)]);
    // In 2028 the day is a Sunday: free anyway, and no half-day.
    let sunday = year(&written(choice), 2028).day(at("2028-12-24T10:00Z")).unwrap().clone();
    assert_eq!((sunday.kind, sunday.name.as_deref()), (DayKind::Weekend, Some("christmas-eve")));
}

#[test]
fn a_day_by_hand_wins_over_every_rule() {
    let tables = year(
        &written(
            "[[day]]\ndate = 2026-05-15\nkind = \"holiday\"\nname = \"Bridge\"\n\
             [[day]]\ndate = \"2026-12-19\"\nkind = \"workday\"\nname = \"Open Saturday\"\n\
             [[day]]\ndate = 2026-12-25\nkind = \"half-day\"\nname = \"Odd\"\n\
             [[shift]]\nname = \"s\"\ndays = [\"workday\"]\nstart = \"08:00\"\nend = \"16:00\"\n\
             [[shift]]\nname = \"w\"\ndays = [\"weekend\"]\nstart = \"08:00\"\nend = \"16:00\"\n",
        ),
        2026,
    );
    let on = |shift: &str, day: &str| tables.in_shift(shift, at(&format!("2026-{day}T09:00Z"))).unwrap();
    assert_eq!(["05-15", "12-19", "12-25", "12-26", "05-18"].map(|day| on("s", day)), [false, true, true, false, true]);
    assert_eq!(["12-19", "12-26", "04-05"].map(|day| on("w", day)), [false, true, true]);
    let day = tables.day(at("2026-05-15T09:00Z")).unwrap();
    assert_eq!((day.kind, day.name.as_deref(), day.weekday), (DayKind::Holiday, Some("Bridge"), Weekday::Friday));
}

#[test]
fn a_service_that_falls_on_a_holiday_moves() {
    // Easter 2026: Maundy Thursday 2 April, Easter Monday 6 April.
    let around = |on_holiday: &str| {
        let all = served(&format!("days = [\"monday\", \"thursday\"]\n{on_holiday}"), 2026);
        let from = all.iter().position(|day| day.ends_with("30.03")).unwrap();
        all[from..from + 4].join(", ")
    };
    // Tuesday stands in for Thursday and Monday at once.
    assert_eq!(around(""), "Mon 30.03, Tue 07.04, Thu 09.04, Mon 13.04");
    assert_eq!(around("on_holiday = \"next-workday\""), around(""));
    assert_eq!(around("on_holiday = \"previous-workday\""), "Mon 30.03, Wed 01.04, Thu 09.04, Mon 13.04");
    assert_eq!(around("on_holiday = \"skip\""), "Mon 30.03, Thu 09.04, Mon 13.04, Thu 16.04");
    assert_eq!(around("on_holiday = \"as-usual\""), "Mon 30.03, Thu 02.04, Mon 06.04, Thu 09.04");
}

#[test]
fn a_service_after_the_end_of_a_half_day_moves_too() {
    let text = |at: &str| {
        written(&format!(
            "[holidays]\nhalf_days = [\"christmas-eve\"]\n[[route]]\nname = \"r\"\ndays = [\"thursday\"]\nat = \"{at}\"\n"
        ))
    };
    let (early, late) = (year(&text("06:00"), 2026), year(&text("12:00"), 2026));
    let before = at("2026-12-20T00:00Z");
    assert_eq!(early.next_service("r", before), Some(at("2026-12-24T05:00Z")));
    // Friday and Saturday are the days of Christmas, then comes Sunday.
    assert_eq!(late.next_service("r", before), Some(at("2026-12-28T11:00Z")));
}

#[test]
fn every_second_week_is_counted_from_the_anchor_also_over_a_year_of_53_weeks() {
    let route = "days = [\"wednesday\"]\nevery_weeks = 2\nanchor = 2026-12-18\non_holiday = \"as-usual\"";
    let (old, new) = (served(route, 2026), served(route, 2027));
    assert_eq!(old[old.len() - 3..], ["Wed 02.12", "Wed 16.12", "Wed 30.12"]);
    assert_eq!(new[..3], ["Wed 13.01", "Wed 27.01", "Wed 10.02"]);
    assert_eq!(old[0], "Wed 14.01", "weeks before the anchor count as well");
}

#[test]
fn exceptions_move_leave_out_and_add() {
    let all = served(
        "days = [\"tuesday\"]\nextra = [2026-07-10]\n\
         [[route.exception]]\ndate = 2026-07-14\n\
         [[route.exception]]\ndate = 2026-07-21\nmoved_to = 2026-07-25\n",
        2026,
    );
    let from = all.iter().position(|day| day == "Tue 07.07").unwrap();
    assert_eq!(all[from..from + 4], ["Tue 07.07", "Fri 10.07", "Sat 25.07", "Tue 28.07"]);
}

#[test]
fn without_files_there_are_danish_days_and_nothing_else() {
    let tables = year(&read_calendars(&BTreeMap::new()).unwrap(), 2026);
    assert_eq!((tables.time_zone.as_str(), tables.shifts.len(), tables.routes.len()), ("Europe/Copenhagen", 0, 0));
    assert_eq!(tables.day(at("2026-04-05T22:30Z")).unwrap().name.as_deref(), Some("easter-monday"));
    assert_eq!(tables.weekday(at("2026-07-06T21:59Z")), Some(Weekday::Monday));
    assert_eq!(tables.weekday(at("2026-07-06T22:00Z")), Some(Weekday::Tuesday));
    assert!((364..=368).contains(&tables.days.len()));
}

#[test]
fn another_zone_may_begin_its_day_an_hour_late() {
    // In Lebanon clocks go from 00:00 to 01:00: the day begins with the change.
    let tables = year(&written("time_zone = \"Asia/Beirut\"\n[holidays]\nrules = \"none\"\n"), 2026);
    let change = at("2026-03-28T22:00Z");
    assert_eq!(tables.day(change).unwrap().from, change);
    assert_eq!(tables.weekday(change - Span::from_millis(1)), Some(Weekday::Saturday));
    assert_eq!(tables.day_kind(at("2026-04-06T10:00Z")), Some(DayKind::Workday), "no Danish Easter Monday there");
}

#[test]
fn tables_reach_from_five_weeks_back_to_400_days_ahead() {
    let calendars = written(include_str!("../../../config/calendars/standard.toml"));
    let now = at("2026-08-01T12:34Z");
    let tables = calendars.around(now);
    let days = |days: i64| Span::from_hours(24 * days);
    assert_eq!(tables.covers, Window { from: now - days(35), until: now + days(400) });
    assert_eq!(tables.renew_at, now + days(200));
    assert_eq!(calendars.expand(tables.covers), tables, "the same time gives the same tables");
    assert_eq!(calendars.expand(Window { from: Timestamp::MIN, until: now }), Calendars::default());
}

#[test]
fn every_fault_of_a_file_is_found_in_one_go() {
    insta::assert_snapshot!(faults(include_str!("tests/faults.toml")));
}

#[test]
fn what_stands_twice_is_a_fault_also_in_two_files() {
    let one = "time_zone = \"Europe/Copenhagen\"\n[holidays]\n[[shift]]\nname = \"night\"\ndays = [\"every-day\"]\n\
               start = \"23:00\"\nend = \"07:00\"\n[[route]]\nname = \"north\"\ndays = [\"monday\"]\nat = \"06:00\"\n\
               default_for = [\"bin\"]\n[[day]]\ndate = 2026-05-15\nkind = \"holiday\"\nname = \"Bridge\"\n";
    let found = read_calendars(&files(&[("a", one), ("b", one)])).expect_err("faults are expected");
    insta::assert_snapshot!(shown(one, &found), @r"
    calendars/b.toml:1:13 the time zone is already there
        the other one stands in calendars/a.toml:1
    calendars/b.toml:2:1 the table `holidays` is already there
        the other one stands in calendars/a.toml:2
    calendars/b.toml:4:8 the shift `night` is already there
        the other one stands in calendars/a.toml:4
    calendars/b.toml:9:8 the route `north` is already there
        the other one stands in calendars/a.toml:9
    calendars/b.toml:14:8 the day 2026-05-15 is already there
        the other one stands in calendars/a.toml:14
    ");
}

#[test]
fn a_kind_of_asset_that_nobody_measures_is_a_fault() {
    let calendars =
        written("[[route]]\nname = \"north\"\ndays = [\"monday\"]\nat = \"06:00\"\ndefault_for = [\"bon\"]\n");
    let kinds = ["bin", "bed"].map(AssetKind::new);
    let found = calendars.unknown_kinds(&kinds.iter().collect());
    assert_eq!(found[0].message, "no sensor type measures an asset of kind `bon`");
    assert_eq!(found[0].suggestion.as_deref(), Some("did you mean `bin`? known: `bed`, `bin`"));
    assert_eq!(calendars.unknown_kinds(&[&AssetKind::new("bon")].into()), []);
}

#[test]
fn what_is_shipped_and_what_the_readme_shows_has_no_faults() {
    let readme = include_str!("../../../config/calendars/README.md");
    let example = readme.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    for text in [
        include_str!("../../../config/calendars/standard.toml"),
        include_str!("../../../config/demo/calendars/standard.toml"),
        example,
    ] {
        written(text);
    }
    // What is commented out in the shipped file is right as well.
    let shipped = include_str!("../../../config/calendars/standard.toml");
    let switched = |line: &str| {
        let rest = line.strip_prefix("# ").filter(|rest| {
            rest.starts_with('[')
                || rest
                    .split_once(" = ")
                    .is_some_and(|(key, _)| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
        });
        rest.unwrap_or(line).to_owned()
    };
    let all = written(&shipped.lines().map(switched).collect::<Vec<_>>().join("\n"));
    assert_eq!(all.routes().collect::<Vec<_>>(), ["bins", "north"]);
    assert!(all.routes["north"].exceptions.contains_key(&date(2026, 7, 21)));
}

/// A file with every key the schema knows.
const WHOLE: &str = r#"
time_zone = "Europe/Copenhagen"
holidays = { rules = "denmark", half_days = ["labour-day"], whole_days = ["christmas-eve"], half_days_end = "12:00" }
day = [{ date = "2026-05-15", kind = "holiday", name = "Bridge" }]
shift = [{ name = "s", days = ["every-day"], start = "23:00", end = "07:00", also = [{ days = ["holiday"], start = "22:00", end = "08:00" }] }]
route = [{ name = "r", days = ["monday"], at = "06:00", every_weeks = 2, anchor = "2026-01-05", on_holiday = "skip", extra = ["2026-12-30"], default_for = ["bin"], exception = [{ date = "2026-07-20", moved_to = "2026-07-21" }] }]
"#;

#[test]
fn the_schema_and_the_reader_agree() {
    let schema = schema(Kind::Calendars);
    written(WHOLE);
    let whole: toml::Table = WHOLE.parse().unwrap();
    let mut checked = 0;
    agree(&schema, &schema, &toml::Value::Table(whole), &mut Vec::new(), &mut checked);
    assert_eq!(checked, 31, "keys of the schema");
}

/// Every key of the schema stands in `part`, and only what the schema requires cannot be left out.
fn agree(
    root: &serde_json::Value,
    schema: &serde_json::Value,
    part: &toml::Value,
    path: &mut Vec<String>,
    checked: &mut usize,
) {
    let schema = match schema["$ref"].as_str().or_else(|| schema["anyOf"][0]["$ref"].as_str()) {
        Some(reference) => &root["$defs"][reference.rsplit('/').next().unwrap()],
        None => schema,
    };
    if let Some(items) = part.as_array() {
        path.push("0".to_owned());
        agree(root, &schema["items"], &items[0], path, checked);
        path.pop();
    }
    let (Some(known), Some(table)) = (schema["properties"].as_object(), part.as_table()) else { return };
    let sorted = |keys: Vec<&String>| keys.into_iter().cloned().collect::<BTreeSet<_>>();
    assert_eq!(sorted(known.keys().collect()), sorted(table.keys().collect()), "{path:?}");
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(|key| key.as_str()).collect();
    for key in known.keys() {
        path.push(key.clone());
        let text = without(path);
        let found = read_calendars(&files(&[("test", &text)]));
        // What one key needs of another is not in the schema.
        let needed = required.contains(&key.as_str()) || key == "anchor";
        assert_eq!(found.is_err(), needed, "{path:?}: {found:?}");
        agree(root, &known[key], &table[key], path, checked);
        path.pop();
        *checked += 1;
    }
}

fn without(path: &[String]) -> String {
    let mut whole = toml::Value::Table(WHOLE.parse().unwrap());
    let (last, before) = path.split_last().unwrap();
    let place = before.iter().fold(&mut whole, |value, step| match step.parse::<usize>() {
        Ok(index) => &mut value.as_array_mut().unwrap()[index],
        Err(_) => &mut value.as_table_mut().unwrap()[step],
    });
    place.as_table_mut().unwrap().remove(last).unwrap();
    toml::to_string(&whole).unwrap()
}
