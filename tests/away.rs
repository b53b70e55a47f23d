//! PostgreSQL is away under load, stopped or standing still, and nobody who works notices: an operator signs in, sees
//! an alarm, acknowledges it, a crew completes its task; nothing is lost, memory does not grow with what is missing from
//! history, the gateway says how far behind it is, and history catches up by itself.
//!
//! Here an outage lasts as many messages as no buffer holds. `make away MINUTES=10` lets it last that long and prints
//! figures.
#![allow(clippy::allow_attributes, reason = "the shared support files allow what one binary does not use")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing test may panic")]
#![allow(clippy::print_stdout, clippy::wildcard_enum_match_arm, reason = "a test reports and picks what it looks for")]

#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/load.rs"]
mod load;
#[path = "support/mqtt.rs"]
mod mqtt;
#[path = "support/phone.rs"]
mod phone;
#[path = "support/postgres.rs"]
mod postgres;

use gateway::{Child, Site, asset, bin, crew, device};
use load::{Sender, Style, Target, audit};
use mqtt::{Connection, PATIENCE, Packet};
use phone::work_one_task;
use postgres::Cluster;
use reqwest::{Client, Method, RequestBuilder, Response};
use rettidig::domain::time::Timestamp;
use rettidig::telemetry::stopwatch;
use rettidig::vault::ClientRole;
use serde_json::{Value, json};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;
use tokio::runtime::Runtime;

const DEVICES: [&str; 4] = ["bin-1", "bin-2", "bin-3", "bin-4"];
/// As many as the gateway is warm after.
const MESSAGES_BEFORE: u64 = 8_000;
/// Several transactions of history, and several times what every queue together holds.
const MESSAGES_AWAY: u64 = 40_000;
/// Alarms that are answered meanwhile.
const CASES: u64 = 4;
/// What the process may grow by after the first case: the heap's own slack. What history lacks then is several times
/// that, and more still after minutes.
const GROWTH_MEBIBYTES_MAX: u64 = 24;
const GROWTH_MEBIBYTES_MAX_IN_MINUTES: u64 = 64;
/// The load of an outage that lasts minutes, and what goes on in one that does not.
const MESSAGES_PER_TICK: u64 = 100;
const MESSAGES_PER_TICK_BESIDE: u64 = 2;
const TICK: Duration = Duration::from_millis(50);
const BETWEEN_CASES: Duration = Duration::from_secs(10);
const PASSWORD: &str = "correct horse battery";

#[derive(Clone, Copy, Debug)]
enum Outage {
    Stopped,
    Paused,
}

#[test]
fn nobody_who_works_notices_that_postgres_is_stopped() {
    Scene::set(Outage::Stopped).play();
}

#[test]
fn nobody_who_works_notices_that_postgres_stands_still() {
    Scene::set(Outage::Paused).play();
}

struct Scene {
    outage: Outage,
    cluster: Cluster,
    site: Site,
    child: Child,
    target: Target,
    button: Connection,
    phone: Connection,
    operator: Operator,
    cases: Vec<Case>,
    /// MiB in memory: before the outage, and after each case.
    resident: Vec<u64>,
}

/// One press of a help button, from the button to the end of the crew's task.
struct Case {
    alarm: u64,
    /// Of the acknowledgement.
    seq: u64,
    seen_after: Duration,
}

impl Scene {
    /// Everything runs, and the operator's account has been made.
    fn set(outage: Outage) -> Self {
        let cluster = Cluster::start(&[]);
        let mut site = Site::with_endpoint();
        site.set("STORE__URL", &cluster.url("postgres"));
        // One that stands still is given up soon, so that it is known soon.
        site.set("STORE__STATEMENT_TIMEOUT", "2s");
        site.set("LIMITS__QUARANTINE_HEAD_BYTES", "4096");
        site.set("LIMITS__MESSAGES_PER_S_MAX", "100000");
        let bins = DEVICES.into_iter().flat_map(|name| [bin(name), device(name, "bin-level", name)]);
        let bed = [asset("bed-1", "bed"), device("button-1", "help-button", "bed-1"), crew("crew-1", "care")];
        let mut logins: Vec<_> = DEVICES.map(|name| (name, ClientRole::Device(name.into()))).into();
        logins.push(("button-1", ClientRole::Device("button-1".into())));
        logins.push(("crew-1", ClientRole::Crew("crew-1".into())));
        site.furnish(Timestamp::MIN, bins.chain(bed).collect(), &logins);
        let mut child = Child::start(&site, &[]);
        let operator = Operator::with_account(&mut child);
        let address = child.mqtt.unwrap();
        let button = Connection::open(address, &site.login("button-1")).unwrap();
        let mut phone = Connection::open(address, &site.login("crew-1")).unwrap();
        phone.subscribe("rettidig/v1/crew/crew-1/tasks").unwrap();
        let target = Target::default();
        target.allow(0);
        target.set(Some(address));
        Self { outage, cluster, site, child, target, button, phone, operator, cases: Vec::new(), resident: Vec::new() }
    }

