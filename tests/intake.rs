//! External brokers against a real mosquitto: what a broker has handed us is not lost, whoever dies and when.
#![allow(clippy::allow_attributes, reason = "the shared support file allows what one binary does not use")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing test may panic")]

#[path = "support/mosquitto.rs"]
mod mosquitto;

use bytes::Bytes;
use mosquitto::Mosquitto;
use rettidig::domain::ids::ContentHash;
use rettidig::domain::time::{Span, Timestamp};
use rettidig::domain::uplink::Uplink;
use rettidig::intake::broker_check::{self, Bounds};
use rettidig::intake::mosquitto_config::check_mosquitto_config;
use rettidig::intake::{self, Acknowledge, Credentials, Handle, IntakeError, Link, Options, Oversize, Ports, TlsFiles};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Longer than anything here takes on a busy machine; reaching it is a failure.
const PATIENCE: Duration = Duration::from_secs(60);
const GATEWAY: &str = "rettidig-under-test";

/// The gateway's end of one broker, on a runtime of its own, so that it can be killed.
struct Gateway {
    runtime: Option<Runtime>,
    handle: Handle,
    arrived: mpsc::Receiver<(Uplink, Acknowledge)>,
    links: mpsc::Receiver<Link>,
    handed_over: mpsc::Receiver<u64>,
    refused: mpsc::Receiver<(Oversize, Acknowledge)>,
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Gateway {
    fn start(options: Options) -> Self {
        Self::try_start(options, 1_000).unwrap()
    }

    /// `inbox` is how many messages find a place before the gateway has to wait.
    fn try_start(options: Options, inbox: usize) -> Result<Self, IntakeError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (inbox, arrived) = mpsc::channel(inbox);
        let (link_changes, links) = mpsc::channel(1_000);
        let (taken_over, handed_over) = mpsc::channel(1_000);
        let (refusing, refused) = mpsc::channel(1_000);
        let connections = AtomicU64::new(1);
        let ports = Ports {
            accept: Arc::new(move |uplink, acknowledge| {
                let inbox = inbox.clone();
                Box::pin(async move { drop(inbox.send((uplink, acknowledge)).await) })
            }),
            refused: Arc::new(move |message, acknowledge| {
                let refusing = refusing.clone();
                Box::pin(async move { drop(refusing.send((message, acknowledge)).await) })
            }),
            link: Arc::new(move |link| link_changes.try_send(link).unwrap_or_default()),
            handed_over: Arc::new(move |key| taken_over.try_send(key).unwrap_or_default()),
            content_hash: |topic, payload| {
                let mut hash = [0; 16];
                hash.copy_from_slice(&blake3::hash(&[topic.as_bytes(), &[0], payload].concat()).as_bytes()[..16]);
                ContentHash(hash)
            },
            connection_number: Arc::new(move || connections.fetch_add(1, Ordering::SeqCst)),
            random: Arc::new(|| 0),
            now: Arc::new(|| Timestamp::from_micros(1_000)),
        };
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        let handle = {
            let _inside = runtime.enter();
            intake::start(options, ports, stop.clone(), &tracker)?
        };
        tracker.close();
        Ok(Self { runtime: Some(runtime), handle, arrived, links, handed_over, refused, stop, tracker })
    }

    fn next(&mut self) -> (Uplink, Acknowledge) {
        block(self.arrived.recv()).expect("the gateway has stopped")
    }

    fn next_payload(&mut self) -> String {
        let (uplink, acknowledge) = self.next();
        assert!(acknowledge.release());
        String::from_utf8(uplink.payload.to_vec()).unwrap()
    }

    fn next_link(&mut self) -> Link {
        block(self.links.recv()).expect("the gateway has stopped")
    }

    /// Waits until it is connected and says whether the broker knew the session.
    fn up(&mut self) -> bool {
        loop {
            match self.next_link() {
                Link::Up { session_present, refused } => {
                    assert_eq!(refused, Vec::<String>::new());
                    return session_present;
                }
                Link::Down { .. } => {}
                Link::Stopped => panic!("the gateway has stopped"),
            }
        }
    }

    fn down(&mut self) -> String {
        loop {
            if let Link::Down { reason } = self.next_link() {
                return reason;
            }
        }
    }

    fn stop(mut self) {
        self.stop.cancel();
        block(self.tracker.wait());
        while self.next_link() != Link::Stopped {}
    }

    /// The sockets close as if the process had been killed: no farewell, no last acknowledgement.
    fn kill(mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn block<T>(wait: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, wait).await.expect("nothing happened for a minute") })
}

