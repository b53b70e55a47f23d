//! A gateway for tests: set up offline, then run inside this process or as a process of its own that may be killed.
//!
//! [`Site`] is the folder with configuration, data and logins. [`Inside`] runs it here, on real or scaled time, with
//! its engine and board at hand; [`Child`] is `rettidig run`, as it is installed. All ports are free ones.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use super::mqtt::{Login, PATIENCE};
use rettidig::app::assembly::{Assembly, assemble};
use rettidig::app::clock::Clock;
use rettidig::app::foundation::Foundation;
use rettidig::app::gateway::{Gateway, Start};
use rettidig::app::mandate::Notice;
use rettidig::app::{metering, shipped};
use rettidig::config::{self, Loaded};
use rettidig::domain::asset::{Asset, Device};
use rettidig::domain::crew::Crew;
use rettidig::domain::decision::Decision;
use rettidig::domain::event::{Event, RegistryChange};
use rettidig::domain::ids::{ClientId, Seq};
use rettidig::domain::reason::Verdict;
use rettidig::domain::time::{Span, Timestamp};
use rettidig::engine::Engine;
use rettidig::journal::{Entry, Reader, SealError, Sealing, Verified, verify};
use rettidig::telemetry::stopwatch;
use rettidig::vault::{ClientRole, Secret};
use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Lines of a child's log that are kept until somebody looks.
const LOG_LINES_MAX: usize = 100_000;
/// Between two looks at a counter of another process.
const LOOK_EVERY: Duration = Duration::from_millis(5);
const ENTRIES_AT_ONCE: usize = 4_096;

pub struct Site {
    folder: TempDir,
    /// Settings over those of the file, as environment variables.
    overlay: BTreeMap<String, String>,
    secrets: BTreeMap<String, String>,
}

impl Site {
    /// The shipped configuration with these settings.
    pub fn new(settings: &str) -> Self {
        let folder = TempDir::new().unwrap();
        shipped::lay_down(&folder.path().join("config")).unwrap();
        fs::write(folder.path().join("config/rettidig.toml"), settings).unwrap();
        let mut site = Self { folder, overlay: BTreeMap::new(), secrets: BTreeMap::new() };
        site.set("DATA__FOLDER", &site.data().display().to_string());
        site.set("HTTP__LISTEN", "127.0.0.1:0");
        site.set("LOG__FORMAT", "json");
        site
    }

    /// The gateway's own endpoint is the way in.
    pub fn with_endpoint() -> Self {
        Self::new("[endpoint]\nlisten = [\"127.0.0.1:0\"]\n")
    }

    /// A broker is the way in and out, and the only one.
    pub fn with_broker(port: u16) -> Self {
        Self::new(&format!(
            "[endpoint]\nlisten = []\n[[broker]]\nname = \"city\"\nhost = \"127.0.0.1\"\nport = {port}\n\
             client_id = \"rettidig-under-test\"\n\
             subscribe = [\"rettidig/v1/up/+\", \"application/+/device/+/event/up\", \"rettidig/v1/crew/+/replies\"]\n"
        ))
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.overlay.insert(format!("RETTIDIG__{name}"), value.to_owned());
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    /// The program with this site's configuration, as somebody beside the gateway runs it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rettidig"));
        command.args(arguments).arg("--config").arg(self.config()).envs(&self.overlay).env_remove("RUST_LOG");
        command.stdin(Stdio::null());
        command
    }