    fn play(mut self) {
        // What cannot be read is long: keeping it in memory would show. Of an outage of minutes there is enough without.
        let last = if minutes().is_some() { Style::Named } else { Style::Garbage };
        let senders = DEVICES
            .into_iter()
            .zip([Style::Bare, Style::Named, Style::Bare, last])
            .map(|(name, style)| (style, Sender::start(name, self.site.login(name), style, u64::MAX, &self.target)));
        let senders: Vec<_> = senders.collect();
        self.load(MESSAGES_BEFORE);
        self.child.wait_for_history();
        self.resident.push(self.memory());
        match self.outage {
            Outage::Stopped => self.cluster.stop(),
            Outage::Paused => self.cluster.pause(),
        }
        let first = self.target.acknowledged();
        self.operator.signs_in();
        let load = self.work();
        let kept = self.target.acknowledged() - first;
        self.everybody_knows(kept);
        match self.outage {
            Outage::Stopped => self.cluster.start_again(),
            Outage::Paused => self.cluster.resume(),
        }
        let back = stopwatch();
        self.operator.screen().until("history has caught up", |told| told["store"]["late"] == false);
        let caught_up = back.elapsed();
        drop(load);
        self.child.wait_for_history();
        self.history_tells_the_cases();
        let figures = format!("{kept} messages kept while away, caught up {caught_up:.1?} after the return");
        println!("{:?}: {figures}; {}; {}", self.outage, self.alarms_seen(), self.memory_is_bounded());
        self.target.drain();
        let sent: Vec<_> = senders.into_iter().map(|(style, sender)| (style, sender.join())).collect();
        self.child.metrics().assert_balanced();
        self.child.stop();
        let audit = audit(&self.site, &sent);
        assert_eq!((audit.lost, audit.doubled), (0, 0), "{audit:?}");
        self.site.history_is_whole().unwrap();
    }

    /// So many messages are sent and acknowledged.
    fn load(&self, messages: u64) {
        let before = self.target.acknowledged();
        self.target.allow(messages);
        self.target.wait_for(before + messages);
    }

    /// People work on under load, for as long as the database is to be away; the load that goes on after that.
    fn work(&mut self) -> Load {
        let Some(minutes) = minutes() else {
            let load = Load::start(&self.target, MESSAGES_PER_TICK_BESIDE);
            for _ in 0..CASES {
                let before = self.target.acknowledged();
                self.target.allow(MESSAGES_AWAY / CASES);
                self.work_one_case();
                self.target.wait_for(before + MESSAGES_AWAY / CASES);
                self.resident.push(self.memory());
            }
            return load;
        };
        let load = Load::start(&self.target, MESSAGES_PER_TICK);
        let away = stopwatch();
        while away.elapsed() < Duration::from_secs(60 * minutes) {
            self.work_one_case();
            std::thread::sleep(BETWEEN_CASES);
            self.resident.push(self.memory());
        }
        load
    }

