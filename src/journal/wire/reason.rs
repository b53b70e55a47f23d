//! Closed lists of reasons and ranks, each with the number it has in a record.
//!
//! The conversions match on every variant, so that a variant added to the domain does not compile before it has a
//! number here. Numbers are never reused.

use crate::domain::alarm::Priority;
use crate::domain::asset::PropertyKind;
use crate::domain::calendar::Weekday;
use crate::domain::decision::DeliveryEnd;
use crate::domain::event::DeliveryOutcome;
use crate::domain::observation::Quality;
use crate::domain::person::Purpose;
use crate::domain::reason::{QuarantineReason, Refusal, RuleBecame, RulesRejected};
use crate::domain::task::{CancelReason, RejectReason, TaskStage, TaskStatus};
use minicbor::{Decode, Encode};

/// A list of plain variants that is written as its number alone.
macro_rules! numbered {
    ($wire:ident = $domain:ident { $($number:literal $variant:ident),+ $(,)? }) => {
        #[derive(Encode, Decode)]
        #[cbor(index_only)]
        pub enum $wire {
            $(#[n($number)] $variant),+
        }

        impl From<$domain> for $wire {
            fn from(value: $domain) -> Self {
                match value {
                    $($domain::$variant => Self::$variant),+
                }
            }
        }

        impl From<$wire> for $domain {
            fn from(value: $wire) -> Self {
                match value {
                    $($wire::$variant => Self::$variant),+
                }
            }
        }
    };
}

numbered!(PriorityCode = Priority { 1 P1, 2 P2, 3 P3, 4 P4 });

numbered!(PropertyKindCode = PropertyKind { 0 Number, 1 Boolean, 2 Text });

numbered!(DeliveryEndCode = DeliveryEnd { 0 Delivered, 1 HandedOver, 2 Superseded, 3 Expired });

numbered!(DeliveryOutcomeCode = DeliveryOutcome { 0 HandedOver, 1 Delivered, 2 Seen });

numbered!(QualityCode = Quality { 0 Unchecked, 1 RejectedCertain, 2 RejectedProbable, 3 Suspicious, 4 Accepted });

numbered!(PurposeCode = Purpose { 0 Exposure, 1 Presence, 2 Call });

numbered!(TaskStageCode = TaskStage { 0 Waiting, 1 Offered, 2 EnRoute, 3 OnSite, 4 Verified });

numbered!(TaskStatusCode = TaskStatus {
    0 Requested,
    1 Accepted,
    2 Rejected,
    3 InProgress,
    4 Completed,
    5 Failed,
    6 Cancelled,
});

numbered!(WeekdayCode = Weekday {
    1 Monday,
    2 Tuesday,
    3 Wednesday,
    4 Thursday,
    5 Friday,
    6 Saturday,
    7 Sunday,
});

numbered!(CancelCode = CancelReason { 0 SolvedBeforeArrival, 1 Operator, 2 AssetRemoved, 3 RuleRemoved, 4 RuleInShadow });

numbered!(RejectCode = RejectReason {
    0 Busy,
    1 NotOnDuty,
    2 TooFar,
    3 MissingSkill,
    4 MissingEquipment,
    5 Unsafe,
    6 Other,
});

numbered!(QuarantineCode = QuarantineReason {
    0 Oversize,
    1 Unparsable,
    2 UnknownTopic,
    3 UnknownDevice,
    4 UnknownProperty,
    5 NonFinite,
    6 OutOfRange,
    7 WrongType,
    8 UnknownCrew,
    9 UnknownTask,
    10 CprNumber,
    11 Poison,
    12 NotPermitted,
});

numbered!(RefusalCode = Refusal {
    0 UnknownAlarm,
    1 UnknownTask,
    2 AlreadyAcknowledged,
    3 AlreadyClosed,
    4 NotOfferedToThisCrew,
    5 UnknownAsset,
    6 UnknownDevice,
    7 UnknownSensorType,
    8 StillReferenced,
    9 LimitReached,
    10 InvalidConfiguration,
    11 NothingProposed,
    12 SamePerson,
});

numbered!(RulesRejectedCode = RulesRejected { 0 Mistake, 1 NotTested, 2 Superseded, 3 Other });

numbered!(RuleBecameCode = RuleBecame { 0 New, 1 Removed, 2 Changed });
