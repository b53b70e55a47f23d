//! Acknowledgement after the sync: a message is owed its PUBACK until another thread releases it.
//!
//! [`Acknowledge`] goes with the message; [`Owed`] stays with the connection and gives PUBACKs back in the order in
//! which the messages came, whatever the order of release; [`Line`] is what the two share: one bit per message and a
//! bell. Releasing waits for no lock; a batch wakes its connections by one call, or sends their PUBACKs itself when they
//! are few and free (see `express`). Nothing here knows MQTT's bytes.

use super::belfry::{self, Belfry};
use super::express::Express;
use crate::telemetry::endpoint::Meters;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// As many connections as one release answers by itself: more are answered sooner by many threads.
const ANSWERED_AT_ONCE: usize = 16;

/// The right to acknowledge one message. Dropping it without [`release`](Self::release) means *never*: the connection
/// is then closed, so that the client sends again what it has no PUBACK for.
#[derive(Debug)]
pub struct Acknowledge {
    line: Option<Arc<Line>>,
    slot: u32,
}

/// What a connection is told from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Serve,
    /// The same login has connected again.
    TakenOver,
    Expelled,
}

/// Shared by a connection and those who hold its acknowledgements.
pub(super) struct Line {
    released: Box<[AtomicU64]>,
    abandoned: AtomicBool,
    closed: AtomicBool,
    order: AtomicU8,
    bell: Notify,
    /// Where it is rung together with others.
    belfry: Option<Arc<Belfry>>,
    /// Where PUBACKs may leave without waking the connection.
    express: Option<Express>,
}

/// A connection's unacknowledged messages, oldest first.
#[derive(Debug)]
pub(super) struct Owed<T> {
    line: Arc<Line>,
    waiting: VecDeque<T>,
    /// Slot of the oldest.
    first: u32,
    slots: u32,
}

impl Acknowledge {
    /// For a message that expects no acknowledgement (QoS 0).
    #[must_use]
    pub const fn none() -> Self {
        Self { line: None, slot: 0 }
    }

    /// Whether a PUBACK can still leave. When it cannot, the connection is gone and the client will send the message
    /// again. Always true for a message that expects none.
    #[must_use]
    pub fn deliverable(&self) -> bool {
        self.line.as_ref().is_none_or(|line| !line.closed.load(Ordering::Acquire))
    }

    /// The message is durable: its PUBACK may leave. From any thread; never blocks.
    pub fn release(mut self) {
        if let Some(line) = self.line.take() {
            line.mark(self.slot);
            if !line.send() {
                line.ring();
            }
        }
    }

    /// Releases a whole batch and empties `batch`. Every bit is set before the first bell rings, so that all PUBACKs of
    /// one connection leave in one write.
    pub fn release_all(batch: &mut Vec<Self>) {
        for acknowledge in batch.iter() {
            if let Some(line) = &acknowledge.line {
                line.mark(acknowledge.slot);
            }
        }
        let mut lines: Vec<Arc<Line>> = Vec::new();
        for mut acknowledge in batch.drain(..) {
            let Some(line) = acknowledge.line.take() else { continue };
            if !lines.last().is_some_and(|last| Arc::ptr_eq(last, &line)) {
                lines.push(line);
            }
        }
        if lines.len() <= ANSWERED_AT_ONCE {
            lines.retain(|line| !line.send());
        }
        let belfry = lines.first().filter(|_| lines.len() > 1).and_then(|line| line.belfry.clone());
        match belfry {
            Some(belfry) => belfry.call(lines),
            None => belfry::ring(&lines),
        }
    }
}

impl Drop for Acknowledge {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            line.abandoned.store(true, Ordering::Release);
            line.ring();
        }
    }
}

impl Line {
    /// `messages_max` is the number of messages that can be unacknowledged at once.
    pub fn new(messages_max: u16) -> Self {
        let words = usize::from(messages_max.max(1)).div_ceil(64);
        Self {
            released: (0..words).map(|_| AtomicU64::new(0)).collect(),
            abandoned: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            order: AtomicU8::new(Order::Serve as u8),
            bell: Notify::new(),
            belfry: None,
            express: None,
        }
    }

    /// PUBACKs may leave by this plain socket without waking the connection.
    pub fn by(self, socket: Arc<TcpStream>, meters: &Meters) -> Self {
        let express = Express::new(socket, self.slots(), meters);
        Self { express: Some(express), ..self }
    }

    pub const fn express(&self) -> Option<&Express> {
        self.express.as_ref()
    }

    /// Sends what has been released; false when the connection must be woken for it.
    fn send(&self) -> bool {
        self.express.as_ref().is_some_and(|express| express.send(|slot| self.is_released(slot)))
    }

    const fn slots(&self) -> u32 {
        self.released.len() as u32 * 64
    }

    /// Rung by `belfry` when it is one of many.
    pub fn within(self, belfry: &Arc<Belfry>) -> Self {
        Self { belfry: Some(Arc::clone(belfry)), ..self }
    }

    /// Wakes the connection; many rings before it wakes are one.
    pub fn ring(&self) {
        self.bell.notify_one();
    }

    /// Waits for a ring; one that came while nobody waited counts.
    pub async fn rung(&self) {
        self.bell.notified().await;
    }

    pub fn tell(&self, order: Order) {
        self.order.store(order as u8, Ordering::Release);
        self.ring();
    }

