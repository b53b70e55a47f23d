//! Every domain event as it stands in a record.
//!
//! What devices measured is in `observation`, what registries and files say in `registry` and `configuration`.

use super::calendar::Calendars;
use super::configuration::Configuration;
use super::delivery::DeliveryKey;
use super::mandate::ProposedRules;
use super::observation::{Ingress, Observed};
use super::reason::{DeliveryOutcomeCode, QuarantineCode, RejectCode, RulesRejectedCode};
use super::registry::RegistryChange;
use crate::domain::event;
use crate::domain::ids::{AlarmId, ConfigurationVersion, DeviceId, PersonId, RulesVersion, Seq, TaskId};
use crate::domain::time::Timestamp;
use bytes::Bytes;
use minicbor::{Decode, Encode};

#[derive(Encode, Decode)]
#[cbor(flat)]
pub enum Event<'a> {
    #[n(0)]
    Observed(#[b(0)] Observed<'a>),
    #[n(1)]
    Quarantined(#[b(0)] Quarantined<'a>),
    #[n(2)]
    Replied(#[b(0)] Reply<'a>),
    #[n(3)]
    Receipt(#[n(0)] Receipt),
    #[n(4)]
    Commanded(#[b(0)] Command<'a>),
    #[n(5)]
    Registered(#[b(0)] Vec<RegistryChange<'a>>),
    #[n(6)]
    Configured(#[b(0)] Configuration<'a>),
    #[n(7)]
    Due(#[b(0)] Deadline<'a>),
    #[n(8)]
    Started,
    #[n(9)]
    Released {
        #[n(0)]
        through: u64,
        #[n(1)]
        undelivered: Vec<u64>,
    },
    #[n(10)]
    Erased(#[b(0)] &'a str),
    #[n(11)]
    Expanded {
        #[cbor(n(0), with = "minicbor::bytes")]
        version: [u8; 16],
        #[b(1)]
        calendars: Box<Calendars<'a>>,
    },
}

#[derive(Encode, Decode)]
pub struct Quarantined<'a> {
    #[n(0)]
    reason: QuarantineCode,
    #[b(1)]
    detail: &'a str,
    #[b(2)]
    topic: &'a str,
    #[b(3)]
    device: Option<&'a str>,
    #[b(4)]
    ingress: Ingress<'a>,
    #[n(5)]
    received_at: i64,
    #[cbor(b(6), with = "minicbor::bytes")]
    head: &'a [u8],
    #[n(7)]
    length: u64,
}

#[derive(Encode, Decode)]
pub struct Reply<'a> {
    #[b(0)]
    crew: &'a str,
    #[n(1)]
    task: u64,
    #[n(2)]
    answer: Answer,
    #[b(3)]
    ingress: Ingress<'a>,
    #[n(4)]
    received_at: i64,
}

#[derive(Encode, Decode)]
#[cbor(flat)]
enum Answer {
    #[n(0)]
    Accepted,
    #[n(1)]
    Rejected(#[n(0)] RejectCode),
    #[n(2)]
    EnRoute,
    #[n(3)]
    OnSite,
    #[n(4)]
    Completed,
}

#[derive(Encode, Decode)]
pub struct Receipt {
    #[n(0)]
    delivery: DeliveryKey,
    #[n(1)]
    outcome: DeliveryOutcomeCode,
    #[n(2)]
    at: i64,
}

#[derive(Encode, Decode)]
pub struct Command<'a> {
    #[b(0)]
    id: &'a str,
    #[b(1)]
    account: &'a str,
    #[b(2)]
    kind: CommandKind<'a>,
}

#[derive(Encode, Decode)]
#[cbor(flat)]
enum CommandKind<'a> {
    #[n(0)]
    AcknowledgeAlarm(#[n(0)] u64),
    #[n(1)]
    CancelTask(#[n(0)] u64),
    #[n(2)]
    ProposeRules(#[b(0)] ProposedRules<'a>),
    #[n(3)]
    RejectRules {
        #[cbor(n(0), with = "minicbor::bytes")]
        version: [u8; 16],
        #[n(1)]
        reason: RulesRejectedCode,
    },
}

#[derive(Encode, Decode)]
pub struct Deadline<'a> {
    #[n(0)]
    at: i64,
    #[b(1)]
    why: DeadlineReason<'a>,
}

#[derive(Encode, Decode)]
#[cbor(flat)]
enum DeadlineReason<'a> {
    #[n(0)]
    OnDelay {
        #[b(0)]
        rule: &'a str,
        #[b(1)]
        asset: &'a str,
    },
    #[n(1)]
    Held {
        #[b(0)]
        rule: &'a str,
        #[b(1)]
        asset: &'a str,
        #[n(2)]
        node: u16,
    },
    #[n(2)]
    Silent(#[b(0)] &'a str),
    #[n(3)]
    OfferExpired(#[n(0)] u64),
    #[n(4)]
    RetryTask(#[n(0)] u64),
    #[n(5)]
    DeliveryExpires(#[n(0)] DeliveryKey),
    #[n(6)]
    CalendarsEnd,
    #[n(7)]
    Turns {
        #[b(0)]
        rule: &'a str,
        #[b(1)]
        asset: &'a str,
        #[n(2)]
        node: u16,
        #[n(3)]
        by: TurnedByCode,
    },
}

/// What a deadline of a rule is for; `held` has a form of its own.
#[derive(Clone, Copy, Encode, Decode)]
#[cbor(index_only)]
enum TurnedByCode {
    #[n(0)]
    Held,
    #[n(1)]
    Window,
    #[n(2)]
    Sequence,
    #[n(3)]
    Age,
    #[n(4)]
    Shift,
    #[n(5)]
    Service,
    #[n(6)]
    Change,
    #[n(7)]
    Estimate,
}

impl<'a> From<&'a event::Event> for Event<'a> {
    fn from(event: &'a event::Event) -> Self {
        match event {
            event::Event::Observed(observed) => Self::Observed(observed.into()),
            event::Event::Quarantined(quarantined) => Self::Quarantined(quarantined.into()),
            event::Event::Replied(reply) => Self::Replied(reply.into()),
            event::Event::Receipt(receipt) => Self::Receipt(receipt.into()),
            event::Event::Commanded(command) => Self::Commanded(command.into()),
            event::Event::Registered(changes) => Self::Registered(changes.iter().map(Into::into).collect()),
            event::Event::Configured(configuration) => Self::Configured((&**configuration).into()),
            event::Event::Due(deadline) => Self::Due(deadline.into()),
            event::Event::Started => Self::Started,
            event::Event::Released { through, undelivered } => {
                Self::Released { through: through.0, undelivered: undelivered.iter().map(|seq| seq.0).collect() }
            }
            event::Event::Erased { person } => Self::Erased(person.as_str()),
            event::Event::Expanded { version, calendars } => {
                Self::Expanded { version: version.0, calendars: Box::new((&**calendars).into()) }
            }
        }
    }
}

impl From<Event<'_>> for event::Event {
    fn from(wire: Event<'_>) -> Self {
        match wire {
            Event::Observed(observed) => Self::Observed(observed.into()),
            Event::Quarantined(quarantined) => Self::Quarantined(quarantined.into()),
            Event::Replied(reply) => Self::Replied(reply.into()),
            Event::Receipt(receipt) => Self::Receipt(receipt.into()),
            Event::Commanded(command) => Self::Commanded(command.into()),
            Event::Registered(changes) => Self::Registered(changes.into_iter().map(Into::into).collect()),
            Event::Configured(configuration) => Self::Configured(Box::new(configuration.into())),
            Event::Due(deadline) => Self::Due(deadline.into()),
            Event::Started => Self::Started,
            Event::Released { through, undelivered } => {
                Self::Released { through: Seq(through), undelivered: undelivered.into_iter().map(Seq).collect() }
            }
            Event::Erased(person) => Self::Erased { person: PersonId::new(person) },
            Event::Expanded { version, calendars } => {
                Self::Expanded { version: ConfigurationVersion(version), calendars: Box::new((*calendars).into()) }
            }
        }
    }
}

impl<'a> From<&'a event::Quarantined> for Quarantined<'a> {
    fn from(quarantined: &'a event::Quarantined) -> Self {
        Self {
            reason: quarantined.reason.into(),
            detail: &quarantined.detail,
            topic: &quarantined.topic,
            device: quarantined.device.as_ref().map(DeviceId::as_str),
            ingress: (&quarantined.ingress).into(),
            received_at: quarantined.received_at.as_micros(),
            head: &quarantined.head,
            length: quarantined.length,
        }
    }
}

impl From<Quarantined<'_>> for event::Quarantined {
    fn from(wire: Quarantined<'_>) -> Self {
        Self {
            reason: wire.reason.into(),
            detail: wire.detail.into(),
            topic: wire.topic.into(),
            device: wire.device.map(Into::into),
            ingress: wire.ingress.into(),
            received_at: Timestamp::from_micros(wire.received_at),
            head: Bytes::copy_from_slice(wire.head),
            length: wire.length,
        }
    }
}

impl<'a> From<&'a event::Reply> for Reply<'a> {
    fn from(reply: &'a event::Reply) -> Self {
        Self {
            crew: reply.crew.as_str(),
            task: reply.task.0,
            answer: reply.answer.into(),
            ingress: (&reply.ingress).into(),
            received_at: reply.received_at.as_micros(),
        }
    }
}

impl From<Reply<'_>> for event::Reply {
    fn from(wire: Reply<'_>) -> Self {
        Self {
            crew: wire.crew.into(),
            task: TaskId(wire.task),
            answer: wire.answer.into(),
            ingress: wire.ingress.into(),
            received_at: Timestamp::from_micros(wire.received_at),
        }
    }
}

impl From<event::Answer> for Answer {
    fn from(answer: event::Answer) -> Self {
        match answer {
            event::Answer::Accepted => Self::Accepted,
            event::Answer::Rejected(reason) => Self::Rejected(reason.into()),
            event::Answer::EnRoute => Self::EnRoute,
            event::Answer::OnSite => Self::OnSite,
            event::Answer::Completed => Self::Completed,
        }
    }
}

impl From<Answer> for event::Answer {
    fn from(wire: Answer) -> Self {
        match wire {
            Answer::Accepted => Self::Accepted,
            Answer::Rejected(reason) => Self::Rejected(reason.into()),
            Answer::EnRoute => Self::EnRoute,
            Answer::OnSite => Self::OnSite,
            Answer::Completed => Self::Completed,
        }
    }
}

impl From<&event::Receipt> for Receipt {
    fn from(receipt: &event::Receipt) -> Self {
        Self { delivery: receipt.delivery.into(), outcome: receipt.outcome.into(), at: receipt.at.as_micros() }
    }
}

impl From<Receipt> for event::Receipt {
    fn from(wire: Receipt) -> Self {
        Self { delivery: wire.delivery.into(), outcome: wire.outcome.into(), at: Timestamp::from_micros(wire.at) }
    }
}

impl<'a> From<&'a event::Command> for Command<'a> {
    fn from(command: &'a event::Command) -> Self {
        let kind = match &command.kind {
            event::CommandKind::AcknowledgeAlarm(alarm) => CommandKind::AcknowledgeAlarm(alarm.0),
            event::CommandKind::CancelTask(task) => CommandKind::CancelTask(task.0),
            event::CommandKind::ProposeRules(proposed) => CommandKind::ProposeRules(proposed.into()),
            event::CommandKind::RejectRules { version, reason } => {
                CommandKind::RejectRules { version: version.0, reason: (*reason).into() }
            }
        };
        Self { id: command.id.as_str(), account: command.account.as_str(), kind }
    }
}

impl From<Command<'_>> for event::Command {
    fn from(wire: Command<'_>) -> Self {
        let kind = match wire.kind {
            CommandKind::AcknowledgeAlarm(alarm) => event::CommandKind::AcknowledgeAlarm(AlarmId(alarm)),
            CommandKind::CancelTask(task) => event::CommandKind::CancelTask(TaskId(task)),
            CommandKind::ProposeRules(proposed) => event::CommandKind::ProposeRules(proposed.into()),
            CommandKind::RejectRules { version, reason } => {
                event::CommandKind::RejectRules { version: RulesVersion(version), reason: reason.into() }
            }
        };
        Self { id: wire.id.into(), account: wire.account.into(), kind }
    }
}

impl<'a> From<&'a event::Deadline> for Deadline<'a> {
    fn from(deadline: &'a event::Deadline) -> Self {
        let why = match &deadline.why {
            event::DeadlineReason::OnDelay { rule, asset } => {
                DeadlineReason::OnDelay { rule: rule.as_str(), asset: asset.as_str() }
            }
            event::DeadlineReason::Turns { rule, asset, node, by: event::TurnedBy::Held } => {
                DeadlineReason::Held { rule: rule.as_str(), asset: asset.as_str(), node: *node }
            }
            event::DeadlineReason::Turns { rule, asset, node, by } => {
                DeadlineReason::Turns { rule: rule.as_str(), asset: asset.as_str(), node: *node, by: (*by).into() }
            }
            event::DeadlineReason::Silent { device } => DeadlineReason::Silent(device.as_str()),
            event::DeadlineReason::OfferExpired { task } => DeadlineReason::OfferExpired(task.0),
            event::DeadlineReason::RetryTask { task } => DeadlineReason::RetryTask(task.0),
            event::DeadlineReason::DeliveryExpires { delivery } => DeadlineReason::DeliveryExpires((*delivery).into()),
            event::DeadlineReason::CalendarsEnd => DeadlineReason::CalendarsEnd,
        };
        Self { at: deadline.at.as_micros(), why }
    }
}

impl From<Deadline<'_>> for event::Deadline {
    fn from(wire: Deadline<'_>) -> Self {
        let why = match wire.why {
            DeadlineReason::OnDelay { rule, asset } => {
                event::DeadlineReason::OnDelay { rule: rule.into(), asset: asset.into() }
            }
            DeadlineReason::Held { rule, asset, node } => {
                let by = event::TurnedBy::Held;
                event::DeadlineReason::Turns { rule: rule.into(), asset: asset.into(), node, by }
            }
            DeadlineReason::Turns { rule, asset, node, by } => {
                event::DeadlineReason::Turns { rule: rule.into(), asset: asset.into(), node, by: by.into() }
            }
            DeadlineReason::Silent(device) => event::DeadlineReason::Silent { device: device.into() },
            DeadlineReason::OfferExpired(task) => event::DeadlineReason::OfferExpired { task: TaskId(task) },
            DeadlineReason::RetryTask(task) => event::DeadlineReason::RetryTask { task: TaskId(task) },
            DeadlineReason::DeliveryExpires(delivery) => {
                event::DeadlineReason::DeliveryExpires { delivery: delivery.into() }
            }
            DeadlineReason::CalendarsEnd => event::DeadlineReason::CalendarsEnd,
        };
        Self { at: Timestamp::from_micros(wire.at), why }
    }
}

impl From<event::TurnedBy> for TurnedByCode {
    fn from(by: event::TurnedBy) -> Self {
        match by {
            event::TurnedBy::Held => Self::Held,
            event::TurnedBy::Window => Self::Window,
            event::TurnedBy::Sequence => Self::Sequence,
            event::TurnedBy::Age => Self::Age,
            event::TurnedBy::Shift => Self::Shift,
            event::TurnedBy::Service => Self::Service,
            event::TurnedBy::Change => Self::Change,
            event::TurnedBy::Estimate => Self::Estimate,
        }
    }
}

impl From<TurnedByCode> for event::TurnedBy {
    fn from(code: TurnedByCode) -> Self {
        match code {
            TurnedByCode::Held => Self::Held,
            TurnedByCode::Window => Self::Window,
            TurnedByCode::Sequence => Self::Sequence,
            TurnedByCode::Age => Self::Age,
            TurnedByCode::Shift => Self::Shift,
            TurnedByCode::Service => Self::Service,
            TurnedByCode::Change => Self::Change,
            TurnedByCode::Estimate => Self::Estimate,
        }
    }
}
