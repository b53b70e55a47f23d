//! The vectors of DOMAIN §7.2 that belong to estimators, number for number: `cargo test vectors`.

use super::exposure::{Settings, Stage, Zone};
use super::fill::deposits::{self, Deposit};
use super::fill::forecast::Outlook;
use super::fill::{Horizon, level};
use super::silence::{Silence, Standing, Way};
use crate::domain::time::{Span, Timestamp};

const START: Timestamp = Timestamp::from_micros(0);

fn near(found: f64, expected: f64, within: f64) {
    assert!((found - expected).abs() <= within, "{found} is not {expected}");
}

#[test]
fn fill_from_distance() {
    for (distance, expected) in [(1200.0, 0.0), (970.0, 0.25), (740.0, 0.5), (510.0, 0.75), (280.0, 1.0), (200.0, 1.05)]
    {
        near(level::from_distance(distance, 1200.0, 280.0), expected, 1e-12);
    }
}

#[test]
fn speed_of_sound() {
    for (celsius, expected) in [(-10.0, 325.24), (0.0, 331.3), (20.0, 343.42), (40.0, 355.54)] {
        near(level::speed_of_sound(celsius), expected, 1e-9);
    }
    near(level::distance_of_flight(10_000.0, 20.0), 1717.1, 1e-9);
}

#[test]
fn p_overflow_in_time_against_threshold() {
    let bin = |level, rate, variance| Outlook { level, rate, variance, sensor_deviation: 0.03, slowing: 1.0 };
    let friday = Horizon::of_days(&[1.2, 1.3, 0.95]);
    let (mean, deviation) = bin(0.60, 0.10, 0.004).at(friday);
    near(mean, 0.945, 1e-12);
    near(deviation, 0.114, 5e-4);
    near(bin(0.60, 0.10, 0.004).p_overflow(friday), 0.3141, 5e-5);
    near(bin(0.60, 0.10, 0.004).p_overflow(Horizon::of_days(&[0.9])), 0.0, 1e-5);
    near(bin(0.80, 0.05, 0.001).p_overflow(Horizon::of_days(&[0.85, 0.85])), 0.0164, 5e-5);
    near(bin(0.30, 0.25, 0.02).p_overflow(friday), 0.7449, 5e-5);
}

#[test]
fn p_overflow_by_deposits() {
    let deposit = Deposit { mean: 47.5, deviation: 10.1 };
    for (known, expected, p) in [(80.0, 15.0, 0.0097), (95.0, 15.0, 0.8554), (60.0, 10.0, 0.0)] {
        near(deposits::p_overflow(known, expected, deposit, 5_000.0), p, 5e-5);
    }
}

/// Minutes of a pressure, one observation a minute.
fn bear(zone: &mut Zone, settings: &Settings, pressure: f64, minutes: i64) -> f64 {
    let from = zone.counted_to;
    for minute in 0..minutes {
        zone.observe(settings, from + Span::from_mins(minute), pressure);
    }
    zone.advance(settings, from + Span::from_mins(minutes));
    zone.dose
}

#[test]
fn dose_and_relief() {
    let settings = Settings { reference: Some(60.0), ..Settings::default() };
    let mut zone = Zone::new(START);
    near(bear(&mut zone, &settings, 60.0, 100), 100.0, 1e-9);
    let mut slow = zone;
    near(bear(&mut zone, &settings, 10.0, 15), 4.98, 5e-3);
    near(bear(&mut slow, &Settings { tau: 15.0, ..settings }, 10.0, 15), 36.79, 5e-3);
    near(bear(&mut zone, &settings, 90.0, 60), 94.98, 5e-3);

    let mut alone = Zone::new(START);
    near(bear(&mut alone, &settings, 90.0, 80), 120.0, 1e-9);
    assert_eq!(alone.at(&settings, alone.counted_to).stage, Stage::Due);
    near(bear(&mut Zone::new(START), &settings, 30.0, 120), 60.0, 1e-9);
}

#[test]
fn a_short_relief_does_not_count() {
    let with = |relief_min| {
        let settings = Settings { reference: Some(60.0), relief_min, ..Settings::default() };
        let mut zone = Zone::new(START);
        bear(&mut zone, &settings, 60.0, 60);
        bear(&mut zone, &settings, 10.0, 1);
        bear(&mut zone, &settings, 60.0, 60)
    };
    near(with(Span::from_mins(2)), 120.0, 1e-9);
    near(with(Span::ZERO), 109.12, 5e-3);
}

#[test]
fn silence_of_a_device_of_priority_2() {
    // Its last heartbeat was 61 minutes ago: an interval of 15 minutes makes supervision of 60.
    let device = Silence::new(Span::from_mins(15), START);
    let way = Way { started_at: START, closed_since: None, reopened_at: None };
    assert_eq!(device.standing(START + Span::from_mins(61), &way), Standing::Silent);
    assert_eq!(device.standing(START + Span::from_mins(59), &way), Standing::Suspect);
}
