//! What happens when, drawn from a seed: the agenda, the surroundings, and the checks after each turn.
//!
//! Faults stop after eight simulated hours; then everybody behaves, and what is open must reach a crew in time.

use super::crews::{Crew, answers};
use super::gateway::{Doom, Folder, Gateway, Shared, Surroundings, options, sealing};
use super::links::{Link, event};
use super::model::Model;
use super::record::{Named, Origin, Record, Sent, What};
use super::town::{self, Settings};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rettidig::dispatch::wire::TaskPost;
use rettidig::dispatch::{Channel, Inbox};
use rettidig::domain::event::{Answer, Command, CommandKind, Event, RegistryChange};
use rettidig::domain::ids::{AlarmId, CommandId, CrewId, JournalId, Seq, TaskId};
use rettidig::domain::reason::{QuarantineReason, Verdict};
use rettidig::domain::task::TaskStatus;
use rettidig::domain::time::{Span, Timestamp};
use rettidig::engine::{Engine, Limits};
use rettidig::journal::fault::{FaultOrder, Step, tear};
use rettidig::journal::{Journal, Reader, verify};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

const FAULTS_FOR: Span = Span::from_hours(8);
/// As long as a notice may stay on its way, and a little.
const QUIET_FOR: Span = Span::from_hours(13);
/// Within this an open alarm reaches a crew once nothing goes wrong any more.
const REACHED_WITHIN: Span = Span::from_mins(45);
const SETTLING: Span = Span::from_mins(15);

const STEPS: [(Step, u32); 7] = [
    (Step::Append, 90),
    (Step::Commit, 70),
    (Step::SwitchCreate, 2),
    (Step::SwitchRename, 2),
    (Step::SnapshotWrite, 2),
    (Step::SnapshotRename, 2),
    (Step::Prune, 1),
];

enum Action {
    Report(&'static str),
    Press(&'static str),
    Enqueue(usize, Arc<Sent>),
    Arrive { link: usize, connection: u64, packet: Option<u16>, sent: Arc<Sent>, duplicate: bool },
    Acknowledge { link: usize, connection: u64, packet: u16 },
    LinkDown(usize),
    LinkUp(usize),
    CrewDown(usize),
    CrewUp(usize),
    BrokerDown,
    BrokerUp,
    Post { crew: usize, connection: Option<u64>, key: u64, payload: Vec<u8> },
    Delivered { crew: usize, connection: u64, key: u64 },
    HandedOver { connection: u64, key: u64 },
    Say { crew: usize, task: u64, answer: Answer },
    Operate,
    Submit(u64),
    Kill,
    Start,
    Snapshot,
    Maintain,
    Tick,
    FaultsEnd,
    LastReports,
    End,
}

/// What a run came to; equal for equal seeds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub chain: [u8; 32],
    pub records: u64,
    pub messages: u64,
    pub duplicates: u64,
    pub alarms: u64,
    pub tasks: u64,
    pub deliveries: u64,
    pub ambiguous: u64,
    pub crashes: u64,
    pub torn: u64,
}

impl Outcome {
    pub fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.messages += other.messages;
        self.duplicates += other.duplicates;
        self.alarms += other.alarms;
        self.tasks += other.tasks;
        self.deliveries += other.deliveries;
        self.ambiguous += other.ambiguous;
        self.crashes += other.crashes;
        self.torn += other.torn;
    }
}

#[derive(Default)]
struct Ledger {
    received: u64,
    settled: u64,
    duplicates: u64,
    /// In the inbox or decided when the process died, and not found durable.
    lost: u64,
}

struct Bin {
    fill: f64,
    tilt: bool,
}

pub struct World {
    rng: ChaCha8Rng,
    now: Timestamp,
    agenda: BTreeMap<(Timestamp, u64), Action>,
    entries: u64,
    folder: Folder,
    shared: Shared,
    _kept: tempfile::TempDir,
    gateway: Option<Gateway>,
    inbox: Vec<(Event, Origin)>,
    links: Vec<Link>,
    crews: Vec<Crew>,
    broker_connection: u64,
    bins: BTreeMap<&'static str, Bin>,
    pressure: BTreeMap<&'static str, f64>,
    model: Model,
    shadow: Engine,
    record: Vec<Record>,
    /// The last record that `sync` has reported.
    reported: Seq,
    in_doubt: Vec<Record>,
    /// Acknowledgements that have left since the last durable note about it.
    unnoted: BTreeMap<Seq, String>,
    owed: BTreeMap<u64, (Event, Origin)>,
    requests: u64,
    truths: u64,
    connections: u64,
    poisons: u32,
    faults: bool,
    ended: bool,
    quiet_since: Timestamp,
    ledger: Ledger,
    out: Outcome,
}

