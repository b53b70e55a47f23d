//! How the rest of the house reaches the sequencer.

use super::inbox::{Answer, Item, Submission, Then};
use super::ledger::Ledger;
use crate::domain::event::Event;
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use crate::telemetry::stopwatch;
use crate::telemetry::trace::Trace;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Cheap to clone. The sequencer ends when the last one is gone.
#[derive(Clone)]
pub struct Handle {
    inbox: mpsc::Sender<Item>,
    ledger: Arc<Ledger>,
}

/// The gateway is stopping: nothing was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the gateway is stopping")]
pub struct Stopped;

impl Handle {
    #[must_use]
    pub(super) const fn new(inbox: mpsc::Sender<Item>, ledger: Arc<Ledger>) -> Self {
        Self { inbox, ledger }
    }

    /// Hands in what a message became; waits while the inbox is full.
    pub(super) async fn receive(&self, event: Event, then: Then, trace: Trace) {
        self.ledger.received();
        let submission = Submission { event, then, received: Some(stopwatch()), trace };
        if self.inbox.send(Item::Submission(submission)).await.is_err() {
            // Its acknowledgement went with it: the sender keeps the message.
            self.ledger.returned();
        }
    }

    /// Hands in an event that nobody waits for.
    pub async fn note(&self, event: Event) {
        // When the gateway is stopping, the fact is found again at the next start.
        drop(self.inbox.send(Item::Submission(Submission::of(event))).await);
    }

    /// Hands in an event and waits for its durable verdict.
    ///
    /// # Errors
    /// When the gateway stops before it is decided.
    pub async fn ask_for(&self, event: Event) -> Result<Answer, Stopped> {
        let (answer, answered) = oneshot::channel();
        let submission = Submission { event, then: Then::Answer(answer), received: None, trace: Trace::NONE };
        self.inbox.send(Item::Submission(submission)).await.map_err(|_| Stopped)?;
        answered.await.map_err(|_| Stopped)
    }

    /// Looks at the engine between two events.
    ///
    /// # Errors
    /// When the gateway is stopping.
    pub async fn look<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (answer, answered) = oneshot::channel();
        let ask = Item::Ask(Box::new(move |engine| drop(answer.send(question(engine)))));
        self.inbox.send(ask).await.map_err(|_| Stopped)?;
        answered.await.map_err(|_| Stopped)
    }

    /// Moves scaled time to `to`; returns when every deadline on the way is decided, durable and released.
    ///
    /// # Errors
    /// When the gateway is stopping.
    pub async fn advance(&self, to: Timestamp) -> Result<(), Stopped> {
        let (done, is_done) = oneshot::channel();
        self.inbox.send(Item::Advance { to, done }).await.map_err(|_| Stopped)?;
        is_done.await.map_err(|_| Stopped)
    }

    /// Asks the loop to end after everything handed in before.
    pub(super) async fn stop(&self) {
        // When it has ended already, that is what was wanted.
        drop(self.inbox.send(Item::Stop).await);
    }

    /// The sequencer has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inbox.is_closed()
    }

    /// Events waiting to be decided.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.inbox.max_capacity() - self.inbox.capacity()
    }
}
