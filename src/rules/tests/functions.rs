//! Functions with a memory, against what a person would work out with all measurements at hand.

use super::*;
use crate::domain::calendar::{Calendars, Route, Shift, Window};

/// A bin whose fill, tilt and lid are measured; times are seconds.
#[derive(Clone, Default)]
struct Measured {
    samples: [Option<Sample>; 4],
    asset: BTreeMap<SmolStr, Value>,
    calendars: Calendars,
}

const SLOTS: [&str; 4] = ["fill", "lid", "temperature", "tilt"];

impl Measured {
    /// One message: values with the times they were measured at, arriving at `now`.
    fn hear(&mut self, rule: &Rule, memory: &mut Memory, now: i64, values: &[(&str, Value, i64)]) -> Evaluation {
        let (mut fresh, mut earlier) = (Vec::new(), Vec::new());
        for (name, value, observed_at) in values {
            let slot = SLOTS.iter().position(|known| known == name).unwrap();
            let sample = Sample { value: value.clone(), observed_at: at(*observed_at), received_at: at(now) };
            let known = &mut self.samples[slot];
            let slot = u16::try_from(slot).unwrap();
            if known.as_ref().is_some_and(|known| known.observed_at > sample.observed_at) {
                earlier.push((slot, sample));
            } else {
                let before = known.replace(sample);
                if fresh.contains(&slot) { earlier.push((slot, before.unwrap())) } else { fresh.push(slot) }
            }
        }
        earlier.sort_by_key(|(_, sample)| sample.observed_at);
        self.judge(rule, memory, at(now), &fresh, &earlier)
    }

    fn wait(&self, rule: &Rule, memory: &mut Memory, now: Timestamp) -> Evaluation {
        self.judge(rule, memory, now, &[], &[])
    }

    fn judge(
        &self,
        rule: &Rule,
        memory: &mut Memory,
        now: Timestamp,
        fresh: &[u16],
        earlier: &[(u16, Sample)],
    ) -> Evaluation {
        let (asset, calendars) = (bin(self.asset.clone()), Some(&self.calendars));
        let (samples, estimates) = (&self.samples[..], &[]);
        let inputs = Inputs { samples, fresh, earlier, asset: &asset, calendars, estimates, silent: false, now };
        let evaluation = rule.evaluate(&inputs, memory);
        assert!(evaluation.wake.is_none_or(|(_, wake)| wake > now), "{evaluation:?} at {now:?}");
        evaluation
    }
}

fn when(condition: &str) -> Rule {
    compiled(&format!("when = '{condition}'"))
}

fn open() -> Value {
    Value::Text("open".into())
}

#[test]
fn a_count_is_the_least_it_can_be_until_its_window_was_watched() {
    let rule = when("count(tilt, \"8m\") >= 2");
    let few = when("count(tilt, \"8m\") < 2");
    let (mut bin, mut memory, mut few_memory) = (Measured::default(), Memory::default(), Memory::default());
    let mut hear = |now, tilt| {
        let values = [("tilt", Value::Boolean(tilt), now)];
        (bin.hear(&rule, &mut memory, now, &values), bin.hear(&few, &mut few_memory, now, &values).when)
    };
    let (once, fewer) = hear(0, true);
    assert_eq!((once.when, fewer), (Truth::Unknown, Truth::Unknown), "nobody has looked for eight minutes");
    assert_eq!(once.wake, Some((0, at(480))));
    assert_eq!(hear(60, false).0.when, Truth::Unknown);
    let (twice, fewer) = hear(120, true);
    assert_eq!((twice.when, fewer), (Truth::True, Truth::False), "twice is enough, whatever was before");
    // The first leaves the window when its pane does, at most a pane late.
    assert_eq!(twice.wake, Some((0, at(480))));
    assert_eq!(bin.wait(&rule, &mut memory, at(480)).wake, Some((0, at(540))));
    let over = bin.wait(&rule, &mut memory, at(540));
    assert_eq!((over.when, over.wake), (Truth::False, None), "it can only fall: nothing to wait for");
    assert_eq!(bin.wait(&few, &mut few_memory, at(540)).when, Truth::True);
}

