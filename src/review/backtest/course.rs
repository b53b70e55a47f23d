//! One rule set on its way through the data.

use super::Policy;
use crate::domain::configuration::{Configuration, DispatchPolicy};
use crate::domain::crew::Crew;
use crate::domain::decision::{Decision, Fact};
use crate::domain::event::{Answer, DeadlineReason, Event, RegistryChange, Reply};
use crate::domain::ids::{AlarmId, ClientId, ContentHash, CrewId, RuleId, TaskId};
use crate::domain::observation::{Identity, Observed};
use crate::domain::reason::Verdict;
use crate::domain::time::{Span, Timestamp};
use crate::domain::uplink::Ingress;
use crate::engine::{Engine, Limits};
use std::collections::BTreeMap;

/// Whoever is offered a task: one crew that can do everything, everywhere.
const CREW: &str = "backtest";
/// Nobody answers, and nobody is asked again.
const FOR_EVER: Span = Span::from_hours(24 * 366 * 50);
const DAY: Span = Span::from_hours(24);

/// What one rule called for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Alarms that were raised, or active again.
    pub alarms: u64,
    pub tasks: u64,
    /// How long alarms were active, all together.
    pub active: Span,
    /// Alarms that were active at the end.
    pub open: u64,
    /// Alarms by day, counted from the first.
    pub by_day: BTreeMap<i64, u64>,
}

/// What one rule set called for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Of every rule of the set, also of one that called for nothing.
    pub counts: BTreeMap<RuleId, Count>,
    pub refused: u64,
}

pub(super) struct Course<'p> {
    policy: &'p Policy<'p>,
    engine: Engine,
    from: Timestamp,
    now: Timestamp,
    messages: u64,
    tally: Tally,
    /// Whose each alarm is, and since when it has been active.
    alarms: BTreeMap<AlarmId, (RuleId, Option<Timestamp>)>,
}

impl<'p> Course<'p> {
    pub fn begin(policy: &'p Policy<'p>, from: Timestamp) -> Self {
        let engine = Engine::new(Limits::default());
        let (tally, alarms) = (Tally::default(), BTreeMap::new());
        let mut course = Self { policy, engine, from, now: from, messages: 0, tally, alarms };
        let dispatch = DispatchPolicy { offer_timeouts: [FOR_EVER; 4], retry_after: FOR_EVER };
        let calendars = policy.calendars.around(from);
        let configuration = Configuration { dispatch, calendars, ..policy.configuration.clone() };
        course.decide(&Event::Configured(Box::new(configuration)));
        let rules = course.engine.rules();
        let skills = rules.iter().filter_map(|rule| rule.task.as_ref()).map(|task| task.skill.clone());
        let crew = Crew { id: CrewId::new(CREW), skills: skills.collect(), areas: [].into() };
        let counts = rules.iter().map(|rule| (rule.id.clone(), Count::default())).collect();
        course.tally.counts = counts;
        course.decide(&Event::Registered(vec![RegistryChange::PutCrew(crew)]));
        course.decide(&Event::Started);
        course
    }

    pub fn name(&self) -> &str {
        &self.policy.name
    }

    /// The registry as it was; crews of the data stay at home.
    pub fn register(&mut self, at: Timestamp, changes: &[RegistryChange]) {
        let of_crews =
            |change: &&RegistryChange| matches!(change, RegistryChange::PutCrew(_) | RegistryChange::RemoveCrew(_));
        let changes: Vec<_> = changes.iter().filter(|change| !of_crews(change)).cloned().collect();
        self.until(at);
        let count = changes.len() as u64;
        if count > 0 && self.decide(&Event::Registered(changes)) != Verdict::Accepted {
            self.tally.refused += count;
        }
    }

    pub fn start(&mut self, at: Timestamp) {
        self.until(at);
        self.decide(&Event::Started);
    }

    /// What a message brought. That it was no repetition was decided when it came.
    pub fn report(&mut self, at: Timestamp, observed: &Observed) {
        self.until(at);
        let ingress = self.ingress(&observed.ingress.client);
        let observed = Observed { identity: Identity::Redelivery, ingress, ..observed.clone() };
        self.decide(&Event::Observed(observed));
    }

