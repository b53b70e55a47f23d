//! The seam between simulated time and the network: batches out, crew messages in.
//!
//! Two implementations: `wire` speaks MQTT through rumqttc; the tests of `lockstep` have one without a network.

use super::fault::TwinError;
use super::formats::Message;
use crate::domain::ids::{ClientId, CrewId};
use bytes::Bytes;

/// A message on a crew's phone, acknowledged to the gateway when it is here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Heard {
    pub crew: CrewId,
    pub payload: Bytes,
}

pub(crate) trait Transport: Send {
    /// Sends the batch in order over one connection, pipelined, and returns when the gateway has acknowledged all of
    /// it: whatever is sent afterwards over another connection is decided afterwards.
    fn send(&mut self, line: &ClientId, batch: Vec<Message>) -> impl Future<Output = Result<(), TwinError>> + Send;

    /// Brings a crew's phone onto the network, with the session it had before.
    fn connect_crew(&mut self, crew: &CrewId) -> impl Future<Output = Result<(), TwinError>> + Send;

    /// The phone is gone without a word, as in a tunnel.
    fn lose_crew(&mut self, crew: &CrewId);

    /// What the phones have received since the last call.
    ///
    /// # Errors
    /// When a phone that should be connected is not.
    fn heard(&mut self) -> Result<Vec<Heard>, TwinError>;
}