    /// `rettidig store rebuild --verify` says that history is what the journal gives, up to its last entry.
    pub fn history_is_whole(&self) -> Result<(), String> {
        let output = self.command(&["store", "rebuild", "--verify", "--json"]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        let whole = serde_json::from_str::<serde_json::Value>(&told).is_ok_and(|told| told["behind"] == 0);
        if output.status.success() && whole {
            return Ok(());
        }
        Err(format!("{told}{}", String::from_utf8_lossy(&output.stderr)))
    }

    /// Changes a shipped rule file; what is to be replaced must be there.
    pub fn change_rules(&self, file: &str, from: &str, to: &str) {
        let path = self.config().join("rules").join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} does not hold {from:?}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    fn loaded(&self, clock: &Clock) -> (Loaded, Assembly) {
        let loaded = config::load(&self.config(), self.overlay.clone()).unwrap();
        let assembly =
            assemble(&loaded, clock.now()).unwrap_or_else(|faults| panic!("the configuration has faults: {faults:?}"));
        (loaded, assembly)
    }

    /// Enters configuration and registry and makes the logins, while nothing runs.
    pub fn furnish(&mut self, at: Timestamp, changes: Vec<RegistryChange>, logins: &[(&str, ClientRole)]) {
        let clock = if at == Timestamp::MIN { Clock::wall() } else { Clock::scaled(at) };
        let (loaded, assembly) = self.loaded(&clock);
        let mut foundation = self.foundation(&loaded, clock);
        for event in [Event::Configured(Box::new(assembly.configuration)), Event::Registered(changes)] {
            assert_eq!(foundation.decide(event).unwrap().verdict, Verdict::Accepted);
        }
        let mut clients = Vec::new();
        for (client, role) in logins {
            let secret = Secret::generate().unwrap();
            self.secrets.insert((*client).to_owned(), secret.reveal());
            clients.push((ClientId::new(client), secret, role.clone()));
        }
        foundation.vault.put_clients(&clients, Timestamp::from_micros(0)).unwrap();
    }

    fn foundation(&self, loaded: &Loaded, clock: Clock) -> Foundation {
        Foundation::lay(&self.data(), &loaded.settings.journal, clock).unwrap()
    }

    /// Decides many events while nothing runs, as a gateway would, at the present moment; hands on what was decided.
    pub fn decide(&self, events: impl Iterator<Item = Event>, mut seen: impl FnMut(&Decision)) {
        let clock = Clock::wall();
        let Foundation { folder: _folder, clock, mut journal, mut engine, .. } =
            self.foundation(&self.loaded(&clock).0, clock);
        for (number, event) in events.enumerate() {
            let now = clock.now();
            let event = engine.admit(now, event).into_event();
            let decision = engine.step(now, &event);
            journal.append(now, &event, &decision).unwrap();
            seen(&decision);
            if number.is_multiple_of(ENTRIES_AT_ONCE) {
                journal.sync().unwrap();
            }
        }
        journal.sync().unwrap();
    }

    /// For the own endpoint.
    pub fn login(&self, client: &str) -> Login {
        let secret = self.secrets.get(client).unwrap_or_else(|| panic!("no login for {client}")).clone();
        Login { client_id: client.to_owned(), secret: Some(secret), clean: false }
    }

    /// The whole journal, checked and read.
    pub fn journal(&self) -> (Verified, Vec<Entry>) {
        let folder = self.data().join("journal");
        let verified = verify(&folder, |_| {}).unwrap_or_else(|fault| panic!("the journal is damaged: {fault:?}"));
        let mut reader = Reader::open(&folder, unsealed()).unwrap();
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let next = entries.last().map_or(Seq(1), |entry| entry.seq.next());
            let more = reader.read(next, ENTRIES_AT_ONCE).unwrap();
            if more.is_empty() {
                return (verified, entries);
            }
            entries.extend(more);
        }
    }

    /// How many entries of the journal are of this kind; read piece by piece, for journals that are too long to hold.
    pub fn count(&self, is_one: impl Fn(&Entry) -> bool) -> u64 {
        let mut reader = Reader::open(self.data().join("journal"), unsealed()).unwrap();
        let (mut next, mut count) = (Seq(1), 0);
        loop {
            let more = reader.read(next, ENTRIES_AT_ONCE).unwrap();
            let Some(last) = more.last() else { return count };
            next = last.seq.next();
            count += more.iter().filter(|entry| is_one(entry)).count() as u64;
        }
    }
}

/// Nothing in these tests is about a person.
fn unsealed() -> Sealing {
    Sealing {
        seal: Arc::new(|person, _| Err(SealError::new(format!("nothing to seal about {person}")))),
        open: Arc::new(|person, _| Err(SealError::new(format!("nothing to open about {person}")))),
    }
}

pub fn bin(id: &str) -> RegistryChange {
    asset(id, "bin")
}

pub fn asset(id: &str, kind: &str) -> RegistryChange {
    RegistryChange::PutAsset(Asset {
        id: id.into(),
        kind: kind.into(),
        area: None,
        position: None,
        person: None,
        attributes: BTreeMap::new(),
    })
}

pub fn device(id: &str, sensor_type: &str, asset: &str) -> RegistryChange {
    RegistryChange::PutDevice(Device {
        id: id.into(),
        sensor_type: sensor_type.into(),
        asset: asset.into(),
        mounting: BTreeMap::new(),
    })
}

pub fn crew(id: &str, skill: &str) -> RegistryChange {
    RegistryChange::PutCrew(Crew { id: id.into(), skills: [skill.into()].into(), areas: [].into() })
}

/// A gateway inside this process.
pub struct Inside {
    runtime: Runtime,
    gateway: Option<Gateway>,
}

