//! What taking a snapshot of a large state costs those who wait for a decision meanwhile.

use crate::city::{self, ASSETS, TIMERS};
use crate::endpoint::{CONNECTIONS, Endpoint, load_floor, order};
use crate::floor;
use crate::gateway::Metrics;
use crate::report::{Pressure, Section};
use crate::side::Side;
use std::fmt;

const ROUNDS: usize = 3;
const PAUSE: &str = "rettidig_journal_snapshot_pause_seconds";

pub fn run() {
    let what = format!(
        "{ASSETS} assets, {TIMERS} timers, 50 connections, 10,000 messages a second for 10 seconds, {ROUNDS} rounds in \
         turns; snapshots never, or one after the other. Percentiles are medians over the rounds, the maximum is the \
         worst of all."
    );
    let mut section = Section::begin("snapshot", &what);
    let folder = tempfile::tempdir().unwrap();
    let bare = floor::start(folder.path());
    let mut site = city::site();
    let order = order(CONNECTIONS, 100_000, Some(10_000));
    let mut sides = [("floor", Side::default()), ("never", Side::default()), ("always", Side::default())];
    let (mut pressure, mut pauses) = (Pressure::default(), Pauses::default());
    for _ in 0..ROUNDS {
        pressure = pressure.worst(Pressure::settled());
        sides[0].1.add(load_floor(bare, order));
        for (side, every) in [(1, "1d"), (2, "1s")] {
            site.set("JOURNAL__SNAPSHOT_EVERY", every);
            let mut endpoint = Endpoint::start(site);
            sides[side].1.add(endpoint.load(order));
            if side == 2 {
                pauses.add(&endpoint.child.metrics());
            }
            site = endpoint.stop();
        }
    }
    section.table(&["snapshots", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "CPU pressure"]);
    for (name, side) in &sides {
        let figures = [side.ms(0.5), side.ms(0.99), side.ms(0.999), side.ms_max()].map(|ms| format!("{ms:.2}"));
        section.row(&[&[(*name).to_owned()], &figures[..], &[pressure.to_string()]].concat());
    }
    section.line(format!("\n{pauses}"));
    section.write();
}

/// How long the loop stood still.
#[derive(Default)]
struct Pauses {
    taken: u64,
    /// Of them, no longer than a millisecond.
    short: u64,
    seconds: f64,
    longest_ms: f64,
}

impl Pauses {
    fn add(&mut self, metrics: &Metrics) {
        self.taken += metrics.get(&format!("{PAUSE}_count"));
        self.short += metrics.get(&format!("{PAUSE}_bucket{{le=\"0.001\"}}"));
        self.seconds += metrics.number(&format!("{PAUSE}_sum")).unwrap();
        self.longest_ms = self.longest_ms.max(longest_pause_ms(metrics));
    }
}

impl fmt::Display for Pauses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { taken, short, seconds, longest_ms } = self;
        let mean = seconds * 1e3 / *taken as f64;
        write!(
            f,
            "The loop stood still for {taken} snapshots: {mean:.2} ms on average, {short} times for at most 1 ms, the \
             longest for at most {longest_ms} ms."
        )
    }
}

/// The bound of the first bucket that holds all.
fn longest_pause_ms(metrics: &Metrics) -> f64 {
    let all = metrics.get(&format!("{PAUSE}_count"));
    let buckets =
        metrics.0.lines().filter_map(|line| line.strip_prefix(&format!("{PAUSE}_bucket{{le=\""))?.split_once("\"} "));
    let bound = buckets.filter(|(_, count)| count.parse() == Ok(all)).map(|(bound, _)| bound).next().unwrap();
    bound.parse::<f64>().unwrap() * 1e3
}
