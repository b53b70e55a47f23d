//! Deliveries that nobody has confirmed.
//!
//! Sending is dispatch's work; that something is still owed to a crew is engine state, so that a crash between
//! the decision and the crew's phone forgets nothing.

use super::state::{Draft, Engine};
use crate::domain::decision::{Delivery, DeliveryEnd, Fact, Notice};
use crate::domain::event::{DeliveryOutcome, Receipt};
use crate::domain::ids::{CrewId, DeliveryId, TaskId};
use crate::domain::reason::Verdict;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub(super) struct Deliveries {
    pending: BTreeMap<DeliveryId, Delivery>,
}

impl Deliveries {
    pub fn insert(&mut self, delivery: Delivery) {
        self.pending.insert(delivery.id, delivery);
    }

    pub fn remove(&mut self, id: DeliveryId) {
        self.pending.remove(&id);
    }

    pub fn get(&self, id: DeliveryId) -> Option<&Delivery> {
        self.pending.get(&id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Delivery> {
        self.pending.values()
    }

    fn which(&self, chosen: impl Fn(&Delivery) -> bool) -> Vec<DeliveryId> {
        self.pending.values().filter(|delivery| chosen(delivery)).map(|delivery| delivery.id).collect()
    }
}

impl Engine {
    pub(super) fn receive_receipt(&mut self, draft: &mut Draft, receipt: &Receipt) -> Verdict {
        let end = match receipt.outcome {
            DeliveryOutcome::HandedOver => DeliveryEnd::HandedOver,
            DeliveryOutcome::Delivered | DeliveryOutcome::Seen => DeliveryEnd::Delivered,
        };
        if self.deliveries.get(receipt.delivery).is_some() {
            self.state(draft, Fact::DeliveryEnded { delivery: receipt.delivery, end });
        }
        Verdict::Accepted
    }

    /// Ends what `crew` was still to be told about `task`: it has spoken about it itself, or has left. What other
    /// crews are owed stays: their phones show an offer that must be taken off.
    pub(super) fn end_deliveries(&mut self, draft: &mut Draft, task: TaskId, crew: &CrewId, end: DeliveryEnd) {
        for delivery in self.deliveries.which(|delivery| delivery.message.task == task && delivery.crew == *crew) {
            self.state(draft, Fact::DeliveryEnded { delivery, end });
        }
    }

    /// Ends the offer of `task` if it is still on its way. Returns whether it was: then its crew has not seen it.
    pub(super) fn end_offer(&mut self, draft: &mut Draft, task: TaskId, end: DeliveryEnd) -> bool {
        let offers = self
            .deliveries
            .which(|delivery| delivery.message.task == task && delivery.message.notice == Notice::Offered);
        for delivery in &offers {
            self.state(draft, Fact::DeliveryEnded { delivery: *delivery, end });
        }
        !offers.is_empty()
    }
}
