//! `kill -9` at any moment, under load: what a device holds an acknowledgement for is in the journal, exactly once.
//!
//! `make crash ROUNDS=50`. Each round says how it kills; its seed replays it: `RETTIDIG_CRASH_SEED=42`. In every third
//! round history is in a PostgreSQL that is stopped, paused and killed meanwhile; in the end it holds what the journal
//! gives, row by row.
#![allow(clippy::allow_attributes, reason = "the shared support files allow what one binary does not use")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing test may panic")]
#![allow(clippy::print_stdout, clippy::wildcard_enum_match_arm, reason = "a test reports and picks what it looks for")]

#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/load.rs"]
mod load;
#[path = "support/mosquitto.rs"]
mod mosquitto;
#[path = "support/mqtt.rs"]
mod mqtt;
#[path = "support/postgres.rs"]
mod postgres;

use gateway::{Child, Site, bin, crew, device};
use load::{Audit, Sender, Style, Target, audit};
use mosquitto::Mosquitto;
use mqtt::{Login, PATIENCE};
use postgres::Cluster;
use rettidig::domain::time::Timestamp;
use rettidig::telemetry::stopwatch;
use rettidig::vault::ClientRole;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

const ROUNDS: u64 = 4;
/// Devices by what they send. Garbage fills journal files, so that they are switched.
const DEVICES: [(&str, Style); 6] = [
    ("bin-1", Style::Bare),
    ("bin-2", Style::Bare),
    ("bin-3", Style::Named),
    ("bin-4", Style::Named),
    ("bin-5", Style::Garbage),
    ("bin-6", Style::Bare),
];
/// How often one round kills.
const KILLS: u64 = 3;
const FIRST_STARTS: u64 = 6;
/// What a broker is given at once, and how often.
const ALLOWANCE: u64 = 100;
const BETWEEN_ALLOWANCES: Duration = Duration::from_millis(50);
/// One round in so many has a PostgreSQL.
const ROUNDS_PER_DATABASE: u64 = 3;
/// The longest time, in milliseconds, that PostgreSQL is there or away without a change.
const UNREST_MS_MAX: u64 = 600;

#[test]
fn what_is_acknowledged_survives_kill_9() {
    let number =
        |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty()).map(|text| text.parse().unwrap());
    let seed: Option<u64> = number("RETTIDIG_CRASH_SEED");
    let rounds = if seed.is_some() { 1 } else { number("RETTIDIG_CRASH_ROUNDS").unwrap_or(ROUNDS) };
    let first = seed.unwrap_or_else(|| u64::from(std::process::id()) << 16);
    let (mut lost, mut duplicate_tasks, mut failed) = (0, 0, Vec::new());
    for round in 0..rounds {
        let seed = first + round;
        let (audit, history, story) = Round::new(seed).play();
        println!("seed {seed}: {story}: {audit:?}");
        if let Err(difference) = &history {
            println!("seed {seed}: history is not what the journal gives: {difference}");
        }
        lost += audit.lost;
        duplicate_tasks += audit.duplicate_tasks;
        assert!(audit.messages > 0 && audit.incidents > 0, "round {seed} has shown nothing");
        if audit.lost + audit.doubled + audit.missed_tasks + audit.duplicate_tasks > 0 || history.is_err() {
            failed.push(seed);
        }
    }
    println!("rounds {rounds} lost {lost} duplicate_tasks {duplicate_tasks}");
    assert!(failed.is_empty(), "replay with RETTIDIG_CRASH_SEED= one of {failed:?}");
}

