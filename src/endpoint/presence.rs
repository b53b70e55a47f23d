//! A client's presence: the house is told once that it came and once that it went, also when a task panics.

use super::context::Context;
use super::ports::{ClientStatus, Gone, LastWill};
use crate::domain::ids::ClientId;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

pub(super) struct Presence {
    context: Arc<Context>,
    client: ClientId,
    ended: bool,
    _permit: OwnedSemaphorePermit,
}

impl Presence {
    /// The client is here; `took_over` when an earlier connection of it was sent away.
    pub fn begin(
        context: &Arc<Context>,
        client: &ClientId,
        resumed: bool,
        took_over: bool,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        context.meters.connections.increment(1);
        if took_over {
            context.meters.take_overs.increment(1);
            // The device is here: what it asked to be told about its absence is not true.
            let (client, why) = (client.clone(), Gone::TakenOver);
            (context.ports.status)(ClientStatus::Gone { client, why, last_will: None });
        }
        (context.ports.status)(ClientStatus::Connected { client: client.clone(), resumed });
        Self { context: Arc::clone(context), client: client.clone(), ended: false, _permit: permit }
    }

    /// The client is gone; `why` is none when whoever took over has already said so.
    pub fn end(mut self, why: Option<Gone>, last_will: Option<LastWill>) {
        self.ended = true;
        if let Some(why) = why {
            self.tell(why, last_will);
        }
    }

    fn tell(&self, why: Gone, last_will: Option<LastWill>) {
        let client = self.client.clone();
        (self.context.ports.status)(ClientStatus::Gone { client, why, last_will });
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.context.meters.connections.decrement(1);
        if !self.ended {
            self.tell(Gone::Lost, None);
        }
    }
}
