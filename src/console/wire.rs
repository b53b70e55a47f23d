//! The JSON forms under `/api/v1`. They change only by addition; anything else is `/api/v2`.
//!
//! Times are RFC 3339 in UTC; ids of alarms, tasks and seqs are numbers; what is absent is left out.

use crate::board::{AlarmRow, Changes, Counts, Ledger, Part, QuarantineRow, TaskRow, View};
use crate::domain::decision::Seen;
use crate::domain::ids::Seq;
use crate::domain::reason::QuarantineReason;
use crate::domain::time::Timestamp;
use crate::store::Progress;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use std::collections::BTreeMap;

/// RFC 3339; a moment outside the years a calendar knows becomes the nearest it does.
pub(super) fn time(at: Timestamp) -> String {
    let nearest = if at.as_micros() < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or(nearest).to_string()
}

pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[derive(Serialize)]
pub(super) struct AlarmWire {
    id: u64,
    rule: String,
    asset: String,
    priority: u8,
    /// The condition holds.
    active: bool,
    /// A person has seen it.
    acknowledged: bool,
    raised_at: String,
    observed_at: String,
    caused_by: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    exercise: bool,
    /// How old the value was as it arrived, of an alarm about something that is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    late_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    normal_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged_at: Option<String>,
    /// `account:…` or `crew:…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_at: Option<String>,
}

#[derive(Serialize)]
pub(super) struct TaskWire {
    id: u64,
    alarm: u64,
    asset: String,
    kind: String,
    skill: String,
    priority: u8,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crew: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offer_expires_at: Option<String>,
    requested_at: String,
    changed_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    exercise: bool,
}

#[derive(Serialize)]
pub(super) struct QuarantineWire {
    pub(super) seq: u64,
    pub(super) reason: String,
    pub(super) detail: String,
    pub(super) topic: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) device: Option<String>,
    pub(super) received_at: String,
    /// Empty when it is about a person.
    pub(super) head_base64: String,
    pub(super) personal: bool,
    pub(super) length: u64,
}

#[derive(Serialize)]
pub(super) struct CountsWire {
    /// By priority, 1 first.
    alarms_open: [u64; 4],
    alarms_unacknowledged: u64,
    tasks_open: u64,
    devices_silent: usize,
    quarantined: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
pub(super) struct LedgerWire {
    received: u64,
    decided: u64,
    redacted: u64,
    quarantined: u64,
    duplicate: u64,
    refused: u64,
    in_flight: u64,
    balanced: bool,
}

/// How far history is behind the present.
#[derive(Clone, Copy, Serialize)]
pub(super) struct StoreWire {
    /// Entries of the journal that the store does not hold yet.
    behind: u64,
    /// More than what is merely on its way: people should know.
    late: bool,
}

/// Numbers that accompany every message of the stream.
#[derive(Serialize)]
pub(super) struct NumbersWire {
    counts: CountsWire,
    ledger: LedgerWire,
    store: StoreWire,
}

/// Stream event `changes`: rows in their latest form, ids that left.
#[derive(Serialize)]
pub(super) struct ChangesWire {
    seq: u64,
    at: String,
    alarms: Vec<AlarmWire>,
    alarms_gone: Vec<u64>,
    tasks: Vec<TaskWire>,
    tasks_gone: Vec<u64>,
    devices_silent: Vec<String>,
    devices_heard: Vec<String>,
    quarantine: Vec<QuarantineWire>,
    #[serde(flatten)]
    numbers: NumbersWire,
}

/// Stream event `reset`: forget what you have at part 1; live after the last part.
#[derive(Serialize)]
pub(super) struct ResetWire {
    journal: String,
    seq: u64,
    at: String,
    part: usize,
    parts: usize,
    alarms: Vec<AlarmWire>,
    tasks: Vec<TaskWire>,
    devices_silent: Vec<String>,
    /// With part 1 only.
    quarantine: Vec<QuarantineWire>,
    #[serde(flatten)]
    numbers: NumbersWire,
}

impl From<&AlarmRow> for AlarmWire {
    fn from(row: &AlarmRow) -> Self {
        let alarm = &row.alarm;
        Self {
            id: alarm.id.0,
            rule: alarm.rule.to_string(),
            asset: alarm.asset.to_string(),
            priority: alarm.priority.number(),
            active: alarm.active,
            acknowledged: alarm.acknowledged,
            raised_at: time(alarm.raised_at),
            observed_at: time(alarm.cause.observed_at),
            caused_by: alarm.cause.event.0,
            device: alarm.cause.device.as_ref().map(ToString::to_string),
            exercise: alarm.cause.exercise,
            late_seconds: alarm.cause.late.map(|age| age.as_micros() / 1_000_000),
            normal_at: row.normal_at.map(time),
            acknowledged_at: row.acknowledged_at.map(time),
            acknowledged_by: row.acknowledged_by.as_ref().map(seen),
            closed_at: row.closed_at.map(time),
        }
    }
}

impl From<&TaskRow> for TaskWire {
    fn from(row: &TaskRow) -> Self {
        let task = &row.task;
        Self {
            id: task.id.0,
            alarm: task.alarm.0,
            asset: task.asset.to_string(),
            kind: task.kind.to_string(),
            skill: task.skill.to_string(),
            priority: task.priority.number(),
            status: task.status.as_str(),
            stage: task.stage.map(crate::domain::task::TaskStage::as_str),
            crew: task.crew.as_ref().map(ToString::to_string),
            offer_expires_at: task.offer_expires_at.map(time),
            requested_at: time(task.requested_at),
            changed_at: time(row.changed_at),
            rejected: row.rejected.map(crate::domain::task::RejectReason::as_str),
            cancelled: row.cancelled.map(crate::domain::task::CancelReason::as_str),
            ended_at: row.ended_at.map(time),
            exercise: task.exercise,
        }
    }
}

impl From<&QuarantineRow> for QuarantineWire {
    fn from(row: &QuarantineRow) -> Self {
        Self {
            seq: row.seq.0,
            reason: row.reason.to_string(),
            detail: row.detail.to_string(),
            topic: row.topic.to_string(),
            device: row.device.as_ref().map(ToString::to_string),
            received_at: time(row.received_at),
            head_base64: base64(&row.head),
            personal: row.personal,
            length: row.length,
        }
    }
}

impl StoreWire {
    pub(super) fn new(progress: &Progress) -> Self {
        Self { behind: progress.behind(), late: progress.late() }
    }

