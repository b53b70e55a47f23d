//! How fast a container fills: a rate per average day, its variance, and a factor for each weekday (DOMAIN §1.4).
//!
//! Rises between observations are gathered by local day; a day that was covered for 16 hours or more is learned from,
//! scaled to 24. An emptying is not a rise: the stretch that holds it is left out. Settling lowers what a day brought,
//! which is how the rate is damped. A rise that ends at the lid is a lower bound and never lowers the rate.

use super::forecast::TENTH;
use super::settings::Settings;
use crate::domain::time::{Span, Timestamp};

const DAY: i64 = 86_400_000_000;
const HOURS_LEARNED_FROM: f32 = 16.0;
/// Between two observations further apart, nobody knows what happened.
const GAP_MAX: Span = Span::from_hours(72);
/// A container's own figures count from its third emptying, or from this day for one that is seldom emptied.
const CYCLES_OWN: u16 = 3;
const DAYS_OWN: u16 = 21;
/// Older days of a weekday fade behind this many.
const WEEKDAY_DAYS_MAX: u8 = 52;
/// From this level on people find it hard to put more in and what lies below settles: the rate is slowed.
pub const SLOWED_FROM: f64 = 0.75;
/// What is believed of slowing before it was seen weighs as much as this rise.
const SLOWING_START: f32 = 0.3;
/// A day with less than this at the free rate tells nothing about it.
const FREE_HOURS_LEARNED_FROM: f32 = 8.0;
/// One step of the width: a day outside the 80 % band widens it by four of them, one inside narrows it by one.
const WIDTH_STEP: f32 = 0.02;

/// What is assumed about a container that has told nothing: the figures of those like it (fraction and kind of area).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prior {
    /// Levels per average day.
    pub rate: f64,
    /// Of the rate from day to day.
    pub variance: f64,
    /// Monday first; mean 1.
    pub weekdays: [f64; 7],
}

/// A day that was learned from: what it brought, for the container's cluster to learn too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Day {
    /// 0 Monday to 6 Sunday, local.
    pub weekday: u8,
    /// Levels in 24 hours at the free rate, divided by the day's multiplier.
    pub rise: f64,
    /// Levels in 24 hours as they were seen, slowed and cut off at the lid.
    pub seen: f64,
    /// It ended at the lid: a lower bound.
    pub censored: bool,
}

/// State of one container's demand; at most 120 bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Demand {
    pub rate: f64,
    pub variance: f64,
    /// Mean rise per weekday, and the days it is a mean of.
    pub weekday_means: [f32; 7],
    pub weekday_days: [u8; 7],
    pub days: u16,
    pub cycles: u16,
    /// Rise that was seen above [`SLOWED_FROM`], and the one that the free rate would have brought; old ones fade.
    pub slowed: (f32, f32),
    /// What the variance's root is multiplied with, so that four days of five fall inside the 80 % band.
    pub width: f32,
    /// The latest level that counts, none before the first.
    pub last: Option<(Timestamp, f32)>,
    pub open: OpenDay,
}

/// What was gathered of the local day that is not over.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OpenDay {
    /// Days since 1970-01-01, local.
    pub number: i32,
    pub risen: f32,
    pub hours: f32,
    /// The same with slowed hours counted by how slow they were.
    pub free_hours: f32,
    /// Multiplier times hours.
    pub multiplied: f32,
    pub censored: bool,
}

/// What a cluster of containers has in common, learned from their days in the order they end. 128 bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cluster {
    pub weekday_sums: [f64; 7],
    pub weekday_days: [u32; 7],
    /// Sum of squares of the rises, for the variance.
    pub squares: f64,
    /// What stands in until the cluster has days of its own: it counts as 28 of them.
    pub start_rate: f64,
}

impl Default for Prior {
    /// 0.085 levels a day and the weekdays of street bins (DOMAIN §6.2).
    fn default() -> Self {
        Self { rate: 0.085, variance: 0.085 * 0.085, weekdays: [0.85, 0.85, 0.90, 0.95, 1.20, 1.30, 0.95] }
    }
}

impl Demand {
    #[must_use]
    pub fn new(prior: &Prior) -> Self {
        Self {
            rate: prior.rate,
            variance: prior.variance,
            weekday_means: [0.0; 7],
            weekday_days: [0; 7],
            days: 0,
            cycles: 0,
            slowed: (0.0, 0.0),
            width: 1.0,
            last: None,
            open: OpenDay::default(),
        }
    }