/// Memory where there is some: nothing here must survive the machine.
pub fn folder() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let kept = folder();
        let shared = Shared::new(Surroundings::default().into());
        let retain_for = if rng.random_ratio(1, 4) { Span::from_hours(3) } else { Span::from_hours(100_000) };
        let pending_max = rng.random_range(3..12);
        let id = JournalId(seed.to_le_bytes().repeat(2).try_into().unwrap());
        let path = kept.path().join("journal");
        let names = [("lora-1", true), ("lora-2", true), ("bin-3", true), ("bin-4", false)];
        let beds = [("bed-1", true), ("bed-2", false), ("bed-3", true)];
        let crews = town::CREWS.iter().map(|(name, _)| (*name, true));
        Self {
            poisons: u32::from(rng.random_ratio(1, 5)),
            rng,
            now: Timestamp::from_micros(0) + Span::from_hours(1_000),
            agenda: BTreeMap::new(),
            entries: 0,
            folder: Folder { path, shared: Arc::clone(&shared), id, retain_for, pending_max },
            shared,
            _kept: kept,
            gateway: None,
            inbox: Vec::new(),
            links: names.into_iter().chain(beds).chain(crews).map(|(name, marks)| Link::new(name, marks)).collect(),
            crews: town::CREWS
                .iter()
                .map(|(name, _)| Crew { name, up: false, connection: 0, seen: BTreeSet::new(), jobs: BTreeMap::new() })
                .collect(),
            broker_connection: 0,
            bins: town::BINS.iter().map(|bin| (*bin, Bin { fill: 0.3, tilt: false })).collect(),
            pressure: town::BEDS.iter().map(|bed| (*bed, 20.0)).collect(),
            model: Model::new(),
            shadow: Engine::new(Limits::default()),
            record: Vec::new(),
            reported: Seq(0),
            in_doubt: Vec::new(),
            unnoted: BTreeMap::new(),
            owed: BTreeMap::new(),
            requests: 0,
            truths: 0,
            connections: 0,
            faults: true,
            ended: false,
            quiet_since: Timestamp::MIN,
            ledger: Ledger::default(),
            out: Outcome::default(),
        }
    }

    pub fn run(mut self) -> Outcome {
        self.set_out();
        while !self.ended {
            let next = self.agenda.first_key_value().map(|((at, _), _)| *at).unwrap();
            let due = self.gateway.as_mut().and_then(|gateway| gateway.engine.next_deadline()).map(|due| due.at);
            if let Some(due) = due.filter(|due| *due < next) {
                self.pass_to(due);
                self.turn();
                continue;
            }
            self.pass_to(next);
            let (_, action) = self.agenda.pop_first().unwrap();
            self.act(action);
            let more =
                self.agenda.first_key_value().is_some_and(|((at, _), _)| at.since(self.now) < Span::from_secs(1));
            let waiting = !self.inbox.is_empty() || self.gateway.as_ref().is_some_and(Gateway::owes_note);
            if waiting && (!more || self.rng.random_ratio(1, 3)) {
                self.turn();
            }
        }
        self.look_back();
        self.out
    }

    fn pass_to(&mut self, at: Timestamp) {
        self.now = self.now.max(at);
        self.shared.lock().unwrap().now = self.now;
    }

    fn at(&mut self, wait: Span, action: Action) {
        self.entries += 1;
        self.agenda.insert((self.now + wait, self.entries), action);
    }

    fn seconds(&mut self, from: i64, until: i64) -> Span {
        Span::from_millis(self.rng.random_range(from * 1_000..until * 1_000))
    }

    fn chance(&mut self, one_in: u32) -> bool {
        self.faults && self.rng.random_ratio(1, one_in)
    }

    fn set_out(&mut self) {
        self.request(Event::Configured(Box::new(town::configuration(Settings::Usual))), 0);
        self.request(Event::Registered(town::registry()), 0);
        self.at(Span::ZERO, Action::Start);
        for bed in town::BEDS {
            let (report, press) = (self.seconds(60, 900), self.seconds(600, 7_200));
            self.at(report, Action::Report(bed));
            self.at(press, Action::Press(bed));
        }
        for bin in town::BINS {
            let report = self.seconds(60, 900);
            self.at(report, Action::Report(bin));
        }
        for action in
            [Action::Operate, Action::Kill, Action::Snapshot, Action::Maintain, Action::Tick, Action::BrokerDown]
        {
            let wait = self.seconds(300, 3_600);
            self.at(wait, action);
        }
        for link in 0..self.links.len() {
            let wait = self.seconds(600, 7_200);
            self.at(wait, Action::LinkDown(link));
        }
        for crew in 0..self.crews.len() {
            let wait = self.seconds(600, 7_200);
            self.at(wait, Action::CrewDown(crew));
        }
        self.at(FAULTS_FOR, Action::FaultsEnd);
        self.at(FAULTS_FOR + QUIET_FOR, Action::LastReports);
        self.at(FAULTS_FOR + QUIET_FOR + Span::from_hours(2), Action::End);
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Report(asset) => self.report(asset),
            Action::Press(bed) => self.press(bed),
            Action::Enqueue(link, sent) => self.enqueue(link, sent),
            Action::Arrive { link, connection, packet, sent, duplicate } => {
                self.arrive(link, connection, packet.map(|packet| (packet, duplicate)), &sent);
            }
            Action::Acknowledge { link, connection, packet } => {
                let link = &mut self.links[link];
                if link.up && link.connection == connection {
                    link.acknowledged(packet);
                }
            }
            Action::LinkDown(_) | Action::LinkUp(_) | Action::CrewDown(_) | Action::CrewUp(_) => {
                self.connections(&action);
            }
            Action::BrokerDown | Action::BrokerUp => self.broker(&action),
            Action::Post { crew, connection, key, payload } => self.post(crew, connection, key, payload),
            Action::Delivered { crew, connection, key } => {
                if self.crews[crew].up && self.crews[crew].connection == connection {
                    let name = CrewId::new(self.crews[crew].name);
                    self.answered(&name, key, Inbox::Delivered { crew: name.clone(), key });
                }
            }
            Action::HandedOver { connection, key } => {
                if self.broker_connection == connection {
                    let broker = town::BROKER.into();
                    self.answered(&CrewId::new(town::BY_BROKER), key, Inbox::HandedOver { broker, key });
                }
            }
            Action::Say { crew, task, answer } => self.say(crew, task, answer),
            Action::Operate => self.operate(),
            Action::Submit(request) => {
                if let Some((event, origin)) = self.owed.get(&request).filter(|_| self.gateway.is_some()) {
                    self.inbox.push((event.clone(), origin.clone()));
                }
            }
            Action::Kill => {
                if self.chance(2) && self.gateway.is_some() {
                    self.die();
                }
                let wait = self.seconds(1_800, 7_200);
                self.at(wait, Action::Kill);
            }
            Action::Start => self.start(),
            Action::Snapshot | Action::Maintain | Action::Tick => self.upkeep(&action),
            Action::FaultsEnd => self.faults_end(),
            Action::LastReports => self.quiet_since = self.now,
            Action::End => self.ended = true,
        }
    }

    fn upkeep(&mut self, action: &Action) {
        let now = self.now;
        let wait = match action {
            Action::Snapshot => self.seconds(900, 3_600),
            Action::Maintain => self.seconds(1_200, 3_600),
            _ => Span::from_mins(4),
        };
        let done = match (self.gateway.as_mut(), action) {
            (Some(gateway), Action::Snapshot) => gateway.snapshot(),
            (Some(gateway), Action::Maintain) => gateway.maintain(now),
            (Some(_), _) => {
                self.dispatch(Inbox::Tick);
                Ok(())
            }
            (None, _) => Ok(()),
        };
        if done.is_err() {
            self.die();
        }
        let again = match action {
            Action::Snapshot => Action::Snapshot,
            Action::Maintain => Action::Maintain,
            _ => Action::Tick,
        };
        self.at(wait, again);
    }

    // Senders.

    fn truth(&mut self, what: What, observed_at: Timestamp) -> Arc<Sent> {
        self.truths += 1;
        let may_be_poison = self.poisons > 0 && matches!(&what, What::Value { property: "fill", .. });
        let poison = may_be_poison && self.chance(20);
        self.poisons -= u32::from(poison);
        let exercise = matches!(&what, What::Value { .. }) && self.rng.random_ratio(1, 20);
        Arc::new(Sent { truth: self.truths, what, observed_at, poison, aborts: AtomicU32::new(0), exercise })
    }

    fn report(&mut self, asset: &'static str) {
        let wait = if self.faults { self.seconds(400, 1_700) } else { self.seconds(3_000, 3_500) };
        self.at(wait, Action::Report(asset));
        if !self.faults && self.quiet_since > Timestamp::MIN {
            return;
        }
        // Sometimes a sensor is dead for hours.
        if self.chance(60) {
            self.agenda.retain(|_, action| !matches!(action, Action::Report(of) if *of == asset));
            self.at(Span::from_mins(300), Action::Report(asset));
        }
        let identity = match asset {
            "bin-1" | "bin-2" => Named::ByNetwork,
            "bin-3" | "bin-4" => Named::ByTime,
            _ => Named::Not,
        };
        let (property, value) = self.measure(asset);
        let sent = self.truth(What::Value { asset, property, value, identity }, self.now);
        if identity == Named::ByNetwork {
            // Through one gateway, the other, both or none; one of them may be late.
            for link in 0..2 {
                if !self.chance(5) {
                    self.put_in(link, Arc::clone(&sent), true);
                }
            }
            return;
        }
        let link = self.links.iter().position(|link| link.name == asset).unwrap();
        self.put_in(link, sent, identity == Named::ByTime);
        if self.chance(25) {
            let garbage = self.truth(What::Garbage, self.now);
            self.enqueue(link, garbage);
        }
    }

    fn measure(&mut self, asset: &'static str) -> (&'static str, f64) {
        if let Some(pressure) = self.pressure.get_mut(asset) {
            if self.rng.random_ratio(1, 4) {
                *pressure = if *pressure > 60.0 { 20.0 } else { 90.0 };
            }
            return ("pressure", *pressure);
        }
        let bin = self.bins.get_mut(asset).unwrap();
        if self.rng.random_ratio(1, 5) {
            bin.tilt = self.rng.random_ratio(1, 2);
            return ("tilt", f64::from(u8::from(bin.tilt)));
        }
        bin.fill = (bin.fill + f64::from(self.rng.random_range(0..20_u8)) / 100.0).min(1.0);
        ("fill", bin.fill)
    }

    fn press(&mut self, bed: &'static str) {
        let wait = self.seconds(900, 9_000);
        self.at(wait, Action::Press(bed));
        if !self.faults && self.quiet_since > Timestamp::MIN {
            return;
        }
        let link = self.links.iter().position(|link| link.name == bed).unwrap();
        for _ in 0..self.rng.random_range(1..4) {
            let sent =
                self.truth(What::Value { asset: bed, property: "press", value: 1.0, identity: Named::Not }, self.now);
            if bed == "bed-3" && self.rng.random_ratio(1, 3) {
                // QoS 0 is promised nothing.
                let connection = self.links[link].connection;
                self.at(
                    Span::from_millis(200),
                    Action::Arrive { link, connection, packet: None, sent, duplicate: false },
                );
            } else {
                self.enqueue(link, sent);
            }
        }
    }

    fn put_in(&mut self, link: usize, sent: Arc<Sent>, may_be_late: bool) {
        if may_be_late && self.chance(8) {
            let wait = self.seconds(300, 3_000);
            self.at(wait, Action::Enqueue(link, sent));
        } else {
            self.enqueue(link, sent);
        }
    }

    fn enqueue(&mut self, link: usize, sent: Arc<Sent>) {
        self.links[link].push(sent);
        self.flush(link);
    }

    /// Everything that waits goes out over the present connection, in order.
    fn flush(&mut self, index: usize) {
        if !self.links[index].up {
            return;
        }
        for queued in 0..self.links[index].queue.len() {
            let latency = Span::from_millis(self.rng.random_range(20..1_500));
            let link = &mut self.links[index];
            let one = &mut link.queue[queued];
            if one.under_way {
                continue;
            }
            one.under_way = true;
            let (packet, duplicate, sent) = (Some(one.packet), one.duplicate, Arc::clone(&one.sent));
            link.busy_until = link.busy_until.max(self.now + latency);
            let (wait, connection) = (link.busy_until.since(self.now), link.connection);
            self.at(wait, Action::Arrive { link: index, connection, packet, sent, duplicate });
        }
    }

    fn arrive(&mut self, index: usize, connection: u64, packet: Option<(u16, bool)>, sent: &Arc<Sent>) {
        let link = &self.links[index];
        if self.gateway.is_none() || !link.up || link.connection != connection {
            return;
        }
        let event = event(sent, &link.name, connection, packet, self.now);
        self.ledger.received += 1;
        self.inbox.push((event, Origin::Message(Arc::clone(sent))));
    }

    fn connections(&mut self, action: &Action) {
        match *action {
            Action::LinkDown(index) => {
                if self.chance(1) {
                    self.links[index].down();
                }
                let (back, again) = (self.seconds(5, 1_800), self.seconds(1_900, 9_000));
                self.at(back, Action::LinkUp(index));
                self.at(again, Action::LinkDown(index));
            }
            Action::LinkUp(index) => {
                if self.gateway.is_none() || self.links[index].up {
                    return;
                }
                self.connections += 1;
                let link = &mut self.links[index];
                (link.up, link.connection, link.busy_until) = (true, self.connections, self.now);
                self.flush(index);
            }
            Action::CrewDown(index) => {
                if self.chance(1) {
                    self.hang_up(index);
                }
                let (back, again) = (self.seconds(5, 3_600), self.seconds(3_700, 12_000));
                self.at(back, Action::CrewUp(index));
                self.at(again, Action::CrewDown(index));
            }
            Action::CrewUp(index) => {
                if self.gateway.is_none() || self.crews[index].up {
                    return;
                }
                self.connections += 1;
                let crew = &mut self.crews[index];
                (crew.up, crew.connection) = (true, self.connections);
                let name = CrewId::new(crew.name);
                if crew.name != town::BY_BROKER {
                    let mut shared = self.shared.lock().unwrap();
                    shared.under_way.remove(&name);
                    shared.listening.insert(name.clone());
                    drop(shared);
                    self.dispatch(Inbox::Subscribed(name));
                }
            }
            _ => {}
        }
    }

    fn hang_up(&mut self, index: usize) {
        let crew = &mut self.crews[index];
        crew.up = false;
        self.shared.lock().unwrap().listening.remove(crew.name);
    }

    fn broker(&mut self, action: &Action) {
        if matches!(action, Action::BrokerDown) {
            if self.chance(1) {
                self.shared.lock().unwrap().broker_up = false;
            }
            let (back, again) = (self.seconds(5, 1_800), self.seconds(3_700, 12_000));
            self.at(back, Action::BrokerUp);
            self.at(again, Action::BrokerDown);
            return;
        }
        let mut shared = self.shared.lock().unwrap();
        if self.gateway.is_none() || shared.broker_up {
            return;
        }
        self.connections += 1;
        self.broker_connection = self.connections;
        shared.broker_up = true;
        shared.under_way.remove(town::BY_BROKER);
        drop(shared);
        self.dispatch(Inbox::BrokerConnected(town::BROKER.into()));
    }

    // Dispatch and crews.

    fn dispatch(&mut self, input: Inbox) {
        let Some(gateway) = &mut self.gateway else { return };
        let receipt = gateway.dispatch(input);
        self.inbox.extend(receipt.map(|receipt| (receipt, Origin::House)));
        self.carry_posts();
    }

    fn answered(&mut self, crew: &CrewId, key: u64, input: Inbox) {
        if let Some(under_way) = self.shared.lock().unwrap().under_way.get_mut(crew) {
            under_way.remove(&key);
        }
        self.dispatch(input);
    }

    fn carry_posts(&mut self) {
        let posts = std::mem::take(&mut self.shared.lock().unwrap().posts);
        for (channel, name, key, payload) in posts {
            let crew = self.crews.iter().position(|crew| crew.name == name.as_str()).unwrap();
            let wait = self.seconds(0, 4);
            if channel == Channel::Endpoint {
                let connection = Some(self.crews[crew].connection);
                self.at(wait, Action::Post { crew, connection, key, payload });
            } else {
                let connection = self.broker_connection;
                self.at(wait, Action::HandedOver { connection, key });
                self.at(wait, Action::Post { crew, connection: None, key, payload });
            }
        }
    }

    fn post(&mut self, index: usize, connection: Option<u64>, key: u64, payload: Vec<u8>) {
        let crew = &mut self.crews[index];
        if connection.is_some_and(|connection| connection != crew.connection) {
            return;
        }
        if !crew.up {
            if connection.is_none() {
                // The broker keeps it for the crew.
                self.at(Span::from_mins(5), Action::Post { crew: index, connection, key, payload });
            }
            return;
        }
        let first = crew.seen.insert(key);
        if let Some(connection) = connection {
            let wait = self.seconds(0, 2);
            self.at(wait, Action::Delivered { crew: index, connection, key });
        }
        if !first {
            return;
        }
        self.out.deliveries += 1;
        let post: TaskPost<'_> = serde_json::from_slice(&payload).unwrap();
        if post.notice != "offered" {
            self.crews[index].jobs.remove(&post.task);
            return;
        }
        self.crews[index].jobs.insert(post.task, (post.asset.to_string(), post.kind.to_string()));
        for (wait, answer) in answers(&mut self.rng, !self.faults) {
            self.at(wait, Action::Say { crew: index, task: post.task, answer });
        }
    }

    fn say(&mut self, index: usize, task: u64, answer: Answer) {
        let crew = &mut self.crews[index];
        let Some((asset, _)) = crew.jobs.get(&task).cloned() else { return };
        let name = crew.name;
        if matches!(answer, Answer::Completed | Answer::Rejected(_)) {
            crew.jobs.remove(&task);
        }
        if answer == Answer::Completed {
            if let Some(bin) = self.bins.get_mut(asset.as_str()) {
                *bin = Bin { fill: 0.05, tilt: false };
            }
            if let Some(pressure) = self.pressure.get_mut(asset.as_str()) {
                *pressure = 20.0;
            }
        }
        let link = self.links.iter().position(|link| link.name == name).unwrap();
        let sent = self.truth(What::Reply { crew: name, task, answer }, self.now);
        self.enqueue(link, sent);
    }

    // Operators.

    fn request(&mut self, event: Event, settings: u64) {
        self.requests += 1;
        let id = self.requests * 4 + settings;
        self.owed.insert(id, (event, Origin::Operator(id)));
        self.at(Span::from_millis(10), Action::Submit(id));
    }

    fn operate(&mut self) {
        let wait = self.seconds(300, 2_400);
        self.at(wait, Action::Operate);
        if !self.faults {
            return;
        }
        let command = |number: u64, kind| {
            let id = CommandId::new(format!("command-{number}"));
            Event::Commanded(Command { id, account: "operator".into(), kind })
        };
        let alarm = self.rng.random_range(0..=self.model.raised + 1);
        let open: Vec<u64> = self.model.alarms.values().map(|alarm| alarm.id).chain([alarm]).collect();
        let alarm = open[self.rng.random_range(0..open.len())];
        let tasks: Vec<u64> = self.model.tasks.keys().copied().chain([7]).collect();
        let task = tasks[self.rng.random_range(0..tasks.len())];
        let number = self.requests;
        let (event, settings) = match self.rng.random_range(0..16) {
            0..=4 => (command(number, CommandKind::AcknowledgeAlarm(AlarmId(alarm))), 0),
            5 => (command(number.saturating_sub(1), CommandKind::AcknowledgeAlarm(AlarmId(alarm))), 0),
            6 => (command(number, CommandKind::CancelTask(TaskId(task))), 0),
            7 => (Event::Registered(remove("bin-4")), 0),
            8 | 9 => (Event::Registered(vec![town::asset("bin-4"), town::device("bin-4")]), 0),
            10 => (Event::Registered(vec![RegistryChange::RemoveCrew("crew-b".into())]), 0),
            11 => (Event::Registered(vec![town::crew("crew-b"), town::crew("crew-e")]), 0),
            12 => {
                let exposure = self.rng.random_ratio(1, 2);
                (Event::Registered(vec![town::person("bed-2", exposure)]), 0)
            }
            13 => (Event::Configured(Box::new(town::configuration(Settings::Brisk))), 1),
            14 => (Event::Configured(Box::new(town::configuration(Settings::Usual))), 0),
            _ => (Event::Configured(Box::new(town::configuration(Settings::Broken))), 2),
        };
        self.request(event, settings);
    }

    // The process.

    fn turn(&mut self) {
        let Some(gateway) = &mut self.gateway else { return };
        let batch = std::mem::take(&mut self.inbox);
        let messages = |batch: &[(Event, Origin)]| batch.iter().filter(|(_, origin)| is_message(origin)).count() as u64;
        let submitted = messages(&batch);
        let Ok(records) = gateway.turn(self.now, batch) else {
            self.ledger.lost += submitted;
            return self.die();
        };
        let settled = records.iter().filter(|record| is_message(&record.origin)).count() as u64;
        assert_eq!(submitted, settled, "a message was decided without a record");
        self.release(records);
        self.carry_posts();
        self.compare();
    }

    fn release(&mut self, records: Vec<Record>) {
        for record in records {
            self.reported = record.decision.seq;
            self.learn(record.clone());
            if let Origin::Operator(id) = &record.origin {
                self.owed.remove(id);
            }
            let Origin::Message(sent) = &record.origin else { continue };
            let ingress = ingress(&record.event);
            let Some(packet) = ingress.packet else { continue };
            let index = self.links.iter().position(|link| link.name == ingress.client.as_str()).unwrap();
            let link = &mut self.links[index];
            let left = link.up && link.connection == ingress.connection;
            self.gateway.as_mut().unwrap().acknowledged(&record, left);
            if !left {
                continue;
            }
            let named = matches!(&sent.what, What::Value { identity: Named::ByNetwork | Named::ByTime, .. });
            if !named || sent.poison {
                let first = match record.decision.verdict {
                    Verdict::Duplicate { of } => of,
                    _ => record.decision.seq,
                };
                self.unnoted.insert(first, ingress.client.to_string());
            }
            if link.marks {
                let (connection, wait) = (link.connection, self.seconds(0, 2));
                self.at(wait, Action::Acknowledge { link: index, connection, packet });
            } else {
                // A sender that does not mark repeats cannot be told from one that means it again once the
                // acknowledgement is on the wire, so here it arrives.
                link.acknowledged(packet);
            }
        }
    }

    /// One more durable record.
    fn learn(&mut self, record: Record) {
        if is_message(&record.origin) {
            self.ledger.settled += 1;
            self.ledger.duplicates += u64::from(matches!(record.decision.verdict, Verdict::Duplicate { .. }));
        }
        if let Event::Released { through, .. } = &record.event {
            self.unnoted.retain(|seq, _| seq > through);
        }
        self.shadow.apply(record.at, &record.event, &record.decision);
        self.model.learn(&record);
        self.record.push(record);
    }

    fn die(&mut self) {
        let Some(gateway) = self.gateway.take() else { return };
        self.out.crashes += 1;
        let waiting = std::mem::take(&mut self.inbox);
        self.ledger.lost += waiting.iter().filter(|(_, origin)| is_message(origin)).count() as u64;
        self.in_doubt = gateway.kill();
        self.links.iter_mut().for_each(Link::down);
        (0..self.crews.len()).for_each(|crew| self.hang_up(crew));
        {
            let mut shared = self.shared.lock().unwrap();
            (shared.broker_up, shared.doom, shared.resync_wanted) = (false, None, false);
            shared.under_way.clear();
            shared.posts.clear();
        }
        if self.rng.random_ratio(1, 2) {
            let noise: [u8; 8] = self.rng.random();
            let durable = self.reported;
            self.out.torn += u64::from(tear(&self.folder.path, durable, &noise).unwrap() > 0);
        }
        let away = if self.rng.random_ratio(1, 8) { self.seconds(3_600, 9_000) } else { self.seconds(2, 600) };
        self.at(away, Action::Start);
    }

    fn start(&mut self) {
        if self.gateway.is_some() {
            return;
        }
        self.doom();
        let Ok((gateway, last)) = self.folder.start() else {
            self.out.crashes += 1;
            return self.at(Span::from_secs(5), Action::Start);
        };
        self.recovered(&gateway, last);
        self.gateway = Some(gateway);
        self.inbox.push((Event::Started, Origin::House));
        self.turn();
        let owed: Vec<u64> = self.owed.keys().copied().collect();
        for request in owed {
            self.at(Span::from_millis(20), Action::Submit(request));
        }
        for link in 0..self.links.len() {
            let wait = self.seconds(1, 30);
            self.at(wait, Action::LinkUp(link));
        }
        for crew in 0..self.crews.len() {
            let wait = self.seconds(1, 60);
            self.at(wait, Action::CrewUp(crew));
        }
        let wait = self.seconds(1, 60);
        self.at(wait, Action::BrokerUp);
    }

    /// What was reported is there; what was in doubt is there as it was decided, or not at all.
    fn recovered(&mut self, gateway: &Gateway, last: Seq) {
        assert!(last >= self.reported, "record {} was acknowledged and is gone; the last is {last}", self.reported);
        let in_doubt = std::mem::take(&mut self.in_doubt);
        let kept: Vec<_> = in_doubt.into_iter().filter(|record| record.decision.seq <= last).collect();
        let unreported = kept.iter().filter(|record| record.decision.seq > self.reported).count() as u64;
        assert_eq!(self.reported.0 + unreported, last.0, "records nobody decided");
        let of_messages =
            |records: &[Record]| records.iter().filter(|record| is_message(&record.origin)).count() as u64;
        // Everything in flight was booked as lost when the process died.
        self.ledger.lost -= of_messages(&kept);
        for record in kept {
            self.reported = record.decision.seq;
            self.learn(record);
        }
        let forgotten = std::mem::take(&mut self.unnoted);
        self.model.ambiguous.extend(forgotten);
        assert_eq!(gateway.engine.image(), self.shadow.image(), "recovery gave another state");
    }

    fn doom(&mut self) {
        let doomed = self.chance(1) && self.rng.random_ratio(3, 4);
        let (step, most) = STEPS[self.rng.random_range(0..STEPS.len())];
        let after = self.rng.random_range(0..most);
        let order = if self.rng.random_ratio(1, 2) { FaultOrder::Torn } else { FaultOrder::Crash };
        self.shared.lock().unwrap().doom = doomed.then_some(Doom { step, after, order });
    }

    fn faults_end(&mut self) {
        self.faults = false;
        self.shared.lock().unwrap().doom = None;
        self.at(Span::from_secs(1), Action::Start);
        let back = [town::crew("crew-b"), town::asset("bin-4"), town::device("bin-4")];
        self.request(Event::Registered(back.into()), 0);
        for index in 0..self.links.len() {
            self.at(Span::from_secs(70), Action::LinkUp(index));
        }
        for index in 0..self.crews.len() {
            self.at(Span::from_secs(70), Action::CrewUp(index));
            // Whatever they took on, they finish.
            let jobs: Vec<u64> = self.crews[index].jobs.keys().copied().collect();
            for task in jobs {
                self.at(Span::from_mins(50), Action::Say { crew: index, task, answer: Answer::Completed });
            }
        }
        self.at(Span::from_secs(70), Action::BrokerUp);
        self.at(Span::from_mins(5), Action::Tick);
    }

    // What must be true.

    fn compare(&mut self) {
        assert_eq!(self.model.overdue(self.now), Vec::<String>::new(), "overdue at {:?}", self.now);
        let inbox = self.inbox.iter().filter(|(_, origin)| is_message(origin)).count() as u64;
        let Ledger { received, settled, lost, .. } = self.ledger;
        assert_eq!(received, settled + lost + inbox, "the ledger does not balance");
        let engine = &self.gateway.as_ref().unwrap().engine;
        let alarms: BTreeMap<_, _> = engine
            .alarms()
            .map(|alarm| ((alarm.asset.to_string(), alarm.rule.to_string()), (alarm.active, alarm.acknowledged)))
            .collect();
        assert_eq!(engine.alarms().count(), alarms.len(), "two alarms for one condition");
        let expected: BTreeMap<_, _> = self
            .model
            .alarms
            .iter()
            .map(|(condition, alarm)| (condition.clone(), (alarm.active, alarm.acknowledged)))
            .collect();
        assert_eq!(alarms, expected, "alarms after record {}", engine.seq());
        let mut about = BTreeSet::new();
        let mut tasks = BTreeMap::new();
        for task in engine.tasks().filter(|task| !task.status.ended()) {
            assert!(about.insert(task.alarm), "two open tasks about alarm {}", task.alarm);
            let taken = task.status != TaskStatus::Requested;
            tasks.insert(task.id.0, (taken, task.crew.as_ref().map(ToString::to_string)));
        }
        let expected: BTreeMap<_, _> =
            self.model.tasks.iter().map(|(id, task)| (*id, (task.taken, task.crew.clone()))).collect();
        assert_eq!(tasks, expected, "tasks after record {}", engine.seq());
        let silent: Vec<String> = engine.inventory().silent_devices().map(ToString::to_string).collect();
        assert_eq!(silent, self.model.silent(), "silent devices after record {}", engine.seq());
        let pending: Vec<_> = engine.pending_deliveries().map(|delivery| delivery.id).collect();
        assert_eq!(pending, self.model.deliveries.keys().copied().collect::<Vec<_>>(), "deliveries");
        self.reached_in_time();
    }

    fn reached_in_time(&self) {
        if self.faults {
            return;
        }
        let faults_ended = Timestamp::from_micros(0) + Span::from_hours(1_000) + FAULTS_FOR + SETTLING;
        for (id, task) in self.model.tasks.iter().filter(|(_, task)| !task.taken) {
            let waited = self.now.since(task.requested_at.max(faults_ended));
            assert!(
                waited < REACHED_WITHIN,
                "task {id} has reached nobody in {waited} though nothing goes wrong: {task:?}"
            );
        }
    }

    /// The run is over: everything is told again from the journal alone.
    fn look_back(&mut self) {
        let gateway = self.gateway.take().expect("the gateway runs when faults have ended");
        assert_eq!(self.model.deliveries, BTreeMap::new(), "deliveries that never end");
        let open: Vec<_> = self.model.tasks.iter().filter(|(_, task)| !task.taken).collect();
        assert!(open.is_empty(), "tasks with nobody: {open:?}");
        for link in &self.links {
            assert!(link.queue.is_empty(), "{} still waits for acknowledgements", link.name);
        }
        assert!(self.owed.is_empty(), "requests without an answer");
        let image = gateway.engine.image();
        assert!(gateway.kill().is_empty());
        let verified = verify(&self.folder.path, |_| {}).unwrap();
        assert_eq!(verified.last, self.reported);
        let mut told = Engine::new(Limits::default());
        let kept_from = verified.first.0 as usize - 1;
        let mut reader = Reader::open(&self.folder.path, sealing()).unwrap();
        let entries = reader.read(verified.first, usize::MAX).unwrap();
        assert_eq!(entries.len(), self.record.len() - kept_from);
        for (entry, record) in entries.iter().zip(&self.record[kept_from..]) {
            assert_eq!((entry.at, &entry.event, &entry.decision), (record.at, &record.event, &record.decision));
        }
        for record in &self.record {
            told.apply(record.at, &record.event, &record.decision);
        }
        assert_eq!(told.image(), image, "applying the whole history gave another state");
        let decided_again = self.decide_again();
        assert_eq!(decided_again, verified.last_chain, "deciding the whole history again gave other bytes");
        self.out.chain = verified.last_chain;
        self.out.records = self.record.len() as u64;
        self.out.messages = self.ledger.settled;
        self.out.duplicates = self.ledger.duplicates;
        self.out.alarms = self.model.raised;
        self.out.tasks = image.last_task.0;
        self.out.ambiguous = self.model.swallowed;
        self.out.torn += self.shared.lock().unwrap().torn;
    }

    /// Every event decided by a fresh engine and written to a fresh journal: its chain covers every byte.
    fn decide_again(&self) -> [u8; 32] {
        let path = self.folder.path.with_extension("again");
        let mut journal =
            Journal::open(options(&path, Span::from_hours(100_000)), sealing(), || self.folder.id).unwrap().journal;
        let mut engine = Engine::new(Limits::default());
        for record in &self.record {
            let decision = if record.decision.verdict == Verdict::Quarantined(QuarantineReason::Poison) {
                engine.skip(record.at, &record.event)
            } else {
                engine.step(record.at, &record.event)
            };
            assert_eq!(decision, record.decision, "decided again: {:?}", record.event);
            journal.append(record.at, &record.event, &decision).unwrap();
        }
        journal.sync().unwrap();
        drop(journal);
        verify(&path, |_| {}).unwrap().last_chain
    }
}

fn is_message(origin: &Origin) -> bool {
    matches!(origin, Origin::Message(_))
}

pub fn ingress(event: &Event) -> &rettidig::domain::uplink::Ingress {
    match event {
        Event::Observed(observed) => &observed.ingress,
        Event::Quarantined(quarantined) => &quarantined.ingress,
        Event::Replied(reply) => &reply.ingress,
        other => panic!("no message: {other:?}"),
    }
}

fn remove(asset: &str) -> Vec<RegistryChange> {
    vec![
        RegistryChange::RemoveDevice(format!("{asset}-sensor").as_str().into()),
        RegistryChange::RemoveAsset(asset.into()),
    ]
}
