//! What the rest of the house may ask of a running endpoint. Cheap to clone; every call returns at once.

use super::acknowledge::Order;
use super::context::Context;
use super::ports::DeliveryKey;
use super::session::{Handed, PublishError};
use super::tls::TlsError;
use crate::domain::ids::ClientId;
use bytes::Bytes;
use std::sync::Arc;

#[derive(Clone)]
pub struct Handle {
    pub(super) context: Arc<Context>,
}

/// How full a bounded place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    pub length: usize,
    pub capacity: usize,
}

/// How much the endpoint carries, against its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    pub connections: Fill,
    pub sessions: Fill,
    /// Messages that wait for the client with most of them.
    pub outgoing_fullest: Fill,
}

impl Handle {
    /// For metering. It looks at every session, so ask a few times a minute, not per message.
    #[must_use]
    pub fn load(&self) -> Load {
        let limits = &self.context.limits;
        let free = self.context.connections.available_permits();
        let (sessions, sessions_max, fullest) = self.context.sessions.fullest();
        Load {
            connections: Fill { length: limits.connections_max.saturating_sub(free), capacity: limits.connections_max },
            sessions: Fill { length: sessions, capacity: sessions_max },
            outgoing_fullest: Fill { length: fullest, capacity: limits.outgoing_max },
        }
    }

    /// Hands a message to a connected client, QoS 1 unless the client asked for 0. Until it is acknowledged it is sent
    /// again on every reconnection of the session; the same `key` meanwhile is not taken twice.
    ///
    /// # Errors
    /// When the client is not there, does not want it or holds too many; the caller keeps the message and offers it
    /// again when `Ports::subscribed` is called.
    pub fn publish(
        &self,
        client: &ClientId,
        topic: &str,
        payload: Bytes,
        key: DeliveryKey,
    ) -> Result<Handed, PublishError> {
        let valid = !topic.is_empty()
            && u16::try_from(topic.len()).is_ok()
            && !topic.bytes().any(|byte| matches!(byte, 0 | b'+' | b'#'));
        if !valid {
            return Err(PublishError::InvalidTopic(topic.into()));
        }
        let session = self.context.sessions.get(client);
        let session = session.ok_or_else(|| PublishError::NotConnected(client.clone()))?;
        session.offer(topic, payload, key, self.context.limits.outgoing_max)
    }

    /// Takes a message back that is not wanted any more. Whether it could be: one that is on the wire cannot.
    #[must_use]
    pub fn withdraw(&self, client: &ClientId, key: DeliveryKey) -> bool {
        self.context.sessions.get(client).is_some_and(|session| session.withdraw(key))
    }

    /// Disconnects a client whose login was withdrawn. Whether it was connected.
    #[must_use]
    pub fn expel(&self, client: &ClientId) -> bool {
        let line = self.context.sessions.get(client).and_then(|session| session.line());
        line.inspect(|line| line.tell(Order::Expelled)).is_some()
    }

    /// Reads the TLS files again, for connections made from here on.
    ///
    /// # Errors
    /// When they cannot be used; then those in force stay in force.
    pub fn reload_tls(&self) -> Result<(), TlsError> {
        let Some(tls) = &self.context.tls else { return Ok(()) };
        tls.reload()?;
        self.context.meters.tls_reloaded();
        Ok(())
    }
}
