//! Plays one scenario: the engine that decides live, and time that only the story moves.

use super::given::{Act, Cast, Whose};
use super::outcome::Outcome;
use super::{Beat, Check, Failure, Run, Scenario, Stage};
use crate::domain::alarm::Alarm;
use crate::domain::asset::{Asset, Device, Property};
use crate::domain::configuration::Configuration;
use crate::domain::crew::Crew;
use crate::domain::decision::{Decision, Fact};
use crate::domain::event::{Command, CommandKind, DeadlineReason, Event, RegistryChange, Reply};
use crate::domain::fault::Fault;
use crate::domain::ids::{
    AlarmId, AssetId, ClientId, CommandId, ContentHash, CrewId, DeviceId, PersonId, PropertyName, RuleId, SensorTypeId,
    TaskId,
};
use crate::domain::observation::{Identity, Observation, Observed, Quality, Value};
use crate::domain::person::{Basis, Person, Purpose};
use crate::domain::task::{Task, TaskStage};
use crate::domain::time::{Span, Timestamp};
use crate::domain::uplink::Ingress;
use crate::engine::{Engine, Limits};
use crate::review::account::{Language, Since, Telling, state_lines};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::ops::Range;

const PERSON: &str = "person-1";
/// The devices of the asset beside it are called like its own, with this before.
const NEIGHBOUR: &str = "neighbour-";
/// A registered basis is renewed by a professional; here it outlasts every story.
const BASIS_LASTS: Span = Span::from_hours(24 * 400);

pub(super) fn play(scenario: &Scenario, stage: &Stage<'_>, text: &str) -> Run {
    let mut player = Player::new(scenario, stage);
    let failure = player.all(scenario);
    let line = |place: &Range<usize>| {
        let fault =
            Fault { file: scenario.file.clone(), span: place.clone(), message: String::new(), suggestion: None };
        fault.place(text)
    };
    let failure = failure.map(|(place, failure)| {
        let (line, column) = line(&place);
        Failure { line, column, ..failure }
    });
    Run { name: scenario.name.clone(), file: scenario.file.clone(), line: line(&scenario.place).0, failure }
}

/// Stories are told by the second.
const MOMENT_LASTS: Span = Span::from_secs(1);

struct Player<'s> {
    stage: &'s Stage<'s>,
    cast: &'s Cast,
    watched: &'s [RuleId],
    engine: Engine,
    asset: AssetId,
    now: Timestamp,
    /// Messages so far: each is one of its own.
    messages: u64,
    /// What happened and was not looked at yet.
    happened: Vec<(Timestamp, Outcome)>,
    alarms: BTreeMap<AlarmId, RuleId>,
    tasks: BTreeMap<TaskId, (RuleId, SmolStr)>,
    since: BTreeMap<RuleId, Since>,
}

impl<'s> Player<'s> {
    /// Everything in place at the moment of the first step.
    fn new(scenario: &'s Scenario, stage: &'s Stage<'s>) -> Self {
        let start = scenario.checks.first().map_or(Timestamp::from_micros(0), |check| check.at);
        let cast = &scenario.cast;
        let mut player = Self {
            stage,
            cast,
            watched: &scenario.watched,
            engine: Engine::new(Limits::default()),
            asset: AssetId::new(format!("{}-1", cast.kind)),
            now: start,
            messages: 0,
            happened: Vec::new(),
            alarms: BTreeMap::new(),
            tasks: BTreeMap::new(),
            since: BTreeMap::new(),
        };
        let calendars = stage.calendars.around(start);
        let configuration = Configuration { calendars, ..stage.configuration.clone() };
        player.decide(Event::Configured(Box::new(configuration)));
        let registry = player.registry();
        player.decide(Event::Registered(registry));
        player.decide(Event::Started);
        player
    }

    fn registry(&self) -> Vec<RegistryChange> {
        let Cast { kind, attributes, sensors, bases, neighbour } = self.cast;
        let types = &self.stage.configuration.sensor_types;
        let purposes = |known: &SensorTypeId| types.get(known).into_iter().flat_map(|known| known.properties.values());
        let personal = sensors.iter().flat_map(purposes).any(|property| property.purpose.is_some());
        let registered = |purpose| Basis { purpose, starts_at: self.now, review_at: self.now + BASIS_LASTS };
        let person = personal.then(|| PersonId::new(PERSON));
        let mut changes = Vec::new();
        changes.extend(person.clone().map(|id| {
            let bases = bases.clone().unwrap_or_else(|| Purpose::ALL.to_vec());
            RegistryChange::PutPerson(Person { id, bases: bases.into_iter().map(registered).collect() })
        }));
        let beside = neighbour.then(|| (AssetId::new(format!("{kind}-2")), NEIGHBOUR, None, BTreeMap::new()));
        let own = (self.asset.clone(), "", person, attributes.clone());
        for (id, before, person, attributes) in std::iter::once(own).chain(beside) {
            let (asset, kind) = (id.clone(), kind.clone());
            changes.push(RegistryChange::PutAsset(Asset { id, kind, area: None, position: None, person, attributes }));
            changes.extend(sensors.iter().map(|sensor_type| {
                let (id, sensor_type) = (DeviceId::new(format!("{before}{sensor_type}")), sensor_type.clone());
                RegistryChange::PutDevice(Device { id, sensor_type, asset: asset.clone(), mounting: BTreeMap::new() })
            }));
        }
        let tasks = self.stage.rules.for_kind(kind).iter().filter_map(|rule| rule.task.as_ref());
        changes.extend(tasks.map(|task| {
            let id = CrewId::new(format!("crew-{}", task.skill));
            RegistryChange::PutCrew(Crew { id, skills: [task.skill.clone()].into(), areas: [].into() })
        }));
        changes
    }

