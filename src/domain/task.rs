//! A task: work for a crew. Status follows FHIR Task; the stage is ours.

use super::alarm::Priority;
use super::ids::{AlarmId, AssetId, CrewId, Skill, TaskId};
use super::time::Timestamp;
use smol_str::SmolStr;

/// FHIR R4 Task.status, the values we use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskStatus {
    Requested,
    Accepted,
    Rejected,
    InProgress,
    Completed,
    Failed,
    Cancelled,
}

/// How far the work has come, finer than the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskStage {
    /// Nobody can be asked right now; asked again when somebody can.
    Waiting,
    Offered,
    EnRoute,
    OnSite,
    /// The sensor agrees that the work helped.
    Verified,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub id: TaskId,
    pub alarm: AlarmId,
    pub asset: AssetId,
    /// What to do, as named by the rule: `empty-bin`.
    pub kind: SmolStr,
    pub skill: Skill,
    pub priority: Priority,
    pub status: TaskStatus,
    pub stage: Option<TaskStage>,
    /// The crew it is offered to, or who has accepted it.
    pub crew: Option<CrewId>,
    /// The offer in force, if any, ends here.
    pub offer_expires_at: Option<Timestamp>,
    pub requested_at: Timestamp,
    pub exercise: bool,
}

/// Why a crew says no: a code, never free text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RejectReason {
    Busy,
    NotOnDuty,
    TooFar,
    MissingSkill,
    MissingEquipment,
    Unsafe,
    Other,
}

/// Why a task was withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CancelReason {
    /// The sensor says it is solved before anyone arrived.
    SolvedBeforeArrival,
    /// An operator withdrew it.
    Operator,
    /// What it was about has left the registry.
    AssetRemoved,
    /// The rule that asked for it is no longer in force.
    RuleRemoved,
    /// The rule that asked for it is in shadow from here on.
    RuleInShadow,
}

impl TaskStatus {
    /// Nothing more is expected of anyone.
    #[must_use]
    pub const fn ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::InProgress => "in-progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl TaskStage {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Offered => "offered",
            Self::EnRoute => "en-route",
            Self::OnSite => "on-site",
            Self::Verified => "verified",
        }
    }
}

impl RejectReason {
    pub const ALL: [Self; 7] = [
        Self::Busy,
        Self::NotOnDuty,
        Self::TooFar,
        Self::MissingSkill,
        Self::MissingEquipment,
        Self::Unsafe,
        Self::Other,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::NotOnDuty => "not-on-duty",
            Self::TooFar => "too-far",
            Self::MissingSkill => "missing-skill",
            Self::MissingEquipment => "missing-equipment",
            Self::Unsafe => "unsafe",
            Self::Other => "other",
        }
    }
}

impl CancelReason {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SolvedBeforeArrival => "solved-before-arrival",
            Self::Operator => "operator",
            Self::AssetRemoved => "asset-removed",
            Self::RuleRemoved => "rule-removed",
            Self::RuleInShadow => "rule-in-shadow",
        }
    }
}
