//! What callbacks tell dispatch. A callback must not wait, and nothing it says may be lost: an acknowledgement that a
//! crew's phone gave comes once.
//!
//! What finds dispatch's inbox full stands in a queue, and one task carries it over as room comes. A resync, which
//! copies everything that is pending, is asked for at most once at a time.

use super::handle::Handle;
use crate::dispatch::Inbox;
use crate::telemetry;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Desk {
    dispatch: mpsc::Sender<Inbox>,
    handle: Handle,
    waiting: Arc<Mutex<Waiting>>,
    waiting_max: usize,
}

#[derive(Default)]
struct Waiting {
    inputs: VecDeque<Inbox>,
    resync: bool,
    /// A task is carrying it over.
    carried: bool,
}

enum Next {
    Tell(Inbox),
    Resync,
}

impl Desk {
    pub fn new(dispatch: mpsc::Sender<Inbox>, handle: Handle, waiting_max: usize) -> Self {
        Self { dispatch, handle, waiting: Arc::default(), waiting_max }
    }

    /// In the order in which it is told: nothing overtakes what waits.
    pub fn tell(&self, input: Inbox) {
        let mut waiting = self.waiting();
        let input = if waiting.carried { Err(TrySendError::Full(input)) } else { self.dispatch.try_send(input) };
        // When dispatch has ended, the gateway is stopping.
        let Err(TrySendError::Full(input)) = input else { return };
        if waiting.inputs.len() >= self.waiting_max {
            waiting.inputs.pop_front();
            telemetry::dispatch::untold();
        }
        waiting.inputs.push_back(input);
        self.carry(&mut waiting);
    }

    /// Hands dispatch everything that is pending.
    pub fn resync(&self) {
        let mut waiting = self.waiting();
        waiting.resync = true;
        self.carry(&mut waiting);
    }

    /// How much stands before dispatch, and how much may.
    pub fn queue(&self) -> (usize, usize) {
        let inbox = self.dispatch.max_capacity() - self.dispatch.capacity();
        (inbox + self.waiting().inputs.len(), self.dispatch.max_capacity() + self.waiting_max)
    }

    fn carry(&self, waiting: &mut Waiting) {
        if !std::mem::replace(&mut waiting.carried, true) {
            let desk = self.clone();
            #[expect(clippy::disallowed_methods, reason = "it ends by itself when sequencer or dispatch has")]
            drop(tokio::spawn(async move { desk.carry_over().await }));
        }
    }

    async fn carry_over(&self) {
        while let Some(next) = self.next() {
            let input = match next {
                Next::Tell(input) => input,
                Next::Resync => {
                    let pending = self.handle.look(|engine| engine.pending_deliveries().cloned().collect()).await;
                    let Ok(pending) = pending else { continue };
                    Inbox::Resync(pending)
                }
            };
            // When dispatch has ended, what is left goes with the gateway.
            drop(self.dispatch.send(input).await);
        }
    }

    fn next(&self) -> Option<Next> {
        let mut waiting = self.waiting();
        if let Some(input) = waiting.inputs.pop_front() {
            return Some(Next::Tell(input));
        }
        if std::mem::take(&mut waiting.resync) {
            return Some(Next::Resync);
        }
        waiting.carried = false;
        None
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::inbox::Item;
    use crate::app::ledger::Ledger;
    use crate::domain::ids::CrewId;
    use crate::engine::{Engine, Limits};

    fn delivered(key: u64) -> Inbox {
        Inbox::Delivered { crew: CrewId::new("north"), key }
    }

    fn desk(waiting_max: usize) -> (Desk, mpsc::Receiver<Inbox>, mpsc::Receiver<Item>) {
        let (dispatch, told) = mpsc::channel(1);
        let (inbox, asked) = mpsc::channel(8);
        let handle = Handle::new(inbox, Arc::new(Ledger::default()));
        (Desk::new(dispatch, handle, waiting_max), told, asked)
    }

    fn key(input: Option<&Inbox>) -> Option<u64> {
        if let Some(Inbox::Delivered { key, .. }) = input { Some(*key) } else { None }
    }

    #[tokio::test]
    async fn an_acknowledgement_that_finds_the_desk_full_is_told_when_there_is_room() {
        let (desk, mut told, _asked) = desk(100);
        for key in 0..50 {
            desk.tell(delivered(key));
        }
        for expected in 0..50 {
            assert_eq!(key(told.recv().await.as_ref()), Some(expected));
        }
        assert!(told.try_recv().is_err(), "each is told once");
    }

    #[tokio::test]
    async fn what_waits_is_bounded() {
        let (desk, mut told, _asked) = desk(3);
        for key in 0..10 {
            desk.tell(delivered(key));
        }
        let mut keys = Vec::new();
        while keys.last() != Some(&9) {
            keys.extend(key(told.recv().await.as_ref()));
        }
        assert_eq!(keys, [0, 7, 8, 9], "one in the inbox, three that waited");
    }

    #[tokio::test]
    async fn many_wishes_for_a_resync_are_one_at_a_time() {
        let (desk, mut told, mut asked) = desk(3);
        for _ in 0..100 {
            desk.resync();
        }
        let engine = Engine::new(Limits::default());
        let Some(Item::Ask(question)) = asked.recv().await else { panic!("no question") };
        assert!(asked.try_recv().is_err(), "the second waits until the first is handed over");
        question(&engine);
        assert!(matches!(told.recv().await, Some(Inbox::Resync(_))));
        tokio::task::yield_now().await;
        assert!(asked.try_recv().is_err() && told.try_recv().is_err(), "all that was asked for meanwhile was one");
    }
}
