//! The simulated municipality, as somebody's first command and as a script's.

use crate::house::{Done, House};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
fn the_demo_decides_dispatches_and_balances_and_a_seed_gives_the_same_again() {
    let house = House::empty();
    let first = counts(&house, "7");
    let second = counts(&house, "7");
    let other = counts(&house, "8");
    for name in ["events", "alarms", "tasks", "quarantined"] {
        assert!(first[name].as_u64().unwrap() > 0, "no {name} in {first}");
    }
    assert_eq!(first["ledger_balanced"], true, "{first}");
    assert_eq!(first, second);
    assert_ne!(first, other);
}

#[test]
fn the_demo_leaves_nothing_and_sweeps_up_after_one_that_was_killed() {
    let house = House::empty();
    let [killed, starting] = ["killed", "starting"].map(|name| house.path(&format!("rettidig-simulated-{name}")));
    for folder in [&killed, &starting] {
        fs::create_dir_all(folder.join("data/journal")).unwrap();
    }
    let made = File::open(&killed).unwrap();
    let hour_ago = made.metadata().unwrap().modified().unwrap() - Duration::from_secs(3_600);
    made.set_modified(hour_ago).unwrap();
    demo(&house, "7").expect_code(0);
    let left: Vec<_> = fs::read_dir(house.path("")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, [starting], "only what may be somebody's who is just starting");
}

#[test]
fn the_demo_ends_in_order_however_it_is_told_to() {
    let house = House::empty();
    for name in ["TERM", "HUP", "INT"] {
        let mut command = house.command(&["demo", "--seed", "7"]);
        command.env("TMPDIR", house.path("")).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
        // The first line of the simulation: it is in full swing.
        told.next().expect("the demo says how it goes").unwrap();
        let reader = std::thread::spawn(move || told.for_each(drop));
        let id = child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
        let done = Done::of(child.wait_with_output().unwrap()).expect_code(0);
        reader.join().unwrap();
        assert!(done.out.contains("events"), "no report after {name}: {}", done.out);
        let left = fs::read_dir(house.path("")).unwrap().count();
        assert_eq!(left, 0, "{name} leaves a folder behind");
    }
}

fn counts(house: &House, seed: &str) -> Value {
    let done = demo(house, seed).expect_code(0);
    let mut report: Value = serde_json::from_str(&done.out).unwrap();
    // How long it took is the machine's affair.
    for name in ["latency_ms", "wall_seconds", "behind_seconds"] {
        report.as_object_mut().unwrap().remove(name).unwrap();
    }
    report
}

fn demo(house: &House, seed: &str) -> Done {
    let mut command = house.command(&["demo", "--for", "3s", "--json", "--seed", seed]);
    Done::of(command.env("TMPDIR", house.path("")).output().unwrap())
}
