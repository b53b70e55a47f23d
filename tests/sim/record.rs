//! What the test knows about an event that the gateway does not: where it truly came from.

use rettidig::domain::decision::Decision;
use rettidig::domain::event::Event;
use rettidig::domain::time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// One thing that really happened, however often it is told.
#[derive(Debug)]
pub struct Sent {
    /// Its number among all that really happened.
    pub truth: u64,
    pub what: What,
    pub observed_at: Timestamp,
    /// It aborts the engine.
    pub poison: bool,
    pub aborts: AtomicU32,
    pub exercise: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum What {
    Value { asset: &'static str, property: &'static str, value: f64, identity: Named },
    Reply { crew: &'static str, task: u64, answer: rettidig::domain::event::Answer },
    Garbage,
}

/// How a message can be told from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    ByNetwork,
    ByTime,
    Not,
}

impl Sent {
    /// Whether the engine aborts on it; the third time it is set aside.
    pub fn aborted(&self) -> bool {
        self.aborts.fetch_add(1, Ordering::Relaxed) < 2
    }
}

/// Where an event came from.
#[derive(Clone, Debug)]
pub enum Origin {
    Message(Arc<Sent>),
    /// A change, with the number of the request.
    Operator(u64),
    /// The gateway itself: deadlines, receipts, notes, the start.
    House,
}

#[derive(Clone, Debug)]
pub struct Record {
    pub at: Timestamp,
    pub event: Event,
    pub decision: Decision,
    pub origin: Origin,
}

/// Decided, not yet told.
pub struct Held {
    pub record: Record,
}
