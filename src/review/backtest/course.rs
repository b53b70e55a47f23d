//! One rule set on its way through the data.

use super::deposits::day_of;
use super::{Policy, sensor_type};
use crate::domain::asset::SensorType;
use crate::domain::configuration::{Configuration, DispatchPolicy};
use crate::domain::crew::Crew;
use crate::domain::decision::{Decision, Fact};
use crate::domain::event::{Answer, Deadline, DeadlineReason, Event, RegistryChange, Reply};
use crate::domain::ids::{AlarmId, AssetId, ClientId, ContentHash, CrewId, RuleId, TaskId};
use crate::domain::observation::{Identity, Observed};
use crate::domain::reason::Verdict;
use crate::domain::time::{Span, Timestamp};
use crate::domain::uplink::Ingress;
use crate::engine::{Engine, Limits};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Whoever is offered a task: one crew that can do everything, everywhere.
const CREW: &str = "backtest";
/// Nobody answers, and nobody is asked again.
const FOR_EVER: Span = Span::from_hours(24 * 366 * 50);

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
    /// Alarms by day since 1970 (UTC).
    pub by_day: BTreeMap<i64, u64>,
}

/// What one rule set called for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Of every rule of the set, also of one that called for nothing.
    pub counts: BTreeMap<RuleId, Count>,
    pub refused: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        self.refused += other.refused;
        for (rule, count) in &other.counts {
            let sum = self.counts.entry(rule.clone()).or_default();
            sum.alarms += count.alarms;
            sum.tasks += count.tasks;
            sum.active = sum.active + count.active;
            sum.open += count.open;
            for (day, alarms) in &count.by_day {
                *sum.by_day.entry(*day).or_default() += alarms;
            }
        }
    }
}

/// What was said of one asset while it was judged.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    pub alarms: u64,
    pub tasks: u64,
}

/// Containers that a crew empties when it is called.
#[derive(Debug, Default)]
pub(super) struct Served {
    /// A task of this kind is to empty, as is one whose rule asks whether that has happened.
    kind: SmolStr,
    judged_from: BTreeMap<AssetId, Timestamp>,
    /// Called for and not told yet.
    called: Vec<(Timestamp, AssetId)>,
    open: BTreeMap<AssetId, Vec<TaskId>>,
    said: BTreeMap<AssetId, Said>,
}

impl Served {
    pub fn of(kind: &SmolStr, judged_from: BTreeMap<AssetId, Timestamp>) -> Self {
        Self { kind: kind.clone(), judged_from, ..Self::default() }
    }

    fn say(&mut self, now: Timestamp, asset: &AssetId, what: impl Fn(&mut Said)) {
        if self.judged_from.get(asset).is_some_and(|from| *from <= now) {
            what(self.said.entry(asset.clone()).or_default());
        }
    }
}

struct Raised {
    rule: RuleId,
    asset: AssetId,
    /// Since when it has been active.
    since: Option<Timestamp>,
}

pub(super) struct Course<'p> {
    policy: &'p Policy<'p>,
    engine: Engine,
    now: Timestamp,
    messages: u64,
    tally: Tally,
    alarms: BTreeMap<AlarmId, Raised>,
    /// None where nobody answers.
    served: Option<Served>,
}

impl<'p> Course<'p> {
    pub fn begin(policy: &'p Policy<'p>, from: Timestamp) -> Self {
        Self::begin_with(policy, policy.configuration.clone(), from, None)
    }

    /// A crew empties the containers; their sensors speak at this interval.
    pub fn begin_serving(policy: &'p Policy<'p>, from: Timestamp, interval: Span, served: Served) -> Self {
        let mut configuration = policy.configuration.clone();
        if let Some(known) = sensor_type(&configuration).cloned() {
            let interval = known.interval.max(interval);
            configuration.sensor_types.insert(known.id.clone(), SensorType { interval, ..known });
        }
        Self::begin_with(policy, configuration, from, Some(served))
    }

