//! Starts that cannot be: one line that says what to change, a code for scripts, and nothing left running.

use crate::house::{Done, House};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;

#[test]
fn a_taken_address_is_one_line_that_names_the_setting() {
    let house = House::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (variable, setting) in [("RETTIDIG__HTTP__LISTEN", "[http]"), ("RETTIDIG__ENDPOINT__LISTEN", "[endpoint]")] {
        let mut command = house.command(&["run"]);
        let done = Done::of(command.env(variable, &address).env("RUST_LOG", "error").output().unwrap()).expect_code(69);
        let [line] = done.err.lines().collect::<Vec<_>>()[..] else { panic!("more than one line:\n{}", done.err) };
        for word in [&address, setting, "listen", "Address already in use"] {
            assert!(line.contains(word), "no {word} in {line}");
        }
        assert_eq!(line.matches("Address already in use").count(), 1, "{line}");
        assert!(!house.path("data/addresses.json").exists());
    }
    drop(taken);
    assert!(house.start().stop().success(), "the folder was given back whole");
}

#[test]
fn a_full_disk_at_the_start_is_told_with_the_file() {
    let house = House::new();
    fs::create_dir(house.path("data")).unwrap();
    symlink("/dev/full", house.path("data/addresses.json.unfinished")).unwrap();
    let done = house.rettidig(&["run"]).expect_code(74);
    assert!(done.err.contains("addresses.json") && done.err.contains("No space left on device"), "{}", done.err);
    assert!(!done.err.contains("panicked"), "{}", done.err);
    assert_eq!(house.json(&["journal", "verify"])["whole"], true);
}