    /// The operator sees the alarm on the screen and acknowledges it; the crew completes its task.
    fn work_one_case(&mut self) {
        let pressed = stopwatch();
        let packet = u16::try_from(self.cases.len() + 1).unwrap();
        self.button.publish(Some(packet), false, "rettidig/v1/up/button-1", b"{\"press\":1}").unwrap();
        let last = self.cases.last().map_or(0, |case| case.alarm);
        let fresh = |told: &Value| {
            let rows = told["alarms"].as_array()?;
            rows.iter().find(|row| row["asset"] == "bed-1" && row["id"].as_u64() > Some(last))?["id"].as_u64()
        };
        let told = self.operator.screen().until("the alarm is seen", |told| fresh(told).is_some());
        let seen_after = pressed.elapsed();
        let alarm = fresh(&told).unwrap();
        assert_eq!(self.button.next().unwrap(), Packet::Acknowledged(packet));
        let seq = self.operator.acknowledges(alarm);
        work_one_task(&mut self.phone);
        self.operator.screen().until("the crew has completed its task", |told| {
            let rows = told["tasks"].as_array();
            rows.is_some_and(|rows| rows.iter().any(|row| row["alarm"] == alarm && row["status"] == "completed"))
        });
        self.cases.push(Case { alarm, seq, seen_after });
    }

    /// The probe, the page and whoever asks history are told how far behind it is; only history waits.
    fn everybody_knows(&mut self, kept: u64) {
        let store = self.child.wait_for_store("it is known", |store| store["ready"] == false);
        assert_eq!(store["required"], false, "{store}");
        let behind = store["behind"].as_u64().unwrap();
        assert!(behind >= kept, "{behind} behind, and {kept} have come in");
        let detail = store["detail"].as_str().unwrap();
        assert!(detail.starts_with(&format!("store behind: {behind};")), "{detail}");
        self.operator.screen().until("the page says so", |told| {
            told["store"]["late"] == true && told["store"]["behind"].as_u64() >= Some(behind)
        });
        let path = format!("/api/v1/history/alarms?min_seq={}", self.cases.last().unwrap().seq);
        let (status, told) = self.operator.ask(Method::GET, &path, None);
        assert_eq!((status, &told["code"]), (503, &json!("store_behind")), "{told}");
        assert!(told["detail"].as_str().unwrap().contains("store behind: "), "{told}");
        let page = self.child.metrics();
        page.assert_balanced();
        assert!(page.get("rettidig_store_behind_entries") >= behind);
    }

    /// What was done while it could not be written down stands in history.
    fn history_tells_the_cases(&mut self) {
        let newest = self.cases.last().unwrap().seq;
        for list in ["alarms", "tasks"] {
            let path = format!("/api/v1/history/{list}?rows=1000&asset=bed-1&min_seq={newest}");
            let (status, told) = self.operator.ask(Method::GET, &path, None);
            assert_eq!(status, 200, "{told}");
            let rows = told["rows"].as_array().unwrap();
            assert_eq!(rows.len(), self.cases.len(), "{list}: {told}");
            for row in rows {
                match list {
                    "alarms" => assert_eq!(row["acknowledged_by"], "account:anna", "{row}"),
                    _ => assert_eq!(row["status"], "completed", "{row}"),
                }
            }
        }
    }

    /// Once one transaction's worth has been read and could not be kept, nothing more stays in memory.
    fn memory_is_bounded(&self) -> String {
        let [before, first, .., last] = self.resident[..] else { panic!("too few cases: {:?}", self.resident) };
        let (half, most) = (self.resident[self.resident.len() / 2], self.resident.iter().max().unwrap());
        let growth_max = if minutes().is_some() { GROWTH_MEBIBYTES_MAX_IN_MINUTES } else { GROWTH_MEBIBYTES_MAX };
        assert!(*most < first + growth_max, "memory goes on growing: {:?} MiB", self.resident);
        let half_way = format!("resident {before} MiB before, {first} after the first case, {half} half-way");
        format!("{half_way}, {last} at the end, {most} at most")
    }

    fn memory(&self) -> u64 {
        self.child.metrics().get("process_resident_memory_bytes") >> 20
    }

    fn alarms_seen(&self) -> String {
        let mut seen: Vec<_> = self.cases.iter().map(|case| case.seen_after).collect();
        seen.sort();
        let (median, greatest) = (seen[seen.len() / 2], seen[seen.len() - 1]);
        format!("{} alarms seen after {median:.1?} at the median, {greatest:.1?} at most", seen.len())
    }
}