/// How a gateway ends.
#[derive(Clone, Copy, Debug)]
enum Kill {
    /// So many acknowledgements after it has started, and a little later.
    Under { acknowledged: u64, then: Duration },
    /// Before the n-th step of the journal of this name, while it works or when it is asked to stop.
    At { step: &'static str, nth: u64, stopping: bool },
}

struct Round {
    chance: Chance,
    site: Site,
    broker: Option<Mosquitto>,
    unrest: Option<Unrest>,
    target: Target,
    story: Vec<String>,
}

impl Round {
    /// The lowest bit of a seed says which way in, and every third has a PostgreSQL.
    fn new(seed: u64) -> Self {
        let broker = (seed % 2 == 1).then(Mosquitto::start);
        let mut site = match &broker {
            Some(broker) => Site::with_broker(broker.port()),
            None => Site::with_endpoint(),
        };
        site.change_rules("waste.toml", "held(temperature < 40, '1h')", "temperature < 40");
        site.set("JOURNAL__SNAPSHOT_EVERY", "1s");
        site.set("JOURNAL__FILE_MEBIBYTES_MAX", "1");
        site.set("LIMITS__QUARANTINE_HEAD_BYTES", "4096");
        let story = vec![if broker.is_some() { "mosquitto" } else { "endpoint" }.to_owned()];
        let unrest = seed.is_multiple_of(ROUNDS_PER_DATABASE).then(|| {
            let cluster = cluster();
            site.set("STORE__URL", &cluster.url(&cluster.database()));
            // One that stands still is given up soon.
            site.set("STORE__CONNECT_TIMEOUT", "1s");
            site.set("STORE__STATEMENT_TIMEOUT", "1s");
            Unrest::start(cluster, Chance(!seed))
        });
        Self { chance: Chance(seed), site, broker, unrest, target: Target::default(), story }
    }

    /// What became of the messages, whether history is what the journal gives, and how the round went.
    fn play(mut self) -> (Audit, Result<(), String>, String) {
        self.kill_first_start();
        self.furnish();
        let mut senders = Vec::new();
        if self.broker.is_some() {
            // A broker keeps messages only for a session that it knows.
            let mut child = Child::start(&self.site, &[]);
            child.wait_for_log("broker connected").unwrap_or_else(|log| panic!("no connection to the broker:\n{log}"));
            child.kill();
        }
        self.allow(0);
        for (name, style) in DEVICES {
            senders.push((style, Sender::start(name, self.login(name), style, u64::MAX, &self.target)));
        }
        for _ in 0..KILLS {
            let kill = self.choose();
            self.story.push(format!("{kill:?}"));
            self.run_and_kill(kill);
        }
        let child = Child::start(&self.site, &[]);
        self.open(&child);
        self.acknowledge(ALLOWANCE);
        self.target.drain();
        let sent: Vec<_> = senders.into_iter().map(|(style, sender)| (style, sender.join())).collect();
        if let Some(broker) = &self.broker {
            wait_for_marker(broker, &child);
        }
        if let Some(unrest) = self.unrest.take() {
            self.story.push(unrest.end());
        }
        child.wait_for_history();
        child.stop();
        (audit(&self.site, &sent), self.site.history_is_whole(), self.story.join(", "))
    }

    /// The very first start, with nothing in the data folder.
    fn kill_first_start(&mut self) {
        let after = Duration::from_millis(self.chance.below(400));
        self.story.push(format!("first start killed after {after:?}"));
        let child = Child::launch(&self.site, &[]);
        std::thread::sleep(after);
        child.kill();
    }

    fn furnish(&mut self) {
        let registry = DEVICES.iter().flat_map(|(name, _)| [bin(name), device(name, "bin-level", name)]);
        let registry = registry.chain([crew("crew-1", "waste")]).collect();
        let logins = DEVICES.map(|(name, _)| (name, ClientRole::Device(name.into())));
        self.site.furnish(Timestamp::MIN, registry, &logins);
    }

    fn login(&self, name: &str) -> Login {
        match self.broker {
            Some(_) => Login { client_id: name.to_owned(), secret: None, clean: false },
            None => self.site.login(name),
        }
    }

