//! The running gateway, end to end and durable before acknowledgement, beside a bare loop on the same transport in the
//! same run: `cargo bench --bench gateway`. `RETTIDIG_BENCH_ONLY=endpoint` runs one section, `RETTIDIG_BENCHMARKS=FILE`
//! keeps what was found (`support/report.rs`).
//!
//! Start with `endpoint`: what it sends is made in `load`, and what it stands beside is `floor`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::allow_attributes, reason = "a failing benchmark may panic")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a benchmark picks what it looks for")]

mod city;
mod endpoint;
mod floor;
#[path = "../../tests/support/gateway.rs"]
mod gateway;
mod load;
#[path = "../../tests/support/mqtt.rs"]
mod mqtt;
#[path = "../support/report.rs"]
mod report;
mod restart;
mod side;
mod snapshot;

fn main() {
    let sections: [(&str, fn()); 3] =
        [("endpoint", endpoint::run), ("restart", restart::run), ("snapshot", snapshot::run)];
    for (key, run) in sections {
        if report::wanted(key) {
            run();
        }
    }
}
