//! `rettidig backtest`: rule sets and other policies over the same data.

use crate::house::House;
use serde_json::{Value, json};
use std::fmt::Write as _;
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
    let arguments = ["backtest", "--rules", "other", "--data", "series", "--as-recorded"];
    let compared = house.json(&arguments);
    let full = row(&compared, "bin-full");
    let count = |side: &str, of: &str| full[side][of].clone();
    assert_eq!((count("against", "alarms"), count("new", "alarms")), (json!(3), json!(2)), "{compared:#}");
    assert_eq!((count("against", "tasks"), count("new", "tasks")), (json!(3), json!(2)), "{compared:#}");
    // From ten past nine to ten.
    assert_eq!(count("new", "alarms_by_day"), json!([[1, 1], [2, 1]]), "{compared:#}");
    let hours = count("new", "active_hours").as_f64().unwrap();
    assert!((hours - 2.0 * 50.0 / 60.0).abs() < 1e-9, "{hours}");
    assert_eq!((&compared["reports"], &compared["levels"]), (&json!(9), &json!("recorded")));

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

/// A bin that takes in a twentieth of its volume each hour, is full after 20 hours, and was emptied after 24, three times.
/// Two values more show that it was.
fn three_days() -> String {
    let row = |hour: u32| {
        let percent = (hour % 24 * 5).min(100);
        format!("2024-05-{:02}T{:02}:00:00Z,{percent}\n", 6 + hour / 24, hour % 24)
    };
    "time,percent\n".to_owned() + &(0..=74).map(row).collect::<String>()
}

fn policy<'a>(of: &'a Value, name: &str) -> &'a Value {
    let found = of["policies"].as_array().unwrap().iter().find(|policy| policy["policy"] == name);
    found.unwrap_or_else(|| panic!("no {name}: {of:#}"))
}

#[track_caller]
fn about(of: &Value, field: &str, expected: f64) {
    let found = of[field].as_f64().unwrap_or_else(|| panic!("no {field}: {of:#}"));
    assert!((found - expected).abs() < 1e-6, "{field}: {found}, not {expected}: {of:#}");
}

/// Every figure can be worked out by hand.
#[test]
fn each_policy_empties_its_own_bin() {
    let house = House::plain();
    house.other("fill >= 0.8", "fill >= 0.78");
    for file in ["config/calendars/standard.toml", "other/calendars/standard.toml"] {
        let text = fs::read_to_string(house.path(file)).unwrap();
        fs::write(house.path(file), text.replace("default_for = [\"bin\"]", "")).unwrap();
    }
    fs::create_dir(house.path("series")).unwrap();
    house.write("series/bin-1.csv", &three_days());
    let policies = ["rules:other", "level:78", "level:8", "fixed:1", "fixed:2"].map(|policy| ["--policy", policy]);
    let data = ["backtest", "--data", "series", "--respond-hours", "2"];
    let told = house.json(&[&data[..], policies.as_flattened()].concat());
    // Full from 98 %, 19.6 hours after it was emptied, until the crew comes at 24.
    let recorded = policy(&told, "recorded");
    assert_eq!((&recorded["levels"], &recorded["stops"]), (&json!("recorded"), &json!(3)), "{recorded:#}");
    about(recorded, "overflow_hours", 3.0 * 4.4);
    about(recorded, "spilled_volumes", 3.0 * 0.2);
    about(recorded, "level_at_stop_mean", 1.0);
    about(recorded, "bin_weeks", 74.0 / 24.0 / 7.0);
    assert_eq!((&recorded["tasks"], &recorded["alarms"]), (&json!(null), &json!(null)));
    // Called at the value of 80 %, 16 hours after, and there two hours later.
    let level = policy(&told, "level:78");
    assert_eq!((&level["stops"], &level["unneeded_stops"]), (&json!(4), &json!(0)), "{level:#}");
    assert_eq!((&level["tasks"], &level["levels"]), (&json!(4), &json!("modelled")));
    about(level, "overflow_hours", 0.0);
    about(level, "level_at_stop_mean", 0.9);
    // Two hours to a tenth, two more until the crew is there: a fifth full.
    let eager = policy(&told, "level:8");
    assert_eq!((&eager["stops"], &eager["unneeded_stops"]), (&json!(18), &json!(18)), "{eager:#}");
    // As it was.
    let daily = policy(&told, "fixed:1");
    assert_eq!(daily["stops"], json!(3));
    about(daily, "overflow_hours", 3.0 * 4.4);
    about(daily, "spilled_volumes", 3.0 * 0.2);
    // Emptied after 48 hours; then full again from 19.6 hours on, until the end.
    let rare = policy(&told, "fixed:2");
    assert_eq!(rare["stops"], json!(1));
    about(rare, "overflow_hours", 48.0 - 19.6 + 26.0 - 19.6);
    about(rare, "spilled_volumes", 1.4 + 0.3);
    about(rare, "emptied_volumes", 1.0);
    // The alarm waits ten minutes after the value of 80 %: the first crew comes 18 hours and ten minutes after the start,
    // the others 18 hours after each other.
    let rules = policy(&told, "rules:other");
    assert_eq!((&rules["stops"], &rules["tasks"], &rules["alarms"]), (&json!(4), &json!(4), &json!(4)), "{rules:#}");
    about(rules, "level_at_stop_mean", 0.05 * (18.0 + 1.0 / 24.0));
    assert_eq!(rules["rules"]["bin-full"]["tasks"], json!(4));
    // The rules overflow at no time; a call at 78 % does so neither, but for more stops.
    let losses = told["bins"][0]["losses"].as_array().unwrap();
    assert!(losses.is_empty(), "{losses:#?}");
}