    fn choose(&mut self) -> Kill {
        let under = Kill::Under {
            acknowledged: self.chance.below(2_500),
            then: Duration::from_micros(self.chance.below(20_000)),
        };
        if cfg!(not(feature = "faults")) {
            return under;
        }
        match self.chance.below(6) {
            0 => Kill::At { step: "SwitchCreate", nth: 1, stopping: false },
            1 => Kill::At { step: "SwitchRename", nth: 1, stopping: false },
            2 => Kill::At { step: "SnapshotWrite", nth: 1, stopping: self.chance.below(2) == 0 },
            3 => Kill::At { step: "SnapshotRename", nth: 1, stopping: self.chance.below(2) == 0 },
            4 => Kill::At { step: "Commit", nth: 3 + self.chance.below(200), stopping: false },
            _ => under,
        }
    }

    fn run_and_kill(&mut self, kill: Kill) {
        match kill {
            Kill::Under { acknowledged, then } => {
                let child = Child::start(&self.site, &[]);
                self.open(&child);
                self.acknowledge(acknowledged);
                std::thread::sleep(then);
                self.close();
                child.kill();
            }
            Kill::At { step, nth, stopping } => {
                let order = [("RETTIDIG_FAULT_END_AT_STEP", format!("{step}:{nth}"))];
                let mut child = Child::launch(&self.site, &order);
                // The step may come before anybody is let in.
                let listens = child.listens();
                if listens {
                    self.open(&child);
                }
                if listens && stopping {
                    self.acknowledge(ALLOWANCE);
                    child.terminate();
                }
                let waited = stopwatch();
                while waited.elapsed() < PATIENCE && !child.ends_within(BETWEEN_ALLOWANCES) {
                    self.allow(ALLOWANCE);
                }
                let status = child.ended();
                assert!(!status.success(), "it stopped before {step}:\n{}", child.said());
                self.close();
            }
        }
    }

    /// Lets the devices in. At a broker they are in already, but for the first time.
    fn open(&self, child: &Child) {
        let address = match &self.broker {
            Some(broker) => SocketAddr::from(([127, 0, 0, 1], broker.port())),
            None => child.mqtt.expect("the endpoint listens"),
        };
        self.target.set(Some(address));
    }

    /// A broker takes messages faster than any gateway decides on them: it is given no more than a gateway can take.
    fn allow(&self, messages: u64) {
        if self.broker.is_some() {
            self.target.allow(messages);
        }
    }

    /// Waits until the devices hold so many more acknowledgements. Counted from before they may send: they are quick.
    fn acknowledge(&self, messages: u64) {
        let before = self.target.acknowledged();
        self.allow(messages + ALLOWANCE);
        self.target.wait_for(before + messages);
    }

    fn close(&self) {
        if self.broker.is_none() {
            self.target.set(None);
        }
    }
}

/// The PostgreSQL of all rounds, with a database for each.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(&[]))
}

/// A PostgreSQL that goes away again and again, in every way it can, whatever the gateway is doing.
struct Unrest {
    end: SyncSender<()>,
    thread: JoinHandle<String>,
}

impl Unrest {
    fn start(cluster: &'static Cluster, mut chance: Chance) -> Self {
        let (end, ended) = sync_channel::<()>(0);
        let thread = std::thread::spawn(move || {
            let (mut stopped, mut paused, mut killed) = (0, 0, 0);
            let first = chance.below(3) as usize;
            let mut moment = || Duration::from_millis(chance.below(UNREST_MS_MAX));
            for how in (0..3).cycle().skip(first) {
                if ended.recv_timeout(moment()) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
                match how {
                    0 => cluster.stop(),
                    1 => cluster.pause(),
                    _ => cluster.kill(),
                }
                std::thread::sleep(moment());
                match how {
                    1 => cluster.resume(),
                    _ => cluster.start_again(),
                }
                *[&mut stopped, &mut paused, &mut killed][how] += 1;
            }
            format!("PostgreSQL stopped {stopped}, paused {paused}, killed {killed} times")
        });
        Self { end, thread }
    }

    /// It is there, and stays; says what it has been through.
    fn end(self) -> String {
        drop(self.end);
        self.thread.join().unwrap()
    }
}

