//! From the start of the process until a sensor has its first PUBACK: everything a start has to do lies in between.

use crate::city::{self, ASSETS, TIMERS};
use crate::endpoint::name;
use crate::gateway::{Child, Site};
use crate::mqtt::Connection;
use crate::report::{Pressure, Section, median, resident_mib};
use rettidig::telemetry::stopwatch;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const ROUNDS: usize = 5;
const TRY_EVERY: Duration = Duration::from_millis(1);

pub fn run() {
    let what = format!(
        "`rettidig run` with {ASSETS} assets and {TIMERS} timers (nine delays that have begun and one for silence, for \
         each asset), from the start of the process until a sensor, which tries to connect each millisecond, has the \
         PUBACK of its first message. The floor starts a process (`rettidig --version`) and reads the bytes of the \
         snapshot. Medians of {ROUNDS} rounds; each gateway is killed."
    );
    let mut section = Section::begin("restart", &what);
    let mut site = city::site();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    site.set("ENDPOINT__LISTEN", &address.to_string());
    let (first, child) = start(&site, address, 0);
    child.stop();
    let snapshot = snapshot(&site);
    let (mut floors, mut ours, mut pressure) = (Vec::new(), Vec::new(), Pressure::default());
    let mut mib = 0;
    for round in 1..=ROUNDS {
        pressure = pressure.worst(Pressure::settled());
        let clock = stopwatch();
        let started = Command::new(env!("CARGO_BIN_EXE_rettidig")).arg("--version").output().unwrap();
        assert!(started.status.success() && !fs::read(&snapshot).unwrap().is_empty());
        floors.push(clock.elapsed().as_secs_f64());
        let (took, child) = start(&site, address, round as u64);
        ours.push(took.as_secs_f64());
        mib = resident_mib(child.id());
        child.kill();
    }
    let (floor, ours) = (median(floors), median(ours));
    let bytes = fs::metadata(&snapshot).unwrap().len() as f64 / f64::from(1 << 20);
    section.table(&["start", "seconds", "floor", "CPU pressure"]);
    section.row(&["from a snapshot".into(), format!("{ours:.2}"), format!("{floor:.3}"), pressure.to_string()]);
    let first = format!("{:.2}", first.as_secs_f64());
    section.row(&["from the journal alone (once)".into(), first, "–".into(), "–".into()]);
    section.line(format!("\nThe snapshot has {bytes:.0} MiB; just after the start the process has {mib} MiB in RAM."));
    section.write();
}

fn start(site: &Site, address: SocketAddr, round: u64) -> (Duration, Child) {
    let login = site.login(&name(0));
    let clock = stopwatch();
    let mut child = Child::launch(site, &[]);
    let mut sensor = loop {
        match Connection::open(address, &login) {
            Ok(sensor) => break sensor,
            Err(_) => std::thread::sleep(TRY_EVERY),
        }
        assert!(clock.elapsed() < Duration::from_secs(60), "it does not start:\n{}", child.said());
    };
    let payload = format!("{{\"fill\":0.1,\"battery\":{}}}", 50 + round);
    sensor.publish_acknowledged(1, "rettidig/v1/up/bin-0", payload.as_bytes()).unwrap();
    let took = clock.elapsed();
    assert!(child.listens(), "it ended:\n{}", child.said());
    (took, child)
}

fn snapshot(site: &Site) -> PathBuf {
    let found = fs::read_dir(site.data().join("journal/snapshots")).unwrap().map(|entry| entry.unwrap().path());
    found.max().expect("a gateway that stops leaves a snapshot")
}
