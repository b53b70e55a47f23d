//! The task message as a crew's device reads it: JSON with a version, ids and times only.
//!
//! A field is only ever added; a change of meaning is a new version. Reading ignores fields it does not know. The
//! golden text in the tests is the contract with every device in the field.

use crate::domain::decision::{Delivery, Notice};
use crate::domain::ids::{DeliveryId, JournalId};
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

pub const VERSION: u16 = 1;

/// What a crew is told. The text fields borrow where they can.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskPost<'a> {
    pub version: u16,
    /// `<journal>/<seq>.<n>`: the same key is the same message, however often it comes.
    #[serde(borrow)]
    pub delivery: Cow<'a, str>,
    /// `offered`, `withdrawn` or `cancelled`.
    #[serde(borrow)]
    pub notice: Cow<'a, str>,
    /// Why it was cancelled, as a code; absent otherwise.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'a, str>>,
    pub task: u64,
    pub alarm: u64,
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
    /// 1 (act now) to 4 (next plan).
    pub priority: u8,
    #[serde(borrow)]
    pub asset: Cow<'a, str>,
    /// The device whose observation caused it; null when an absence or a person did.
    #[serde(borrow)]
    pub device: Option<Cow<'a, str>>,
    /// RFC 3339, UTC.
    #[serde(borrow)]
    pub observed_at: Cow<'a, str>,
    /// The journaled message that caused it.
    pub caused_by: u64,
    /// RFC 3339, UTC: an answer after this comes too late.
    #[serde(borrow)]
    pub expires_at: Cow<'a, str>,
    /// A drill.
    pub exercise: bool,
}

impl<'a> TaskPost<'a> {
    #[must_use]
    pub fn new(journal: JournalId, delivery: &'a Delivery) -> Self {
        let message = &delivery.message;
        let (notice, reason) = match message.notice {
            Notice::Offered => ("offered", None),
            Notice::Withdrawn => ("withdrawn", None),
            Notice::Cancelled(reason) => ("cancelled", Some(reason.as_str())),
        };
        Self {
            version: VERSION,
            delivery: Cow::Owned(delivery_key(journal, delivery.id)),
            notice: Cow::Borrowed(notice),
            reason: reason.map(Cow::Borrowed),
            task: message.task.0,
            alarm: message.alarm.0,
            kind: Cow::Borrowed(&message.kind),
            priority: message.priority.number(),
            asset: Cow::Borrowed(message.asset.as_str()),
            device: message.device.as_ref().map(|device| Cow::Borrowed(device.as_str())),
            observed_at: Cow::Owned(rfc3339(message.observed_at)),
            caused_by: message.caused_by.0,
            expires_at: Cow::Owned(rfc3339(delivery.expires_at)),
            exercise: message.exercise,
        }
    }

    /// # Errors
    /// Why the bytes are no task message, with line and column.
    pub fn read(bytes: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

/// The key of a delivery among those of every journal there ever was.
#[must_use]
pub fn delivery_key(journal: JournalId, delivery: DeliveryId) -> String {
    format!("{journal}/{delivery}")
}

/// Moments beyond the year 9999 are given as its end: no calendar on a phone goes further.
fn rfc3339(at: Timestamp) -> String {
    let ends = if at.as_micros() < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or(ends).to_string()
}