    /// Whether a person would see another thing. What is merely on its way is shown by nobody.
    pub(super) const fn looks_like(self, other: Self) -> bool {
        self.late == other.late && (self.behind == other.behind || !self.late)
    }
}

impl NumbersWire {
    pub(super) fn new(view: &View, store: StoreWire) -> Self {
        Self { counts: counts(&view.counts, view.devices_silent.len()), ledger: ledger(&view.ledger), store }
    }
}

impl ChangesWire {
    pub(super) fn new(view: &View, changes: &Changes, store: StoreWire) -> Self {
        Self {
            seq: view.seq.0,
            at: time(view.at),
            alarms: rows(&changes.alarms),
            alarms_gone: changes.alarms_gone.iter().map(|id| id.0).collect(),
            tasks: rows(&changes.tasks),
            tasks_gone: changes.tasks_gone.iter().map(|id| id.0).collect(),
            devices_silent: changes.devices_silent.iter().map(ToString::to_string).collect(),
            devices_heard: changes.devices_heard.iter().map(ToString::to_string).collect(),
            quarantine: rows(&changes.quarantine),
            numbers: NumbersWire::new(view, store),
        }
    }
}

impl ResetWire {
    pub(super) fn new(view: &View, piece: &Part, part: usize, parts: usize, store: StoreWire) -> Self {
        let quarantine =
            if part == 1 { view.quarantine.iter().map(|row| (&**row).into()).collect() } else { Vec::new() };
        Self {
            journal: view.journal.to_string(),
            seq: view.seq.0,
            at: time(view.at),
            part,
            parts,
            alarms: rows(&piece.alarms),
            tasks: rows(&piece.tasks),
            devices_silent: piece.devices_silent.iter().map(ToString::to_string).collect(),
            quarantine,
            numbers: NumbersWire::new(view, store),
        }
    }

    /// The seq from which a reader who has all parts may resume.
    pub(super) fn seq(&self) -> Option<Seq> {
        (self.part == self.parts).then_some(Seq(self.seq))
    }
}

pub(super) fn rows<'a, T: 'a, W: From<&'a T>>(rows: impl IntoIterator<Item = &'a std::sync::Arc<T>>) -> Vec<W> {
    rows.into_iter().map(|row| W::from(row)).collect()
}

fn counts(counts: &Counts, devices_silent: usize) -> CountsWire {
    CountsWire {
        alarms_open: counts.alarms_open,
        alarms_unacknowledged: counts.alarms_unacknowledged,
        tasks_open: counts.tasks_open,
        devices_silent,
        quarantined: QuarantineReason::ALL.iter().map(|reason| reason.as_str()).zip(counts.quarantined).collect(),
    }
}

fn ledger(ledger: &Ledger) -> LedgerWire {
    LedgerWire {
        received: ledger.received,
        decided: ledger.decided,
        redacted: ledger.redacted,
        quarantined: ledger.quarantined,
        duplicate: ledger.duplicate,
        refused: ledger.refused,
        in_flight: ledger.in_flight,
        balanced: ledger.balanced(),
    }
}

fn seen(by: &Seen) -> String {
    match by {
        Seen::Account(account) => format!("account:{account}"),
        Seen::Crew(crew) => format!("crew:{crew}"),
    }
}
