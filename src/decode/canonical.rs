//! `rettidig/v1/up/{device}`: our own format.
//!
//! A JSON object of property and value, beside them, if the device can: `observed_at` (RFC 3339 or milliseconds),
//! `id` (the message's own name) and `exercise` (a drill). For a sensor type with a binary mapping the payload is
//! the bytes themselves, without name and time.

use super::directory::Directory;
use super::json::{self, Fields, Json};
use super::mapping::Source;
use super::moment;
use super::read::{Body, Message, observe};
use super::rejection::Rejection;
use crate::domain::event::Event;
use crate::domain::uplink::Uplink;
use smol_str::{SmolStr, format_smolstr};

/// Fields that mean the message, not a property. A sensor type may not use them as property names.
pub(super) const RESERVED: [&str; 3] = [ID, OBSERVED_AT, EXERCISE];
const ID: &str = "id";
const OBSERVED_AT: &str = "observed_at";
const EXERCISE: &str = "exercise";

const ID_BYTES_MAX: usize = 128;

pub(super) fn address(topic: &str) -> Option<&str> {
    topic.strip_prefix("rettidig/v1/up/").filter(|device| !device.is_empty() && !device.contains('/'))
}

pub(super) fn read(directory: &Directory, uplink: &Uplink, address: &str) -> Result<Event, Rejection> {
    let device = directory.device(address)?;
    let mut message = Message::from_device(device);
    match device.spec.source {
        Source::Binary(_) => message.body = Body::Bytes { port: None, bytes: uplink.payload.as_ref().into() },
        Source::Json(_) => {
            let parse =
                || Fields::parse("the payload", json::utf8(&uplink.payload)?, directory.limits.observations_max);
            let fields = parse().map_err(|rejection| rejection.by(&device.id))?;
            about_itself(&fields, &mut message).map_err(|rejection| rejection.by(&device.id))?;
            message.body = Body::Fields(fields);
        }
    }
    observe(directory, uplink, message)
}

/// Reads what the message says about itself.
fn about_itself(fields: &Fields<'_>, message: &mut Message<'_>) -> Result<(), Rejection> {
    message.id = message_id(ID, fields.get(ID).map(Json::read))?;
    message.device_time = device_time(OBSERVED_AT, fields.get(OBSERVED_AT).map(Json::read))?;
    message.exercise = match fields.get(EXERCISE).map(Json::read) {
        None | Some(Json::Null) => false,
        Some(Json::Boolean(exercise)) => exercise,
        Some(Json::Number(_) | Json::Text(_) | Json::Array | Json::Object(_)) => {
            return Err(Rejection::wrong_type("\"exercise\" is not true or false"));
        }
    };
    Ok(())
}

/// A message's own name: a text or a whole number.
pub(super) fn message_id(field: &str, value: Option<Json<'_>>) -> Result<Option<SmolStr>, Rejection> {
    match value {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Text(id)) if !id.is_empty() && id.len() <= ID_BYTES_MAX => Ok(Some(SmolStr::new(id))),
        Some(Json::Number(id)) if id.is_finite() => Ok(Some(format_smolstr!("{id}"))),
        Some(Json::Boolean(_) | Json::Number(_) | Json::Text(_) | Json::Array | Json::Object(_)) => {
            let detail = format_smolstr!("\"{field}\" is not a text of 1 to {ID_BYTES_MAX} bytes or a number");
            Err(Rejection::wrong_type(detail))
        }
    }
}

/// The device's own time.
pub(super) fn device_time(
    field: &str,
    value: Option<Json<'_>>,
) -> Result<Option<crate::domain::time::Timestamp>, Rejection> {
    match value {
        None | Some(Json::Null) => Ok(None),
        Some(value) => moment::read(&value).map(Some).ok_or_else(|| {
            let expected = "RFC 3339 such as \"2026-03-01T12:00:00Z\" or milliseconds since 1970";
            Rejection::wrong_type(format_smolstr!("\"{field}\" is not {expected}"))
        }),
    }
}