/// A broker hands on in order: when the gateway has decided on this message, it has decided on all before it.
fn wait_for_marker(broker: &Mosquitto, child: &Child) {
    let login = Login { client_id: "marker".to_owned(), secret: None, clean: true };
    let mut marker = mqtt::Connection::open(SocketAddr::from(([127, 0, 0, 1], broker.port())), &login).unwrap();
    marker.publish_acknowledged(1, "rettidig/v1/up/marker", b"{}").unwrap();
    // The device is not registered, and nobody else is unknown here.
    let unknown = "rettidig_quarantined_total{reason=\"unknown_device\"}";
    child.wait_for_metric(unknown, 1);
}

#[test]
fn a_first_start_that_was_killed_is_made_again() {
    let mut chance = Chance(u64::from(std::process::id()));
    for _ in 0..FIRST_STARTS {
        let site = Site::with_endpoint();
        // Again and again in the same folder: each finds what the one before it has left half made.
        for _ in 0..3 {
            let after = Duration::from_micros(chance.below(120_000));
            let child = Child::launch(&site, &[]);
            std::thread::sleep(after);
            child.kill();
        }
        Child::start(&site, &[]).stop();
    }
}

#[cfg(feature = "faults")]
mod ordered {
    //! Ends of the process at a place that is ordered, not met by chance.

    use super::gateway::{asset, bin, crew, device};
    use super::mqtt::{Connection, Device};
    use super::{Child, Site, Timestamp};
    use rettidig::domain::alarm::Priority;
    use rettidig::domain::decision::Fact;
    use rettidig::domain::event::Event;
    use rettidig::domain::reason::{QuarantineReason, Verdict};
    use rettidig::vault::ClientRole;

    const PRESS: &[u8] = b"{\"press\":1}";
    const TOPIC: &str = "rettidig/v1/up/button-1";

    /// A press that is durable and whose PUBACK will never leave.
    fn pressed_and_killed() -> (Site, Device) {
        let mut site = Site::with_endpoint();
        let registry = vec![asset("bed-1", "bed"), device("button-1", "help-button", "bed-1"), crew("crew-1", "care")];
        site.furnish(Timestamp::MIN, registry, &[("button-1", ClientRole::Device("button-1".into()))]);
        let mut child = Child::start(&site, &[("RETTIDIG_FAULT_END_BEFORE_RELEASE", "button-1".to_owned())]);
        let mut button = Device::new(site.login("button-1"));
        button.connect(child.mqtt.unwrap()).unwrap();
        button.send(TOPIC, PRESS.to_vec()).unwrap();
        assert!(button.acknowledged().is_err(), "it was acknowledged");
        assert!(!child.ended().success());
        assert_eq!(verdicts(&site).len(), 1, "it was not durable");
        (site, button)
    }

    fn verdicts(site: &Site) -> Vec<Verdict> {
        let observed = |entry: rettidig::journal::Entry| match entry.event {
            Event::Observed(_) | Event::Quarantined(_) => Some(entry.decision.verdict),
            _ => None,
        };
        site.journal().1.into_iter().filter_map(observed).collect()
    }

    fn tasks(site: &Site) -> usize {
        let requested = |fact: &&Fact| matches!(fact, Fact::TaskRequested { .. });
        site.journal().1.iter().map(|entry| entry.decision.facts.iter().filter(requested).count()).sum()
    }

    fn assert_one_then_another(site: &Site) {
        let verdicts = verdicts(site);
        let [Verdict::Accepted, Verdict::Duplicate { .. }, Verdict::Accepted] = verdicts[..] else {
            panic!("a press, its repetition, another press: {verdicts:?}");
        };
        assert_eq!(tasks(site), 1);
    }

    #[test]
    fn killed_between_sync_and_puback_and_repeated_with_dup_is_one() {
        let (site, mut button) = pressed_and_killed();
        let child = Child::start(&site, &[]);
        button.connect(child.mqtt.unwrap()).unwrap();
        button.acknowledged().unwrap();
        button.send(TOPIC, PRESS.to_vec()).unwrap();
        button.acknowledged().unwrap();
        child.stop();
        assert_one_then_another(&site);
    }

