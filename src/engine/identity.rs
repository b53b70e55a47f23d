//! Telling a repeated message from a repeated fact (DESIGN §3.3).
//!
//! A message with the network's id or the device's own time is itself wherever it comes from. A message with
//! neither is the same only when MQTT says so: marked as a duplicate with the packet id it had, or, over another
//! connection, equal to one that was journaled but never acknowledged. Two identical payloads without any of
//! these are two facts: a help button pressed six times is six presses.
//!
//! The last of these is a guess, and a wrong one costs a press. A sender that lost its acknowledgement tries again
//! within minutes, so the guess is made for [`REPEAT_WINDOW`] and then no more: one press too many is better than
//! one too few.

use super::state::{Draft, Limits};
use crate::domain::ids::{ClientId, ContentHash, DeviceId, Seq};
use crate::domain::observation::Identity;
use crate::domain::time::{Span, Timestamp};
use crate::domain::uplink::Ingress;
use rustc_hash::{FxHashMap, FxHasher};
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

/// How long after its acknowledgement was lost a message is expected again without a mark of its own.
const REPEAT_WINDOW: Span = Span::from_mins(15);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recognition {
    First,
    Repeat(Seq),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Identities {
    pub(super) devices: FxHashMap<DeviceId, VecDeque<(u64, Seq)>>,
    pub(super) clients: FxHashMap<ClientId, VecDeque<Passage>>,
    /// Acknowledgements up to here have left the house.
    pub(super) released: Seq,
}

/// One message without an own identity, as it passed through one login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Passage {
    pub seq: Seq,
    /// Its newest repetition, or itself: whose acknowledgement is the one that counts. 0 once that is settled.
    pub last: Seq,
    pub connection: u64,
    pub packet: u16,
    pub content: ContentHash,
    /// Since when it is known that its acknowledgement did not leave: the connection or the process was gone.
    pub unacknowledged_since: Option<Timestamp>,
}

impl Identities {
    /// Whether this message was here before; remembers it when not.
    pub fn recognise(
        &mut self,
        limits: &Limits,
        draft: &Draft,
        identity: &Identity,
        device: Option<&DeviceId>,
        ingress: &Ingress,
    ) -> Recognition {
        let seq = draft.seq;
        match (identity, device) {
            (Identity::Network(id), Some(device)) => self.by_name(limits, device, hash(id), ingress, seq),
            (Identity::DeviceTime(at), Some(device)) => {
                self.by_name(limits, device, hash(&(at.as_micros(), ingress.content)), ingress, seq)
            }
            (Identity::Redelivery, _) | (_, None) => self.by_passage(limits, draft, ingress),
        }
    }

    /// The device's memory is short: it is for messages that come twice from the network. A sender that repeats all it
    /// has no acknowledgement for may repeat more, and is recognised by its login's memory: equal content has the same
    /// name in it.
    fn by_name(&mut self, limits: &Limits, device: &DeviceId, name: u64, ingress: &Ingress, seq: Seq) -> Recognition {
        let memory = self.clients.get(&ingress.client);
        // Without DUP nobody repeats over the same connection, and its oldest passage tells whether there was another.
        let may_repeat = ingress.duplicate_flag
            || memory.and_then(VecDeque::front).is_some_and(|oldest| oldest.connection != ingress.connection);
        if let Some(passage) = memory
            .filter(|_| may_repeat)
            .and_then(|memory| memory.iter().rev().find(|passage| passage.content == ingress.content))
        {
            return Recognition::Repeat(passage.seq);
        }
        let recognised = self.by_device(limits, device, name, seq);
        if let (Recognition::First, Some(packet)) = (recognised, ingress.packet) {
            self.remember(limits, ingress, packet, seq);
        }
        recognised
    }

    /// Acknowledgements up to `through` have left, but for the `undelivered` ones.
    pub fn release(&mut self, now: Timestamp, through: Seq, undelivered: &[Seq]) {
        self.released = self.released.max(through);
        if undelivered.is_empty() {
            return;
        }
        for passage in self.clients.values_mut().flatten().filter(|passage| undelivered.contains(&passage.last)) {
            passage.unacknowledged_since.get_or_insert(now);
        }
    }

    /// The process that should have acknowledged these is gone: whatever later ones acknowledge, not these.
    pub fn restart(&mut self, now: Timestamp) {
        let released = self.released;
        for passage in self.clients.values_mut().flatten().filter(|passage| passage.last > released) {
            passage.unacknowledged_since = Some(now);
        }
    }

    pub fn forget_device(&mut self, device: &DeviceId) {
        self.devices.remove(device);
    }

    fn by_device(&mut self, limits: &Limits, device: &DeviceId, identity: u64, seq: Seq) -> Recognition {
        let memory = self.devices.entry(device.clone()).or_default();
        if let Some((_, of)) = memory.iter().find(|(known, _)| *known == identity) {
            return Recognition::Repeat(*of);
        }
        if memory.len() >= limits.identities_per_device {
            memory.pop_front();
        }
        memory.push_back((identity, seq));
        Recognition::First
    }

    fn by_passage(&mut self, limits: &Limits, draft: &Draft, ingress: &Ingress) -> Recognition {
        // QoS 0 has no packet id and is never repeated by its sender.
        let Some(packet) = ingress.packet else { return Recognition::First };
        let Draft { now, seq, .. } = *draft;
        let released = self.released;
        let memory = self.clients.entry(ingress.client.clone()).or_default();
        let same = |passage: &Passage| passage.content == ingress.content;
        let marked = |passage: &Passage| ingress.duplicate_flag && passage.packet == packet;
        let unacknowledged = |passage: &Passage| passage.may_be_repeated(now, released);
        let elsewhere = |passage: &Passage| passage.connection != ingress.connection;
        // What MQTT names by its packet id comes first: a guess by content would take the place of another press.
        // Senders repeat in order, so the oldest is guessed first.
        let repeat = memory.iter().rposition(|passage| same(passage) && marked(passage)).or_else(|| {
            memory.iter().position(|passage| same(passage) && unacknowledged(passage) && elsewhere(passage))
        });
        if let Some(passage) = repeat.and_then(|index| memory.get_mut(index)) {
            // The next one over this connection that looks the same is another press, and this one's sender knows it
            // by the packet id it has here.
            passage.connection = ingress.connection;
            passage.packet = packet;
            passage.last = seq;
            passage.unacknowledged_since = None;
            return Recognition::Repeat(passage.seq);
        }
        // Senders repeat before they go on: what came over an earlier connection and was not repeated by now never will.
        for passage in memory.iter_mut().filter(|passage| elsewhere(passage)) {
            passage.settle();
        }
        self.remember(limits, ingress, packet, seq);
        Recognition::First
    }

    fn remember(&mut self, limits: &Limits, ingress: &Ingress, packet: u16, seq: Seq) {
        let memory = self.clients.entry(ingress.client.clone()).or_default();
        if memory.len() >= limits.redeliveries_per_client {
            memory.pop_front();
        }
        let Ingress { connection, content, .. } = *ingress;
        memory.push_back(Passage { seq, last: seq, connection, packet, content, unacknowledged_since: None });
    }
}

impl Passage {
    /// Its sender has its acknowledgement, or has given it up. Only MQTT's own mark can name it from here on.
    const fn settle(&mut self) {
        self.last = Seq(0);
        self.unacknowledged_since = None;
    }

    /// Whether its sender may still send it again without a mark, over another connection.
    fn may_be_repeated(&self, now: Timestamp, released: Seq) -> bool {
        match self.unacknowledged_since {
            Some(since) => now <= since + REPEAT_WINDOW,
            None => self.last > released,
        }
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}