#[test]
fn the_risk_of_overflow_is_compared_with_a_level_and_a_tuned_plan() {
    let house = House::new();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/prague-bins");
    let policies = ["rules:live", "level:80", "fixed:auto"].map(|policy| ["--policy", policy]);
    let arguments = [&["backtest", "--data", data.to_str().unwrap()][..], policies.as_flattened()].concat();
    let told = house.json(&arguments);
    let names: Vec<_> = told["policies"].as_array().unwrap().iter().map(|policy| policy["policy"].clone()).collect();
    assert_eq!(json!(names), json!(["recorded", "rules:config", "level:80", "fixed:auto"]));
    assert_eq!(told["model"]["tuned_on_percent"], json!(50.0));
    assert_eq!(told["bins"].as_array().unwrap().len(), 3);
    for policy in told["policies"].as_array().unwrap() {
        assert!(policy["stops"].as_u64() > Some(0), "{policy:#}");
        let stops: u64 = policy["by_day"].as_array().unwrap().iter().map(|day| day[2].as_u64().unwrap()).sum();
        assert_eq!(json!(stops), policy["stops"]);
    }
    for bin in told["bins"].as_array().unwrap() {
        assert!(policy(bin, "fixed:auto")["every_days"].as_u64() >= Some(1), "{bin:#}");
        assert!(bin["judged_from"].as_str().unwrap() > bin["from"].as_str().unwrap());
    }
    let page = house.rettidig(&[&arguments[..], &["--html", "page.html", "--crew", "call"]].concat()).expect_code(0);
    assert!(page.out.contains("A crew drives out for each call and is there 24 hours after it."), "{}", page.out);
    assert!(page.out.lines().any(|line| line.starts_with("tuned fixed plan") && line.contains("modelled")));
    let page = fs::read_to_string(house.path("page.html")).unwrap();
    for part in ["<svg", "tilpasset fast plan", "tuned fixed plan", "prefers-color-scheme:dark", "<polyline"] {
        assert!(page.contains(part), "no {part}");
    }
    for elsewhere in ["http:", "https:", "src=", "<script", "@import", "url("] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
}

/// More bins than stand in one group, each with a rhythm of its own.
#[test]
fn any_number_of_threads_finds_the_same() {
    let house = House::new();
    fs::create_dir(house.path("series")).unwrap();
    for bin in 0..70_u32 {
        let row = |hour: u32| {
            let percent = (hour * (3 + bin % 7) / 4) % 101;
            format!("2024-05-{:02}T{:02}:00:00Z,{percent}\n", 1 + hour / 24, hour % 24)
        };
        house.write(&format!("series/bin-{bin:02}.csv"), &(0..14 * 24).map(row).collect::<String>());
    }
    let of = |threads: &str| {
        let policies = ["--policy", "level:80", "--policy", "fixed:auto"];
        let arguments = ["backtest", "--rules", "config", "--data", "series", "--threads", threads];
        house.json(&[&arguments[..], &policies].concat())
    };
    let alone = of("1");
    assert_eq!(alone["bins"].as_array().unwrap().len(), 70);
    assert_eq!(alone, of("2"));
    assert_eq!(alone, of("5"));
}

