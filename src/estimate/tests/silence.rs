//! Learned intervals, gateways that hide their devices, and starts without a storm.

use super::{hours, minutes};
use crate::domain::time::Span;
use crate::estimate::silence::{Cadence, Silence, Standing, Way};
use proptest::prelude::*;

const HOUR: Span = Span::from_hours(1);
const OPEN: Way = Way { started_at: hours(0), closed_since: None, reopened_at: None };

#[test]
fn suspect_at_two_and_a_half_and_silent_at_four() {
    let device = Silence::new(HOUR, hours(0));
    assert_eq!(device.suspect_at(&OPEN), minutes(150));
    assert_eq!(device.silent_at(&OPEN), hours(4));
    for (minute, standing) in [(149, Standing::Heard), (150, Standing::Suspect), (240, Standing::Silent)] {
        assert_eq!(device.standing(minutes(minute), &OPEN), standing);
    }
}

#[test]
fn a_silent_gateway_hides_its_devices_but_not_one_that_was_silent_before() {
    let device = Silence::new(HOUR, hours(0));
    let closed = Way { closed_since: Some(hours(2)), ..OPEN };
    assert_eq!(device.standing(hours(10), &closed), Standing::Hidden);
    let later = Way { closed_since: Some(hours(5)), ..OPEN };
    assert_eq!(device.standing(hours(10), &later), Standing::Silent);
    let reopened = Way { reopened_at: Some(hours(10)), ..OPEN };
    assert_eq!(device.standing(minutes(10 * 60 + 59), &reopened), Standing::Heard, "one interval to speak first");
    assert_eq!(device.standing(hours(11), &reopened), Standing::Silent);
}

#[test]
fn a_restart_causes_no_storm() {
    let after = Way { started_at: hours(100), ..OPEN };
    for number in 0..100 {
        let device = Silence::new(HOUR, hours(number));
        assert_eq!(device.standing(hours(100), &after), Standing::Heard);
        assert_eq!(Some(device.silent_at(&after)), device.due(hours(100)), "as the engine counts it");
    }
}

#[test]
fn the_interval_is_learned_through_gaps_and_bursts() {
    let mut cadence = Cadence::new(Span::from_hours(6), minutes(0));
    let mut minute = 0;
    for word in 0..400 {
        minute += if word % 10 == 0 { 600 } else { 100 + word % 40 };
        cadence.heard(minutes(minute));
        cadence.heard(minutes(minute) + Span::from_secs(20)); // an event beside the clock
    }
    let learned = cadence.learned.as_micros() as f64 / 6e7;
    assert!((100.0..140.0).contains(&learned), "{learned} minutes");
}

proptest! {
    #[test]
    fn a_learned_interval_stays_in_its_bounds_and_late_words_change_nothing(
        gaps in prop::collection::vec(0_i64..5_000, 1..300),
    ) {
        let mut cadence = Cadence::new(HOUR, minutes(0));
        let mut at = 0;
        for gap in gaps {
            at += gap;
            cadence.heard(minutes(at));
            let before = cadence;
            cadence.heard(minutes(at / 2));
            prop_assert_eq!(before, cadence);
            let learned = cadence.learned.as_micros();
            prop_assert!(learned >= HOUR.as_micros() / 8 && learned <= 2 * HOUR.as_micros());
        }
    }

    #[test]
    fn standing_only_rises_while_nothing_is_heard(minute in 0_i64..600, more in 0_i64..600) {
        let device = Silence::new(HOUR, hours(0));
        prop_assert!(device.standing(minutes(minute), &OPEN) <= device.standing(minutes(minute + more), &OPEN));
    }
}