    /// The first moment at which something else happens than expected, with the place in the file.
    fn all(&mut self, scenario: &Scenario) -> Option<(Range<usize>, Failure)> {
        let (mut beats, mut checks) = (scenario.beats.iter().peekable(), scenario.checks.iter().peekable());
        let mut place = scenario.place.clone();
        loop {
            let times = [beats.peek().map(|beat| beat.at), checks.peek().map(|check| check.at)];
            let at = times.into_iter().flatten().min()?;
            if let Some(check) = checks.peek() {
                place = check.place.clone();
            }
            while let Some(deadline) = self.engine.next_deadline().filter(|deadline| deadline.at <= at) {
                self.now = self.now.max(deadline.at);
                self.decide(Event::Due(deadline));
                if self.now < at && !self.happened.is_empty() {
                    return Some((place, self.failed(&[], None)));
                }
            }
            self.now = at;
            let mut trouble = None;
            while let Some(beat) = beats.next_if(|beat| beat.at == at) {
                if let Err(text) = self.perform(beat) {
                    place = beat.place.clone();
                    trouble = Some(text);
                }
            }
            let next =
                [beats.peek().map(|beat| beat.at), checks.peek().map(|check| check.at).filter(|next| *next > at)];
            let second_ends = next.into_iter().flatten().fold(at + MOMENT_LASTS, Timestamp::min);
            self.deadlines_before(second_ends);
            let mut expected = Vec::new();
            while let Some(check) = checks.next_if(|check| check.at == at) {
                if !check.expected.is_empty() || expected.is_empty() {
                    place = check.place.clone();
                }
                expected.extend(check.expected.iter().cloned());
            }
            if trouble.is_some() || !same(&expected, &self.happened) {
                let mut failure = self.failed(&expected, trouble);
                failure.later = self.later(failure_missing(&expected, &self.happened), beats, checks);
                return Some((place, failure));
            }
            self.happened.clear();
        }
    }

    fn failed(&self, expected: &[Outcome], trouble: Option<String>) -> Failure {
        let telling = self.telling();
        let told = |outcomes: &mut dyn Iterator<Item = &Outcome>| outcomes.map(ToString::to_string).collect();
        let silent = expected.is_empty() && self.happened.is_empty();
        let concerned = |rule: &&RuleId| {
            if silent {
                return true;
            }
            let all = expected.iter().chain(self.happened.iter().map(|(_, outcome)| outcome));
            let concerns = |outcome: &Outcome| match outcome {
                Outcome::Raised(id)
                | Outcome::RaisedAgain(id)
                | Outcome::Normal(id)
                | Outcome::RaisedInShadow(id)
                | Outcome::NormalInShadow(id) => id == *rule,
                Outcome::Requested(task) | Outcome::Cancelled(task) | Outcome::Verified(task) => {
                    let asked = self.stage.rules.rule(rule).and_then(|rule| rule.task.as_ref());
                    asked.is_some_and(|asked| asked.kind == *task)
                }
            };
            all.into_iter().any(concerns)
        };
        let none = Since::default();
        let state = self.watched.iter().filter(concerned).filter_map(|rule| {
            let insight = self.engine.inspect(self.now, &self.asset, rule)?;
            let lines = state_lines(&telling, &insight, self.since.get(rule).unwrap_or(&none));
            Some((rule.clone(), lines))
        });
        Failure {
            line: 0,
            column: 0,
            at: self.now,
            shown_at: telling.dated(self.now),
            expected: told(&mut expected.iter()),
            happened: told(&mut self.happened.iter().map(|(_, outcome)| outcome)),
            trouble,
            later: Vec::new(),
            state: state.collect(),
        }
    }

