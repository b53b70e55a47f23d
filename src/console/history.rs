//! The past, page by page, from the store. A question blocks a thread of the blocking pool, so few run at once.
//!
//! The store follows the journal a moment later. Whoever has just changed something gives the change's seq as
//! `min_seq`, and the answer holds it: the question waits for the store, but not for long.

use super::Shared;
use super::access::Reader;
use super::problem::Problem;
use super::requests::Asked;
use super::wire::{QuarantineWire, base64, time};
use crate::domain::ids::{AssetId, PropertyName, Seq};
use crate::domain::time::Timestamp;
use crate::store::{
    AlarmLife, Bucket, ObservationAsked, Page, PageAsked, QuarantineKept, Rollup, RollupAsked, Store, StoreError,
    StoredHead, StoredObservation, StoredValue, TaskLife,
};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

const ROWS_DEFAULT: usize = 100;

#[derive(Deserialize)]
pub(super) struct HistoryAsked {
    after: Option<String>,
    rows: Option<usize>,
    asset: Option<String>,
    /// The answer is to hold what happened up to this event.
    min_seq: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct SeriesAsked {
    asset: String,
    property: String,
    /// RFC 3339, included.
    from: String,
    /// RFC 3339, not included.
    until: String,
    after: Option<String>,
    rows: Option<usize>,
    min_seq: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct RollupsAsked {
    asset: String,
    property: String,
    /// RFC 3339: roll-ups that start then or later, and before `until`.
    from: String,
    until: String,
    bucket: BucketAsked,
    after: Option<String>,
    rows: Option<usize>,
    min_seq: Option<u64>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum BucketAsked {
    Hour,
    Day,
}

#[derive(Serialize)]
pub(super) struct PageWire<T> {
    rows: Vec<T>,
    /// Ask again with `after` set to this; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

type Told<T> = Result<Json<PageWire<T>>, Problem>;

/// `GET /api/v1/history/alarms`
pub(super) async fn alarms(State(console): State<Shared>, _: Reader, Asked(asked): Asked<HistoryAsked>) -> Told<Value> {
    let page = page_asked(asked.after, asked.rows, asked.asset)?;
    ask(&console, asked.min_seq, move |store| store.alarms(&page), alarm).await
}

/// `GET /api/v1/history/tasks`
pub(super) async fn tasks(State(console): State<Shared>, _: Reader, Asked(asked): Asked<HistoryAsked>) -> Told<Value> {
    let page = page_asked(asked.after, asked.rows, asked.asset)?;
    ask(&console, asked.min_seq, move |store| store.tasks(&page), task).await
}

/// `GET /api/v1/quarantine`
pub(super) async fn quarantine(
    State(console): State<Shared>,
    _: Reader,
    Asked(asked): Asked<HistoryAsked>,
) -> Told<QuarantineWire> {
    let page = page_asked(asked.after, asked.rows, None)?;
    ask(&console, asked.min_seq, move |store| store.quarantine(&page), quarantined).await
}

/// `GET /api/v1/observations/rollups`: the numbers of an asset's property, by hours or days of UTC. Values about a person
/// are in none of them.
pub(super) async fn rollups(
    State(console): State<Shared>,
    _: Reader,
    Asked(asked): Asked<RollupsAsked>,
) -> Told<Value> {
    let page = page_asked(asked.after, asked.rows, None)?;
    let rollups = RollupAsked {
        asset: AssetId::new(asked.asset),
        property: PropertyName::new(asked.property),
        from: moment("from", &asked.from)?,
        until: moment("until", &asked.until)?,
        bucket: match asked.bucket {
            BucketAsked::Hour => Bucket::Hour,
            BucketAsked::Day => Bucket::Day,
        },
    };
    ask(&console, asked.min_seq, move |store| store.rollups(&rollups, &page), |kept| rollup(&kept)).await
}

/// `GET /api/v1/observations`: values about a person are named as sealed and stay so.
pub(super) async fn observations(
    State(console): State<Shared>,
    _: Reader,
    Asked(asked): Asked<SeriesAsked>,
) -> Told<Value> {
    let page = page_asked(asked.after, asked.rows, None)?;
    let series = ObservationAsked {
        asset: AssetId::new(asked.asset),
        property: PropertyName::new(asked.property),
        from: moment("from", &asked.from)?,
        until: moment("until", &asked.until)?,
    };
    ask(&console, asked.min_seq, move |store| store.observations(&series, &page), observation).await
}

fn moment(name: &str, text: &str) -> Result<Timestamp, Problem> {
    let moment = text.parse::<jiff::Timestamp>();
    let moment =
        moment.map_err(|_| Problem::bad_request(format!("{name} is no RFC 3339 time such as 2026-01-31T12:00:00Z")))?;
    Ok(Timestamp::from_micros(moment.as_microsecond()))
}

fn page_asked(after: Option<String>, rows: Option<usize>, asset: Option<String>) -> Result<PageAsked, Problem> {
    let after = after.map(|cursor| cursor.parse()).transpose()?;
    Ok(PageAsked { after, rows_max: rows.unwrap_or(ROWS_DEFAULT), asset: asset.map(AssetId::new) })
}

async fn ask<T: Send + 'static, W>(
    console: &Shared,
    min_seq: Option<u64>,
    question: impl FnOnce(&dyn Store) -> Result<Page<T>, StoreError> + Send + 'static,
    wire: impl Fn(T) -> W,
) -> Told<W> {
    reached(console, min_seq).await?;
    let slot = Arc::clone(&console.asking).try_acquire_owned();
    let slot = slot.map_err(|_| Problem::busy("many questions to history are in progress"))?;
    let store = Arc::clone(&console.ports.store);
    let asked = tokio::task::spawn_blocking(move || {
        // A question that nobody waits for any more keeps its thread, and so its slot, until the store has answered.
        let _slot = slot;
        question(&*store)
    });
    let page = tokio::time::timeout(console.options.history_answer, asked).await;
    let page = page.map_err(|_| Problem::store_behind("the store does not answer"))?;
    let page = page.map_err(|_| Problem::busy("the question to history broke off"))??;
    let next = page.next.map(|cursor| cursor.to_string());
    Ok(Json(PageWire { rows: page.rows.into_iter().map(wire).collect(), next }))
}

/// Waits a moment for the store to be as far as the question asks.
async fn reached(console: &Shared, min_seq: Option<u64>) -> Result<(), Problem> {
    let progress = &console.ports.progress;
    let Some(seq) = min_seq.map(Seq).filter(|seq| progress.projected() < *seq) else { return Ok(()) };
    let last = progress.durable();
    if seq > last {
        return Err(Problem::bad_request(format!("min_seq is {seq}, and the last event so far is {last}")));
    }
    let _place = console.waiting.try_acquire().map_err(|_| Problem::busy("many questions wait for history"))?;
    let waited = tokio::time::timeout(console.options.history_wait, progress.reaches(seq)).await;
    waited.map_err(|_| {
        let (at, behind) = (progress.projected(), progress.behind());
        Problem::store_behind(format!("the store is at event {at} and was asked for {seq}; store behind: {behind}"))
    })
}

fn alarm(life: AlarmLife) -> Value {
    json!({
        "id": life.alarm.0,
        "rule": life.rule.as_str(),
        "asset": life.asset.as_str(),
        "priority": life.priority,
        "device": life.device.map(|device| device.to_string()),
        "observed_at": time(life.observed_at),
        "caused_by": life.caused_by.0,
        "exercise": life.exercise,
        "raised_at": time(life.raised_at),
        "normal_at": life.normal_at.map(time),
        "acknowledged_at": life.acknowledged_at.map(time),
        "acknowledged_by": life.acknowledged_by,
        "closed_at": life.closed_at.map(time),
    })
}

fn task(life: TaskLife) -> Value {
    json!({
        "id": life.task.0,
        "alarm": life.alarm.0,
        "asset": life.asset.map(|asset| asset.to_string()),
        "priority": life.priority,
        "kind": life.kind,
        "skill": life.skill.as_str(),
        "exercise": life.exercise,
        "requested_at": time(life.requested_at),
        "status": life.status,
        "stage": life.stage,
        "crew": life.crew,
        "offers": life.offers,
        "rejections": life.rejections,
        "accepted_at": life.accepted_at.map(time),
        "ended_at": life.ended_at.map(time),
        "cancelled": life.cancel_reason,
    })
}

fn quarantined(kept: QuarantineKept) -> QuarantineWire {
    let (head_base64, personal) = match &kept.head {
        StoredHead::Open(head) => (base64(head), false),
        StoredHead::Sealed { .. } | StoredHead::Erased { .. } => (String::new(), true),
    };
    QuarantineWire {
        seq: kept.seq.0,
        reason: kept.reason,
        detail: kept.detail,
        topic: kept.topic,
        device: kept.device.map(|device| device.to_string()),
        received_at: time(kept.received_at),
        head_base64,
        personal,
        length: kept.length,
    }
}

fn observation(stored: StoredObservation) -> Value {
    let (value, closed) = match stored.value {
        StoredValue::Number(number) => (json!(number), None),
        StoredValue::Boolean(boolean) => (json!(boolean), None),
        StoredValue::Text(text) => (json!(text), None),
        StoredValue::Sealed { .. } => (Value::Null, Some("sealed")),
        StoredValue::Erased { .. } => (Value::Null, Some("erased")),
    };
    json!({
        "device": stored.device.as_str(),
        "property": stored.property.as_str(),
        "observed_at": time(stored.observed_at),
        "received_at": time(stored.received_at),
        "quality": stored.quality,
        "unit": stored.unit,
        "value": value,
        "closed": closed,
        "exercise": stored.exercise,
    })
}

fn rollup(rollup: &Rollup) -> Value {
    json!({
        "start_at": time(rollup.start_at),
        "count": rollup.count,
        "min": rollup.min,
        "max": rollup.max,
        "mean": rollup.mean,
    })
}
