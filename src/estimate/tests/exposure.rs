//! Load on a zone: gaps, limits, the ladder, and the check that relief relieved.

use super::minutes;
use crate::domain::time::{Span, Timestamp};
use crate::estimate::exposure::{Certainty, Settings, Stage, Zone};
use crate::estimate::relief::{Check, Reference, Verdict};
use proptest::prelude::*;

const SETTINGS: Settings = Settings {
    reference: Some(60.0),
    limit: 120.0,
    cap: 240.0,
    tau: 5.0,
    exponent: 1.0,
    relief_min: Span::from_mins(2),
};

/// A pressure each minute from `from` to before `to`.
fn bear(zone: &mut Zone, pressure: f64, from: i64, to: i64) {
    for minute in from..to {
        zone.observe(&SETTINGS, minutes(minute), pressure);
    }
}

#[test]
fn the_ladder_is_noticed_due_and_escalated() {
    let mut zone = Zone::new(minutes(0));
    bear(&mut zone, 60.0, 0, 80);
    assert_eq!(zone.at(&SETTINGS, minutes(80)).stage, Stage::Fine);
    assert_eq!(zone.at(&SETTINGS, minutes(80)).to_limit, None, "nothing is told further ahead than 30 minutes");
    assert_eq!(zone.next_stage(&SETTINGS), Some(minutes(90)));
    bear(&mut zone, 60.0, 80, 101);
    let notice = zone.at(&SETTINGS, minutes(100));
    assert_eq!((notice.stage, notice.to_limit), (Stage::Notice, Some(Span::from_mins(20))));
    assert_eq!(zone.next_stage(&SETTINGS), Some(minutes(120)));
    bear(&mut zone, 60.0, 101, 151);
    assert_eq!(zone.at(&SETTINGS, minutes(150)).stage, Stage::EscalateAgain);
    assert_eq!(zone.due_since, Some(minutes(120)));
    bear(&mut zone, 5.0, 151, 170);
    assert_eq!(zone.at(&SETTINGS, minutes(170)).stage, Stage::Fine, "relief ends it");
    assert_eq!((zone.tally.turns, zone.turned_at), (1, minutes(169)));
}

#[test]
fn a_gap_is_held_then_assumed_then_counted_by_the_clock() {
    let mut zone = Zone::new(minutes(0));
    bear(&mut zone, 120.0, 0, 11);
    let after = |minute| zone.at(&SETTINGS, minutes(minute));
    assert_eq!((after(15).certainty, after(15).dose), (Certainty::Measured, 30.0));
    assert_eq!((after(25).certainty, after(25).dose), (Certainty::Assumed, 40.0));
    assert_eq!((after(40).certainty, after(40).dose), (Certainty::Assumed, 55.0));
    assert_eq!(after(60).certainty, Certainty::Clock);
    assert!((after(200).dose - 215.0).abs() < 1e-9, "a gap never takes away what was counted");
    zone.staff_turned(&SETTINGS, minutes(200));
    assert!((zone.at(&SETTINGS, minutes(230)).dose - 30.0).abs() < 1e-9, "then the clock begins again");
}

#[test]
fn the_cap_holds_whatever_the_sensor_says() {
    let settings = Settings { limit: 400.0, ..SETTINGS };
    let mut zone = Zone::new(minutes(0));
    for minute in 0..=240 {
        zone.observe(&settings, minutes(minute), 30.0);
    }
    assert!(zone.dose < 121.0);
    assert_eq!(zone.at(&settings, minutes(240)).stage, Stage::Due, "240 minutes without a turn");
}

#[test]
fn without_a_reference_minutes_are_minutes() {
    let settings = Settings { reference: None, ..SETTINGS };
    let mut zone = Zone::new(minutes(0));
    for minute in 0..=50 {
        zone.observe(&settings, minutes(minute), if minute < 20 { 15.0 } else { 150.0 });
    }
    assert!((zone.dose - 50.0).abs() < 1e-9);
}

