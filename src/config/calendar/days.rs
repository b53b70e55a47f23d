//! What kind of day a date is, and which days a list of words means.

use super::holidays::{ByChoice, danish};
use crate::domain::calendar::Weekday;
use jiff::civil::{Date, Time};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};

/// Which dates are not like others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holidays {
    pub danish: bool,
    pub half_days: BTreeSet<ByChoice>,
    pub whole_days: BTreeSet<ByChoice>,
    pub half_days_end: Time,
    /// A day by hand wins over every rule.
    pub by_hand: BTreeMap<Date, ByHand>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ByHand {
    pub kind: Kind,
    pub name: SmolStr,
}

/// A kind of day, before anything is known of moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Workday,
    HalfDay,
    Weekend,
    Holiday,
}

/// The days that a list such as `["workday", "saturday"]` means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Days {
    pub weekdays: BTreeSet<Weekday>,
    pub workdays: bool,
    pub weekends: bool,
    pub holidays: bool,
}

/// How much of a day is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// A half-day until it ends.
    Worked,
    /// A half-day from where it ends.
    Free,
}

impl Holidays {
    /// What kind of day it is, and which one.
    pub fn of(&self, date: Date) -> (Kind, Option<SmolStr>) {
        if let Some(by_hand) = self.by_hand.get(&date) {
            return (by_hand.kind, Some(by_hand.name.clone()));
        }
        if let Some(name) = danish(date).filter(|_| self.danish) {
            return (Kind::Holiday, Some(name.into()));
        }
        let chosen = |days: &BTreeSet<ByChoice>| days.iter().find(|day| day.is_on(date)).map(|day| day.as_str().into());
        let weekend = weekday(date) >= Weekday::Saturday;
        match (chosen(&self.whole_days), chosen(&self.half_days)) {
            (Some(name), _) => (Kind::Holiday, Some(name)),
            (None, name) if weekend => (Kind::Weekend, name),
            (None, Some(name)) => (Kind::HalfDay, Some(name)),
            (None, None) => (Kind::Workday, None),
        }
    }
}

impl Days {
    /// How much of the date is meant, if any.
    pub fn part_of(&self, date: Date, kind: Kind) -> Option<Part> {
        let weekday = weekday(date);
        let on_weekend = self.weekends && weekday >= Weekday::Saturday && kind != Kind::Workday;
        if self.weekdays.contains(&weekday) || on_weekend {
            return Some(Part::Whole);
        }
        match (kind, self.workdays, self.holidays) {
            (Kind::Workday, true, _) | (Kind::Holiday, _, true) | (Kind::HalfDay, true, true) => Some(Part::Whole),
            (Kind::HalfDay, true, false) => Some(Part::Worked),
            (Kind::HalfDay, false, true) => Some(Part::Free),
            (Kind::Workday, false, _)
            | (Kind::Holiday, _, false)
            | (Kind::HalfDay, false, false)
            | (Kind::Weekend, ..) => None,
        }
    }
}

pub(super) fn weekday(date: Date) -> Weekday {
    Weekday::ALL[usize::from(date.weekday().to_monday_zero_offset().unsigned_abs()) % 7]
}
