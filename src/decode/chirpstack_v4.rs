//! `application/{application}/device/{devEui}/event/up`: ChirpStack v4.
//!
//! The topic names the device; a payload that names another is refused. JSON is the protobuf mapping, so a frame
//! counter or port of zero is left out. The network's time stands for the device's: a LoRaWAN device sends what it
//! has just measured. Other events (`join`, `status`, …) are not uplinks and are not read here.

use super::directory::Directory;
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
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow)]
    deduplication_id: Option<Text<'a>>,
    #[serde(borrow)]
    time: Option<Text<'a>>,
    #[serde(borrow)]
    device_info: Option<DeviceInfo<'a>>,
    #[serde(borrow)]
    dev_addr: Option<Text<'a>>,
    f_cnt: Option<u32>,
    f_port: Option<u8>,
    #[serde(borrow)]
    data: Option<Text<'a>>,
    #[serde(borrow)]
    object: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceInfo<'a> {
    #[serde(borrow)]
    dev_eui: Option<Text<'a>>,
}

pub(super) fn address(topic: &str) -> Option<&str> {
    let mut parts = topic.split('/');
    let (application, _, device) = (parts.next()?, parts.next()?, parts.next()?);
    let (eui, event, up) = (parts.next()?, parts.next()?, parts.next()?);
    let ours = (application, device, event, up) == ("application", "device", "event", "up");
    (ours && !eui.is_empty() && parts.next().is_none()).then_some(eui)
}

pub(super) fn read(directory: &Directory, uplink: &Uplink, address: &str) -> Result<Event, Rejection> {
    let device = directory.device(address)?;
    let read = || {
        let envelope: Envelope<'_> = json::envelope(json::utf8(&uplink.payload)?)?;
        let claimed = envelope.device_info.as_ref().and_then(|info| info.dev_eui.as_ref());
        if claimed.is_some_and(|eui| !eui.0.eq_ignore_ascii_case(address)) {
            return Err(Rejection::unparsable("\"deviceInfo.devEui\" is not the device of the topic"));
        }
        let mut message = Message::from_device(device);
        message.id = identity(&envelope);
        message.device_time = envelope.time.as_ref().and_then(|time| moment::rfc3339(&time.0));
        message.body = if device.spec.reads_json() {
            Body::decoded("object", envelope.object, directory)?
        } else {
            let data = envelope.data.as_ref().map_or("", |data| data.0.as_ref());
            Body::Bytes { port: Some(envelope.f_port.unwrap_or(0)), bytes: base64_bytes("data", data)?.into() }
        };
        Ok(message)
    };
    observe(directory, uplink, read().map_err(|rejection| rejection.by(&device.id))?)
}

/// The server gives every uplink one id, however many gateways heard it. Servers set not to do so still have the
/// session's address and frame counter.
fn identity(envelope: &Envelope<'_>) -> Option<SmolStr> {
    if let Some(id) = envelope.deduplication_id.as_ref().filter(|id| !id.0.is_empty()) {
        return Some(SmolStr::new(&id.0));
    }
    let address = envelope.dev_addr.as_ref()?;
    let (counter, port) = (envelope.f_cnt?, envelope.f_port.unwrap_or(0));
    Some(format_smolstr!("{}/{counter}/{port}", address.0))
}