    pub fn order(&self) -> Order {
        match self.order.load(Ordering::Acquire) {
            told if told == Order::TakenOver as u8 => Order::TakenOver,
            told if told == Order::Expelled as u8 => Order::Expelled,
            _ => Order::Serve,
        }
    }

    /// Whether a message will never be acknowledged.
    pub fn abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }

    fn is_released(&self, slot: u32) -> bool {
        self.released[slot as usize / 64].load(Ordering::Acquire) & (1 << (slot % 64)) != 0
    }

    fn mark(&self, slot: u32) {
        self.released[slot as usize / 64].fetch_or(1 << (slot % 64), Ordering::Release);
    }

    /// Whether this slot was released; if so it is free again.
    fn collect(&self, slot: u32) -> bool {
        let word = &self.released[slot as usize / 64];
        let bit = 1 << (slot % 64);
        let released = word.load(Ordering::Acquire) & bit != 0;
        if released {
            word.fetch_and(!bit, Ordering::Relaxed);
        }
        released
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Line").field("order", &self.order()).finish_non_exhaustive()
    }
}

impl<T> Owed<T> {
    pub fn new(line: Arc<Line>) -> Self {
        let slots = line.slots();
        Self { line, waiting: VecDeque::new(), first: 0, slots }
    }

    /// Takes a message in. The caller keeps below the number given to [`Line::new`].
    pub fn push(&mut self, message: T) -> Acknowledge {
        assert!(self.waiting.len() < self.slots as usize, "more unacknowledged messages than slots");
        let slot = (self.first + self.waiting.len() as u32) % self.slots;
        self.waiting.push_back(message);
        Acknowledge { line: Some(Arc::clone(&self.line)), slot }
    }

    /// The oldest message, if it has been released.
    pub fn next_released(&mut self) -> Option<T> {
        if self.waiting.is_empty() || !self.line.collect(self.first) {
            return None;
        }
        self.first = (self.first + 1) % self.slots;
        self.waiting.pop_front()
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }
}

impl<T> Drop for Owed<T> {
    fn drop(&mut self) {
        self.line.closed.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drain(owed: &mut Owed<u32>) -> Vec<u32> {
        std::iter::from_fn(|| owed.next_released()).collect()
    }

    #[test]
    fn nothing_leaves_before_the_oldest_is_released() {
        let mut owed = Owed::new(Arc::new(Line::new(8)));
        let [first, second, third] = [owed.push(1), owed.push(2), owed.push(3)];
        third.release();
        second.release();
        assert_eq!(drain(&mut owed), Vec::<u32>::new());
        first.release();
        assert_eq!(drain(&mut owed), vec![1, 2, 3]);
        assert!(!owed.line.abandoned());
    }

    #[test]
    fn a_dropped_acknowledgement_stops_the_line() {
        let mut owed = Owed::new(Arc::new(Line::new(8)));
        let [first, second, third] = [owed.push(1), owed.push(2), owed.push(3)];
        first.release();
        drop(second);
        third.release();
        assert_eq!(drain(&mut owed), vec![1]);
        assert!(owed.line.abandoned());
    }

    #[test]
    fn a_message_without_acknowledgement_disturbs_nobody() {
        let mut owed = Owed::new(Arc::new(Line::new(1)));
        let mut batch = vec![Acknowledge::none(), owed.push(1), Acknowledge::none()];
        Acknowledge::release_all(&mut batch);
        drop(Acknowledge::none());
        assert!(batch.is_empty());
        assert_eq!(drain(&mut owed), vec![1]);
        assert!(!owed.line.abandoned());
    }

    #[test]
    fn whoever_holds_an_acknowledgement_can_see_that_the_connection_is_gone() {
        let mut owed = Owed::new(Arc::new(Line::new(8)));
        let [first, second] = [owed.push(1), owed.push(2)];
        assert!(first.deliverable() && Acknowledge::none().deliverable());
        drop(owed);
        assert!(!first.deliverable());
        first.release();
        drop(second);
    }

    #[tokio::test]
    async fn a_batch_rings_once() {
        let line = Arc::new(Line::new(100));
        let mut owed = Owed::new(Arc::clone(&line));
        let mut batch: Vec<_> = (0..100).map(|n| owed.push(n)).collect();
        Acknowledge::release_all(&mut batch);
        line.rung().await;
        assert_eq!(drain(&mut owed).len(), 100);
        let again = tokio::time::timeout(std::time::Duration::ZERO, line.rung()).await;
        assert!(again.is_err(), "a second ring was left");
    }

    proptest! {
        #[test]
        fn messages_come_back_in_order_whatever_the_order_of_release(
            slots in 1_u16..200,
            steps in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 1..600),
        ) {
            let mut owed = Owed::new(Arc::new(Line::new(slots)));
            let (mut held, mut next, mut back) = (Vec::new(), 0_u32, Vec::new());
            for (take_in, pick) in steps {
                if take_in && owed.len() < usize::from(slots) {
                    held.push(owed.push(next));
                    next += 1;
                } else if !held.is_empty() {
                    held.swap_remove(pick.index(held.len())).release();
                }
                back.extend(drain(&mut owed));
            }
            Acknowledge::release_all(&mut held);
            back.extend(drain(&mut owed));
            prop_assert_eq!(back, (0..next).collect::<Vec<_>>());
        }
    }
}
