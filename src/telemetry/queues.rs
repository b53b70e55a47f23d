//! How full each bounded place is, and how much it holds: one pair of names, so that one alert rule watches them all.

use super::catalogue::QUEUES;

/// The bounded places of the house, in the order of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// Events waiting for the loop.
    Inbox,
    /// What dispatch has been told and has not looked at.
    DispatchInbox,
    /// Deliveries that dispatch keeps for crews.
    Deliveries,
    /// MQTT clients that are logged in.
    EndpointConnections,
    /// MQTT sessions, connected or not.
    EndpointSessions,
    /// Messages to one MQTT client: the fullest.
    EndpointOutgoing,
    /// Messages to one external broker: the fullest.
    BrokerOutgoing,
    /// Live streams to screens.
    LiveStreams,
}

impl Queue {
    #[expect(clippy::disallowed_macros, reason = "metric names live in telemetry")]
    pub fn length(self, length: usize) {
        metrics::gauge!("rettidig_queue_length", "queue" => QUEUES[self as usize]).set(length as f64);
    }

    #[expect(clippy::disallowed_macros, reason = "metric names live in telemetry")]
    pub fn capacity(self, capacity: usize) {
        metrics::gauge!("rettidig_queue_capacity", "queue" => QUEUES[self as usize]).set(capacity as f64);
    }
}
