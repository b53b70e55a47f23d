//! Everything that happens, as a closed list of facts in the past tense.
//!
//! Sensor messages, replies, receipts, an operator's click, a changed registry, new rules and
//! passing time all come in the same way and are journaled the same way.

use super::asset::{Asset, Device};
use super::calendar::Calendars;
use super::configuration::Configuration;
use super::crew::Crew;
use super::ids::{
    AccountId, AlarmId, AssetId, CommandId, ConfigurationVersion, CrewId, DeliveryId, DeviceId, PersonId, RuleId,
    RulesVersion, Seq, TaskId,
};
use super::observation::Observed;
use super::person::Person;
use super::reason::{QuarantineReason, RuleBecame, RulesRejected};
use super::task::RejectReason;
use super::time::Timestamp;
use super::uplink::Ingress;
use bytes::Bytes;
use smol_str::SmolStr;

#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A device told us something we understood.
    Observed(Observed),
    /// Something arrived that could not be used; kept with its reason and first bytes.
    Quarantined(Quarantined),
    /// A crew answered a task.
    Replied(Reply),
    /// What became of a delivery.
    Receipt(Receipt),
    /// A person or script asked for a change.
    Commanded(Command),
    /// The registry changed.
    Registered(Vec<RegistryChange>),
    /// This configuration is in force from here on.
    Configured(Box<Configuration>),
    /// A deadline passed.
    Due(Deadline),
    /// The gateway started; whoever was silent meanwhile gets the time to speak first.
    Started,
    /// Acknowledgements of all events up to and including this one have left the house.
    Released {
        through: Seq,
        /// Those that could not leave because the connection was gone: the sender will repeat them.
        undelivered: Vec<Seq>,
    },
    /// The values of this record were sealed with a key that has been erased.
    Erased { person: PersonId },
    /// The calendars of this configuration were expanded for the time around this event.
    Expanded { version: ConfigurationVersion, calendars: Box<Calendars> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    pub reason: QuarantineReason,
    /// What exactly was wrong and where, for the integrator: never a value about a person.
    pub detail: SmolStr,
    pub topic: SmolStr,
    pub device: Option<DeviceId>,
    pub ingress: Ingress,
    pub received_at: Timestamp,
    /// The first bytes, at most the configured number.
    pub head: Bytes,
    /// How long the whole payload was.
    pub length: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub crew: CrewId,
    pub task: TaskId,
    pub answer: Answer,
    pub ingress: Ingress,
    pub received_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Accepted,
    Rejected(RejectReason),
    EnRoute,
    OnSite,
    Completed,
}

/// The receipts of one delivery: `accepted`, the fourth, is a [`Reply`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub delivery: DeliveryId,
    pub outcome: DeliveryOutcome,
    pub at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeliveryOutcome {
    /// The external broker took it over.
    HandedOver,
    /// The crew's own client acknowledged it.
    Delivered,
    /// A person opened it.
    Seen,
}

/// A change that somebody asked for; who and why are part of the fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub id: CommandId,
    pub account: AccountId,
    pub kind: CommandKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandKind {
    AcknowledgeAlarm(AlarmId),
    CancelTask(TaskId),
    /// These rule files are to come into force when a second person approves them.
    ProposeRules(ProposedRules),
    /// They are not to.
    RejectRules {
        version: RulesVersion,
        reason: RulesRejected,
    },
}

/// Rule files that wait for a second person. Their text is read again when they are approved, and must be the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposedRules {
    pub version: RulesVersion,
    /// Rules that decide otherwise than those in force, ordered by id; not more than [`Self::CHANGES_MAX`].
    pub changes: Vec<(RuleId, RuleBecame)>,
    /// So many more.
    pub further: u32,
}

impl ProposedRules {
    pub const CHANGES_MAX: usize = 200;
}

#[derive(Clone, Debug, PartialEq)]
pub enum RegistryChange {
    PutAsset(Asset),
    PutDevice(Device),
    PutCrew(Crew),
    PutPerson(Person),
    RemoveAsset(AssetId),
    RemoveDevice(DeviceId),
    RemoveCrew(CrewId),
    RemovePerson(PersonId),
}

/// When the engine must be woken, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    pub at: Timestamp,
    pub why: DeadlineReason,
}

/// Why what a rule says may turn without a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TurnedBy {
    /// A `held(…)` has held its time.
    Held,
    /// Something leaves the window that is looked at, or it has been watched for its whole length.
    Window,
    /// A sequence is over.
    Sequence,
    /// A value has become as old as the rule asks.
    Age,
    /// A shift begins or ends.
    Shift,
    /// The next service has come as near as the rule asks, or has been.
    Service,
    /// The rule, the calendars or the asset's attributes have changed.
    Change,
    /// What an estimator says changes with time alone.
    Estimate,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeadlineReason {
    /// A condition has held as long as the rule's `on_delay` asks.
    OnDelay { rule: RuleId, asset: AssetId },
    /// What this rule says about the asset may turn without a message, by its `node`-th call.
    Turns { rule: RuleId, asset: AssetId, node: u16, by: TurnedBy },
    /// A device has not spoken for four of its intervals.
    Silent { device: DeviceId },
    /// Nobody has answered this offer.
    OfferExpired { task: TaskId },
    /// A task that nobody could be asked for is tried again.
    RetryTask { task: TaskId },
    /// A delivery that nobody confirmed may not be sent any more.
    DeliveryExpires { delivery: DeliveryId },
    /// The tables of the calendars end, and are expanded further well before.
    CalendarsEnd,
}

impl Event {
    /// What it is called in history and in reports; kept for ever.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Observed(_) => "observed",
            Self::Quarantined(_) => "quarantined",
            Self::Replied(_) => "replied",
            Self::Receipt(_) => "receipt",
            Self::Commanded(_) => "commanded",
            Self::Registered(_) => "registered",
            Self::Configured(_) => "configured",
            Self::Due(_) => "due",
            Self::Started => "started",
            Self::Released { .. } => "released",
            Self::Erased { .. } => "erased",
            Self::Expanded { .. } => "expanded",
        }
    }
}
