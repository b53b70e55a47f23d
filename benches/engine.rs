//! What deciding costs without a disk, a network or another thread: `cargo bench --bench engine`. A hashed look-up of the
//! same assets in the same order is measured in turns.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::allow_attributes, reason = "a failing benchmark may panic")]

use report::{Pressure, Section};
use rettidig::app::assembly::assemble;
use rettidig::app::shipped;
use rettidig::config;
use rettidig::domain::asset::{Asset, Device};
use rettidig::domain::configuration::Configuration;
use rettidig::domain::event::{Event, RegistryChange};
use rettidig::domain::ids::{ConfigurationVersion, ContentHash};
use rettidig::domain::observation::{Finite, Identity, Observation, Observed, Quality, Value};
use rettidig::domain::reason::Verdict;
use rettidig::domain::time::{Span, Timestamp};
use rettidig::domain::uplink::Ingress;
use rettidig::engine::{Engine, Limits};
use rettidig::telemetry::stopwatch;
use rustc_hash::FxHashMap;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

#[path = "support/report.rs"]
mod report;

/// Counts what is allocated; it costs each allocation a few nanoseconds.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const START: Timestamp = Timestamp::from_micros(1_780_000_000_000_000);
/// Between two messages of one asset.
const BETWEEN: Span = Span::from_mins(1);
const ROUNDS: usize = 5;
/// Messages of a round; made before it is timed.
const MESSAGES: usize = 200_000;
const CHANGES_AT_ONCE: usize = 10_000;
const RULES_MANY: usize = 8_000;
const RULES_PER_FILE: usize = 200;
/// Each has one function with a memory.
const CONDITIONS: [&str; 4] =
    ["held(fill >= 0.8, \"10m\")", "avg(fill, \"1h\") >= 0.9", "count(fill > 0.95, \"1h\") >= 3", "delta(fill) >= 0.5"];

fn main() {
    if !report::wanted("engine") {
        return;
    }
    let what = format!(
        "One thread. Each message brings one value a minute after the last of its asset, to a kind of asset with four \
         rules, each with one function that remembers (`held`, `avg`, `count`, `delta`); nothing follows from it but that \
         every answer is looked at, and every deadline on the way is decided too. Medians of {ROUNDS} rounds of \
         {MESSAGES} messages. The floor looks the asset up in a hash table and adds one."
    );
    let mut section = Section::begin("engine", &what);
    section.table(&[
        "assets",
        "floor /s",
        "engine /s",
        "ratio",
        "allocations/message",
        "bytes/message",
        "CPU pressure",
    ]);
    for assets in [10_000, 1_000_000] {
        section.row(&speed(assets));
    }
    section.line("");
    section.table(&["state", "bytes in use", "MiB", "budget MiB"]);
    section.row(&size("1,000,000 bins with two properties, the shipped rules", "bin", "bin-level", 1_000_000, 1_024));
    section.row(&size("10,000 beds, the shipped rules", "bed", "pressure-bed", 10_000, 256));
    section.line(format!("\n{RULES_MANY} rules are compiled in {:.2} s.", compiling().as_secs_f64()));
    section.write();
}

/// Messages a second beside the floor, and what each allocates.
fn speed(assets: usize) -> Vec<String> {
    let names: Vec<String> = (0..assets).map(|number| format!("bin-{number}")).collect();
    let mut engine = engine(Some(rules(CONDITIONS.len())));
    register(&mut engine, &names, "bin", "bin-level");
    let mut table: FxHashMap<&str, u64> = names.iter().map(|name| (name.as_str(), 0)).collect();
    let (mut next, mut floors, mut ours) = (0, Vec::new(), Vec::new());
    let mut pressure = Pressure::default();
    // Once each, so that everything has its memory.
    while next < assets {
        let messages = messages(&names, next, MESSAGES.min(assets));
        next += messages.len();
        decide(&mut engine, &messages);
    }
    let (mut allocations, mut bytes) = (0, 0);
    for _ in 0..ROUNDS {
        pressure = pressure.worst(Pressure::settled());
        let messages = messages(&names, next, MESSAGES);
        next += messages.len();
        let watch = stopwatch();
        for (_, event) in &messages {
            let Event::Observed(observed) = event else { continue };
            *table.get_mut(observed.device.as_str()).unwrap() += 1;
        }
        floors.push(watch.elapsed());
        black_box(&table);
        let region = Region::new(ALLOCATOR);
        ours.push(decide(&mut engine, &messages));
        let change = region.change();
        allocations += change.allocations;
        bytes += change.bytes_allocated;
    }
    let [floor, ours] = [floors, ours].map(|times| MESSAGES as f64 / median(times).as_secs_f64());
    let each = |count: usize| format!("{:.2}", count as f64 / (MESSAGES * ROUNDS) as f64);
    vec![
        assets.to_string(),
        format!("{floor:.0}"),
        format!("{ours:.0}"),
        format!("{:.2}", ours / floor),
        each(allocations),
        each(bytes),
        pressure.to_string(),
    ]
}

/// How much the state of so many assets takes, each heard once.
fn size(what: &str, kind: &str, sensor_type: &str, assets: usize, budget: usize) -> Vec<String> {
    let before = in_use();
    let names: Vec<String> = (0..assets).map(|number| format!("{kind}-{number}")).collect();
    let texts = in_use() - before;
    let mut engine = engine(None);
    register(&mut engine, &names, kind, sensor_type);
    let values = values(&engine, sensor_type);
    for (number, name) in names.iter().enumerate() {
        let now = at(number, assets);
        let event = observed(name, number, now, values.clone());
        step(&mut engine, now, &event);
    }
    let bytes = in_use() - before - texts;
    drop(engine);
    vec![what.to_owned(), bytes.to_string(), format!("{:.0}", bytes as f64 / f64::from(1 << 20)), budget.to_string()]
}