    #[test]
    fn killed_between_sync_and_puback_and_repeated_without_dup_is_one() {
        let (site, button) = pressed_and_killed();
        let child = Child::start(&site, &[]);
        let mut connection = Connection::open(child.mqtt.unwrap(), &button.login).unwrap();
        connection.publish_acknowledged(77, TOPIC, PRESS).unwrap();
        connection.publish_acknowledged(78, TOPIC, PRESS).unwrap();
        child.stop();
        assert_one_then_another(&site);
    }

    #[test]
    fn a_press_after_a_stop_is_another_press() {
        let mut site = Site::with_endpoint();
        let registry = vec![asset("bed-1", "bed"), device("button-1", "help-button", "bed-1"), crew("crew-1", "care")];
        site.furnish(Timestamp::MIN, registry, &[("button-1", ClientRole::Device("button-1".into()))]);
        for _ in 0..3 {
            let child = Child::start(&site, &[]);
            let mut connection = Connection::open(child.mqtt.unwrap(), &site.login("button-1")).unwrap();
            connection.publish_acknowledged(1, TOPIC, PRESS).unwrap();
            child.stop();
        }
        assert_eq!(verdicts(&site), vec![Verdict::Accepted; 3]);
    }

    #[test]
    fn a_message_that_aborts_the_engine_twice_is_set_aside_and_the_rest_flows() {
        let mut site = Site::with_endpoint();
        let names = ["bin-bad", "bin-good"];
        let registry = names.iter().flat_map(|name| [bin(name), device(name, "bin-level", name)]).collect();
        site.furnish(Timestamp::MIN, registry, &names.map(|name| (name, ClientRole::Device(name.into()))));
        let order = [("RETTIDIG_FAULT_ABORT_ON_DEVICE", "bin-bad".to_owned())];
        let mut bad = Device::new(site.login("bin-bad"));
        let mut child = Child::start(&site, &order);
        bad.connect(child.mqtt.unwrap()).unwrap();
        bad.send("rettidig/v1/up/bin-bad", b"{\"temperature\":11}".to_vec()).unwrap();
        for _ in 0..2 {
            assert!(bad.acknowledged().is_err(), "it was acknowledged");
            assert!(!child.ended().success());
            child = Child::start(&site, &order);
            bad.connect(child.mqtt.unwrap()).unwrap();
        }
        bad.acknowledged().unwrap();
        let mut good = Device::new(site.login("bin-good"));
        good.connect(child.mqtt.unwrap()).unwrap();
        good.send("rettidig/v1/up/bin-good", b"{\"temperature\":12}".to_vec()).unwrap();
        good.acknowledged().unwrap();
        assert_eq!(child.metrics().get("rettidig_quarantined_total{reason=\"poison\"}"), 1);
        child.stop();
        // In between, the gateway tells about itself.
        let expected = vec![Verdict::Quarantined(QuarantineReason::Poison), Verdict::Accepted, Verdict::Accepted];
        assert_eq!(verdicts(&site), expected);
        let (_, entries) = site.journal();
        let rows: Vec<_> = entries
            .iter()
            .filter_map(|entry| if let Event::Quarantined(row) = &entry.event { Some(row) } else { None })
            .map(|row| (row.topic.as_str(), &row.head[..]))
            .collect();
        assert_eq!(
            rows,
            [("rettidig/v1/up/bin-bad", &b"{\"temperature\":11.0}"[..])],
            "what it was, to open and send again"
        );
        let raised = |fact: &&Fact| {
            matches!(fact, Fact::AlarmRaised { rule, priority: Priority::P1, .. }
                if rule.as_str() == "gateway-poisoned-message")
        };
        let alarms: usize =
            site.journal().1.iter().map(|entry| entry.decision.facts.iter().filter(raised).count()).sum();
        assert_eq!(alarms, 1, "an alarm about ourselves");
        assert_eq!(std::fs::read_dir(site.data().join("crash")).unwrap().count(), 2);
    }
}

/// The same numbers for the same seed (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }
}
