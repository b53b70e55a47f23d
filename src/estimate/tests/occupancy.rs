//! Somebody in the bed or not, from a number that changes by less than one percent.

use super::seconds;
use crate::domain::time::Timestamp;
use crate::estimate::occupancy::{Occupancy, Presence, Settings};
use proptest::prelude::*;

/// Noise that is the same on every run: about plus and minus one, without a pattern that matters.
fn noise(step: i64) -> f64 {
    let mixed = (step as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 29)) as f64 / u64::MAX as f64 * 2.0 - 1.0
}

/// One value a second: an empty number of 10,000 that creeps, a person who adds 0.7 %, noise of 0.03 %.
fn run(occupancy: &mut Occupancy, settings: &Settings, seconds_of: &[(bool, i64)]) -> Vec<(Presence, Timestamp)> {
    let sign = if settings.rises { 1.0 } else { -1.0 };
    let (mut at, mut changes) = (0, Vec::new());
    for (inside, length) in seconds_of {
        for _ in 0..*length {
            at += 1;
            let person = if *inside { 70.0 } else { 0.0 };
            let number = 10_000.0 + sign * person + 5.0 * noise(at) + at as f64 * 0.0005;
            changes.extend(occupancy.observe(settings, seconds(at), number));
        }
    }
    changes
}

#[test]
fn a_mat_that_changes_by_less_than_a_percent_is_learned() {
    for rises in [true, false] {
        let settings = Settings { rises, ..Settings::default() };
        let mut occupancy = Occupancy::default();
        let told = run(&mut occupancy, &settings, &[(false, 600), (true, 20_000), (false, 900), (true, 3_600)]);
        let words: Vec<_> = told.iter().map(|(presence, _)| *presence).collect();
        assert_eq!(words, [Presence::Occupied, Presence::Empty, Presence::Occupied]);
        assert_eq!(told[0].1, seconds(601), "the moment is when it began, not when it was believed");
        let change = occupancy.change().unwrap();
        assert!((0.005..0.01).contains(&change), "{change}");
    }
}

#[test]
fn who_lies_there_from_the_start_is_known_when_the_bed_was_empty_once() {
    let mut occupancy = Occupancy::default();
    let told = run(&mut occupancy, &Settings::default(), &[(true, 600), (false, 600)]);
    assert_eq!(told.iter().map(|(presence, _)| *presence).collect::<Vec<_>>(), [Presence::Empty]);
    assert_eq!(occupancy.presence, Presence::Empty);
}

#[test]
fn turning_over_is_no_exit() {
    let mut occupancy = Occupancy::default();
    let mut stretches = vec![(false, 300), (true, 600)];
    for _ in 0..50 {
        stretches.extend([(false, 8), (true, 40)]); // lifted for less than the delay
    }
    assert_eq!(run(&mut occupancy, &Settings::default(), &stretches).len(), 1);
}

proptest! {
    #[test]
    fn any_numbers_are_borne_and_late_ones_change_nothing(
        stream in prop::collection::vec((1_i64..100, -1e6..1e6), 1..200),
    ) {
        let settings = Settings::default();
        let (mut one, mut copy) = (Occupancy::default(), Occupancy::default());
        let mut at = 0;
        for (gap, number) in stream {
            at += gap;
            let told = one.observe(&settings, seconds(at), number);
            prop_assert_eq!(told, copy.observe(&settings, seconds(at), number));
            copy.observe(&settings, seconds(at - 1), -number);
            copy.observe(&settings, seconds(at), f64::NAN);
            prop_assert_eq!(one, copy);
            prop_assert!(one.empty.is_finite() && one.gap.is_finite() && one.jitter >= 0.0);
            prop_assert!(told.is_none_or(|(presence, since)| presence == one.presence && since <= seconds(at)));
        }
    }
}
