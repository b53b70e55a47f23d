//! What the engine concluded from one event, and what is to be done.
//!
//! A decision holds ids, times and reasons, never a measured value: it can be kept and shown
//! without opening anything sealed. Its facts alone rebuild alarms, tasks, timers and deliveries.

use super::alarm::{Cause, Priority};
use super::ids::{AccountId, AlarmId, AssetId, CrewId, DeliveryId, DeviceId, PersonId, RuleId, Seq, Skill, TaskId};
use super::reason::Verdict;
use super::task::{CancelReason, RejectReason, TaskStage};
use super::time::{Span, Timestamp};
use smol_str::SmolStr;

#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The event's place in the journal.
    pub seq: Seq,
    pub verdict: Verdict,
    /// The person the event is about: its values are sealed with their key.
    pub subject: Option<PersonId>,
    pub facts: Vec<Fact>,
    pub effects: Vec<Effect>,
}

/// One change of what is true.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// The condition holds; the alarm is raised at `due` unless it ends before.
    DelayStarted {
        rule: RuleId,
        asset: AssetId,
        due: Timestamp,
        cause: Cause,
    },
    DelayCancelled {
        rule: RuleId,
        asset: AssetId,
    },
    /// The rule is in shadow: it would have raised an alarm, and nobody is told.
    ShadowRaised {
        rule: RuleId,
        asset: AssetId,
        cause: Cause,
    },
    /// What it would have raised would have returned to normal, or it is in shadow no more.
    ShadowEnded {
        rule: RuleId,
        asset: AssetId,
    },
    AlarmRaised {
        alarm: AlarmId,
        rule: RuleId,
        asset: AssetId,
        priority: Priority,
        cause: Cause,
    },
    /// It had returned to normal unseen, and holds again.
    AlarmReactivated {
        alarm: AlarmId,
        cause: Cause,
    },
    ReturnedToNormal {
        alarm: AlarmId,
        /// When the condition had gone, by the sensor's own time; none in records from before it was kept.
        observed_at: Option<Timestamp>,
    },
    Acknowledged {
        alarm: AlarmId,
        by: Seen,
    },
    AlarmClosed {
        alarm: AlarmId,
    },
    TaskRequested {
        task: TaskId,
        alarm: AlarmId,
        kind: SmolStr,
        skill: Skill,
    },
    TaskOffered {
        task: TaskId,
        crew: CrewId,
        expires_at: Timestamp,
        delivery: DeliveryId,
    },
    /// Nobody can be asked now; tried again at `retry_at`.
    TaskWaiting {
        task: TaskId,
        retry_at: Timestamp,
    },
    OfferExpired {
        task: TaskId,
        crew: CrewId,
    },
    TaskRejected {
        task: TaskId,
        crew: CrewId,
        reason: RejectReason,
    },
    TaskAccepted {
        task: TaskId,
        crew: CrewId,
    },
    TaskStage {
        task: TaskId,
        stage: TaskStage,
    },
    TaskCompleted {
        task: TaskId,
    },
    TaskCancelled {
        task: TaskId,
        reason: CancelReason,
    },
    DeliveryEnded {
        delivery: DeliveryId,
        end: DeliveryEnd,
    },
    DeviceSilent {
        device: DeviceId,
    },
    DeviceHeard {
        device: DeviceId,
    },
    DeviceClockAhead {
        device: DeviceId,
        by: Span,
    },
    /// Values came too late to be put in order: they are kept, and change nothing that rules remember.
    MeasuredLate {
        device: DeviceId,
        values: u32,
        /// The age of the oldest as it arrived.
        by: Span,
    },
    /// More values were held back than may be: the oldest were judged before their time.
    ReleasedEarly {
        asset: AssetId,
        values: u32,
    },
}

/// Who has seen an alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Account(AccountId),
    /// By accepting its task.
    Crew(CrewId),
}

/// Why a pending delivery is pending no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryEnd {
    /// The crew's own client has it.
    Delivered,
    /// The external broker has it and keeps it for the crew.
    HandedOver,
    /// What it asked for is no longer wanted.
    Superseded,
    /// It may not be sent after its expiry.
    Expired,
}

/// One thing to do in the world. Effects leave only after the decision is durable.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    Deliver(Delivery),
}

/// One attempt to tell one crew one thing, with a key that makes a repeat harmless.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    pub id: DeliveryId,
    pub crew: CrewId,
    pub message: TaskMessage,
    /// Never sent after this.
    pub expires_at: Timestamp,
}

/// What a crew is told: ids and times only.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskMessage {
    pub notice: Notice,
    pub task: TaskId,
    pub alarm: AlarmId,
    pub kind: SmolStr,
    pub priority: Priority,
    pub asset: AssetId,
    /// The device whose observation caused it; none when an absence or a person did.
    pub device: Option<DeviceId>,
    pub observed_at: Timestamp,
    /// The journaled message that caused it.
    pub caused_by: Seq,
    pub exercise: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    Offered,
    /// The offer went to somebody else.
    Withdrawn,
    Cancelled(CancelReason),
}
