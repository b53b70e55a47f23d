//! The engine's state and its two doors: decide (`step`) and rebuild (`apply`).

use super::arrivals::TakenIn;
use super::deliveries::Deliveries;
use super::estimators::Neighbourhoods;
use super::identity::{Identities, Recognition};
use super::inventory::Inventory;
use super::shadow::Shadows;
use super::spare::Spare;
use super::standing::Standing;
use super::table::Seat;
use super::tasks::Tasks;
use super::timers::Timers;
use crate::domain::alarm::Alarm;
use crate::domain::configuration::Configuration;
use crate::domain::decision::{Decision, Delivery, DeliveryEnd, Effect, Fact};
use crate::domain::event::{Command, CommandKind, Deadline, DeadlineReason, Event, Quarantined};
use crate::domain::ids::{AlarmId, AssetId, CommandId, ConfigurationVersion, PersonId, RuleId, Seq};
use crate::domain::observation::{Identity, Observed};
use crate::domain::reason::{QuarantineReason, Verdict};
use crate::domain::task::Task;
use crate::domain::time::Timestamp;
use crate::rules::RuleSet;
use std::collections::{BTreeMap, VecDeque};

/// How much the engine remembers. Each limit has a stated answer when it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Messages remembered per device to recognise a repeat; the oldest is forgotten first.
    pub identities_per_device: usize,
    /// Messages remembered per login; the oldest is forgotten first. No sender may have more without acknowledgement,
    /// or a repetition after a crash could be taken for a second fact.
    pub redeliveries_per_client: usize,
    /// Callers' keys remembered, so that the same request twice is one change; the oldest is forgotten first.
    pub commands: usize,
    /// Assets, devices, crews and people together; beyond it a registration is refused.
    pub registry_entries: usize,
    /// Values of one asset that wait for their place in time; beyond it the oldest are judged before theirs.
    pub held_back_per_asset: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            identities_per_device: 16,
            redeliveries_per_client: 1_024,
            commands: 4_096,
            registry_entries: 2_000_000,
            held_back_per_asset: 512,
        }
    }
}

/// Everything known, and the rules to judge it by.
pub struct Engine {
    pub(super) limits: Limits,
    pub(super) seq: Seq,
    pub(super) now: Timestamp,
    pub(super) started_at: Timestamp,
    pub(super) configuration: Option<Box<Configuration>>,
    pub(super) rules: RuleSet,
    pub(super) inventory: Inventory,
    pub(super) neighbourhoods: Neighbourhoods,
    pub(super) identities: Identities,
    pub(super) alarms: BTreeMap<AlarmId, Alarm>,
    pub(super) last_alarm: AlarmId,
    pub(super) shadows: Shadows,
    pub(super) standing: Standing,
    pub(super) tasks: Tasks,
    pub(super) deliveries: Deliveries,
    pub(super) commands: VecDeque<(CommandId, Seq)>,
    pub(super) timers: Timers,
    /// Values that wait for their place in time.
    pub(super) held_back: usize,
    pub(super) spare: Spare,
}

/// A decision while it is being made.
pub(super) struct Draft {
    pub seq: Seq,
    pub now: Timestamp,
    pub facts: Vec<Fact>,
    pub effects: Vec<Effect>,
}

