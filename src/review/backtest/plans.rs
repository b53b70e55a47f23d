//! Policies that are no rules: a call at a level, and a fixed plan. What rules must be better than (DOMAIN §6.1).

use super::crew::Crew;
use super::deposits::{DAY, History};
use super::walk::Walk;
use crate::domain::time::Timestamp;
use smol_str::SmolStr;

/// Intervals that are tried for a tuned plan, in days, the longest first.
const INTERVALS: [u16; 12] = [28, 21, 14, 10, 9, 7, 6, 5, 4, 3, 2, 1];

/// As it was.
pub(super) fn as_recorded(history: &History, judged_from: Timestamp) -> Walk<'_> {
    let mut walk = Walk::begin(history, judged_from);
    while walk.recorded_value().is_some() {}
    walk
}

/// A crew is called by the first value that is so high.
pub(super) fn called_at<'h>(
    history: &'h History,
    judged_from: Timestamp,
    level: f64,
    (crew, route): (&Crew, Option<&SmolStr>),
) -> Walk<'h> {
    let mut walk = Walk::begin(history, judged_from);
    let mut visit: Option<Timestamp> = None;
    while let Some(at) = walk.speaks_at() {
        if let Some(due) = visit.filter(|due| *due <= at) {
            walk.served(due);
            visit = None;
        }
        let Some((at, said, _)) = walk.value() else { break };
        if said >= level && visit.is_none() {
            walk.figures.tasks += u64::from(at >= judged_from);
            visit = Some(crew.comes(route, at));
        }
    }
    walk
}

/// Emptied every so many days, or with the first service after that.
pub(super) fn every<'h>(
    history: &'h History,
    judged_from: Timestamp,
    days: u16,
    (crew, route): (&Crew, Option<&SmolStr>),
) -> Walk<'h> {
    every_until(Walk::begin(history, judged_from), history.from(), days, (crew, route), history.until())
}

fn every_until<'h>(
    mut walk: Walk<'h>,
    from: Timestamp,
    days: u16,
    (crew, route): (&Crew, Option<&SmolStr>),
    until: Timestamp,
) -> Walk<'h> {
    let span = DAY.times(i64::from(days));
    let mut due = crew.planned(route, from, span);
    while let Some(at) = walk.speaks_at().filter(|at| *at <= until) {
        while due <= at {
            walk.served(due);
            due = crew.planned(route, due, span);
        }
        walk.value();
    }
    walk
}

/// The longest interval with which the container is full for at most this share of the time more than with the shortest,
/// before it is judged. Where a bin is never full, that is this share of the time.
pub(super) fn tuned(
    history: &History,
    judged_from: Timestamp,
    full_at_most: f64,
    by: (&Crew, Option<&SmolStr>),
) -> u16 {
    let full = |days: u16| {
        let walk = every_until(Walk::begin(history, Timestamp::MIN), history.from(), days, by, judged_from);
        let watched = walk.figures.watched.as_micros() as f64;
        if watched > 0.0 { walk.figures.overflow.as_micros() as f64 / watched } else { 0.0 }
    };
    let at_most = full(1) + full_at_most;
    INTERVALS.into_iter().find(|days| full(*days) <= at_most).unwrap_or(1)
}
