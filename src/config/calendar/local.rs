//! From a date and a time of day to the one moment that is meant, also in the nights when clocks change.

use crate::domain::time::Timestamp;
use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use std::sync::LazyLock;

/// The data that comes with the program; what the machine has is never asked.
static BUNDLED: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A time of day as a file says it; the end of the day is 24:00.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TimeOfDay {
    At(Time),
    Midnight,
}

pub(super) fn time_zone(name: &str) -> Option<TimeZone> {
    BUNDLED.get(name).ok()
}

pub(super) fn time_zone_names() -> Vec<String> {
    BUNDLED.available().map(|name| name.as_str().to_owned()).collect()
}

/// When the wall clock shows this time. A time that a change of clocks leaves out is the moment of the change; one that
/// comes twice is the first of the two.
pub(super) fn moment(zone: &TimeZone, date: Date, time: TimeOfDay) -> Option<Timestamp> {
    let shown = match time {
        TimeOfDay::At(time) => date.to_datetime(time),
        TimeOfDay::Midnight => date.checked_add(1.day()).ok()?.to_datetime(Time::midnight()),
    };
    let at = match zone.to_ambiguous_timestamp(shown).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(shown).ok()?,
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(shown).ok()?,
        AmbiguousOffset::Gap { before, after } => {
            let change = zone.following(after.to_timestamp(shown).ok()?).next();
            change.map_or_else(|| before.to_timestamp(shown).ok(), |change| Some(change.timestamp()))?
        }
    };
    Some(Timestamp::from_micros(at.as_microsecond()))
}

/// What the wall clock shows.
pub(super) fn shown(zone: &TimeZone, at: Timestamp) -> Option<DateTime> {
    Some(zone.to_datetime(jiff::Timestamp::from_microsecond(at.as_micros()).ok()?))
}
