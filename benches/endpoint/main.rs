//! The gateway's own endpoint, end to end, durable before acknowledgement, beside a bare loop on the same transport in
//! the same run: `cargo bench --bench endpoint`. With `RETTIDIG_BENCHMARKS=FILE` the table is written there too.
//!
//! Generator, gateway and floor share the machine, so the ratio is what counts. CPU pressure is read before each round,
//! while nothing of ours runs: above 40 the machine is not ours alone, and the round says nothing about latency.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::allow_attributes, reason = "a failing benchmark may panic")]
#![allow(
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "a benchmark reports and picks what it looks for"
)]

mod floor;
#[path = "../../tests/support/gateway.rs"]
mod gateway;
mod load;
#[path = "../../tests/support/mqtt.rs"]
mod mqtt;

use gateway::{Child, Site, bin, device};
use load::{Order, Outcome};
use mqtt::Login;
use rettidig::domain::event::Event;
use rettidig::domain::reason::Verdict;
use rettidig::domain::time::Timestamp;
use rettidig::journal::Entry;
use rettidig::telemetry::stopwatch;
use rettidig::vault::ClientRole;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

const ROUNDS: usize = 5;
const CONNECTIONS: u64 = 50;
const SCENARIOS: [(&str, Order); 4] = [
    ("one connection, flat out", Order { connections: 1, messages: 400_000, rate: None }),
    ("50 connections, flat out", Order { connections: CONNECTIONS, messages: 400_000, rate: None }),
    ("50 connections, 10,000/s", Order { connections: CONNECTIONS, messages: 50_000, rate: Some(10_000) }),
    ("50 connections, 50,000/s", Order { connections: CONNECTIONS, messages: 250_000, rate: Some(50_000) }),
];
/// Above this, somebody else is using the machine.
const PRESSURE_MAX: f64 = 40.0;
const SYNCS: usize = 200;

/// One side of one scenario, the medians over all rounds.
struct Figures {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let bare = floor::start(folder.path());
    let mut site = Site::with_endpoint();
    // What one login may send protects a gateway; here it would be what is measured.
    site.set("LIMITS__MESSAGES_PER_S_MAX", "10000000");
    let names: Vec<String> = (0..CONNECTIONS).map(|number| format!("bin-{number}")).collect();
    let registry = names.iter().flat_map(|name| [bin(name), device(name, "bin-level", name)]).collect();
    let logins: Vec<_> = names.iter().map(|name| (name.as_str(), ClientRole::Device(name.as_str().into()))).collect();
    site.furnish(Timestamp::MIN, registry, &logins);
    let child = Child::start(&site, &[]);
    let address = child.mqtt.unwrap();
    let mut table = head(folder.path());
    let mut sent = 0;
    for (name, order) in SCENARIOS {
        let (mut floors, mut ours, mut pressure) = (Vec::new(), Vec::new(), 0.0_f64);
        for _ in 0..ROUNDS {
            pressure = pressure.max(settled_pressure());
            floors.push(one(bare, order, &names, |_| None));
            ours.push(one(address, order, &names, |name| site.login(name).secret));
            sent += order.messages;
        }
        let line = line(name, order, &figures(&floors), &figures(&ours), pressure);
        println!("{line}");
        table.push_str(&line);
        table.push('\n');
    }
    child.wait_for_metric("rettidig_messages_settled_total{outcome=\"decided\"}", sent);
    child.stop();
    let accepted =
        |entry: &Entry| matches!(entry.event, Event::Observed(_)) && entry.decision.verdict == Verdict::Accepted;
    assert_eq!(site.count(accepted), sent, "lost or doubled");
    writeln!(table, "\n{sent} messages were acknowledged by the gateway: 0 lost, 0 doubled (counted in the journal).")
        .unwrap();
    if let Ok(path) = std::env::var("RETTIDIG_BENCHMARKS") {
        fs::write(path, &table).unwrap();
    }
}

fn one(address: SocketAddr, order: Order, names: &[String], secret: impl Fn(&str) -> Option<String>) -> Outcome {
    let outcome = load::run(address, order, |number| {
        let name = &names[number as usize];
        Login { client_id: name.clone(), secret: secret(name), clean: false }
    });
    assert_eq!(outcome.acknowledged, order.messages);
    outcome
}

fn figures(outcomes: &[Outcome]) -> Figures {
    let of = |figure: &dyn Fn(&Outcome) -> f64| median(outcomes.iter().map(figure).collect());
    let millis = |outcome: &Outcome, quantile| outcome.latency.value_at_quantile(quantile) as f64 / 1e6;
    Figures {
        per_second: of(&|outcome| outcome.acknowledged as f64 / outcome.elapsed.as_secs_f64()),
        p50_ms: of(&|outcome| millis(outcome, 0.5)),
        p99_ms: of(&|outcome| millis(outcome, 0.99)),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn head(folder: &Path) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let sync = sync_ms(folder);
    println!("{cores} cores, fdatasync of 4 KiB {sync:.2} ms (median)");
    format!(
        "# Benchmarks\n\nWritten by `make bench`; medians of {ROUNDS} rounds, floor and gateway in turns. {cores} cores, which \
         generator, floor and gateway share; fdatasync of 4 KiB {sync:.2} ms (median). The floor appends, syncs and \
         acknowledges, and does nothing else. Latency is from the moment a message was to be sent; `invalid` means that \
         others used the machine.\n\n| scenario | floor /s | gateway /s | ratio | floor p50/p99 ms | gateway p50/p99 ms | \
         ratio p50/p99 | CPU pressure |\n|---|---|---|---|---|---|---|---|\n"
    )
}

fn line(name: &str, order: Order, floor: &Figures, ours: &Figures, pressure: f64) -> String {
    let invalid = if pressure > PRESSURE_MAX { " **invalid**" } else { "" };
    // A schedule sets the pace; flat out, latency is the window's.
    let pace = |figures: &Figures| format!("{:.0}", figures.per_second);
    let ratio =
        if order.rate.is_some() { "–".to_owned() } else { format!("{:.2}", ours.per_second / floor.per_second) };
    format!(
        "| {name} | {} | {} | {ratio} | {:.2}/{:.2} | {:.2}/{:.2} | {:.1}/{:.1} | {pressure:.0} %{invalid} |",
        pace(floor),
        pace(ours),
        floor.p50_ms,
        floor.p99_ms,
        ours.p50_ms,
        ours.p99_ms,
        ours.p50_ms / floor.p50_ms,
        ours.p99_ms / floor.p99_ms,
    )
}

/// The share of time in which somebody waited for a processor, after two seconds in which we do nothing.
fn settled_pressure() -> f64 {
    let total = || {
        let text = fs::read_to_string("/proc/pressure/cpu").unwrap_or_default();
        let total = text.lines().next().and_then(|line| line.rsplit_once("total="));
        total.map_or(0.0, |(_, micros)| micros.parse().unwrap_or(0.0))
    };
    let (clock, before) = (stopwatch(), total());
    std::thread::sleep(Duration::from_secs(2));
    (total() - before) / clock.elapsed().as_secs_f64() / 1e4
}

fn sync_ms(folder: &Path) -> f64 {
    let mut file = File::create(folder.join("sync")).unwrap();
    let times = (0..SYNCS).map(|_| {
        file.write_all(&[7; 4096]).unwrap();
        let clock = stopwatch();
        file.sync_data().unwrap();
        clock.elapsed().as_secs_f64() * 1e3
    });
    median(times.collect())
}
