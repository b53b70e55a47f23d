//! What must be true, written from the meaning of the rules and without a line of the engine: small, slow, obvious.
//!
//! It is fed every durable record with the truth behind it. What only the engine may choose (which crew, which
//! number) it takes from the facts and checks that the choice was allowed; everything else it works out by itself.

use super::record::{Named, Origin, Record, Sent, What};
use super::town::{self, Settings};
use super::world::ingress;
use rettidig::domain::decision::{DeliveryEnd, Effect, Fact, Notice};
use rettidig::domain::event::{Answer, CommandKind, Deadline, DeadlineReason, Event, RegistryChange, Reply, TurnedBy};
use rettidig::domain::ids::{DeliveryId, Seq};
use rettidig::domain::observation::Observed;
use rettidig::domain::person::Purpose;
use rettidig::domain::reason::{QuarantineReason, Verdict};
use rettidig::domain::time::{Span, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Messages of one device behind which an earlier one may have been forgotten.
const REMEMBERED: usize = 16;

type Condition = (String, String);

/// How long the same content is taken for a repetition where nothing marks it as one.
const GUESSED_FOR: Span = Span::from_mins(15);

#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    pub id: u64,
    pub active: bool,
    pub acknowledged: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub condition: Condition,
    /// Accepted by its crew, or further.
    pub taken: bool,
    pub crew: Option<String>,
    pub requested_at: Timestamp,
    offer_ends: Option<Timestamp>,
    retry_at: Option<Timestamp>,
    asked: BTreeSet<String>,
}

#[derive(Default)]
struct Asset {
    latest: BTreeMap<&'static str, (f64, Timestamp)>,
    tilted_due: Option<Timestamp>,
    /// Pressed since: as observed, as learned.
    pressed: Option<(Timestamp, Timestamp)>,
    wake: Option<Timestamp>,
}

struct Device {
    heard: Timestamp,
    interval: Span,
    silent: bool,
}

pub struct Model {
    settings: Settings,
    started: Timestamp,
    assets: BTreeMap<String, Asset>,
    devices: BTreeMap<String, Device>,
    crews: BTreeSet<String>,
    exposure_allowed: BTreeSet<String>,
    pub alarms: BTreeMap<Condition, Alarm>,
    pub tasks: BTreeMap<u64, Task>,
    /// Ended tasks of open alarms; when they were done, if they were.
    ended: BTreeMap<Condition, BTreeMap<u64, Option<Timestamp>>>,
    last_task: u64,
    last_alarm: u64,
    pub deliveries: BTreeMap<DeliveryId, (String, Notice, Timestamp)>,
    commands: BTreeSet<String>,
    /// What truly happened and is in the journal, at its first record.
    pub known: BTreeMap<u64, Seq>,
    /// When it was recorded first.
    known_at: BTreeMap<u64, Timestamp>,
    by_device: BTreeMap<String, Vec<u64>>,
    /// Messages whose acknowledgement left just before a crash that forgot it, with their sender: until it goes on to
    /// something else, the same content again may be either.
    pub ambiguous: BTreeMap<Seq, String>,
    pub swallowed: u64,
    /// Alarms that want a task and have none yet.
    wanting: BTreeSet<Condition>,
    pub raised: u64,
}

fn observed(record: &Record) -> &Observed {
    let Event::Observed(observed) = &record.event else { panic!("a value came as {:?}", record.event) };
    observed
}

fn exact(condition: bool, what: impl Fn() -> String) {
    assert!(condition, "{}", what());
}

impl Model {
    pub fn new() -> Self {
        Self {
            settings: Settings::Usual,
            started: Timestamp::MIN,
            assets: BTreeMap::new(),
            devices: BTreeMap::new(),
            crews: BTreeSet::new(),
            exposure_allowed: BTreeSet::new(),
            alarms: BTreeMap::new(),
            tasks: BTreeMap::new(),
            ended: BTreeMap::new(),
            last_task: 0,
            last_alarm: 0,
            deliveries: BTreeMap::new(),
            commands: BTreeSet::new(),
            known: BTreeMap::new(),
            known_at: BTreeMap::new(),
            by_device: BTreeMap::new(),
            ambiguous: BTreeMap::new(),
            swallowed: 0,
            wanting: BTreeSet::new(),
            raised: 0,
        }
    }

