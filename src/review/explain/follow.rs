//! What is remembered of one rule of one asset while the journal is replayed.

use crate::domain::decision::Fact;
use crate::domain::event::{Deadline, DeadlineReason, Event, RegistryChange};
use crate::domain::ids::{AlarmId, AssetId, DeviceId, RuleId, Seq};
use crate::domain::reason::Verdict;
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use crate::journal::Entry;
use crate::review::account::Since;
use std::collections::{BTreeSet, VecDeque};

const RECENT_MAX: usize = 8;

/// What was decided about the rule and the asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recent {
    pub seq: Seq,
    pub at: Timestamp,
    pub what: String,
}

pub(super) struct Follower {
    asset: AssetId,
    rule: RuleId,
    alarms: BTreeSet<AlarmId>,
    pub since: Since,
    pub version_since: Option<(Seq, Timestamp)>,
    pub recent: VecDeque<Recent>,
}

impl Follower {
    pub fn new(asset: AssetId, rule: RuleId) -> Self {
        let (alarms, since, recent) = (BTreeSet::new(), Since::default(), VecDeque::new());
        Self { asset, rule, alarms, since, version_since: None, recent }
    }

    /// What is so when the replay begins.
    pub fn look(&mut self, engine: &Engine) {
        let about = |alarm: &&crate::domain::alarm::Alarm| alarm.asset == self.asset && alarm.rule == self.rule;
        self.alarms.extend(engine.alarms().filter(about).map(|alarm| alarm.id));
        self.note(engine, engine.now());
    }

    /// After the record has been applied.
    pub fn follow(&mut self, engine: &Engine, entry: &Entry) {
        match &entry.event {
            Event::Observed(observed) => {
                let device = engine.inventory().device(&observed.device);
                if device.is_none_or(|device| device.asset != self.asset) {
                    return;
                }
                let taken = !matches!(entry.decision.verdict, Verdict::Duplicate { .. } | Verdict::Quarantined(_));
                for observation in observed.observations.iter().filter(|_| taken) {
                    let measured_at = observation.observed_at.min(observed.received_at);
                    self.since.note_quality(&observation.property, measured_at, observation.quality);
                }
            }
            Event::Configured(_) if entry.decision.verdict == Verdict::Accepted => {
                self.version_since = Some((entry.seq, entry.at));
            }
            // A crew that is asked, or not, changes no answer of the rule.
            Event::Due(Deadline { why, .. }) if !self.judges(engine, why) => return self.facts(engine, entry),
            Event::Registered(changes) if changes.iter().any(|change| self.concerns(change)) => {}
            Event::Replied(_) | Event::Commanded(_) => return self.facts(engine, entry),
            Event::Due(_) | Event::Started | Event::Expanded { .. } => {}
            Event::Configured(_)
            | Event::Registered(_)
            | Event::Quarantined(_)
            | Event::Receipt(_)
            | Event::Released { .. }
            | Event::Erased { .. } => return,
        }
        self.note(engine, entry.at);
        self.facts(engine, entry);
    }

    /// Whether the asset is judged at this deadline.
    fn judges(&self, engine: &Engine, why: &DeadlineReason) -> bool {
        match why {
            DeadlineReason::OnDelay { asset, .. } | DeadlineReason::Turns { asset, .. } => *asset == self.asset,
            DeadlineReason::Silent { device } => {
                engine.inventory().device(device).is_some_and(|device| device.asset == self.asset)
            }
            DeadlineReason::OfferExpired { .. }
            | DeadlineReason::RetryTask { .. }
            | DeadlineReason::DeliveryExpires { .. }
            | DeadlineReason::CalendarsEnd => false,
        }
    }

    fn concerns(&self, change: &RegistryChange) -> bool {
        match change {
            RegistryChange::PutAsset(asset) => asset.id == self.asset,
            RegistryChange::RemoveAsset(asset) => *asset == self.asset,
            RegistryChange::PutDevice(device) => device.asset == self.asset,
            RegistryChange::PutCrew(_)
            | RegistryChange::PutPerson(_)
            | RegistryChange::RemoveDevice(_)
            | RegistryChange::RemoveCrew(_)
            | RegistryChange::RemovePerson(_) => false,
        }
    }

