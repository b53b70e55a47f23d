//! What an operator watches the gateway by: the metrics page of a real one under load, the alert rules, the dashboard
//! and the table of metrics. Prometheus' own tool is the judge of names, rules and expressions.
#![allow(clippy::allow_attributes, reason = "the shared support files allow what one binary does not use")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing test may panic")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test picks what it looks for")]

#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/load.rs"]
mod load;
#[path = "support/mqtt.rs"]
mod mqtt;
#[path = "support/phone.rs"]
mod phone;

use gateway::{Child, Metrics, Site, asset, bin, crew, device};
use load::{Sender, Style, Target};
use mqtt::Connection;
use phone::work_one_task;
use rettidig::domain::time::Timestamp;
use rettidig::telemetry::{CATALOGUE, Kind, Metric, Values, markdown};
use rettidig::vault::ClientRole;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const BINS: [&str; 3] = ["bin-1", "bin-2", "bin-3"];
const WASTE_P1: &str = "service=\"waste\",priority=\"1\"";

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path)
}

/// Runs `promtool` and gives back what it says; a fault it finds, and its absence, fail the test.
#[track_caller]
fn promtool(arguments: &[&str], input: &str) -> String {
    let started = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut tool = started.expect("promtool is missing: `tests/tools.sh test` installs Debian's package prometheus");
    tool.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let done = tool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "promtool {arguments:?} finds:\n{said}");
    said
}

/// The page without the head of the answer.
fn page(http: SocketAddr) -> String {
    gateway::metrics(http).0.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// One line of the page.
struct Series<'a> {
    name: &'a str,
    labels: Vec<(&'a str, &'a str)>,
    value: f64,
}

fn series(page: &str) -> Vec<Series<'_>> {
    page.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (what, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = what.split_once('{').unwrap_or((what, "}"));
            let labels = labels.trim_end_matches('}').split("\",").filter(|label| !label.is_empty());
            let labels = labels.map(|label| label.trim_end_matches('"').split_once("=\"").unwrap()).collect();
            Series { name, labels, value: value.parse().unwrap() }
        })
        .collect()
}

/// The metric of the catalogue that a series, or a name in an expression, belongs to.
fn metric_of(name: &str) -> Option<&'static Metric> {
    let exact = CATALOGUE.iter().find(|metric| metric.name == name);
    let histogram = |suffix| {
        let base = name.strip_suffix(suffix)?;
        CATALOGUE.iter().find(|metric| metric.name == base && matches!(metric.kind, Kind::Histogram(_)))
    };
    exact
        .filter(|metric| !matches!(metric.kind, Kind::Histogram(_)))
        .or_else(|| ["_bucket", "_sum", "_count"].into_iter().find_map(histogram))
}

#[test]
fn the_page_of_a_gateway_under_load_is_clean_bounded_and_true() {
    let mut site = Site::with_endpoint();
    let mut registry: Vec<_> = BINS.into_iter().flat_map(|name| [bin(name), device(name, "bin-level", name)]).collect();
    registry.extend([asset("bed-1", "bed"), device("button-1", "help-button", "bed-1"), crew("crew-1", "waste")]);
    let mut logins: Vec<_> = BINS.iter().map(|name| (*name, ClientRole::Device((*name).into()))).collect();
    logins.push(("crew-1", ClientRole::Crew("crew-1".into())));
    site.furnish(Timestamp::MIN, registry, &logins);
    let child = Child::start(&site, &[]);
    let (address, http) = (child.mqtt.unwrap(), child.http);
    let before = page(http);
    for metric in CATALOGUE.iter().filter(|metric| metric.kind == Kind::Counter && closed(metric)) {
        assert!(before.contains(&format!("\n{}", metric.name)), "{} does not begin at zero", metric.name);
    }

    let mut phone = Connection::open(address, &site.login("crew-1")).unwrap();
    phone.subscribe("rettidig/v1/crew/crew-1/tasks").unwrap();
    let target = Target::default();
    target.set(Some(address));
    let styles = [Style::Bare, Style::Named, Style::Garbage];
    let senders: Vec<_> = BINS
        .into_iter()
        .zip(styles)
        .map(|(name, style)| Sender::start(name, site.login(name), style, 200, &target))
        .collect();
    let during = std::thread::scope(|scope| {
        let scraped = scope.spawn(move || (0..5).map(|_| page(http)).collect::<Vec<_>>());
        work_one_task(&mut phone);
        target.drain();
        for sender in senders {
            sender.join();
        }
        scraped.join().unwrap()
    });
    let after = page(http);
    for page in during.iter().chain([&before, &after]) {
        promtool(&["check", "metrics"], page);
        assert_bounded(page);
        Metrics(page.clone()).assert_balanced();
    }
    assert_true(&Metrics(after));
    child.stop();
}

