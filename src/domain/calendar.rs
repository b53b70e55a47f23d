//! Calendars as tables of UTC instants: when a shift is on, when a route is served, what kind of day it is.
//!
//! Time zones, holidays and clock changes are worked out by `config::calendar` before the tables enter as an event;
//! what is here only looks up, by bisection, and gives the same answer in every replay. Outside the time that the
//! tables cover there is no answer: `None` is never "no".
//!
//! Start with `Calendars::in_shift` and `Calendars::next_service`.

use super::asset::Asset;
use super::ids::AssetKind;
use super::observation::Value;
use super::time::Timestamp;
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// The attribute by which an asset names its route.
pub const ROUTE_ATTRIBUTE: &str = "route";

/// Everything rules may ask a calendar, for a bounded time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendars {
    /// Only of moments in here is anything known.
    pub covers: Window,
    /// From here on it is time to expand them further.
    pub renew_at: Timestamp,
    /// Where they hold, for those who read a record: `Europe/Copenhagen`.
    pub time_zone: SmolStr,
    /// Local days, each beginning where the one before ends.
    pub days: Vec<Day>,
    /// Ordered by name.
    pub shifts: Vec<Shift>,
    /// Ordered by name.
    pub routes: Vec<Route>,
    /// The route of an asset of this kind that names none.
    pub default_routes: BTreeMap<AssetKind, SmolStr>,
}

/// From the first moment up to, and without, the second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    pub from: Timestamp,
    pub until: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    pub name: SmolStr,
    /// When it is on: in order, with a gap between each two.
    pub windows: Vec<Window>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub name: SmolStr,
    /// When a crew sets out, in order.
    pub services: Vec<Timestamp>,
}

/// One local day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    pub from: Timestamp,
    pub weekday: Weekday,
    pub kind: DayKind,
    /// Which holiday or half-day it is: `easter-monday`, or as it was written.
    pub name: Option<SmolStr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayKind {
    Workday,
    /// A workday up to this moment, a holiday from there.
    HalfDay {
        free_from: Timestamp,
    },
    /// A Saturday or Sunday that is no holiday.
    Weekend,
    Holiday,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// Where a shift begins or ends: where the answer of `in_shift` changes without any message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boundary {
    pub at: Timestamp,
    pub turn: Turn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Begins,
    Ends,
}

impl Calendars {
    /// Whether there are any tables.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    #[must_use]
    pub fn covers(&self, at: Timestamp) -> bool {
        self.covers.holds(at)
    }

    /// Whether the shift is on. `None` when there is no such shift, or nothing is known of the moment.
    #[must_use]
    pub fn in_shift(&self, shift: &str, at: Timestamp) -> Option<bool> {
        self.in_shift_at(self.shift_place(shift)?, at)
    }

    /// The place of a shift, which stays the same as long as the configuration does.
    #[must_use]
    pub fn shift_place(&self, shift: &str) -> Option<usize> {
        self.shifts.binary_search_by(|known| known.name.as_str().cmp(shift)).ok()
    }

    /// [`Self::in_shift`] by place, for whoever asks often.
    #[must_use]
    pub fn in_shift_at(&self, place: usize, at: Timestamp) -> Option<bool> {
        let shift = self.shifts.get(place).filter(|_| self.covers(at))?;
        Some(shift.before(at).is_some_and(|window| window.holds(at)))
    }

    /// When the shift begins or ends next, strictly after `after`: the deadline of a rule that reads it.
    #[must_use]
    pub fn next_boundary(&self, shift: &str, after: Timestamp) -> Option<Boundary> {
        self.next_boundary_at(self.shift_place(shift)?, after)
    }

    /// [`Self::next_boundary`] by place, for whoever asks often.
    #[must_use]
    pub fn next_boundary_at(&self, place: usize, after: Timestamp) -> Option<Boundary> {
        let shift = self.shifts.get(place).filter(|_| self.covers(after))?;
        let ends = shift.before(after).filter(|window| window.holds(after));
        let found = match ends {
            Some(window) => Boundary { at: window.until, turn: Turn::Ends },
            None => Boundary { at: shift.after(after)?.from, turn: Turn::Begins },
        };
        Some(found).filter(|boundary| self.covers(boundary.at))
    }

    /// When the shift began or ended last, at `at` or before.
    #[must_use]
    pub fn previous_boundary(&self, shift: &str, at: Timestamp) -> Option<Boundary> {
        let shift = self.shifts.get(self.shift_place(shift)?).filter(|_| self.covers(at))?;
        let window = shift.before(at)?;
        let found = if window.holds(at) {
            Boundary { at: window.from, turn: Turn::Begins }
        } else {
            Boundary { at: window.until, turn: Turn::Ends }
        };
        Some(found).filter(|boundary| self.covers(boundary.at))
    }

    #[must_use]
    pub fn route(&self, name: &str) -> Option<&Route> {
        self.routes.binary_search_by(|known| known.name.as_str().cmp(name)).ok().map(|place| &self.routes[place])
    }