#[test]
fn the_reference_is_the_median_of_calm_pressures() {
    let mut reference = Reference::new(minutes(0));
    for minute in 0..1_440 {
        let moving = minute % 100 < 3;
        reference.observe(minutes(minute), if moving { (minute % 7) as f64 * 30.0 } else { 55.0 });
    }
    assert_eq!(reference.median(minutes(100), false), None, "the day is not over");
    assert!((reference.median(minutes(1_440), false).unwrap() - 55.0).abs() <= 1.0);
}

#[test]
fn relief_is_judged_by_pressure_alone() {
    let run = |pressures: &[(i64, f64, f64)]| {
        let mut check = Check::new(minutes(0), 60.0);
        let mut verdict = Verdict::Waits;
        for (minute, pressure, elsewhere) in pressures {
            verdict = check.observe(&SETTINGS, minutes(*minute), Some((*pressure, *elsewhere)));
        }
        verdict
    };
    let held: Vec<_> = (2..=17).map(|minute| (minute, 15.0, 1.0)).collect();
    assert_eq!(run(&held), Verdict::Relieved);
    assert_eq!(run(&held[..15]), Verdict::Waits);
    assert_eq!(run(&[(2, 50.0, 1.0), (6, 15.0, 1.0)]), Verdict::NotDown, "too late");
    assert_eq!(run(&[(2, 15.0, 1.0), (10, 40.0, 1.0)]), Verdict::NotHeld);
    assert_eq!(run(&[(2, 15.0, 1.0), (10, 15.0, 1.3)]), Verdict::Shifted);
    let mut silent = Check::new(minutes(0), 60.0);
    assert_eq!(silent.observe(&SETTINGS, minutes(6), None), Verdict::NotDown, "what is not measured is not verified");
}

fn stream() -> impl Strategy<Value = Vec<(i64, f64)>> {
    prop::collection::vec((1_i64..120_000, 0.0..200.0), 1..80)
}

fn moment(millis: i64) -> Timestamp {
    Timestamp::from_micros(0) + Span::from_millis(millis)
}

proptest! {
    #[test]
    fn a_dose_is_bounded_and_asking_often_changes_nothing(stream in stream()) {
        let (mut seldom, mut often) = (Zone::new(moment(0)), Zone::new(moment(0)));
        let mut at = 0;
        for (gap, pressure) in stream {
            for part in 1..4 {
                often.advance(&SETTINGS, moment(at + gap * part / 4));
            }
            at += gap;
            seldom.observe(&SETTINGS, moment(at), pressure);
            often.observe(&SETTINGS, moment(at), pressure);
            prop_assert!((seldom.dose - often.dose).abs() < 1e-6, "{} and {}", seldom.dose, often.dose);
            prop_assert!(seldom.dose >= 0.0 && seldom.dose <= 2.5 * at as f64 / 60_000.0 + 1e-9);
            prop_assert!((seldom.at(&SETTINGS, moment(at)).dose - seldom.dose).abs() < 1e-12);
        }
    }

    #[test]
    fn more_pressure_is_never_less_dose(stream in stream(), more in 0.0..50.0) {
        let (mut less, mut higher) = (Zone::new(moment(0)), Zone::new(moment(0)));
        let mut at = 0;
        for (gap, pressure) in stream {
            at += gap;
            less.observe(&SETTINGS, moment(at), pressure);
            higher.observe(&SETTINGS, moment(at), pressure + more);
            prop_assert!(higher.dose >= less.dose - 1e-9);
        }
    }

    #[test]
    fn late_ones_change_nothing_and_a_copy_goes_on(stream in stream()) {
        let mut zone = Zone::new(moment(0));
        let mut copy = zone;
        let mut at = 0;
        for (gap, pressure) in stream {
            at += gap;
            zone.observe(&SETTINGS, moment(at), pressure);
            copy.observe(&SETTINGS, moment(at), pressure);
            copy.observe(&SETTINGS, moment(at - 1), 200.0 - pressure);
            let Zone { counted_to, pressure, dose, relieved_since, turned_at, due_since, loaded_since, tally } = copy;
            copy = Zone { counted_to, pressure, dose, relieved_since, turned_at, due_since, loaded_since, tally };
            prop_assert_eq!(zone, copy);
        }
    }
}