fn in_use() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

fn compiling() -> Duration {
    let configuration = configuration(Some(rules(RULES_MANY)));
    let mut engine = Engine::new(Limits::default());
    let watch = stopwatch();
    assert_eq!(engine.step(START, &Event::Configured(Box::new(configuration))).verdict, Verdict::Accepted);
    watch.elapsed()
}

/// Nothing comes of these rules.
fn rules(count: usize) -> BTreeMap<String, String> {
    let said = ["cause", "consequence", "response"].map(|what| format!("{what} = {{ en = \"-\", da = \"-\" }}"));
    let numbers: Vec<_> = (0..count).collect();
    let files = numbers.chunks(RULES_PER_FILE).enumerate().map(|(file, numbers)| {
        let mut text = String::new();
        for number in numbers {
            let when = CONDITIONS[number % CONDITIONS.len()];
            write!(
                text,
                "[[rule]]\nid = \"rule-{number}\"\napplies_to = \"bin\"\nwhen = '''{when}'''\nnormal_when = \"fill < \
                 0.1\"\npriority = 4\nowner = \"nobody\"\nrespond_within = \"30d\"\n{}\n\n",
                said.join("\n")
            )
            .unwrap();
        }
        (format!("bench-{file}.toml"), text)
    });
    files.collect()
}

/// The shipped configuration, with these rules in place of its own.
fn configuration(rules: Option<BTreeMap<String, String>>) -> Configuration {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    shipped::lay_down(&config).unwrap();
    let loaded = config::load(&config, BTreeMap::new()).unwrap();
    let mut configuration = assemble(&loaded, START).unwrap().configuration;
    if let Some(rules) = rules {
        configuration.version = ConfigurationVersion([1; 16]);
        configuration.rule_files = rules.into_iter().map(|(name, text)| (name.into(), text)).collect();
    }
    configuration
}

fn engine(rules: Option<BTreeMap<String, String>>) -> Engine {
    let mut engine = Engine::new(Limits { registry_entries: usize::MAX, ..Limits::default() });
    step(&mut engine, START, &Event::Configured(Box::new(configuration(rules))));
    engine
}

fn register(engine: &mut Engine, names: &[String], kind: &str, sensor_type: &str) {
    for names in names.chunks(CHANGES_AT_ONCE) {
        let changes = names.iter().flat_map(|name| {
            let name = name.as_str();
            let asset = Asset {
                id: name.into(),
                kind: kind.into(),
                area: None,
                position: None,
                person: None,
                attributes: BTreeMap::new(),
            };
            let device = Device {
                id: name.into(),
                sensor_type: sensor_type.into(),
                asset: name.into(),
                mounting: BTreeMap::new(),
            };
            [RegistryChange::PutAsset(asset), RegistryChange::PutDevice(device)]
        });
        step(engine, START, &Event::Registered(changes.collect()));
    }
}

/// A value for each number that the sensor type knows; for bins two are enough.
fn values(engine: &Engine, sensor_type: &str) -> Vec<(String, f64, String)> {
    let configuration = engine.configuration().unwrap();
    let known = &configuration.sensor_types[sensor_type].properties;
    let numbers = known.iter().filter(|(_, property)| !property.unit.is_empty());
    let values = numbers.map(|(name, property)| (name.to_string(), 0.4, property.unit.to_string()));
    if sensor_type == "bin-level" { values.filter(|(name, ..)| name != "battery").collect() } else { values.collect() }
}

/// When message number `n` is sent.
fn at(n: usize, assets: usize) -> Timestamp {
    START + Span::from_micros(n as i64 * (BETWEEN.as_micros() / assets as i64).max(1))
}

/// Assets that follow each other lie far apart.
fn messages(names: &[String], from: usize, count: usize) -> Vec<(Timestamp, Event)> {
    let message = |n: usize| {
        let now = at(n, names.len());
        let name = &names[n.wrapping_mul(7_919) % names.len()];
        let fill = 0.3 + (n / names.len() % 10) as f64 / 100.0;
        (now, observed(name, n, now, vec![("fill".to_owned(), fill, "1".to_owned())]))
    };
    (from..from + count).map(message).collect()
}

fn observed(device: &str, n: usize, now: Timestamp, values: Vec<(String, f64, String)>) -> Event {
    let mut content = [0; 16];
    content[..8].copy_from_slice(&n.to_be_bytes());
    let observation = |(property, value, unit): (String, f64, String)| Observation {
        property: property.as_str().into(),
        value: Value::Number(Finite::new(value).unwrap()),
        unit: unit.as_str().into(),
        quality: Quality::Accepted,
        observed_at: now,
    };
    Event::Observed(Observed {
        device: device.into(),
        identity: Identity::DeviceTime(now),
        ingress: Ingress {
            client: "city".into(),
            connection: 1,
            packet: Some(1),
            duplicate_flag: false,
            content: ContentHash(content),
        },
        received_at: now,
        clock_ahead: None,
        observations: values.into_iter().map(observation).collect(),
        redacted: Vec::new(),
        exercise: false,
    })
}

fn decide(engine: &mut Engine, messages: &[(Timestamp, Event)]) -> Duration {
    let watch = stopwatch();
    for (now, event) in messages {
        while let Some(deadline) = engine.next_deadline().filter(|deadline| deadline.at <= *now) {
            step(engine, *now, &Event::Due(deadline));
        }
        step(engine, *now, event);
    }
    watch.elapsed()
}

fn step(engine: &mut Engine, now: Timestamp, event: &Event) {
    let decision = engine.step(now, event);
    assert_eq!(decision.verdict, Verdict::Accepted, "{event:?}");
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
