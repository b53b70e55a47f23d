//! The deliveries that are still to reach somebody: per crew in order, each once, bounded, never past their expiry.
//!
//! Pure bookkeeping. It sends nothing and reads no clock: `now` is handed in. The engine owns the truth about what is
//! pending; this is the part of it that the edge works with, and can be replaced by the engine's list at any time.

use super::Channel;
use crate::domain::alarm::Priority;
use crate::domain::decision::Delivery;
use crate::domain::ids::{CrewId, DeliveryId};
use crate::domain::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

#[derive(Debug)]
pub struct Pending {
    entries: BTreeMap<DeliveryId, Entry>,
    by_crew: BTreeMap<CrewId, BTreeSet<DeliveryId>>,
    /// The most urgent first, then the oldest: when there is no room, the last one waits elsewhere.
    by_urgency: BTreeSet<(Priority, DeliveryId)>,
    max: usize,
}

#[derive(Debug)]
struct Entry {
    delivery: Delivery,
    /// The crew's own client has it: it is never sent again, by no channel.
    delivered: bool,
    /// How far it is on each channel it was tried on.
    progress: BTreeMap<Channel, Progress>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// Handed to the channel, which has not answered.
    Sent,
    /// The channel has it for good.
    Answered,
}

/// A delivery that is pending no more.
#[derive(Clone, Debug, PartialEq)]
pub struct Removed {
    pub delivery: Delivery,
    /// Channels that were given it and have not answered: they may still hold it.
    pub unanswered: Vec<Channel>,
}

/// What became of a delivery that was to be kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Added {
    Kept,
    /// In place of the newest of a lower priority, which the engine still has.
    KeptInstead(Box<Removed>),
    /// The same delivery is already here.
    Known,
    /// It came too late to be sent.
    Expired,
    /// No room: the engine still has it, and it is asked for again when there is.
    NoRoom,
}

impl Pending {
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { entries: BTreeMap::new(), by_crew: BTreeMap::new(), by_urgency: BTreeSet::new(), max }
    }

    pub fn add(&mut self, delivery: Delivery, now: Timestamp) -> Added {
        if self.entries.contains_key(&delivery.id) {
            return Added::Known;
        }
        if expired(&delivery, now) {
            return Added::Expired;
        }
        let mut instead = None;
        if self.entries.len() >= self.max {
            let last = self.by_urgency.last().filter(|(priority, _)| *priority > delivery.message.priority);
            let Some((_, id)) = last.copied() else { return Added::NoRoom };
            instead = self.end(id);
        }
        self.by_urgency.insert((delivery.message.priority, delivery.id));
        self.by_crew.entry(delivery.crew.clone()).or_default().insert(delivery.id);
        self.entries.insert(delivery.id, Entry { delivery, delivered: false, progress: BTreeMap::new() });
        instead.map_or(Added::Kept, |removed| Added::KeptInstead(Box::new(removed)))
    }

    /// It is wanted no more, whatever the reason. None when it was not here.
    pub fn end(&mut self, id: DeliveryId) -> Option<Removed> {
        let Entry { delivery, progress, .. } = self.entries.remove(&id)?;
        self.by_urgency.remove(&(delivery.message.priority, id));
        if let Some(ids) = self.by_crew.get_mut(&delivery.crew) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_crew.remove(&delivery.crew);
            }
        }
        let unanswered = progress.into_iter().filter(|(_, how_far)| *how_far == Progress::Sent);
        Some(Removed { delivery, unanswered: unanswered.map(|(channel, _)| channel).collect() })
    }

    /// Ends everything that `wanted` does not name; what it names keeps how far it has come.
    pub fn keep_only(&mut self, wanted: &BTreeSet<DeliveryId>) -> Vec<Removed> {
        self.end_where(|delivery| !wanted.contains(&delivery.id))
    }

    /// Ends what may not be sent any more.
    pub fn drop_expired(&mut self, now: Timestamp) -> Vec<Removed> {
        self.end_where(|delivery| expired(delivery, now))
    }

    fn end_where(&mut self, over: impl Fn(&Delivery) -> bool) -> Vec<Removed> {
        let ids: Vec<_> = self.entries.iter().filter(|(_, entry)| over(&entry.delivery)).map(|(id, _)| *id).collect();
        ids.into_iter().filter_map(|id| self.end(id)).collect()
    }

    /// The first delivery of `crew` after `after` that is still to be sent on `channel`, in the order of their ids.
    #[must_use]
    pub fn next(
        &self,
        crew: &CrewId,
        channel: &Channel,
        after: Option<DeliveryId>,
        now: Timestamp,
    ) -> Option<&Delivery> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_crew.get(crew)?.range((from, Bound::Unbounded)).find_map(|id| {
            let entry = self.entries.get(id)?;
            let waits = !entry.delivered && !entry.progress.contains_key(channel) && !expired(&entry.delivery, now);
            waits.then_some(&entry.delivery)
        })
    }

    /// The channel has taken it and owes an answer.
    pub fn sent(&mut self, id: DeliveryId, channel: &Channel) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.progress.entry(channel.clone()).or_insert(Progress::Sent);
        }
    }

    /// The channel's connection to this crew is another one: what it had not answered is to be sent again.
    pub fn reopen(&mut self, crew: &CrewId, channel: &Channel) {
        for id in self.by_crew.get(crew).into_iter().flatten() {
            if let Some(entry) = self.entries.get_mut(id)
                && entry.progress.get(channel) == Some(&Progress::Sent)
            {
                entry.progress.remove(channel);
            }
        }
    }

    /// The crew's own client has it. True the first time.
    pub fn delivered(&mut self, id: DeliveryId, crew: &CrewId) -> bool {
        self.entries.get_mut(&id).filter(|entry| entry.delivery.crew == *crew && !entry.delivered).is_some_and(
            |entry| {
                entry.delivered = true;
                entry.progress.insert(Channel::Endpoint, Progress::Answered);
                true
            },
        )
    }

    /// An external broker has it. True the first time, unless the crew itself has it already.
    pub fn handed_over(&mut self, id: DeliveryId, channel: &Channel) -> bool {
        self.entries.get_mut(&id).is_some_and(|entry| {
            let before = entry.progress.insert(channel.clone(), Progress::Answered);
            !entry.delivered && before != Some(Progress::Answered)
        })
    }

    /// The crews that something is pending for.
    pub fn crews(&self) -> impl Iterator<Item = &CrewId> {
        self.by_crew.keys()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether so much has ended that asking for what found no room is worth it.
    #[must_use]
    pub fn has_room_again(&self) -> bool {
        self.entries.len() <= self.max / 2
    }
}

/// At its expiry a delivery is too late.
fn expired(delivery: &Delivery, now: Timestamp) -> bool {
    now >= delivery.expires_at
}
