//! The MQTT channel: which topic, which bytes and which key a delivery has on the way to a crew.
//!
//! The same message goes out through our own endpoint and through an external broker; who carries it is not decided
//! here, and nothing is sent here.

use super::wire::TaskPost;
use crate::domain::decision::Delivery;
use crate::domain::ids::{CrewId, DeliveryId, JournalId, Seq};
use bytes::Bytes;

/// Bits of the key that hold the `n` of a delivery.
const N_BITS: u32 = u16::BITS;

/// One delivery, ready to be published with QoS 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    pub topic: String,
    pub payload: Bytes,
    /// Comes back with the answer of whoever took it.
    pub key: u64,
}

/// Why a delivery can never be sent by MQTT.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    #[error("crew {0:?} has no topic of its own: \"/\", \"+\" and \"#\" are not allowed in its id")]
    CrewId(CrewId),
    /// 2^48 events are 44 years at 200,000 a second.
    #[error("delivery {0} is beyond the last number that a key can hold")]
    Key(DeliveryId),
    #[error("the message cannot be written: {0}")]
    Message(String),
}

impl Post {
    /// # Errors
    /// [`Unsendable`]; trying again does not help.
    pub fn new(journal: JournalId, delivery: &Delivery) -> Result<Self, Unsendable> {
        let topic = tasks_topic(&delivery.crew).ok_or_else(|| Unsendable::CrewId(delivery.crew.clone()))?;
        let key = key(delivery.id).ok_or(Unsendable::Key(delivery.id))?;
        let payload = serde_json::to_vec(&TaskPost::new(journal, delivery))
            .map_err(|error| Unsendable::Message(error.to_string()))?;
        Ok(Self { topic, payload: Bytes::from(payload), key })
    }
}

/// Where a crew listens; none for an id that would reach into other crews' topics.
#[must_use]
pub fn tasks_topic(crew: &CrewId) -> Option<String> {
    let alone = !crew.as_str().is_empty() && !crew.as_str().contains(['/', '+', '#', '\0']);
    alone.then(|| format!("rettidig/v1/crew/{crew}/tasks"))
}

/// Packs a delivery's id into 64 bits, so that no table of open keys is needed.
#[must_use]
pub const fn key(id: DeliveryId) -> Option<u64> {
    if id.seq.0 >> (u64::BITS - N_BITS) == 0 { Some(id.seq.0 << N_BITS | id.n as u64) } else { None }
}

/// The delivery that [`key`] was made from.
#[must_use]
pub const fn delivery_of(key: u64) -> DeliveryId {
    DeliveryId { seq: Seq(key >> N_BITS), n: key as u16 }
}
