//! `rettidig backtest` on recorded data: the shipped rules beside a call at 80 % and a tuned fixed plan.

use super::data;
use serde_json::Value as Json;
use std::path::Path;
use std::process::Command;

/// With the shipped configuration; prints the table, gives the JSON.
fn backtest(name: &str, arguments: &[&str]) -> Json {
    let policies = ["--policy", "rules:live", "--policy", "level:80", "--policy", "fixed:auto"];
    let run = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rettidig"));
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["--config", "config", "backtest"]);
        let output = command.args(policies).args(arguments).args(more).output().unwrap();
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
        let told = backtest("prague", &["--data", folder.to_str().unwrap(), "--crew", crew]);
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
        let told = backtest("wyndham", &["--data", file.to_str().unwrap(), "--full", "10", "--crew", crew]);
        assert_eq!(told["bins"].as_array().unwrap().len(), 31);
        let values: u64 = told["bins"].as_array().unwrap().iter().map(|bin| bin["values"].as_u64().unwrap()).sum();
        assert_eq!(values + told["left_out"]["rows"].as_u64().unwrap(), 29_357);
        possible(&told);
    }
}
