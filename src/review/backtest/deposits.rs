//! What was put into a container, worked out from what its sensor said: the demand that every policy then meets.
//!
//! Between two emptyings a level only rises. The rising line that lies closest to the recorded values says what was put in;
//! what is left over between the two is kept as the sensor's wobble and told again with every modelled level. At a full
//! container a rise is a lower bound: there, and around an emptying, the container's own pace stands in (DOMAIN §1.4).
//! Emptyings are found by the product's own detector. Of an outage nothing is known, and its hours are not counted.

use crate::domain::time::{Span, Timestamp};
use crate::estimate::fill::cycle::{Cycle, FillFact};
use crate::estimate::fill::{Scale, Settings};

/// From this level on a container is full, and what more is put in lies beside it.
pub(super) const FULL: f64 = 0.98;
pub(super) const DAY: Span = Span::from_hours(24);
/// Fill a day of a container that was never seen filling (DOMAIN §6.2).
const PACE: f64 = 0.085;
/// Without values for so long, and four of its intervals, a container is out of sight.
const OUT_OF_SIGHT: Span = Span::from_hours(48);
/// A sensor that speaks so seldom says with each value what may be another cycle.
const SELDOM: Span = Span::from_hours(18);
/// An emptying that a deep fall does not show: with hindsight a smaller one is believed, if next to nothing is left.
const SMALL_DROP: f64 = 0.15;
const SMALL_POST: f64 = 0.10;

/// A container's recorded life.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct History {
    /// One for each value, in order of time; never empty.
    pub steps: Vec<Step>,
    /// What it held at its first value.
    pub start: f64,
    /// What an emptying usually leaves by the sensor's word.
    pub left: f64,
    /// The usual time from one value to the next.
    pub interval: Span,
}

/// From the value before to this one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    pub at: Timestamp,
    /// Share of the volume that was put in since the value before, evenly.
    pub deposit: f64,
    /// What the sensor said, less what it then held.
    pub wobble: f64,
    /// It was found emptied here, and this was left.
    pub left: Option<f64>,
    /// Nothing is known of the time since the value before.
    pub dark: bool,
    /// The deposit is the container's usual pace, not what was seen.
    pub guessed: bool,
}

impl History {
    /// None without values. They are in order of time, no time comes twice.
    pub fn of(values: &[(Timestamp, f64)]) -> Option<Self> {
        let (_, first) = values.first()?;
        let interval = usual_interval(values);
        let emptied = emptyings(values, interval >= SELDOM);
        let mut line = Vec::with_capacity(values.len());
        let mut from = 0;
        for until in (1..=values.len()).filter(|at| *at == values.len() || emptied[*at]) {
            line.extend(rising(&steadied(&values[from..until])));
            from = until;
        }
        let sight = Span::from_micros(interval.as_micros().saturating_mul(4)).max(OUT_OF_SIGHT);
        let dark = |at: usize| values[at].0.since(values[at - 1].0) > sight;
        let pace = Pace::of(values, &line, |at| emptied[at] || dark(at));
        let start = line.first().copied().unwrap_or(*first);
        let mut content = start;
        let mut steps = vec![Step::seen(values[0].0, 0.0, values[0].1 - content)];
        for at in 1..values.len() {
            let ((before, _), (moment, value)) = (values[at - 1], values[at]);
            let seen = if emptied[at] { 0.0 } else { (line[at] - line[at - 1]).max(0.0) };
            let bound = emptied[at] || line[at] >= FULL;
            let usual = if bound && !dark(at) { pace.expected(before, moment) } else { 0.0 };
            let deposit = seen.max(usual);
            let held = (content + deposit).min(1.0);
            let left = emptied[at].then_some(line[at].min(held));
            content = left.unwrap_or(held);
            let step = Step::seen(moment, deposit, value - content);
            steps.push(Step { left, dark: dark(at), guessed: usual > seen, ..step });
        }
        let mut left: Vec<f64> = steps.iter().filter_map(|step| step.left).collect();
        left.sort_by(f64::total_cmp);
        Some(Self { steps, start, left: left.get(left.len() / 2).copied().unwrap_or_default(), interval })
    }

    pub fn from(&self) -> Timestamp {
        self.steps.first().map_or(Timestamp::MIN, |step| step.at)
    }

    pub fn until(&self) -> Timestamp {
        self.steps.last().map_or(Timestamp::MIN, |step| step.at)
    }
}

impl Step {
    const fn seen(at: Timestamp, deposit: f64, wobble: f64) -> Self {
        Self { at, deposit, wobble, left: None, dark: false, guessed: false }
    }
}

/// The median time between values.
fn usual_interval(values: &[(Timestamp, f64)]) -> Span {
    let mut gaps: Vec<Span> = values.windows(2).map(|pair| pair[1].0.since(pair[0].0)).collect();
    if gaps.is_empty() {
        return Span::ZERO;
    }
    let middle = gaps.len() / 2;
    *gaps.select_nth_unstable(middle).1
}