    fn begin_with(
        policy: &'p Policy<'p>,
        configuration: Configuration,
        from: Timestamp,
        served: Option<Served>,
    ) -> Self {
        let engine = Engine::new(Limits::default());
        let (tally, alarms) = (Tally::default(), BTreeMap::new());
        let mut course = Self { policy, engine, now: from, messages: 0, tally, alarms, served };
        let dispatch = DispatchPolicy { offer_timeouts: [FOR_EVER; 4], retry_after: FOR_EVER };
        let calendars = policy.calendars.around(from);
        let configuration = Configuration { dispatch, calendars, ..configuration };
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
        self.take(observed.clone());
    }

    fn take(&mut self, observed: Observed) {
        let ingress = self.ingress(&observed.ingress.client);
        self.decide(&Event::Observed(Observed { identity: Identity::Redelivery, ingress, ..observed }));
    }

    /// A level that was made for this course alone.
    pub fn level(&mut self, at: Timestamp, observed: Observed) {
        self.until(at);
        self.take(observed);
    }

    /// The end of the data: what is active there has been so until then.
    pub fn finish(mut self, until: Timestamp) -> Tally {
        self.until(until);
        for raised in self.alarms.values() {
            if let (Some(since), Some(count)) = (raised.since, self.tally.counts.get_mut(&raised.rule)) {
                count.active = count.active + until.since(since);
                count.open += 1;
            }
        }
        self.tally
    }

    pub fn finish_serving(mut self, until: Timestamp) -> (Tally, BTreeMap<AssetId, Said>) {
        let served = self.served.take().unwrap_or_default();
        (self.finish(until), served.said)
    }

    /// What waits until then becomes due, up to the first call for a crew. Says whether there is one.
    pub fn until_called(&mut self, at: Timestamp) -> bool {
        let called = |course: &Self| course.served.as_ref().is_some_and(|served| !served.called.is_empty());
        while !called(self) {
            let Some(deadline) = self.engine.next_deadline().filter(|deadline| deadline.at <= at) else { return false };
            self.becomes_due(deadline);
        }
        true
    }

    /// Containers that a crew was called for since this was asked last.
    pub fn called(&mut self) -> Vec<(Timestamp, AssetId)> {
        self.served.as_mut().map(|served| std::mem::take(&mut served.called)).unwrap_or_default()
    }

    /// Whether any task to empty it is still open: what solves itself cancels its task.
    pub fn wanted(&self, asset: &AssetId) -> bool {
        self.served.as_ref().and_then(|served| served.open.get(asset)).is_some_and(|open| !open.is_empty())
    }

    /// The crew has emptied it, and says so of every task that was to.
    pub fn done(&mut self, at: Timestamp, asset: &AssetId) {
        self.until(at);
        let open = self.served.as_mut().and_then(|served| served.open.remove(asset)).unwrap_or_default();
        for task in open {
            self.complete(task);
        }
    }

    fn until(&mut self, at: Timestamp) {
        while let Some(deadline) = self.engine.next_deadline().filter(|deadline| deadline.at <= at) {
            self.becomes_due(deadline);
        }
        self.now = self.now.max(at);
    }

    fn becomes_due(&mut self, deadline: Deadline) {
        self.now = self.now.max(deadline.at);
        let calendars_end = deadline.why == DeadlineReason::CalendarsEnd;
        self.decide(&Event::Due(deadline));
        if let Some(version) = self.engine.configuration_version().filter(|_| calendars_end) {
            let calendars = Box::new(self.policy.calendars.around(self.now));
            self.decide(&Event::Expanded { version, calendars });
        }
    }

    fn complete(&mut self, task: TaskId) {
        let ingress = self.ingress(&ClientId::new(CREW));
        let (crew, answer, received_at) = (CrewId::new(CREW), Answer::Completed, self.now);
        self.decide(&Event::Replied(Reply { crew, task, answer, ingress, received_at }));
    }