#[test]
fn an_age_turns_at_its_moment_and_not_before() {
    for (condition, turns_at) in [
        ("age(fill) >= \"10m\"", 600_000_000),
        ("age(fill) > \"10m\"", 600_000_001),
        ("\"5m\" < age(fill) - \"300s\"", 600_000_001),
        ("2 * age(fill) >= \"20m\" || age(lid) > \"1h\"", 600_000_000),
        ("age(fill) >= asset.seconds", 600_000_000),
        ("age(fill) / 2 >= asset.seconds / 2", 600_000_000),
    ] {
        let (rule, mut bin, mut memory) = (when(condition), Measured::default(), Memory::default());
        bin.asset.insert("seconds".into(), number(600.0));
        let heard = bin.hear(&rule, &mut memory, 30, &[("fill", number(0.5), 0)]);
        let turn = Timestamp::from_micros(turns_at);
        assert_eq!((heard.when == Truth::True, heard.wake), (false, Some((0, turn))), "{condition}");
        assert_ne!(bin.wait(&rule, &mut memory, turn - Span::from_micros(1)).when, Truth::True, "{condition}");
        assert_eq!(bin.wait(&rule, &mut memory, turn).when, Truth::True, "{condition}");
        assert_eq!(bin.wait(&rule, &mut memory, turn).wake, None, "{condition}");
    }
}

#[test]
fn a_value_window_ends_at_the_newest_measurement_and_is_unknown_when_that_is_old() {
    let rule = compiled("when = 'max(temperature, \"1h\") < 40'\nunless = 'avg(fill, \"1h\") > 0.5'");
    let (mut bin, mut memory) = (Measured::default(), Memory::default());
    let hot = bin.hear(&rule, &mut memory, 0, &[("temperature", number(60.0), 0), ("fill", number(0.9), 0)]);
    assert_eq!((hot.when, hot.unless), (Truth::False, Truth::True));
    // What `unless` loses matters: an alarm may follow.
    assert_eq!(hot.wake, Some((1, at(3_600))));
    assert_eq!(bin.hear(&rule, &mut memory, 600, &[("temperature", number(30.0), 600)]).when, Truth::False);
    let later = bin.wait(&rule, &mut memory, at(4_199));
    assert_eq!((later.when, later.unless), (Truth::False, Truth::Unknown), "no new value, no new answer");
    assert_eq!(bin.wait(&rule, &mut memory, at(4_200)).when, Truth::Unknown);
    assert_eq!(bin.hear(&rule, &mut memory, 9_000, &[("temperature", number(30.0), 9_000)]).when, Truth::True);
}

#[test]
fn a_rate_is_known_once_its_values_span_half_the_window() {
    let rule = when("rate(fill, \"2h\") >= asset.low && rate(fill, \"2h\") <= asset.high");
    let (mut bin, mut memory) = (Measured::default(), Memory::default());
    bin.asset.extend([("low".into(), number(0.0999)), ("high".into(), number(0.1001))]);
    for (time, fill, expected) in
        [(0, 0.1, Truth::Unknown), (1_800, 0.4, Truth::Unknown), (3_600, 0.2, Truth::True), (7_200, 0.3, Truth::True)]
    {
        assert_eq!(bin.hear(&rule, &mut memory, time, &[("fill", number(fill), time)]).when, expected, "{time}");
    }
}