impl Inside {
    pub fn start(site: &Site, clock: Clock) -> Self {
        static METRICS: OnceLock<metrics_exporter_prometheus::PrometheusHandle> = OnceLock::new();
        let metrics = METRICS.get_or_init(|| metering::install().unwrap()).clone();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (loaded, assembly) = site.loaded(&clock);
        let foundation = Foundation::lay(&site.data(), &loaded.settings.journal, clock).unwrap();
        let start = Start {
            settings: loaded.settings,
            assembly,
            metrics,
            notice: Notice::default(),
            source: None,
            simulated: false,
        };
        let gateway = runtime.block_on(Gateway::start(foundation, start)).unwrap();
        Self { runtime, gateway: Some(gateway) }
    }

    pub fn gateway(&self) -> &Gateway {
        self.gateway.as_ref().expect("it runs until it is dropped")
    }

    pub fn address(&self) -> SocketAddr {
        self.gateway().addresses.mqtt[0]
    }

    /// Waits until this is so; looks again whenever something has been released.
    pub fn wait_until(&self, what: &str, is_so: impl Fn(&Gateway) -> bool) {
        self.runtime.block_on(async {
            let mut changes = self.gateway().board.changes();
            let found = async {
                loop {
                    changes.borrow_and_update();
                    // The board is told first: when the loop answers, everybody else has been told too.
                    self.gateway().handle.look(|_| ()).await.expect("the gateway runs");
                    if is_so(self.gateway()) {
                        return;
                    }
                    changes.changed().await.expect("the gateway runs");
                }
            };
            let ledger = || self.gateway().ledger.counts();
            let waited = tokio::time::timeout(PATIENCE, found).await;
            waited.unwrap_or_else(|_| panic!("it never came to this: {what}; {:?}", ledger()));
        });
    }

    /// Waits until so many messages have come in and are decided.
    pub fn wait_for_messages(&self, messages: u64) {
        self.wait_until(&format!("{messages} messages"), |gateway| {
            let counts = gateway.ledger.counts();
            assert!(counts.balanced(), "{counts:?}");
            counts.received >= messages && counts.in_flight == 0
        });
    }

    /// Looks at the engine between two events.
    pub fn look<T: Send + 'static>(&self, question: impl FnOnce(&Engine) -> T + Send + 'static) -> T {
        self.runtime.block_on(self.gateway().handle.look(question)).unwrap()
    }

    /// Moves scaled time.
    pub fn advance(&self, by: Span) {
        let to = self.gateway().clock.now() + by;
        self.runtime.block_on(self.gateway().handle.advance(to)).unwrap();
    }

    pub fn stop(mut self) {
        let gateway = self.gateway.take().expect("it runs until it is dropped");
        let drained = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, gateway.drain()).await });
        drained.expect("the gateway does not stop").unwrap();
    }
}

/// `rettidig run` as a process of its own.
pub struct Child {
    process: std::process::Child,
    log: Receiver<String>,
    seen: VecDeque<String>,
    /// None when the endpoint is off.
    pub mqtt: Option<SocketAddr>,
    pub http: SocketAddr,
}

