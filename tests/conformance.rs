//! One suite for both ways in: whatever a gateway promises, it promises over its own endpoint and through a broker.
//!
//! A scenario is a function of the way; the table at the end runs each of them over both. Where the two differ, the
//! scenario says so.
#![allow(clippy::allow_attributes, reason = "the shared support files allow what one binary does not use")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing test may panic")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test picks what it looks for")]

#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/load.rs"]
mod load;
#[path = "support/mosquitto.rs"]
mod mosquitto;
#[path = "support/mqtt.rs"]
mod mqtt;

use gateway::{Child, Inside, Site, asset, bin, crew, device};
use load::{Audit, Sender, Sent, Style, Target, audit};
use mosquitto::Mosquitto;
use mqtt::{Connection, Device, Login, Packet};
use rettidig::app::clock::Clock;
use rettidig::domain::decision::Fact;
use rettidig::domain::event::Event;
use rettidig::domain::reason::{QuarantineReason, Verdict};
use rettidig::domain::time::{Span, Timestamp};
use rettidig::journal::Entry;
use rettidig::vault::ClientRole;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Endpoint,
    Broker,
    /// Everybody is at the endpoint, and a broker is connected too.
    EndpointBesideBroker,
}

/// 1 March 2026, noon UTC.
const NOON: Timestamp = Timestamp::from_micros(1_772_366_400_000_000);
const BINS: [&str; 6] = ["bin-1", "bin-2", "bin-3", "bin-4", "bin-5", "bin-6"];
const TASKS: &str = "rettidig/v1/crew/crew-1/tasks";
const REPLIES: &str = "rettidig/v1/crew/crew-1/replies";
const LORA: &str = "0102030405060708";

/// A site, and the broker if that is the way.
struct Stage {
    way: Way,
    site: Site,
    broker: Option<Mosquitto>,
}

impl Stage {
    fn new(way: Way) -> Self {
        let broker = (way != Way::Endpoint).then(Mosquitto::start);
        let mut site = broker.as_ref().map_or_else(Site::with_endpoint, |broker| Site::with_broker(broker.port()));
        if way == Way::EndpointBesideBroker {
            site.set("ENDPOINT__LISTEN", "127.0.0.1:0");
        }
        Self { way, site, broker }
    }

    fn furnish(&mut self, at: Timestamp) {
        let mut registry: Vec<_> = BINS.iter().flat_map(|name| [bin(name), device(name, "bin-level", name)]).collect();
        registry.extend([bin("bin-lora"), device(LORA, "bin-level", "bin-lora")]);
        registry.extend([asset("bed-1", "bed"), device("button-1", "help-button", "bed-1")]);
        registry.extend([crew("crew-1", "waste"), crew("crew-2", "care")]);
        let mut logins: Vec<_> = BINS.iter().map(|name| (*name, ClientRole::Device((*name).into()))).collect();
        logins.push(("button-1", ClientRole::Device("button-1".into())));
        logins.push(("network", ClientRole::Gateway));
        logins.push(("reports", ClientRole::Service));
        logins.push(("crew-1", ClientRole::Crew("crew-1".into())));
        self.site.furnish(at, registry, &logins);
    }

    /// On time that stands still until it is moved, with the broker connected.
    fn inside(&mut self) -> Inside {
        self.furnish(NOON);
        let inside = Inside::start(&self.site, Clock::scaled(NOON));
        if let Some(broker) = &self.broker {
            broker.wait_for_log("Sending SUBACK to rettidig-under-test");
        }
        inside
    }

    fn address(&self, endpoint: Option<SocketAddr>) -> SocketAddr {
        match &self.broker {
            Some(broker) if self.way == Way::Broker => SocketAddr::from(([127, 0, 0, 1], broker.port())),
            _ => endpoint.expect("the endpoint listens"),
        }
    }

    fn login(&self, name: &str) -> Login {
        match self.way {
            Way::Broker => Login { client_id: name.to_owned(), secret: None, clean: false },
            Way::Endpoint | Way::EndpointBesideBroker => self.site.login(name),
        }
    }

    fn connect(&self, inside: &Inside, name: &str) -> Connection {
        let address = self.address(inside.gateway().addresses.mqtt.first().copied());
        Connection::open(address, &self.login(name)).unwrap()
    }

