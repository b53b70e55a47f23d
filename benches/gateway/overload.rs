//! Ten times as much as the gateway takes, for minutes: it holds the senders back, its memory stays bounded, and what it
//! has acknowledged is in the journal after `kill -9`.

use crate::endpoint::{CONNECTIONS, Endpoint, order, site};
use crate::load::Order;
use crate::report::{Pressure, Section, bytes_in, resident_mib};
use crate::watch::Watch;
use std::time::Duration;

const TIMES: u64 = 10;
const MINUTES: &str = "RETTIDIG_BENCH_OVERLOAD_MINUTES";

pub fn run() {
    let minutes: f64 = std::env::var(MINUTES).map_or(5.0, |minutes| minutes.parse().expect("a number of minutes"));
    let what = format!(
        "{TIMES} times as much as was taken flat out just before, over 50 connections for {minutes} minutes, then \
         `kill -9`. There is no floor: what counts is that memory stays bounded and nothing acknowledged is lost."
    );
    let mut section = Section::begin("overload", &what);
    let pressure = Pressure::settled();
    let mut endpoint = Endpoint::start(site());
    let taken = endpoint.load(order(CONNECTIONS, 200_000, None)).per_second();
    let rate = taken as u64 * TIMES;
    let before = resident_mib(endpoint.child.id());
    let watch = Watch::start(&endpoint.child);
    let lasting = Some(Duration::from_secs_f64(minutes * 60.0));
    let outcome = endpoint.load(Order { lasting, ..order(CONNECTIONS, u64::from(u32::MAX), Some(rate)) });
    let seen = watch.end();
    let sent = endpoint.sent;
    let site = endpoint.kill();
    let gib = bytes_in(&site.data()) as f64 / f64::from(1 << 30);
    section.table(&[
        "offered /s",
        "acknowledged /s",
        "RAM MiB before",
        "most",
        "history behind",
        "data GiB",
        "CPU pressure",
    ]);
    section.row(&[
        rate.to_string(),
        format!("{:.0}", outcome.per_second()),
        before.to_string(),
        seen.resident_mib.to_string(),
        seen.behind.to_string(),
        format!("{gib:.1}"),
        pressure.to_string(),
    ]);
    section.line(format!("\n{}", crate::endpoint::counted(&site, sent)));
    section.write();
}