fn options(broker: &Mosquitto) -> Options {
    let mut options = Options::new("city", "127.0.0.1", broker.port(), GATEWAY);
    options.subscribe = vec!["up/#".to_owned()];
    options.limits.back_off.first = Span::from_millis(20);
    options.limits.back_off.max = Span::from_millis(200);
    options
}

/// A sensor that speaks through the broker: every message is acknowledged by the broker when this returns.
fn publish(broker: &Mosquitto, payloads: &[&str]) {
    publish_with(broker, payloads, QoS::AtLeastOnce, false);
}

/// The same with messages of up to so many bytes.
fn publish_at_most(broker: &Mosquitto, payloads: &[&str], bytes: usize) {
    publish_all(broker, payloads, QoS::AtLeastOnce, false, bytes);
}

fn publish_with(broker: &Mosquitto, payloads: &[&str], qos: QoS, retain: bool) {
    publish_all(broker, payloads, qos, retain, 100_000);
}

fn publish_all(broker: &Mosquitto, payloads: &[&str], qos: QoS, retain: bool, bytes: usize) {
    let promised = qos != QoS::AtMostOnce;
    block(async {
        let mut options = MqttOptions::new("sensor", "127.0.0.1", broker.port());
        options.set_inflight(1_000).set_max_packet_size(bytes, bytes);
        let (client, mut events) = AsyncClient::new(options, 1_000);
        for payload in payloads {
            client.publish("up/bin-7", qos, retain, *payload).await.unwrap();
        }
        let mut done = 0;
        while done < payloads.len() {
            done += match events.poll().await.unwrap() {
                Event::Incoming(Packet::PubAck(_)) if promised => 1,
                Event::Outgoing(rumqttc::Outgoing::Publish(_)) if !promised => 1,
                Event::Incoming(_) | Event::Outgoing(_) => 0,
            };
        }
    });
}

fn peer(broker: &Mosquitto, id: &str) -> (AsyncClient, EventLoop) {
    let mut options = MqttOptions::new(id, "127.0.0.1", broker.port());
    options.set_inflight(1_000);
    AsyncClient::new(options, 1_000)
}

fn payload(uplink: &Uplink) -> &str {
    std::str::from_utf8(&uplink.payload).unwrap()
}

#[test]
fn a_message_arrives_as_the_broker_sent_it() {
    let broker = Mosquitto::start();
    let mut gateway = Gateway::start(options(&broker));
    assert!(!gateway.up());
    publish(&broker, &["{}"]);
    let (uplink, acknowledge) = gateway.next();
    assert_eq!((uplink.topic.as_str(), payload(&uplink)), ("up/bin-7", "{}"));
    assert_eq!(uplink.received_at, Timestamp::from_micros(1_000));
    assert_eq!(uplink.ingress.client.as_str(), "city");
    assert_eq!(uplink.ingress.connection, 1);
    assert!(uplink.ingress.packet.is_some());
    assert!(!uplink.ingress.duplicate_flag);
    let hash = blake3::hash(b"up/bin-7\0{}");
    assert_eq!(uplink.ingress.content.0, hash.as_bytes()[..16]);
    assert!(acknowledge.release());
    publish_with(&broker, &["unpromised"], QoS::AtMostOnce, false);
    let (uplink, acknowledge) = gateway.next();
    assert_eq!((payload(&uplink), uplink.ingress.packet), ("unpromised", None));
    assert!(acknowledge.release());
}

#[test]
fn what_was_not_released_before_a_kill_comes_again_and_what_was_does_not() {
    let broker = Mosquitto::start();
    let mut gateway = Gateway::start(options(&broker));
    gateway.up();
    publish(&broker, &["released", "held-1", "held-2"]);
    let (released, acknowledge) = gateway.next();
    assert_eq!(payload(&released), "released");
    assert!(acknowledge.release());
    broker.wait_for_log(&format!("Received PUBACK from {GATEWAY}"));
    let held = [gateway.next(), gateway.next()];
    gateway.kill();
    broker.wait_for_log(&format!("Client {GATEWAY}"));
    let after: Vec<_> = held.into_iter().map(|(uplink, acknowledge)| (uplink, acknowledge.release())).collect();
    assert!(after.iter().all(|(_, left)| !left), "the connection it came over is gone");

    let mut gateway = Gateway::start(options(&broker));
    assert!(gateway.up());
    for (first, _) in after {
        let (again, acknowledge) = gateway.next();
        assert_eq!(payload(&again), payload(&first));
        assert!(again.ingress.duplicate_flag);
        assert_eq!(again.ingress.content, first.ingress.content);
        assert!(acknowledge.release());
    }
    publish(&broker, &["next"]);
    assert_eq!(gateway.next_payload(), "next", "nothing else was repeated");
}

