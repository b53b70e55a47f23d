//! What the lockstep drives: something that lives in simulated time and sends messages.
//!
//! The demo's `town` and the recorded series of `recording` are the two scenes. A scene never touches the network
//! and never sees the gateway: it is told when a crew has done its work, nothing more.

use super::formats::Message;
use super::notes::Notes;
use crate::domain::ids::{AssetId, ClientId, TaskId};
use crate::domain::time::Timestamp;
use std::collections::BTreeMap;

/// What is to be sent at one moment, by connection. The order of connections is that of their names.
#[derive(Debug, Default)]
pub(crate) struct Outbox(BTreeMap<ClientId, Vec<Message>>);

/// Work that a crew has finished.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Work {
    pub asset: AssetId,
    /// What the task asked for, as the rule names it: `empty-bin`.
    pub kind: String,
}

pub(crate) trait Scene {
    /// When something happens next; none when nothing will happen any more.
    fn next_at(&self) -> Option<Timestamp>;

    /// Lives up to and including `until`, and puts what devices send into `outbox`.
    fn live(&mut self, until: Timestamp, outbox: &mut Outbox, notes: &mut Notes);

    /// A crew is asked to do this.
    fn offered(&mut self, task: TaskId, work: &Work);

    /// A crew has done this at `at`.
    fn served(&mut self, at: Timestamp, work: &Work);

    /// What it is, for the head of the screen; always says that it is not the present.
    fn title(&self) -> String;

    /// Devices that misbehave, in words, for the screen; the lines do not change while it runs.
    fn misbehaving(&self) -> Vec<String>;

    /// What people call an asset: its kind and address.
    fn called(&self, asset: &AssetId) -> String;
}

impl Outbox {
    pub(crate) fn put(&mut self, line: ClientId, message: Message) {
        self.0.entry(line).or_default().push(message);
    }

    /// The batches in their fixed order.
    pub(crate) fn take(&mut self) -> BTreeMap<ClientId, Vec<Message>> {
        std::mem::take(&mut self.0)
    }
}
