//! Calendars as they stand in the files, checked: what `expand` makes tables of.

use super::days::{Days, Holidays};
use super::local::TimeOfDay;
use crate::domain::fault::{Fault, suggest_known};
use crate::domain::ids::AssetKind;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// The calendars of a municipality: of all files together.
#[derive(Clone, Debug)]
pub struct WrittenCalendars {
    pub(super) zone_name: SmolStr,
    pub(super) zone: TimeZone,
    pub(super) holidays: Holidays,
    pub(super) shifts: BTreeMap<SmolStr, Vec<Hours>>,
    pub(super) routes: BTreeMap<SmolStr, WrittenRoute>,
    /// The route of assets of a kind that name none, with the place where it is said.
    pub(super) default_routes: BTreeMap<AssetKind, DefaultRoute>,
}

/// Some hours of a shift.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hours {
    pub days: Days,
    pub start: Time,
    /// On the next day when it is not after `start`.
    pub end: TimeOfDay,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WrittenRoute {
    pub days: Days,
    pub at: Time,
    pub every_weeks: i64,
    /// A date in a week with service.
    pub anchor: Option<Date>,
    pub on_holiday: OnHoliday,
    /// What happens instead of the service that this date would have; none for nothing.
    pub exceptions: BTreeMap<Date, Option<Date>>,
    pub extra: BTreeSet<Date>,
}

/// What becomes of a service that falls on a holiday.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnHoliday {
    NextWorkday,
    PreviousWorkday,
    Skip,
    AsUsual,
}

#[derive(Clone, Debug)]
pub(super) struct DefaultRoute {
    pub route: SmolStr,
    pub file: SmolStr,
    pub place: Range<usize>,
}

impl WrittenCalendars {
    /// The name of the time zone, such as `Europe/Copenhagen`.
    #[must_use]
    pub fn time_zone(&self) -> &str {
        &self.zone_name
    }

    /// The names that rules may ask `in_shift` for, in order.
    pub fn shifts(&self) -> impl Iterator<Item = &SmolStr> {
        self.shifts.keys()
    }

    /// The names that assets may have as their route, in order.
    pub fn routes(&self) -> impl Iterator<Item = &SmolStr> {
        self.routes.keys()
    }

    /// A fault for each `default_for` that names a kind of asset nobody measures.
    #[must_use]
    pub fn unknown_kinds(&self, kinds: &BTreeSet<&AssetKind>) -> Vec<Fault> {
        let unknown = self.default_routes.iter().filter(|(kind, _)| !kinds.contains(kind));
        let fault = |(kind, default): (&AssetKind, &DefaultRoute)| Fault {
            file: default.file.clone(),
            span: default.place.clone(),
            message: format!("no sensor type measures an asset of kind `{kind}`"),
            suggestion: Some(suggest_known(kind.as_str(), kinds.iter().map(|kind| kind.as_str()))),
        };
        unknown.map(fault).collect()
    }
}

impl OnHoliday {
    pub const ALL: [Self; 4] = [Self::NextWorkday, Self::PreviousWorkday, Self::Skip, Self::AsUsual];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NextWorkday => "next-workday",
            Self::PreviousWorkday => "previous-workday",
            Self::Skip => "skip",
            Self::AsUsual => "as-usual",
        }
    }
}
