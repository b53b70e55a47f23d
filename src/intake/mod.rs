//! External MQTT brokers: messages in with manual acknowledgement after the sync, messages out with QoS 1.
//!
//! One task per broker connects, subscribes, hands every message to `Ports::accept` and acknowledges it only when
//! the sequencer has released it; the session is persistent, so what is not acknowledged comes again. What a message
//! means, and whether it was seen before, is decided elsewhere. A broker acknowledges the *sensor* from memory: only
//! our own endpoint makes a sensor's acknowledgement mean durable.
//!
//! Start with `connection`, the life of one connection; `client` is the only file that names rumqttc.

mod acknowledge;
mod back_off;
pub mod broker_check;
mod client;
mod connection;
mod finding;
pub mod mosquitto_config;
mod options;
mod publisher;
mod task;
mod tls;

pub use acknowledge::Acknowledge;
pub use back_off::BackOff;
pub use client::LinkError;
pub use finding::{Finding, Verdict};
pub use options::{Credentials, IntakeError, Limits, OVERSIZE_BYTES_MAX, Options, TlsFiles};
pub use publisher::{Handle, PublishError};
pub use task::start;

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