    fn child(&self) -> Child {
        let mut child = Child::start(&self.site, &[]);
        if self.broker.is_some() {
            child.wait_for_log("broker connected").unwrap_or_else(|log| panic!("no connection to the broker:\n{log}"));
        }
        child
    }

    /// What devices sent became of, with verdicts.
    fn messages(&self) -> Vec<Entry> {
        let came_in = |entry: &Entry| matches!(entry.event, Event::Observed(_) | Event::Quarantined(_));
        self.site.journal().1.into_iter().filter(came_in).collect()
    }

    fn verdicts(&self) -> Vec<Verdict> {
        self.messages().into_iter().map(|entry| entry.decision.verdict).collect()
    }
}

fn up(device: &str) -> String {
    format!("rettidig/v1/up/{device}")
}

/// The next task message, acknowledged.
fn task(crew: &mut Connection) -> serde_json::Value {
    let Packet::Message { topic, payload, packet, .. } = crew.next().expect("a task message") else {
        panic!("not a message")
    };
    assert_eq!(topic, TASKS);
    crew.acknowledge(packet.expect("a task comes with QoS 1")).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

fn answer(crew: &mut Connection, packet: u16, task: &serde_json::Value, answer: &str) {
    let reply = serde_json::json!({"task": task["task"], "answer": answer});
    crew.publish_acknowledged(packet, REPLIES, reply.to_string().as_bytes()).unwrap();
}

/// Starts these devices, each with so many messages.
fn load(stage: &Stage, target: &Target, messages: u64) -> Vec<(Style, Sender)> {
    let styles = [Style::Bare, Style::Named, Style::Bare, Style::Named, Style::Garbage, Style::Bare];
    BINS.iter()
        .zip(styles)
        .map(|(name, style)| (style, Sender::start(name, stage.login(name), style, messages, target)))
        .collect()
}

fn join(senders: Vec<(Style, Sender)>) -> Vec<(Style, Sent)> {
    senders.into_iter().map(|(style, sender)| (style, sender.join())).collect()
}

fn assert_nothing_lost(audit: &Audit, messages: usize) {
    assert_eq!((audit.messages, audit.lost, audit.doubled), (messages, 0, 0), "{audit:?}");
}

fn every_acknowledged_message_is_kept_exactly_once_and_in_order(way: Way) {
    let mut stage = Stage::new(way);
    let inside = stage.inside();
    let target = Target::default();
    target.set(Some(stage.address(inside.gateway().addresses.mqtt.first().copied())));
    let sent = join(load(&stage, &target, 200));
    inside.wait_for_messages(1_200);
    inside.stop();
    assert_nothing_lost(&audit(&stage.site, &sent), 1_200);
    let entries = stage.messages();
    for (_, Sent(messages)) in &sent {
        let topic = &messages[0].0;
        let expected: Vec<_> =
            messages.iter().map(|(topic, payload)| rettidig::decode::content_hash(topic, payload)).collect();
        let of_this_device = |entry: &Entry| match &entry.event {
            Event::Observed(observed) => (up(observed.device.as_str()) == *topic).then_some(observed.ingress.content),
            Event::Quarantined(quarantined) => {
                (quarantined.topic == topic.as_str()).then_some(quarantined.ingress.content)
            }
            _ => None,
        };
        let kept: Vec<_> = entries.iter().filter_map(of_this_device).collect();
        assert_eq!(kept, expected, "the order of {topic}");
    }
}

fn a_full_bin_is_emptied(way: Way) {
    let mut stage = Stage::new(way);
    let inside = stage.inside();
    let mut crew = stage.connect(&inside, "crew-1");
    crew.subscribe(TASKS).unwrap();
    let mut sensor = stage.connect(&inside, "bin-1");
    sensor.publish_acknowledged(1, &up("bin-1"), b"{\"fill\":0.9}").unwrap();
    inside.wait_for_messages(1);
    let offered = task(&mut crew);
    assert_eq!((&offered["notice"], &offered["kind"]), (&"offered".into(), &"empty-bin".into()));
    answer(&mut crew, 1, &offered, "accepted");
    inside.wait_for_messages(2);
    inside.advance(Span::from_mins(11));
    answer(&mut crew, 2, &offered, "completed");
    inside.wait_for_messages(3);
    sensor.publish_acknowledged(2, &up("bin-1"), b"{\"fill\":0.05}").unwrap();
    inside.wait_until("no alarm is open", |gateway| gateway.board.view().counts.alarms_open.iter().sum::<u64>() == 0);
    inside.stop();
    let facts: Vec<Fact> = stage.site.journal().1.into_iter().flat_map(|entry| entry.decision.facts).collect();
    let count = |is: fn(&Fact) -> bool| facts.iter().filter(|fact| is(fact)).count();
    assert_eq!(count(|fact| matches!(fact, Fact::AlarmRaised { .. })), 1);
    assert_eq!(count(|fact| matches!(fact, Fact::TaskRequested { .. })), 1);
    assert_eq!(count(|fact| matches!(fact, Fact::TaskOffered { .. })), 1);
    assert_eq!(count(|fact| matches!(fact, Fact::TaskAccepted { .. })), 1);
    assert_eq!(count(|fact| matches!(fact, Fact::TaskCompleted { .. })), 1);
    assert_eq!(count(|fact| matches!(fact, Fact::AlarmClosed { .. })), 1);
}

fn what_cannot_be_used_is_set_aside_with_its_reason(way: Way) {
    use QuarantineReason::{OutOfRange, Oversize, UnknownDevice, UnknownProperty, Unparsable, WrongType};
    let mut stage = Stage::new(way);
    stage.site.set("LIMITS__PAYLOAD_BYTES_MAX", "1024");
    let inside = stage.inside();
    let mut network = stage.connect(&inside, "network");
    let long = format!("{{\"temperature\":11,\"note\":\"{}\"}}", "x".repeat(2_000));
    let longer = format!("\"{}\"", "x".repeat(200_000));
    let unfit = [
        ("nobody", "{\"temperature\":11}", UnknownDevice),
        ("bin-1", "{\"temperature\":", Unparsable),
        ("bin-1", &long, Oversize),
        ("bin-1", &longer, Oversize),
        ("bin-1", "{\"temperature\":1000}", OutOfRange),
        ("bin-1", "{\"colour\":3}", UnknownProperty),
        ("bin-1", "{\"temperature\":\"warm\"}", WrongType),
    ];
    for (packet, (device, payload, _)) in (1..).zip(unfit) {
        network.publish_acknowledged(packet, &up(device), payload.as_bytes()).unwrap();
    }
    let ahead = b"{\"temperature\":11,\"observed_at\":\"2031-01-01T00:00:00Z\"}";
    network.publish_acknowledged(100, &up("bin-2"), ahead).unwrap();
    inside.wait_until("all are decided", |gateway| {
        let counts = gateway.ledger.counts();
        counts.quarantined_total() + counts.decided == 8 && counts.in_flight == 0
    });
    let counts = inside.gateway().ledger.counts();
    for (_, _, reason) in unfit {
        let expected = unfit.iter().filter(|(_, _, other)| *other == reason).count() as u64;
        assert_eq!(counts.quarantined.get(&reason), Some(&expected), "{reason}");
    }
    inside.stop();
    let mut expected: Vec<_> = unfit.iter().map(|(_, _, reason)| Verdict::Quarantined(*reason)).collect();
    expected.push(Verdict::Accepted);
    assert_eq!(stage.verdicts(), expected);
    let last = stage.messages().pop().unwrap();
    assert!(matches!(last.decision.facts[..], [Fact::DeviceClockAhead { .. }, ..]), "{:?}", last.decision.facts);
}

fn six_presses_are_six_and_six_more_over_own_connections(way: Way) {
    const PRESS: &[u8] = b"{\"press\":1}";
    let mut stage = Stage::new(way);
    let inside = stage.inside();
    let mut button = stage.connect(&inside, "button-1");
    for packet in 1..=6 {
        button.publish(Some(packet), false, &up("button-1"), PRESS).unwrap();
    }
    for packet in 1..=6 {
        assert_eq!(button.next().unwrap(), Packet::Acknowledged(packet));
    }
    button.disconnect().unwrap();
    for _ in 0..6 {
        let mut button = stage.connect(&inside, "button-1");
        button.publish_acknowledged(1, &up("button-1"), PRESS).unwrap();
        button.disconnect().unwrap();
    }
    inside.wait_for_messages(12);
    inside.stop();
    assert_eq!(stage.verdicts(), vec![Verdict::Accepted; 12]);
}

fn one_uplink_through_two_gateways_is_one(way: Way) {
    let mut stage = Stage::new(way);
    let inside = stage.inside();
    let mut network = stage.connect(&inside, "network");
    let topic = format!("application/1/device/{LORA}/event/up");
    for (packet, gateway) in [(1, "aa555a0000000001"), (2, "aa555a0000000002")] {
        let uplink = serde_json::json!({
            "deduplicationId": "5b5f3d0e-8d3c-4d29-9f2a-1d2c3b4a5968", "time": "2026-03-01T11:59:58Z",
            "deviceInfo": {"devEui": LORA}, "devAddr": "00189440", "fCnt": 7, "fPort": 85,
            "object": {"temperature": 61.0}, "rxInfo": [{"gatewayId": gateway}],
        });
        network.publish_acknowledged(packet, &topic, uplink.to_string().as_bytes()).unwrap();
    }
    inside.wait_for_messages(2);
    assert_eq!(inside.gateway().tally.totals().tasks, 1);
    inside.stop();
    let verdicts = stage.verdicts();
    assert!(matches!(verdicts[..], [Verdict::Accepted, Verdict::Duplicate { .. }]), "{verdicts:?}");
}

fn a_crew_that_was_away_gets_its_task_when_it_comes_back(way: Way) {
    let mut stage = Stage::new(way);
    let inside = stage.inside();
    let mut crew = stage.connect(&inside, "crew-1");
    crew.subscribe(TASKS).unwrap();
    crew.disconnect().unwrap();
    let mut sensor = stage.connect(&inside, "bin-1");
    sensor.publish_acknowledged(1, &up("bin-1"), b"{\"temperature\":61}").unwrap();
    inside.wait_until("a task", |gateway| gateway.tally.totals().tasks == 1);
    // A conformant client whose session is still there does not subscribe again.
    let mut crew = stage.connect(&inside, "crew-1");
    assert!(crew.session_present);
    let offered = task(&mut crew);
    assert_eq!((&offered["notice"], &offered["kind"]), (&"offered".into(), &"inspect-bin".into()));
    answer(&mut crew, 1, &offered, "accepted");
    inside.wait_for_messages(2);
    inside.stop();
    let facts: Vec<Fact> = stage.site.journal().1.into_iter().flat_map(|entry| entry.decision.facts).collect();
    assert!(facts.iter().any(|fact| matches!(fact, Fact::TaskAccepted { .. })), "{facts:?}");
}

/// A broker cannot be told to forget: what it has been handed it delivers, with the moment it ends, and an answer
/// after that is refused. Our own endpoint never sends it.
fn an_offer_that_has_expired_is_not_sent(way: Way) {
    let mut stage = Stage::new(way);
    let inside = stage.inside();
    let mut crew = stage.connect(&inside, "crew-1");
    crew.subscribe(TASKS).unwrap();
    crew.disconnect().unwrap();
    let mut sensor = stage.connect(&inside, "bin-1");
    sensor.publish_acknowledged(1, &up("bin-1"), b"{\"temperature\":61}").unwrap();
    inside.wait_for_messages(1);
    inside.advance(Span::from_secs(70));
    let mut crew = stage.connect(&inside, "crew-1");
    crew.subscribe(TASKS).unwrap_or_else(|error| assert_eq!(way, Way::Broker, "{error}"));
    if way == Way::Broker {
        answer(&mut stage.connect(&inside, "phone"), 1, &serde_json::json!({"task": 1}), "accepted");
        inside.wait_for_messages(2);
        assert_eq!(inside.gateway().ledger.counts().refused, 1);
        inside.stop();
        return;
    }
    // Asked again, it gets this offer, and the one that has expired never came before it.
    inside.advance(Span::from_mins(2));
    let offered = task(&mut crew);
    inside.stop();
    let deliveries: Vec<_> = stage.site.journal().1.into_iter().flat_map(|entry| entry.decision.facts).collect();
    let deliveries: Vec<_> = deliveries
        .iter()
        .filter_map(
            |fact| if let Fact::TaskOffered { delivery, .. } = fact { Some(delivery.to_string()) } else { None },
        )
        .collect();
    let received = offered["delivery"].as_str().unwrap();
    assert!(deliveries.len() > 1 && received.ends_with(&format!("/{}", deliveries[1])), "{received} of {deliveries:?}");
}

fn asked_to_stop_under_load_it_loses_nothing(way: Way) {
    let mut stage = Stage::new(way);
    stage.furnish(Timestamp::MIN);
    let child = stage.child();
    let target = Target::default();
    target.set(Some(stage.address(child.mqtt)));
    let senders = load(&stage, &target, 300);
    target.wait_for(200);
    if way == Way::Endpoint {
        target.set(None);
    }
    child.stop();
    let child = stage.child();
    target.set(Some(stage.address(child.mqtt)));
    let sent = join(senders);
    wait_for_last(&stage, &child);
    child.stop();
    assert_nothing_lost(&audit(&stage.site, &sent), 1_800);
}

/// The smallest inbox, a sync for every message, more senders than it can take, and two that read the metrics.
fn a_flood_waits_and_the_ledger_balances_at_every_scrape(way: Way) {
    let mut stage = Stage::new(way);
    stage.site.set("LIMITS__INBOX_EVENTS_MAX", "64");
    stage.site.set("LIMITS__BATCH_EVENTS_MAX", "1");
    stage.furnish(Timestamp::MIN);
    let child = stage.child();
    let target = Target::default();
    target.set(Some(stage.address(child.mqtt)));
    let senders = load(&stage, &target, 300);
    let done = AtomicBool::new(false);
    let sent = std::thread::scope(|scope| {
        let http = child.http;
        let done = &done;
        let scrape = move || {
            let mut scrapes = 0;
            while !done.load(Ordering::Relaxed) {
                gateway::metrics(http).assert_balanced();
                scrapes += 1;
            }
            scrapes
        };
        let scrapers = [scope.spawn(scrape), scope.spawn(scrape)];
        let sent = join(senders);
        wait_for_last(&stage, &child);
        done.store(true, Ordering::Relaxed);
        assert!(scrapers.map(|scraper| scraper.join().unwrap()).iter().sum::<u64>() > 1);
        sent
    });
    let metrics = child.metrics();
    assert!(metrics.messages("received") >= 1_800 && metrics.messages("in_flight") == 0, "{}", metrics.0);
    child.stop();
    assert_nothing_lost(&audit(&stage.site, &sent), 1_800);
}

/// Nothing is on the way behind the message of an unknown device. A broker hands on in the order it was given.
fn wait_for_last(stage: &Stage, child: &Child) {
    let login = stage.login("network");
    let mut last = Device::new(login);
    last.connect(stage.address(child.mqtt)).unwrap();
    last.send(&up("nobody"), b"{}".to_vec()).unwrap();
    last.acknowledged().unwrap();
    child.wait_for_metric("rettidig_quarantined_total{reason=\"unknown_device\"}", 1);
}

#[test]
fn a_crew_that_was_away_gets_its_task_at_the_endpoint_though_a_broker_is_connected() {
    a_crew_that_was_away_gets_its_task_when_it_comes_back(Way::EndpointBesideBroker);
}

/// Nothing is ever sent to devices, network servers and services yet: a subscription would be a promise.
#[test]
fn a_subscription_that_is_never_served_is_refused() {
    let mut stage = Stage::new(Way::Endpoint);
    let inside = stage.inside();
    for (login, filter) in [
        ("bin-1", "rettidig/v1/down/bin-1"),
        ("network", "rettidig/v1/down/+"),
        ("network", "application/+/device/+/command/down"),
        ("network", "v3/+/devices/+/down/+"),
        ("reports", "rettidig/v1/#"),
        ("reports", "rettidig/v1/crew/crew-1/tasks"),
    ] {
        let refused = stage.connect(&inside, login).subscribe(filter).unwrap_err();
        assert!(refused.to_string().contains("Subscribed(128)"), "{login}: {refused}");
    }
    stage.connect(&inside, "crew-1").subscribe(TASKS).unwrap();
    inside.stop();
}

/// MQTT 3.1.1 cannot tell a client to do without QoS 2. Its packet id names the message until the client has let it go.
#[test]
fn a_press_with_qos_2_is_one_press_however_often_it_is_sent() {
    const PUBREC: (u8, u8, [u8; 2]) = (5, 0, [0, 7]);
    let mut stage = Stage::new(Way::Endpoint);
    let inside = stage.inside();
    let topic = up("button-1");
    let body = [&(topic.len() as u16).to_be_bytes()[..], topic.as_bytes(), &[0, 7], b"{\"press\":1}"].concat();
    let mut button = stage.connect(&inside, "button-1");
    let answered = |button: &mut Connection| {
        let (kind, flags, body) = button.packet().unwrap();
        (kind, flags, [body[0], body[1]])
    };
    button.send(3, 0b0100, &body).unwrap();
    assert_eq!(answered(&mut button), PUBREC);
    drop(button);
    // PUBREC was lost with the connection.
    let mut button = stage.connect(&inside, "button-1");
    button.send(3, 0b1100, &body).unwrap();
    assert_eq!(answered(&mut button), PUBREC);
    button.send(6, 0b0010, &[0, 7]).unwrap();
    assert_eq!(answered(&mut button), (7, 0, [0, 7]));
    button.send(3, 0b0100, &body).unwrap();
    assert_eq!(answered(&mut button), PUBREC);
    inside.stop();
    assert!(matches!(stage.verdicts()[..], [Verdict::Accepted, Verdict::Duplicate { .. }, Verdict::Accepted]));
}

/// Who misconfigures a device finds it in the log; who does it a thousand times does not fill the disk.
#[test]
fn garbage_and_a_login_that_two_share_are_named_in_the_log_once() {
    let mut stage = Stage::new(Way::Endpoint);
    stage.furnish(Timestamp::MIN);
    let mut child = stage.child();
    let address = child.mqtt.unwrap();
    for _ in 0..3 {
        let mut stranger = TcpStream::connect(address).unwrap();
        stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        stranger.set_read_timeout(Some(mqtt::PATIENCE)).unwrap();
        while matches!(stranger.read(&mut [0; 16]), Ok(1..)) {}
    }
    child.wait_for_metric("rettidig_endpoint_turned_away_total{reason=\"bad_greeting\"}", 3);
    child.wait_for_log("no CONNECT that is served").unwrap();

    let secret = stage.site.login("bin-1").secret.unwrap();
    let text = |text: &str| [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat();
    let connect = |id: &str| {
        let parts = [&text("MQTT")[..], &[4, 0xc2, 0, 60], &text(id), &text("bin-1"), &text(&secret)];
        let body = parts.concat();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(&[&[0x10, body.len() as u8][..], &body].concat()).unwrap();
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, [0x20, 2, 0, 0]);
        stream
    };
    let streams = ["one", "two", "one", "one"].map(connect);
    let line = child.wait_for_log("another client id").unwrap();
    assert!(line.contains("bin-1"), "{line}");
    drop(streams);
    child.terminate();
    child.ended();
    let said = child.said();
    assert!(!said.contains("another client id") && !said.contains("no CONNECT that is served"), "{said}");
}

macro_rules! over_both_ways {
    ($($scenario:ident),+ $(,)?) => {
        mod own_endpoint { $(#[test] fn $scenario() { super::$scenario(super::Way::Endpoint); })+ }
        mod external_broker { $(#[test] fn $scenario() { super::$scenario(super::Way::Broker); })+ }
    };
}

over_both_ways! {
    every_acknowledged_message_is_kept_exactly_once_and_in_order,
    a_full_bin_is_emptied,
    what_cannot_be_used_is_set_aside_with_its_reason,
    six_presses_are_six_and_six_more_over_own_connections,
    one_uplink_through_two_gateways_is_one,
    a_crew_that_was_away_gets_its_task_when_it_comes_back,
    an_offer_that_has_expired_is_not_sent,
    asked_to_stop_under_load_it_loses_nothing,
    a_flood_waits_and_the_ledger_balances_at_every_scrape,
}
