//! Larger runs over recorded data that is not part of this tree: `make real DATA=../shared/data`.
//!
//! Without `RETTIDIG_DATA` these tests fail; they never skip.
#![cfg(feature = "real")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    clippy::allow_attributes,
    reason = "a failing test may panic and speak"
)]

use base64::Engine as _;
use bytes::Bytes;
use rettidig::decode::{Directory, Limits, SensorTypeSpec, content_hash, load_sensor_types, read};
use rettidig::domain::asset::Device;
use rettidig::domain::event::Event;
use rettidig::domain::ids::{CrewId, DeviceId, SensorTypeId};
use rettidig::domain::observation::{Finite, Value};
use rettidig::domain::time::Timestamp;
use rettidig::domain::uplink::{Ingress, Uplink};
use rettidig::twin::{Display, PlayOptions, Recording, Speed};
use serde_json::Value as Json;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

#[path = "real/backtest.rs"]
mod backtest;
#[path = "real/beds.rs"]
mod beds;
#[path = "real/estimators.rs"]
mod estimators;

fn data() -> PathBuf {
    let folder = std::env::var_os("RETTIDIG_DATA").filter(|folder| !folder.is_empty());
    let folder =
        PathBuf::from(folder.expect("RETTIDIG_DATA must name the folder with recorded data: make real DATA=…"));
    assert!(folder.is_dir(), "no such folder: {}", folder.display());
    folder
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn shipped_types() -> BTreeMap<SensorTypeId, Arc<SensorTypeSpec>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/sensor-types");
    let texts = files(&folder)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| (SmolStr::new(path.file_name().unwrap().to_string_lossy()), fs::read_to_string(&path).unwrap()))
        .collect();
    load_sensor_types(&texts).unwrap()
}

fn device(id: &str, sensor_type: &str) -> Device {
    let number = |value| Value::Number(Finite::new(value).unwrap());
    Device {
        id: DeviceId::new(id),
        sensor_type: sensor_type.into(),
        asset: "container".into(),
        mounting: BTreeMap::from([("d_empty_mm".into(), number(2_500.0)), ("d_full_mm".into(), number(200.0))]),
    }
}

fn directory(devices: &[Device]) -> Directory {
    Directory::new(Limits::default(), &shipped_types(), devices.iter(), std::iter::empty::<&CrewId>())
}

fn decode(directory: &Directory, topic: &str, payload: Vec<u8>) -> Event {
    let received_at = Timestamp::from_micros(1_790_000_000_000_000);
    let content = content_hash(topic, &payload);
    let ingress = Ingress { client: "network".into(), connection: 1, packet: Some(1), duplicate_flag: false, content };
    read(directory, &Uplink { topic: topic.into(), payload: Bytes::from(payload), ingress, received_at })
}

/// What became of one message, as a word to count, and why.
fn outcome(event: &Event) -> (String, String) {
    match event {
        Event::Observed(observed) => ("observed".to_owned(), format!("{:?}", observed.observations)),
        Event::Quarantined(quarantined) => (quarantined.reason.to_string(), quarantined.detail.to_string()),
        other => panic!("a sensor's message became {other:?}"),
    }
}

/// Every format's samples on the topics of every network format: nothing panics, everything has a reason.
#[test]
fn every_sample_message_is_decoded_or_set_aside_with_a_reason() {
    let samples = files(&data().join("messages"));
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    for path in samples.iter().filter(|path| path.file_name().is_some_and(|name| name != "SOURCE.txt")) {
        let payload = fs::read(path).unwrap();
        let format =
            path.strip_prefix(data().join("messages")).unwrap().iter().next().unwrap().to_string_lossy().into_owned();
        let json: Json = serde_json::from_slice(&payload).unwrap_or(Json::Null);
        // Fixture files wrap what went over the wire.
        let payload = json.get("envelope").map_or(payload, |wire| serde_json::to_vec(wire).unwrap());
        let text = String::from_utf8_lossy(&payload).into_owned();
        let eui =
            named(&text, "devEui").or_else(|| named(&text, "dev_eui")).unwrap_or_else(|| "0101010101010101".into());
        let id = named(&text, "device_id").unwrap_or_else(|| "dev1".into());
        let registered = [device(&eui, "milesight-em400-udl"), device(&format!("{id}-x"), "bin-level")];
        let named_too =
            if id.eq_ignore_ascii_case(&eui) { Vec::new() } else { vec![device(&id, "milesight-em400-udl")] };
        let directory = directory(&[registered.to_vec(), named_too].concat());
        let topic = match format.as_str() {
            "chirpstack-v4" => format!("application/app/device/{eui}/event/up"),
            "tts-v3" => format!("v3/app1@tenant1/devices/{id}/up"),
            _ => format!("rettidig/v1/up/{id}"),
        };
        let (word, why) = outcome(&decode(&directory, &topic, payload));
        assert!(word == "observed" || !why.is_empty(), "{} was set aside without a reason", path.display());
        *counts.entry((format, word)).or_default() += 1;
    }
    let mut total = 0;
    for ((format, word), count) in &counts {
        println!("messages/{format}: {word} {count}");
        total += count;
    }
    println!("messages: {total} files, every one decoded or set aside with a reason");
    assert!(total >= 100, "only {total} sample messages were found");
    assert!(counts.keys().any(|(format, word)| format == "chirpstack-v4" && word == "observed"));
}

