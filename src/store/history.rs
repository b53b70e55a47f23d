//! The questions history answers, and its answers: pages with a cursor, newest or oldest first.
//!
//! A cursor is opaque to callers. It names the last row seen by its sort key, never an offset, so that a page stays
//! right while rows are added.

use super::StoreError;
use crate::domain::ids::{AlarmId, AssetId, DeviceId, PersonId, PropertyName, RuleId, Seq, Skill, TaskId};
use crate::domain::time::Timestamp;
use std::fmt;
use std::str::FromStr;

/// Which page is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageAsked {
    /// After this row; from the start of the list when absent.
    pub after: Option<Cursor>,
    /// Rows wanted, 1 to [`PageAsked::ROWS_MAX`]; outside, the nearest of these.
    pub rows_max: usize,
    /// Only of this asset, where the list has assets.
    pub asset: Option<AssetId>,
}

/// One property of one asset, `from` included, `until` not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservationAsked {
    pub asset: AssetId,
    pub property: PropertyName,
    pub from: Timestamp,
    pub until: Timestamp,
}

/// Roll-ups of the numbers of one property of one asset that start at `from` or later and before `until`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollupAsked {
    pub asset: AssetId,
    pub property: PropertyName,
    pub from: Timestamp,
    pub until: Timestamp,
    pub bucket: Bucket,
}

/// How long one roll-up is; both begin where UTC says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    Hour,
    Day,
}

/// What numbers there were from `start_at` on for one bucket. Drills, rejected values and values about a person do not
/// count.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollup {
    pub start_at: Timestamp,
    pub count: u64,
    pub min: f64,
    pub max: f64,
    pub mean: f64,
}

/// How a store is, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Name and version of the database.
    pub database: String,
    /// Version of its tables.
    pub version: i32,
    /// How far each journal has been projected, in the order in which they were first seen.
    pub journals: Vec<(String, Seq)>,
    pub set_aside: u64,
    pub bytes: u64,
    /// The months that have a partition of their own, rising; none where the database has no partitions.
    pub months: Vec<String>,
}

/// A place in a list: the sort time and the identity of the last row seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(super) time: i64,
    pub(super) journal: i64,
    pub(super) seq: i64,
    pub(super) n: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    pub rows: Vec<T>,
    /// Where the next page starts; `None` at the end of the list.
    pub next: Option<Cursor>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AlarmLife {
    pub alarm: AlarmId,
    pub rule: RuleId,
    pub asset: AssetId,
    pub priority: u8,
    pub observed_at: Timestamp,
    pub caused_by: Seq,
    pub exercise: bool,
    pub raised_at: Timestamp,
    pub normal_at: Option<Timestamp>,
    pub acknowledged_at: Option<Timestamp>,
    /// `account:…` or `crew:…`.
    pub acknowledged_by: Option<String>,
    pub closed_at: Option<Timestamp>,
    /// The device whose observation caused it; none when an absence did.
    pub device: Option<DeviceId>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TaskLife {
    pub task: TaskId,
    pub alarm: AlarmId,
    /// Unknown when the alarm was raised before the retained journal.
    pub asset: Option<AssetId>,
    pub priority: Option<u8>,
    pub kind: String,
    pub skill: Skill,
    pub exercise: bool,
    pub requested_at: Timestamp,
    pub status: String,
    pub stage: Option<String>,
    pub crew: Option<String>,
    pub offers: u64,
    pub rejections: u64,
    pub accepted_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub cancel_reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct StoredObservation {
    pub device: DeviceId,
    pub property: PropertyName,
    pub observed_at: Timestamp,
    pub received_at: Timestamp,
    /// LwM2M 6042: 0 unchecked to 4 accepted.
    pub quality: u8,
    pub unit: String,
    pub value: StoredValue,
    pub exercise: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum StoredValue {
    Number(f64),
    Boolean(bool),
    Text(String),
    /// About a person; opened by the vault only, where the reading is recorded.
    Sealed {
        person: PersonId,
        sealed: Vec<u8>,
    },
    /// It was about a person whose key has been erased.
    Erased {
        person: PersonId,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineKept {
    pub seq: Seq,
    pub reason: String,
    pub detail: String,
    pub topic: String,
    pub device: Option<DeviceId>,
    pub received_at: Timestamp,
    pub head: StoredHead,
    pub length: u64,
}

/// The first bytes of a quarantined message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredHead {
    Open(Vec<u8>),
    /// About a person; opened by the vault only, where the reading is recorded.
    Sealed {
        person: PersonId,
        sealed: Vec<u8>,
    },
    /// It was about a person whose key has been erased.
    Erased {
        person: PersonId,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedEvent {
    pub seq: Seq,
    pub at: Timestamp,
    pub kind: String,
    pub verdict: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    pub seq: Seq,
    pub at: Timestamp,
    pub reason: String,
}

impl PageAsked {
    pub const ROWS_MAX: usize = 1_000;

    #[must_use]
    pub fn first(rows_max: usize) -> Self {
        Self { rows_max, ..Self::default() }
    }

    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows_max.clamp(1, Self::ROWS_MAX)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}.{:x}.{:x}.{:x}", self.time, self.journal, self.seq, self.n)
    }
}

impl FromStr for Cursor {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let fault = || StoreError::Cursor(text.chars().take(80).collect());
        let mut parts = text.split('.').map(|part| u64::from_str_radix(part, 16).map(u64::cast_signed));
        let mut part = || parts.next().and_then(Result::ok).ok_or_else(fault);
        let cursor = Self { time: part()?, journal: part()?, seq: part()?, n: part()? };
        if parts.next().is_some() { Err(fault()) } else { Ok(cursor) }
    }
}
