//! `rettidig backtest`: two rule sets over the same data.

use crate::house::House;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

impl House {
    /// Another configuration folder, with one thing changed in the plain rules for waste.
    fn other(&self, from: &str, to: &str) {
        self.rettidig(&["init", "other"]).expect_code(0);
        self.plain_rules("other");
        let file = self.path("other/rules/waste.toml");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "no {from:?}");
        fs::write(file, text.replace(from, to)).unwrap();
    }
}

fn row<'a>(compared: &'a Value, rule: &str) -> &'a Value {
    compared["rules"].as_array().unwrap().iter().find(|row| row["rule"] == rule).unwrap()
}

/// One bin: three times over four fifths, twice of them over nine tenths, each time for an hour, then emptied.
const ONE_BIN: &str = "time,percent\n\
    2024-05-03T08:00:00Z,20\n2024-05-03T09:00:00Z,85\n2024-05-03T10:00:00Z,5\n\
    2024-05-04T08:00:00Z,40\n2024-05-04T09:00:00Z,95\n2024-05-04T10:00:00Z,5\n\
    2024-05-05T08:00:00Z,40\n2024-05-05T09:00:00Z,97\n2024-05-05T10:00:00Z,5\n\
    2024-05-05T11:00:00Z,not a number\n";

#[test]
fn two_rule_sets_are_compared_over_recorded_series() {
    let house = House::plain();
    house.other("fill >= 0.8", "fill >= 0.9");
    fs::create_dir(house.path("series")).unwrap();
    house.write("series/bin-1.csv", ONE_BIN);
    let arguments = ["backtest", "--rules", "other", "--data", "series"];
    let compared = house.json(&arguments);
    let full = row(&compared, "bin-full");
    let count = |side: &str, of: &str| full[side][of].clone();
    assert_eq!((count("against", "alarms"), count("new", "alarms")), (json!(3), json!(2)), "{compared:#}");
    assert_eq!((count("against", "tasks"), count("new", "tasks")), (json!(3), json!(2)), "{compared:#}");
    // From ten past nine to ten.
    assert_eq!(count("new", "alarms_by_day"), json!([[1, 1], [2, 1]]), "{compared:#}");
    let hours = count("new", "active_hours").as_f64().unwrap();
    assert!((hours - 2.0 * 50.0 / 60.0).abs() < 1e-9, "{hours}");
    assert_eq!(compared["reports"], json!(9));

    let told = house.rettidig(&[&arguments[..], &["--html", "page.html"]].concat()).expect_code(0);
    assert!(told.err.contains("1 rows left out"), "{}", told.err);
    let line = told.out.lines().find(|line| line.starts_with("bin-full")).unwrap();
    let cells: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(cells, ["bin-full", "3", "2", "-1", "3", "2", "-1", "2.5", "1.7"], "{}", told.out);
    let page = fs::read_to_string(house.path("page.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("<td>bin-full</td><td>3</td><td>2</td>"), "{page}");
}

#[test]
fn the_same_rules_call_for_the_same() {
    let house = House::new();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/prague-bins");
    let compared = house.json(&["backtest", "--rules", "config/rules", "--data", data.to_str().unwrap()]);
    assert!(row(&compared, "bin-overflow-before-service")["new"]["alarms"].as_u64() > Some(0), "{compared:#}");
    for row in compared["rules"].as_array().unwrap() {
        assert_eq!(row["against"], row["new"], "{row:#}");
    }
}

#[test]
fn a_journal_is_replayed_through_both_and_faults_are_told() {
    let house = House::plain();
    house.other("fill >= 0.8", "filll >= 0.8");
    let faulty = house.rettidig(&["backtest", "--rules", "other"]).expect_code(65);
    assert!(faulty.out.contains("filll"), "{}", faulty.out);
    let none = house.rettidig(&["backtest", "--rules", "config"]).expect_code(69);
    assert!(none.err.contains("there is no journal"), "{}", none.err);
    fs::create_dir(house.path("empty")).unwrap();
    let empty = house.rettidig(&["backtest", "--rules", "config", "--data", "empty"]).expect_code(1);
    assert!(empty.err.contains("there is no value"), "{}", empty.err);
    house.rettidig(&["backtest", "--rules", "nowhere"]).expect_code(78);
}
