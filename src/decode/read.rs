//! One uplink in, one event out: the register of network formats, and what all of them share.
//!
//! A format takes its envelope apart into a [`Message`]; the sensor type's mapping reads the body. A format is one
//! file and one line in [`FORMATS`].

use super::conversion::Reading;
use super::directory::{Directory, Mounted};
use super::json::Fields;
use super::mapping::Source;
use super::rejection::{Rejection, listed};
use super::{canonical, chirpstack_v4, crew_reply, mapping, moment, things_stack_v3};
use crate::domain::cpr;
use crate::domain::event::{Event, Quarantined};
use crate::domain::ids::{ContentHash, DeviceId};
use crate::domain::observation::{Observation, Observed, Quality};
use crate::domain::reason::QuarantineReason;
use crate::domain::time::Timestamp;
use crate::domain::uplink::Uplink;
use base64::Engine as _;
use bytes::Bytes;
use serde_json::value::RawValue;
use smol_str::{SmolStr, format_smolstr};
use std::borrow::Cow;

/// A topic longer than this is shortened in a quarantined row.
const TOPIC_BYTES_MAX: usize = 256;

/// A CPR number in its longest form, written with its separator.
pub const CPR_BYTES_MAX: usize = 11;

/// A network format: the topics it speaks on, and how it is read.
struct Format {
    topics: &'static str,
    /// The device or crew that a topic names; none when the topic is not of this format.
    address: fn(&str) -> Option<&str>,
    /// What stands there is a device.
    by_device: bool,
    read: fn(&Directory, &Uplink, &str) -> Result<Event, Rejection>,
}

const FORMATS: [Format; 4] = [
    Format { topics: "rettidig/v1/up/{device}", address: canonical::address, by_device: true, read: canonical::read },
    Format {
        topics: "application/{application}/device/{devEui}/event/up",
        address: chirpstack_v4::address,
        by_device: true,
        read: chirpstack_v4::read,
    },
    Format {
        topics: "v3/{application}@{tenant}/devices/{device}/up",
        address: things_stack_v3::address,
        by_device: true,
        read: things_stack_v3::read,
    },
    Format {
        topics: "rettidig/v1/crew/{crew}/replies",
        address: crew_reply::address,
        by_device: false,
        read: crew_reply::read,
    },
];

/// What a network format found in its envelope.
pub(super) struct Message<'a> {
    pub device: &'a Mounted,
    /// The message's own name, unique among those of its device.
    pub id: Option<SmolStr>,
    pub device_time: Option<Timestamp>,
    pub exercise: bool,
    pub body: Body<'a>,
}