#[test]
fn nothing_is_acknowledged_before_it_is_released() {
    let broker = Mosquitto::start();
    let mut gateway = Gateway::start(options(&broker));
    gateway.up();
    publish(&broker, &["first", "second"]);
    let (_, first) = gateway.next();
    let (_, second) = gateway.next();
    assert!(second.release());
    // The broker answers in order, so once it has seen our publish it would have seen an acknowledgement before it.
    gateway.handle.publish("elsewhere", Bytes::from_static(b"mark"), 1).unwrap();
    assert_eq!(block(gateway.handed_over.recv()), Some(1));
    assert!(!broker.log().iter().any(|line| line.contains("Received PUBACK")));
    assert!(first.release());
    for _ in 0..2 {
        broker.wait_for_log(&format!("Received PUBACK from {GATEWAY}"));
    }
}

#[test]
fn messages_sent_while_the_gateway_is_stopped_wait_for_it() {
    let broker = Mosquitto::start();
    let mut gateway = Gateway::start(options(&broker));
    assert!(!gateway.up());
    gateway.stop();
    publish(&broker, &["one", "two", "three"]);
    let mut gateway = Gateway::start(options(&broker));
    assert!(gateway.up());
    assert_eq!([(); 3].map(|()| gateway.next_payload()), ["one", "two", "three"]);
}

#[test]
fn a_stop_waits_for_what_is_accepted_and_leaves_the_rest_at_the_broker() {
    let broker = Mosquitto::start();
    let mut gateway = Gateway::start(options(&broker));
    gateway.up();
    publish(&broker, &["accepted"]);
    let (_, acknowledge) = gateway.next();
    gateway.stop.cancel();
    assert!(acknowledge.release());
    broker.wait_for_log(&format!("Received PUBACK from {GATEWAY}"));
    gateway.stop();
    broker.wait_for_log(&format!("Received DISCONNECT from {GATEWAY}"));
    publish(&broker, &["later"]);
    let mut gateway = Gateway::start(options(&broker));
    assert!(gateway.up());
    assert_eq!(gateway.next_payload(), "later");
}

#[test]
fn a_stop_does_not_wait_for_ever() {
    let broker = Mosquitto::start();
    let mut options = options(&broker);
    options.limits.drain_for = Span::from_millis(10);
    let mut gateway = Gateway::start(options.clone());
    gateway.up();
    publish(&broker, &["never released"]);
    let (_, acknowledge) = gateway.next();
    gateway.stop();
    assert!(!acknowledge.release());
    let mut gateway = Gateway::start(options);
    gateway.up();
    assert_eq!(gateway.next_payload(), "never released");
}

#[test]
fn a_message_that_is_too_large_passes_by_and_what_is_behind_it_comes() {
    let broker = Mosquitto::start();
    let mut options = options(&broker);
    options.limits.packet_bytes_max = 1_000;
    options.limits.head_bytes = 4;
    options.limits.keep_alive = Span::from_secs(2);
    let mut gateway = Gateway::start(options);
    gateway.up();
    // Far beyond what any gateway holds in memory, and one that is just too long.
    for bytes in [70_000_000, 995] {
        let large = "x".repeat(bytes);
        publish_at_most(&broker, &[&large, "after"], bytes + 100);
        let (message, acknowledge) = block(gateway.refused.recv()).unwrap();
        assert_eq!(message.length, bytes as u64);
        assert_eq!((message.uplink.topic.as_str(), payload(&message.uplink)), ("up/bin-7", "xxxx"));
        assert_eq!(message.uplink.ingress.content.0, blake3::hash(b"up/bin-7\0xxxx").as_bytes()[..16]);
        assert_eq!(gateway.next_payload(), "after");
        assert!(acknowledge.release());
        for _ in 0..2 {
            broker.wait_for_log(&format!("Received PUBACK from {GATEWAY}"));
        }
    }
    assert!(gateway.links.try_recv().is_err(), "the connection was never lost");
    gateway.stop();
    broker.wait_for_log(&format!("Received DISCONNECT from {GATEWAY}"));
}

