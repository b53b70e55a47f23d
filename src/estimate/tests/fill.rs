//! Fill levels, the events of a container, and what is forecast from them.

use super::hours;
use crate::domain::observation::{Finite, Quality};
use crate::domain::time::{Span, Timestamp};
use crate::estimate::fill::deposits::{self, Deposit, Outcomes};
use crate::estimate::fill::forecast::Outlook;
use crate::estimate::fill::level::{distance_of_flight, from_distance, median_of_3};
use crate::estimate::fill::{
    Around, Cluster, Day, Fill, FillEvent, FillFact, Horizon, Outcome, Prior, Quartile, Scale, Settings, VolumeTable,
};
use proptest::prelude::*;

const PERCENT: Settings = Settings::new(Scale::Share { full: 100.0 });
const MILLIMETRES: Settings = Settings::new(Scale::Distance { full_mm: 280.0, blind_mm: 250.0, volume: None });

struct Bin {
    fill: Fill,
    settings: Settings,
    prior: Prior,
    task_open: bool,
    neighbours_rise: bool,
}

impl Bin {
    fn new(settings: Settings) -> Self {
        let prior = Prior::default();
        Self { fill: Fill::new(1_200.0, &prior), settings, prior, task_open: true, neighbours_rise: false }
    }

    fn observe(&mut self, at: Timestamp, value: f64) -> Outcome {
        let around = Around {
            utc_offset: Span::ZERO,
            multiplier: 1.0,
            task_open: self.task_open,
            neighbours_rise: self.neighbours_rise,
            prior: &self.prior,
        };
        self.fill.observe(&self.settings, at, (Finite::new(value).unwrap(), Quality::Unchecked), &around)
    }

    /// One value an hour from `from` on; the events that came of it.
    fn observe_all(&mut self, from: i64, values: &[f64]) -> Vec<FillEvent> {
        (from..).zip(values).filter_map(|(hour, value)| self.observe(hours(hour), *value).event).collect()
    }
}

fn facts(events: &[FillEvent]) -> Vec<FillFact> {
    events.iter().map(|event| event.fact).collect()
}

#[test]
fn an_emptying_is_believed_with_the_second_low_value() {
    let mut bin = Bin::new(PERCENT);
    assert!(bin.observe_all(0, &[70.0, 72.0, 75.0]).is_empty());
    let first = bin.observe(hours(3), 4.0);
    assert_eq!((first.event, first.quality), (None, Quality::Suspicious));
    assert_eq!(bin.fill.level(), Some(f64::from(0.72_f32)), "the level waits too");
    let event = bin.observe(hours(4), 6.0).event.unwrap();
    assert_eq!((event.fact, event.at), (FillFact::Emptied, hours(3)));
    assert!(bin.fill.level().unwrap() < 0.1);
    assert_eq!(event.english().to_string(), "Emptied: fell from about three quarters to about empty.");
    assert_eq!(event.danish().to_string(), "Tømt: faldt fra omtrent tre fjerdedele fuld til omtrent tom.");
}

#[test]
fn an_emptying_that_nobody_asked_for_says_so() {
    let mut bin = Bin::new(PERCENT);
    bin.task_open = false;
    assert_eq!(facts(&bin.observe_all(0, &[70.0, 72.0, 4.0, 6.0])), [FillFact::EmptiedUnasked]);
}

#[test]
fn a_single_low_or_high_value_is_a_spike() {
    let mut bin = Bin::new(PERCENT);
    let events = bin.observe_all(0, &[70.0, 71.0, 2.0, 72.0, 73.0]);
    assert_eq!(facts(&events), [FillFact::Spike]);
    assert_eq!(events[0].at, hours(2), "the value of that moment is the rejected one");
    let mut bin = Bin::new(PERCENT);
    assert_eq!(facts(&bin.observe_all(0, &[20.0, 21.0, 99.0, 22.0])), [FillFact::Spike]);
    assert!(bin.fill.level().unwrap() < 0.25);
}

