//! Telling a repeated message from a repeated fact (DESIGN §3.3).
//!
//! A message with the network's id or the device's own time is itself wherever it comes from. A message with
//! neither is the same only when MQTT says so: marked as a duplicate with the packet id it had, or, over another
//! connection, equal to one that was journaled but never acknowledged. Two identical payloads without any of
//! these are two facts: a help button pressed six times is six presses.
//!
//! The last of these is a guess, and a wrong one costs a press. A sender that lost its acknowledgement tries again
//! within minutes, so the guess is made for some minutes (`passages`) and then no more: one press too many is better than
//! one too few.

use super::passages::{Passage, Passages};
use super::state::{Draft, Limits};
use crate::domain::ids::{ClientId, Seq};
use crate::domain::observation::Identity;
use crate::domain::time::Timestamp;
use crate::domain::uplink::Ingress;
use rustc_hash::{FxHashMap, FxHasher};
use std::hash::{Hash, Hasher};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recognition {
    First,
    Repeat(Seq),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Identities {
    pub(super) clients: FxHashMap<ClientId, Passages>,
    /// Acknowledgements up to here have left the house.
    pub(super) released: Seq,
}

/// The newest messages of one device, by name; in no order, as each tells when it came.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent(Vec<(u64, Seq)>);

impl Recent {
    /// Remembers at most `max`.
    fn recognise(&mut self, name: u64, seq: Seq, max: usize) -> Recognition {
        if let Some((_, of)) = self.0.iter().find(|(known, _)| *known == name) {
            return Recognition::Repeat(*of);
        }
        if self.0.len() < max.max(1) {
            // There are many devices: no more room than is needed, doubled.
            if self.0.len() == self.0.capacity() {
                self.0.reserve_exact(self.0.len().max(1));
            }
            self.0.push((name, seq));
        } else if let Some(oldest) = self.0.iter_mut().min_by_key(|(_, seq)| *seq) {
            *oldest = (name, seq);
        }
        Recognition::First
    }

    /// Oldest first.
    pub fn in_order(&self) -> Vec<(u64, Seq)> {
        let mut known = self.0.clone();
        known.sort_by_key(|(_, seq)| *seq);
        known
    }
}

impl From<Vec<(u64, Seq)>> for Recent {
    fn from(mut known: Vec<(u64, Seq)>) -> Self {
        known.shrink_to_fit();
        Self(known)
    }
}

impl Identities {
    /// Whether this message was here before; remembers it when not.
    pub fn recognise(
        &mut self,
        limits: &Limits,
        draft: &Draft,
        identity: &Identity,
        device: Option<&mut Recent>,
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
    fn by_name(&mut self, limits: &Limits, device: &mut Recent, name: u64, ingress: &Ingress, seq: Seq) -> Recognition {
        let memory = self.clients.get(&ingress.client);
        // Without DUP nobody repeats over the same connection, and its oldest passage tells whether there was another.
        let may_repeat = ingress.duplicate_flag
            || memory.and_then(Passages::oldest).is_some_and(|oldest| oldest.connection != ingress.connection);
        let same =
            |memory: &Passages| memory.newest(ingress.content, |_| true).and_then(|place| memory.get(place)).copied();
        if let Some(passage) = memory.filter(|_| may_repeat).and_then(same) {
            return Recognition::Repeat(passage.seq);
        }
        let recognised = device.recognise(name, seq, limits.identities_per_device);
        if let (Recognition::First, Some(packet)) = (recognised, ingress.packet) {
            let memory = self.clients.entry(ingress.client.clone()).or_default();
            memory.push(passage(ingress, packet, seq), limits.redeliveries_per_client);
        }
        recognised
    }

    /// Acknowledgements up to `through` have left, but for the `undelivered` ones.
    pub fn release(&mut self, now: Timestamp, through: Seq, undelivered: &[Seq]) {
        self.released = self.released.max(through);
        if undelivered.is_empty() {
            return;
        }
        let lost = |passage: &Passage| undelivered.contains(&passage.last) && passage.unacknowledged_since.is_none();
        self.clients.values_mut().for_each(|memory| memory.lose(now, lost));
    }

    /// The process that should have acknowledged these is gone: whatever later ones acknowledge, not these.
    pub fn restart(&mut self, now: Timestamp) {
        let released = self.released;
        self.clients.values_mut().for_each(|memory| memory.lose(now, |passage| passage.last > released));
    }

    fn by_passage(&mut self, limits: &Limits, draft: &Draft, ingress: &Ingress) -> Recognition {
        // QoS 0 has no packet id and is never repeated by its sender.
        let Some(packet) = ingress.packet else { return Recognition::First };
        let Draft { now, seq, .. } = *draft;
        let released = self.released;
        let memory = self.clients.entry(ingress.client.clone()).or_default();
        let marked = |passage: &Passage| ingress.duplicate_flag && passage.packet == packet;
        let elsewhere = |passage: &Passage| passage.connection != ingress.connection;
        let unacknowledged = |passage: &Passage| elsewhere(passage) && passage.may_be_repeated(now, released);
        // What MQTT names by its packet id comes first: a guess by content would take the place of another press.
        // Senders repeat in order, so the oldest is guessed first.
        let repeat = memory
            .newest(ingress.content, marked)
            .or_else(|| memory.oldest_like(ingress.content, unacknowledged))
            // The next one over this connection that looks the same is another press, and this one's sender knows it
            // by the packet id it has here.
            .and_then(|place| memory.repeat(place, ingress.connection, packet, seq));
        if let Some(of) = repeat {
            return Recognition::Repeat(of);
        }
        // Senders repeat before they go on.
        memory.settle_all_but(ingress.connection);
        memory.push(passage(ingress, packet, seq), limits.redeliveries_per_client);
        Recognition::First
    }
}

const fn passage(ingress: &Ingress, packet: u16, seq: Seq) -> Passage {
    let Ingress { connection, content, .. } = *ingress;
    Passage { seq, last: seq, connection, packet, content, unacknowledged_since: None }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}