#[test]
fn the_longest_message_that_mqtt_allows_does_not_come_for_ever() {
    let broker = Mosquitto::start();
    let mut gateway = Gateway::start(options(&broker));
    gateway.up();
    let longest = 268_435_455 - "up/bin-7".len() - 4;
    publish_at_most(&broker, &[&"x".repeat(longest), "after"], 300_000_000);
    let (message, acknowledge) = block(gateway.refused.recv()).unwrap();
    assert_eq!((message.length, message.uplink.payload.len()), (longest as u64, 256));
    assert!(acknowledge.release());
    assert_eq!(gateway.next_payload(), "after");
    gateway.stop();
    let mut gateway = Gateway::start(self::options(&broker));
    assert!(gateway.up());
    publish(&broker, &["next"]);
    assert_eq!(gateway.next_payload(), "next", "nothing was repeated");
}

#[test]
fn a_dropped_acknowledgement_brings_the_message_again() {
    let broker = Mosquitto::start();
    let mut gateway = Gateway::start(options(&broker));
    gateway.up();
    publish(&broker, &["dropped"]);
    let (first, acknowledge) = gateway.next();
    drop(acknowledge);
    assert!(gateway.down().contains("withheld"));
    assert!(gateway.up());
    let (again, acknowledge) = gateway.next();
    assert!(again.ingress.duplicate_flag);
    assert_eq!(again.ingress.content, first.ingress.content);
    assert_ne!(again.ingress.connection, first.ingress.connection);
    assert!(acknowledge.release());
}

#[test]
fn it_comes_back_and_subscribes_again_when_the_broker_has_lost_everything() {
    let mut broker = Mosquitto::start();
    let mut gateway = Gateway::start(options(&broker));
    gateway.up();
    broker.kill();
    gateway.down();
    assert!(!gateway.handle.connected());
    broker.start_again();
    assert!(!gateway.up(), "this broker saves nothing");
    publish(&broker, &["after"]);
    assert_eq!(gateway.next_payload(), "after");
}

#[test]
fn messages_queued_at_a_saving_broker_survive_its_restart() {
    let mut broker = Mosquitto::start_with("persistence true\nmax_queued_messages 0\nallow_anonymous true\n");
    let mut gateway = Gateway::start(options(&broker));
    gateway.up();
    gateway.stop();
    publish(&broker, &["queued"]);
    broker.stop();
    broker.start_again();
    let mut gateway = Gateway::start(options(&broker));
    assert!(gateway.up());
    assert_eq!(gateway.next_payload(), "queued");
}

#[test]
fn a_broker_that_starts_after_the_gateway_is_found() {
    let mut broker = Mosquitto::start();
    broker.kill();
    let mut gateway = Gateway::start(options(&broker));
    assert!(gateway.down().contains("cannot reach the broker"));
    assert!(gateway.down().contains("cannot reach the broker"), "it tries again");
    broker.start_again();
    gateway.up();
}

#[test]
fn while_the_house_is_full_nothing_is_read_but_the_connection_stays() {
    let broker = Mosquitto::start();
    let mut options = options(&broker);
    options.limits.keep_alive = Span::from_secs(1);
    let mut gateway = Gateway::try_start(options, 1).unwrap();
    gateway.up();
    let names: Vec<_> = (0..50).map(|number| format!("message-{number}")).collect();
    publish(&broker, &names.iter().map(String::as_str).collect::<Vec<_>>());
    // One message has a place, one waits for it, the rest stays in the socket; the broker still hears from us.
    for _ in 0..4 {
        broker.wait_for_log(&format!("Received PINGREQ from {GATEWAY}"));
    }
    let arrived: Vec<_> = names.iter().map(|_| gateway.next_payload()).collect();
    assert_eq!(arrived, names);
    assert!(gateway.links.try_recv().is_err(), "the connection was never lost");
}

#[test]
fn at_most_the_agreed_number_is_unacknowledged() {
    let broker = Mosquitto::start();
    let mut options = options(&broker);
    options.limits.unacknowledged_max = 2;
    let mut gateway = Gateway::start(options);
    gateway.up();
    publish(&broker, &["one", "two", "three"]);
    let (_, one) = gateway.next();
    let (_, two) = gateway.next();
    gateway.handle.publish("elsewhere", Bytes::from_static(b"mark"), 1).unwrap();
    broker.wait_for_log(&format!("Received PUBLISH from {GATEWAY}"));
    assert!(gateway.arrived.try_recv().is_err());
    assert!(one.release());
    assert!(two.release());
    assert_eq!(gateway.next_payload(), "three");
}

