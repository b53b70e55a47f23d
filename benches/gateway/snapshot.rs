//! What taking a snapshot of a large state costs those who wait for a decision meanwhile.

use crate::city::{self, ASSETS, TIMERS};
use crate::endpoint::{CONNECTIONS, Endpoint, load_floor, order};
use crate::floor;
use crate::gateway::Metrics;
use crate::report::{Pressure, Section};
use crate::side::Side;

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
    let (mut pressure, mut taken, mut longest) = (Pressure::default(), 0, 0.0_f64);
    for _ in 0..ROUNDS {
        pressure = pressure.worst(Pressure::settled());
        sides[0].1.add(load_floor(bare, order));
        for (side, every) in [(1, "1d"), (2, "1s")] {
            site.set("JOURNAL__SNAPSHOT_EVERY", every);
            let mut endpoint = Endpoint::start(site);
            sides[side].1.add(endpoint.load(order));
            if side == 2 {
                let metrics = endpoint.child.metrics();
                taken += metrics.get(&format!("{PAUSE}_count"));
                longest = longest.max(longest_pause_ms(&metrics));
            }
            site = endpoint.stop();
        }
    }
    section.table(&["snapshots", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "CPU pressure"]);
    for (name, side) in &sides {
        let figures = [side.ms(0.5), side.ms(0.99), side.ms(0.999), side.ms_max()].map(|ms| format!("{ms:.2}"));
        section.row(&[&[(*name).to_owned()], &figures[..], &[pressure.to_string()]].concat());
    }
    section.line(format!("\nThe loop stood still for {taken} snapshots, each time for at most {longest} ms."));
    section.write();
}

/// The bound of the first bucket that holds all.
fn longest_pause_ms(metrics: &Metrics) -> f64 {
    let all = metrics.get(&format!("{PAUSE}_count"));
    let buckets =
        metrics.0.lines().filter_map(|line| line.strip_prefix(&format!("{PAUSE}_bucket{{le=\""))?.split_once("\"} "));
    let bound = buckets.filter(|(_, count)| count.parse() == Ok(all)).map(|(bound, _)| bound).next().unwrap();
    bound.parse::<f64>().unwrap() * 1e3
}
