//! `held(…)`: by waiting and by the values' own time, and what it remembers.

use super::*;

#[test]
fn held_matures_by_waiting_without_contradiction() {
    let rule = compiled("when = 'held(fill >= 0.8, \"10m\")'");
    let (full, mut memory) = (Bin::fill(0.9, 100), Memory::default());
    let first = full.evaluate(&rule, &mut memory, 130);
    assert_eq!((first.when, first.wake), (Truth::False, Some((0, at(730)))));
    assert_eq!(full.evaluate(&rule, &mut memory, 729).when, Truth::False);
    let ripe = full.evaluate(&rule, &mut memory, 730);
    assert_eq!((ripe.when, ripe.wake), (Truth::True, None));
    assert_eq!(Bin::fill(0.1, 740).evaluate(&rule, &mut memory, 740).when, Truth::False);
    assert_eq!(rule.remembered(memory.words()), []);
    assert_eq!(full.evaluate(&rule, &mut memory, 800).wake, Some((0, at(1400))));
}

#[test]
fn held_matures_by_the_values_own_time_however_late_they_come() {
    let rule = compiled("when = 'held(fill >= 0.8, \"10m\")'");
    let mut memory = Memory::default();
    assert_eq!(Bin::fill(0.9, 0).evaluate(&rule, &mut memory, 9_000).when, Truth::False);
    assert_eq!(Bin::fill(0.9, 599).evaluate(&rule, &mut memory, 9_000).when, Truth::False);
    assert_eq!(Bin::fill(0.9, 600).evaluate(&rule, &mut memory, 9_000).when, Truth::True);
}

#[test]
fn held_forgets_what_becomes_unknown_and_sees_every_moment() {
    let rule = compiled("when = 'fill > 0.5 || held(tilt, \"1m\")'");
    let tilted = Bin::fill(0.9, 0).with("tilt", Value::Boolean(true), 0);
    let mut memory = Memory::default();
    // The left side alone decides, yet the right side counts.
    assert_eq!(tilted.evaluate(&rule, &mut memory, 0).when, Truth::True);
    assert_eq!(rule.remembered(memory.words()).len(), 1);
    Bin::fill(0.9, 30).evaluate(&rule, &mut memory, 30);
    assert_eq!(rule.remembered(memory.words()), []);
}

#[test]
fn a_held_silence_needs_no_value() {
    let rule = compiled("when = 'held(silent(), \"1h\")'");
    let (bin, mut memory) = (Bin { silent: true, ..Bin::default() }, Memory::default());
    assert_eq!(bin.evaluate(&rule, &mut memory, 0).wake, Some((1, at(3600))));
    assert_eq!(memory, rule.recall(&[Remembered::held(0, None, Some(at(0)))]));
    assert_eq!(bin.evaluate(&rule, &mut memory, 3600).when, Truth::True);
}

#[test]
fn the_earliest_held_wakes_and_memory_survives_a_restart() {
    let rule = compiled("when = 'held(tilt, \"5m\") || held(fill > 0.5, \"2m\")'\nunless = 'held(fill > 0.9, \"1m\")'");
    let bin = Bin::fill(0.95, 0).with("tilt", Value::Boolean(true), 0);
    let mut memory = Memory::default();
    assert_eq!(bin.evaluate(&rule, &mut memory, 0).wake, Some((2, at(60))));
    let mut restored = rule.recall(&rule.remembered(memory.words()));
    let evaluation = bin.evaluate(&rule, &mut restored, 60);
    assert_eq!((evaluation.when, evaluation.unless), (Truth::False, Truth::True));
    assert_eq!(evaluation.wake, Some((1, at(120))));
    assert_eq!(rule.state_bytes(), 16 + 3 * 16);
}