#[test]
fn a_retained_message_comes_once_and_not_on_every_reconnect() {
    let mut broker = Mosquitto::start_with(
        "persistence true\nautosave_on_changes true\nautosave_interval 1\nallow_anonymous true\n",
    );
    publish_with(&broker, &["state"], QoS::AtLeastOnce, true);
    let mut gateway = Gateway::start(options(&broker));
    assert!(!gateway.up());
    assert_eq!(gateway.next_payload(), "state");
    broker.wait_for_log(&format!("Received PUBACK from {GATEWAY}"));
    broker.stop();
    gateway.down();
    broker.start_again();
    assert!(gateway.up());
    publish(&broker, &["live"]);
    assert_eq!(gateway.next_payload(), "live", "it was handed on before");
}

#[test]
fn a_retained_message_that_comes_through_another_filter_is_not_lost() {
    let broker = Mosquitto::start();
    publish_with(&broker, &["state"], QoS::AtLeastOnce, true);
    let mut elsewhere = options(&broker);
    elsewhere.subscribe = vec!["elsewhere/#".to_owned()];
    let mut gateway = Gateway::start(elsewhere);
    assert!(!gateway.up());
    gateway.stop();
    let mut gateway = Gateway::start(options(&broker));
    assert!(gateway.up(), "the session is the same");
    assert_eq!(gateway.next_payload(), "state");
}

#[test]
fn a_published_message_is_reported_when_the_broker_has_it() {
    let broker = Mosquitto::start();
    let mut gateway = Gateway::start(options(&broker));
    gateway.up();
    block(async {
        let (crew, mut events) = peer(&broker, "crew");
        crew.subscribe("rettidig/v1/crew/+/tasks", QoS::AtLeastOnce).await.unwrap();
        while !matches!(events.poll().await.unwrap(), Event::Incoming(Packet::SubAck(_))) {}
        for key in 1..=300 {
            gateway.handle.publish("rettidig/v1/crew/north/tasks", Bytes::from(key.to_string()), key).unwrap();
        }
        for key in 1..=300 {
            assert_eq!(gateway.handed_over.recv().await, Some(key));
        }
        let mut next = 1;
        while next <= 300 {
            if let Event::Incoming(Packet::Publish(publish)) = events.poll().await.unwrap() {
                assert_eq!(publish.payload, next.to_string());
                assert_eq!(publish.qos, QoS::AtLeastOnce);
                next += 1;
            }
        }
    });
}

#[test]
fn a_refused_filter_is_reported_and_the_others_work() {
    use intake::Verdict::{Fault, Good, Unknown, Warning};
    let rights = tempfile::NamedTempFile::new().unwrap();
    let reader = r#"{"rolename": "reader", "acls": [{"acltype": "subscribePattern", "topic": "up/#", "allow": true}]}"#;
    let access =
        r#"{"publishClientSend": true, "publishClientReceive": true, "subscribe": false, "unsubscribe": true}"#;
    let anyone = r#"{"groupname": "anyone", "roles": [{"rolename": "reader"}]}"#;
    let everything = format!(
        r#"{{"defaultACLAccess": {access}, "anonymousGroup": "anyone", "groups": [{anyone}], "roles": [{reader}]}}"#
    );
    std::fs::write(rights.path(), everything).unwrap();
    let broker = Mosquitto::start_with(&format!(
        "allow_anonymous true\nplugin {}\nplugin_opt_config_file {}\n",
        mosquitto::dynamic_security().display(),
        rights.path().display()
    ));
    let mut options = options(&broker);
    options.subscribe.push("secret/#".to_owned());
    let mut gateway = Gateway::start(options.clone());
    let Link::Up { refused, .. } = gateway.next_link() else { panic!("not connected") };
    assert_eq!(refused, ["secret/#"]);
    publish(&broker, &["allowed"]);
    assert_eq!(gateway.next_payload(), "allowed");
    assert_eq!(
        verdicts(&options, 10),
        [
            ("connection", Good),
            ("version", Unknown),
            ("packet size", Warning),
            ("permissions", Fault),
            ("queue", Unknown)
        ]
    );
}