    pub fn learn(&mut self, record: &Record) {
        let verdict = record.decision.verdict;
        match (&record.event, &record.origin) {
            (_, Origin::Message(sent)) => self.message(record, sent),
            (Event::Due(deadline), _) => self.due(record.at, deadline),
            (Event::Started, _) => self.started = record.at,
            (Event::Configured(_), Origin::Operator(settings)) => self.configured(*settings, verdict),
            (Event::Registered(changes), _) => self.registered(record.at, changes, verdict),
            (Event::Commanded(command), _) => self.commanded(command, verdict),
            (Event::Receipt(_) | Event::Released { .. }, _) => assert_eq!(verdict, Verdict::Accepted),
            (event, origin) => panic!("nobody sends {event:?} as {origin:?}"),
        }
        self.facts(record);
        exact(self.wanting.is_empty(), || format!("no task was requested for {:?}: {record:?}", self.wanting));
        for (id, task) in &self.tasks {
            let asked = task.taken || task.offer_ends.is_some() || task.retry_at.is_some();
            exact(asked, || format!("task {id} is with nobody after {record:?}"));
        }
    }

    fn message(&mut self, record: &Record, sent: &Sent) {
        let (verdict, seq) = (record.decision.verdict, record.decision.seq);
        let again = self.known.contains_key(&sent.truth);
        if let Verdict::Duplicate { of } = verdict {
            if again {
                return;
            }
            exact(self.ambiguous.remove(&of).is_some(), || {
                format!("truth {} is new and was taken for record {of}: {record:?}", sent.truth)
            });
            self.swallowed += 1;
            self.known.insert(sent.truth, seq);
            return;
        }
        exact(!again || self.may_be_forgotten(sent) || self.comes_too_late(record, sent), || {
            format!("truth {} is in record {:?} already: {record:?}", sent.truth, self.known.get(&sent.truth))
        });
        if !again {
            self.known.insert(sent.truth, seq);
            self.known_at.insert(sent.truth, record.at);
        }
        let compared = !matches!(&sent.what, What::Value { identity: Named::ByNetwork | Named::ByTime, .. });
        if (compared || sent.poison) && ingress(&record.event).packet.is_some() {
            let client = ingress(&record.event).client.as_str();
            self.ambiguous.retain(|_, of| of != client);
        }
        match &sent.what {
            _ if sent.poison => assert_eq!(verdict, Verdict::Quarantined(QuarantineReason::Poison)),
            What::Garbage => assert_eq!(verdict, Verdict::Quarantined(QuarantineReason::Unparsable)),
            What::Reply { crew, task, answer } => self.replied(record.at, crew, *task, *answer, verdict),
            What::Value { asset, property, value, .. } => {
                self.value(record, sent, (asset, property, *value));
            }
        }
    }

    /// A repetition without any mark, so long after the first that it is taken for another fact.
    fn comes_too_late(&self, record: &Record, sent: &Sent) -> bool {
        let unmarked =
            matches!(&sent.what, What::Value { identity: Named::Not, .. } | What::Garbage | What::Reply { .. })
                && !ingress(&record.event).duplicate_flag;
        unmarked && self.known_at.get(&sent.truth).is_some_and(|first| record.at.since(*first) > GUESSED_FOR)
    }

    fn may_be_forgotten(&self, sent: &Sent) -> bool {
        let What::Value { asset, identity: Named::ByNetwork | Named::ByTime, .. } = &sent.what else { return false };
        let heard = self.by_device.get(*asset).map_or(&[][..], Vec::as_slice);
        !heard.iter().rev().take(REMEMBERED).any(|truth| *truth == sent.truth)
    }