    /// The route an asset is on: the one it names, or its kind's. An asset that names a route which is not there is on
    /// its kind's too: rather a round on the wrong day than none.
    #[must_use]
    pub fn route_of(&self, asset: &Asset) -> Option<&Route> {
        let named = match asset.attributes.get(ROUTE_ATTRIBUTE) {
            Some(Value::Text(name)) => self.route(name),
            Some(Value::Number(_) | Value::Boolean(_)) | None => None,
        };
        named.or_else(|| self.route(self.default_routes.get(&asset.kind)?))
    }

    /// When the route is served next, strictly after `after`.
    #[must_use]
    pub fn next_service(&self, route: &str, after: Timestamp) -> Option<Timestamp> {
        self.next_service_of(self.route(route)?, after)
    }

    /// [`Self::next_service`] of a route of these calendars.
    #[must_use]
    pub fn next_service_of(&self, route: &Route, after: Timestamp) -> Option<Timestamp> {
        let next = route.services.partition_point(|service| *service <= after);
        route.services.get(next).copied().filter(|_| self.covers(after))
    }

    /// When the route was served last, at `at` or before.
    #[must_use]
    pub fn previous_service(&self, route: &str, at: Timestamp) -> Option<Timestamp> {
        let route = self.route(route).filter(|_| self.covers(at))?;
        let next = route.services.partition_point(|service| *service <= at);
        route.services.get(next.checked_sub(1)?).copied()
    }

    /// The local day that the moment is in.
    #[must_use]
    pub fn day(&self, at: Timestamp) -> Option<&Day> {
        let next = self.days.partition_point(|day| day.from <= at);
        self.days.get(next.checked_sub(1)?).filter(|_| self.covers(at))
    }

    #[must_use]
    pub fn day_kind(&self, at: Timestamp) -> Option<DayKind> {
        self.day(at).map(|day| day.kind)
    }

    /// Whether the moment is on a holiday, or in the free part of a half-day.
    #[must_use]
    pub fn is_holiday(&self, at: Timestamp) -> Option<bool> {
        self.day_kind(at).map(|kind| match kind {
            DayKind::Holiday => true,
            DayKind::HalfDay { free_from } => at >= free_from,
            DayKind::Workday | DayKind::Weekend => false,
        })
    }

    /// The weekday people there have at the moment, for weekday factors.
    #[must_use]
    pub fn weekday(&self, at: Timestamp) -> Option<Weekday> {
        self.day(at).map(|day| day.weekday)
    }

    /// When the next local day begins.
    #[must_use]
    pub fn next_day(&self, at: Timestamp) -> Option<Timestamp> {
        let next = self.days.get(self.days.partition_point(|day| day.from <= at))?.from;
        (self.covers(at) && self.covers(next)).then_some(next)
    }

    /// Whether other tables answer to the same names: then they may take these tables' place under the same rules.
    #[must_use]
    pub fn same_names(&self, other: &Self) -> bool {
        self.shifts.iter().map(|shift| &shift.name).eq(other.shifts.iter().map(|shift| &shift.name))
            && self.routes.iter().map(|route| &route.name).eq(other.routes.iter().map(|route| &route.name))
            && self.default_routes == other.default_routes
    }

    /// Whether every table is in the order that look-ups rely on.
    #[must_use]
    pub fn in_order(&self) -> bool {
        self.days.is_sorted_by(|a, b| a.from < b.from)
            && self.shifts.is_sorted_by(|a, b| a.name < b.name)
            && self.routes.is_sorted_by(|a, b| a.name < b.name)
            && self.shifts.iter().all(|shift| {
                shift.windows.iter().all(|window| window.from < window.until)
                    && shift.windows.is_sorted_by(|a, b| a.until < b.from)
            })
            && self.routes.iter().all(|route| route.services.is_sorted_by(|a, b| a < b))
    }
}

impl Window {
    #[must_use]
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }
}

impl Shift {
    /// The last window that has begun.
    fn before(&self, at: Timestamp) -> Option<&Window> {
        let next = self.windows.partition_point(|window| window.from <= at);
        self.windows.get(next.checked_sub(1)?)
    }

    /// The first window that has not begun.
    fn after(&self, at: Timestamp) -> Option<&Window> {
        self.windows.get(self.windows.partition_point(|window| window.from <= at))
    }
}

impl Weekday {
    pub const ALL: [Self; 7] =
        [Self::Monday, Self::Tuesday, Self::Wednesday, Self::Thursday, Self::Friday, Self::Saturday, Self::Sunday];