#[test]
fn one_file_tells_of_many_bins_and_bad_rows_are_named() {
    let house = House::plain();
    let mut text = "timestamp,latestFullness,fullnessThreshold,serialNumber\n".to_owned();
    for day in 1..=28 {
        for (bin, rhythm) in [("a", 5), ("b", 3)] {
            writeln!(text, "2021-02-{day:02},{},8,{bin}", (day % rhythm) * 10 / rhythm / 2 * 2).unwrap();
        }
    }
    text += "2021-03-01,ten,8,a\n2021-03-02,40,8,a\n2021-02-28,0,8,b\nyesterday,0,8,b\n2021-03-03,4,8,\n";
    house.write("bins.csv", &text);
    let arguments = ["backtest", "--policy", "level:70", "--data", "bins.csv"];
    let told = house.json(&[&arguments[..], &["--full", "10"]].concat());
    let bins: Vec<_> = told["bins"].as_array().unwrap().iter().map(|bin| (&bin["bin"], &bin["values"])).collect();
    assert_eq!(bins, [(&json!("a"), &json!(28)), (&json!("b"), &json!(28))]);
    assert_eq!(policy(&told["bins"][0], "recorded")["stops"], json!(5), "{told:#}");
    assert_eq!(told["left_out"]["rows"], json!(5));
    let faults: Vec<_> = told["left_out"]["first"].as_array().unwrap().iter().collect();
    let lines: Vec<_> = faults.iter().map(|fault| fault["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [58, 59, 61, 62, 57], "{faults:#?}");
    for (fault, why) in [
        (0, "\"ten\" is not a number"),
        (1, "40 lies outside 0 to 105 % of 10, which is full"),
        (2, "\"yesterday\" is not a time"),
        (3, "names no bin"),
        (4, "a later row tells of the same moment"),
    ] {
        assert_eq!(faults[fault]["why"], json!(why));
    }
    let said = house.rettidig(&[&arguments[..], &["--full", "10"]].concat()).expect_code(0);
    assert!(
        said.err.contains("bins.csv: 5 rows left out, the first in line 58: \"ten\" is not a number"),
        "{}",
        said.err
    );
    house.write("bins.csv", &text.replace("40,8", "4,8"));
    let hint = house.rettidig(&arguments).expect_code(0);
    assert!(hint.err.contains("if that is a full bin, say --full"), "{}", hint.err);
}

#[test]
fn what_is_asked_wrongly_is_said() {
    let house = House::plain();
    for (policy, expected) in [
        ("level:0", "level:PERCENT (1 to 100)"),
        ("level:", "level:PERCENT (1 to 100)"),
        ("fixed:0", "fixed:DAYS (1 to 90)"),
        ("fixed:weekly", "fixed:auto"),
        ("rules:", "rules:FOLDER"),
        ("80", "rules:FOLDER"),
    ] {
        let told = house.rettidig(&["backtest", "--policy", policy]).expect_code(2);
        assert!(told.err.contains(expected), "{policy}: {}", told.err);
    }
    house.rettidig(&["backtest"]).expect_code(2);
    house.rettidig(&["backtest", "--policy", "level:80", "--as-recorded"]).expect_code(2);
    house.rettidig(&["backtest", "--policy", "level:80", "--full", "0"]).expect_code(2);
    let many = ["--policy", "level:80"].repeat(9);
    let many = house.rettidig(&[&["backtest"][..], &many].concat()).expect_code(2);
    assert!(many.err.contains("at most 8 policies"), "{}", many.err);
    let blind = house.rettidig(&["backtest", "--policy", "fixed:auto", "--tuned-on", "0"]).expect_code(2);
    assert!(blind.err.contains("say --tuned-on 5 or more"), "{}", blind.err);
    let nowhere = house.rettidig(&["backtest", "--policy", "level:80", "--data", "nowhere"]).expect_code(1);
    assert!(nowhere.err.contains("read the recorded fill levels in nowhere"), "{}", nowhere.err);
    house.rettidig(&["backtest", "--policy", "rules:nowhere", "--data", "."]).expect_code(78);
}