    fn value(&mut self, record: &Record, sent: &Sent, (asset, property, value): (&str, &'static str, f64)) {
        let verdict = record.decision.verdict;
        let Some(device) = self.devices.get_mut(asset) else {
            assert_eq!(verdict, Verdict::Quarantined(QuarantineReason::UnknownDevice));
            self.known.remove(&sent.truth);
            return;
        };
        let received = observed(record).received_at;
        device.heard = device.heard.max(received);
        device.silent = false;
        self.by_device.entry(asset.to_owned()).or_default().push(sent.truth);
        let allowed = property != "pressure" || self.exposure_allowed.contains(asset);
        assert_eq!(observed(record).observations.is_empty(), !allowed, "{record:?}");
        assert_eq!(verdict, if allowed { Verdict::Accepted } else { Verdict::Redacted }, "{record:?}");
        let latest = &mut self.assets.get_mut(asset).unwrap().latest;
        let fresh = allowed && latest.get(property).is_none_or(|(_, at)| *at <= sent.observed_at);
        if fresh {
            latest.insert(property, (value, sent.observed_at));
        }
        let measured = fresh.then_some((property, sent.observed_at.min(received)));
        self.judge(asset, record.at, measured);
    }

    fn judge(&mut self, asset: &str, at: Timestamp, fresh: Option<(&str, Timestamp)>) {
        let measured = |property| fresh.filter(|(of, _)| *of == property).map(|(_, at)| at);
        let silent = self.devices.get(asset).is_some_and(|device| device.silent);
        let Some(state) = self.assets.get_mut(asset) else { return };
        let latest = |property| state.latest.get(property).map(|(value, _)| *value);
        let (fill, tilt, press) = (latest("fill"), latest("tilt").map(|tilt| tilt > 0.0), latest("press"));
        if asset.starts_with("bed") {
            let pressed = state.pressed_long_enough(at, self.settings.held_for());
            if measured("press").is_some() && press.is_some_and(|press| press >= 1.0) {
                self.raise(asset, "help", at);
                self.alarms.get_mut(&(asset.to_owned(), "help".to_owned())).unwrap().active = false;
            }
            self.holds(asset, "pressed", at, pressed == Some(true), pressed == Some(false));
            self.still_holds(asset, "pressed", pressed == Some(true), measured("pressure"));
            return;
        }
        let above = fill.is_some_and(|fill| fill >= self.settings.threshold());
        self.holds(asset, "full", at, above && !silent, fill.is_some_and(|fill| fill <= 0.25));
        self.still_holds(asset, "full", above && !silent, measured("fill"));
        if self.settings.has_quiet() {
            self.holds(asset, "quiet", at, silent, !silent);
        }
        if self.is_active(asset, "tilted") {
            self.holds(asset, "tilted", at, false, tilt == Some(false));
            return;
        }
        let state = self.assets.get_mut(asset).unwrap();
        match tilt {
            Some(true) => {
                state.tilted_due.get_or_insert(at + town::ON_DELAY);
            }
            Some(false) => state.tilted_due = None,
            None => {}
        }
    }

    fn is_active(&self, asset: &str, rule: &str) -> bool {
        self.alarms.get(&(asset.to_owned(), rule.to_owned())).is_some_and(|alarm| alarm.active)
    }

    /// The condition holds, or is known to be normal.
    fn holds(&mut self, asset: &str, rule: &str, at: Timestamp, holds: bool, normal: bool) {
        match (self.is_active(asset, rule), holds, normal) {
            (false, true, _) => self.raise(asset, rule, at),
            (true, _, true) => self.normal(&(asset.to_owned(), rule.to_owned())),
            (false, false, _) | (true, _, false) => {}
        }
    }

    /// Work that was reported done did not help: it is wanted again, each time later than the time before.
    fn still_holds(&mut self, asset: &str, rule: &str, holds: bool, measured: Option<Timestamp>) {
        let condition = (asset.to_owned(), rule.to_owned());
        let open = self.wanting.contains(&condition) || self.tasks.values().any(|task| task.condition == condition);
        let Some(measured) = measured.filter(|_| holds && !open && self.is_active(asset, rule)) else { return };
        let Some(ended) = self.ended.get(&condition) else { return };
        let done = ended.values().flatten().count() as u32;
        if let Some((_, Some(newest))) = ended.last_key_value()
            && measured.since(*newest) > Span::from_secs(60 * 8_i64.pow(done - 1))
        {
            self.wanting.insert(condition);
        }
    }

    fn raise(&mut self, asset: &str, rule: &str, _at: Timestamp) {
        let condition = (asset.to_owned(), rule.to_owned());
        let alarm = self.alarms.entry(condition.clone()).or_insert_with(|| {
            self.last_alarm += 1;
            self.raised += 1;
            Alarm { id: self.last_alarm, active: true, acknowledged: false }
        });
        alarm.active = true;
        alarm.acknowledged = false;
        if town::skill(rule).is_some() && !self.tasks.values().any(|task| task.condition == condition) {
            self.wanting.insert(condition);
        }
    }

    fn normal(&mut self, condition: &Condition) {
        self.alarms.get_mut(condition).unwrap().active = false;
        let off = |task: &Task| task.condition == *condition && !task.taken;
        let cancelled: Vec<_> = self.tasks.iter().filter(|(_, task)| off(task)).map(|(id, _)| *id).collect();
        for id in cancelled {
            self.end(id, None);
        }
        self.close_if_settled(condition);
    }

    fn end(&mut self, id: u64, done_at: Option<Timestamp>) {
        let task = self.tasks.remove(&id).unwrap();
        self.ended.entry(task.condition).or_default().insert(id, done_at);
    }

    fn close_if_settled(&mut self, condition: &Condition) {
        let settled = self.alarms.get(condition).is_some_and(|alarm| !alarm.active && alarm.acknowledged);
        if settled && !self.tasks.values().any(|task| task.condition == *condition) {
            self.alarms.remove(condition);
            self.ended.remove(condition);
        }
    }

    fn replied(&mut self, at: Timestamp, crew: &str, id: u64, answer: Answer, verdict: Verdict) {
        let Some(task) = self.tasks.get_mut(&id).filter(|task| task.crew.as_deref() == Some(crew)) else {
            // Done is done: saying so again is no fault.
            let harmless = verdict == Verdict::Accepted && answer == Answer::Completed && !self.tasks.contains_key(&id);
            assert!(
                harmless || matches!(verdict, Verdict::Refused(_)),
                "{crew} {answer:?} about task {id}: {verdict:?}"
            );
            return;
        };
        assert_eq!(verdict, Verdict::Accepted, "{crew} {answer:?} about task {id}");
        let condition = task.condition.clone();
        let seen = match answer {
            Answer::Rejected(_) => {
                task.give_back();
                false
            }
            Answer::Accepted | Answer::EnRoute | Answer::OnSite => {
                let first = !task.taken;
                task.take();
                first
            }
            Answer::Completed => {
                self.end(id, Some(at));
                true
            }
        };
        if seen {
            self.alarms.get_mut(&condition).unwrap().acknowledged = true;
        }
        if answer == Answer::Completed {
            self.close_if_settled(&condition);
        }
    }

    fn due(&mut self, at: Timestamp, deadline: &Deadline) {
        let passed = |due: Option<Timestamp>| {
            assert!(due.is_some_and(|due| due <= at), "{deadline:?} came at {at:?}, due {due:?}");
        };
        match &deadline.why {
            DeadlineReason::OnDelay { asset, rule } => {
                assert_eq!(rule.as_str(), "tilted");
                passed(self.assets.get_mut(asset.as_str()).and_then(|asset| asset.tilted_due.take()));
                self.raise(asset.as_str(), "tilted", at);
            }
            DeadlineReason::Turns { asset, by: TurnedBy::Change, .. } => self.judge(asset.as_str(), at, None),
            DeadlineReason::Turns { asset, .. } => {
                passed(self.assets.get(asset.as_str()).and_then(|asset| asset.wake));
                self.judge(asset.as_str(), at, None);
            }
            DeadlineReason::Silent { device } => {
                let asset = device.as_str().trim_end_matches("-sensor");
                passed(self.silent_due(asset));
                self.devices.get_mut(asset).unwrap().silent = true;
                self.judge(asset, at, None);
            }
            DeadlineReason::OfferExpired { task } => {
                passed(self.tasks.get(&task.0).and_then(|task| task.offer_ends));
                self.tasks.get_mut(&task.0).unwrap().give_back();
            }
            DeadlineReason::RetryTask { task } => {
                let task = self.tasks.get_mut(&task.0).unwrap();
                passed(task.retry_at.take());
            }
            DeadlineReason::DeliveryExpires { delivery } => {
                passed(self.deliveries.get(delivery).map(|(_, _, expires)| *expires));
            }
            DeadlineReason::CalendarsEnd => passed(None),
        }
    }

    fn silent_due(&self, asset: &str) -> Option<Timestamp> {
        let device = self.devices.get(asset).filter(|device| !device.silent)?;
        let by_word = device.heard + device.interval.times(4);
        let away = self.started > device.heard;
        Some(if away { by_word.max(self.started + device.interval) } else { by_word })
    }

    fn configured(&mut self, which: u64, verdict: Verdict) {
        let settings = [Settings::Usual, Settings::Brisk, Settings::Broken][(which % 4) as usize];
        if settings == Settings::Broken {
            assert!(matches!(verdict, Verdict::Refused(_)), "{verdict:?}");
            return;
        }
        assert_eq!(verdict, Verdict::Accepted);
        if settings.held_for() != self.settings.held_for() {
            for asset in self.assets.values_mut() {
                (asset.pressed, asset.wake) = (None, None);
            }
        }
        self.settings = settings;
        self.devices.values_mut().for_each(|device| device.interval = settings.interval());
        if !settings.has_quiet() {
            self.alarms.retain(|(_, rule), _| rule != "quiet");
        }
    }

    fn registered(&mut self, at: Timestamp, changes: &[RegistryChange], verdict: Verdict) {
        let unknown = changes.iter().any(|change| match change {
            RegistryChange::RemoveAsset(asset) => !self.assets.contains_key(asset.as_str()),
            _ => false,
        });
        if unknown {
            assert!(matches!(verdict, Verdict::Refused(_)), "{changes:?}: {verdict:?}");
            return;
        }
        assert_eq!(verdict, Verdict::Accepted, "{changes:?}");
        for change in changes {
            self.change(at, change);
        }
    }

    fn change(&mut self, at: Timestamp, change: &RegistryChange) {
        match change {
            RegistryChange::PutAsset(asset) => {
                self.assets.entry(asset.id.to_string()).or_default();
            }
            RegistryChange::PutDevice(device) => {
                let interval = self.settings.interval();
                let heard = Device { heard: at, interval, silent: false };
                self.devices.entry(device.asset.to_string()).or_insert(heard).interval = interval;
            }
            RegistryChange::PutCrew(crew) => {
                self.crews.insert(crew.id.to_string());
            }
            RegistryChange::PutPerson(person) => {
                let bed = person.id.as_str().replace("person", "bed");
                self.exposure_allowed.remove(&bed);
                if person.bases.iter().any(|basis| basis.purpose == Purpose::Exposure) {
                    self.exposure_allowed.insert(bed);
                }
            }
            RegistryChange::RemoveAsset(asset) => {
                self.assets.remove(asset.as_str());
                self.alarms.retain(|(of, _), _| of != asset.as_str());
                self.tasks.retain(|_, task| task.condition.0 != asset.as_str());
                self.ended.retain(|(of, _), _| of != asset.as_str());
            }
            RegistryChange::RemoveDevice(device) => {
                let asset = device.as_str().trim_end_matches("-sensor");
                self.devices.remove(asset);
                self.by_device.remove(asset);
            }
            RegistryChange::RemoveCrew(crew) => {
                self.crews.remove(crew.as_str());
                let held = self.tasks.values_mut().filter(|task| task.crew.as_deref() == Some(crew.as_str()));
                held.for_each(Task::give_back);
            }
            RegistryChange::RemovePerson(_) => panic!("nobody removes people here"),
        }
    }

    fn commanded(&mut self, command: &rettidig::domain::event::Command, verdict: Verdict) {
        if !self.commands.insert(command.id.to_string()) {
            assert!(matches!(verdict, Verdict::Duplicate { .. }), "{command:?}: {verdict:?}");
            return;
        }
        let done = match &command.kind {
            CommandKind::AcknowledgeAlarm(alarm) => {
                let unseen = self.alarms.iter_mut().find(|(_, known)| known.id == alarm.0 && !known.acknowledged);
                unseen.map(|(condition, alarm)| {
                    alarm.acknowledged = true;
                    condition.clone()
                })
            }
            CommandKind::ProposeRules(_) | CommandKind::RejectRules { .. } => panic!("nobody changes rules so here"),
            CommandKind::CancelTask(task) => {
                let about = self.tasks.get(&task.0).map(|task| task.condition.clone());
                about.inspect(|_| self.end(task.0, None))
            }
        };
        match &done {
            Some(condition) => {
                assert_eq!(verdict, Verdict::Accepted, "{command:?}");
                self.close_if_settled(condition);
            }
            None => assert!(matches!(verdict, Verdict::Refused(_)), "{command:?}: {verdict:?}"),
        }
    }

    /// What the engine chose: allowed, and remembered.
    fn facts(&mut self, record: &Record) {
        for Effect::Deliver(delivery) in &record.decision.effects {
            let kept = (delivery.crew.to_string(), delivery.message.notice, delivery.expires_at);
            assert!(self.deliveries.insert(delivery.id, kept).is_none(), "{} twice", delivery.id);
        }
        for fact in &record.decision.facts {
            match fact {
                Fact::TaskRequested { task, alarm, skill, .. } => {
                    self.requested(record.at, task.0, alarm.0, skill.as_str());
                }
                Fact::TaskOffered { task, crew, expires_at, delivery } => {
                    let kept = self.deliveries.get(delivery);
                    assert!(kept.is_some_and(|(to, notice, _)| to == crew.as_str() && *notice == Notice::Offered));
                    self.offered(record.at, task.0, crew.as_str(), *expires_at);
                }
                Fact::TaskWaiting { task, retry_at } => self.waiting(record.at, task.0, *retry_at),
                Fact::DeliveryEnded { delivery, end } => self.delivery_ended(record, *delivery, *end),
                _ => {}
            }
        }
    }

    fn requested(&mut self, at: Timestamp, task: u64, alarm: u64, skill: &str) {
        let found = self.alarms.iter().find(|(_, known)| known.id == alarm).map(|(condition, _)| condition.clone());
        let condition = found.unwrap_or_else(|| panic!("task {task} is about alarm {alarm}, which is not open"));
        assert!(self.wanting.remove(&condition), "nobody wants task {task} about {condition:?}");
        assert_eq!(town::skill(&condition.1), Some(skill));
        assert!(task > self.last_task, "task {task} is an old number");
        self.last_task = task;
        let task_state = Task {
            condition,
            taken: false,
            crew: None,
            requested_at: at,
            offer_ends: None,
            retry_at: None,
            asked: BTreeSet::new(),
        };
        self.tasks.insert(task, task_state);
    }

    fn able<'a>(&'a self, task: &'a Task) -> impl Iterator<Item = &'a str> {
        let skill = town::skill(&task.condition.1).unwrap();
        town::CREWS
            .iter()
            .filter(move |(crew, can)| *can == skill && self.crews.contains(*crew) && !task.asked.contains(*crew))
            .map(|(crew, _)| *crew)
    }

    fn offered(&mut self, at: Timestamp, id: u64, crew: &str, expires_at: Timestamp) {
        let task = &self.tasks[&id];
        assert!(self.able(task).any(|able| able == crew), "task {id} was offered to {crew}");
        let wait = town::policy().offer_timeouts[town::priority(&task.condition.1) - 1];
        assert_eq!(expires_at, at + wait, "the end of task {id}'s offer");
        let task = self.tasks.get_mut(&id).unwrap();
        (task.crew, task.offer_ends, task.retry_at) = (Some(crew.to_owned()), Some(expires_at), None);
    }

    fn waiting(&mut self, at: Timestamp, id: u64, retry_at: Timestamp) {
        let task = &self.tasks[&id];
        assert_eq!(self.able(task).next(), None, "task {id} waits though somebody could be asked");
        assert_eq!(retry_at, at + town::policy().retry_after);
        let task = self.tasks.get_mut(&id).unwrap();
        task.retry_at = Some(retry_at);
        task.asked.clear();
    }

    /// Whoever is said to have it must have it: by a receipt, or by speaking about it.
    fn delivery_ended(&mut self, record: &Record, id: DeliveryId, end: DeliveryEnd) {
        let (crew, _, expires) = self.deliveries.remove(&id).unwrap_or_else(|| panic!("{id} ended twice"));
        match end {
            DeliveryEnd::Delivered | DeliveryEnd::HandedOver => {
                let spoke = match &record.event {
                    Event::Receipt(receipt) => receipt.delivery == id,
                    Event::Replied(Reply { crew: by, .. }) => by.as_str() == crew,
                    _ => false,
                };
                assert!(spoke, "{id} to {crew} ended as delivered by {:?}", record.event);
            }
            DeliveryEnd::Expired => assert!(expires <= record.at, "{id} expired too early"),
            DeliveryEnd::Superseded => {}
        }
    }

    /// What is overdue at `now` although every deadline has been fired.
    pub fn overdue(&self, now: Timestamp) -> Vec<String> {
        let late = |due: Option<Timestamp>| due.is_some_and(|due| due <= now);
        let mut found = Vec::new();
        for (id, asset) in &self.assets {
            if late(asset.tilted_due) || late(asset.wake) {
                found.push(format!("asset {id}"));
            }
        }
        found.extend(self.devices.keys().filter(|id| late(self.silent_due(id))).map(|id| format!("silence of {id}")));
        for (id, task) in &self.tasks {
            if late(task.offer_ends) || late(task.retry_at) {
                found.push(format!("task {id}"));
            }
        }
        found.extend(
            self.deliveries.iter().filter(|(_, (_, _, at))| *at <= now).map(|(id, _)| format!("delivery {id}")),
        );
        found
    }

    pub fn silent(&self) -> Vec<String> {
        let silent = self.devices.iter().filter(|(_, device)| device.silent);
        silent.map(|(asset, _)| format!("{asset}-sensor")).collect()
    }
}

impl Task {
    fn take(&mut self) {
        self.taken = true;
        self.offer_ends = None;
    }

    fn give_back(&mut self) {
        self.asked.extend(self.crew.take());
        self.taken = false;
        self.offer_ends = None;
    }
}

impl Asset {
    /// Unknown when nobody ever measured.
    fn pressed_long_enough(&mut self, now: Timestamp, wait: Span) -> Option<bool> {
        self.wake = None;
        let (pressure, newest) = *self.latest.get("pressure")?;
        if pressure <= 60.0 {
            self.pressed = None;
            return Some(false);
        }
        let (observed, learned) = *self.pressed.get_or_insert((newest, now));
        let long = newest.since(observed) >= wait || now >= learned + wait;
        if !long {
            self.wake = Some(learned + wait);
        }
        Some(long)
    }
}