    /// A level that continues what came before; gives the day that ended, if it was learned from.
    /// `multiplier` is that of the day for events and holidays, 1 on others.
    pub fn observe(
        &mut self,
        (at, level): (Timestamp, f64),
        (utc_offset, multiplier): (Span, f64),
        settings: &Settings,
        prior: &Prior,
    ) -> Option<Day> {
        let (last_at, last) = self.last.replace((at, level as f32))?;
        let gap = at.since(last_at);
        if gap > GAP_MAX || gap <= Span::ZERO {
            self.open = OpenDay::default();
            return None;
        }
        // The middle of the stretch says whose day it was.
        let middle = last_at + Span::from_micros(gap.as_micros() / 2) + utc_offset;
        let number = middle.as_micros().div_euclid(DAY) as i32;
        let ended = (number != self.open.number).then(|| self.close(settings, prior)).flatten();
        if number != self.open.number {
            self.open = OpenDay { number, ..OpenDay::default() };
        }
        let hours = (gap.as_micros() as f64 / 3.6e9) as f32;
        self.open.risen += level as f32 - last;
        self.open.hours += hours;
        self.open.free_hours += if f64::from(last) < SLOWED_FROM { hours } else { hours * self.slowing() as f32 };
        if f64::from(last) >= SLOWED_FROM {
            self.learn_slowing(level as f32 - last, (self.rate * multiplier) as f32 * hours / 24.0, settings);
        }
        self.open.multiplied += hours * multiplier.clamp(0.05, 20.0) as f32;
        self.open.censored |= level >= settings.censored_from;
        ended
    }

    /// The level goes on from here; what lies before is no rise. `emptied` counts a cycle.
    pub fn restart(&mut self, at: Timestamp, level: f64, emptied: bool) {
        self.last = Some((at, level as f32));
        self.cycles = self.cycles.saturating_add(u16::from(emptied));
    }

    /// Levels per average day: the prior's until three cycles or 21 days.
    #[must_use]
    pub fn rate(&self, prior: &Prior) -> f64 {
        if self.own() { self.rate } else { prior.rate }
    }

    /// Of a day's rise around the rate, with the width that makes its 80 % band hold four days of five.
    #[must_use]
    pub fn variance(&self, prior: &Prior) -> f64 {
        let width = f64::from(self.width);
        if self.own() { self.variance * width * width } else { prior.variance }
    }

    /// Share of the rate that is left above [`SLOWED_FROM`], 0.1 to 1.
    #[must_use]
    pub fn slowing(&self) -> f64 {
        let (seen, expected) = self.slowed;
        f64::from(((seen + SLOWING_START) / (expected + SLOWING_START)).clamp(0.1, 1.0))
    }

    /// Factor of a weekday (0 Monday), between the container's own and its cluster's by the number of its days; the
    /// seven have mean 1 and stay between 0.05 and 7.
    #[must_use]
    pub fn weekday(&self, weekday: u8, settings: &Settings, prior: &Prior) -> f64 {
        self.weekdays(settings, prior)[usize::from(weekday % 7)]
    }

    /// The factors of all seven, from Monday on.
    #[must_use]
    pub fn weekdays(&self, settings: &Settings, prior: &Prior) -> [f64; 7] {
        let seen = self.weekday_days.iter().filter(|days| **days > 0).count() as f64;
        let average = self.weekday_means.iter().map(|mean| f64::from(*mean)).sum::<f64>() / seen.max(1.0);
        let mixed: [f64; 7] = std::array::from_fn(|day| {
            let days = f64::from(self.weekday_days[day]);
            let own =
                if average > 0.001 { (f64::from(self.weekday_means[day]) / average).clamp(0.05, 7.0) } else { 1.0 };
            (days * own + settings.shrink * prior.weekdays[day]) / (days + settings.shrink)
        });
        let sum: f64 = mixed.iter().sum();
        mixed.map(|factor| (factor * 7.0 / sum).clamp(0.05, 7.0))
    }

    const fn own(&self) -> bool {
        self.cycles >= CYCLES_OWN || self.days >= DAYS_OWN
    }

