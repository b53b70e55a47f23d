//! What waits for the sequencer: one bounded queue for everything that happens.
//!
//! When it is full, whoever submits waits: an endpoint then stops reading its sockets, and nothing is dropped.

use super::clock::Clock;
use super::pace::Pace;
use crate::domain::event::{Deadline, Event};
use crate::domain::ids::Seq;
use crate::domain::reason::Verdict;
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use crate::telemetry::Stopwatch;
use crate::telemetry::trace::Trace;
use crate::{endpoint, intake};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long an acknowledgement may have left without a record of it. Only within this time before a crash can a
/// second press over another connection be taken for a repetition.
const NOTE_WITHIN: Duration = Duration::from_millis(50);

/// How far ahead the sequencer sleeps at most: the system's clock may be set meanwhile.
const SLEEP_AT_MOST: Duration = Duration::from_secs(1);

#[expect(clippy::large_enum_variant, reason = "nearly every item is a submission; a box would cost an allocation each")]
pub enum Item {
    Submission(Submission),
    /// Something may be due.
    Wake,
    /// Moves scaled time, through every deadline on the way.
    Advance {
        to: Timestamp,
        done: oneshot::Sender<()>,
    },
    /// Looks at the engine between two events.
    Ask(Question),
    /// The last item: everything before it is decided and released, then the loop ends.
    Stop,
}

pub type Question = Box<dyn FnOnce(&Engine) + Send>;

/// An event on its way to a decision, and what is owed to whoever brought it.
pub struct Submission {
    pub event: Event,
    pub then: Then,
    /// Since it was handed in.
    pub received: Option<Stopwatch>,
    pub trace: Trace,
}

/// What happens once the decision is durable.
#[derive(Debug)]
pub enum Then {
    Nothing,
    Endpoint(endpoint::Acknowledge),
    Intake(intake::Acknowledge),
    Answer(oneshot::Sender<Answer>),
}

/// What a command is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub seq: Seq,
    pub verdict: Verdict,
}

/// The sequencer's end of the queue.
pub struct Inbox {
    receiver: mpsc::Receiver<Item>,
    runtime: tokio::runtime::Runtime,
    batch_max: usize,
    pace: Pace,
}

impl Submission {
    /// An event that nobody waits for.
    #[must_use]
    pub const fn of(event: Event) -> Self {
        Self { event, then: Then::Nothing, received: None, trace: Trace::NONE }
    }
}

impl Inbox {
    /// # Errors
    /// When the system cannot give a timer.
    pub fn new(receiver: mpsc::Receiver<Item>, batch_max: usize) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        Ok(Self { receiver, runtime, batch_max, pace: Pace::new() })
    }

    /// Puts everything that waits, up to a batch, into `batch`; or one `Wake` when `deadline` comes first, or when a
    /// note is owed and nothing else happens. False when everybody who could submit is gone.
    pub fn next_batch(
        &mut self,
        clock: &Clock,
        deadline: Option<Deadline>,
        owes_note: bool,
        batch: &mut Vec<Item>,
    ) -> bool {
        let patience = patience(clock, deadline, owes_note);
        let receive = self.receiver.recv_many(batch, self.batch_max);
        let received = match patience {
            Some(patience) => self.runtime.block_on(async { tokio::time::timeout(patience, receive).await.ok() }),
            None => Some(self.runtime.block_on(receive)),
        };
        match received {
            None => batch.push(Item::Wake),
            Some(_) => self.gather(batch),
        }
        self.pace.came(batch.len());
        received != Some(0)
    }

    /// Adds what comes while it is worth waiting for more.
    fn gather(&mut self, batch: &mut Vec<Item>) {
        let Self { receiver, batch_max, pace, .. } = self;
        pace.gather(|| {
            let before = batch.len();
            while batch.len() < *batch_max
                && let Ok(item) = receiver.try_recv()
            {
                batch.push(item);
            }
            batch.len() > before
        });
    }
}

/// How long to wait for company. Scaled time does not pass by waiting.
fn patience(clock: &Clock, deadline: Option<Deadline>, owes_note: bool) -> Option<Duration> {
    if clock.is_scaled() {
        return None;
    }
    let until_deadline = deadline.map(|deadline| {
        let micros = deadline.at.since(clock.now()).as_micros().max(0);
        Duration::from_micros(micros.unsigned_abs()).min(SLEEP_AT_MOST)
    });
    if owes_note { Some(until_deadline.unwrap_or(NOTE_WITHIN).min(NOTE_WITHIN)) } else { until_deadline }
}
