//! The running gateway, end to end and durable before acknowledgement, beside a bare loop on the same transport in the
//! same run: `cargo bench --bench gateway`. `RETTIDIG_BENCH_ONLY=endpoint` runs one section, `RETTIDIG_BENCHMARKS=FILE`
//! keeps what was found (`support/report.rs`).
//!
//! Start with `endpoint`: what it sends is made in `load`, and what it stands beside is `floor`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::allow_attributes, reason = "a failing benchmark may panic")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a benchmark picks what it looks for")]

mod bare;
#[path = "../../tests/support/mosquitto.rs"]
mod broker;
mod city;
mod endpoint;
mod floor;
#[path = "../../tests/support/gateway.rs"]
mod gateway;
mod history;
mod load;
mod mosquitto;
#[path = "../../tests/support/mqtt.rs"]
mod mqtt;
mod node_red;
mod overload;
mod peers;
#[path = "../../tests/support/postgres.rs"]
mod postgres;
#[path = "../support/report.rs"]
mod report;
mod restart;
mod side;
mod snapshot;
mod town;
mod watch;

fn main() {
    let sections: [(&str, fn()); 7] = [
        ("endpoint", endpoint::run),
        ("mosquitto", mosquitto::run),
        ("history", history::run),
        ("restart", restart::run),
        ("snapshot", snapshot::run),
        ("overload", overload::run),
        ("peers", peers::run),
    ];
    for (key, run) in sections {
        if report::wanted(key) {
            run();
        }
    }
}
