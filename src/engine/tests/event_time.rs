//! However values arrive, within the lateness of their type: the same alarms, from and until the same moments, and the
//! same tasks, as of a sensor that is always connected.

use super::script::{configuration, registry};
use super::{Engine, Limits};
use crate::domain::configuration::Configuration;
use crate::domain::decision::Fact;
use crate::domain::event::{DeadlineReason, Event, TurnedBy};
use crate::domain::ids::{AlarmId, ContentHash, DeviceId, PropertyName, RuleId};
use crate::domain::observation::{Finite, Identity, Observation, Observed, Quality, Value};
use crate::domain::reason::Verdict;
use crate::domain::time::{Span, Timestamp};
use crate::domain::uplink::Ingress;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How late the sensors of the rooms may be.
const LATENESS: i64 = 60;

/// What is measured at one moment, in minutes.
#[derive(Clone, Debug)]
struct Moment {
    minute: i64,
    temperature: Option<u8>,
    moved: Option<bool>,
    /// How much later it is sent than it was measured, compared with the others; and once more, if it is.
    delays: Vec<i64>,
}

/// An alarm from one moment to another, and whether it asked for work.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Episode {
    rule: RuleId,
    from: Timestamp,
    until: Option<Timestamp>,
    tasks: u32,
}

#[derive(Clone, Copy, Debug)]
enum Arrival {
    /// Each moment alone, when it is measured.
    InOrder,
    /// As late as each is, so many to a message.
    Delayed { batch: usize },
    /// All together, long after.
    AtOnce { batch: usize },
}

fn moments() -> impl Strategy<Value = Vec<Moment>> {
    let delay = || 0..LATENESS;
    let moment =
        (1_i64..40, prop::option::weighted(0.8, 0_u8..40), prop::option::weighted(0.4, any::<bool>()), delay());
    let moment = (moment, prop::option::weighted(0.2, delay()));
    prop::collection::vec(moment, 1..40).prop_map(|steps| {
        let mut minute = 600;
        let mut all: Vec<_> = steps
            .into_iter()
            .map(|((after, temperature, moved, delay), again)| {
                minute += after;
                // A message without a value is no moment.
                let temperature = temperature.or_else(|| moved.is_none().then_some(20));
                Moment { minute, temperature, moved, delays: [delay].into_iter().chain(again).collect() }
            })
            .collect();
        // Long after everything: nothing is held back any more.
        let last = Moment { minute: minute + 10 * LATENESS, temperature: Some(0), moved: None, delays: vec![0] };
        all.push(last);
        all
    })
}

fn condition() -> impl Strategy<Value = String> {
    let (level, minutes) = (|| 5_u8..35, || 5_u8..90);
    prop_oneof![
        level().prop_map(|level| format!("temperature > {level}")),
        (level(), minutes()).prop_map(|(level, minutes)| format!("held(temperature > {level}, \"{minutes}m\")")),
        (level(), minutes(), 1_u8..5)
            .prop_map(|(level, minutes, times)| { format!("count(temperature > {level}, \"{minutes}m\") >= {times}") }),
        (level(), minutes()).prop_map(|(level, minutes)| format!("avg(temperature, \"{minutes}m\") > {level}")),
        (level(), minutes()).prop_map(|(level, minutes)| format!("max(temperature, \"{minutes}m\") > {level}")),
        minutes().prop_map(|minutes| format!("rate(temperature, \"{minutes}m\") > 20")),
        level().prop_map(|level| format!("delta(temperature) > {level}")),
        level().prop_map(|level| format!("temperature > {level} && moved")),
        minutes().prop_map(|minutes| format!("age(moved) > \"{minutes}m\"")),
        (level(), minutes()).prop_map(|(level, minutes)| format!("then(moved, temperature > {level}, \"{minutes}m\")")),
    ]
}

/// The lines of one rule: a condition, perhaps another to return to normal, perhaps a delay.
fn rule() -> impl Strategy<Value = String> {
    let delay = prop::option::of(1_u8..60);
    (condition(), prop::option::of(condition()), delay, any::<bool>(), 2_u8..5).prop_map(
        |(when, normal, delay, momentary, priority)| {
            let mut text = format!("priority = {priority}\nwhen = '{when}'\nwhen_late = 'ignore'\n");
            match normal {
                Some(normal) if !momentary => writeln!(text, "normal_when = '{normal}'").unwrap(),
                Some(_) => text += "momentary = true\n",
                None => {}
            }
            // A moment does not last.
            if let Some(delay) = delay.filter(|_| !text.contains("momentary")) {
                writeln!(text, "on_delay = '{delay}m'").unwrap();
            }
            text
        },
    )
}

