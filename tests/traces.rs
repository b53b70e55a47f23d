//! Traces, as a collector receives them: the path of each message, whole, and nothing in it but ids.
#![allow(clippy::allow_attributes, reason = "the shared support files allow what one binary does not use")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing test may panic")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test picks what it looks for")]

#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/mqtt.rs"]
mod mqtt;

use gateway::{Child, Site, bin, device};
use mqtt::Connection;
use rettidig::domain::time::Timestamp;
use rettidig::vault::ClientRole;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Requests kept until the test looks; further ones wait.
const REQUESTS_MAX: usize = 100;

fn site() -> Site {
    let mut site = Site::with_endpoint();
    let registry = vec![bin("container-4711"), device("device-4711", "bin-level", "container-4711")];
    site.furnish(Timestamp::MIN, registry, &[("device-4711", ClientRole::Device("device-4711".into()))]);
    site
}

/// Sends messages and waits for their acknowledgements.
fn send(site: &Site, child: &Child, payloads: &[&str]) {
    let mut connection = Connection::open(child.mqtt.unwrap(), &site.login("device-4711")).unwrap();
    for (packet, payload) in (1..).zip(payloads) {
        connection.publish_acknowledged(packet, "rettidig/v1/up/device-4711", payload.as_bytes()).unwrap();
    }
}

/// A collector that says yes to everything and hands on what it was sent.
fn collector() -> (String, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (requests, received) = sync_channel(REQUESTS_MAX);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let requests = requests.clone();
            std::thread::spawn(move || serve(stream, &requests));
        }
    });
    (endpoint, received)
}

fn serve(mut stream: TcpStream, requests: &SyncSender<(String, Vec<u8>)>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            match line.trim_end() {
                "" => break,
                text => head.push(text.to_ascii_lowercase()),
            }
        }
        let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        requests.send((head[0].clone(), body)).unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
    }
}

/// The fields with a length of a protobuf message, by number.
fn fields(mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let skip = match key & 7 {
            0 => {
                varint(&mut bytes);
                continue;
            }
            1 => 8,
            2 => varint(&mut bytes) as usize,
            5 => 4,
            other => panic!("wire type {other}"),
        };
        let (value, rest) = bytes.split_at(skip);
        if key & 7 == 2 {
            found.push((key >> 3, value));
        }
        bytes = rest;
    }
    found
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn all(bytes: &[u8], number: u64) -> impl Iterator<Item = &[u8]> {
    fields(bytes).into_iter().filter(move |(found, _)| *found == number).map(|(_, value)| value)
}

fn one(bytes: &[u8], number: u64) -> Vec<u8> {
    all(bytes, number).next().unwrap_or_default().to_vec()
}

#[derive(Debug)]
struct Span {
    id: Vec<u8>,
    parent: Vec<u8>,
    name: String,
}

#[test]
fn each_message_is_one_trace_from_uplink_to_release_without_its_content() {
    let (endpoint, received) = collector();
    let site = site();
    let child = Child::start(&site, &[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)]);
    send(&site, &child, &["{\"temperature\":17.125}", "{\"temperature\":18.5}", "this is no message"]);
    child.stop();

    let mut traces: BTreeMap<Vec<u8>, Vec<Span>> = BTreeMap::new();
    let requests: Vec<_> = received.try_iter().collect();
    for (head, body) in &requests {
        assert_eq!(head, "post /v1/traces http/1.1");
        let text = String::from_utf8_lossy(body);
        for secret in ["4711", "temperature", "17.125", "rettidig/v1", "no message"] {
            assert!(!text.contains(secret), "{secret} left the house");
        }
        for resource in all(body, 1) {
            for span in all(resource, 2).flat_map(|scope| all(scope, 2)) {
                let name = String::from_utf8(one(span, 5)).unwrap();
                traces.entry(one(span, 1)).or_default().push(Span { id: one(span, 2), parent: one(span, 4), name });
            }
        }
    }
    let text: String = requests.iter().map(|(_, body)| String::from_utf8_lossy(body).into_owned()).collect();
    for said in ["service.name", "rettidig.seq", "rettidig.verdict", "accepted", "unparsable", "endpoint"] {
        assert!(text.contains(said), "no {said}");
    }
    assert_eq!(traces.len(), 3, "{traces:?}");
    for spans in traces.values() {
        let root = spans.iter().find(|span| span.name == "uplink").unwrap();
        assert!(root.parent.is_empty() && root.id.len() == 8, "{spans:?}");
        let mut children: Vec<_> = spans.iter().filter(|span| span.parent == root.id).map(|span| &*span.name).collect();
        children.sort_unstable();
        assert_eq!(children, ["decide", "decode", "journal sync", "release"]);
    }
}

/// A port where nobody listens.
#[test]
fn a_collector_that_is_away_holds_nothing_up() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let site = site();
    let child = Child::start(&site, &[("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{free}"))]);
    send(&site, &child, &["{\"temperature\":17.125}"; 50]);
    assert_eq!(child.metrics().messages("received"), 50);
    child.stop();
}
