//! Rettidig's own MQTT 3.1.1 and 5 endpoint: sessions, permissions, limits, acknowledgement after the sync.
//!
//! A sensor's PUBACK leaves only after the house has called [`Acknowledge::release`], so that it means *durable*.
//! It serves QoS 0 and 1 in and out, and QoS 2 in from clients of 3.1.1, which cannot be told to do without. It is no
//! general broker: no retained messages, no shared subscriptions, no topic aliases, nothing published from one client
//! to another.
//!
//! One task per connection. Read `ports` for what the endpoint asks of the house, then `login`, `connection` and
//! `incoming` for the life of a connection, `acknowledge` and `session` for the two directions of acknowledgement.

mod acknowledge;
mod belfry;
mod certificate;
mod connection;
mod context;
mod express;
mod frames;
mod greeting;
mod handle;
mod incoming;
mod listener;
mod login;
mod options;
mod pace;
mod packets;
mod permission;
mod ports;
mod presence;
mod protocol;
mod session;
mod sessions;
mod start;
mod tls;

pub use acknowledge::Acknowledge;
pub use certificate::Validity;
pub use handle::{Fill, Handle, Load};
pub use options::{ClientCertificate, Limits, Options, TlsFiles};
pub use permission::{FilterError, TopicFilter};
pub use ports::{
    BoxFuture, ClientStatus, DeliveryKey, Denied, Gone, Grant, LastWill, Login, Now, Ports, RefusedMessage,
    RefusedReason,
};
pub use session::{Handed, PublishError};
pub use start::{Endpoint, EndpointError, Running};
pub use tls::{TlsError, examine_tls};

#[cfg(test)]
mod tests;
