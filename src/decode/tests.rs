//! What `read` makes of messages: documented ones, real ones, and hostile ones.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test names the events that matter to it")]

mod arbitrary;
mod sensor_types;

use super::*;
use crate::domain::asset::Device;
use crate::domain::event::Event;
use crate::domain::fault::Fault;
use crate::domain::ids::{AssetId, ClientId, CrewId, PropertyName, SensorTypeId};
use crate::domain::observation::{Finite, Identity, Observed, Quality, Value};
use crate::domain::reason::QuarantineReason;
use crate::domain::time::{Span, Timestamp};
use crate::domain::uplink::{Ingress, Uplink};
use bytes::Bytes;
use proptest::prelude::*;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;

const EM400: &str = "1000000000000001";
/// A type whose values stand inside an object that a codec in the network server has decoded.
const NESTED: &str = r#"
id = "nested"
name = "Nested"
vendor = "test"
asset_kind = "bin"
interval = "1h"
[properties]
fill = { kind = "number", unit = "1", range = [0, 1.05] }
lid = { kind = "boolean" }
note = { kind = "text" }
[mapping]
source = "json"
id = "uplink.number"
observed_at = "uplink.at"
ignore = ["rssi"]
[[mapping.field]]
property = "fill"
path = "level.cm"
scale = 10
raw_range = [0, 500]
sentinels = [-1, "error"]
convert = "fill-from-distance-mm"
[[mapping.field]]
property = "lid"
path = "lid"
enumeration = { open = true, closed = false, 1 = true, 0 = false }
"#;

/// The only place in this room that reads files; marked once more as tests for `tests/tidy.rs`.
#[cfg(test)]
mod files {
    use smol_str::SmolStr;
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    fn folder(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
    }

    /// The files of a folder by name, with their content.
    pub fn of(name: &str) -> BTreeMap<String, Vec<u8>> {
        let entries = std::fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap());
        let named =
            entries.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()));
        named.collect()
    }

    pub fn shipped() -> BTreeMap<SmolStr, String> {
        let files = of("config/sensor-types").into_iter().filter(|(name, _)| name != "README.md");
        files.map(|(name, text)| (format!("sensor-types/{name}").into(), String::from_utf8(text).unwrap())).collect()
    }
}

fn types() -> BTreeMap<SensorTypeId, Arc<SensorTypeSpec>> {
    let mut files = files::shipped();
    files.insert("sensor-types/nested.toml".into(), NESTED.to_owned());
    load_sensor_types(&files).unwrap()
}

fn device(id: &str, sensor_type: &str, mounting: &[(&str, f64)]) -> Device {
    let number = |value: f64| Value::Number(Finite::new(value).unwrap());
    Device {
        id: id.into(),
        sensor_type: sensor_type.into(),
        asset: AssetId::new(format!("asset-of-{id}")),
        mounting: mounting.iter().map(|(name, value)| (SmolStr::new(name), number(*value))).collect(),
    }
}

fn directory() -> Directory {
    let depth = [("d_empty_mm", 1200.0), ("d_full_mm", 280.0)];
    let devices = [
        device("bin-7", "bin-level", &[]),
        device("played-1", "bin-fill-percent", &[]),
        device(EM400, "milesight-em400-udl", &depth),
        device("00AABBCCDDEEFF00", "milesight-em400-udl", &[]),
        device("nested-1", "nested", &depth),
        device("0101010101010101", "nested", &depth),
        device("bed-3", "pressure-bed", &[]),
        device("button-3", "help-button", &[]),
    ];
    Directory::new(Limits::default(), &types(), devices.iter(), [CrewId::new("waste-1")].iter())
}

fn noon() -> Timestamp {
    moment("2026-03-01T12:00:00Z")
}

fn moment(text: &str) -> Timestamp {
    super::moment::rfc3339(text).unwrap()
}