/// By value: the container was emptied between the one before and this.
fn emptyings(values: &[(Timestamp, f64)], seldom: bool) -> Vec<bool> {
    let usual = Settings { confirm_by_next: !seldom, ..Settings::new(Scale::Share { full: 1.0 }) };
    let mut found = vec![false; values.len()];
    let mut note = |settings: &Settings, of: &[FillFact]| {
        let mut cycle = Cycle::default();
        for (moment, level) in values {
            let event = cycle.observe(*moment, *level, true, settings).event;
            let Some(event) = event.filter(|event| of.contains(&event.fact)) else { continue };
            let Ok(at) = values.binary_search_by_key(&event.at, |(at, _)| *at) else { continue };
            let stays = |next: &(Timestamp, f64)| next.1 < event.from - settings.still_there;
            if at > 0 && (event.fact == FillFact::Emptied || values.get(at + 1).is_none_or(stays)) {
                found[at] = true;
            }
        }
    };
    note(&usual, &[FillFact::Emptied, FillFact::PartlyFallen]);
    if !seldom {
        let small = Settings { emptied_drop: SMALL_DROP, emptied_post: SMALL_POST, ..usual };
        note(&small, &[FillFact::Emptied]);
        // A fall over two values is one emptying: the second saw it whole.
        for at in 1..found.len() {
            found[at - 1] &= !found[at];
        }
    }
    found
}

/// Each value as the middle one of itself and its neighbours: a single wrong one is gone, a rise stays as it is.
fn steadied(values: &[(Timestamp, f64)]) -> Vec<f64> {
    let level = |at: usize| values[at].1.clamp(0.0, 1.0);
    let last = values.len().saturating_sub(1);
    let middle = |at: usize| {
        let (a, b, c) = (level(at - 1), level(at), level(at + 1));
        a.min(b).max(a.max(b).min(c))
    };
    (0..values.len()).map(|at| if at == 0 || at == last { level(at) } else { middle(at) }).collect()
}

/// The line that never falls and lies closest to the values (least squares, pool adjacent violators).
fn rising(values: &[f64]) -> Vec<f64> {
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for value in values {
        let (mut sum, mut count) = (*value, 1);
        while let Some((before, of)) =
            pools.last().copied().filter(|(before, of)| before * count as f64 > sum * *of as f64)
        {
            (sum, count) = (sum + before, count + of);
            pools.pop();
        }
        pools.push((sum, count));
    }
    pools.into_iter().flat_map(|(sum, count)| std::iter::repeat_n(sum / count as f64, count)).collect()
}

/// How fast the container usually fills, by the weekday (of UTC).
struct Pace {
    rate: f64,
    factors: [f64; 7],
}

impl Pace {
    /// From what was seen while it was neither full nor emptied nor out of sight.
    fn of(values: &[(Timestamp, f64)], line: &[f64], unseen: impl Fn(usize) -> bool) -> Self {
        let (mut days, mut sums) = ([0.0; 7], [0.0; 7]);
        for at in (1..values.len()).filter(|at| line[*at] < FULL && !unseen(*at)) {
            let (from, until) = (values[at - 1].0, values[at].0);
            let middle = from + Span::from_micros(until.since(from).as_micros() / 2);
            days[weekday(middle)] += in_days(until.since(from));
            sums[weekday(middle)] += line[at] - line[at - 1];
        }
        let (time, sum) = (days.iter().sum::<f64>(), sums.iter().sum::<f64>());
        let rate = if time >= 1.0 { sum / time } else { PACE };
        let shrink = Settings::new(Scale::Share { full: 1.0 }).shrink;
        let factor = |day: usize| {
            let own = if rate > 0.0 { sums[day] / rate } else { days[day] };
            (own + shrink) / (days[day] + shrink)
        };
        Self { rate, factors: std::array::from_fn(factor) }
    }

    fn expected(&self, from: Timestamp, until: Timestamp) -> f64 {
        let (mut at, mut sum) = (from, 0.0);
        while at < until {
            let next = Timestamp::from_micros((day_of(at) + 1).saturating_mul(DAY.as_micros())).min(until);
            sum += self.rate * self.factors[weekday(at)] * in_days(next.since(at));
            at = next;
        }
        sum
    }
}

/// Days since 1970 (UTC).
pub(super) const fn day_of(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(DAY.as_micros())
}

pub(super) fn in_days(span: Span) -> f64 {
    span.as_micros() as f64 / DAY.as_micros() as f64
}

/// 0 Monday.
const fn weekday(at: Timestamp) -> usize {
    (day_of(at) + 3).rem_euclid(7) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rising_line_is_the_closest_one() {
        assert_eq!(rising(&[0.1, 0.2, 0.3]), [0.1, 0.2, 0.3]);
        assert_eq!(rising(&[0.25, 0.75, 0.25, 1.0]), [0.25, 0.5, 0.5, 1.0]);
        assert_eq!(rising(&[0.75, 0.5, 0.25]), [0.5, 0.5, 0.5]);
        assert_eq!(rising(&[]), [0.0; 0]);
    }

    #[test]
    fn a_spike_is_no_deposit_and_an_emptying_is_found() {
        let hours = |hour: i64| Timestamp::from_micros(0) + Span::from_hours(hour);
        let levels = [0.1, 0.2, 0.9, 0.3, 0.4, 0.5, 0.6, 0.05, 0.1, 0.2];
        let values: Vec<_> = levels.iter().zip(0..).map(|(level, at)| (hours(at), *level)).collect();
        let history = History::of(&values).unwrap();
        let emptied: Vec<_> = history.steps.iter().filter(|step| step.left.is_some()).map(|step| step.at).collect();
        assert_eq!(emptied, [hours(7)]);
        let seen: f64 = history.steps.iter().filter(|step| !step.guessed).map(|step| step.deposit).sum();
        assert!((seen - 0.65).abs() < 1e-9, "{seen}");
        assert!((history.left - 0.05).abs() < 1e-9);
    }
}
