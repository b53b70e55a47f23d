//! What is checked and reported without changing anything.

use crate::house::{Done, House};
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

#[test]
fn ten_planted_faults_are_reported_with_place_and_suggestion() {
    let house = House::empty();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ten-faults");
    let folder = folder.to_str().unwrap();
    let check = |arguments: &[&str]| {
        let mut command = house.command(arguments);
        // The addresses of the folder itself are among the faults.
        command.env_remove("RETTIDIG__ENDPOINT__LISTEN").env_remove("RETTIDIG__HTTP__LISTEN");
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(65));
        String::from_utf8(output.stdout).unwrap()
    };
    let report: Value = serde_json::from_str(&check(&["check", folder, "--json"])).unwrap();
    let faults = report["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 10, "{report:#}");
    for fault in faults {
        assert!(fault["file"].as_str().unwrap().contains(".toml"), "{fault}");
        assert!(fault["line"].as_u64().unwrap() > 0 && fault["column"].as_u64().unwrap() > 0, "{fault}");
        assert!(!fault["suggestion"].as_str().unwrap().is_empty(), "{fault}");
    }
    let text = check(&["check", folder]);
    for fault in faults {
        let message = fault["message"].as_str().unwrap();
        assert!(text.contains(&message[..message.len().min(30)]), "{message}\n{text}");
    }
    assert!(!text.contains("hunter2"), "a password is never shown");
}

#[test]
fn doctor_names_a_port_that_is_taken_and_who_may_be_read() {
    let house = House::new();
    let healthy = house.json(&["doctor"]);
    assert_eq!(healthy["passed"], true, "{healthy:#}");

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = house.command(&["doctor"]);
    let output = command.env("RETTIDIG__ENDPOINT__LISTEN", &address).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("port endpoint") && text.contains(&address) && text.contains('→'), "{text}");
}

#[test]
fn doctor_says_how_much_room_is_left() {
    let house = House::new();
    let told = house.rettidig(&["doctor"]).expect_code(0).out;
    assert!(told.contains("free space: ") && told.contains(" MiB for data"), "{told}");
    // A disk of this test's own.
    fs::create_dir(house.path("tools")).unwrap();
    for (free, verdict, code) in [(1_000, "fault    free space", 1), (500_000, "warning  free space", 0)] {
        let table = format!("Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/x 9999999 1 {free} 99% /");
        house.write("tools/df", &format!("#!/bin/sh\nprintf '{table}\\n'\n").replace("99%", "99%%"));
        fs::set_permissions(house.path("tools/df"), fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", house.path("tools").display(), std::env::var("PATH").unwrap());
        let done = Done::of(house.command(&["doctor"]).env("PATH", path).output().unwrap()).expect_code(code);
        assert!(done.out.contains(verdict), "{}", done.out);
    }
}

#[test]
fn doctor_finds_a_damaged_journal() {
    let house = House::new();
    house.write("assets.csv", "id;kind\nbin-1;bin\n");
    house.rettidig(&["registry", "import", "assets", "assets.csv", "--apply"]).expect_code(0);
    house.rettidig(&["journal", "verify"]).expect_code(0);
    let gateway = house.start();
    assert!(gateway.stop().success());
    damage(&house.path("data/journal"));
    let done = house.rettidig(&["journal", "verify"]).expect_code(74);
    assert!(done.err.contains("journal"), "{}", done.err);
    let doctor = house.rettidig(&["doctor"]).expect_code(1);
    assert!(doctor.out.contains("fault    journal"), "{}", doctor.out);
}

/// One byte of the last record is another one.
fn damage(folder: &Path) {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let file = entries.filter(|path| rusqlite::Connection::open(path).is_ok() && path.is_file()).find(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        !name.ends_with("-wal") && !name.ends_with("-shm")
    });
    let connection = rusqlite::Connection::open(file.unwrap()).unwrap();
    let changed = connection
        .execute("UPDATE entry SET crc32c = crc32c + 1 WHERE seq = (SELECT max(seq) FROM entry)", [])
        .unwrap();
    assert_eq!(changed, 1);
}

#[test]
fn doctor_reads_a_mosquitto_configuration() {
    let house = House::empty();
    house.write("mosquitto.conf", "listener 1883\n");
    let done = house.rettidig(&["doctor", "--mosquitto-config", "mosquitto.conf"]).expect_code(1);
    assert!(done.out.contains("max_queued_messages"), "{}", done.out);
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/mosquitto.conf");
    house.rettidig(&["doctor", "--mosquitto-config", shipped.to_str().unwrap()]).expect_code(0);
}

#[test]
fn schemas_are_json_schemas() {
    let house = House::empty();
    for kind in ["settings", "rules", "calendars"] {
        let schema: Value = serde_json::from_str(&house.rettidig(&["schema", kind]).expect_code(0).out).unwrap();
        assert!(schema["properties"].is_object(), "{kind}");
    }
}
