//! Where a rule set does worse than another policy, by container and day.

use super::walk::{Daily, Walk};
use crate::domain::time::Span;

/// Less than this apart, two policies let a container overflow for as long.
const ABOUT: Span = Span::from_hours(1);
/// Days told of each.
const DAYS_MAX: usize = 3;

/// A container where another policy did better: it overflowed for less time, or as long with fewer stops.
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    /// Of the policies; 0 is how it was.
    pub policy: usize,
    /// More time in which it was full.
    pub overflow: Span,
    /// More stops.
    pub stops: i64,
    /// The days since 1970 (UTC) that cost most, and how much longer it was full on each.
    pub days: Vec<(i64, Span)>,
}

/// Of the modelled policies only: what was recorded met the same demand by other means.
pub(super) fn losses(walks: &[&Walk<'_>], judged: usize) -> Vec<Loss> {
    let Some(ours) = walks.get(judged) else { return Vec::new() };
    let mut found = Vec::new();
    for (policy, theirs) in walks.iter().enumerate().filter(|(policy, _)| *policy > 0 && *policy != judged) {
        let overflow = difference(ours.figures.overflow, theirs.figures.overflow);
        let stops = ours.figures.stops.cast_signed() - theirs.figures.stops.cast_signed();
        let as_long = overflow.as_micros().abs() <= ABOUT.as_micros();
        if overflow > ABOUT || as_long && stops > 0 {
            found.push(Loss { policy, overflow, stops, days: worst_days(ours, theirs) });
        }
    }
    found
}

fn worst_days(ours: &Walk<'_>, theirs: &Walk<'_>) -> Vec<(i64, Span)> {
    let overflow = |daily: Option<&Daily>| daily.map_or(Span::ZERO, |daily| daily.overflow);
    let longer = |(day, daily): (&i64, &Daily)| (*day, difference(daily.overflow, overflow(theirs.daily.get(day))));
    let mut days: Vec<(i64, Span)> = ours.daily.iter().map(longer).filter(|(_, longer)| *longer > Span::ZERO).collect();
    days.sort_by(|(a_day, a), (b_day, b)| b.cmp(a).then(a_day.cmp(b_day)));
    days.truncate(DAYS_MAX);
    days
}

const fn difference(a: Span, b: Span) -> Span {
    Span::from_micros(a.as_micros() - b.as_micros())
}