fn configured(rules: &[String], lateness: i64) -> Configuration {
    let mut configuration = configuration();
    let mut text = String::new();
    for (number, rule) in rules.iter().enumerate() {
        write!(
            text,
            "[[rule]]\nid = 'rule-{number}'\napplies_to = 'room'\nowner = 'o'\nrespond_within = '1d'\n\
             cause = {{ en = 'c', da = 'c' }}\nconsequence = {{ en = 'c', da = 'c' }}\nresponse = {{ en = 'r', da = 'r' }}\n\
             task = {{ kind = 'look', skill = 'waste' }}\n{rule}\n"
        )
        .unwrap();
    }
    configuration.rule_files = BTreeMap::from([("rules.toml".into(), text)]);
    for known in configuration.sensor_types.values_mut().filter(|known| known.asset_kind.as_str() == "room") {
        known.lateness = Span::from_mins(lateness);
    }
    configuration
}

const fn at(minute: i64) -> Timestamp {
    Timestamp::from_micros(minute * 60_000_000)
}

fn message(number: usize, now: Timestamp, moments: &[&Moment]) -> Event {
    let observations = moments.iter().flat_map(|moment| {
        let value = |property: &str, value| Observation {
            property: PropertyName::new(property),
            value,
            unit: "".into(),
            quality: Quality::Accepted,
            observed_at: at(moment.minute),
        };
        let temperature = moment.temperature.and_then(|known| Finite::new(f64::from(known)));
        let moved = moment.moved.map(|moved| value("moved", Value::Boolean(moved)));
        temperature.map(|known| value("temperature", Value::Number(known))).into_iter().chain(moved)
    });
    let content = ContentHash((number as u128).to_le_bytes());
    let ingress = Ingress { client: "logger".into(), connection: 1, packet: None, duplicate_flag: false, content };
    Event::Observed(Observed {
        device: DeviceId::new("room-1-sensor"),
        identity: Identity::Network(number.to_string().into()),
        ingress,
        received_at: now,
        clock_ahead: None,
        observations: observations.collect(),
        redacted: Vec::new(),
        exercise: false,
    })
}

/// The messages in the order in which they come, each with its moment by our clock.
fn messages(moments: &[Moment], arrival: Arrival) -> Vec<(Timestamp, Event)> {
    let mut sent: Vec<(i64, &Moment)> = match arrival {
        Arrival::InOrder => moments.iter().map(|moment| (moment.minute, moment)).collect(),
        Arrival::Delayed { .. } | Arrival::AtOnce { .. } => moments
            .iter()
            .flat_map(|moment| moment.delays.iter().map(move |delay| (moment.minute + delay, moment)))
            .collect(),
    };
    sent.sort_by_key(|(minute, _)| *minute);
    let batch = match arrival {
        Arrival::InOrder => 1,
        Arrival::Delayed { batch } | Arrival::AtOnce { batch } => batch,
    };
    let end = sent.last().map_or(0, |(minute, _)| *minute);
    let batches = sent.chunks(batch).enumerate().map(|(number, part)| {
        let minute = part.last().map_or(0, |(minute, _)| *minute);
        let now = at(if matches!(arrival, Arrival::AtOnce { .. }) { end + 7 } else { minute });
        let part: Vec<_> = part.iter().map(|(_, moment)| *moment).collect();
        (now, message(number, now, &part))
    });
    batches.collect()
}

/// Everything that was decided about the room, with a restart after every so many events, and again from the record.
fn episodes(configuration: &Configuration, messages: &[(Timestamp, Event)], restart_every: usize) -> Vec<Episode> {
    let mut engine = Engine::new(Limits::default());
    let mut shadow = Engine::new(Limits::default());
    let mut found: Vec<(AlarmId, Episode)> = Vec::new();
    let mut rules = BTreeMap::new();
    let begin = [Event::Configured(Box::new(configuration.clone())), Event::Registered(registry()), Event::Started];
    let mut coming = begin.into_iter().map(|event| (at(0), event)).chain(messages.iter().cloned()).peekable();
    let mut count = 0_usize;
    while let Some((next, _)) = coming.peek() {
        let due = engine.next_deadline().filter(|deadline| deadline.at <= *next);
        let (now, event) = match due {
            Some(deadline) => (deadline.at.max(engine.now()), Event::Due(deadline)),
            None => coming.next().unwrap(),
        };
        let event = engine.admit(now, event).into_event();
        let decision = engine.step(now, &event);
        assert_eq!(decision.verdict, Verdict::Accepted, "{event:?}");
        shadow.apply(now, &event, &decision);
        assert_eq!(engine.image(), shadow.image(), "applying the record of {event:?} gave another state");
        assert_eq!(engine.broken_invariants(), Vec::<String>::new());
        count += 1;
        if count.is_multiple_of(restart_every) {
            let (image, held_back) = (engine.image(), engine.held_back());
            engine = Engine::restore(Limits::default(), image.clone());
            assert_eq!((engine.image(), engine.held_back()), (image, held_back));
        }
        for fact in &decision.facts {
            if let Fact::AlarmRaised { alarm, rule, .. } = fact {
                rules.insert(*alarm, rule.clone());
            }
            if let Fact::AlarmRaised { alarm, cause, .. } | Fact::AlarmReactivated { alarm, cause } = fact {
                let (rule, from) = (rules[alarm].clone(), cause.observed_at);
                found.push((*alarm, Episode { rule, from, until: None, tasks: 0 }));
            } else if let Fact::ReturnedToNormal { alarm, observed_at } = fact {
                let known = found.iter_mut().rfind(|(known, _)| known == alarm).unwrap();
                assert_eq!(known.1.until, None);
                known.1.until = *observed_at;
            } else if let Fact::TaskRequested { alarm, .. } = fact {
                found.iter_mut().rfind(|(known, _)| known == alarm).unwrap().1.tasks += 1;
            }
            assert!(!matches!(fact, Fact::MeasuredLate { .. } | Fact::ReleasedEarly { .. }), "{fact:?}");
        }
    }
    let mut episodes: Vec<_> = found.into_iter().map(|(_, episode)| episode).collect();
    episodes.sort();
    episodes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn arrival_changes_no_episode(
        moments in moments(),
        rules in prop::collection::vec(rule(), 1..5),
        batch in 1_usize..8,
        restart_every in 1_usize..9,
    ) {
        let connected = episodes(&configured(&rules, 0), &messages(&moments, Arrival::InOrder), usize::MAX);
        // What the last value says is judged at once by the one, and held back by the others.
        let last = moments.last().map(|moment| at(moment.minute));
        let before_last = |episode: Episode| Episode { until: episode.until.filter(|until| Some(*until) != last), ..episode };
        let begun = connected.into_iter().filter(|episode| Some(episode.from) != last);
        let expected: Vec<_> = begun.map(before_last).collect();
        let configuration = configured(&rules, LATENESS);
        for arrival in [Arrival::InOrder, Arrival::Delayed { batch }, Arrival::AtOnce { batch }] {
            let found = episodes(&configuration, &messages(&moments, arrival), restart_every);
            prop_assert_eq!(&found, &expected, "{:?}", arrival);
        }
    }
}

