//! `v3/{application}@{tenant}/devices/{device}/up`: The Things Stack v3, with or without a tenant.
//!
//! A device is found by its id in the topic, or else by the EUI inside. Zero, false and empty fields are left out
//! of the JSON. An uplink simulated in the network's console is a drill. Joins and receipts are not read here.

use super::directory::{Directory, Mounted};
use super::json::{self, Text};
use super::moment;
use super::read::{Body, Message, base64_bytes, observe};
use super::rejection::Rejection;
use crate::domain::event::Event;
use crate::domain::uplink::Uplink;
use serde::Deserialize;
use serde_json::value::RawValue;
use smol_str::{SmolStr, format_smolstr};

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    end_device_ids: Option<EndDevice<'a>>,
    #[serde(borrow)]
    received_at: Option<Text<'a>>,
    #[serde(borrow)]
    uplink_message: Option<UplinkMessage<'a>>,
    #[serde(default)]
    simulated: bool,
}

#[derive(Deserialize)]
struct EndDevice<'a> {
    #[serde(borrow)]
    device_id: Option<Text<'a>>,
    #[serde(borrow)]
    dev_eui: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct UplinkMessage<'a> {
    #[serde(borrow)]
    session_key_id: Option<Text<'a>>,
    f_cnt: Option<u32>,
    f_port: Option<u8>,
    #[serde(borrow)]
    frm_payload: Option<Text<'a>>,
    #[serde(borrow)]
    decoded_payload: Option<&'a RawValue>,
    #[serde(borrow)]
    received_at: Option<Text<'a>>,
}

pub(super) fn address(topic: &str) -> Option<&str> {
    let mut parts = topic.split('/');
    let (version, _, devices) = (parts.next()?, parts.next()?, parts.next()?);
    let (device, up) = (parts.next()?, parts.next()?);
    let ours = (version, devices, up) == ("v3", "devices", "up");
    (ours && !device.is_empty() && parts.next().is_none()).then_some(device)
}

pub(super) fn read(directory: &Directory, uplink: &Uplink, address: &str) -> Result<Event, Rejection> {
    let by_topic = directory.find(address);
    let envelope = json::utf8(&uplink.payload)
        .and_then(json::envelope::<Envelope<'_>>)
        .map_err(|rejection| Rejection { device: by_topic.map(|device| device.id.clone()), ..rejection })?;
    let claimed = envelope.end_device_ids.as_ref().and_then(|ids| ids.device_id.as_ref());
    if claimed.is_some_and(|id| id.0 != address) {
        return Err(Rejection::unparsable("\"end_device_ids.device_id\" is not the device of the topic"));
    }
    let eui = envelope.end_device_ids.as_ref().and_then(|ids| ids.dev_eui.as_ref());
    let device = match by_topic.or_else(|| eui.and_then(|eui| directory.find(&eui.0))) {
        Some(device) => device,
        None => directory.device(address)?,
    };
    let message = message(directory, device, &envelope).map_err(|rejection| rejection.by(&device.id))?;
    observe(directory, uplink, message)
}

fn message<'a>(
    directory: &'a Directory,
    device: &'a Mounted,
    envelope: &Envelope<'a>,
) -> Result<Message<'a>, Rejection> {
    let Some(uplink) = &envelope.uplink_message else {
        return Err(Rejection::unparsable("\"uplink_message\" is missing"));
    };
    let mut message = Message::from_device(device);
    message.exercise = envelope.simulated;
    message.id = identity(uplink);
    let time = uplink.received_at.as_ref().or(envelope.received_at.as_ref());
    message.device_time = time.and_then(|time| moment::rfc3339(&time.0));
    message.body = if device.spec.reads_json() {
        Body::decoded("decoded_payload", uplink.decoded_payload, directory)?
    } else {
        let data = uplink.frm_payload.as_ref().map_or("", |data| data.0.as_ref());
        Body::Bytes { port: Some(uplink.f_port.unwrap_or(0)), bytes: base64_bytes("frm_payload", data)?.into() }
    };
    Ok(message)
}

/// The session and its frame counter: correlation ids differ between deliveries, these do not.
fn identity(uplink: &UplinkMessage<'_>) -> Option<SmolStr> {
    let session = uplink.session_key_id.as_ref().filter(|id| !id.0.is_empty())?;
    let (counter, port) = (uplink.f_cnt.unwrap_or(0), uplink.f_port.unwrap_or(0));
    Some(format_smolstr!("{}/{counter}/{port}", session.0))
}