#[test]
fn delta_and_changed_compare_the_last_two_measurements_in_their_order() {
    let rule = when("delta(fill) == 0.5 && changed(lid) && !changed(tilt)");
    let (mut bin, mut memory) = (Measured::default(), Memory::default());
    let shut = || Value::Text("shut".into());
    let tilt = Value::Boolean(true);
    let first =
        bin.hear(&rule, &mut memory, 9, &[("fill", number(0.25), 9), ("lid", shut(), 9), ("tilt", tilt.clone(), 9)]);
    assert_eq!(first.when, Truth::Unknown);
    // Three values of one message, the newest not last; and one that is late.
    let values = [
        ("fill", number(0.75), 13),
        ("fill", number(0.25), 12),
        ("lid", open(), 12),
        ("tilt", tilt, 12),
        ("fill", number(9.0), 3),
    ];
    assert_eq!(bin.hear(&rule, &mut memory, 13, &values).when, Truth::True);
    assert_eq!(bin.wait(&rule, &mut memory, at(99)).when, Truth::True, "until the next measurement");
    assert_eq!(bin.hear(&rule, &mut memory, 100, &[("lid", open(), 100)]).when, Truth::False);
}

#[test]
fn a_sequence_is_found_once_for_each_second_part() {
    let rule = when("then(tilt, lid == \"open\", \"5m\")");
    let (mut bin, mut memory) = (Measured::default(), Memory::default());
    let tilted = |tilt: bool, time| ("tilt", Value::Boolean(tilt), time);
    assert_eq!(bin.wait(&rule, &mut memory, at(0)).when, Truth::Unknown);
    let together = bin.hear(&rule, &mut memory, 0, &[tilted(true, 0), ("lid", open(), 0)]);
    assert_eq!(together.when, Truth::False, "at the same moment is not one after the other");
    let found = bin.hear(&rule, &mut memory, 120, &[("lid", open(), 120)]);
    assert_eq!((found.when, found.wake), (Truth::True, Some((0, at(420)))));
    assert_eq!(bin.hear(&rule, &mut memory, 130, &[("fill", number(0.1), 130)]).when, Truth::True);
    assert_eq!(bin.hear(&rule, &mut memory, 140, &[tilted(false, 140)]).when, Truth::False);
    assert_eq!(bin.hear(&rule, &mut memory, 301, &[("lid", open(), 301)]).when, Truth::False, "too late");
    // In one message, in the order of the values' time.
    let both = bin.hear(&rule, &mut memory, 600, &[("lid", open(), 590), tilted(true, 580)]);
    assert_eq!(both.when, Truth::True);
    assert_eq!(bin.wait(&rule, &mut memory, at(900)).when, Truth::False);
}

#[test]
fn calls_may_stand_in_calls() {
    let rule = when("held(count(tilt, \"8m\") >= 2, \"2m\") && max(delta(fill), \"1h\") > 0.4");
    assert_eq!(rule.state_bytes(), 16 + 8 * (2 + 11 + 3 + 10));
    let (mut bin, mut memory) = (Measured::default(), Memory::default());
    let tilt = Value::Boolean(true);
    bin.hear(&rule, &mut memory, 0, &[("tilt", tilt.clone(), 0), ("fill", number(0.1), 0)]);
    let second = bin.hear(&rule, &mut memory, 60, &[("tilt", tilt, 60), ("fill", number(0.6), 60)]);
    assert_eq!((second.when, second.wake), (Truth::False, Some((1, at(180)))));
    assert_eq!(bin.wait(&rule, &mut memory, at(180)).when, Truth::True);
}

fn hours(hours: i64) -> Timestamp {
    at(hours * 3_600)
}

/// Nights from 22 to 6, and a service at 7 on even days, of the first ten days.
fn ten_days() -> Calendars {
    let nights = (0..9).map(|day| Window { from: hours(day * 24 + 22), until: hours(day * 24 + 30) });
    let services = (0..5).map(|day| hours(day * 48 + 7));
    Calendars {
        covers: Window { from: at(0), until: hours(240) },
        shifts: vec![
            Shift { name: "day".into(), windows: Vec::new() },
            Shift { name: "night".into(), windows: nights.collect() },
        ],
        routes: vec![Route { name: "even".into(), services: services.collect() }],
        ..Calendars::default()
    }
}

