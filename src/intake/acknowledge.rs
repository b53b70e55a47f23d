//! Acknowledgements on their way back to the broker: released in any order, sent in the order of arrival.
//!
//! MQTT asks for PUBACKs in the order the messages came (MQTT-4.6.0-2), so an acknowledgement waits for those before
//! it. The list belongs to one connection: when that is lost, what was not sent is void and the broker repeats it.
//! Nothing here does I/O; `Ledger` is the connection's end, `Acknowledge` the sequencer's.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The right to acknowledge one message.
///
/// Dropping it means *never on this connection*: the connection is then closed and made again, and the broker
/// repeats everything not acknowledged. During the final drain it simply stays with the broker.
#[derive(Debug)]
pub struct Acknowledge(Option<Place>);

#[derive(Debug)]
struct Place {
    ledger: Arc<Ledger>,
    number: u64,
}

impl Acknowledge {
    /// For a message that expects none (QoS 0).
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// The message is durable: its acknowledgement may leave. Cheap, never blocks, callable from any thread.
    ///
    /// False when the connection it came over is gone: the broker will repeat the message.
    pub fn release(mut self) -> bool {
        self.0.take().is_none_or(|place| place.ledger.release(place.number))
    }
}

impl Drop for Acknowledge {
    fn drop(&mut self) {
        if let Some(place) = self.0.take() {
            place.ledger.withhold();
        }
    }
}

/// The unacknowledged messages of one connection, oldest first. At most one per packet id, so at most 65,535.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    lines: Mutex<Lines>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Lines {
    /// Number of the oldest line.
    first: u64,
    waiting: VecDeque<Line>,
    /// How many `Acknowledge` are still out.
    held: usize,
    withheld: bool,
    closed: bool,
}

#[derive(Debug)]
struct Line {
    packet: u16,
    released: bool,
}

impl Ledger {
    /// A message with this packet id has arrived.
    pub(super) fn expect(self: &Arc<Self>, packet: u16) -> Acknowledge {
        let mut lines = self.lines();
        let number = lines.first + lines.waiting.len() as u64;
        lines.waiting.push_back(Line { packet, released: false });
        lines.held += 1;
        Acknowledge(Some(Place { ledger: Arc::clone(self), number }))
    }

    /// Moves every acknowledgement that may leave now to `packets`.
    pub(super) fn take_released(&self, packets: &mut Vec<u16>) {
        let mut lines = self.lines();
        while lines.waiting.front().is_some_and(|line| line.released) {
            lines.first += 1;
            packets.extend(lines.waiting.pop_front().map(|line| line.packet));
        }
    }

    /// Completes when an acknowledgement may leave, or one was withheld.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// How many messages wait for their acknowledgement.
    pub(super) fn unacknowledged(&self) -> usize {
        self.lines().waiting.len()
    }

    /// Nobody can release anything any more.
    pub(super) fn settled(&self) -> bool {
        self.lines().held == 0
    }

    /// An acknowledgement was dropped instead of released.
    pub(super) fn withheld(&self) -> bool {
        self.lines().withheld
    }

    /// The connection is gone: what is released from here on is void.
    pub(super) fn close(&self) {
        let mut lines = self.lines();
        lines.closed = true;
        lines.waiting = VecDeque::new();
    }

    fn release(&self, number: u64) -> bool {
        let mut lines = self.lines();
        lines.held -= 1;
        if lines.closed {
            return false;
        }
        let index = (number - lines.first) as usize;
        if let Some(line) = lines.waiting.get_mut(index) {
            line.released = true;
        }
        // Only the oldest one makes any sendable; the last one may be what a drain waits for.
        let wake = index == 0 || lines.held == 0;
        drop(lines);
        if wake {
            self.changed.notify_one();
        }
        true
    }

    fn withhold(&self) {
        let mut lines = self.lines();
        lines.held -= 1;
        lines.withheld = true;
        drop(lines);
        self.changed.notify_one();
    }

    /// No line is ever left half written, so a panic elsewhere while holding the lock does no harm here.
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn taken(ledger: &Ledger) -> Vec<u16> {
        let mut packets = Vec::new();
        ledger.take_released(&mut packets);
        packets
    }

    #[test]
    fn an_acknowledgement_waits_for_those_before_it() {
        let ledger = Arc::new(Ledger::default());
        let (first, second, third) = (ledger.expect(7), ledger.expect(8), ledger.expect(9));
        assert!(second.release());
        assert!(taken(&ledger).is_empty());
        assert!(first.release());
        assert_eq!(taken(&ledger), [7, 8]);
        assert!(third.release());
        assert_eq!(taken(&ledger), [9]);
        assert!(ledger.settled());
        assert!(!ledger.withheld());
    }

    #[test]
    fn a_dropped_one_is_noticed_and_holds_back_what_follows() {
        let ledger = Arc::new(Ledger::default());
        let (first, second) = (ledger.expect(1), ledger.expect(2));
        drop(first);
        assert!(second.release());
        assert!(ledger.withheld());
        assert!(ledger.settled());
        assert!(taken(&ledger).is_empty());
    }

    #[test]
    fn after_the_connection_is_gone_nothing_leaves() {
        let ledger = Arc::new(Ledger::default());
        let (released, waiting) = (ledger.expect(1), ledger.expect(2));
        assert!(released.release());
        ledger.close();
        assert!(!waiting.release());
        assert!(taken(&ledger).is_empty());
        assert!(Acknowledge::none().release());
    }

    proptest! {
        #[test]
        fn whatever_the_order_of_release_the_order_of_arrival_is_kept(order in Just((0u16..40).collect::<Vec<_>>()).prop_shuffle()) {
            let ledger = Arc::new(Ledger::default());
            let mut held: Vec<_> = (0..40).map(|packet| Some(ledger.expect(packet))).collect();
            let mut sent = Vec::new();
            for index in order {
                prop_assert!(held[usize::from(index)].take().is_some_and(Acknowledge::release));
                ledger.take_released(&mut sent);
            }
            prop_assert_eq!(sent, (0..40).collect::<Vec<_>>());
            prop_assert_eq!(ledger.unacknowledged(), 0);
        }
    }
}