/// How long an outage is to last; none for as many messages as the test asks for.
fn minutes() -> Option<u64> {
    std::env::var("RETTIDIG_AWAY_MINUTES").ok().filter(|text| !text.is_empty()).map(|text| text.parse().unwrap())
}

/// The same load all the time, for as long as this is there.
struct Load {
    _stop: SyncSender<()>,
}

impl Load {
    fn start(target: &Target, messages_per_tick: u64) -> Self {
        let target = target.clone();
        let (stop, stopped) = sync_channel::<()>(0);
        std::thread::spawn(move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                target.allow(messages_per_tick);
            }
        });
        Self { _stop: stop }
    }
}

/// Somebody at the operations centre, whose page is this test.
struct Operator {
    runtime: Runtime,
    client: Client,
    origin: String,
    cookie: String,
    stream: Option<Response>,
    text: String,
}

impl Operator {
    /// Makes the first account with the link that the gateway prints.
    fn with_account(child: &mut Child) -> Self {
        let link = child.wait_for_log("/first-start#").unwrap();
        let (_, token) = link.trim().split_once("/first-start#").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = Client::builder().no_proxy().build().unwrap();
        let origin = format!("http://{}", child.http);
        let mut operator = Self { runtime, client, origin, cookie: String::new(), stream: None, text: String::new() };
        let account = json!({ "token": token, "account": "anna", "password": PASSWORD });
        let (status, told) = operator.ask(Method::POST, "/api/v1/first-start", Some(&account));
        assert_eq!(status, 201, "{told}");
        operator.cookie.clear();
        operator
    }

    fn signs_in(&mut self) {
        let account = json!({ "account": "anna", "password": PASSWORD });
        let (status, told) = self.ask(Method::POST, "/api/v1/session", Some(&account));
        assert_eq!(status, 200, "{told}");
        let stream = self.client.get(format!("{}/api/v1/stream", self.origin)).header("cookie", &self.cookie).send();
        let stream = self.runtime.block_on(stream).unwrap();
        assert_eq!(stream.status(), 200);
        self.stream = Some(stream);
        self.screen().until("the whole board is there", |told| told["part"].is_u64() && told["part"] == told["parts"]);
    }

    /// The seq of the acknowledgement.
    fn acknowledges(&mut self, alarm: u64) -> u64 {
        let (status, told) = self.ask(Method::POST, &format!("/api/v1/alarms/{alarm}/acknowledge"), None);
        assert_eq!((status, &told["verdict"]), (200, &json!("accepted")), "{told}");
        told["seq"].as_u64().unwrap()
    }

    fn ask(&mut self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let request = self.client.request(method, format!("{}{path}", self.origin)).header("origin", &self.origin);
        let request = request.header("cookie", &self.cookie).header("idempotency-key", "once").timeout(PATIENCE);
        let request = body.iter().fold(request, RequestBuilder::json);
        self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            if let Some(cookie) = answer.headers().get("set-cookie") {
                cookie.to_str().unwrap().split(';').next().unwrap().clone_into(&mut self.cookie);
            }
            (answer.status().as_u16(), answer.json().await.unwrap())
        })
    }

    fn screen(&mut self) -> Screen<'_> {
        Screen(self)
    }
}

/// What the live stream tells, event by event.
struct Screen<'a>(&'a mut Operator);

impl Screen<'_> {
    /// The first event from here on of which this is so.
    fn until(&mut self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let waited = stopwatch();
        loop {
            let told = self.next();
            if is_so(&told) {
                return told;
            }
            assert!(waited.elapsed() < PATIENCE, "the screen waits in vain: {what}; it was told {told}");
        }
    }

    fn next(&mut self) -> Value {
        let Operator { runtime, stream, text, .. } = &mut *self.0;
        let stream = stream.as_mut().expect("somebody is signed in");
        loop {
            if let Some((event, rest)) = text.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data:"));
                let told = data.map(|data| serde_json::from_str(data).unwrap());
                *text = rest.to_owned();
                match told {
                    Some(told) => return told,
                    None => continue,
                }
            }
            let more = runtime.block_on(async { tokio::time::timeout(PATIENCE, stream.chunk()).await });
            let more = more.expect("the stream has gone quiet").unwrap().expect("the stream has ended");
            text.push_str(std::str::from_utf8(&more).unwrap());
        }
    }
}
