//! The README's own commands, run as they stand there.

use crate::house::House;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

const README: &str = include_str!("../../README.md");
/// What a user types first and a test has done already.
const BUILDING: &str = "make binary";
const RUNNING: &str = "rettidig run\n";

#[test]
fn the_readme_leads_to_the_first_own_sensor() {
    let house = House::empty();
    let blocks = blocks();
    let run = blocks.iter().position(|block| block == RUNNING).expect("the README runs the gateway");
    let told = shell(&house, &blocks[..run].concat(), None);
    assert!(told.contains("no faults"), "{told}");
    let gateway = house.start();
    let told = shell(&house, &blocks[run + 1..].concat(), Some(gateway.port("mqtt")));
    for word in ["bin-fire", "inspect-bin", "\"notice\":\"offered\"", "accepted", "crew-1"] {
        assert!(told.contains(word), "no {word} in\n{told}");
    }
    assert_eq!(house.json(&["quarantine", "list"])["quarantined"].as_array().unwrap().len(), 0);
    assert!(gateway.stop().success());
}

#[test]
fn init_prints_the_same_path_as_the_readme() {
    let house = House::empty();
    let printed = house.rettidig(&["init"]).expect_code(0).out;
    let printed: Vec<&str> = printed.lines().map(str::trim).collect();
    for line in blocks().concat().lines().map(str::trim).filter(|line| *line != "rettidig init config") {
        assert!(printed.contains(&line), "{line}");
    }
}

/// The fenced blocks of the chapter, in order, without the one that builds.
fn blocks() -> Vec<String> {
    let (_, chapter) = README.split_once("## From nothing to the first own sensor").unwrap();
    let chapter = chapter.split("\n## ").next().unwrap();
    let fenced = chapter.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
    fenced.filter(|block| !block.starts_with(BUILDING)).collect()
}

/// Everything it says. The clients of Mosquitto are led to the port that the gateway has picked.
fn shell(house: &House, script: &str, port: Option<u16>) -> String {
    let tools = house.path("tools");
    fs::create_dir_all(&tools).unwrap();
    let path = std::env::var("PATH").unwrap();
    for name in ["mosquitto_pub", "mosquitto_sub"] {
        let real = path.split(':').map(|folder| Path::new(folder).join(name)).find(|file| file.is_file());
        let real = real.unwrap_or_else(|| panic!("the Debian package mosquitto-clients has {name}"));
        let text = format!("#!/bin/sh\nexec {} -p {} \"$@\"\n", real.display(), port.unwrap_or(0));
        fs::write(tools.join(name), text).unwrap();
        fs::set_permissions(tools.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let program = Path::new(env!("CARGO_BIN_EXE_rettidig")).parent().unwrap();
    let mut command = Command::new("sh");
    command.args(["-eu", "-c", script]).current_dir(house.path("")).stdin(Stdio::null());
    command.env("PATH", format!("{}:{}:{path}", tools.display(), program.display()));
    for name in ["RETTIDIG_CONFIG", "RETTIDIG_DATA", "RUST_LOG"] {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    told
}