    fn close(&mut self, settings: &Settings, prior: &Prior) -> Option<Day> {
        let open = self.open;
        if open.hours < HOURS_LEARNED_FROM {
            return None;
        }
        let multiplier = f64::from(open.multiplied / open.hours);
        let weekday = (i64::from(open.number) + 3).rem_euclid(7) as u8;
        let factor = self.weekday(weekday, settings, prior);
        let measured = f64::from(open.risen) * 24.0 / f64::from(open.free_hours.max(0.1)) / multiplier;
        let bound = open.censored && measured < self.rate * factor;
        let rise = if bound { self.rate * factor } else { measured };
        if !bound && open.free_hours >= FREE_HOURS_LEARNED_FROM {
            self.learn(rise / factor, f64::from(open.free_hours) / 24.0, settings);
        }
        self.days = self.days.saturating_add(1);
        let slot = usize::from(weekday);
        self.weekday_days[slot] = (self.weekday_days[slot] + 1).min(WEEKDAY_DAYS_MAX);
        self.weekday_means[slot] += (rise as f32 - self.weekday_means[slot]) / f32::from(self.weekday_days[slot]);
        let seen = f64::from(open.risen) * 24.0 / f64::from(open.hours);
        Some(Day { weekday, rise, seen, censored: open.censored })
    }

    /// The first days count as much as the prior, later ones `learn`; a far one counts as a less far one. `share` of the
    /// day was at the free rate: less of it tells less, and varies more.
    fn learn(&mut self, per_day: f64, share: f64, settings: &Settings) {
        let share = share.clamp(0.1, 1.0);
        let weight = settings.learn.max(1.0 / (f64::from(self.days) + 2.0)) * share;
        let noise = settings.sensor_deviation * settings.sensor_deviation;
        let bound = settings.robust * (self.variance / share + noise).sqrt();
        self.learn_width((per_day - self.rate).abs(), share, noise);
        let surprise = (per_day - self.rate).clamp(-bound, bound);
        self.rate = (self.rate + weight * surprise).max(0.0);
        self.variance = (1.0 - weight) * self.variance + weight * surprise * surprise * share;
    }
}

impl Demand {
    /// Follows the width at which one day of five falls outside; between a quarter and twice.
    fn learn_width(&mut self, surprise: f64, share: f64, noise: f64) {
        let width = f64::from(self.width);
        let outside = surprise > TENTH * (self.variance / share * width * width + noise).sqrt();
        let step = if outside { 4.0 * WIDTH_STEP } else { -WIDTH_STEP };
        self.width = (self.width * (1.0 + step)).clamp(0.25, 2.0);
    }

    /// A rise that ends at the lid is at least what it was expected to be.
    fn learn_slowing(&mut self, rise: f32, expected: f32, settings: &Settings) {
        let censored = self.last.is_some_and(|(_, level)| f64::from(level) >= settings.censored_from);
        let rise = if censored { rise.max(expected * self.slowing() as f32) } else { rise };
        let (seen, whole) = self.slowed;
        // About 200 observations are remembered.
        self.slowed = ((seen * 0.995 + rise).max(0.0), whole * 0.995 + expected);
    }
}

impl Cluster {
    /// `start_rate` in levels per day.
    #[must_use]
    pub const fn new(start_rate: f64) -> Self {
        Self { weekday_sums: [0.0; 7], weekday_days: [0; 7], squares: 0.0, start_rate }
    }

    /// A day of one of its containers. Sums are made in the order the days come.
    pub fn learn(&mut self, day: &Day) {
        let slot = usize::from(day.weekday % 7);
        self.weekday_sums[slot] += day.rise;
        self.weekday_days[slot] = self.weekday_days[slot].saturating_add(1);
        self.squares += day.rise * day.rise;
    }

    /// Rate, variance and weekday factors; 28 days of the start rate, spread evenly, are counted in.
    #[must_use]
    pub fn prior(&self) -> Prior {
        const START_DAYS: f64 = 4.0;
        let start = self.start_rate;
        let mut weekdays = [1.0; 7];
        for (day, mean) in weekdays.iter_mut().enumerate() {
            *mean = (self.weekday_sums[day] + START_DAYS * start) / (f64::from(self.weekday_days[day]) + START_DAYS);
        }
        let rate = (weekdays.iter().sum::<f64>() / 7.0).max(1e-6);
        for factor in &mut weekdays {
            *factor = (*factor / rate).max(0.05);
        }
        let days = self.weekday_days.iter().map(|days| f64::from(*days)).sum::<f64>() + 7.0 * START_DAYS;
        let squares = self.squares + 7.0 * START_DAYS * 2.0 * start * start;
        Prior { rate, variance: (squares / days - rate * rate).max(1e-6), weekdays }
    }
}
