//! One journal entry becomes rows: pure, the same for every database.
//!
//! Rows are numbered within their entry; with the journal and the seq that number is their identity, so projecting an
//! entry again writes the same rows. The value of an observation about a person leaves this file sealed.

use super::StoreError;
use super::projector::{SealValue, Sealed};
use crate::domain::alarm::Cause;
use crate::domain::decision::{Decision, Fact, Seen};
use crate::domain::event::{Event, RegistryChange};
use crate::domain::ids::{AlarmId, AssetId, CrewId, DeviceId, PersonId, PropertyName, RuleId, Seq, Skill, TaskId};
use crate::domain::observation::{Observed, Quality, Value};
use crate::domain::reason::{QuarantineReason, Verdict};
use crate::domain::task::{CancelReason, TaskStage};
use crate::domain::time::Timestamp;
use bytes::Bytes;
use serde_json::json;
use smol_str::{SmolStr, ToSmolStr};

/// One entry of the journal as the store keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Projected {
    pub seq: Seq,
    pub at: Timestamp,
    pub kind: &'static str,
    pub verdict: SmolStr,
    /// In order; the index is the row's `n`.
    pub rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    Observation(Box<ObservationRow>),
    DevicePlaced { device: DeviceId, asset: AssetId },
    DeviceRemoved { device: DeviceId },
    AlarmRaised { alarm: AlarmId, rule: RuleId, asset: AssetId, priority: u8, cause: Cause },
    Alarm(AlarmId, AlarmChange),
    TaskRequested { task: TaskId, alarm: AlarmId, kind: SmolStr, skill: Skill },
    Task(TaskId, TaskChange),
    Quarantined(Box<QuarantinedRow>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantinedRow {
    pub reason: QuarantineReason,
    pub detail: SmolStr,
    pub topic: SmolStr,
    pub device: Option<DeviceId>,
    pub received_at: Timestamp,
    pub head: Head,
    pub length: u64,
}

/// The first bytes of a quarantined message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    Open(Bytes),
    /// About a person; `sealed` is `None` when their key has been erased.
    Personal {
        person: PersonId,
        sealed: Option<Vec<u8>>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct ObservationRow {
    pub device: DeviceId,
    pub property: PropertyName,
    pub observed_at: Timestamp,
    pub received_at: Timestamp,
    pub quality: Quality,
    pub unit: SmolStr,
    /// `None` when it is about a person.
    pub value: Option<Value>,
    pub person: Option<PersonId>,
    /// `None` when it is about nobody, or the person's key has been erased.
    pub sealed: Option<Vec<u8>>,
    pub exercise: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlarmChange {
    Reactivated {
        cause: Cause,
    },
    ReturnedToNormal,
    Acknowledged {
        /// `account:…` or `crew:…`.
        by: SmolStr,
    },
    Closed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskChange {
    Waiting,
    Offered(CrewId),
    OfferExpired,
    Rejected,
    Accepted(CrewId),
    Stage(TaskStage),
    Completed,
    Cancelled(CancelReason),
}

/// Turns one entry into rows.
///
/// # Errors
/// The text of the seal's refusal, when a value about a person cannot be sealed: then nothing of the entry is kept.
pub(super) fn project(
    at: Timestamp,
    event: &Event,
    decision: &Decision,
    seal: &SealValue,
) -> Result<Projected, String> {
    let mut rows = Vec::new();
    match event {
        // A duplicate's values are already there under its first seq; a redacted event holds what may be kept.
        Event::Observed(observed) if matches!(decision.verdict, Verdict::Accepted | Verdict::Redacted) => {
            observations(observed, decision.subject.as_ref(), seal, &mut rows)?;
        }
        Event::Registered(changes) if decision.verdict == Verdict::Accepted => {
            rows.extend(changes.iter().filter_map(placed));
        }
        Event::Observed(_)
        | Event::Registered(_)
        | Event::Quarantined(_)
        | Event::Replied(_)
        | Event::Receipt(_)
        | Event::Commanded(_)
        | Event::Configured(_)
        | Event::Due(_)
        | Event::Started
        | Event::Released { .. }
        | Event::Erased { .. }
        | Event::Expanded { .. } => {}
    }
    if let Verdict::Quarantined(reason) = decision.verdict {
        rows.push(quarantined(reason, at, event, decision.subject.as_ref(), seal)?);
    }
    rows.extend(decision.facts.iter().filter_map(from_fact));
    Ok(Projected { seq: decision.seq, at, kind: event.name(), verdict: verdict(&decision.verdict), rows })
}

fn observations(
    observed: &Observed,
    subject: Option<&PersonId>,
    seal: &SealValue,
    rows: &mut Vec<Row>,
) -> Result<(), String> {
    for observation in &observed.observations {
        let sealed = match subject {
            Some(person) => closed(seal(person, &wire_value(&observation.value))?),
            None => None,
        };
        rows.push(Row::Observation(Box::new(ObservationRow {
            device: observed.device.clone(),
            property: observation.property.clone(),
            observed_at: observation.observed_at,
            received_at: observed.received_at,
            quality: observation.quality,
            unit: observation.unit.clone(),
            value: subject.is_none().then(|| observation.value.clone()),
            person: subject.cloned(),
            sealed,
            exercise: observed.exercise,
        })));
    }
    Ok(())
}

fn closed(sealed: Sealed) -> Option<Vec<u8>> {
    match sealed {
        Sealed::Bytes(bytes) => Some(bytes),
        Sealed::Erased => None,
    }
}

/// The text that is sealed: self-describing, so that whoever may open it needs no schema of that day.
fn wire_value(value: &Value) -> Vec<u8> {
    match value {
        Value::Number(number) => json!({ "number": number.get() }),
        Value::Boolean(boolean) => json!({ "boolean": boolean }),
        Value::Text(text) => json!({ "text": text.as_str() }),
    }
    .to_string()
    .into_bytes()
}

fn placed(change: &RegistryChange) -> Option<Row> {
    match change {
        RegistryChange::PutDevice(device) => {
            Some(Row::DevicePlaced { device: device.id.clone(), asset: device.asset.clone() })
        }
        RegistryChange::RemoveDevice(device) => Some(Row::DeviceRemoved { device: device.clone() }),
        RegistryChange::PutAsset(_)
        | RegistryChange::PutCrew(_)
        | RegistryChange::PutPerson(_)
        | RegistryChange::RemoveAsset(_)
        | RegistryChange::RemoveCrew(_)
        | RegistryChange::RemovePerson(_) => None,
    }
}

fn from_fact(fact: &Fact) -> Option<Row> {
    Some(match fact {
        Fact::AlarmRaised { alarm, rule, asset, priority, cause } => Row::AlarmRaised {
            alarm: *alarm,
            rule: rule.clone(),
            asset: asset.clone(),
            priority: priority.number(),
            cause: cause.clone(),
        },
        Fact::AlarmReactivated { alarm, cause } => {
            Row::Alarm(*alarm, AlarmChange::Reactivated { cause: cause.clone() })
        }
        Fact::ReturnedToNormal { alarm, .. } => Row::Alarm(*alarm, AlarmChange::ReturnedToNormal),
        Fact::Acknowledged { alarm, by } => Row::Alarm(*alarm, AlarmChange::Acknowledged { by: seen(by) }),
        Fact::AlarmClosed { alarm } => Row::Alarm(*alarm, AlarmChange::Closed),
        Fact::TaskRequested { task, alarm, kind, skill } => {
            Row::TaskRequested { task: *task, alarm: *alarm, kind: kind.clone(), skill: skill.clone() }
        }
        Fact::TaskOffered { task, crew, .. } => Row::Task(*task, TaskChange::Offered(crew.clone())),
        Fact::TaskWaiting { task, .. } => Row::Task(*task, TaskChange::Waiting),
        Fact::OfferExpired { task, .. } => Row::Task(*task, TaskChange::OfferExpired),
        Fact::TaskRejected { task, .. } => Row::Task(*task, TaskChange::Rejected),
        Fact::TaskAccepted { task, crew } => Row::Task(*task, TaskChange::Accepted(crew.clone())),
        Fact::TaskStage { task, stage } => Row::Task(*task, TaskChange::Stage(*stage)),
        Fact::TaskCompleted { task } => Row::Task(*task, TaskChange::Completed),
        Fact::TaskCancelled { task, reason } => Row::Task(*task, TaskChange::Cancelled(*reason)),
        Fact::DelayStarted { .. }
        | Fact::DelayCancelled { .. }
        | Fact::ShadowRaised { .. }
        | Fact::ShadowEnded { .. }
        | Fact::DeliveryEnded { .. }
        | Fact::DeviceSilent { .. }
        | Fact::DeviceHeard { .. }
        | Fact::DeviceClockAhead { .. }
        | Fact::MeasuredLate { .. }
        | Fact::ReleasedEarly { .. } => return None,
    })
}

fn seen(by: &Seen) -> SmolStr {
    match by {
        Seen::Account(account) => SmolStr::from(format!("account:{account}")),
        Seen::Crew(crew) => SmolStr::from(format!("crew:{crew}")),
    }
}

/// `decode` names every particular; what the engine itself turned away is known by its envelope only.
fn quarantined(
    reason: QuarantineReason,
    at: Timestamp,
    event: &Event,
    subject: Option<&PersonId>,
    seal: &SealValue,
) -> Result<Row, String> {
    let (device, received_at) = match event {
        Event::Quarantined(quarantined) => {
            let head = match subject {
                Some(person) => {
                    Head::Personal { person: person.clone(), sealed: closed(seal(person, &quarantined.head)?) }
                }
                None => Head::Open(quarantined.head.clone()),
            };
            return Ok(Row::Quarantined(Box::new(QuarantinedRow {
                reason,
                detail: quarantined.detail.clone(),
                topic: quarantined.topic.clone(),
                device: quarantined.device.clone(),
                received_at: quarantined.received_at,
                head,
                length: quarantined.length,
            })));
        }
        Event::Observed(observed) => (Some(observed.device.clone()), observed.received_at),
        Event::Replied(reply) => (None, reply.received_at),
        Event::Receipt(_)
        | Event::Commanded(_)
        | Event::Registered(_)
        | Event::Configured(_)
        | Event::Due(_)
        | Event::Started
        | Event::Released { .. }
        | Event::Erased { .. }
        | Event::Expanded { .. } => (None, at),
    };
    let (detail, topic) = (SmolStr::default(), SmolStr::default());
    let head = Head::Open(Bytes::new());
    let row = QuarantinedRow { reason, detail, topic, device, received_at, head, length: 0 };
    Ok(Row::Quarantined(Box::new(row)))
}

fn verdict(verdict: &Verdict) -> SmolStr {
    match verdict {
        Verdict::Accepted => SmolStr::new_static("accepted"),
        Verdict::Duplicate { of } => SmolStr::from(format!("duplicate:{of}")),
        Verdict::Redacted => SmolStr::new_static("redacted"),
        Verdict::Quarantined(reason) => SmolStr::from(format!("quarantined:{reason}")),
        Verdict::Refused(refusal) => format_args!("refused:{refusal}").to_smolstr(),
    }
}

/// SQL has signed numbers only; what does not fit is a row that can never be kept.
pub(super) fn number(what: &'static str, value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Unstorable { what, value: value.to_string() })
}

pub(super) const fn quality(quality: Quality) -> i64 {
    match quality {
        Quality::Unchecked => 0,
        Quality::RejectedCertain => 1,
        Quality::RejectedProbable => 2,
        Quality::Suspicious => 3,
        Quality::Accepted => 4,
    }
}
