//! What a crew is told, as it stands in a record: the effect that left the house after the sync.

use super::reason::{CancelCode, PriorityCode};
use crate::domain::decision;
use crate::domain::ids::{AlarmId, DeliveryId, DeviceId, Seq, TaskId};
use crate::domain::time::Timestamp;
use minicbor::{Decode, Encode};

/// The delivery key without its journal id, which the file knows.
#[derive(Encode, Decode)]
pub struct DeliveryKey {
    #[n(0)]
    seq: u64,
    #[n(1)]
    n: u16,
}

#[derive(Encode, Decode)]
pub struct Delivery<'a> {
    #[n(0)]
    id: DeliveryKey,
    #[b(1)]
    crew: &'a str,
    #[b(2)]
    message: TaskMessage<'a>,
    #[n(3)]
    expires_at: i64,
}

#[derive(Encode, Decode)]
struct TaskMessage<'a> {
    #[n(0)]
    notice: Notice,
    #[n(1)]
    task: u64,
    #[n(2)]
    alarm: u64,
    #[b(3)]
    kind: &'a str,
    #[n(4)]
    priority: PriorityCode,
    #[b(5)]
    asset: &'a str,
    #[b(6)]
    device: Option<&'a str>,
    #[n(7)]
    observed_at: i64,
    #[n(8)]
    caused_by: u64,
    #[n(9)]
    exercise: bool,
}

#[derive(Encode, Decode)]
#[cbor(flat)]
enum Notice {
    #[n(0)]
    Offered,
    #[n(1)]
    Withdrawn,
    #[n(2)]
    Cancelled(#[n(0)] CancelCode),
}

impl From<DeliveryId> for DeliveryKey {
    fn from(id: DeliveryId) -> Self {
        Self { seq: id.seq.0, n: id.n }
    }
}

impl From<DeliveryKey> for DeliveryId {
    fn from(wire: DeliveryKey) -> Self {
        Self { seq: Seq(wire.seq), n: wire.n }
    }
}

impl<'a> From<&'a decision::Delivery> for Delivery<'a> {
    fn from(delivery: &'a decision::Delivery) -> Self {
        let message = &delivery.message;
        Self {
            id: delivery.id.into(),
            crew: delivery.crew.as_str(),
            message: TaskMessage {
                notice: message.notice.into(),
                task: message.task.0,
                alarm: message.alarm.0,
                kind: &message.kind,
                priority: message.priority.into(),
                asset: message.asset.as_str(),
                device: message.device.as_ref().map(DeviceId::as_str),
                observed_at: message.observed_at.as_micros(),
                caused_by: message.caused_by.0,
                exercise: message.exercise,
            },
            expires_at: delivery.expires_at.as_micros(),
        }
    }
}

impl From<Delivery<'_>> for decision::Delivery {
    fn from(wire: Delivery<'_>) -> Self {
        let message = wire.message;
        Self {
            id: wire.id.into(),
            crew: wire.crew.into(),
            message: decision::TaskMessage {
                notice: message.notice.into(),
                task: TaskId(message.task),
                alarm: AlarmId(message.alarm),
                kind: message.kind.into(),
                priority: message.priority.into(),
                asset: message.asset.into(),
                device: message.device.map(Into::into),
                observed_at: Timestamp::from_micros(message.observed_at),
                caused_by: Seq(message.caused_by),
                exercise: message.exercise,
            },
            expires_at: Timestamp::from_micros(wire.expires_at),
        }
    }
}

impl From<decision::Notice> for Notice {
    fn from(notice: decision::Notice) -> Self {
        match notice {
            decision::Notice::Offered => Self::Offered,
            decision::Notice::Withdrawn => Self::Withdrawn,
            decision::Notice::Cancelled(reason) => Self::Cancelled(reason.into()),
        }
    }
}

impl From<Notice> for decision::Notice {
    fn from(wire: Notice) -> Self {
        match wire {
            Notice::Offered => Self::Offered,
            Notice::Withdrawn => Self::Withdrawn,
            Notice::Cancelled(reason) => Self::Cancelled(reason.into()),
        }
    }
}
