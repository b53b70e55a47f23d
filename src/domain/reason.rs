//! Why something was not done: every reason is counted, shown and journaled.

use super::ids::Seq;
use std::fmt;

/// Why an uplink could not become observations. The list is closed: each is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuarantineReason {
    Oversize,
    Unparsable,
    UnknownTopic,
    /// The login may not publish on this topic.
    NotPermitted,
    UnknownDevice,
    UnknownProperty,
    NonFinite,
    OutOfRange,
    WrongType,
    UnknownCrew,
    UnknownTask,
    /// It looked like a CPR number, which this system never stores.
    CprNumber,
    /// It has aborted the engine twice.
    Poison,
}

/// Why the engine said no to a well-formed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    UnknownAlarm,
    UnknownTask,
    AlreadyAcknowledged,
    AlreadyClosed,
    NotOfferedToThisCrew,
    UnknownAsset,
    UnknownDevice,
    UnknownSensorType,
    StillReferenced,
    LimitReached,
    /// Its rules or sensor types do not fit together.
    InvalidConfiguration,
    /// No rules with this version wait for approval.
    NothingProposed,
    /// Whoever proposed the rules cannot approve them.
    SamePerson,
}

/// Why proposed rules were not approved: a closed list, because free text about people stays out of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RulesRejected {
    /// They do not do what is meant.
    Mistake,
    /// They were not tried enough, by scenarios, a backtest or in shadow.
    NotTested,
    /// Others are to come in their place.
    Superseded,
    Other,
}

/// What has become of a rule from one set to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleBecame {
    New,
    Removed,
    Changed,
}

/// The engine's verdict on an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accepted,
    /// The same message again; nothing was done.
    Duplicate {
        of: Seq,
    },
    /// Stored without its values: no registered basis for this purpose.
    Redacted,
    Quarantined(QuarantineReason),
    Refused(Refusal),
}

impl QuarantineReason {
    pub const ALL: [Self; 13] = [
        Self::Oversize,
        Self::Unparsable,
        Self::UnknownTopic,
        Self::NotPermitted,
        Self::UnknownDevice,
        Self::UnknownProperty,
        Self::NonFinite,
        Self::OutOfRange,
        Self::WrongType,
        Self::UnknownCrew,
        Self::UnknownTask,
        Self::CprNumber,
        Self::Poison,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Oversize => "oversize",
            Self::Unparsable => "unparsable",
            Self::UnknownTopic => "unknown_topic",
            Self::NotPermitted => "not_permitted",
            Self::UnknownDevice => "unknown_device",
            Self::UnknownProperty => "unknown_property",
            Self::NonFinite => "non_finite",
            Self::OutOfRange => "out_of_range",
            Self::WrongType => "wrong_type",
            Self::UnknownCrew => "unknown_crew",
            Self::UnknownTask => "unknown_task",
            Self::CprNumber => "cpr_number",
            Self::Poison => "poison",
        }
    }
}

impl Refusal {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownAlarm => "unknown_alarm",
            Self::UnknownTask => "unknown_task",
            Self::AlreadyAcknowledged => "already_acknowledged",
            Self::AlreadyClosed => "already_closed",
            Self::NotOfferedToThisCrew => "not_offered_to_this_crew",
            Self::UnknownAsset => "unknown_asset",
            Self::UnknownDevice => "unknown_device",
            Self::UnknownSensorType => "unknown_sensor_type",
            Self::StillReferenced => "still_referenced",
            Self::LimitReached => "limit_reached",
            Self::InvalidConfiguration => "invalid_configuration",
            Self::NothingProposed => "nothing_proposed",
            Self::SamePerson => "same_person",
        }
    }
}

impl RulesRejected {
    pub const ALL: [Self; 4] = [Self::Mistake, Self::NotTested, Self::Superseded, Self::Other];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mistake => "mistake",
            Self::NotTested => "not-tested",
            Self::Superseded => "superseded",
            Self::Other => "other",
        }
    }
}

impl RuleBecame {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

impl fmt::Display for QuarantineReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