pub(super) enum Body<'a> {
    Empty,
    Fields(Fields<'a>),
    Bytes { port: Option<u8>, bytes: Cow<'a, [u8]> },
}

/// Reads one uplink: `Observed`, `Replied` or `Quarantined`. No bytes make it panic.
#[must_use]
pub fn read(directory: &Directory, uplink: &Uplink) -> Event {
    understood(directory, uplink)
        .unwrap_or_else(|rejection| Event::Quarantined(quarantined(directory, uplink, rejection)))
}

/// What a message carried, so that a redelivery can be recognised.
#[must_use]
pub fn content_hash(topic: &str, payload: &[u8]) -> ContentHash {
    let mut hasher = blake3::Hasher::new();
    // The length keeps topic and payload apart.
    hasher.update(&(topic.len() as u64).to_le_bytes()).update(topic.as_bytes()).update(payload);
    let mut short = [0; 16];
    short.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    ContentHash(short)
}

/// The row of a message that is never read: of its `length` bytes the uplink holds the first, [`CPR_BYTES_MAX`] more
/// than are kept. They are kept only when it is known whose they are.
#[must_use]
pub fn set_aside(
    directory: &Directory,
    uplink: &Uplink,
    length: u64,
    reason: QuarantineReason,
    detail: &str,
) -> Quarantined {
    let device = device_of_topic(directory, &uplink.topic);
    let known = device.is_some();
    let rejection = Rejection { device, ..Rejection::new(reason, SmolStr::new(detail)) };
    let row = quarantined(directory, uplink, rejection);
    Quarantined { head: if known { row.head } else { Bytes::new() }, length, ..row }
}

/// The registered device that a topic names, if it is a topic of devices.
fn device_of_topic(directory: &Directory, topic: &str) -> Option<DeviceId> {
    let (format, address) = FORMATS.iter().find_map(|format| Some((format, (format.address)(topic)?)))?;
    named(directory, format, address)
}

fn named(directory: &Directory, format: &Format, address: &str) -> Option<DeviceId> {
    format.by_device.then(|| directory.find(address)).flatten().map(|device| device.id.clone())
}

fn understood(directory: &Directory, uplink: &Uplink) -> Result<Event, Rejection> {
    let found = FORMATS.iter().find_map(|format| Some((format, (format.address)(&uplink.topic)?)));
    let Some((format, address)) = found else {
        let detail = format_smolstr!("the topic is none of {}", listed(FORMATS.iter().map(|format| format.topics)));
        return Err(Rejection::new(QuarantineReason::UnknownTopic, detail));
    };
    let (length, limit) = (uplink.payload.len(), directory.limits.payload_bytes_max);
    let read = if length > limit {
        let detail = format_smolstr!("the payload has {length} bytes, at most {limit} are read");
        Err(Rejection::new(QuarantineReason::Oversize, detail))
    } else {
        (format.read)(directory, uplink, address)
    };
    // Whose message it is decides who may see its first bytes, so it is named whenever the topic tells.
    read.map_err(|rejection| {
        let device = rejection.device.or_else(|| named(directory, format, address));
        Rejection { device, ..rejection }
    })
}

/// Reads the body by the sensor type's mapping: the last step of every sensor format.
pub(super) fn observe(directory: &Directory, uplink: &Uplink, message: Message<'_>) -> Result<Event, Rejection> {
    let id = message.device.id.clone();
    observed(directory, uplink, message).map(Event::Observed).map_err(|rejection| rejection.by(&id))
}

fn observed(directory: &Directory, uplink: &Uplink, message: Message<'_>) -> Result<Observed, Rejection> {
    let (device, limits) = (message.device, &directory.limits);
    let mut reading = Reading::of(device);
    let (mut named, mut timed) = (None, None);
    match (&device.spec.source, &message.body) {
        (Source::Json(json), Body::Fields(fields)) => {
            named = json.message_id(fields, limits.observations_max)?;
            timed = json.device_time(fields, limits.observations_max)?;
            json.read(fields, limits.observations_max, &mut reading)?;
        }
        (Source::Binary(binary), Body::Bytes { port, bytes }) => binary.read(*port, bytes, &mut reading)?,
        (Source::Json(_) | Source::Binary(_), Body::Empty | Body::Fields(_) | Body::Bytes { .. }) => {}
    }
    let network = message.id.or(named);
    if network.as_ref().is_some_and(|id| cpr::holds_written_cpr_number(id.as_bytes())) {
        return Err(mapping::cpr_in("the message's id"));
    }
    let settled =
        moment::settle(network, timed.or(message.device_time), uplink.received_at, limits.clock_ahead_tolerance);
    Ok(Observed {
        device: device.id.clone(),
        identity: settled.identity,
        ingress: uplink.ingress.clone(),
        received_at: uplink.received_at,
        clock_ahead: settled.clock_ahead,
        observations: reading.observations(settled.observed_at),
        redacted: Vec::new(),
        exercise: message.exercise,
    })
}

/// Keeps enough for an integrator to see what was wrong, and nothing that looks like a CPR number.
fn quarantined(directory: &Directory, uplink: &Uplink, rejection: Rejection) -> Quarantined {
    let kept = uplink.payload.len().min(directory.limits.quarantine_head_bytes);
    // A number that begins in the head and ends behind it counts as well.
    let checked = &uplink.payload[..uplink.payload.len().min(kept + CPR_BYTES_MAX)];
    let in_topic = cpr::holds_written_cpr_number(uplink.topic.as_bytes());
    let found = in_topic
        || cpr::holds_written_cpr_number(checked)
        || cpr::holds_written_cpr_number(rejection.detail.as_bytes());
    let withheld = found || rejection.reason == QuarantineReason::CprNumber;
    let rejection =
        if found { Rejection { device: rejection.device, ..mapping::cpr_in("the message") } } else { rejection };
    let head = if withheld { Bytes::new() } else { Bytes::copy_from_slice(&uplink.payload[..kept]) };
    let topic = if in_topic { SmolStr::new_static("(withheld)") } else { shortened(&uplink.topic) };
    Quarantined {
        reason: rejection.reason,
        detail: rejection.detail,
        topic,
        device: rejection.device,
        ingress: uplink.ingress.clone(),
        received_at: uplink.received_at,
        head,
        length: uplink.payload.len() as u64,
    }
}

fn shortened(topic: &SmolStr) -> SmolStr {
    if topic.len() <= TOPIC_BYTES_MAX {
        return topic.clone();
    }
    let end = (0..=TOPIC_BYTES_MAX).rev().find(|end| topic.is_char_boundary(*end)).unwrap_or(0);
    format_smolstr!("{}…", &topic[..end])
}

pub(super) fn base64_bytes(field: &str, text: &str) -> Result<Vec<u8>, Rejection> {
    const ANY_PADDING: base64::engine::GeneralPurpose = base64::engine::GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        base64::engine::GeneralPurposeConfig::new()
            .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
    );
    ANY_PADDING.decode(text).map_err(|_| Rejection::unparsable(format_smolstr!("\"{field}\" is not base64")))
}

impl<'a> Message<'a> {
    pub fn from_device(device: &'a Mounted) -> Self {
        Self { device, id: None, device_time: None, exercise: false, body: Body::Empty }
    }
}

impl<'a> Body<'a> {
    /// The object that a codec in the network server has decoded.
    pub fn decoded(field: &str, object: Option<&'a RawValue>, directory: &Directory) -> Result<Self, Rejection> {
        let Some(object) = object else {
            let remedy = "set a payload codec in the network server, or use a sensor type with a binary mapping";
            return Err(Rejection::unparsable(format_smolstr!("\"{field}\" is missing: {remedy}")));
        };
        Fields::parse(&format!("\"{field}\""), object.get(), directory.limits.observations_max).map(Self::Fields)
    }
}

impl Reading<'_> {
    fn observations(self, observed_at: Timestamp) -> Vec<Observation> {
        let quality = if self.cut_short { Quality::Suspicious } else { Quality::Accepted };
        let values = self.values.into_iter();
        values
            .map(|(target, value)| Observation {
                property: target.property.clone(),
                value,
                unit: target.unit.clone(),
                quality,
                observed_at,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::observation::Identity;
    use crate::domain::time::Span;

    #[test]
    fn topic_and_payload_are_told_apart() {
        assert_ne!(content_hash("ab", b"c"), content_hash("a", b"bc"));
        assert_eq!(content_hash("a", b"bc"), content_hash("a", b"bc"));
        assert!(matches!(moment::settle(None, None, Timestamp::MIN, Span::ZERO).identity, Identity::Redelivery));
    }
}
