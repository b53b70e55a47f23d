//! The metrics page: what rooms counted as they went, and what is read at the moment of asking.

use super::desk::Desk;
use super::handle::Handle;
use super::ledger::{Counts, Ledger};
use super::machine;
use super::ways_in::WaysOut;
use crate::board::{Board, View};
use crate::config::Limits;
use crate::domain::ids::Seq;
use crate::domain::time::Timestamp;
use crate::store::Progress;
use crate::telemetry::queues::Queue;
use crate::telemetry::{self, CATALOGUE, Kind, gateway as meter};
use crate::{endpoint, intake};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const UPKEEP_EVERY: Duration = Duration::from_secs(5);

pub(super) struct Page {
    /// One reading at a time: two that overlap would mix their numbers, and neither would balance.
    pub reading: Mutex<()>,
    pub render: PrometheusHandle,
    pub ledger: Arc<Ledger>,
    pub handle: Handle,
    pub board: Arc<Board>,
    pub progress: Arc<Progress>,
    pub desk: Desk,
    pub out: WaysOut,
    pub limits: Limits,
    pub data: PathBuf,
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Page {
    /// The page in Prometheus text form.
    pub fn text(&self) -> String {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        meter::ledger(&stages(&self.ledger.counts()));
        self.queues();
        let view = self.board.view();
        telemetry::journal::released(view.seq);
        telemetry::store::behind(self.progress.behind());
        telemetry::services::oldest_unacknowledged(oldest_unacknowledged(&view, (self.now)()));
        telemetry::machine::disk(&machine::disk(&self.data));
        telemetry::machine::process(&machine::process());
        self.render.run_upkeep();
        self.render.render()
    }

    /// Live streams and deliveries are told by their rooms whenever they change.
    fn queues(&self) {
        let limits = &self.limits;
        fill(Queue::Inbox, self.handle.waiting(), limits.inbox_events_max as usize);
        let (waiting, capacity) = self.desk.queue();
        fill(Queue::DispatchInbox, waiting, capacity);
        Queue::Deliveries.capacity(limits.deliveries_pending_max as usize);
        Queue::LiveStreams.capacity(limits.live_streams_max as usize);
        if let Some(endpoint) = self.out.endpoint().map(endpoint::Handle::load) {
            fill(Queue::EndpointConnections, endpoint.connections.length, endpoint.connections.capacity);
            fill(Queue::EndpointSessions, endpoint.sessions.length, endpoint.sessions.capacity);
            fill(Queue::EndpointOutgoing, endpoint.outgoing_fullest.length, endpoint.outgoing_fullest.capacity);
        }
        let fullest = self.out.brokers().map(intake::Handle::queue).max_by_key(|(waiting, _)| *waiting);
        if let Some((waiting, capacity)) = fullest {
            fill(Queue::BrokerOutgoing, waiting, capacity);
        }
    }
}

/// Makes this process count. Once per process: the recorder is global.
///
/// # Errors
/// When another recorder is installed.
pub fn install() -> anyhow::Result<PrometheusHandle> {
    let mut recorder = PrometheusBuilder::new();
    for metric in CATALOGUE {
        if let Kind::Histogram(buckets) = metric.kind {
            recorder = recorder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets)?;
        }
    }
    let recorder = recorder.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|error| anyhow::anyhow!("count metrics: {error}"))?;
    telemetry::begin();
    // The console tells it when it changes, which may never be.
    Queue::LiveStreams.length(0);
    Ok(handle)
}

/// Puts what was measured into its buckets now and then. The page does so too, but nobody may ever ask for it, and
/// until then every measurement is kept.
pub(super) async fn upkeep(render: PrometheusHandle, shutdown: CancellationToken) {
    while shutdown.run_until_cancelled(tokio::time::sleep(UPKEEP_EVERY)).await.is_some() {
        render.run_upkeep();
    }
}

/// What does not change, or seldom: the newest snapshot, and when it was taken.
pub(super) fn started(simulated: bool, snapshot: (Seq, Timestamp)) {
    meter::build(env!("CARGO_PKG_VERSION"), simulated);
    telemetry::journal::snapshot_is(snapshot.0, snapshot.1);
}

fn fill(queue: Queue, length: usize, capacity: usize) {
    queue.length(length);
    queue.capacity(capacity);
}

/// Seconds, by priority. The board holds open alarms and a bounded number of closed ones.
fn oldest_unacknowledged(view: &View, now: Timestamp) -> [f64; 4] {
    let mut oldest = [0.0_f64; 4];
    for row in view.alarms.values() {
        let alarm = &row.alarm;
        if !alarm.acknowledged && !alarm.cause.exercise && row.closed_at.is_none() {
            let waited = now.since(alarm.raised_at).as_micros().max(0) as f64 / 1e6;
            let slot = &mut oldest[alarm.priority as usize];
            *slot = slot.max(waited);
        }
    }
    oldest
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
