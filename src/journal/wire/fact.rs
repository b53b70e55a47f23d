//! Every fact of a decision as it stands in a record: alarms, tasks, deliveries and timers are rebuilt from these.

use super::delivery::DeliveryKey;
use super::reason::{CancelCode, DeliveryEndCode, PriorityCode, RejectCode, TaskStageCode};
use crate::domain::alarm;
use crate::domain::decision;
use crate::domain::ids::{AlarmId, DeviceId, RuleVersion, Seq, TaskId};
use crate::domain::time::{Span, Timestamp};
use minicbor::{Decode, Encode};

#[derive(Encode, Decode)]
#[cbor(flat)]
pub enum Fact<'a> {
    #[n(0)]
    DelayStarted {
        #[b(0)]
        rule: &'a str,
        #[b(1)]
        asset: &'a str,
        #[n(2)]
        due: i64,
        #[b(3)]
        cause: Cause<'a>,
    },
    #[n(1)]
    DelayCancelled {
        #[b(0)]
        rule: &'a str,
        #[b(1)]
        asset: &'a str,
    },
    #[n(2)]
    AlarmRaised {
        #[n(0)]
        alarm: u64,
        #[b(1)]
        rule: &'a str,
        #[b(2)]
        asset: &'a str,
        #[n(3)]
        priority: PriorityCode,
        #[b(4)]
        cause: Cause<'a>,
    },
    #[n(3)]
    AlarmReactivated {
        #[n(0)]
        alarm: u64,
        #[b(1)]
        cause: Cause<'a>,
    },
    #[n(4)]
    ReturnedToNormal {
        #[n(0)]
        alarm: u64,
        /// Not written where there is none, as in older records.
        #[n(1)]
        observed_at: Option<i64>,
    },
    #[n(5)]
    Acknowledged {
        #[n(0)]
        alarm: u64,
        #[b(1)]
        by: Seen<'a>,
    },
    #[n(6)]
    AlarmClosed(#[n(0)] u64),
    #[n(7)]
    TaskRequested {
        #[n(0)]
        task: u64,
        #[n(1)]
        alarm: u64,
        #[b(2)]
        kind: &'a str,
        #[b(3)]
        skill: &'a str,
    },
    #[n(8)]
    TaskOffered {
        #[n(0)]
        task: u64,
        #[b(1)]
        crew: &'a str,
        #[n(2)]
        expires_at: i64,
        #[n(3)]
        delivery: DeliveryKey,
    },
    #[n(9)]
    TaskWaiting {
        #[n(0)]
        task: u64,
        #[n(1)]
        retry_at: i64,
    },
    #[n(10)]
    OfferExpired {
        #[n(0)]
        task: u64,
        #[b(1)]
        crew: &'a str,
    },
    #[n(11)]
    TaskRejected {
        #[n(0)]
        task: u64,
        #[b(1)]
        crew: &'a str,
        #[n(2)]
        reason: RejectCode,
    },
    #[n(12)]
    TaskAccepted {
        #[n(0)]
        task: u64,
        #[b(1)]
        crew: &'a str,
    },
    #[n(13)]
    TaskStage {
        #[n(0)]
        task: u64,
        #[n(1)]
        stage: TaskStageCode,
    },
    #[n(14)]
    TaskCompleted(#[n(0)] u64),
    #[n(15)]
    TaskCancelled {
        #[n(0)]
        task: u64,
        #[n(1)]
        reason: CancelCode,
    },
    #[n(16)]
    DeliveryEnded {
        #[n(0)]
        delivery: DeliveryKey,
        #[n(1)]
        end: DeliveryEndCode,
    },
    #[n(17)]
    DeviceSilent(#[b(0)] &'a str),
    #[n(18)]
    DeviceHeard(#[b(0)] &'a str),
    #[n(19)]
    DeviceClockAhead {
        #[b(0)]
        device: &'a str,
        #[n(1)]
        by: i64,
    },
    #[n(20)]
    MeasuredLate {
        #[b(0)]
        device: &'a str,
        #[n(1)]
        values: u32,
        #[n(2)]
        by: i64,
    },
    #[n(21)]
    ReleasedEarly {
        #[b(0)]
        asset: &'a str,
        #[n(1)]
        values: u32,
    },
    #[n(22)]
    ShadowRaised {
        #[b(0)]
        rule: &'a str,
        #[b(1)]
        asset: &'a str,
        #[b(2)]
        cause: Cause<'a>,
    },
    #[n(23)]
    ShadowEnded {
        #[b(0)]
        rule: &'a str,
        #[b(1)]
        asset: &'a str,
    },
}

#[derive(Encode, Decode)]
pub struct Cause<'a> {
    #[b(0)]
    device: Option<&'a str>,
    #[n(1)]
    observed_at: i64,
    #[n(2)]
    event: u64,
    #[n(3)]
    exercise: bool,
    /// Not written where there is none: so older records are read, and written again as they were.
    #[n(4)]
    rule_version: Option<u64>,
    /// As the version.
    #[n(5)]
    late: Option<i64>,
}

#[derive(Encode, Decode)]
#[cbor(flat)]
pub enum Seen<'a> {
    #[n(0)]
    Account(#[b(0)] &'a str),
    #[n(1)]
    Crew(#[b(0)] &'a str),
}

impl<'a> From<&'a decision::Fact> for Fact<'a> {
    fn from(fact: &'a decision::Fact) -> Self {
        use decision::Fact as Domain;
        match fact {
            Domain::DelayStarted { rule, asset, due, cause } => Self::DelayStarted {
                rule: rule.as_str(),
                asset: asset.as_str(),
                due: due.as_micros(),
                cause: cause.into(),
            },
            Domain::DelayCancelled { rule, asset } => {
                Self::DelayCancelled { rule: rule.as_str(), asset: asset.as_str() }
            }
            Domain::AlarmRaised { alarm, rule, asset, priority, cause } => Self::AlarmRaised {
                alarm: alarm.0,
                rule: rule.as_str(),
                asset: asset.as_str(),
                priority: (*priority).into(),
                cause: cause.into(),
            },
            Domain::AlarmReactivated { alarm, cause } => Self::AlarmReactivated { alarm: alarm.0, cause: cause.into() },
            Domain::ReturnedToNormal { alarm, observed_at } => {
                Self::ReturnedToNormal { alarm: alarm.0, observed_at: observed_at.map(Timestamp::as_micros) }
            }
            Domain::Acknowledged { alarm, by } => Self::Acknowledged { alarm: alarm.0, by: by.into() },
            Domain::AlarmClosed { alarm } => Self::AlarmClosed(alarm.0),
            Domain::TaskRequested { task, alarm, kind, skill } => {
                Self::TaskRequested { task: task.0, alarm: alarm.0, kind, skill: skill.as_str() }
            }
            Domain::TaskOffered { task, crew, expires_at, delivery } => Self::TaskOffered {
                task: task.0,
                crew: crew.as_str(),
                expires_at: expires_at.as_micros(),
                delivery: (*delivery).into(),
            },
            Domain::TaskWaiting { task, retry_at } => {
                Self::TaskWaiting { task: task.0, retry_at: retry_at.as_micros() }
            }
            Domain::OfferExpired { task, crew } => Self::OfferExpired { task: task.0, crew: crew.as_str() },
            Domain::TaskRejected { task, crew, reason } => {
                Self::TaskRejected { task: task.0, crew: crew.as_str(), reason: (*reason).into() }
            }
            Domain::TaskAccepted { task, crew } => Self::TaskAccepted { task: task.0, crew: crew.as_str() },
            Domain::TaskStage { task, stage } => Self::TaskStage { task: task.0, stage: (*stage).into() },
            Domain::TaskCompleted { task } => Self::TaskCompleted(task.0),
            Domain::TaskCancelled { task, reason } => Self::TaskCancelled { task: task.0, reason: (*reason).into() },
            Domain::DeliveryEnded { delivery, end } => {
                Self::DeliveryEnded { delivery: (*delivery).into(), end: (*end).into() }
            }
            Domain::DeviceSilent { device } => Self::DeviceSilent(device.as_str()),
            Domain::DeviceHeard { device } => Self::DeviceHeard(device.as_str()),
            Domain::DeviceClockAhead { device, by } => {
                Self::DeviceClockAhead { device: device.as_str(), by: by.as_micros() }
            }
            Domain::MeasuredLate { device, values, by } => {
                Self::MeasuredLate { device: device.as_str(), values: *values, by: by.as_micros() }
            }
            Domain::ReleasedEarly { asset, values } => Self::ReleasedEarly { asset: asset.as_str(), values: *values },
            Domain::ShadowRaised { rule, asset, cause } => {
                Self::ShadowRaised { rule: rule.as_str(), asset: asset.as_str(), cause: cause.into() }
            }
            Domain::ShadowEnded { rule, asset } => Self::ShadowEnded { rule: rule.as_str(), asset: asset.as_str() },
        }
    }
}

impl From<Fact<'_>> for decision::Fact {
    fn from(wire: Fact<'_>) -> Self {
        match wire {
            Fact::DelayStarted { rule, asset, due, cause } => Self::DelayStarted {
                rule: rule.into(),
                asset: asset.into(),
                due: Timestamp::from_micros(due),
                cause: cause.into(),
            },
            Fact::DelayCancelled { rule, asset } => Self::DelayCancelled { rule: rule.into(), asset: asset.into() },
            Fact::AlarmRaised { alarm, rule, asset, priority, cause } => Self::AlarmRaised {
                alarm: AlarmId(alarm),
                rule: rule.into(),
                asset: asset.into(),
                priority: priority.into(),
                cause: cause.into(),
            },
            Fact::AlarmReactivated { alarm, cause } => {
                Self::AlarmReactivated { alarm: AlarmId(alarm), cause: cause.into() }
            }
            Fact::ReturnedToNormal { alarm, observed_at } => {
                Self::ReturnedToNormal { alarm: AlarmId(alarm), observed_at: observed_at.map(Timestamp::from_micros) }
            }
            Fact::Acknowledged { alarm, by } => Self::Acknowledged { alarm: AlarmId(alarm), by: by.into() },
            Fact::AlarmClosed(alarm) => Self::AlarmClosed { alarm: AlarmId(alarm) },
            Fact::TaskRequested { task, alarm, kind, skill } => Self::TaskRequested {
                task: TaskId(task),
                alarm: AlarmId(alarm),
                kind: kind.into(),
                skill: skill.into(),
            },
            Fact::TaskOffered { task, crew, expires_at, delivery } => Self::TaskOffered {
                task: TaskId(task),
                crew: crew.into(),
                expires_at: Timestamp::from_micros(expires_at),
                delivery: delivery.into(),
            },
            Fact::TaskWaiting { task, retry_at } => {
                Self::TaskWaiting { task: TaskId(task), retry_at: Timestamp::from_micros(retry_at) }
            }
            Fact::OfferExpired { task, crew } => Self::OfferExpired { task: TaskId(task), crew: crew.into() },
            Fact::TaskRejected { task, crew, reason } => {
                Self::TaskRejected { task: TaskId(task), crew: crew.into(), reason: reason.into() }
            }
            Fact::TaskAccepted { task, crew } => Self::TaskAccepted { task: TaskId(task), crew: crew.into() },
            Fact::TaskStage { task, stage } => Self::TaskStage { task: TaskId(task), stage: stage.into() },
            Fact::TaskCompleted(task) => Self::TaskCompleted { task: TaskId(task) },
            Fact::TaskCancelled { task, reason } => Self::TaskCancelled { task: TaskId(task), reason: reason.into() },
            Fact::DeliveryEnded { delivery, end } => Self::DeliveryEnded { delivery: delivery.into(), end: end.into() },
            Fact::DeviceSilent(device) => Self::DeviceSilent { device: device.into() },
            Fact::DeviceHeard(device) => Self::DeviceHeard { device: device.into() },
            Fact::DeviceClockAhead { device, by } => {
                Self::DeviceClockAhead { device: device.into(), by: Span::from_micros(by) }
            }
            Fact::MeasuredLate { device, values, by } => {
                Self::MeasuredLate { device: device.into(), values, by: Span::from_micros(by) }
            }
            Fact::ReleasedEarly { asset, values } => Self::ReleasedEarly { asset: asset.into(), values },
            Fact::ShadowRaised { rule, asset, cause } => {
                Self::ShadowRaised { rule: rule.into(), asset: asset.into(), cause: cause.into() }
            }
            Fact::ShadowEnded { rule, asset } => Self::ShadowEnded { rule: rule.into(), asset: asset.into() },
        }
    }
}

impl<'a> From<&'a alarm::Cause> for Cause<'a> {
    fn from(cause: &'a alarm::Cause) -> Self {
        Self {
            device: cause.device.as_ref().map(DeviceId::as_str),
            observed_at: cause.observed_at.as_micros(),
            event: cause.event.0,
            exercise: cause.exercise,
            rule_version: cause.rule_version.map(|version| version.0),
            late: cause.late.map(Span::as_micros),
        }
    }
}

impl From<Cause<'_>> for alarm::Cause {
    fn from(wire: Cause<'_>) -> Self {
        Self {
            device: wire.device.map(Into::into),
            observed_at: Timestamp::from_micros(wire.observed_at),
            event: Seq(wire.event),
            exercise: wire.exercise,
            rule_version: wire.rule_version.map(RuleVersion),
            late: wire.late.map(Span::from_micros),
        }
    }
}

impl<'a> From<&'a decision::Seen> for Seen<'a> {
    fn from(seen: &'a decision::Seen) -> Self {
        match seen {
            decision::Seen::Account(account) => Self::Account(account.as_str()),
            decision::Seen::Crew(crew) => Self::Crew(crew.as_str()),
        }
    }
}

impl From<Seen<'_>> for decision::Seen {
    fn from(wire: Seen<'_>) -> Self {
        match wire {
            Seen::Account(account) => Self::Account(account.into()),
            Seen::Crew(crew) => Self::Crew(crew.into()),
        }
    }
}