fn closed(metric: &Metric) -> bool {
    metric.labels.iter().all(|label| matches!(label.values, Values::Closed(_)))
}

/// Every series is in the catalogue with its labels, has HELP, and no queue holds more than it may.
fn assert_bounded(page: &str) {
    let helped: BTreeSet<_> = page.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next()).collect();
    let (mut lengths, mut capacities) = (BTreeMap::new(), BTreeMap::new());
    for Series { name, labels, value } in series(page) {
        let metric = metric_of(name).unwrap_or_else(|| panic!("{name} is not in the catalogue"));
        assert!(helped.contains(metric.name), "{name} has no HELP");
        for (label, said) in labels.iter().filter(|(label, _)| *label != "le") {
            let known = metric.labels.iter().find(|known| known.name == *label);
            match known.unwrap_or_else(|| panic!("{name} has a label {label} that the catalogue lacks")).values {
                Values::Closed(words) => assert!(words.contains(said), "{name}: {label} is {said}"),
                Values::Limited(_) => assert!(!BINS.contains(said) && !said.is_empty(), "{name}: {label} is {said}"),
            }
        }
        match name {
            "rettidig_queue_length" => drop(lengths.insert(labels[0].1.to_owned(), value)),
            "rettidig_queue_capacity" => drop(capacities.insert(labels[0].1.to_owned(), value)),
            _ => {}
        }
    }
    assert_eq!(lengths.keys().collect::<Vec<_>>(), capacities.keys().collect::<Vec<_>>());
    assert_eq!(lengths.len(), 7, "all but that of the broker, which there is not: {lengths:?}");
    for (queue, length) in &lengths {
        let capacity = capacities.get(queue).unwrap_or_else(|| panic!("{queue} has no capacity"));
        assert!(length <= capacity, "{queue}: {length} of {capacity}");
    }
}

/// The page says what has happened.
fn assert_true(page: &Metrics) {
    let at_least = |series: &str, least: u64| {
        let found = page.get(series);
        assert!(found >= least, "{series}: {found}, not {least}\n{}", page.0);
    };
    at_least("rettidig_messages_received_total", 12);
    at_least("rettidig_messages_settled_total{outcome=\"quarantined\"}", 1);
    at_least("rettidig_quarantined_total{reason=\"unparsable\"}", 1);
    at_least("rettidig_service_events_total{service=\"waste\"}", 5);
    assert_eq!(page.get("rettidig_service_events_total{service=\"beds\"}"), 0);
    assert_eq!(page.get("rettidig_service_devices{service=\"waste\"}"), 3);
    assert_eq!(page.get("rettidig_service_devices{service=\"beds\"}"), 1);
    at_least(&format!("rettidig_alarms_raised_total{{{WASTE_P1}}}"), 1);
    at_least(&format!("rettidig_alarms_open{{{WASTE_P1}}}"), 1);
    at_least(&format!("rettidig_tasks_requested_total{{{WASTE_P1}}}"), 1);
    assert_eq!(page.get(&format!("rettidig_tasks_completed_total{{{WASTE_P1}}}")), 1);
    assert_eq!(page.get(&format!("rettidig_task_completion_seconds_count{{{WASTE_P1}}}")), 1);
    assert_eq!(page.get(&format!("rettidig_alarm_response_seconds_count{{{WASTE_P1}}}")), 1);
    let raised = page.get(&format!("rettidig_alarms_raised_total{{{WASTE_P1}}}"));
    assert_eq!(page.get(&format!("rettidig_alarms_unacknowledged{{{WASTE_P1}}}")), raised - 1);
    at_least("rettidig_data_bytes{part=\"journal\"}", 1_000);
    at_least("rettidig_data_bytes{part=\"store\"}", 1_000);
    at_least("rettidig_data_free_bytes", 1);
    at_least("process_resident_memory_bytes", 1 << 20);
    at_least("rettidig_queue_capacity{queue=\"endpoint_outgoing\"}", 1);
    at_least("rettidig_queue_length{queue=\"endpoint_connections\"}", 1);
    assert_eq!(page.get("rettidig_ledger_balanced"), 1);
}