#[test]
fn a_rise_that_stays_may_be_an_obstruction() {
    assert_eq!(facts(&Bin::new(PERCENT).observe_all(0, &[10.0, 10.0, 90.0, 91.0])), [FillFact::SuddenFull]);
    assert_eq!(facts(&Bin::new(PERCENT).observe_all(0, &[10.0, 10.0, 62.0, 63.0])), [], "high, and not that high");
}

#[test]
fn settling_and_a_part_taken_away_do_not_end_the_cycle() {
    let mut bin = Bin::new(PERCENT);
    assert_eq!(facts(&bin.observe_all(0, &[60.0, 60.0, 60.0, 48.0, 48.0, 48.0])), [FillFact::Settled]);
    assert_eq!(facts(&bin.observe_all(6, &[90.0, 90.0, 52.0, 52.0])), [FillFact::PartlyFallen]);
    assert_eq!(bin.fill.cycle.emptied_at, None);
}

#[test]
fn a_crews_word_confirms_a_fall_that_waits() {
    let mut bin = Bin::new(PERCENT);
    bin.observe_all(0, &[70.0, 72.0, 75.0, 4.0]);
    let event = bin.fill.crew_done(&PERCENT, hours(3)).unwrap();
    assert_eq!((event.fact, event.at), (FillFact::Emptied, hours(3)));
    assert!(bin.observe_all(4, &[5.0, 6.0]).is_empty(), "once");
}

#[test]
fn a_fall_after_a_crews_word_is_believed_at_once() {
    let mut bin = Bin::new(PERCENT);
    bin.observe_all(0, &[70.0, 72.0, 75.0]);
    assert_eq!(bin.fill.crew_done(&PERCENT, hours(3)), None);
    assert_eq!(facts(&bin.observe_all(4, &[5.0])), [FillFact::Emptied]);
    assert!(bin.observe_all(5, &[6.0, 7.0, 7.0]).is_empty(), "once");
    let mut late = Bin::new(PERCENT);
    late.observe_all(0, &[70.0, 72.0, 75.0]);
    late.fill.crew_done(&PERCENT, hours(3));
    assert!(late.observe_all(28, &[5.0]).is_empty(), "a day later it waits for another");
}

#[test]
fn a_crews_word_about_little_is_believed_alone() {
    let mut bin = Bin::new(PERCENT);
    assert_eq!(bin.fill.crew_done(&PERCENT, hours(0)), None, "nothing is known of it");
    bin.observe_all(1, &[10.0, 10.0, 12.0]);
    let event = bin.fill.crew_done(&PERCENT, hours(4)).unwrap();
    assert_eq!((event.fact, event.at), (FillFact::Emptied, hours(4)));
    assert_eq!(facts(&bin.observe_all(5, &[9.0, 10.0, 10.0])), [], "once");
    assert_eq!(bin.fill.cycle.emptied_at, Some(hours(4)));
}

#[test]
fn a_crews_word_that_two_values_deny_is_told() {
    let mut bin = Bin::new(PERCENT);
    bin.observe_all(0, &[70.0, 72.0, 75.0]);
    assert_eq!(bin.fill.crew_done(&PERCENT, hours(3)), None);
    assert_eq!(facts(&bin.observe_all(4, &[75.0, 76.0, 76.0])), [FillFact::DoneNotEmptied]);
    let mut bin = Bin::new(PERCENT);
    bin.observe_all(0, &[70.0, 72.0, 75.0]);
    bin.fill.crew_done(&PERCENT, hours(3));
    assert_eq!(facts(&bin.observe_all(4, &[5.0, 6.0, 6.0])), [FillFact::Emptied]);
}

