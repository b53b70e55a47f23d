//! What a device told us, as it stands in a record: values, their identity and where they came in.
//!
//! Start with `Observed`; `Ingress` and `Value` are shared with the other wire types.

use super::reason::QualityCode;
use crate::domain::ids::{ContentHash, PropertyName};
use crate::domain::observation::{self, Finite};
use crate::domain::time::{Span, Timestamp};
use crate::domain::uplink;
use minicbor::{Decode, Encode};
use smol_str::SmolStr;
use std::collections::BTreeMap;

#[derive(Encode, Decode)]
pub struct Observed<'a> {
    #[b(0)]
    device: &'a str,
    #[b(1)]
    identity: Identity<'a>,
    #[b(2)]
    ingress: Ingress<'a>,
    #[n(3)]
    received_at: i64,
    #[n(4)]
    clock_ahead: Option<i64>,
    #[b(5)]
    observations: Vec<Observation<'a>>,
    #[b(6)]
    redacted: Vec<&'a str>,
    #[n(7)]
    exercise: bool,
}

#[derive(Encode, Decode)]
#[cbor(flat)]
enum Identity<'a> {
    #[n(0)]
    Network(#[b(0)] &'a str),
    #[n(1)]
    DeviceTime(#[n(0)] i64),
    #[n(2)]
    Redelivery,
}

#[derive(Encode, Decode)]
pub struct Ingress<'a> {
    #[b(0)]
    client: &'a str,
    #[n(1)]
    connection: u64,
    #[n(2)]
    packet: Option<u16>,
    #[n(3)]
    duplicate_flag: bool,
    #[cbor(n(4), with = "minicbor::bytes")]
    content: [u8; 16],
}

#[derive(Encode, Decode)]
struct Observation<'a> {
    #[b(0)]
    property: &'a str,
    #[b(1)]
    value: Value<'a>,
    #[b(2)]
    unit: &'a str,
    #[n(3)]
    quality: QualityCode,
    #[n(4)]
    observed_at: i64,
}

#[derive(Encode, Decode)]
#[cbor(flat)]
pub enum Value<'a> {
    #[n(0)]
    Number(#[cbor(n(0), with = "finite")] Finite),
    #[n(1)]
    Boolean(#[n(0)] bool),
    #[n(2)]
    Text(#[b(0)] &'a str),
}

/// One entry of a map from names to values; maps are written in the order of their names.
#[derive(Encode, Decode)]
pub struct Named<'a> {
    #[b(0)]
    name: &'a str,
    #[b(1)]
    value: Value<'a>,
}

/// A number in a record is finite, or the record is refused.
mod finite {
    use crate::domain::observation::Finite;
    use minicbor::decode::{Decoder, Error};
    use minicbor::encode::{self, Encoder, Write};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the derived code passes a reference")]
    pub fn encode<C, W: Write>(
        value: &Finite,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.f64(value.get())?.ok()
    }

    pub fn decode<C>(decoder: &mut Decoder<'_>, _: &mut C) -> Result<Finite, Error> {
        let at = decoder.position();
        Finite::new(decoder.f64()?).ok_or_else(|| Error::message("a number is not finite").at(at))
    }
}

pub fn named(values: &BTreeMap<SmolStr, observation::Value>) -> Vec<Named<'_>> {
    values.iter().map(|(name, value)| Named { name, value: value.into() }).collect()
}

pub fn by_name(values: Vec<Named<'_>>) -> BTreeMap<SmolStr, observation::Value> {
    values.into_iter().map(|named| (named.name.into(), named.value.into())).collect()
}

impl<'a> From<&'a observation::Observed> for Observed<'a> {
    fn from(observed: &'a observation::Observed) -> Self {
        Self {
            device: observed.device.as_str(),
            identity: (&observed.identity).into(),
            ingress: (&observed.ingress).into(),
            received_at: observed.received_at.as_micros(),
            clock_ahead: observed.clock_ahead.map(Span::as_micros),
            observations: observed.observations.iter().map(Into::into).collect(),
            redacted: observed.redacted.iter().map(PropertyName::as_str).collect(),
            exercise: observed.exercise,
        }
    }
}

impl From<Observed<'_>> for observation::Observed {
    fn from(wire: Observed<'_>) -> Self {
        Self {
            device: wire.device.into(),
            identity: wire.identity.into(),
            ingress: wire.ingress.into(),
            received_at: Timestamp::from_micros(wire.received_at),
            clock_ahead: wire.clock_ahead.map(Span::from_micros),
            observations: wire.observations.into_iter().map(Into::into).collect(),
            redacted: wire.redacted.into_iter().map(Into::into).collect(),
            exercise: wire.exercise,
        }
    }
}

impl<'a> From<&'a observation::Identity> for Identity<'a> {
    fn from(identity: &'a observation::Identity) -> Self {
        match identity {
            observation::Identity::Network(id) => Self::Network(id),
            observation::Identity::DeviceTime(at) => Self::DeviceTime(at.as_micros()),
            observation::Identity::Redelivery => Self::Redelivery,
        }
    }
}

impl From<Identity<'_>> for observation::Identity {
    fn from(wire: Identity<'_>) -> Self {
        match wire {
            Identity::Network(id) => Self::Network(id.into()),
            Identity::DeviceTime(at) => Self::DeviceTime(Timestamp::from_micros(at)),
            Identity::Redelivery => Self::Redelivery,
        }
    }
}

impl<'a> From<&'a uplink::Ingress> for Ingress<'a> {
    fn from(ingress: &'a uplink::Ingress) -> Self {
        Self {
            client: ingress.client.as_str(),
            connection: ingress.connection,
            packet: ingress.packet,
            duplicate_flag: ingress.duplicate_flag,
            content: ingress.content.0,
        }
    }
}

impl From<Ingress<'_>> for uplink::Ingress {
    fn from(wire: Ingress<'_>) -> Self {
        Self {
            client: wire.client.into(),
            connection: wire.connection,
            packet: wire.packet,
            duplicate_flag: wire.duplicate_flag,
            content: ContentHash(wire.content),
        }
    }
}

impl<'a> From<&'a observation::Observation> for Observation<'a> {
    fn from(observation: &'a observation::Observation) -> Self {
        Self {
            property: observation.property.as_str(),
            value: (&observation.value).into(),
            unit: &observation.unit,
            quality: observation.quality.into(),
            observed_at: observation.observed_at.as_micros(),
        }
    }
}

impl From<Observation<'_>> for observation::Observation {
    fn from(wire: Observation<'_>) -> Self {
        Self {
            property: wire.property.into(),
            value: wire.value.into(),
            unit: wire.unit.into(),
            quality: wire.quality.into(),
            observed_at: Timestamp::from_micros(wire.observed_at),
        }
    }
}

impl<'a> From<&'a observation::Value> for Value<'a> {
    fn from(value: &'a observation::Value) -> Self {
        match value {
            observation::Value::Number(number) => Self::Number(*number),
            observation::Value::Boolean(yes) => Self::Boolean(*yes),
            observation::Value::Text(text) => Self::Text(text),
        }
    }
}

impl From<Value<'_>> for observation::Value {
    fn from(wire: Value<'_>) -> Self {
        match wire {
            Value::Number(number) => Self::Number(number),
            Value::Boolean(yes) => Self::Boolean(yes),
            Value::Text(text) => Self::Text(text.into()),
        }
    }
}