#[test]
fn the_judge_finds_a_bad_name() {
    let bad = "# HELP x_ms Milliseconds.\n# TYPE x_ms counter\nx_ms 1\n";
    assert!(std::panic::catch_unwind(|| promtool(&["check", "metrics"], bad)).is_err());
}

#[test]
fn the_alert_rules_hold_what_their_tests_say() {
    let rules = deploy("prometheus/rules/rettidig.yml");
    promtool(&["check", "config", deploy("prometheus/prometheus.yml").to_str().unwrap()], "");
    promtool(&["check", "rules", rules.to_str().unwrap()], "");
    let tests: Vec<_> =
        fs::read_dir(deploy("prometheus/rules/tests")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let paths = tests.iter().map(|path| path.to_str().unwrap());
    promtool(&["test", "rules"].into_iter().chain(paths).collect::<Vec<_>>(), "");

    let tested: String = tests.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let text = fs::read_to_string(rules).unwrap();
    let alerts: Vec<_> = text.split("- alert: ").skip(1).collect();
    assert!(alerts.len() >= 15, "only {} alerts", alerts.len());
    for alert in alerts {
        let name = alert.lines().next().unwrap();
        for part in ["severity: ", "summary: ", "description: "] {
            assert!(alert.contains(part), "{name} has no {part}");
        }
        assert!(alert.contains("severity: critical") || alert.contains("severity: warning"), "{name}");
        // What follows the question for this alert: one that fires, and one that is quiet.
        let answers: Vec<_> = tested.split(&format!("ALERTS{{alertname=\"{name}\",")).skip(1).collect();
        let fires = answers.iter().any(|answer| answer.lines().nth(2).unwrap().trim() == "exp_samples:");
        assert!(fires, "no test lets {name} fire");
        if name != "RettidigDown" {
            let quiet = answers.iter().any(|answer| answer.lines().nth(2).unwrap().trim() == "exp_samples: []");
            assert!(quiet, "no test keeps {name} quiet");
        }
    }
    assert_known("the alert rules", &text);
}

#[test]
fn the_dashboard_asks_for_what_there_is() {
    let text = fs::read_to_string(deploy("grafana/rettidig.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 39);
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert!(variables.iter().any(|variable| variable["type"] == "datasource" && variable["name"] == "datasource"));
    let panels = dashboard["panels"].as_array().unwrap();
    let rows: Vec<_> = panels.iter().filter(|panel| panel["type"] == "row").map(|row| row["title"].as_str()).collect();
    assert!(rows.len() >= 7, "{rows:?}");
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "two panels have one id");

    let mut expressions = Vec::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
            expressions.push(target["expr"].as_str().unwrap());
        }
    }
    assert_known("the dashboard", &expressions.join("\n"));
    // Prometheus reads the expressions as recording rules, with values in the place of Grafana's variables.
    let mut rules = "groups:\n- name: dashboard\n  rules:\n".to_owned();
    for (n, expression) in expressions.iter().enumerate() {
        let plain = expression.replace("$__rate_interval", "5m").replace("$job", ".*").replace("$instance", ".*");
        assert!(!plain.contains('$'), "{plain}");
        writeln!(rules, "  - record: dashboard:panel_{n}\n    expr: {}", Value::from(plain)).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dashboard.yml");
    fs::write(&path, rules).unwrap();
    promtool(&["check", "rules", path.to_str().unwrap()], "");
}

/// Every metric that is named is one we have, and a few are named at all.
fn assert_known(what: &str, text: &str) {
    let words: BTreeSet<_> = text
        .split(|found: char| !(found.is_ascii_alphanumeric() || found == '_'))
        .filter(|word| word.starts_with("rettidig_") || word.starts_with("process_"))
        .collect();
    assert!(words.len() > 10, "{what} names only {words:?}");
    let unknown: Vec<_> = words.iter().filter(|word| metric_of(word).is_none()).collect();
    assert!(unknown.is_empty(), "{what} asks for metrics that are not there: {unknown:?}");
}

/// `make metrics` writes it.
#[test]
fn the_table_of_metrics_is_that_of_the_catalogue() {
    let path = deploy("METRICS.md");
    if std::env::var_os("RETTIDIG_BLESS").is_some() {
        fs::write(&path, markdown()).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == markdown(),
        "deploy/METRICS.md is not that of the catalogue: run `make metrics` and look at the change"
    );
}