    /// Which of these happen until the story ends, and when.
    fn later<'b>(
        &mut self,
        missing: Vec<Outcome>,
        beats: impl Iterator<Item = &'b Beat>,
        checks: impl Iterator<Item = &'b Check>,
    ) -> Vec<(String, String)> {
        if missing.is_empty() {
            return Vec::new();
        }
        self.happened.clear();
        let mut beats: Vec<&Beat> = beats.collect();
        let end = checks.map(|check| check.at).chain(beats.iter().map(|beat| beat.at)).max().unwrap_or(self.now);
        beats.reverse();
        loop {
            let next = beats.last().map_or(end, |beat| beat.at);
            while let Some(deadline) = self.engine.next_deadline().filter(|deadline| deadline.at <= next) {
                self.now = self.now.max(deadline.at);
                self.decide(Event::Due(deadline));
            }
            self.now = self.now.max(next);
            match beats.pop() {
                // It has failed already; a step that cannot be done now says nothing more.
                Some(beat) => drop(self.perform(beat)),
                None => break,
            }
        }
        let telling = self.telling();
        let found = |outcome: Outcome| {
            let (at, _) = self.happened.iter().find(|(_, happened)| *happened == outcome)?;
            Some((outcome.to_string(), telling.dated(*at)))
        };
        missing.into_iter().filter_map(found).collect()
    }

    fn telling(&self) -> Telling<'s> {
        let types = self.stage.configuration.sensor_types.values();
        let known = types.filter(|known| known.asset_kind == self.cast.kind).map(|known| &known.properties);
        // What one type says of a property the others say too: a rule that reads it is checked for that.
        let properties = known.max_by_key(|properties| properties.len()).unwrap_or(&NONE);
        Telling { language: Language::English, clock: self.stage.calendars, properties, at: self.now, personal: false }
    }

    fn perform(&mut self, beat: &Beat) -> Result<(), String> {
        match &beat.act {
            Act::Report { whose, values, observed_at } => self.report(*whose, values, *observed_at),
            Act::Answer { task, answer } => {
                let open = self.open_task(task);
                let Some((id, Some(crew))) = open.map(|open| (open.id, open.crew.clone())) else {
                    return Err(format!("no crew has a task `{task}` to answer"));
                };
                let (ingress, received_at) = (self.ingress(crew.as_str()), self.now);
                self.decide(Event::Replied(Reply { crew, task: id, answer: *answer, ingress, received_at }));
            }
            Act::Acknowledge { rule } => {
                let ours = |alarm: &&Alarm| self.alarms.contains_key(&alarm.id) && !alarm.acknowledged;
                let open = self.engine.alarms().filter(ours).find(|alarm| alarm.rule == *rule);
                let Some(alarm) = open.map(|alarm| alarm.id) else {
                    return Err(format!("no alarm of `{rule}` waits to be acknowledged"));
                };
                self.command(CommandKind::AcknowledgeAlarm(alarm));
            }
            Act::Cancel { task } => {
                let open = self.open_task(task).map(|open| open.id);
                let Some(id) = open else { return Err(format!("no task `{task}` is open")) };
                self.command(CommandKind::CancelTask(id));
            }
        }
        Ok(())
    }

    fn open_task(&self, kind: &SmolStr) -> Option<&Task> {
        let ours = |task: &&Task| self.tasks.contains_key(&task.id) && !task.status.ended();
        self.engine.tasks().filter(ours).find(|task| task.kind == *kind)
    }

    /// What turns just behind a moment that a story can tell: `age(fill) > "12h"` does a microsecond after 12 hours.
    fn deadlines_before(&mut self, end: Timestamp) {
        while let Some(deadline) = self.engine.next_deadline().filter(|deadline| deadline.at < end) {
            self.now = self.now.max(deadline.at);
            self.decide(Event::Due(deadline));
        }
    }

    /// Each sensor sends what it measures; without values each gives a sign of life.
    fn report(&mut self, whose: Whose, values: &[(PropertyName, Value)], observed_at: Option<Timestamp>) {
        let stage = self.stage;
        let before = if whose == Whose::Neighbour { NEIGHBOUR } else { "" };
        let mut told: Vec<&PropertyName> = Vec::new();
        for sensor in &self.cast.sensors {
            let Some(known) = stage.configuration.sensor_types.get(sensor) else { continue };
            let mut observations = Vec::new();
            for (property, value) in values.iter().filter(|(property, _)| known.properties.contains_key(property)) {
                if told.contains(&property) {
                    continue;
                }
                told.push(property);
                let unit = known.properties.get(property).map(|known| known.unit.clone()).unwrap_or_default();
                let (property, value, quality) = (property.clone(), value.clone(), Quality::Accepted);
                let observed_at = observed_at.unwrap_or(self.now);
                observations.push(Observation { property, value, unit, quality, observed_at });
            }
            if observations.is_empty() && !values.is_empty() {
                continue;
            }
            let device = format!("{before}{sensor}");
            let ingress = self.ingress(&device);
            self.decide(Event::Observed(Observed {
                device: DeviceId::new(device),
                identity: Identity::Redelivery,
                ingress,
                received_at: self.now,
                clock_ahead: None,
                observations,
                redacted: Vec::new(),
                exercise: false,
            }));
        }
    }

    fn command(&mut self, kind: CommandKind) {
        self.messages += 1;
        let id = CommandId::new(format!("command-{}", self.messages));
        self.decide(Event::Commanded(Command { id, account: "operator".into(), kind }));
    }

    /// No two messages are alike.
    fn ingress(&mut self, client: &str) -> Ingress {
        self.messages += 1;
        let mut content = [0; 16];
        content[..8].copy_from_slice(&self.messages.to_be_bytes());
        Ingress {
            client: ClientId::new(client),
            connection: 1,
            packet: None,
            duplicate_flag: false,
            content: ContentHash(content),
        }
    }

    fn decide(&mut self, event: Event) {
        let event = self.engine.admit(self.now, event).into_event();
        let decision = self.engine.step(self.now, &event);
        self.learn(&decision);
        for rule in self.watched {
            if let Some(insight) = self.engine.inspect(self.now, &self.asset, rule) {
                self.since.entry(rule.clone()).or_default().note(&insight.explanation, self.now);
            }
        }
        let calendars_end = matches!(&event, Event::Due(deadline) if deadline.why == DeadlineReason::CalendarsEnd);
        if let Some(version) = self.engine.configuration_version().filter(|_| calendars_end) {
            let calendars = Box::new(self.stage.calendars.around(self.now));
            self.decide(Event::Expanded { version, calendars });
        }
    }

    fn learn(&mut self, decision: &Decision) {
        for fact in &decision.facts {
            let outcome = match fact {
                Fact::AlarmRaised { asset, .. } if *asset != self.asset => None,
                Fact::AlarmRaised { alarm, rule, .. } => {
                    self.alarms.insert(*alarm, rule.clone());
                    Some((rule.clone(), Outcome::Raised(rule.clone())))
                }
                Fact::ShadowRaised { asset, .. } | Fact::ShadowEnded { asset, .. } if *asset != self.asset => None,
                Fact::ShadowRaised { rule, .. } => Some((rule.clone(), Outcome::RaisedInShadow(rule.clone()))),
                Fact::ShadowEnded { rule, .. } => {
                    let rule = self.stage.rules.rule(rule).filter(|rule| !rule.momentary);
                    rule.map(|rule| (rule.id.clone(), Outcome::NormalInShadow(rule.id.clone())))
                }
                Fact::AlarmReactivated { alarm, .. } => {
                    self.alarms.get(alarm).map(|rule| (rule.clone(), Outcome::RaisedAgain(rule.clone())))
                }
                Fact::ReturnedToNormal { alarm, .. } => {
                    let rule = self.alarms.get(alarm).and_then(|rule| self.stage.rules.rule(rule));
                    let lasting = rule.filter(|rule| !rule.momentary);
                    lasting.map(|rule| (rule.id.clone(), Outcome::Normal(rule.id.clone())))
                }
                Fact::TaskRequested { task, alarm, kind, .. } => self.alarms.get(alarm).map(|rule| {
                    self.tasks.insert(*task, (rule.clone(), kind.clone()));
                    (rule.clone(), Outcome::Requested(kind.clone()))
                }),
                Fact::TaskCancelled { task, .. } => {
                    self.tasks.get(task).map(|(rule, kind)| (rule.clone(), Outcome::Cancelled(kind.clone())))
                }
                Fact::TaskStage { task, stage: TaskStage::Verified } => {
                    self.tasks.get(task).map(|(rule, kind)| (rule.clone(), Outcome::Verified(kind.clone())))
                }
                Fact::DelayStarted { .. }
                | Fact::DelayCancelled { .. }
                | Fact::Acknowledged { .. }
                | Fact::AlarmClosed { .. }
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
                | Fact::ReleasedEarly { .. } => None,
            };
            let seen = outcome.filter(|(rule, _)| self.watched.contains(rule));
            self.happened.extend(seen.map(|(_, outcome)| (self.now, outcome)));
        }
    }
}

static NONE: BTreeMap<PropertyName, Property> = BTreeMap::new();

fn same(expected: &[Outcome], happened: &[(Timestamp, Outcome)]) -> bool {
    let sorted = |mut outcomes: Vec<Outcome>| {
        outcomes.sort();
        outcomes
    };
    sorted(expected.to_vec()) == sorted(happened.iter().map(|(_, outcome)| outcome.clone()).collect())
}

fn failure_missing(expected: &[Outcome], happened: &[(Timestamp, Outcome)]) -> Vec<Outcome> {
    expected.iter().filter(|wanted| !happened.iter().any(|(_, known)| known == *wanted)).cloned().collect()
}
