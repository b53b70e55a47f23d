//! What follows from a level, a rate and a variance: overflow, days to full, words for people (DOMAIN §1.4).
//!
//! A horizon is given by the weekday factors of its days, because the rate is that of an average day. Levels are taken
//! as normally distributed around their mean; how well that holds on recorded containers stands in docs/ESTIMATORS.md.

use super::demand::SLOWED_FROM;
use std::f64::consts::SQRT_2;

/// How far ahead a container's day of overflow is looked for. Beyond it nothing is told.
pub const DAYS_MAX: u16 = 90;

/// The standard normal distribution's 10 % from each side.
pub(super) const TENTH: f64 = 1.281_551_565_544_6;

/// The time until something, counted in the container's own days.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Horizon {
    /// Sum of the factors of its days, parts of a day in proportion.
    pub factors: f64,
    /// Its length in days.
    pub days: f64,
}

/// A median with the interval that should hold four of five outcomes. Days or levels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub median: f64,
    /// None: later than can be told.
    pub high: Option<f64>,
}

/// Level, rate and variance at one moment. Levels per average day; variance per day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    pub level: f64,
    pub rate: f64,
    pub variance: f64,
    pub sensor_deviation: f64,
    /// Share of the rate that is left above [`SLOWED_FROM`]; 1 is DOMAIN §1.4 as it stands.
    pub slowing: f64,
}

/// As exactly as a fill sensor should be quoted (DOMAIN §1.1): never 73 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quartile {
    Empty,
    Quarter,
    Half,
    ThreeQuarters,
    Full,
}

impl Horizon {
    /// Whole days with these factors (weekday factor times the day's multiplier).
    #[must_use]
    pub fn of_days(factors: &[f64]) -> Self {
        let mut horizon = Self::default();
        for factor in factors {
            horizon.add(*factor, 1.0);
        }
        horizon
    }

    /// `share` of a day (0 to 1) with this factor.
    pub fn add(&mut self, factor: f64, share: f64) {
        self.factors += factor.max(0.0) * share;
        self.days += share;
    }
}

impl Outlook {
    /// Mean and standard deviation of the level at the end of the horizon, without a ceiling.
    #[must_use]
    pub fn at(&self, horizon: Horizon) -> (f64, f64) {
        let rise = self.rate * horizon.factors;
        let free = rise.min((SLOWED_FROM - self.level).max(0.0));
        let slowed = free + (rise - free) * self.slowing;
        // What comes slower spreads less, in proportion: so neither mean nor spread ever falls with the horizon.
        let days = if rise > 0.0 { horizon.days * slowed / rise } else { horizon.days };
        let variance = self.variance * days + self.sensor_deviation * self.sensor_deviation;
        (self.level + slowed, variance.sqrt())
    }

    /// Probability that the container is full at the end of the horizon: 0 to 1, rising with the level, with the rate,
    /// and with the horizon while the container is not yet full (DOMAIN §1.4 `p_over`).
    #[must_use]
    pub fn p_overflow(&self, horizon: Horizon) -> f64 {
        let (mean, deviation) = self.at(horizon);
        above(1.0, mean, deviation)
    }

    /// Level at the end of the horizon, 10, 50 and 90 %, held between 0 and 1.
    #[must_use]
    pub fn level(&self, horizon: Horizon) -> Interval {
        let (mean, deviation) = self.at(horizon);
        let held = |level: f64| level.clamp(0.0, 1.0);
        let (low, high) = (mean - TENTH * deviation, mean + TENTH * deviation);
        Interval { low: held(low), median: held(mean), high: Some(held(high)) }
    }

    /// Days until it is full, with an 80 % interval; `factors` tells the factor of the day that begins `n` days from
    /// this moment. None when that is more likely than not further away than [`DAYS_MAX`] days.
    #[must_use]
    pub fn time_to_full(&self, factors: impl Fn(u16) -> f64) -> Option<Interval> {
        let median = self.full_after(0.0, &factors)?;
        let low = self.full_after(-TENTH, &factors).unwrap_or(median);
        Some(Interval { low, median, high: self.full_after(TENTH, &factors) })
    }

    /// The median of [`Outlook::time_to_full`] alone.
    #[must_use]
    pub fn median_to_full(&self, factors: impl Fn(u16) -> f64) -> Option<f64> {
        self.full_after(0.0, &factors)
    }

    /// Days until it is full though it rises by so many deviations less than is likely.
    fn full_after(&self, deviations: f64, factors: &impl Fn(u16) -> f64) -> Option<f64> {
        let mut before = Horizon::default();
        for day in 0..DAYS_MAX {
            let factor = factors(day);
            let mut after = before;
            after.add(factor, 1.0);
            if self.full_at(after, deviations) {
                return Some(f64::from(day) + self.share_of_day(before, factor, deviations));
            }
            before = after;
        }
        None
    }

    fn full_at(&self, horizon: Horizon, deviations: f64) -> bool {
        let (mean, deviation) = self.at(horizon);
        mean - deviations * deviation >= 1.0
    }

    /// Where in the day it is full: 20 halvings, about a tenth of a second.
    fn share_of_day(&self, before: Horizon, factor: f64, deviations: f64) -> f64 {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..20 {
            let middle = f64::midpoint(low, high);
            let mut horizon = before;
            horizon.add(factor, middle);
            if self.full_at(horizon, deviations) { high = middle } else { low = middle }
        }
        high
    }
}

impl Quartile {
    /// The nearest quarter.
    #[must_use]
    pub fn of(level: f64) -> Self {
        match level {
            level if level < 0.125 => Self::Empty,
            level if level < 0.375 => Self::Quarter,
            level if level < 0.625 => Self::Half,
            level if level < 0.875 => Self::ThreeQuarters,
            _ => Self::Full,
        }
    }

    #[must_use]
    pub const fn english(self) -> &'static str {
        match self {
            Self::Empty => "about empty",
            Self::Quarter => "about a quarter",
            Self::Half => "about half",
            Self::ThreeQuarters => "about three quarters",
            Self::Full => "about full",
        }
    }

    #[must_use]
    pub const fn danish(self) -> &'static str {
        match self {
            Self::Empty => "omtrent tom",
            Self::Quarter => "omtrent en fjerdedel fuld",
            Self::Half => "omtrent halvt fuld",
            Self::ThreeQuarters => "omtrent tre fjerdedele fuld",
            Self::Full => "omtrent fuld",
        }
    }
}

/// Probability that a normal quantity lies above `limit`. Without any deviation it is 0 or 1.
#[must_use]
pub(super) fn above(limit: f64, mean: f64, deviation: f64) -> f64 {
    if deviation > 0.0 {
        0.5 * libm::erfc((limit - mean) / deviation / SQRT_2)
    } else if mean >= limit {
        1.0
    } else {
        0.0
    }
}
