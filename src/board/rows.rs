//! The rows a screen shows: an alarm or a task with the moments of its life, one quarantined message, the ledger.
//!
//! A row is replaced whole when a fact changes it; rows are shared between views and never changed in place.

use crate::domain::alarm::Alarm;
use crate::domain::decision::Seen;
use crate::domain::ids::{DeviceId, Seq};
use crate::domain::reason::QuarantineReason;
use crate::domain::task::{CancelReason, RejectReason, Task};
use crate::domain::time::Timestamp;
use bytes::Bytes;
use smol_str::SmolStr;

/// One alarm. Moments that lie before the gateway's start are known to the store only.
#[derive(Clone, Debug, PartialEq)]
pub struct AlarmRow {
    pub alarm: Alarm,
    pub normal_at: Option<Timestamp>,
    pub acknowledged_at: Option<Timestamp>,
    pub acknowledged_by: Option<Seen>,
    pub closed_at: Option<Timestamp>,
}

/// One task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskRow {
    pub task: Task,
    /// When the status or stage last changed.
    pub changed_at: Timestamp,
    /// The last answer of a crew that said no.
    pub rejected: Option<RejectReason>,
    pub cancelled: Option<CancelReason>,
    pub ended_at: Option<Timestamp>,
}

/// One message that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineRow {
    pub seq: Seq,
    pub reason: QuarantineReason,
    pub detail: SmolStr,
    pub topic: SmolStr,
    pub device: Option<DeviceId>,
    pub received_at: Timestamp,
    /// The first bytes; none of a message about a person.
    pub head: Bytes,
    /// It is about a person: its bytes are in the journal, sealed, and not shown to everyone who may look.
    pub personal: bool,
    /// Bytes of the whole payload.
    pub length: u64,
}

/// The conservation ledger (DESIGN §8): every received message is in exactly one of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    pub received: u64,
    pub decided: u64,
    /// Kept without the values there is no basis for.
    pub redacted: u64,
    pub quarantined: u64,
    pub duplicate: u64,
    /// Well-formed but not wanted.
    pub refused: u64,
    pub in_flight: u64,
}

impl Ledger {
    #[must_use]
    pub const fn balanced(&self) -> bool {
        let settled = self.decided + self.redacted + self.quarantined + self.duplicate + self.refused;
        self.received == settled + self.in_flight
    }
}

impl AlarmRow {
    #[must_use]
    pub const fn known_at_start(alarm: Alarm) -> Self {
        Self { alarm, normal_at: None, acknowledged_at: None, acknowledged_by: None, closed_at: None }
    }
}

impl TaskRow {
    #[must_use]
    pub const fn known_at_start(task: Task) -> Self {
        let changed_at = task.requested_at;
        Self { task, changed_at, rejected: None, cancelled: None, ended_at: None }
    }
}