    /// The end of the data: what is active there has been so until then.
    pub fn finish(mut self, until: Timestamp) -> Tally {
        self.until(until);
        for (rule, since) in self.alarms.values() {
            if let (Some(since), Some(count)) = (since, self.tally.counts.get_mut(rule)) {
                count.active = count.active + until.since(*since);
                count.open += 1;
            }
        }
        self.tally
    }

    fn until(&mut self, at: Timestamp) {
        while let Some(deadline) = self.engine.next_deadline().filter(|deadline| deadline.at <= at) {
            self.now = self.now.max(deadline.at);
            let calendars_end = deadline.why == DeadlineReason::CalendarsEnd;
            self.decide(&Event::Due(deadline));
            if let Some(version) = self.engine.configuration_version().filter(|_| calendars_end) {
                let calendars = Box::new(self.policy.calendars.around(self.now));
                self.decide(&Event::Expanded { version, calendars });
            }
        }
        self.now = self.now.max(at);
    }

    fn decide(&mut self, event: &Event) -> Verdict {
        let decision = self.engine.step(self.now, event);
        let done_at_once = self.count(&decision);
        for task in done_at_once {
            let ingress = self.ingress(&ClientId::new(CREW));
            let (crew, answer, received_at) = (CrewId::new(CREW), Answer::Completed, self.now);
            self.decide(&Event::Replied(Reply { crew, task, answer, ingress, received_at }));
        }
        decision.verdict
    }

    /// Counts what was decided, and says which tasks no value will ever end.
    fn count(&mut self, decision: &Decision) -> Vec<TaskId> {
        let mut done_at_once = Vec::new();
        let (now, day) = (self.now, self.now.since(self.from).as_micros() / DAY.as_micros());
        for fact in &decision.facts {
            match fact {
                Fact::AlarmRaised { alarm, rule, .. } => {
                    self.alarms.insert(*alarm, (rule.clone(), Some(now)));
                    self.raised(*alarm, day);
                }
                Fact::AlarmReactivated { alarm, .. } => {
                    if let Some((_, since)) = self.alarms.get_mut(alarm) {
                        *since = Some(now);
                    }
                    self.raised(*alarm, day);
                }
                Fact::ReturnedToNormal { alarm } => self.normal(*alarm),
                Fact::AlarmClosed { alarm } => {
                    self.normal(*alarm);
                    self.alarms.remove(alarm);
                }
                Fact::TaskRequested { task, alarm, .. } => {
                    let Some((rule, _)) = self.alarms.get(alarm) else { continue };
                    if let Some(count) = self.tally.counts.get_mut(rule) {
                        count.tasks += 1;
                    }
                    if self.engine.rules().rule(rule).is_some_and(|rule| rule.momentary) {
                        done_at_once.push(*task);
                    }
                }
                Fact::DelayStarted { .. }
                | Fact::DelayCancelled { .. }
                | Fact::Acknowledged { .. }
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
                | Fact::DeviceClockAhead { .. } => {}
            }
        }
        done_at_once
    }

    fn raised(&mut self, alarm: AlarmId, day: i64) {
        let rule = self.alarms.get(&alarm).map(|(rule, _)| rule);
        if let Some(count) = rule.and_then(|rule| self.tally.counts.get_mut(rule)) {
            count.alarms += 1;
            *count.by_day.entry(day).or_default() += 1;
        }
    }

    fn normal(&mut self, alarm: AlarmId) {
        let Some((rule, since)) = self.alarms.get_mut(&alarm) else { return };
        if let (Some(since), Some(count)) = (since.take(), self.tally.counts.get_mut(rule)) {
            count.active = count.active + self.now.since(since);
        }
    }

    /// No two messages are alike.
    fn ingress(&mut self, client: &ClientId) -> Ingress {
        self.messages += 1;
        let mut content = [0; 16];
        content[..8].copy_from_slice(&self.messages.to_be_bytes());
        let content = ContentHash(content);
        Ingress { client: client.clone(), connection: 1, packet: None, duplicate_flag: false, content }
    }
}