fn named(text: &str, field: &str) -> Option<String> {
    let at = text.find(&format!("\"{field}\""))?;
    let mut parts = text[at..].split('"').skip(2);
    (parts.next()?.trim() == ":").then(|| parts.next().map(str::to_owned)).flatten()
}

/// The makers' own examples as ChirpStack would bring them: those of shipped sensor types give values, no example of
/// any other codec makes the decoder panic.
#[test]
fn codec_examples_are_decoded_or_set_aside() {
    let text = fs::read_to_string(data().join("codec-examples/uplink.jsonl")).unwrap();
    let eui = "0102030405060708";
    let directory = directory(&[device(eui, "milesight-em400-udl")]);
    let topic = format!("application/app/device/{eui}/event/up");
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let (mut examples, mut own) = (0, 0);
    for line in text.lines() {
        let example: Json = serde_json::from_str(line).unwrap();
        let bytes = unhexed(example["bytes"].as_str().unwrap());
        let data = base64::engine::general_purpose::STANDARD.encode(bytes);
        let port = example["fPort"].as_u64().unwrap_or(1);
        let envelope = serde_json::json!({
            "deduplicationId": format!("example-{examples}"), "time": "2026-01-01T00:00:00Z",
            "deviceInfo": { "devEui": eui }, "fCnt": examples, "fPort": port, "data": data,
        });
        let (word, why) = outcome(&decode(&directory, &topic, serde_json::to_vec(&envelope).unwrap()));
        examples += 1;
        let shipped = example["codec_id"].as_str().is_some_and(|codec| codec.contains("em400-udl"));
        if shipped {
            own += 1;
            assert_eq!(word, "observed", "{line}: {why}");
        }
        *counts.entry(word).or_default() += 1;
    }
    for (word, count) in &counts {
        println!("codec-examples: {word} {count}");
    }
    println!("codec-examples: {examples} payloads, {own} of a shipped sensor type");
    assert!(examples >= 500, "only {examples} examples were found");
}

fn unhexed(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap()).collect()
}

/// Every recorded container of Prague through the real gateway, over real MQTT, in the data's own time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_containers_end_with_tasks() {
    let recording = Recording::open(&data().join("prague-bins")).unwrap();
    let full: Vec<_> = recording.containers().iter().filter(|one| one.highest_percent >= 95.0).cloned().collect();
    let options = PlayOptions { seed: 1, speed: Speed::Max, display: Display::Quiet };
    let mut out = Vec::new();
    let report = rettidig::app::demo::play(recording, options, CancellationToken::new(), &mut out).await.unwrap();
    let mut lines = Vec::new();
    report.write_lines(&mut lines).unwrap();
    println!("{}", String::from_utf8_lossy(&lines));
    assert!(!report.ended_early);
    assert!(report.counts.ledger_balanced, "the ledger does not balance: {:?}", report.counts);
    assert!(report.counts.tasks > 0 && report.counts.completed > 0, "no work came of it: {:?}", report.counts);
    let served = report.containers.iter().filter(|one| !one.tasks.is_empty()).count();
    println!("prague-bins: {} containers, {} reached 95 %, {served} with tasks", report.containers.len(), full.len());
    assert!(served > 0);
}
