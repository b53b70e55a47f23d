//! What a run came to, as one JSON object for scripts or a few lines for people.

use super::gateway::{Counts, Speed};
use super::recording::Container;
use super::series::RowFault;
use crate::domain::time::Span;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::time::Duration;

/// What a run came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub seed: u64,
    pub speed: Speed,
    pub simulated: Span,
    pub wall: Duration,
    /// How much longer it took at the wall than the speed asked for; zero when the machine kept up.
    pub behind: Duration,
    /// Somebody ended it before its end: the counts are those of the time it ran.
    pub ended_early: bool,
    /// Messages that the twin's devices and crews sent.
    pub sent: u64,
    pub counts: Counts,
    /// What became of each recorded container; empty for a demo.
    pub containers: Vec<Container>,
    /// The first rows of each file that could not be used.
    pub row_faults: Vec<RowFault>,
}

impl Report {
    /// One object on one line, for `--json`.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let Counts { events, alarms, tasks, completed, quarantined, duplicates, ledger_balanced, latency } =
            self.counts;
        let mut object = json!({
            "simulated": true,
            "seed": self.seed,
            "speed": self.speed.to_string(),
            "simulated_seconds": self.simulated.as_micros() / 1_000_000,
            "wall_seconds": seconds(self.wall),
            "behind_seconds": seconds(self.behind),
            "ended_early": self.ended_early,
            "sent": self.sent,
            "events": events,
            "alarms": alarms,
            "tasks": tasks,
            "completed": completed,
            "quarantined": quarantined,
            "duplicates": duplicates,
            "ledger_balanced": ledger_balanced,
            "latency_ms": { "p50": latency.p50_ms, "p99": latency.p99_ms },
        });
        if !self.containers.is_empty() {
            object["containers"] = self.containers.iter().map(container).collect();
            object["bad_rows"] = self.row_faults.iter().map(row_fault).collect();
        }
        writeln!(out, "{object}")
    }

    /// A few lines for people.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn write_lines(&self, out: &mut dyn Write) -> io::Result<()> {
        for fault in &self.row_faults {
            writeln!(out, "bad row: {}:{}: {}", fault.file, fault.line, fault.why)?;
        }
        for container in &self.containers {
            writeln!(out, "{container}")?;
        }
        let Self { seed, simulated, wall, sent, counts, .. } = self;
        writeln!(
            out,
            "simulated {simulated} in {:.1} s at the wall, seed {seed}, {sent} messages sent",
            seconds(*wall)
        )?;
        writeln!(out, "{}", one_line(counts))?;
        if !self.behind.is_zero() {
            writeln!(out, "this machine was {:.1} s slower than {} asks for", seconds(self.behind), self.speed)?;
        }
        if self.ended_early {
            writeln!(out, "ended early: the counts are those of the time it ran")?;
        }
        Ok(())
    }
}

/// The counts in one line.
pub(crate) fn one_line(counts: &Counts) -> String {
    let Counts { events, alarms, tasks, completed, quarantined, duplicates, ledger_balanced, latency } = counts;
    let ledger = if *ledger_balanced { "ledger balanced" } else { "LEDGER NOT BALANCED" };
    format!(
        "{events} events · {alarms} alarms · {tasks} tasks · {completed} completed · {quarantined} quarantined · \
         {duplicates} duplicates · {ledger} · p50 {:.1} ms p99 {:.1} ms",
        latency.p50_ms, latency.p99_ms
    )
}

fn container(container: &Container) -> Value {
    json!({
        "asset": container.asset.as_str(),
        "file": container.file,
        "rows": container.rows,
        "bad_rows": container.bad_rows,
        "highest_percent": container.highest_percent,
        "tasks": container.tasks.len(),
        "done": container.done,
    })
}

fn row_fault(fault: &RowFault) -> Value {
    json!({ "file": fault.file, "line": fault.line, "why": fault.why })
}

/// To the millisecond.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000.0).round() / 1_000.0
}