#[test]
fn a_shift_turns_at_its_boundaries() {
    let (rule, mut memory) = (when("in_shift(\"night\") && !in_shift(\"day\")"), Memory::default());
    let bin = Measured { calendars: ten_days(), ..Measured::default() };
    let mut turns = Vec::new();
    let mut now = at(0);
    loop {
        let said = bin.wait(&rule, &mut memory, now);
        turns.push(said.when);
        let Some((_, wake)) = said.wake else { break };
        assert_eq!(bin.wait(&rule, &mut memory, wake - Span::from_micros(1)).when, said.when);
        now = wake;
    }
    assert_eq!((turns.len(), now, &turns[..3]), (19, hours(222), &[Truth::False, Truth::True, Truth::False][..]));
    assert_eq!(bin.wait(&rule, &mut memory, hours(240)).when, Truth::Unknown, "beyond the tables");
}

#[test]
fn the_next_service_comes_nearer_and_then_is_the_one_after() {
    let (rule, mut memory) = (when("next_service() <= \"24h\""), Memory::default());
    let mut bin = Measured { calendars: ten_days(), ..Measured::default() };
    assert_eq!(bin.wait(&rule, &mut memory, at(0)).when, Truth::Unknown, "it is on no route");
    bin.asset.insert("route".into(), Value::Text("even".into()));
    let said = bin.wait(&rule, &mut memory, hours(7));
    assert_eq!((said.when, said.wake), (Truth::False, Some((0, hours(31)))));
    let said = bin.wait(&rule, &mut memory, hours(31));
    assert_eq!((said.when, said.wake), (Truth::True, Some((0, hours(55)))));
    assert_eq!(bin.wait(&rule, &mut memory, hours(55)).when, Truth::False);
    assert_eq!(bin.wait(&rule, &mut memory, hours(200)).when, Truth::Unknown, "no further one is known");
}

const WINDOW: i64 = 3_600;
const PANE: i64 = WINDOW / 8;

/// The measurements, each a time and a fill, that the window ending at `end` holds: at least its length, and at most a
/// pane more.
fn held_in(all: &[(i64, f64)], end: i64) -> Vec<f64> {
    let from = (end.div_euclid(PANE) - 8) * PANE;
    assert!((WINDOW..WINDOW + PANE).contains(&(end - from)));
    all.iter().filter(|(time, _)| (from..=end).contains(time)).map(|(_, fill)| *fill).collect()
}

