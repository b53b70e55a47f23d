//! How the endpoint meets the rest of the house: functions that `app` fills in.
//!
//! The endpoint knows neither vault, sequencer nor dispatch. Functions that return no future are called on the I/O
//! runtime and must not block. Start with [`Ports::accept`]: its wait is the back-pressure.

use super::acknowledge::Acknowledge;
use super::permission::TopicFilter;
use crate::domain::ids::{ClientId, ContentHash};
use crate::domain::time::Timestamp;
use crate::domain::uplink::{Ingress, Uplink};
use bytes::Bytes;
use smol_str::SmolStr;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the endpoint asks of the house.
#[derive(Clone)]
#[expect(clippy::type_complexity, reason = "a port is its signature: a name for it would hide what it is")]
pub struct Ports {
    /// Who is this, and what may it do? Called once per CONNECT, never for an anonymous one.
    pub login: Arc<dyn Fn(&Login) -> Result<Grant, Denied> + Send + Sync>,
    /// Takes a message over. The connection reads no further while this waits. The message is acknowledged to its
    /// sender after [`Acknowledge::release`], and never if the `Acknowledge` is dropped.
    pub accept: Arc<dyn Fn(Uplink, Acknowledge) -> BoxFuture<'static, ()> + Send + Sync>,
    /// Takes over a message that is refused, so that it ends as a row with a reason. Waits and is acknowledged like
    /// [`Ports::accept`]: a refusal too must be durable before its sender stops repeating it.
    pub refused: Arc<dyn Fn(RefusedMessage, Acknowledge) -> BoxFuture<'static, ()> + Send + Sync>,
    /// This client receives messages on this filter from here on: after SUBSCRIBE, and for each remembered filter when
    /// a session is resumed. Whatever is pending for it may be published (again: a key already held is not repeated).
    pub subscribed: Arc<dyn Fn(&ClientId, &str) + Send + Sync>,
    /// The client acknowledged the message published with this key.
    pub delivered: Arc<dyn Fn(&ClientId, DeliveryKey) + Send + Sync>,
    /// A client came or went.
    pub status: Arc<dyn Fn(ClientStatus) + Send + Sync>,
    pub now: Now,
    /// The identity of a message's content; the house has one definition, in `decode`.
    pub content_hash: fn(topic: &str, payload: &[u8]) -> ContentHash,
}

/// What a client says about itself in CONNECT and in its certificate. Never printed: it holds a secret.
pub struct Login {
    pub client_id: SmolStr,
    pub username: Option<SmolStr>,
    pub password: Option<Bytes>,
    /// Common name of the client certificate, which has been verified against `client_ca`.
    pub certificate_cn: Option<SmolStr>,
    pub peer: SocketAddr,
}

/// What a login may do. The session belongs to `client`, not to the MQTT client identifier that the client claims:
/// nobody can take over the session of another login.
#[derive(Clone, Debug)]
pub struct Grant {
    pub client: ClientId,
    /// Topics it may publish on.
    pub publish: Vec<TopicFilter>,
    /// Filters it may subscribe to, or to any part of.
    pub subscribe: Vec<TopicFilter>,
    /// Messages per second, where this login may send more or less than `Limits::messages_per_s_max`.
    pub messages_per_s_max: Option<u32>,
}

/// Why a login was refused. The client learns no more than the MQTT reason code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    WrongCredentials,
    NotPermitted,
    /// The answer cannot be given at the moment; the client may try again.
    Unavailable,
}

/// The caller's own name for a message it publishes; opaque here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryKey(pub u64);

/// A message that was not accepted, with what an integrator needs to see why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedMessage {
    pub topic: SmolStr,
    pub reason: RefusedReason,
    /// Who sent it. The content of an oversize message is that of its beginning, as much as is read of it.
    pub ingress: Ingress,
    pub received_at: Timestamp,
    /// Whole length of the payload in bytes.
    pub length: u64,
    /// The payload's first bytes, at most `Limits::head_bytes`.
    pub head: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedReason {
    Oversize,
    TopicNotPermitted,
    /// QoS 2 from a v5 client, which was told in CONNACK that it is not served.
    QualityOfService,
}

/// A client came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientStatus {
    Connected {
        client: ClientId,
        /// Whether an earlier session is continued.
        resumed: bool,
    },
    Gone {
        client: ClientId,
        why: Gone,
        /// What the client asked to be told on its behalf; only when it did not take its leave. It is not published:
        /// it means that the device is away. A will delay is not waited for.
        last_will: Option<LastWill>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It said goodbye.
    Disconnected,
    /// The connection broke, or it took no bytes for too long.
    Lost,
    /// Nothing was heard for 1.5 times its keep alive.
    Silent,
    /// The same login connected again.
    TakenOver,
    /// It broke the protocol or a limit.
    Misbehaved,
    /// [`Handle::expel`](super::Handle::expel) was called.
    Expelled,
    /// We closed: shutting down, or a message could not be made durable.
    Closed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastWill {
    pub topic: SmolStr,
    pub payload: Bytes,
}
