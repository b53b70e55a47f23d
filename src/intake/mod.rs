//! External MQTT brokers: messages in with manual acknowledgement after the sync, messages out with QoS 1.
//!
//! One task per broker connects, subscribes, hands every message to `Ports::accept` and acknowledges it only when
//! the sequencer has released it; the session is persistent, so what is not acknowledged comes again. What a message
//! means, and whether it was seen before, is decided elsewhere. A broker acknowledges the *sensor* from memory: only
//! our own endpoint makes a sensor's acknowledgement mean durable.
//!
//! Start with `connection`, the life of one connection; `inflow` lets pass by what is too long to be read.

mod acknowledge;
mod back_off;
pub mod broker_check;
mod client;
mod connection;
mod finding;
mod inflow;
pub mod mosquitto_config;
mod options;
mod publisher;
mod seen;
mod task;
mod tls;
mod wire;

pub use acknowledge::Acknowledge;
pub use back_off::BackOff;
pub use client::LinkError;
pub use finding::{Finding, Verdict};
pub use options::{Credentials, IntakeError, Limits, Options, TlsFiles};
pub use publisher::{Handle, PublishError};
pub use task::start;
pub use tls::examine_tls;

use crate::domain::ids::ContentHash;
use crate::domain::time::Timestamp;
use crate::domain::uplink::Uplink;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Completes when the message has a place in the sequencer's inbox. While it does not, nothing is read from the
/// broker. Dropping it is harmless: the message then comes again.
pub type Accepting = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What this room needs from the house; `app` fills it in.
#[derive(Clone)]
pub struct Ports {
    pub accept: Arc<dyn Fn(Uplink, Acknowledge) -> Accepting + Send + Sync>,
    /// Takes over a message that is longer than `packet_bytes_max`, so that it ends as a row with a reason. Waits and is
    /// acknowledged like [`Ports::accept`].
    pub refused: Arc<dyn Fn(Oversize, Acknowledge) -> Accepting + Send + Sync>,
    /// Called on every change of the connection, from the connection's task: it must not block.
    pub link: Arc<dyn Fn(Link) + Send + Sync>,
    /// The broker has taken over the message published with this key.
    pub handed_over: Arc<dyn Fn(u64) + Send + Sync>,
    /// How the house recognises a message that is handed in again.
    pub content_hash: fn(&str, &[u8]) -> ContentHash,
    /// Gives each connection its number: never the same twice, also not after a restart.
    pub connection_number: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Evenly distributed bits, for the jitter of reconnecting.
    pub random: Arc<dyn Fn() -> u64 + Send + Sync>,
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// A message that is too long to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oversize {
    /// Its payload is the first `head_bytes` only, and its content that of those.
    pub uplink: Uplink,
    /// Bytes of the whole payload.
    pub length: u64,
}

/// What became of the connection to a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// Subscriptions are in force and messages can be published.
    Up {
        /// False when the broker has no memory of us: at the very first connection, or because it lost the session,
        /// and with it what was waiting there.
        session_present: bool,
        /// Filters the broker refused or granted with QoS 0 only: a matter for the operator.
        refused: Vec<String>,
    },
    Down {
        reason: String,
    },
    /// Stopped on request; every released acknowledgement has been written.
    Stopped,
}