#[test]
fn stuck_needs_neighbours_that_rise_and_ends_with_a_movement() {
    let mut bin = Bin::new(MILLIMETRES);
    assert!(bin.observe_all(0, &[700.0; 12]).is_empty(), "nobody near fills: a quiet week");
    bin.neighbours_rise = true;
    assert_eq!(facts(&bin.observe_all(12, &[700.0; 4])), [FillFact::Stuck], "told once");
    assert!(bin.fill.blocked());
    bin.observe_all(16, &[690.0]);
    assert!(!bin.fill.blocked());
}

#[test]
fn a_share_that_stays_the_same_is_stuck_too_unless_it_is_full() {
    let mut bin = Bin::new(PERCENT);
    bin.neighbours_rise = true;
    assert_eq!(facts(&bin.observe_all(0, &[40.0; 9])), [FillFact::Stuck]);
    assert!(bin.fill.blocked());
    assert!(bin.observe_all(9, &[42.0]).is_empty() && !bin.fill.blocked());
    let mut full = Bin::new(PERCENT);
    full.neighbours_rise = true;
    assert!(full.observe_all(0, &[99.0; 12]).is_empty(), "a full one has no reason to move");
}

#[test]
fn three_values_nearer_than_the_sensor_sees_are_an_obstruction() {
    let events = Bin::new(MILLIMETRES).observe_all(0, &[700.0, 100.0, 101.0, 103.0, 104.0]);
    assert_eq!(facts(&events), [FillFact::TooNear]);
}

#[test]
fn the_floor_is_learned_after_an_emptying_and_only_near_where_it_was_mounted() {
    let mut bin = Bin::new(MILLIMETRES);
    bin.observe_all(0, &[500.0, 500.0, 1_150.0, 1_148.0, 1_152.0]);
    assert!((bin.fill.floor.learned_mm - 1_150.0).abs() < 1e-3);
    bin.observe_all(5, &[500.0, 500.0, 500.0, 980.0, 978.0, 979.0]);
    assert!((bin.fill.floor.learned_mm - 1_150.0).abs() < 1e-3, "something was left: no floor");
    let echo = bin.observe(hours(20), 2_000.0);
    assert_eq!(echo.quality, Quality::RejectedProbable, "no echo of this floor");
}

#[test]
fn six_steps_once_a_day_are_enough() {
    let mut bin = Bin::new(Settings::six_steps());
    let week = [0.0, 4.0, 8.0, 0.0, 6.0, 8.0, 0.0, 4.0, 8.0, 0.0];
    let events: Vec<_> =
        (0_i64..).zip(week).filter_map(|(day, value)| bin.observe(hours(24 * day), value).event).collect();
    assert_eq!(facts(&events), [FillFact::Emptied; 3], "tomorrow's eight is no sign that today's nought was wrong");
}

/// Forty days of a known rate with a weekend of twice the fill.
#[test]
fn rate_and_weekdays_are_learned() {
    let mut bin = Bin::new(PERCENT);
    let mut level: f64 = 0.0;
    for hour in 0..24 * 7 * 30 {
        let weekend = (hour / 24 + 3) % 7 >= 5;
        level += if weekend { 0.16 / 24.0 } else { 0.08 / 24.0 };
        if level > 0.9 {
            level = 0.0;
        }
        bin.observe(hours(hour), 100.0 * level);
    }
    let average = (5.0 * 0.08 + 2.0 * 0.16) / 7.0;
    let rate = bin.fill.demand.rate(&bin.prior);
    assert!((rate - average).abs() < 0.1 * average, "{rate} is not {average}");
    let weekdays = bin.fill.weekdays(&PERCENT, &bin.prior);
    let ratio = weekdays[5] / weekdays[1];
    assert!(ratio > 1.6, "Saturday to Tuesday {ratio}");
}

#[test]
fn a_full_container_does_not_teach_that_nothing_comes() {
    let mut bin = Bin::new(PERCENT);
    let mut level: f64 = 0.0;
    for hour in 0..24 * 60 {
        level = if hour % (24 * 10) == 0 { 0.0 } else { (level + 0.25 / 24.0).min(1.0) };
        bin.observe(hours(hour), 100.0 * level);
    }
    assert!(bin.fill.demand.rate > 0.18, "{} a day though it is full six days of ten", bin.fill.demand.rate);
}