fn uplink(topic: &str, payload: impl Into<Bytes>) -> Uplink {
    let payload = payload.into();
    let content = content_hash(topic, &payload);
    let ingress =
        Ingress { client: ClientId::new("client"), connection: 1, packet: Some(1), duplicate_flag: false, content };
    Uplink { topic: topic.into(), payload, ingress, received_at: noon() }
}

fn up(device: &str, payload: &'static str) -> Event {
    read(&directory(), &uplink(&format!("rettidig/v1/up/{device}"), payload))
}

fn observed(event: Event) -> Observed {
    match event {
        Event::Observed(observed) => observed,
        other => panic!("not observed: {}", shown(&other)),
    }
}

fn fixture(folder: &str, name: &str) -> Vec<u8> {
    files::of(&format!("tests/fixtures/messages/{folder}"))[name].clone()
}

/// An event on one line: what a reader of a failing test wants to see.
fn shown(event: &Event) -> String {
    match event {
        Event::Observed(observed) => {
            let values = observed.observations.iter().map(|one| {
                let value = match &one.value {
                    Value::Number(number) => number.get().to_string(),
                    Value::Boolean(flag) => flag.to_string(),
                    Value::Text(text) => format!("{text:?}"),
                };
                let unit = if one.unit.is_empty() { String::new() } else { format!(" {}", one.unit) };
                let doubt = if one.quality == Quality::Accepted { "" } else { "?" };
                format!("{}={value}{unit}{doubt}", one.property)
            });
            let values: Vec<String> = values.collect();
            format!("{}: {} [{:?}]", observed.device, values.join(", "), observed.identity)
        }
        Event::Quarantined(quarantined) => format!("{}: {}", quarantined.reason, quarantined.detail),
        other => format!("{other:?}"),
    }
}