/// A throw-away authority with a certificate for the broker and one for the gateway, as PEM files in `folder`.
fn write_certificates(folder: &std::path::Path) {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority.distinguished_name.push(rcgen::DnType::CommonName, "Test authority");
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    std::fs::write(folder.join("ca.pem"), authority_certificate.pem()).unwrap();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    for (name, subject) in [("broker", "127.0.0.1"), ("gateway", GATEWAY)] {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut certificate = rcgen::CertificateParams::new(vec![subject.to_owned()]).unwrap();
        certificate.distinguished_name.push(rcgen::DnType::CommonName, subject);
        let signed = certificate.signed_by(&key, &issuer).unwrap();
        std::fs::write(folder.join(format!("{name}.pem")), signed.pem()).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

#[test]
fn tls_with_certificates_on_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    write_certificates(folder.path());
    let file = |name: &str| folder.path().join(name);
    let broker = Mosquitto::start_with(&format!(
        "allow_anonymous true\ncafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\n",
        file("ca.pem").display(),
        file("broker.pem").display(),
        file("broker.key").display()
    ));
    let identity = Some((file("gateway.pem"), file("gateway.key")));
    let mut with_tls = options(&broker);
    with_tls.tls = Some(TlsFiles { ca: file("ca.pem"), identity: identity.clone() });
    let mut gateway = Gateway::start(with_tls.clone());
    assert!(!gateway.up());
    gateway.handle.publish("up/bin-7", Bytes::from_static(b"over TLS"), 1).unwrap();
    assert_eq!(gateway.next_payload(), "over TLS");
    gateway.stop();

    let stranger = tempfile::tempdir().unwrap();
    write_certificates(stranger.path());
    let mut distrusting = with_tls.clone();
    distrusting.tls = Some(TlsFiles { ca: stranger.path().join("ca.pem"), identity });
    let mut gateway = Gateway::start(distrusting);
    assert!(gateway.down().starts_with("TLS with the broker failed"), "an unknown authority is not trusted");
    drop(gateway);

    with_tls.tls = Some(TlsFiles { ca: file("absent.pem"), identity: None });
    let error = Gateway::try_start(with_tls, 1).err().unwrap();
    assert!(error.to_string().contains("absent.pem"), "{error}");
}

fn verdicts(options: &Options, messages: usize) -> Vec<(&'static str, intake::Verdict)> {
    let bounds = Bounds { messages, ..Bounds::default() };
    let findings = block(broker_check::check(options, bounds, 0xfeed));
    findings.iter().map(|finding| (finding.subject, finding.verdict)).collect()
}

#[test]
fn doctor_finds_that_a_broker_with_default_settings_drops_messages() {
    use intake::Verdict::{Fault, Good, Warning};
    let broker = Mosquitto::start_with("allow_anonymous true\n");
    let mut options = options(&broker);
    options.credentials = Some(Credentials { username: "rettidig".to_owned(), password: "secret".to_owned() });
    assert_eq!(
        verdicts(&options, 1_100),
        [
            ("connection", Good),
            ("version", Good),
            ("packet size", Warning),
            ("permissions", Good),
            ("anonymous access", Fault),
            ("session", Good),
            ("queue", Fault),
            ("window", Warning),
        ]
    );
}

#[test]
fn doctor_finds_nothing_wrong_with_the_shipped_configuration() {
    use intake::Verdict::Good;
    let shipped = include_str!("../deploy/mosquitto.conf");
    assert_eq!(check_mosquitto_config(shipped), []);
    let passwords = tempfile::NamedTempFile::new().unwrap();
    let made = std::process::Command::new("mosquitto_passwd")
        .args(["-b", "-c", &passwords.path().display().to_string(), "rettidig", "secret"])
        .status();
    assert!(made.is_ok_and(|status| status.success()), "mosquitto_passwd comes with the package mosquitto");
    let settings: Vec<_> = shipped
        .lines()
        .filter(|line| !line.starts_with("listener "))
        .map(|line| line.replace("/etc/mosquitto/rettidig.passwd", &passwords.path().display().to_string()))
        .collect();
    let broker = Mosquitto::start_with(&settings.join("\n"));
    let mut options = options(&broker);
    options.credentials = Some(Credentials { username: "rettidig".to_owned(), password: "secret".to_owned() });
    let expected =
        ["connection", "version", "packet size", "permissions", "anonymous access", "session", "queue", "window"];
    assert_eq!(verdicts(&options, 1_100), expected.map(|subject| (subject, Good)));
    assert_eq!(verdicts(&options, 1_100), expected.map(|subject| (subject, Good)), "the first left nothing behind");

    options.credentials = Some(Credentials { username: "rettidig".to_owned(), password: "wrong".to_owned() });
    assert_eq!(verdicts(&options, 1), [("connection", intake::Verdict::Fault)]);
}