#[test]
fn before_three_cycles_the_cluster_speaks() {
    let mut cluster = Cluster::new(0.1);
    for day in 0..700 {
        let rise = if day % 7 == 5 { 0.6 } else { 0.2 };
        cluster.learn(&Day { weekday: (day % 7) as u8, rise, seen: rise, censored: false });
    }
    let prior = cluster.prior();
    assert!((prior.rate - 1.8 / 7.0).abs() < 0.02 && prior.weekdays[5] > 2.0 && prior.variance > 0.005);
    let fill = Fill::new(1_200.0, &prior);
    assert!((fill.demand.rate(&prior) - prior.rate).abs() < 1e-12);
    assert!((fill.weekdays(&PERCENT, &prior)[5] - prior.weekdays[5]).abs() < 0.05);
}

#[test]
fn days_to_full_has_an_interval_and_an_end() {
    let outlook = Outlook { level: 0.5, rate: 0.1, variance: 0.002, sensor_deviation: 0.03, slowing: 1.0 };
    let interval = outlook.time_to_full(|_| 1.0).unwrap();
    assert!((interval.median - 5.0).abs() < 1e-4, "{interval:?}");
    assert!(interval.low < 5.0 && interval.high.unwrap() > 5.0);
    let still = Outlook { rate: 0.0, variance: 0.0, ..outlook };
    assert_eq!(still.time_to_full(|_| 1.0), None);
}

#[test]
fn a_deposit_is_fitted_from_what_crews_found() {
    let mut outcomes = Outcomes::default();
    let prior = Deposit { mean: 40.0, deviation: 10.0 };
    assert_eq!(outcomes.fitted(prior, 5_000.0), prior);
    for number in [70, 80, 85, 90, 95, 98] {
        outcomes.learn(number, false);
    }
    for number in [102, 105, 110, 120, 130] {
        outcomes.learn(number, true);
    }
    let fitted = outcomes.fitted(prior, 5_000.0);
    assert!((fitted.mean - 50.0).abs() < 2.0, "{fitted:?}");
}

#[test]
fn a_tapered_container_is_measured_by_its_table() {
    let table = VolumeTable::new(&[(0.0, 0.0), (0.5, 0.3), (1.0, 1.0)]).unwrap();
    assert!((table.volume(0.25) - 0.15).abs() < 1e-6 && (table.volume(0.75) - 0.65).abs() < 1e-6);
    assert_eq!(VolumeTable::new(&[(0.0, 0.0), (0.5, 0.3)]), None, "it must end at the top");
    assert_eq!(VolumeTable::new(&[(0.0, 0.0), (0.5, 0.7), (0.5, 0.8), (1.0, 1.0)]), None);
    assert_eq!(VolumeTable::new(&[(0.0, 0.0), (f64::NAN, 0.7), (1.0, 1.0)]), None);
}

fn restored(fill: &Fill) -> Fill {
    let Fill { cycle, steady, demand, floor, observed_at } = *fill;
    Fill { cycle, steady, demand, floor, observed_at }
}

fn values() -> impl Strategy<Value = Vec<(i64, f64)>> {
    prop::collection::vec((0_i64..2_000, -50.0..3_000.0), 1..200)
}

