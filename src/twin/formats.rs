//! What devices and network servers put on the wire: canonical JSON, ChirpStack v4, The Things Stack v3.
//!
//! LoRaWAN bins carry the Milesight EM400-UDL's binary payload (DOMAIN §1.1), base64 inside the server's JSON.
//! Nothing is sent here and nothing is spoiled: `town` does the one, `spoil` the other.

use super::bed::BedSeen;
use super::bin::BinSeen;
use super::civil::rfc3339;
use super::municipality::BinSite;
use crate::domain::ids::DeviceId;
use crate::domain::time::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

/// The application that bins are registered under at the network servers.
const CHIRPSTACK_APPLICATION: &str = "9a1f7c52-6d0e-4f8b-9a53-0c2f6f1d7e11";
const THINGS_APPLICATION: &str = "fjordby-affald@fjordby";
/// The port on which Milesight devices speak.
const EM400_PORT: u8 = 85;

/// Bytes for one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub topic: String,
    pub payload: Bytes,
    /// Sent, acknowledged, and then sent once more with DUP, as after an acknowledgement lost on the way.
    pub again_with_dup: bool,
}

impl Message {
    pub(crate) fn json(topic: String, payload: &Value) -> Self {
        Self { topic, payload: Bytes::from(payload.to_string()), again_with_dup: false }
    }
}

/// What a server says about one radio hearing of one message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hearing {
    pub at: Timestamp,
    pub frame: u32,
    pub lora_gateway: &'static str,
}

/// The EM400-UDL's own bytes: battery, temperature, distance, position.
pub(crate) fn em400_payload(site: &BinSite, seen: &BinSeen) -> Vec<u8> {
    let temperature = (seen.temperature * 10.0).round() as i16;
    let distance = (site.d_empty_mm - seen.fill * (site.d_empty_mm - site.d_full_mm)).round() as u16;
    let mut bytes = vec![0x01, 0x75, seen.battery, 0x03, 0x67];
    bytes.extend(temperature.to_le_bytes());
    bytes.extend([0x04, 0x82]);
    bytes.extend(distance.to_le_bytes());
    bytes.extend([0x05, 0x00, u8::from(seen.tilted)]);
    bytes
}

pub(crate) fn chirpstack(site: &BinSite, seen: &BinSeen, hearing: Hearing) -> Message {
    let eui = site.device.as_str();
    let payload = json!({
        "deduplicationId": deduplication_id(eui, hearing.frame),
        "time": rfc3339(hearing.at),
        "deviceInfo": {
            "tenantName": super::places::MUNICIPALITY,
            "applicationId": CHIRPSTACK_APPLICATION,
            "applicationName": "affald",
            "deviceProfileName": "Milesight EM400-UDL",
            "deviceName": site.asset.as_str(),
            "devEui": eui,
            "deviceClassEnabled": "CLASS_A",
            "tags": {},
        },
        "devAddr": format!("00{}", &eui[10..]),
        "adr": true,
        "dr": 5,
        "fCnt": hearing.frame,
        "fPort": EM400_PORT,
        "confirmed": false,
        "data": STANDARD.encode(em400_payload(site, seen)),
        "rxInfo": [{ "gatewayId": hearing.lora_gateway, "rssi": -97, "snr": 7.2, "crcStatus": "CRC_OK" }],
        "txInfo": {
            "frequency": 868_100_000,
            "modulation": { "lora": { "bandwidth": 125_000, "spreadingFactor": 7, "codeRate": "CR_4_5" } },
        },
    });
    Message::json(format!("application/{CHIRPSTACK_APPLICATION}/device/{eui}/event/up"), &payload)
}

/// One id for one uplink, whichever gateways heard it: a UUID made from what names the uplink.
fn deduplication_id(eui: &str, frame: u32) -> String {
    let hash = blake3::hash(format!("{eui}/{frame}").as_bytes()).to_hex();
    let hex = hash.as_str();
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

pub(crate) fn things_stack(site: &BinSite, seen: &BinSeen, hearing: Hearing) -> Message {
    let eui = site.device.as_str();
    let application = THINGS_APPLICATION.split('@').next().unwrap_or_default();
    let time = rfc3339(hearing.at);
    let payload = json!({
        "end_device_ids": {
            "device_id": eui,
            "application_ids": { "application_id": application },
            "dev_eui": eui.to_ascii_uppercase(),
            "dev_addr": format!("26{}", &eui[10..]),
        },
        "received_at": time,
        "uplink_message": {
            "session_key_id": STANDARD.encode(&eui.as_bytes()[4..16]),
            "f_port": EM400_PORT,
            "f_cnt": hearing.frame,
            "frm_payload": STANDARD.encode(em400_payload(site, seen)),
            "rx_metadata": [{
                "gateway_ids": { "gateway_id": format!("eui-{}", hearing.lora_gateway) },
                "rssi": -101,
                "channel_rssi": -101,
                "snr": 5.5,
            }],
            "settings": {
                "data_rate": { "lora": { "bandwidth": 125_000, "spreading_factor": 7, "coding_rate": "4/5" } },
                "frequency": "868300000",
            },
            "received_at": time,
            "consumed_airtime": "0.061696s",
        },
    });
    Message::json(format!("v3/{THINGS_APPLICATION}/devices/{eui}/up"), &payload)
}

/// A bin that speaks our own format; the device says when it measured.
pub(crate) fn canonical_bin(device: &DeviceId, seen: &BinSeen, observed_at: Option<Timestamp>) -> Message {
    let mut payload = json!({
        "fill": (seen.fill * 1_000.0).round() / 1_000.0,
        "temperature": tenth(seen.temperature),
        "battery": seen.battery,
        "tilt": seen.tilted,
    });
    if let Some(at) = observed_at {
        payload["observed_at"] = rfc3339(at).into();
    }
    Message::json(up(device), &payload)
}

pub(crate) fn canonical_bed(device: &DeviceId, seen: &BedSeen, observed_at: Timestamp) -> Message {
    let payload = json!({
        "pressure_sacrum": tenth(seen.pressure_sacrum),
        "occupied": seen.occupied,
        "observed_at": rfc3339(observed_at),
    });
    Message::json(up(device), &payload)
}

/// A button knows neither time nor number: six presses are six messages that look the same.
pub(crate) fn press(device: &DeviceId) -> Message {
    Message::json(up(device), &json!({ "press": 1 }))
}

/// The carer has come and sets the button back.
pub(crate) fn press_answered(device: &DeviceId) -> Message {
    Message::json(up(device), &json!({ "press": 0 }))
}

/// A button's sign of life.
pub(crate) fn alive(device: &DeviceId) -> Message {
    Message::json(up(device), &json!({}))
}

/// One row of a recorded series.
pub(crate) fn recorded(device: &DeviceId, percent: f64, observed_at: Timestamp) -> Message {
    Message::json(up(device), &json!({ "fill_pct": percent, "observed_at": rfc3339(observed_at) }))
}

pub(crate) fn up(device: &DeviceId) -> String {
    format!("rettidig/v1/up/{device}")
}

fn tenth(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
