//! The tables of the calendars, as they stand in a record: every instant as it was worked out, so that replay needs
//! neither a calendar file nor time-zone data.

use super::reason::WeekdayCode;
use crate::domain::calendar;
use crate::domain::ids::AssetKind;
use crate::domain::time::Timestamp;
use minicbor::{Decode, Encode};

#[derive(Encode, Decode)]
pub struct Calendars<'a> {
    #[n(0)]
    covers: Window,
    #[n(1)]
    renew_at: i64,
    #[b(2)]
    time_zone: &'a str,
    #[b(3)]
    days: Vec<Day<'a>>,
    #[b(4)]
    shifts: Vec<Shift<'a>>,
    #[b(5)]
    routes: Vec<Route<'a>>,
    /// Kind of asset, name of the route.
    #[b(6)]
    default_routes: Vec<(&'a str, &'a str)>,
}

#[derive(Encode, Decode)]
struct Window {
    #[n(0)]
    from: i64,
    #[n(1)]
    until: i64,
}

#[derive(Encode, Decode)]
struct Day<'a> {
    #[n(0)]
    from: i64,
    #[n(1)]
    weekday: WeekdayCode,
    #[n(2)]
    kind: DayKind,
    #[b(3)]
    name: Option<&'a str>,
}

#[derive(Encode, Decode)]
#[cbor(flat)]
enum DayKind {
    #[n(0)]
    Workday,
    #[n(1)]
    HalfDay(#[n(0)] i64),
    #[n(2)]
    Weekend,
    #[n(3)]
    Holiday,
}

#[derive(Encode, Decode)]
struct Shift<'a> {
    #[b(0)]
    name: &'a str,
    #[n(1)]
    windows: Vec<Window>,
}

#[derive(Encode, Decode)]
struct Route<'a> {
    #[b(0)]
    name: &'a str,
    #[n(1)]
    services: Vec<i64>,
}

impl<'a> From<&'a calendar::Calendars> for Calendars<'a> {
    fn from(known: &'a calendar::Calendars) -> Self {
        let shift = |shift: &'a calendar::Shift| Shift {
            name: &shift.name,
            windows: shift.windows.iter().map(|window| (*window).into()).collect(),
        };
        let route = |route: &'a calendar::Route| Route {
            name: &route.name,
            services: route.services.iter().map(|service| service.as_micros()).collect(),
        };
        Self {
            covers: known.covers.into(),
            renew_at: known.renew_at.as_micros(),
            time_zone: &known.time_zone,
            days: known.days.iter().map(Into::into).collect(),
            shifts: known.shifts.iter().map(shift).collect(),
            routes: known.routes.iter().map(route).collect(),
            default_routes: known.default_routes.iter().map(|(kind, route)| (kind.as_str(), route.as_str())).collect(),
        }
    }
}

impl From<Calendars<'_>> for calendar::Calendars {
    fn from(wire: Calendars<'_>) -> Self {
        let shift = |shift: Shift<'_>| calendar::Shift {
            name: shift.name.into(),
            windows: shift.windows.into_iter().map(Into::into).collect(),
        };
        let route = |route: Route<'_>| calendar::Route {
            name: route.name.into(),
            services: route.services.into_iter().map(Timestamp::from_micros).collect(),
        };
        Self {
            covers: wire.covers.into(),
            renew_at: Timestamp::from_micros(wire.renew_at),
            time_zone: wire.time_zone.into(),
            days: wire.days.into_iter().map(Into::into).collect(),
            shifts: wire.shifts.into_iter().map(shift).collect(),
            routes: wire.routes.into_iter().map(route).collect(),
            default_routes: wire
                .default_routes
                .into_iter()
                .map(|(kind, route)| (AssetKind::new(kind), route.into()))
                .collect(),
        }
    }
}

impl From<calendar::Window> for Window {
    fn from(window: calendar::Window) -> Self {
        Self { from: window.from.as_micros(), until: window.until.as_micros() }
    }
}

impl From<Window> for calendar::Window {
    fn from(wire: Window) -> Self {
        Self { from: Timestamp::from_micros(wire.from), until: Timestamp::from_micros(wire.until) }
    }
}

impl<'a> From<&'a calendar::Day> for Day<'a> {
    fn from(day: &'a calendar::Day) -> Self {
        let kind = match day.kind {
            calendar::DayKind::Workday => DayKind::Workday,
            calendar::DayKind::HalfDay { free_from } => DayKind::HalfDay(free_from.as_micros()),
            calendar::DayKind::Weekend => DayKind::Weekend,
            calendar::DayKind::Holiday => DayKind::Holiday,
        };
        Self { from: day.from.as_micros(), weekday: day.weekday.into(), kind, name: day.name.as_deref() }
    }
}

impl From<Day<'_>> for calendar::Day {
    fn from(wire: Day<'_>) -> Self {
        let kind = match wire.kind {
            DayKind::Workday => calendar::DayKind::Workday,
            DayKind::HalfDay(free_from) => calendar::DayKind::HalfDay { free_from: Timestamp::from_micros(free_from) },
            DayKind::Weekend => calendar::DayKind::Weekend,
            DayKind::Holiday => calendar::DayKind::Holiday,
        };
        Self {
            from: Timestamp::from_micros(wire.from),
            weekday: wire.weekday.into(),
            kind,
            name: wire.name.map(Into::into),
        }
    }
}
