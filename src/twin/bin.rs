//! One waste bin: people throw things in, a crew empties it, a sensor looks down at what is there.
//!
//! Deposits are a non-homogeneous Poisson process (DOMAIN §6.2) by weekday and hour. It knows nothing of
//! messages; `formats` turns what the sensor saw into bytes.

use super::chance::Chance;
use super::civil::Civil;
use crate::domain::time::{Span, Timestamp};

/// Share of a bin that one deposit fills, on average.
const DEPOSIT_MEAN: f64 = 0.025;
/// Standard deviation of the fill sensor.
const SENSOR_DEVIATION: f64 = 0.03;
/// Heaped above the rim: no bin holds more.
const FILL_MAX: f64 = 1.2;
const WEEKDAY_FACTORS: [f64; 7] = [0.85, 0.85, 0.90, 0.95, 1.20, 1.30, 0.95];
/// Mean 1 over the day: quiet nights, a peak in the late afternoon.
const HOUR_FACTORS: [f64; 24] = [
    0.15, 0.10, 0.10, 0.10, 0.15, 0.30, 0.60, 1.00, 1.20, 1.20, 1.30, 1.50, 1.60, 1.50, 1.50, 1.60, 1.80, 1.80, 1.60,
    1.40, 1.20, 1.00, 0.80, 0.50,
];
/// The largest product of the two tables: thinning draws at this rate and keeps the right share.
const FACTOR_MAX: f64 = 1.30 * 1.80;
const DAY_MICROS: f64 = 86_400e6;

/// The true state of a bin, which no sensor sees exactly.
#[derive(Clone, Debug)]
pub(crate) struct Bin {
    chance: Chance,
    /// Deposits a day at factor 1.
    deposits_per_day: f64,
    fill: f64,
    next_deposit_at: Timestamp,
    battery: f64,
    tilted: bool,
    /// Celsius that a fire adds to the weather.
    heat: f64,
}

/// What the sensor reports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct BinSeen {
    /// Share of the bin, 0 to 1.05.
    pub fill: f64,
    /// Celsius.
    pub temperature: f64,
    /// Percent, 0 to 100.
    pub battery: u8,
    pub tilted: bool,
}

impl Bin {
    pub(crate) fn new(seed: u64, name: &str, at: Timestamp) -> Self {
        let mut chance = Chance::new(seed, &["bin", name]);
        let fills_per_day = chance.lognormal(0.085, 0.85).min(1.5);
        let mut bin = Self {
            deposits_per_day: fills_per_day / DEPOSIT_MEAN,
            fill: chance.uniform(0.0, 0.95),
            next_deposit_at: at,
            battery: if chance.happens(0.02) { chance.uniform(3.0, 9.0) } else { chance.uniform(40.0, 100.0) },
            tilted: false,
            heat: 0.0,
            chance,
        };
        bin.plan_deposit();
        bin
    }

    fn plan_deposit(&mut self) {
        let days = self.chance.exponential(1.0 / (self.deposits_per_day * FACTOR_MAX));
        self.next_deposit_at = self.next_deposit_at + Span::from_micros((days * DAY_MICROS) as i64 + 1);
    }

    /// Lets people throw things in until `until`.
    pub(crate) fn live(&mut self, civil: &Civil, until: Timestamp) {
        while self.next_deposit_at <= until {
            let local = civil.local(self.next_deposit_at);
            let factor = WEEKDAY_FACTORS[local.weekday] * HOUR_FACTORS[local.hour];
            if self.chance.happens(factor / FACTOR_MAX) {
                self.fill = (self.fill + self.chance.exponential(DEPOSIT_MEAN)).min(FILL_MAX);
            }
            self.plan_deposit();
        }
    }

    /// What the sensor says at `at`; time must have been lived up to it.
    pub(crate) fn look(&mut self, civil: &Civil, at: Timestamp) -> BinSeen {
        let local = civil.local(at);
        let day_share = (local.hour as f64 + local.minute as f64 / 60.0 - 9.0) / 24.0;
        let weather = 14.0 + 5.0 * libm::sin(std::f64::consts::TAU * day_share);
        self.battery = (self.battery - 0.002).max(1.0);
        BinSeen {
            fill: self.chance.normal(self.fill, SENSOR_DEVIATION).clamp(0.0, 1.05),
            temperature: self.chance.normal(weather, 0.4) + self.heat,
            battery: self.battery as u8,
            tilted: self.tilted,
        }
    }

    /// A crew empties it, and leaves a little behind.
    pub(crate) fn empty(&mut self) {
        self.fill = self.chance.uniform(0.0, 0.03);
        self.mend();
    }

    /// A crew sets it upright, changes its battery and sees that nothing burns.
    pub(crate) fn mend(&mut self) {
        self.tilted = false;
        self.heat = 0.0;
        if self.battery < 20.0 {
            self.battery = 100.0;
        }
    }

    pub(crate) fn tip_over(&mut self) {
        self.tilted = true;
    }

    pub(crate) fn catch_fire(&mut self) {
        self.heat = 55.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_micros(1_788_753_600_000_000);

    fn a_week_of(seed: u64, name: &str) -> Vec<BinSeen> {
        let civil = Civil::danish();
        let mut bin = Bin::new(seed, name, START);
        (1..=168)
            .map(|hour| {
                let at = START + Span::from_hours(hour);
                bin.live(&civil, at);
                bin.look(&civil, at)
            })
            .collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_week() {
        assert_eq!(a_week_of(42, "bin-001"), a_week_of(42, "bin-001"));
        assert_ne!(a_week_of(42, "bin-001"), a_week_of(43, "bin-001"));
        assert_ne!(a_week_of(42, "bin-001"), a_week_of(42, "bin-002"));
    }

    #[test]
    fn hours_and_weekdays_are_means_of_one() {
        assert!((HOUR_FACTORS.iter().sum::<f64>() / 24.0 - 1.0).abs() < 0.01);
        assert!((WEEKDAY_FACTORS.iter().sum::<f64>() / 7.0 - 1.0).abs() < 0.01);
    }

    #[test]
    fn a_median_bin_fills_at_the_rate_of_the_domain_page() {
        let civil = Civil::danish();
        let mut rates: Vec<f64> = (0..201)
            .map(|n| {
                let mut bin = Bin::new(5, &format!("bin-{n}"), START);
                bin.fill = 0.0;
                bin.live(&civil, START + Span::from_hours(24 * 7));
                bin.fill / 7.0
            })
            .collect();
        rates.sort_by(f64::total_cmp);
        assert!((0.06..0.11).contains(&rates[100]), "median fill a day {}", rates[100]);
    }

    #[test]
    fn emptying_shows_in_the_next_look() {
        let civil = Civil::danish();
        let mut bin = Bin::new(1, "bin-001", START);
        bin.fill = 0.9;
        bin.tip_over();
        bin.catch_fire();
        let before = bin.look(&civil, START);
        assert!(before.fill > 0.7 && before.tilted && before.temperature > 50.0, "{before:?}");
        bin.empty();
        let after = bin.look(&civil, START);
        assert!(after.fill < 0.2 && !after.tilted && after.temperature < 30.0, "{after:?}");
    }
}
