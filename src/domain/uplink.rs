//! Bytes as they arrived, before anyone has read them.

use super::ids::{ClientId, ContentHash};
use super::time::Timestamp;
use bytes::Bytes;
use smol_str::SmolStr;

/// One message from outside: from our own endpoint or from an external broker, with the same meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uplink {
    pub topic: SmolStr,
    pub payload: Bytes,
    pub ingress: Ingress,
    pub received_at: Timestamp,
}

/// Who handed a message to us, and how to recognise it should it be handed to us again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingress {
    /// The login it came through; for an external broker, the broker's name in the configuration.
    pub client: ClientId,
    /// The connection it came over, a number never used twice, also not after a restart: a client that repeats
    /// itself without DUP does so over another connection.
    pub connection: u64,
    /// MQTT packet id; none for QoS 0, which is promised nothing.
    pub packet: Option<u16>,
    /// The sender says this is a redelivery (MQTT DUP).
    pub duplicate_flag: bool,
    pub content: ContentHash,
}