#[test]
fn our_own_json_is_read() {
    let event = up("bin-7", r#"{"fill": 0.62, "temperature": 11.5, "battery": 87, "tilt": false}"#);
    insta::assert_snapshot!(shown(&event), @"bin-7: battery=87 %, fill=0.62 1, temperature=11.5 Cel, tilt=false [Redelivery]");
    assert_eq!(
        observed(event).observations[0].observed_at,
        noon(),
        "without a device time, the time of arrival counts"
    );
    let played = up("played-1", r#"{"fill_pct": 61.0, "observed_at": "2026-03-01T10:00:00+01:00"}"#);
    assert_eq!(observed(played.clone()).observations[0].observed_at, moment("2026-03-01T09:00:00Z"));
    insta::assert_snapshot!(shown(&played), @"played-1: fill=0.61 1 [DeviceTime(1772355600000000us)]");
    insta::assert_snapshot!(shown(&up("bed-3", r#"{"pressure_sacrum": 38.5, "occupied": true}"#)), @"bed-3: occupied=true, pressure_sacrum=38.5 mm[Hg] [Redelivery]");
}

#[test]
fn an_empty_message_is_a_sign_of_life() {
    for payload in ["{}", r#"{"fill": null}"#, " {\n} "] {
        assert!(observed(up("bin-7", payload)).observations.is_empty(), "{payload}");
    }
}

#[test]
fn identity_is_the_strongest_there_is() {
    let identity = |device, payload| observed(up(device, payload)).identity;
    assert_eq!(identity("button-3", r#"{"press":1}"#), Identity::Redelivery);
    assert_eq!(identity("bin-7", r#"{"id":"m-1","fill":0.1}"#), Identity::Network("m-1".into()));
    assert_eq!(identity("bin-7", r#"{"id":42}"#), Identity::Network("42".into()));
    let at = moment("2026-03-01T11:59:00Z");
    assert_eq!(identity("bin-7", r#"{"observed_at":"2026-03-01T11:59:00Z"}"#), Identity::DeviceTime(at));
    assert_eq!(identity("bin-7", r#"{"observed_at":1772366340000}"#), Identity::DeviceTime(at));
    let both = r#"{"uplink":{"number":7,"at":"2026-03-01T11:59:00Z"},"observed_at":"2026-03-01T11:00:00Z"}"#;
    let both = observed(up("nested-1", both));
    assert_eq!(both.identity, Identity::Network("7".into()), "a field the sensor type names");
}

#[test]
fn a_clock_that_is_ahead_is_flagged_and_not_believed() {
    let ahead = observed(up("bin-7", r#"{"fill":0.1,"observed_at":"2026-03-01T12:05:01Z"}"#));
    assert_eq!(ahead.clock_ahead, Some(Span::from_secs(301)));
    assert_eq!(ahead.observations[0].observed_at, noon());
    assert_eq!(ahead.identity, Identity::Redelivery, "a wrong clock may stand still");
    let tolerated = observed(up("bin-7", r#"{"fill":0.1,"observed_at":"2026-03-01T12:05:00Z"}"#));
    assert_eq!((tolerated.clock_ahead, tolerated.observations[0].observed_at), (None, moment("2026-03-01T12:05:00Z")));
    let unset = observed(up("bin-7", r#"{"fill":0.1,"observed_at":"1970-01-01T00:00:09Z"}"#));
    assert_eq!((unset.clock_ahead, unset.observations[0].observed_at), (None, noon()));
    assert_eq!(unset.identity, Identity::Redelivery, "after each restart such a clock says the same again");
}

#[test]
fn a_drill_is_marked() {
    assert!(observed(up("button-3", r#"{"press":1,"exercise":true}"#)).exercise);
    assert!(!observed(up("button-3", r#"{"press":1,"exercise":false}"#)).exercise);
    let simulated = r#"{"simulated":true,"uplink_message":{"frm_payload":"AXVc","f_port":85}}"#;
    let topic = format!("v3/app/devices/{EM400}/up");
    assert!(observed(read(&directory(), &uplink(&topic, simulated))).exercise);
}

#[test]
fn what_cannot_be_used_says_where_and_what_would_be_right() {
    let cases: Vec<String> = [
        ("bin-7", r#"{"fil": 0.1}"#),
        ("bin-7", r#"{"fill": "full"}"#),
        ("bin-7", r#"{"fill": "NaN"}"#),
        ("bin-7", r#"{"fill": 1e999}"#),
        ("bin-7", r#"{"fill": 1.2}"#),
        ("bin-7", r#"{"fill": [0.1]}"#),
        ("bin-7", r#"{"tilt": 1}"#),
        ("bin-7", r#"{"fill": 0.1, "fill": 0.2}"#),
        ("bin-7", r#"{"fill": 0.1"#),
        ("bin-7", r#"{"fill": 0.1} {"#),
        ("bin-7", "[1]"),
        ("bin-7", "0.5"),
        ("bin-7", ""),
        ("bin-7", r#"{"fill": .5}"#),
        ("bin-7", r#"{"observed_at": "yesterday"}"#),
        ("bin-7", r#"{"id": true}"#),
        ("bin-7", r#"{"exercise": "yes"}"#),
        ("bin-8", r#"{"fill": 0.1}"#),
        ("nested-1", r#"{"lid": "ajar"}"#),
        ("nested-1", r#"{"level": {"cm": 501}}"#),
    ]
    .into_iter()
    .map(|(device, payload)| shown(&up(device, payload)))
    .collect();
    insta::assert_snapshot!(cases.join("\n"), @r#"
    unknown_property: property "fil" is not one of battery, fill, temperature, tilt
    wrong_type: property "fill" is not a number
    non_finite: property "fill" is not a finite number
    non_finite: property "fill" is not a finite number
    out_of_range: property "fill" is outside 0 to 1.05
    wrong_type: property "fill" is not a single value
    wrong_type: property "tilt" is not true or false
    unparsable: the payload names "fill" twice
    unparsable: the payload ends too early at line 1 column 12
    unparsable: the payload is not JSON at line 1 column 15
    unparsable: the payload is not an object
    unparsable: the payload is not an object
    unparsable: the payload ends too early at line 1 column 0
    unparsable: the payload is not JSON at line 1 column 10
    wrong_type: "observed_at" is not RFC 3339 such as "2026-03-01T12:00:00Z" or milliseconds since 1970
    wrong_type: "id" is not a text of 1 to 128 bytes or a number
    wrong_type: "exercise" is not true or false
    unknown_device: device "bin-8" is not registered with a known sensor type
    out_of_range: property "lid" is not one of open, closed, 1, 0
    out_of_range: property "fill" is outside 0 to 500
    "#);
}

#[test]
fn a_value_in_a_message_is_never_in_the_detail() {
    for payload in [r#"{"pressure_sacrum": 777.25}"#, r#"{"occupied": "Fru Berg"}"#, r#"{"occupied": 777.25}"#] {
        let text = shown(&up("bed-3", payload));
        assert!(!text.contains("777") && !text.contains("Berg"), "{text}");
    }
    let reply = read(&directory(), &uplink("rettidig/v1/crew/waste-1/replies", r#"{"task":1,"answer":"Fru Berg"}"#));
    assert!(matches!(&reply, Event::Quarantined(q) if !q.detail.contains("Berg")), "{}", shown(&reply));
}

#[test]
fn topics_that_nobody_speaks_on_are_quarantined() {
    for topic in
        ["", "x", "rettidig/v1/up/", "rettidig/v1/up/a/b", "application/1/device/2/event/join", "v3/a/devices/d/join"]
    {
        let event = read(&directory(), &uplink(topic, "{}"));
        assert!(matches!(&event, Event::Quarantined(q) if q.reason == QuarantineReason::UnknownTopic), "{topic:?}");
    }
}

#[test]
fn too_much_is_oversize_and_keeps_only_the_head() {
    let long = format!(r#"{{"fill": 0.1 {} }}"#, " ".repeat(64 * 1024));
    let Event::Quarantined(quarantined) = read(&directory(), &uplink("rettidig/v1/up/bin-7", long.clone())) else {
        panic!("not quarantined")
    };
    assert_eq!(quarantined.reason, QuarantineReason::Oversize);
    assert_eq!((quarantined.head.len(), quarantined.length), (256, long.len() as u64));
    assert_eq!(quarantined.device, Some("bin-7".into()), "whose it is stands in the topic");
    let many: Vec<String> = (0..129).map(|number| format!(r#""p{number}":1"#)).collect();
    let event = read(&directory(), &uplink("rettidig/v1/up/bin-7", format!("{{{}}}", many.join(","))));
    insta::assert_snapshot!(shown(&event), @"oversize: the payload has more than 128 fields");
    let topic = format!("nowhere/{}", "æ".repeat(40_000));
    assert!(matches!(read(&directory(), &uplink(&topic, "")), Event::Quarantined(q) if q.topic.len() < 300));
}

#[test]
fn depth_costs_nothing() {
    let deep = format!(r#"{{"fill": {}{}}}"#, "[".repeat(30_000), "]".repeat(30_000));
    insta::assert_snapshot!(shown(&read(&directory(), &uplink("rettidig/v1/up/bin-7", deep))), @r#"wrong_type: property "fill" is not a single value"#);
    let unclosed = format!(r#"{{"fill": {}"#, "{\"a\":".repeat(10_000));
    assert!(matches!(read(&directory(), &uplink("rettidig/v1/up/bin-7", unclosed)), Event::Quarantined(_)));
}

#[test]
fn cpr_numbers_are_refused_and_not_kept() {
    let cases = [
        ("rettidig/v1/up/nested-1", r#"{"note": "010190-1234"}"#),
        ("rettidig/v1/up/nested-1", r#"{"note": "0101901234"}"#),
        ("rettidig/v1/up/nested-1", r#"{"note": "010190\u002d1234"}"#),
        ("rettidig/v1/up/nested-1", r#"{"uplink": {"number": "010190-1234"}}"#),
        ("rettidig/v1/up/bin-7", r#"{"010190-1234": 1}"#),
        ("rettidig/v1/up/bin-7", r#"{"name": "010190-1234" and no JSON"#),
        ("rettidig/v1/up/010190-1234", "{}"),
    ];
    for (topic, payload) in cases {
        let Event::Quarantined(quarantined) = read(&directory(), &uplink(topic, payload)) else {
            panic!("{payload} was taken")
        };
        assert_eq!(quarantined.reason, QuarantineReason::CprNumber, "{payload}");
        assert!(quarantined.head.is_empty(), "{payload}");
        assert!(!format!("{}{}", quarantined.topic, quarantined.detail).contains("1234"), "{payload}");
    }
    let cut_by_the_head = format!(r#"{{"x": "{}010190-1234""#, "x ".repeat(121));
    let event = read(&directory(), &uplink("rettidig/v1/up/bin-7", cut_by_the_head));
    assert!(matches!(&event, Event::Quarantined(q) if q.head.is_empty()), "{}", shown(&event));
}

#[test]
fn fields_inside_objects_are_found_and_converted() {
    let show = |payload| shown(&up("nested-1", payload));
    insta::assert_snapshot!(show(r#"{"level": {"cm": 74}, "lid": "open", "rssi": -90, "note": "ok"}"#), @r#"nested-1: fill=0.5 1, lid=true, note="ok" [Redelivery]"#);
    insta::assert_snapshot!(show(r#"{"level": {"cm": -1}, "lid": 0}"#), @"nested-1: lid=false [Redelivery]");
    insta::assert_snapshot!(show(r#"{"level": {"cm": "error"}}"#), @"nested-1:  [Redelivery]");
    insta::assert_snapshot!(show(r#"{"level": 5}"#), @r#"wrong_type: "level" has no field "cm""#);
}

#[test]
fn distance_becomes_fill_as_the_vectors_say() {
    // DOMAIN §7.2
    for (distance, fill) in [(1200, 0.0), (970, 0.25), (740, 0.5), (510, 0.75), (280, 1.0), (200, 1.05)] {
        let mut payload = vec![0x04, 0x82];
        payload.extend(u16::to_le_bytes(distance));
        let observed = observed(read(&directory(), &uplink(&format!("rettidig/v1/up/{EM400}"), payload)));
        assert_eq!(observed.observations[0].value, Value::Number(Finite::new(fill).unwrap()), "{distance} mm");
    }
}

#[test]
fn em400_udl_bytes_are_read() {
    let show = |bytes: &[u8]| shown(&read(&directory(), &uplink(&format!("rettidig/v1/up/{EM400}"), bytes.to_vec())));
    let vector = [0x01, 0x75, 0x5c, 0x03, 0x67, 0x22, 0x01, 0x04, 0x82, 0x44, 0x08, 0x05, 0x00, 0x01];
    insta::assert_snapshot!(show(&vector), @"1000000000000001: battery=92 %, temperature=29 Cel, fill=0 1, tilt=true [Redelivery]");
    insta::assert_snapshot!(show(&[0x01, 0x75, 0x5c, 0x7f, 0x7f, 0x00]), @"1000000000000001: battery=92 %? [Redelivery]");
    insta::assert_snapshot!(show(&[0x01, 0x75, 0x5c, 0x04, 0x82, 0x44]), @"1000000000000001: battery=92 %? [Redelivery]");
    insta::assert_snapshot!(show(&[0x7f, 0x7f]), @"unparsable: the payload does not open with one of the channels 01 75, 03 67, 04 82, 05 00, 83 67, 84 82, ff 01, ff 09, ff 0a, ff 0b, ff 0f, ff 16");
    insta::assert_snapshot!(show(&[0x05, 0x00, 0x07]), @r#"out_of_range: property "tilt" is not one of 0, 1"#);
    insta::assert_snapshot!(show(&[0xff, 0x0b, 0xff, 0xff, 0x01, 0x01]), @"1000000000000001:  [Redelivery]");
    let unmounted = uplink("rettidig/v1/up/00aabbccddeeff00", vec![0x04, 0x82, 0x44, 0x08, 0x01, 0x75, 0x5c]);
    insta::assert_snapshot!(shown(&read(&directory(), &unmounted)), @"00AABBCCDDEEFF00: battery=92 % [Redelivery]");
}

#[test]
fn a_real_em400_udl_says_the_same_through_either_network() {
    let chirpstack = uplink(
        &format!("application/ca739e26/device/{EM400}/event/up"),
        fixture("chirpstack-v4", "milesight-em400-udl.json"),
    );
    insta::assert_snapshot!(shown(&read(&directory(), &chirpstack)), @r#"1000000000000001: temperature=23.2 Cel, fill=0 1 [Network("57433366-50a6-4dc2-8145-2df1bbc70d9e")]"#);
    let things_stack = uplink(
        "v3/application-tti-name@tenant/devices/eui-1000000000000001/up",
        fixture("things-stack-v3", "milesight-em400-udl.json"),
    );
    insta::assert_snapshot!(shown(&read(&directory(), &things_stack)), @r#"1000000000000001: temperature=23.2 Cel, fill=0 1 [Network("AYfg8rhha5n+FWx0ZaAprA==/5017/85")]"#);
    let [first, second] = [chirpstack, things_stack].map(|uplink| observed(read(&directory(), &uplink)).observations);
    assert_eq!(first[0].observed_at, moment("2023-05-22T07:47:05.404859Z"));
    assert_eq!(second[0].observed_at, moment("2023-05-18T08:25:25.906399Z"));
}

#[test]
fn one_uplink_through_two_gateways_is_one() {
    let topic = format!("application/a/device/{EM400}/event/up");
    let envelope = |gateway: &str, id: &str| {
        let body = format!(
            r#"{{{id}"devAddr":"20000001","fCnt":4,"fPort":85,"data":"AXVc","rxInfo":[{{"gatewayId":"{gateway}"}}]}}"#
        );
        observed(read(&directory(), &uplink(&topic, body))).identity
    };
    assert_eq!(envelope("a", r#""deduplicationId":"u","#), envelope("b", r#""deduplicationId":"u","#));
    assert_eq!(envelope("a", ""), envelope("b", ""));
    assert_eq!(envelope("a", ""), Identity::Network("20000001/4/85".into()));
}

#[test]
fn an_envelope_that_contradicts_its_topic_is_refused() {
    let topic = format!("application/a/device/{EM400}/event/up");
    let other = uplink(&topic, r#"{"deviceInfo":{"devEui":"2000000000000001"},"data":"AXVc","fPort":85}"#);
    insta::assert_snapshot!(shown(&read(&directory(), &other)), @r#"unparsable: "deviceInfo.devEui" is not the device of the topic"#);
    let port = uplink(&topic, r#"{"data":"AXVc","fPort":2}"#);
    insta::assert_snapshot!(shown(&read(&directory(), &port)), @"unparsable: port 2 is not 85");
    let base64 = uplink(&topic, r#"{"data":"A?","fPort":85}"#);
    insta::assert_snapshot!(shown(&read(&directory(), &base64)), @r#"unparsable: "data" is not base64"#);
    let eui = r#"{"end_device_ids":{"device_id":"x","dev_eui":"1000000000000001"},"uplink_message":{}}"#;
    insta::assert_snapshot!(shown(&read(&directory(), &uplink("v3/a/devices/y/up", eui))), @r#"unparsable: "end_device_ids.device_id" is not the device of the topic"#);
    let undecoded = uplink("application/a/device/0101010101010101/event/up", r#"{"data":"AXVc"}"#);
    insta::assert_snapshot!(shown(&read(&directory(), &undecoded)), @r#"unparsable: "object" is missing: set a payload codec in the network server, or use a sensor type with a binary mapping"#);
}

/// Every documented message on the topic of its format, from the device it names; all are registered as EM400-UDL.
#[test]
fn documented_messages_decode_or_are_quarantined_for_a_stated_reason() {
    let mut lines = Vec::new();
    for (folder, topic, name_field) in [
        ("chirpstack-v4", "application/a/device/{}/event/up", "\"devEui\": \""),
        ("things-stack-v3", "v3/app1/devices/{}/up", "\"device_id\": \""),
    ] {
        for (name, bytes) in files::of(&format!("tests/fixtures/messages/{folder}")) {
            let text = String::from_utf8(bytes).unwrap();
            let named = text.split_once(name_field).and_then(|(_, rest)| rest.split('"').next()).unwrap_or(EM400);
            let devices = [device(named, "milesight-em400-udl", &[("d_empty_mm", 1700.0), ("d_full_mm", 300.0)])];
            let directory = Directory::new(Limits::default(), &types(), devices.iter(), std::iter::empty());
            let event = read(&directory, &uplink(&topic.replace("{}", named), text.clone()));
            lines.push(format!("{folder}/{name}: {}", shown(&event)));
        }
    }
    insta::assert_snapshot!(lines.join("\n"), @r#"
    chirpstack-v4/events-00.json: unparsable: port 1 is not 85
    chirpstack-v4/events-01.json: 0101010101010101:  [Network("bf2a9746-1c8b-49be-a92e-f0b89c8534e4")]
    chirpstack-v4/events-02.json: 0101010101010101:  [Network("c9dbe358-2578-4fb7-b295-66b44edc45a6")]
    chirpstack-v4/events-03.json: 0101010101010101:  [Network("856a03e7-80f6-4c26-b971-9dcb34a59c2e")]
    chirpstack-v4/events-04.json: 0101010101010101:  [DeviceTime(1658137068929184us)]
    chirpstack-v4/events-05.json: 0101010101010101:  [DeviceTime(1658137197311414us)]
    chirpstack-v4/events-06.json: 0101010101010101:  [Network("63d870b9-b769-4d88-8b33-8e43f58851a7")]
    chirpstack-v4/events-07.json: 0016c001f000175a:  [Network("39c68646-57f7-4973-8ac8-48839b5714d6")]
    chirpstack-v4/milesight-em310-udl.json: 1000000000000001: battery=92 %? [Network("57433366-50a6-4dc2-8145-2df1bbc70d9e")]
    chirpstack-v4/milesight-em400-udl.json: 1000000000000001: temperature=23.2 Cel, fill=0.07071428571428572 1 [Network("57433366-50a6-4dc2-8145-2df1bbc70d9e")]
    chirpstack-v4/milesight-ws201.json: 1000000000000001: battery=100 %? [Network("57433366-50a6-4dc2-8145-2df1bbc70d9e")]
    chirpstack-v4/mqtt-01.invalid.txt: unparsable: the payload is not JSON at line 2 column 47
    things-stack-v3/data-formats-00.invalid.txt: unparsable: the payload is not JSON at line 3 column 46
    things-stack-v3/data-formats-01.json: unparsable: "uplink_message" is missing
    things-stack-v3/data-formats-02.invalid.txt: unparsable: the payload is not JSON at line 3 column 46
    things-stack-v3/data-formats-03.invalid.txt: unparsable: the payload is not JSON at line 79 column 5
    things-stack-v3/data-formats-04.json: unparsable: "uplink_message" is missing
    things-stack-v3/data-formats-05.json: unparsable: "uplink_message" is missing
    things-stack-v3/data-formats-06.json: unparsable: "uplink_message" is missing
    things-stack-v3/data-formats-07.json: unparsable: "uplink_message" is missing
    things-stack-v3/data-formats-08.json: unparsable: "uplink_message" is missing
    things-stack-v3/data-formats-09.json: unparsable: "uplink_message" is missing
    things-stack-v3/milesight-em310-udl.json: eui-1000000000000001: battery=92 %? [Network("AYfg8rhha5n+FWx0ZaAprA==/5017/85")]
    things-stack-v3/milesight-em400-udl.json: eui-1000000000000001: temperature=23.2 Cel, fill=0.07071428571428572 1 [Network("AYfg8rhha5n+FWx0ZaAprA==/5017/85")]
    things-stack-v3/milesight-ws201.json: eui-1000000000000001: battery=100 %? [Network("AYfg8rhha5n+FWx0ZaAprA==/5017/85")]
    things-stack-v3/mqtt-01.json: unparsable: "uplink_message" is missing
    things-stack-v3/mqtt-02.json: unparsable: port 15 is not 85
    things-stack-v3/mqtt-03.json: unparsable: "uplink_message" is missing
    things-stack-v3/mqtt-05.json: unparsable: "uplink_message" is missing
    things-stack-v3/mqtt-06.json: unparsable: "uplink_message" is missing
    "#);
}

#[test]
fn crews_answer() {
    let answer = |payload: &'static str| match read(&directory(), &uplink("rettidig/v1/crew/waste-1/replies", payload))
    {
        Event::Replied(reply) => format!("{} {} {:?}", reply.crew, reply.task, reply.answer),
        other => shown(&other),
    };
    let cases = [
        r#"{"task": 17, "answer": "accepted"}"#,
        r#"{"task": 17, "answer": "rejected", "reason": "busy", "delivery": "x"}"#,
        r#"{"task": 17, "answer": "rejected"}"#,
        r#"{"task": 17, "answer": "en-route"}"#,
        r#"{"task": 17, "answer": "on-site"}"#,
        r#"{"task": 17, "answer": "completed", "reason": null}"#,
        r#"{"task": 17, "answer": "done"}"#,
        r#"{"task": 17, "answer": "rejected", "reason": "tired"}"#,
        r#"{"task": 17, "answer": 1}"#,
        r#"{"task": -1, "answer": "accepted"}"#,
        r#"{"task": 1.5, "answer": "accepted"}"#,
        r#"{"answer": "accepted"}"#,
        "accepted",
    ];
    insta::assert_snapshot!(cases.map(answer).join("\n"), @r#"
    waste-1 17 Accepted
    waste-1 17 Rejected(Busy)
    waste-1 17 Rejected(Other)
    waste-1 17 EnRoute
    waste-1 17 OnSite
    waste-1 17 Completed
    unparsable: "answer" is not one of accepted, rejected, en-route, on-site, completed
    unparsable: "reason" is not one of busy, not-on-duty, too-far, missing-skill, missing-equipment, unsafe, other
    wrong_type: "answer" is not one of accepted, rejected, en-route, on-site, completed
    wrong_type: "task" is not the number of a task
    wrong_type: "task" is not the number of a task
    wrong_type: "task" is not the number of a task
    unparsable: the payload is not JSON at line 1 column 1
    "#);
    let stranger = read(&directory(), &uplink("rettidig/v1/crew/x/replies", "{}"));
    insta::assert_snapshot!(shown(&stranger), @r#"unknown_crew: crew "x" is not registered"#);
}

#[test]
fn a_device_whose_sensor_type_was_taken_away_is_unknown() {
    let devices = [device("bin-7", "gone", &[])];
    let directory = Directory::new(Limits::default(), &types(), devices.iter(), std::iter::empty());
    assert_eq!(directory.devices_len(), 0);
    let event = read(&directory, &uplink("rettidig/v1/up/bin-7", "{}"));
    assert!(matches!(event, Event::Quarantined(q) if q.reason == QuarantineReason::UnknownDevice));
}