    fn decide(&mut self, event: &Event) -> Verdict {
        let decision = self.engine.step(self.now, event);
        let done_at_once = self.count(&decision);
        for task in done_at_once {
            self.complete(task);
        }
        decision.verdict
    }

    /// Counts what was decided, and says which tasks no value will ever end.
    fn count(&mut self, decision: &Decision) -> Vec<TaskId> {
        let mut done_at_once = Vec::new();
        let now = self.now;
        for fact in &decision.facts {
            match fact {
                Fact::AlarmRaised { alarm, rule, asset, .. } => {
                    let raised = Raised { rule: rule.clone(), asset: asset.clone(), since: Some(now) };
                    self.alarms.insert(*alarm, raised);
                    self.raised(*alarm);
                }
                Fact::AlarmReactivated { alarm, .. } => {
                    if let Some(raised) = self.alarms.get_mut(alarm) {
                        raised.since = Some(now);
                    }
                    self.raised(*alarm);
                }
                Fact::ReturnedToNormal { alarm, .. } => self.normal(*alarm),
                Fact::AlarmClosed { alarm } => {
                    self.normal(*alarm);
                    self.alarms.remove(alarm);
                }
                Fact::TaskRequested { task, alarm, kind, .. } => {
                    done_at_once.extend(self.requested(*task, *alarm, kind));
                }
                Fact::TaskCancelled { task, .. } => {
                    for open in self.served.iter_mut().flat_map(|served| served.open.values_mut()) {
                        open.retain(|known| known != task);
                    }
                }
                Fact::DelayStarted { .. }
                | Fact::DelayCancelled { .. }
                | Fact::ShadowRaised { .. }
                | Fact::ShadowEnded { .. }
                | Fact::Acknowledged { .. }
                | Fact::TaskOffered { .. }
                | Fact::TaskWaiting { .. }
                | Fact::OfferExpired { .. }
                | Fact::TaskRejected { .. }
                | Fact::TaskAccepted { .. }
                | Fact::TaskStage { .. }
                | Fact::TaskCompleted { .. }
                | Fact::DeliveryEnded { .. }
                | Fact::DeviceSilent { .. }
                | Fact::DeviceHeard { .. }
                | Fact::DeviceClockAhead { .. }
                | Fact::MeasuredLate { .. }
                | Fact::ReleasedEarly { .. } => {}
            }
        }
        done_at_once
    }

    /// Counts a task; gives it back where it is done at once, as no value would ever end it.
    fn requested(&mut self, task: TaskId, alarm: AlarmId, kind: &SmolStr) -> Option<TaskId> {
        let raised = self.alarms.get(&alarm)?;
        self.tally.counts.get_mut(&raised.rule)?.tasks += 1;
        let rule = self.engine.rules().rule(&raised.rule)?;
        if let Some(served) = &mut self.served {
            served.say(self.now, &raised.asset, |said| said.tasks += 1);
            if *kind == served.kind || rule.is_about_emptying() {
                served.called.push((self.now, raised.asset.clone()));
                served.open.entry(raised.asset.clone()).or_default().push(task);
                return None;
            }
        }
        rule.momentary.then_some(task)
    }

    fn raised(&mut self, alarm: AlarmId) {
        let Some(raised) = self.alarms.get(&alarm) else { return };
        if let Some(count) = self.tally.counts.get_mut(&raised.rule) {
            count.alarms += 1;
            *count.by_day.entry(day_of(self.now)).or_default() += 1;
        }
        if let Some(served) = &mut self.served {
            served.say(self.now, &raised.asset, |said| said.alarms += 1);
        }
    }

    fn normal(&mut self, alarm: AlarmId) {
        let Some(raised) = self.alarms.get_mut(&alarm) else { return };
        if let (Some(since), Some(count)) = (raised.since.take(), self.tally.counts.get_mut(&raised.rule)) {
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