/// An engine whose rooms are an hour late at most, with one rule.
fn engine(limits: Limits, rule: &str) -> Engine {
    let mut engine = Engine::new(limits);
    let configured = Event::Configured(Box::new(configured(&[rule.to_owned()], LATENESS)));
    for event in [configured, Event::Registered(registry()), Event::Started] {
        engine.step(at(0), &event);
    }
    engine
}

fn measured(minute: i64, temperature: u8) -> Moment {
    Moment { minute, temperature: Some(temperature), moved: None, delays: vec![0] }
}

#[test]
fn more_than_may_wait_is_judged_before_its_time_and_said_to_be() {
    let limits = Limits { held_back_per_asset: 3, ..Limits::default() };
    let mut engine = engine(limits, "priority = 3\nwhen = 'temperature > 25'");
    for (number, minute) in [610, 600, 620].into_iter().enumerate() {
        let decision = engine.step(at(630), &message(number, at(630), &[&measured(minute, 20)]));
        assert_eq!(decision.facts, []);
    }
    assert_eq!(engine.held_back(), 3);
    let fourth = engine.step(at(630), &message(4, at(630), &[&measured(601, 30)]));
    assert_eq!(fourth.facts, [Fact::ReleasedEarly { asset: "room-1".into(), values: 1 }]);
    assert_eq!(engine.held_back(), 3);
    // What was measured before that can be put in order no more.
    let fifth = engine.step(at(631), &message(5, at(631), &[&measured(599, 30)]));
    let late = Fact::MeasuredLate { device: "room-1-sensor".into(), values: 1, by: Span::from_mins(32) };
    assert_eq!(fifth.facts, [late]);
    let insight = engine.inspect(at(631), &"room-1".into(), &"rule-0".into()).unwrap();
    let held = insight.held_back.unwrap();
    assert_eq!((held.values, held.measured), (3, Some((at(601), at(620)))));
    assert_eq!((held.watermark, held.lateness), (Some(at(560)), Span::from_mins(60)));
}

#[test]
fn what_was_due_while_nobody_was_there_fires_once_with_its_time_and_absence_waits() {
    let rule = "priority = 3\nwhen = 'held(temperature > 25, \"30m\")'\neager = true";
    let mut engine = engine(Limits::default(), rule);
    let heard = at(600);
    engine.step(heard, &message(1, heard, &[&measured(600, 30)]));
    // All that time nobody was there, and everybody would be silent.
    let back = at(5_000 * 60);
    engine.step(back, &Event::Started);
    let mut fired = Vec::new();
    while let Some(deadline) = engine.next_deadline().filter(|deadline| deadline.at <= back) {
        let decision = engine.step(back, &Event::Due(deadline.clone()));
        fired.push((deadline.at, deadline.why.clone(), decision.facts.len()));
        assert!(fired.len() < 10, "{fired:?}");
        for fact in &decision.facts {
            assert!(!matches!(fact, Fact::DeviceSilent { .. }), "{fact:?}");
        }
    }
    let held = fired.iter().filter(|(_, why, _)| matches!(why, DeadlineReason::Turns { by: TurnedBy::Held, .. }));
    let held: Vec<_> = held.map(|(at, _, facts)| (*at, *facts > 0)).collect();
    assert_eq!(held, [(at(630), true)]);
    assert!(engine.inventory().silent_devices().next().is_none());
}