proptest! {
    #[test]
    fn a_level_falls_with_the_distance(near in 0.0..3_000.0, more in 0.0..500.0) {
        prop_assert!(from_distance(near, 1_200.0, 280.0) >= from_distance(near + more, 1_200.0, 280.0));
        prop_assert!((0.0..=1.05).contains(&from_distance(near, 1_200.0, 280.0)));
        prop_assert!(distance_of_flight(near, 20.0) <= distance_of_flight(near + more, 20.0));
    }

    #[test]
    fn probability_rises_with_level_rate_and_horizon(
        level in 0.0..0.99, rate in 0.001..0.5, variance in 0.0..0.1, more in 0.0..0.3, days in 1_usize..20,
        slowing in prop_oneof![Just(1.0), 0.1..1.0],
    ) {
        let p = |level, rate, days| {
            let outlook = Outlook { level, rate, variance, sensor_deviation: 0.03, slowing };
            outlook.p_overflow(Horizon::of_days(&vec![1.0; days]))
        };
        let least = p(level, rate, days);
        prop_assert!((0.0..=1.0).contains(&least));
        prop_assert!(p(level, rate, days + 1) >= least - 1e-12);
        if slowing > 0.999 {
            prop_assert!(p(level + more, rate, days) >= least - 1e-12);
            prop_assert!(p(level, rate + more, days) >= least - 1e-12);
        }
    }

    #[test]
    fn deposits_have_a_probability(known in 0.0..500.0, expected in 0.0..100.0, capacity in 1.0..9_000.0) {
        let deposit = Deposit { mean: 40.0, deviation: 10.0 };
        let p = deposits::p_overflow(known, expected, deposit, capacity);
        prop_assert!((0.0..=1.0).contains(&p));
    }

    #[test]
    fn the_median_is_one_of_three(a in 0.0_f32..2.0, b in 0.0_f32..2.0, c in 0.0_f32..2.0) {
        let mut all = [a, b, c];
        all.sort_by(f32::total_cmp);
        prop_assert_eq!(median_of_3(a, b, c).total_cmp(&all[1]), std::cmp::Ordering::Equal);
    }

    #[test]
    fn nothing_that_comes_in_leaves_the_bounds(stream in values(), distance: bool) {
        let mut bin = Bin::new(if distance { MILLIMETRES } else { PERCENT });
        let mut at = 0;
        for (gap, value) in stream {
            at += gap;
            bin.neighbours_rise = gap % 2 == 0;
            if gap % 7 == 0 {
                bin.fill.crew_done(&bin.settings, hours(at));
            }
            bin.observe(hours(at), value);
            let (fill, settings, prior) = (&bin.fill, &bin.settings, &bin.prior);
            prop_assert!(fill.level().is_none_or(|level| (0.0..=1.05).contains(&level)));
            prop_assert!(fill.demand.rate.is_finite() && fill.demand.rate >= 0.0);
            prop_assert!(fill.demand.variance.is_finite() && fill.demand.variance >= 0.0);
            let sum: f64 = fill.weekdays(settings, prior).iter().sum();
            prop_assert!((6.5..=7.5).contains(&sum), "weekdays add up to {}", sum);
            if let Some(full) = fill.time_to_full(2, |_| 1.0, settings, prior) {
                prop_assert!(full.low <= full.median && full.high.is_none_or(|high| full.median <= high));
            }
        }
    }

    /// Doubled and late observations change nothing; a state that was put back goes on the same way.
    #[test]
    fn doubled_and_late_ones_change_nothing_and_a_copy_goes_on(stream in values(), cut in 0_usize..200) {
        let (mut once, mut twice) = (Bin::new(PERCENT), Bin::new(PERCENT));
        let mut at = 0;
        for (index, (gap, value)) in stream.into_iter().enumerate() {
            at += gap + 1;
            let value = value.rem_euclid(110.0);
            let expected = once.observe(hours(at), value);
            prop_assert_eq!(expected, twice.observe(hours(at), value));
            twice.observe(hours(at), 100.0 - value);
            twice.observe(hours(at - 1), value / 2.0);
            if index == cut {
                twice.fill = restored(&twice.fill);
            }
            prop_assert_eq!(once.fill, twice.fill);
        }
    }

    #[test]
    fn quartiles_rise(low in 0.0..1.1, more in 0.0..1.0) {
        prop_assert!(Quartile::of(low) <= Quartile::of(low + more));
    }
}
