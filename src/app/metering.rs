//! The metrics page: what rooms counted as they went, and what is read at the moment of asking.

use super::handle::Handle;
use super::ledger::{Counts, Ledger};
use crate::telemetry::{self, gateway as meter};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::sync::{Arc, Mutex, PoisonError};

/// Seconds; from well under a commit to well beyond anything acceptable.
const DURATIONS: [f64; 19] = [
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
    0.5, 1.0, 2.5, 5.0, 10.0,
];

/// How many at once.
const NUMBERS: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1_024.0, 4_096.0];
/// Bytes of a snapshot.
const BYTES: [f64; 7] = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

pub(super) struct Page {
    /// One reading at a time: two that overlap would mix their numbers, and neither would balance.
    pub reading: Mutex<()>,
    pub render: PrometheusHandle,
    pub ledger: Arc<Ledger>,
    pub handle: Handle,
    pub inbox_max: u32,
}

impl Page {
    /// The page in Prometheus text form.
    pub fn text(&self) -> String {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        meter::ledger(&stages(&self.ledger.counts()));
        meter::inbox(self.handle.waiting(), self.inbox_max);
        self.render.run_upkeep();
        self.render.render()
    }
}

/// Makes this process count. Once per process: the recorder is global.
///
/// # Errors
/// When another recorder is installed.
pub fn install() -> anyhow::Result<PrometheusHandle> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &DURATIONS)?
        .set_buckets_for_metric(Matcher::Suffix("_events".to_owned()), &NUMBERS)?
        .set_buckets_for_metric(Matcher::Suffix("_records".to_owned()), &NUMBERS)?
        .set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), &BYTES)?
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|error| anyhow::anyhow!("count metrics: {error}"))?;
    telemetry::describe();
    Ok(handle)
}

fn stages(counts: &Counts) -> meter::Stages {
    meter::Stages {
        received: counts.received,
        in_flight: counts.in_flight,
        decided: counts.decided,
        redacted: counts.redacted,
        duplicates: counts.duplicates,
        refused: counts.refused,
        quarantined: counts.quarantined.iter().map(|(reason, count)| (*reason, *count)).collect(),
        balanced: counts.balanced(),
    }
}
