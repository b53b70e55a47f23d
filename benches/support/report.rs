//! `BENCHMARKS.md`: one file, a section for each benchmark, and each section written again without losing the others.
//!
//! With `RETTIDIG_BENCHMARKS=FILE` a section is put there, else it is only shown; `RETTIDIG_BENCH_ONLY` names the
//! sections to run. What a figure stands beside is measured here too: the disk, the processors, and who else wants
//! them.
#![allow(dead_code, reason = "each benchmark uses its own part of this")]

use rettidig::telemetry::stopwatch;
use std::fmt::{Display, Write as _};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// In the order of the file: what it is called when it is asked for, and its heading.
const SECTIONS: [(&str, &str); 11] = [
    ("endpoint", "Through the gateway's own endpoint"),
    ("mosquitto", "Through Mosquitto"),
    ("history", "With history in PostgreSQL"),
    ("restart", "Restart"),
    ("snapshot", "Snapshots under load"),
    ("overload", "Overload"),
    ("engine", "The engine alone"),
    ("journal", "The journal alone"),
    ("projector", "Keeping history alone"),
    ("backtest", "A year of bins in a backtest"),
    ("peers", "Node-RED on the same broker"),
];
const HEAD: &str = "# Benchmarks

Written by `make bench` and `make bench-peers`; `make bench ONLY=\"endpoint restart\"` writes these sections again and
leaves the others. How to read them:

- Generator, brokers, databases, floor and gateway share the processors of one machine. Absolute figures are that
  machine's; what counts is the ratio to the floor, which was measured in turns with the gateway in the same run.
- The floor is a *bare loop*: the same transport, receive, append, fdatasync, acknowledge, publish; no logins, no
  decoding, no rules, no record of a decision, no history.
- Load is open: when a message is to be sent follows from its number, and latency counts from that moment, also when the
  sender was held up. *Flat out* a window of messages on the way takes the place of the schedule.
- CPU pressure is the share of time in which somebody waited for a processor, read before each round while nothing of
  ours runs. Above 40 % the machine was not ours alone and the line says **invalid**: neither good nor bad.
- Lost and doubled are counted exactly, in the journal and by those who receive. A benchmark that loses anything fails.
";
/// Above this, somebody else is using the machine.
const PRESSURE_MAX: f64 = 40.0;
const SYNCS: usize = 200;
/// Set while a benchmark of divan's runs below the one that keeps what it says.
const BELOW: &str = "RETTIDIG_BENCH_BELOW";

/// Whether this section is to be run: those that are named; when none is, all but the peers.
pub fn wanted(key: &str) -> bool {
    match std::env::var("RETTIDIG_BENCH_ONLY") {
        Ok(only) if !only.trim().is_empty() => only.split([' ', ',']).any(|name| name == key),
        _ => key != "peers",
    }
}

pub struct Section {
    title: &'static str,
    text: String,
}

impl Section {
    /// Says on what machine, and what was done.
    pub fn begin(key: &str, what: &str) -> Self {
        let (_, title) = SECTIONS.into_iter().find(|(known, _)| *known == key).expect("a section of the file");
        let mut section = Self { title, text: String::new() };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        section.line(format!("## {title}\n\n{what}\n"));
        section.line(format!("{cores} cores; fdatasync of 4 KiB {:.2} ms (median).\n", sync_ms()));
        section
    }

    /// One more line, shown at once: a benchmark takes minutes.
    #[expect(clippy::print_stdout, reason = "a benchmark reports")]
    pub fn line(&mut self, line: impl Display) {
        let line = line.to_string();
        println!("{line}");
        self.text.push_str(&line);
        self.text.push('\n');
    }

    pub fn table(&mut self, columns: &[&str]) {
        self.line(format!("| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len())));
    }

    pub fn row(&mut self, cells: &[String]) {
        self.line(format!("| {} |", cells.join(" | ")));
    }

    /// Puts the section into the file, in its place among the others.
    pub fn write(self) {
        let Some(path) = std::env::var_os("RETTIDIG_BENCHMARKS").map(PathBuf::from) else { return };
        let before = fs::read_to_string(&path).unwrap_or_default();
        let mut text = HEAD.to_owned();
        for (_, title) in SECTIONS {
            let heading = format!("## {title}\n");
            let kept = before.find(&heading).map(|from| {
                let rest = &before[from + heading.len()..];
                &before[from..rest.find("\n## ").map_or(before.len(), |to| from + heading.len() + to)]
            });
            let section = if title == self.title { Some(self.text.as_str()) } else { kept };
            if let Some(section) = section {
                write!(text, "\n{}\n", section.trim_end()).unwrap();
            }
        }
        fs::write(&path, text).unwrap();
    }
}

/// Runs what divan measures in a process below this one, and keeps what it says as a section.
pub fn keep(key: &str, what: &str, divan: impl FnOnce()) {
    if std::env::var_os(BELOW).is_some() {
        return divan();
    }
    if !wanted(key) {
        return;
    }
    let mut section = Section::begin(key, what);
    let pressure = Pressure::settled();
    let itself = std::env::current_exe().unwrap();
    let output = Command::new(itself).arg("--bench").env(BELOW, "1").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    section.line(format!("```text\n{}```\n", String::from_utf8(output.stdout).unwrap()));
    section.line(format!("CPU pressure before: {pressure}."));
    section.write();
}

/// The share of time in which somebody waited for a processor, in percent.
#[derive(Clone, Copy, Default)]
pub struct Pressure(f64);

impl Pressure {
    /// In two seconds in which we do nothing.
    pub fn settled() -> Self {
        let (clock, before) = (stopwatch(), waited());
        std::thread::sleep(Duration::from_secs(2));
        Self((waited() - before) / clock.elapsed().as_secs_f64() / 1e4)
    }

    pub fn worst(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }
}

impl Display for Pressure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} %{}", self.0, if self.0 > PRESSURE_MAX { " **invalid**" } else { "" })
    }
}

/// In microseconds since the machine was started.
fn waited() -> f64 {
    let text = fs::read_to_string("/proc/pressure/cpu").unwrap_or_default();
    let total = text.lines().next().and_then(|line| line.rsplit_once("total="));
    total.map_or(0.0, |(_, micros)| micros.parse().unwrap_or(0.0))
}

fn sync_ms() -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let mut file = File::create(folder.path().join("sync")).unwrap();
    let times = (0..SYNCS).map(|_| {
        file.write_all(&[7; 4096]).unwrap();
        let clock = stopwatch();
        file.sync_data().unwrap();
        clock.elapsed().as_secs_f64() * 1e3
    });
    median(times.collect())
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Processor time that a process has taken, in seconds.
pub fn cpu_of(process: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // User and system, in hundredths of a second: the kernel says so to everybody, whatever it counts in.
    [11, 12].map(|at| fields[at].parse::<f64>().unwrap()).iter().sum::<f64>() / 100.0
}

/// Memory that a process has in RAM, in MiB.
pub fn resident_mib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// Bytes of all files in a folder and below.
pub fn bytes_in(folder: &Path) -> u64 {
    fs::read_dir(folder).map_or(0, |entries| {
        entries
            .flatten()
            .map(|entry| {
                let path = entry.path();
                if path.is_dir() { bytes_in(&path) } else { entry.metadata().map_or(0, |file| file.len()) }
            })
            .sum()
    })
}
