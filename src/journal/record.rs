//! An event and its decision to bytes and back, with what was measured of a person sealed.
//!
//! Events that carry what a device sent (`Observed`, `Quarantined`) are sealed whole when the decision names a
//! person: not the values alone, because the content hash of a short payload would let anyone who can guess the
//! payload confirm it. Decisions hold no measured value and are never sealed.

use super::error::RecordError;
use super::seal::Sealing;
use super::wire::{self, Body, Record};
use crate::domain::decision::Decision;
use crate::domain::event::Event;
use crate::domain::ids::{PersonId, Seq};

/// Encodes behind what stands in `records`. `scratch` is a buffer to be used again.
pub(super) fn encode(
    sealing: &Sealing,
    event: &Event,
    decision: &Decision,
    scratch: &mut Vec<u8>,
    records: &mut Vec<u8>,
) -> Result<(), RecordError> {
    let sealed;
    let body = match subject_of_values(event, decision) {
        None => Body::Clear(event.into()),
        Some(person) => {
            scratch.clear();
            write(&wire::Event::from(event), scratch)?;
            sealed = (sealing.seal)(person, scratch)?;
            Body::Sealed(&sealed)
        }
    };
    write(&Record::new(body, decision), records)
}

/// The event and decision of a record; the event is [`Event::Erased`] when the key of its subject is erased.
pub(super) fn decode(sealing: &Sealing, seq: Seq, record: &[u8]) -> Result<(Event, Decision), RecordError> {
    let record = read(record)?;
    let event = match record.body {
        Body::Clear(event) => event.into(),
        Body::Sealed(sealed) => {
            let person = record.decision.subject.map(PersonId::from).ok_or(RecordError::NoSubject)?;
            match (sealing.open)(&person, sealed)? {
                Some(event) => minicbor::decode::<wire::Event<'_>>(&event)?.into(),
                None => Event::Erased { person },
            }
        }
    };
    Ok((event, record.decision.at(seq)))
}

/// Whether these bytes are a record of this format; what is sealed stays closed.
pub(super) fn check(record: &[u8]) -> Result<(), RecordError> {
    read(record).map(|_| ())
}

fn read(record: &[u8]) -> Result<Record<'_>, RecordError> {
    let version = wire::version(record)?;
    if version != wire::VERSION {
        return Err(RecordError::UnknownVersion { version, known: wire::VERSION });
    }
    Ok(minicbor::decode(record)?)
}

/// The person whose key seals this event, if it carries what a device sent about one.
fn subject_of_values<'a>(event: &Event, decision: &'a Decision) -> Option<&'a PersonId> {
    match event {
        Event::Observed(_) | Event::Quarantined(_) => decision.subject.as_ref(),
        Event::Replied(_)
        | Event::Receipt(_)
        | Event::Commanded(_)
        | Event::Registered(_)
        | Event::Configured(_)
        | Event::Due(_)
        | Event::Started
        | Event::Released { .. }
        | Event::Erased { .. }
        | Event::Expanded { .. } => None,
    }
}

fn write<T: minicbor::Encode<()>>(value: &T, into: &mut Vec<u8>) -> Result<(), RecordError> {
    minicbor::encode(value, into).map_err(|fault| RecordError::Unencodable(fault.to_string()))
}
