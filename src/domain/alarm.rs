//! An alarm: a condition that needs a person's timely response (ISA-18.2 / IEC 62682).

use super::ids::{AlarmId, AssetId, DeviceId, RuleId, RuleVersion, Seq};
use super::time::{Span, Timestamp};

/// The rank of an alarm (DOMAIN §3): 1 act now, 2 within half an hour, 3 this shift, 4 next plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    P1,
    P2,
    P3,
    P4,
}

/// Independent facts, never folded into one status: the condition, and whether a person has seen it.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    pub id: AlarmId,
    pub rule: RuleId,
    pub asset: AssetId,
    pub priority: Priority,
    /// The condition holds.
    pub active: bool,
    /// A person has seen it.
    pub acknowledged: bool,
    pub raised_at: Timestamp,
    pub cause: Cause,
}

/// What made a condition hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The device whose observation did; none when an absence or a deadline did.
    pub device: Option<DeviceId>,
    /// When the sensor measured it.
    pub observed_at: Timestamp,
    /// The journaled event: the message id a task names as its cause.
    pub event: Seq,
    /// It was a drill, and everything that follows is one too.
    pub exercise: bool,
    /// The form of the rule whose condition it is; none in records from before it was kept.
    pub rule_version: Option<RuleVersion>,
    /// How old the value was when it arrived, where it came too late to be judged in its place.
    pub late: Option<Span>,
}

impl Priority {
    pub const ALL: [Self; 4] = [Self::P1, Self::P2, Self::P3, Self::P4];

    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::P1 => 1,
            Self::P2 => 2,
            Self::P3 => 3,
            Self::P4 => 4,
        }
    }

    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::P1),
            2 => Some(Self::P2),
            3 => Some(Self::P3),
            4 => Some(Self::P4),
            _ => None,
        }
    }
}

impl Alarm {
    /// Both facts are settled: nobody needs to look at it again.
    #[must_use]
    pub const fn settled(&self) -> bool {
        !self.active && self.acknowledged
    }
}
