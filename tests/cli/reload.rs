//! Rules and sensor types change while the gateway runs.

use crate::house::House;
use serde_json::json;
use std::fs;

#[test]
fn a_changed_rule_is_in_force_without_a_restart_and_a_fault_changes_nothing() {
    let house = House::new();
    let gateway = house.start();
    let before = house.json(&["status"])["configuration"].clone();
    assert_eq!(house.json(&["reload"])["changed"], false);

    let rules = house.path("config/rules/waste.toml");
    let text = fs::read_to_string(&rules).unwrap();
    fs::write(&rules, text.replace("temperature >= 60", "temperature >= 55")).unwrap();
    let reloaded = house.json(&["reload"]);
    assert_eq!(reloaded["changed"], true);
    let fire =
        json!([{ "rule": "bin-fire", "became": "changed", "kept": ["held(temperature < 40, '1h')"], "begun": [] }]);
    assert_eq!(reloaded["rules"], fire, "the one rule that decides otherwise");
    let after = house.json(&["status"])["configuration"].clone();
    assert_ne!(before, after);

    fs::write(&rules, text.replace("temperature >= 60", "temprature >= 55")).unwrap();
    let done = house.rettidig(&["reload"]).expect_code(65);
    assert!(done.err.contains("rettidig check"), "{}", done.err);
    assert_eq!(house.json(&["status"])["configuration"], after);

    fs::write(&rules, &text).unwrap();
    gateway.signal("HUP");
    gateway.wait_for_line("certificates");
    assert_eq!(house.json(&["status"])["configuration"], before, "SIGHUP reads the same files");
    assert!(gateway.stop().success());
}

#[test]
fn a_sensor_type_that_is_added_can_be_registered_at_once() {
    let house = House::new();
    let gateway = house.start();
    house.write("assets.csv", "id;kind\nbin-1;bin\n");
    house.write("devices.csv", "id;sensor_type;asset\nsensor-1;bin-simple;bin-1\n");
    house.rettidig(&["registry", "import", "assets", "assets.csv", "--apply"]).expect_code(0);
    house.rettidig(&["registry", "import", "devices", "devices.csv", "--apply"]).expect_code(65);
    let text = fs::read_to_string(house.path("config/sensor-types/bin-level.toml")).unwrap();
    house.write("config/sensor-types/bin-simple.toml", &text.replace("id = \"bin-level\"", "id = \"bin-simple\""));
    house.rettidig(&["reload"]).expect_code(0);
    house.rettidig(&["registry", "import", "devices", "devices.csv", "--apply"]).expect_code(0);
    assert!(gateway.stop().success());
}

#[test]
fn a_changed_calendar_is_in_force_without_a_restart_and_a_fault_changes_nothing() {
    let house = House::new();
    let gateway = house.start();
    let before = house.json(&["status"])["configuration"].clone();
    let calendar = house.path("config/calendars/standard.toml");
    let text = fs::read_to_string(&calendar).unwrap();
    fs::write(&calendar, text.replace("on_holiday = \"next-workday\"", "on_holiday = \"next-day\"")).unwrap();
    let checked = house.rettidig(&["check", "config"]).expect_code(65);
    assert!(
        checked.out.contains("next-workday") && checked.out.contains("calendars/standard.toml:"),
        "{}",
        checked.out
    );
    house.rettidig(&["reload"]).expect_code(65);
    assert_eq!(house.json(&["status"])["configuration"], before);

    fs::write(&calendar, text.replace("on_holiday = \"next-workday\"", "on_holiday = \"skip\"")).unwrap();
    assert_eq!(house.json(&["reload"])["changed"], true);
    assert_ne!(house.json(&["status"])["configuration"], before);
    assert!(gateway.stop().success());
}

#[test]
fn settings_that_need_a_restart_are_named() {
    let house = House::new();
    let gateway = house.start();
    house.write("config/rettidig.toml", "[limits]\npayload_bytes_max = 2048\n");
    assert_eq!(house.json(&["reload"])["needs_restart"], json!(["limits"]));
    assert!(gateway.stop().success());
}