    fn note(&mut self, engine: &Engine, at: Timestamp) {
        if let Some(insight) = engine.inspect(at, &self.asset, &self.rule) {
            self.since.note(&insight.explanation, at);
        }
    }

    fn facts(&mut self, engine: &Engine, entry: &Entry) {
        for fact in &entry.decision.facts {
            let Some(what) = self.told(engine, fact) else { continue };
            if self.recent.len() == RECENT_MAX {
                self.recent.pop_front();
            }
            self.recent.push_back(Recent { seq: entry.seq, at: entry.at, what });
        }
    }

    fn told(&mut self, engine: &Engine, fact: &Fact) -> Option<String> {
        let of_asset =
            |device: &DeviceId| engine.inventory().device(device).is_some_and(|device| device.asset == self.asset);
        let ours = |rule: &RuleId, asset: &AssetId| *rule == self.rule && *asset == self.asset;
        match fact {
            Fact::DelayStarted { rule, asset, .. } if ours(rule, asset) => Some("on_delay begun".to_owned()),
            Fact::DelayCancelled { rule, asset } if ours(rule, asset) => Some("on_delay ended".to_owned()),
            Fact::ShadowRaised { rule, asset, .. } if ours(rule, asset) => {
                Some("in shadow: would have raised an alarm".to_owned())
            }
            Fact::ShadowEnded { rule, asset } if ours(rule, asset) => Some("in shadow: would be over".to_owned()),
            Fact::AlarmRaised { alarm, rule, asset, priority, cause } if ours(rule, asset) => {
                self.alarms.insert(*alarm);
                let late = cause.late.map_or_else(String::new, |age| format!(", {age} late"));
                Some(format!("alarm {alarm} raised, priority {}{late}", priority.number()))
            }
            Fact::MeasuredLate { device, values, by } if of_asset(device) => {
                Some(format!("{values} of {device} came too late, up to {by} old: kept, and not judged in their place"))
            }
            Fact::ReleasedEarly { asset, values } if *asset == self.asset => {
                Some(format!("{values} held back were judged before their time: too many waited"))
            }
            Fact::AlarmReactivated { alarm, .. } if self.alarms.contains(alarm) => {
                Some(format!("alarm {alarm} active again"))
            }
            Fact::ReturnedToNormal { alarm, .. } if self.alarms.contains(alarm) => {
                Some(format!("alarm {alarm} back to normal"))
            }
            Fact::Acknowledged { alarm, .. } if self.alarms.contains(alarm) => Some(format!("alarm {alarm} seen")),
            Fact::AlarmClosed { alarm } if self.alarms.contains(alarm) => Some(format!("alarm {alarm} closed")),
            Fact::TaskRequested { task, alarm, kind, .. } if self.alarms.contains(alarm) => {
                Some(format!("task {task} {kind} requested"))
            }
            Fact::DelayStarted { .. }
            | Fact::DelayCancelled { .. }
            | Fact::ShadowRaised { .. }
            | Fact::ShadowEnded { .. }
            | Fact::AlarmRaised { .. }
            | Fact::AlarmReactivated { .. }
            | Fact::ReturnedToNormal { .. }
            | Fact::Acknowledged { .. }
            | Fact::AlarmClosed { .. }
            | Fact::TaskRequested { .. }
            | Fact::TaskOffered { .. }
            | Fact::TaskWaiting { .. }
            | Fact::OfferExpired { .. }
            | Fact::TaskRejected { .. }
            | Fact::TaskAccepted { .. }
            | Fact::TaskStage { .. }
            | Fact::TaskCompleted { .. }
            | Fact::TaskCancelled { .. }
            | Fact::DeliveryEnded { .. }
            | Fact::DeviceSilent { .. }
            | Fact::DeviceHeard { .. }
            | Fact::DeviceClockAhead { .. }
            | Fact::MeasuredLate { .. }
            | Fact::ReleasedEarly { .. } => None,
        }
    }
}