    /// Days since Monday, 0 to 6.
    #[must_use]
    pub const fn place(self) -> usize {
        self as usize
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Monday => "monday",
            Self::Tuesday => "tuesday",
            Self::Wednesday => "wednesday",
            Self::Thursday => "thursday",
            Self::Friday => "friday",
            Self::Saturday => "saturday",
            Self::Sunday => "sunday",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::AssetId;

    const fn at(hours: i64) -> Timestamp {
        Timestamp::from_micros(hours * 3_600_000_000)
    }

    fn calendars() -> Calendars {
        let window = |from, until| Window { from: at(from), until: at(until) };
        let day =
            |number: i64, kind| Day { from: at(number * 24), weekday: Weekday::ALL[number as usize], kind, name: None };
        Calendars {
            covers: window(2, 72),
            renew_at: at(48),
            time_zone: "Europe/Copenhagen".into(),
            days: vec![
                day(0, DayKind::Workday),
                day(1, DayKind::HalfDay { free_from: at(36) }),
                day(2, DayKind::Holiday),
            ],
            shifts: vec![
                Shift { name: "day".into(), windows: vec![window(7, 15)] },
                Shift { name: "night".into(), windows: vec![window(-1, 7), window(23, 31), window(47, 79)] },
            ],
            routes: vec![
                Route { name: "north".into(), services: vec![at(6), at(54)] },
                Route { name: "south".into(), services: Vec::new() },
            ],
            default_routes: BTreeMap::from([("bin".into(), "north".into())]),
        }
    }

    #[test]
    fn a_shift_is_on_from_its_beginning_up_to_its_end() {
        let known = calendars();
        let asked = [(2, true), (6, true), (7, false), (22, false), (23, true), (31, false), (71, true)];
        for (hour, on) in asked {
            assert_eq!(known.in_shift("night", at(hour)), Some(on), "{hour}");
        }
        for (shift, hour) in [("nigth", 3), ("night", 1), ("night", 72)] {
            assert_eq!(known.in_shift(shift, at(hour)), None, "{shift} at {hour}");
        }
    }

    #[test]
    fn boundaries_are_where_the_answer_changes() {
        let known = calendars();
        let (begins, ends) = (
            |hour| Some(Boundary { at: at(hour), turn: Turn::Begins }),
            |hour| Some(Boundary { at: at(hour), turn: Turn::Ends }),
        );
        assert_eq!(known.next_boundary("night", at(2)), ends(7));
        assert_eq!(known.next_boundary("night", at(7)), begins(23));
        assert_eq!(known.next_boundary("night", at(23)), ends(31));
        assert_eq!(known.next_boundary("night", at(50)), None, "it ends beyond what is known");
        assert_eq!(known.previous_boundary("night", at(2)), None, "it began before what is known");
        assert_eq!(known.previous_boundary("night", at(7)), ends(7));
        assert_eq!(known.previous_boundary("night", at(30)), begins(23));
        assert_eq!(known.next_boundary("day", at(15)), None);
    }

    #[test]
    fn a_service_is_next_until_it_begins() {
        let known = calendars();
        assert_eq!(known.next_service("north", at(5)), Some(at(6)));
        assert_eq!(known.next_service("north", at(6)), Some(at(54)));
        assert_eq!(known.next_service("north", at(54)), None);
        assert_eq!(known.previous_service("north", at(6)), Some(at(6)));
        assert_eq!(known.previous_service("north", at(5)), None);
        assert_eq!(known.next_service("south", at(5)), None);
        assert_eq!(known.next_service("north", at(1)), None, "nothing is known of that moment");
    }

    #[test]
    fn an_asset_names_its_route_or_has_its_kinds() {
        let known = calendars();
        let route = |kind: &str, named: Option<&str>| {
            let attributes = named.map(|name| (ROUTE_ATTRIBUTE.into(), Value::Text(name.into())));
            let asset = Asset {
                id: AssetId::new("a"),
                kind: kind.into(),
                area: None,
                position: None,
                person: None,
                attributes: attributes.into_iter().collect(),
            };
            known.route_of(&asset).map(|route| route.name.to_string())
        };
        assert_eq!(route("bin", None).as_deref(), Some("north"));
        assert_eq!(route("bin", Some("south")).as_deref(), Some("south"));
        assert_eq!(route("bin", Some("west")).as_deref(), Some("north"));
        assert_eq!(route("bed", None), None);
        assert_eq!(route("bed", Some("south")).as_deref(), Some("south"));
    }

    #[test]
    fn days_answer_by_the_moment() {
        let known = calendars();
        assert_eq!(known.weekday(at(23)), Some(Weekday::Monday));
        assert_eq!(known.weekday(at(24)), Some(Weekday::Tuesday));
        assert_eq!(
            [25, 35, 36, 47, 48].map(|hour| known.is_holiday(at(hour))),
            [Some(false), Some(false), Some(true), Some(true), Some(true)]
        );
        assert_eq!(known.next_day(at(24)), Some(at(48)));
        assert_eq!((known.day(at(1)), known.next_day(at(60))), (None, None));
        assert!(known.in_order());
    }

    #[test]
    fn empty_tables_know_nothing() {
        let none = Calendars::default();
        assert!(none.is_empty() && none.in_order());
        assert_eq!(
            (none.in_shift("day", at(0)), none.weekday(at(0)), none.next_service("north", at(0))),
            (None, None, None)
        );
    }
}
