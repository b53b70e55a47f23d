//! `rettidig backtest` on recorded data: the shipped rules beside a call at 80 % and a tuned fixed plan.

use super::data;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

const THREE: [&str; 3] = ["rules:live", "level:80", "fixed:auto"];

/// With the shipped configuration; prints the table, gives the JSON.
fn backtest(name: &str, policies: &[&str], arguments: &[&str]) -> Json {
    let policies = policies.iter().flat_map(|policy| ["--policy", policy]);
    let run = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rettidig"));
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["--config", "config", "backtest"]);
        let output = command.args(policies.clone()).args(arguments).args(more).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        println!("{said}");
        String::from_utf8(output.stdout).unwrap()
    };
    println!("backtest {name}: {}\n{}", arguments.join(" "), run(&[]));
    let told: Json = serde_json::from_str(&run(&["--json"])).unwrap();
    for bin in told["bins"].as_array().unwrap() {
        let of = |policy: &Json| {
            let number = |field: &str| policy[field].as_f64().unwrap_or_default();
            let days = policy["every_days"].as_u64().map_or(String::new(), |days| format!(", every {days} days"));
            let (stops, overflow) = (number("stops"), number("overflow_hours"));
            format!("{} {stops} stops {overflow:.0} h{days}", policy["policy"].as_str().unwrap())
        };
        let policies: Vec<String> = bin["policies"].as_array().unwrap().iter().map(of).collect();
        let number = |field: &str| bin[field].as_f64().unwrap();
        println!(
            "  {} ({:.1} % estimated, {:.1} % unknown): {}",
            bin["bin"].as_str().unwrap(),
            number("estimated_percent"),
            number("unknown_percent"),
            policies.join("; ")
        );
    }
    told
}

fn possible(told: &Json) {
    for policy in told["policies"].as_array().unwrap() {
        let number = |field: &str| policy[field].as_f64().unwrap();
        assert!(number("stops") > 0.0, "{policy:#}");
        assert!(number("overflow_hours") <= number("bin_weeks") * 168.0, "{policy:#}");
        assert!((0.0..=1.0).contains(&number("level_at_stop_mean")), "{policy:#}");
    }
}

#[test]
fn prague_policies_beside_each_other() {
    let folder = data().join("prague-bins");
    for crew in ["service", "call"] {
        let told = backtest("prague", &THREE, &["--data", folder.to_str().unwrap(), "--crew", crew]);
        assert_eq!(told["bins"].as_array().unwrap().len(), 20);
        possible(&told);
        // Of a bin that is never full, little is estimated.
        assert!(told["bins"][0]["estimated_percent"].as_f64().unwrap() < 5.0, "{}", told["bins"][0]);
    }
}

#[test]
fn wyndham_policies_beside_each_other() {
    let file = Path::new("wyndham-bins").join("wyndham_waste_data_cleaned.csv");
    let file = data().join(file);
    for crew in ["service", "call"] {
        let told = backtest("wyndham", &THREE, &["--data", file.to_str().unwrap(), "--full", "10", "--crew", crew]);
        assert_eq!(told["bins"].as_array().unwrap().len(), 31);
        let values: u64 = told["bins"].as_array().unwrap().iter().map(|bin| bin["values"].as_u64().unwrap()).sum();
        assert_eq!(values + told["left_out"]["rows"].as_u64().unwrap(), 29_357);
        possible(&told);
    }
}

/// The emptyings that the levels show, against labels made by hand before (tests/fixtures/prague-emptied): by the day.
#[test]
fn emptyings_are_those_that_were_labelled() {
    let labels = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/prague-emptied/labels.csv");
    let mut by_bin: BTreeMap<String, Vec<(i64, String)>> = BTreeMap::new();
    for line in fs::read_to_string(labels).unwrap().lines().skip(1) {
        let parts: Vec<&str> = line.split(',').collect();
        by_bin.entry(parts[0].to_owned()).or_default().push((day(parts[1]), parts[2].to_owned()));
    }
    let (mut emptied, mut right, mut wrong) = (0, 0, 0);
    for (bin, labels) in by_bin {
        let file = data().join("prague-bins").join(format!("{bin}.csv"));
        let told = backtest(&bin, &["level:80"], &["--data", file.to_str().unwrap()]);
        let (first, last) = (labels[0].0 - 1, labels[labels.len() - 1].0 + 1);
        let days = told["policies"][0]["by_day"].as_array().unwrap().iter();
        let stops = days.flat_map(|at| vec![day(at[0].as_str().unwrap()); at[2].as_u64().unwrap() as usize]);
        let mut stops: Vec<i64> = stops.filter(|at| (first..=last).contains(at)).collect();
        for (at, _) in labels.iter().filter(|(_, verdict)| verdict == "emptied") {
            emptied += 1;
            if let Some(found) = stops.iter().position(|stop| (stop - at).abs() <= 1) {
                stops.remove(found);
                right += 1;
            }
        }
        stops.retain(|stop| !labels.iter().any(|(at, verdict)| verdict == "unclear" && (stop - at).abs() <= 1));
        wrong += stops.len();
    }
    println!("emptyings: {right} of {emptied} labels found, {wrong} others");
    assert!(right >= 165 && wrong <= 2);
}

/// Days since 1970 of a date, or of a moment that begins with one.
fn day(text: &str) -> i64 {
    let at: jiff::civil::Date = text[..10].parse().unwrap();
    (at - jiff::civil::date(1970, 1, 1)).get_days().into()
}