/// Whether every function over the window says what the measurements at hand say.
fn agrees(
    bin: &mut Measured,
    rule: &Rule,
    memory: &mut Memory,
    all: &[(i64, f64)],
    now: i64,
) -> Result<(), TestCaseError> {
    let end = all.iter().map(|(time, _)| *time).max().unwrap();
    let held = held_in(all, end);
    let mean = held.iter().sum::<f64>() / held.len() as f64;
    let bounds = [
        ("low", mean - 1e-9),
        ("high", mean + 1e-9),
        ("least", held.iter().copied().fold(f64::INFINITY, f64::min)),
        ("greatest", held.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
        ("full", held.iter().filter(|fill| **fill >= 0.8).count() as f64),
    ];
    bin.asset = bounds.map(|(name, value)| (name.into(), number(value))).into();
    let found = bin.wait(rule, memory, at(now));
    prop_assert_eq!(found.when, Truth::True, "{:?} at {}", bounds, end);
    prop_assert_ne!(found.unless, Truth::True, "more than {:?} at {}", bounds, end);
    Ok(())
}

fn windows() -> Rule {
    compiled(
        "when = 'avg(fill, \"1h\") >= asset.low && avg(fill, \"1h\") <= asset.high && min(fill, \"1h\") == asset.least \
         && max(fill, \"1h\") == asset.greatest && count(fill >= 0.8, \"1h\") >= asset.full'\n\
         unless = 'count(fill >= 0.8, \"1h\") > asset.full'",
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn windows_say_what_all_measurements_would(
        begin in -20_000_i64..20_000,
        steps in prop::collection::vec((0_i64..1_500, 0_u8..20), 1..40),
    ) {
        let (rule, mut bin, mut memory) = (windows(), Measured::default(), Memory::default());
        let (mut all, mut now) = (Vec::new(), begin);
        for (step, fill) in steps {
            now += step;
            let fill = f64::from(fill) / 20.0;
            all.push((now, fill));
            bin.hear(&rule, &mut memory, now, &[("fill", number(fill), now)]);
            agrees(&mut bin, &rule, &mut memory, &all, now)?;
            memory = rule.recall(&rule.remembered(memory.words()));
        }
    }

    /// Late, and many in one message: the order of arrival changes nothing, nor does a copy of the memory.
    #[test]
    fn windows_do_not_depend_on_the_order_of_arrival(
        measured in prop::collection::btree_map(0_i64..9_000, 0_u8..20, 1..40),
        order in prop::collection::vec(any::<u16>(), 40),
        batch in 1_usize..6,
    ) {
        let all: Vec<(i64, f64)> = measured.into_iter().map(|(time, fill)| (time, f64::from(fill) / 20.0)).collect();
        let mut shuffled: Vec<_> = all.iter().copied().zip(order).collect();
        shuffled.sort_by_key(|(_, place)| *place);
        let (rule, mut bin, mut memory) = (windows(), Measured::default(), Memory::default());
        for part in shuffled.chunks(batch) {
            let values: Vec<_> = part.iter().map(|((time, fill), _)| ("fill", number(*fill), *time)).collect();
            bin.hear(&rule, &mut memory, 9_000, &values);
        }
        agrees(&mut bin, &rule, &mut memory, &all, 9_000)?;
    }

    /// Whoever asks only when a message comes and when the rule asks to be woken misses no change.
    #[test]
    fn between_two_wakes_no_answer_changes(
        messages in prop::collection::vec((0_i64..400, 0_u8..4, any::<bool>(), 0_i64..60), 1..12),
        moments in prop::collection::vec(1_i64..900_000_000, 6),
    ) {
        let rule = compiled(
            "when = 'count(fill >= 0.5, \"10m\") >= 2 && age(fill) > \"3m\" || then(tilt, fill < 0.5, \"4m\") && next_service() < \"9h\"'\n\
             normal_when = 'held(count(tilt, \"7m\") < 2, \"90s\") && !(age(tilt) - age(fill) > \"30s\")'\n\
             unless = 'avg(fill, \"5m\") > 0.7 && in_shift(\"night\") || count(tilt, \"5m\") + count(!tilt, \"5m\") > 3'",
        );
        let mut bin = Measured { calendars: ten_days(), ..Measured::default() };
        bin.asset.insert("route".into(), Value::Text("even".into()));
        let (mut memory, mut now) = (Memory::default(), 21 * 3_600 + 3_000);
        let mut said: Option<(Timestamp, Evaluation)> = None;
        let last = [(100_000, 0, false, 0)];
        for (step, fill, tilt, late) in messages.into_iter().chain(last) {
            now += step;
            let mut wakes = 0;
            while let Some((asked_at, known)) = said {
                let wake = known.wake.map(|(_, wake)| wake).filter(|wake| *wake <= at(now));
                for moment in &moments {
                    let moment = (asked_at + Span::from_micros(*moment)).min(wake.unwrap_or(at(now)) - Span::from_micros(1));
                    if moment >= asked_at {
                        let found = bin.wait(&rule, &mut memory.clone(), moment);
                        prop_assert_eq!(answers(&found), answers(&known), "at {:?}, asked at {:?}: {:?}", moment, asked_at, known);
                    }
                }
                wakes += 1;
                prop_assert!(wakes < 60, "it wakes for ever");
                said = wake.map(|wake| (wake, bin.wait(&rule, &mut memory, wake)));
            }
            let values = [("fill", number(f64::from(fill) / 3.0), now - late), ("tilt", Value::Boolean(tilt), now)];
            let values = if tilt { &values[..] } else { &values[..1] };
            said = Some((at(now), bin.hear(&rule, &mut memory, now, values)));
        }
    }
}

const fn answers(evaluation: &Evaluation) -> (Truth, Truth, Option<Truth>) {
    (evaluation.when, evaluation.unless, evaluation.normal_when)
}
