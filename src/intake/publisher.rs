//! Messages out to the broker: a bounded queue in front of the connection, and those the broker has not taken over.
//!
//! Nothing is kept over a lost connection. Whoever published decides again, because only there is it known what has
//! expired meanwhile; the key in the message makes a repeat harmless.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// Publishes on one broker's connection; clones share it.
#[derive(Clone)]
pub struct Handle {
    queue: mpsc::Sender<Outbound>,
    open: Arc<OpenConnection>,
    packet_bytes_max: usize,
}

/// The number of the open connection, 0 while there is none. It counts up with each, so that what was queued for one
/// never leaves over the next.
#[derive(Debug, Default)]
pub(super) struct OpenConnection(AtomicU64);

#[derive(Debug)]
pub(super) struct Outbound {
    connection: u64,
    pub topic: String,
    pub payload: Bytes,
    pub key: u64,
}

/// Why a message could not be published.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PublishError {
    #[error("the broker is not connected")]
    NotConnected,
    #[error("the queue to the broker is full")]
    QueueFull,
    #[error("{0:?} is no topic to publish on")]
    InvalidTopic(String),
    #[error("the message of {bytes} bytes is larger than packet_bytes_max")]
    TooLarge { bytes: usize },
}

impl PublishError {
    #[must_use]
    pub const fn retryable(&self) -> bool {
        match self {
            Self::NotConnected | Self::QueueFull => true,
            Self::InvalidTopic(_) | Self::TooLarge { .. } => false,
        }
    }
}

impl Handle {
    pub(super) fn new(
        queue_max: usize,
        packet_bytes_max: usize,
    ) -> (Self, mpsc::Receiver<Outbound>, Arc<OpenConnection>) {
        let (queue, receiver) = mpsc::channel(queue_max);
        let open = Arc::new(OpenConnection::default());
        (Self { queue, open: Arc::clone(&open), packet_bytes_max }, receiver, open)
    }

    /// Publishes with QoS 1. When the broker has taken it over, `Ports::handed_over` is called with `key`; if the
    /// connection is lost before, it never is, and the message is to be published again after `Link::Up`.
    ///
    /// # Errors
    /// [`PublishError`]; nothing has been queued then.
    pub fn publish(&self, topic: &str, payload: Bytes, key: u64) -> Result<(), PublishError> {
        if topic.is_empty() || topic.contains(['+', '#', '\0']) || topic.len() > usize::from(u16::MAX) {
            return Err(PublishError::InvalidTopic(topic.to_owned()));
        }
        // Fixed header, two lengths and the packet id together are below 16 bytes.
        let bytes = topic.len() + payload.len() + 16;
        if bytes > self.packet_bytes_max {
            return Err(PublishError::TooLarge { bytes });
        }
        let connection = self.open.current().ok_or(PublishError::NotConnected)?;
        let outbound = Outbound { connection, topic: topic.to_owned(), payload, key };
        self.queue.try_send(outbound).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => PublishError::QueueFull,
            mpsc::error::TrySendError::Closed(_) => PublishError::NotConnected,
        })
    }

    #[must_use]
    pub fn connected(&self) -> bool {
        self.open.current().is_some()
    }

    /// Messages waiting for the connection, and how many may.
    #[must_use]
    pub fn queue(&self) -> (usize, usize) {
        let capacity = self.queue.max_capacity();
        (capacity - self.queue.capacity(), capacity)
    }
}

impl OpenConnection {
    pub(super) fn set(&self, connection: Option<u64>) {
        self.0.store(connection.unwrap_or(0), Ordering::Release);
    }

    fn current(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Acquire)).filter(|connection| *connection != 0)
    }
}

impl Outbound {
    pub(super) const fn meant_for(&self, connection: u64) -> bool {
        self.connection == connection
    }
}

/// Messages published and not yet taken over: packet id → key. At most `max`.
#[derive(Debug)]
pub(super) struct Window {
    keys: BTreeMap<u16, u64>,
    last: u16,
    max: u16,
}

impl Window {
    pub(super) fn new(max: u16) -> Self {
        Self { keys: BTreeMap::new(), last: 0, max }
    }

    pub(super) fn free(&self) -> usize {
        usize::from(self.max) - self.keys.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Takes a packet id for `key`; none when the window is full.
    pub(super) fn open(&mut self, key: u64) -> Option<u16> {
        if self.free() == 0 {
            return None;
        }
        // A free id exists among 1..=max, and a broker that answers in order makes the next one the free one.
        let packet = loop {
            self.last = if self.last >= self.max { 1 } else { self.last + 1 };
            if !self.keys.contains_key(&self.last) {
                break self.last;
            }
        };
        self.keys.insert(packet, key);
        Some(packet)
    }

    /// The broker answered; none when nobody asked.
    pub(super) fn close(&mut self, packet: u16) -> Option<u64> {
        self.keys.remove(&packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_is_taken_only_while_connected_and_while_there_is_room() {
        let (handle, mut queue, open) = Handle::new(1, 64);
        let payload = Bytes::from_static(b"{}");
        assert_eq!(handle.publish("a", payload.clone(), 1), Err(PublishError::NotConnected));
        open.set(Some(3));
        assert_eq!(handle.publish("a", payload.clone(), 1), Ok(()));
        assert_eq!(handle.publish("a", payload.clone(), 2), Err(PublishError::QueueFull));
        assert!(queue.try_recv().is_ok_and(|outbound| outbound.meant_for(3) && !outbound.meant_for(4)));
        drop(queue);
        assert_eq!(handle.publish("a", payload, 3), Err(PublishError::NotConnected));
    }

    #[test]
    fn what_can_never_be_published_is_refused_for_good() {
        let (handle, _queue, open) = Handle::new(1, 64);
        open.set(Some(1));
        for topic in ["", "a/+/b", "#"] {
            assert!(handle.publish(topic, Bytes::new(), 1).is_err_and(|error| !error.retryable()), "{topic:?}");
        }
        let large = Bytes::from(vec![0; 64]);
        assert_eq!(handle.publish("a", large, 1), Err(PublishError::TooLarge { bytes: 81 }));
    }

    proptest! {
        #[test]
        fn packet_ids_are_never_used_twice_at_a_time(max in 1u16..20, steps in prop::collection::vec(any::<Option<u16>>(), 0..200)) {
            let mut window = Window::new(max);
            let mut model = BTreeMap::new();
            for (key, step) in (0u64..).zip(steps) {
                match step {
                    None => {
                        let opened = window.open(key);
                        prop_assert_eq!(opened.is_some(), model.len() < usize::from(max));
                        if let Some(packet) = opened {
                            prop_assert!((1..=max).contains(&packet));
                            prop_assert_eq!(model.insert(packet, key), None);
                        }
                    }
                    Some(answer) => {
                        let packet = answer % (max + 2);
                        prop_assert_eq!(window.close(packet), model.remove(&packet));
                    }
                }
                prop_assert_eq!(window.free(), usize::from(max) - model.len());
            }
        }
    }
}