impl Engine {
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            seq: Seq(0),
            now: Timestamp::MIN,
            started_at: Timestamp::MIN,
            configuration: None,
            rules: RuleSet::default(),
            inventory: Inventory::default(),
            neighbourhoods: Neighbourhoods::new(),
            identities: Identities::default(),
            alarms: BTreeMap::new(),
            last_alarm: AlarmId(0),
            shadows: Shadows::default(),
            standing: Standing::default(),
            tasks: Tasks::default(),
            deliveries: Deliveries::default(),
            commands: VecDeque::new(),
            timers: Timers::default(),
            held_back: 0,
            spare: Spare::default(),
        }
    }

    /// Decides one event at `now` and takes on the state that follows.
    ///
    /// # Panics
    /// When `now` is before the previous event's: the clock never goes back (`app::clock`).
    pub fn step(&mut self, now: Timestamp, event: &Event) -> Decision {
        assert!(now >= self.now, "the clock went back from {:?} to {now:?}", self.now);
        if !matches!(event, Event::Observed(_)) {
            self.timers.doubt();
        }
        let subject = self.subject(event);
        let mut draft = Draft { seq: self.seq.next(), now, facts: Vec::new(), effects: Vec::new() };
        let verdict = self.decide(&mut draft, event);
        self.seq = draft.seq;
        self.now = now;
        Decision { seq: draft.seq, verdict, subject, facts: draft.facts, effects: draft.effects }
    }

    /// Sets an event aside that has aborted the engine twice: nothing is decided, and what made it come is forgotten.
    pub fn skip(&mut self, now: Timestamp, event: &Event) -> Decision {
        let verdict = Verdict::Quarantined(QuarantineReason::Poison);
        let decision = Decision {
            seq: self.seq.next(),
            verdict,
            subject: self.subject(event),
            facts: Vec::new(),
            effects: Vec::new(),
        };
        self.apply(now, event, &decision);
        decision
    }

    /// Takes on the state that followed from a recorded decision, without deciding it again: windows and
    /// memories are fed from the event, everything else comes from the decision's facts.
    ///
    /// # Panics
    /// When the record does not continue this engine's history.
    pub fn apply(&mut self, now: Timestamp, event: &Event, decision: &Decision) {
        assert!(decision.seq == self.seq.next(), "record {} does not follow {}", decision.seq, self.seq);
        self.timers.doubt();
        let mut draft = Draft { seq: decision.seq, now, facts: Vec::new(), effects: Vec::new() };
        self.feed(&draft, event, decision.verdict);
        for effect in &decision.effects {
            self.release(effect);
        }
        for fact in &decision.facts {
            self.establish(&draft, fact);
        }
        self.seq = draft.seq;
        self.now = now;
        draft.facts.clear();
    }

    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.seq
    }

    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    #[must_use]
    pub fn configuration(&self) -> Option<&Configuration> {
        self.configuration.as_deref()
    }

    #[must_use]
    pub fn configuration_version(&self) -> Option<ConfigurationVersion> {
        self.configuration.as_ref().map(|configuration| configuration.version)
    }

    /// Alarms that are not settled, oldest first.
    pub fn alarms(&self) -> impl Iterator<Item = &Alarm> {
        self.alarms.values()
    }

    /// Tasks that somebody may still ask about, oldest first.
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter()
    }

    /// Deliveries that nobody has confirmed, oldest first: what dispatch must know after a start.
    pub fn pending_deliveries(&self) -> impl Iterator<Item = &Delivery> {
        self.deliveries.iter()
    }

    /// The rules in force.
    #[must_use]
    pub const fn rules(&self) -> &RuleSet {
        &self.rules
    }

    #[must_use]
    pub const fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    fn decide(&mut self, draft: &mut Draft, event: &Event) -> Verdict {
        match event {
            Event::Observed(observed) => self.observe(draft, observed),
            Event::Quarantined(quarantined) => self.quarantine(draft, quarantined),
            Event::Replied(reply) => {
                match self.identities.recognise(&self.limits, draft, &Identity::Redelivery, None, &reply.ingress) {
                    Recognition::Repeat(of) => Verdict::Duplicate { of },
                    Recognition::First => {
                        let judged = self.take_word(draft.now, reply);
                        let verdict = self.reply(draft, reply);
                        self.settle(draft, judged);
                        verdict
                    }
                }
            }
            Event::Receipt(receipt) => self.receive_receipt(draft, receipt),
            Event::Commanded(command) => self.command(draft, command),
            Event::Registered(changes) => self.register(draft, changes),
            Event::Configured(configuration) => self.configure(draft, configuration),
            Event::Due(deadline) => self.due(draft, deadline),
            Event::Started => {
                self.start(draft.now);
                Verdict::Accepted
            }
            Event::Released { through, undelivered } => {
                self.identities.release(draft.now, *through, undelivered);
                Verdict::Accepted
            }
            Event::Erased { .. } => Verdict::Accepted,
            Event::Expanded { version, calendars } => self.expand(draft.now, *version, calendars),
        }
    }

    /// The half of [`Self::decide`] that is not in the facts.
    fn feed(&mut self, draft: &Draft, event: &Event, verdict: Verdict) {
        let poisoned = verdict == Verdict::Quarantined(QuarantineReason::Poison);
        match event {
            Event::Due(deadline) if poisoned => self.feed_timer(deadline),
            Event::Commanded(_) | Event::Released { .. } if poisoned => {}
            Event::Observed(_) if matches!(verdict, Verdict::Quarantined(_)) => {}
            Event::Observed(observed) => {
                let device = self.inventory.devices.seat(&observed.device).unwrap_or(Seat::NOWHERE);
                if self.recognise(draft, device, observed) == Recognition::First {
                    self.take_in(draft.now, device, observed);
                }
            }
            Event::Quarantined(quarantined) => {
                self.identities.recognise(&self.limits, draft, &Identity::Redelivery, None, &quarantined.ingress);
            }
            Event::Replied(reply) => {
                let redelivery = Identity::Redelivery;
                let seen = self.identities.recognise(&self.limits, draft, &redelivery, None, &reply.ingress);
                if seen == Recognition::First && verdict == Verdict::Accepted {
                    self.take_word(draft.now, reply);
                }
            }
            Event::Commanded(command) => {
                self.take_command(draft, command, verdict);
            }
            Event::Registered(changes) if verdict == Verdict::Accepted => {
                self.let_go_before(changes);
                self.adopt(changes, draft.now);
            }
            Event::Configured(_) if verdict != Verdict::Accepted => {}
            Event::Configured(configuration) => self.adopt_configuration(draft.now, configuration),
            Event::Due(deadline) => self.feed_due(draft.now, deadline),
            Event::Started => self.start(draft.now),
            Event::Released { through, undelivered } => self.identities.release(draft.now, *through, undelivered),
            Event::Expanded { calendars, .. } if verdict == Verdict::Accepted => {
                self.adopt_calendars(draft.now, calendars);
            }
            Event::Registered(_) | Event::Receipt(_) | Event::Erased { .. } | Event::Expanded { .. } => {}
        }
    }

    /// States a fact: it becomes true here and part of the decision.
    pub(super) fn state(&mut self, draft: &mut Draft, fact: Fact) {
        self.establish(draft, &fact);
        draft.facts.push(fact);
    }

    /// Orders something to be done: remembered as pending until its end is a fact.
    pub(super) fn order(&mut self, draft: &mut Draft, effect: Effect) {
        self.release(&effect);
        draft.effects.push(effect);
    }

    fn release(&mut self, effect: &Effect) {
        match effect {
            Effect::Deliver(delivery) => {
                let why = DeadlineReason::DeliveryExpires { delivery: delivery.id };
                self.timers.set(Deadline { at: delivery.expires_at, why });
                self.deliveries.insert(delivery.clone());
            }
        }
    }

    /// The only place where alarms, tasks, deliveries and their timers change.
    fn establish(&mut self, draft: &Draft, fact: &Fact) {
        match fact {
            Fact::DelayStarted { .. }
            | Fact::DelayCancelled { .. }
            | Fact::AlarmRaised { .. }
            | Fact::AlarmReactivated { .. }
            | Fact::ReturnedToNormal { .. }
            | Fact::Acknowledged { .. }
            | Fact::AlarmClosed { .. } => self.establish_alarm(draft, fact),
            Fact::TaskRequested { .. }
            | Fact::TaskOffered { .. }
            | Fact::TaskWaiting { .. }
            | Fact::OfferExpired { .. }
            | Fact::TaskRejected { .. }
            | Fact::TaskAccepted { .. }
            | Fact::TaskStage { .. }
            | Fact::TaskCompleted { .. }
            | Fact::TaskCancelled { .. } => self.establish_task(draft, fact),
            Fact::ShadowRaised { .. } | Fact::ShadowEnded { .. } => self.establish_shadow(draft, fact),
            Fact::DeliveryEnded { delivery, .. } => self.deliveries.remove(*delivery),
            Fact::DeviceSilent { device } => self.inventory.set_silent(device, true),
            Fact::DeviceHeard { device } => self.inventory.set_silent(device, false),
            Fact::DeviceClockAhead { .. } | Fact::MeasuredLate { .. } | Fact::ReleasedEarly { .. } => {}
        }
    }

    fn observe(&mut self, draft: &mut Draft, observed: &Observed) -> Verdict {
        // It may have left the registry between decoding and here.
        let Some(device) = self.inventory.devices.seat(&observed.device) else {
            return Verdict::Quarantined(QuarantineReason::UnknownDevice);
        };
        if let Recognition::Repeat(of) = self.recognise(draft, device, observed) {
            return Verdict::Duplicate { of };
        }
        if let Some(by) = observed.clock_ahead {
            self.state(draft, Fact::DeviceClockAhead { device: observed.device.clone(), by });
        }
        if self.inventory.devices.at(device).is_some_and(|state| state.silence.silent()) {
            self.state(draft, Fact::DeviceHeard { device: observed.device.clone() });
        }
        let TakenIn { judged, late, late_by, early } = self.take_in(draft.now, device, observed);
        if late > 0 {
            let device = observed.device.clone();
            self.state(draft, Fact::MeasuredLate { device, values: late, by: late_by });
        }
        if early > 0
            && let Some(asset) = self.inventory.asset_of(&observed.device).cloned()
        {
            self.state(draft, Fact::ReleasedEarly { asset, values: early });
        }
        self.settle(draft, judged);
        if observed.observations.is_empty() && !observed.redacted.is_empty() {
            Verdict::Redacted
        } else {
            Verdict::Accepted
        }
    }

    fn recognise(&mut self, draft: &Draft, device: Seat, observed: &Observed) -> Recognition {
        let recent = self.inventory.devices.at_mut(device).map(|state| &mut state.recent);
        self.identities.recognise(&self.limits, draft, &observed.identity, recent, &observed.ingress)
    }

    fn quarantine(&mut self, draft: &Draft, quarantined: &Quarantined) -> Verdict {
        let ingress = &quarantined.ingress;
        match self.identities.recognise(&self.limits, draft, &Identity::Redelivery, None, ingress) {
            Recognition::Repeat(of) => Verdict::Duplicate { of },
            Recognition::First => Verdict::Quarantined(quarantined.reason),
        }
    }

    fn command(&mut self, draft: &mut Draft, command: &Command) -> Verdict {
        if let Some((_, of)) = self.commands.iter().find(|(id, _)| *id == command.id) {
            return Verdict::Duplicate { of: *of };
        }
        let verdict = match &command.kind {
            CommandKind::AcknowledgeAlarm(alarm) => self.acknowledge_by_account(draft, *alarm, &command.account),
            CommandKind::CancelTask(task) => self.cancel_by_operator(draft, *task),
            kind @ (CommandKind::ProposeRules(_) | CommandKind::RejectRules { .. }) => self.check_proposal(kind),
        };
        self.take_command(draft, command, verdict);
        verdict
    }

    /// What a command means beside its facts.
    fn take_command(&mut self, draft: &Draft, command: &Command, verdict: Verdict) {
        self.remember_command(command, draft.seq, verdict);
        if verdict == Verdict::Accepted {
            self.follow_proposal((draft.seq, draft.now), command);
        }
    }

    fn remember_command(&mut self, command: &Command, seq: Seq, verdict: Verdict) {
        if matches!(verdict, Verdict::Duplicate { .. }) {
            return;
        }
        if self.commands.len() == self.limits.commands {
            self.commands.pop_front();
        }
        self.commands.push_back((command.id.clone(), seq));
    }

    fn start(&mut self, now: Timestamp) {
        self.started_at = now;
        self.identities.restart(now);
    }

    fn due(&mut self, draft: &mut Draft, deadline: &Deadline) -> Verdict {
        self.feed_timer(deadline);
        match &deadline.why {
            DeadlineReason::OnDelay { rule, asset } => self.delay_over(draft, rule, asset),
            DeadlineReason::Turns { rule, asset, .. } => self.judge_and_settle(draft, asset, Some(rule)),
            DeadlineReason::Silent { device } => {
                let judged = self.wait_no_longer(device);
                self.settle(draft, judged);
                self.state(draft, Fact::DeviceSilent { device: device.clone() });
                if let Some(asset) = self.inventory.asset_of(device).cloned() {
                    self.judge_and_settle(draft, &asset, None);
                }
            }
            DeadlineReason::OfferExpired { task } => self.expire_offer(draft, *task),
            DeadlineReason::RetryTask { task } => self.offer(draft, *task),
            DeadlineReason::DeliveryExpires { delivery } => {
                self.state(draft, Fact::DeliveryEnded { delivery: *delivery, end: DeliveryEnd::Expired });
            }
            DeadlineReason::CalendarsEnd => self.calendars_asked_for(draft.now),
        }
        Verdict::Accepted
    }

    fn judge_and_settle(&mut self, draft: &mut Draft, asset: &AssetId, rule: Option<&RuleId>) {
        let judged = self.judge_by_time(draft.now, asset, rule);
        self.settle(draft, judged);
    }

    fn feed_due(&mut self, now: Timestamp, deadline: &Deadline) {
        self.feed_timer(deadline);
        match &deadline.why {
            DeadlineReason::Turns { rule, asset, .. } => {
                self.judge_by_time(now, asset, Some(rule));
            }
            DeadlineReason::Silent { device } => {
                self.wait_no_longer(device);
                if let Some(asset) = self.inventory.asset_of(device).cloned() {
                    self.inventory.set_silent(device, true);
                    self.judge_by_time(now, &asset, None);
                }
            }
            DeadlineReason::CalendarsEnd => self.calendars_asked_for(now),
            DeadlineReason::OnDelay { .. }
            | DeadlineReason::OfferExpired { .. }
            | DeadlineReason::RetryTask { .. }
            | DeadlineReason::DeliveryExpires { .. } => {}
        }
    }

    fn subject(&self, event: &Event) -> Option<PersonId> {
        let device = match event {
            Event::Observed(observed) => &observed.device,
            Event::Quarantined(quarantined) => quarantined.device.as_ref()?,
            Event::Erased { person } => return Some(person.clone()),
            Event::Replied(_)
            | Event::Receipt(_)
            | Event::Commanded(_)
            | Event::Registered(_)
            | Event::Configured(_)
            | Event::Due(_)
            | Event::Started
            | Event::Released { .. }
            | Event::Expanded { .. } => return None,
        };
        self.inventory.person_of(device).cloned()
    }
}