impl Child {
    /// Starts it and does not wait.
    pub fn launch(site: &Site, faults: &[(&str, String)]) -> Self {
        let mut process = site
            .command(&["run"])
            .envs(faults.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("cannot start rettidig");
        let stderr = process.stderr.take().unwrap();
        let (lines, log) = sync_channel(LOG_LINES_MAX);
        std::thread::spawn(move || {
            // Past the limit lines are dropped, so that the gateway is never held up by us.
            BufReader::new(stderr).lines().map_while(Result::ok).for_each(|line| drop(lines.try_send(line)));
        });
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        Self { process, log, seen: VecDeque::new(), mqtt: None, http: nowhere }
    }

    /// Starts it and waits until it listens.
    pub fn start(site: &Site, faults: &[(&str, String)]) -> Self {
        let mut child = Self::launch(site, faults);
        assert!(child.listens(), "rettidig did not start:\n{}", child.said());
        child
    }

    /// Waits until it listens; false when it ends before.
    pub fn listens(&mut self) -> bool {
        let Ok(line) = self.wait_for_log("listening") else { return false };
        self.mqtt = address(&line, "mqtt");
        self.http = address(&line, "http").expect("the page has an address");
        true
    }

    /// Waits for a line of the log with this text that was not given before; when the process ends before, gives what it said.
    pub fn wait_for_log(&mut self, text: &str) -> Result<String, String> {
        if let Some(place) = self.seen.iter().position(|line| line.contains(text)) {
            return Ok(self.seen.remove(place).expect("it was just found"));
        }
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(text) => return Ok(line),
                Ok(line) => self.seen.push_back(line),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Err(self.said()),
            }
        }
    }

    /// Everything it has logged that was not waited for.
    pub fn said(&mut self) -> String {
        self.seen.extend(self.log.try_iter());
        self.seen.iter().fold(String::new(), |text, line| text + line + "\n")
    }

    /// As a power cut would, but for the disk.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// As a power cut would; then it is started again, and listens.
    pub fn kill_and_start(&mut self, site: &Site) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        *self = Self::start(site, &[]);
    }

    /// Its number, to see what it takes.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Asks it to stop; it may have ended already.
    pub fn terminate(&self) {
        let told = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &self.process.id().to_string()]).output();
        told.expect("cannot run sh");
    }

    /// Waits until it has ended; its log ends with it.
    pub fn ended(&mut self) -> ExitStatus {
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) => self.seen.push_back(line),
                Err(RecvTimeoutError::Disconnected) => return self.process.wait().unwrap(),
                Err(RecvTimeoutError::Timeout) => {
                    let said = self.said();
                    let _ = self.process.kill();
                    panic!("rettidig does not end; it said:\n{said}");
                }
            }
        }
    }

    /// Whether it ends within this time, give or take.
    pub fn ends_within(&mut self, time: Duration) -> bool {
        match self.log.recv_timeout(time) {
            Ok(line) => {
                self.seen.push_back(line);
                false
            }
            Err(RecvTimeoutError::Disconnected) => true,
            Err(RecvTimeoutError::Timeout) => false,
        }
    }

    /// Asks it to stop and waits until it has, with exit code 0.
    pub fn stop(mut self) {
        self.terminate();
        let status = self.ended();
        assert!(status.success(), "rettidig ended with {status}:\n{}", self.said());
    }

    /// The metrics page: one reading.
    pub fn metrics(&self) -> Metrics {
        metrics(self.http)
    }

    /// What `/health/ready` says about the store.
    pub fn store(&self) -> serde_json::Value {
        let answer = get(self.http, "/health/ready");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str::<serde_json::Value>(body).unwrap()["parts"]["store"].clone()
    }

    /// Waits until this is so of the store.
    pub fn wait_for_store(&self, what: &str, is_so: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let waited = stopwatch();
        loop {
            let store = self.store();
            if is_so(&store) {
                return store;
            }
            assert!(waited.elapsed() < PATIENCE, "waited in vain: {what}: {store}");
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits until the store holds everything there is; it may take long, but it must go on.
    pub fn wait_for_history(&self) {
        let (mut least, mut waited) = (u64::MAX, stopwatch());
        loop {
            let store = self.store();
            let behind = store["behind"].as_u64().unwrap_or(u64::MAX);
            if store["ready"] == true && behind == 0 {
                return;
            }
            if behind < least {
                (least, waited) = (behind, stopwatch());
            }
            assert!(waited.elapsed() < PATIENCE, "history does not catch up: {store}");
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits until a counter has come this far.
    pub fn wait_for_metric(&self, series: &str, least: u64) {
        let waited = stopwatch();
        while self.metrics().find(series).unwrap_or(0) < least {
            assert!(waited.elapsed() < PATIENCE, "{series} never came to {least}:\n{}", self.metrics().0);
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub struct Metrics(pub String);

/// The metrics page of the gateway at this address: one reading.
pub fn metrics(http: SocketAddr) -> Metrics {
    Metrics(get(http, "/metrics"))
}

impl Metrics {
    pub fn number(&self, series: &str) -> Option<f64> {
        let number = self.0.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        Some(number.parse().unwrap())
    }

    pub fn find(&self, series: &str) -> Option<u64> {
        self.number(series).map(|number| number as u64)
    }

    pub fn get(&self, series: &str) -> u64 {
        self.find(series).unwrap_or_else(|| panic!("no {series} in\n{}", self.0))
    }

    /// One stage of the ledger.
    pub fn messages(&self, stage: &str) -> u64 {
        match stage {
            "received" => self.get("rettidig_messages_received_total"),
            "in_flight" => self.get("rettidig_messages_in_flight"),
            outcome => self.get(&format!("rettidig_messages_settled_total{{outcome=\"{outcome}\"}}")),
        }
    }

    pub fn assert_balanced(&self) {
        let settled: u64 = ["in_flight", "decided", "redacted", "duplicate", "refused", "quarantined"]
            .iter()
            .map(|stage| self.messages(stage))
            .sum();
        assert_eq!(self.messages("received"), settled, "the ledger does not balance:\n{}", self.0);
        assert_eq!(self.get("rettidig_ledger_balanced"), 1);
    }
}

pub fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    answer
}

/// The first of the addresses that the line lists under this name.
fn address(line: &str, name: &str) -> Option<SocketAddr> {
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let listed = line["fields"][name].as_str().unwrap_or_default();
    listed.trim_matches(['[', ']']).split(", ").next().filter(|text| !text.is_empty())?.parse().ok()
}
