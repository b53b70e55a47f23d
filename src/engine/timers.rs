//! What is waited for, in order of time.
//!
//! Nearly all of it is far away and moves before it comes: when a device will be silent, when a rule's answer may turn.
//! Of these only the moment is kept, and who is to be asked then. What has come near, and the little that never moves,
//! stands as whole deadlines, in the order in which they are decided.
//!
//! An entry may be early: a device that spoke since has its deadline later than its entry. The engine asks the
//! owner of the deadline before it believes an entry, so that hearing a device costs nothing here.

use super::table::Seat;
use crate::domain::event::Deadline;
use crate::domain::time::Timestamp;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    near: BTreeSet<Deadline>,
    far: BinaryHeap<Reverse<Entry>>,
    /// The first deadline was believed, and nothing has happened to its owner since.
    believed: Option<Owner>,
}

/// At this moment somebody is to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub at: Timestamp,
    seat: Seat,
    place: u32,
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The asset that stands there, about its rule at this place.
    Rule(Seat, usize),
    /// The asset that stands there, about all that its rules wait for.
    Asset(Seat),
    /// The device that stands there, about its silence.
    Device(Seat),
}

const ALL_RULES: u32 = u32::MAX - 1;
const SILENCE: u32 = u32::MAX;

impl Entry {
    pub const fn new(at: Timestamp, owner: Owner) -> Self {
        let (seat, place) = match owner {
            Owner::Rule(seat, place) => (seat, place as u32),
            Owner::Asset(seat) => (seat, ALL_RULES),
            Owner::Device(seat) => (seat, SILENCE),
        };
        Self { at, seat, place }
    }

    pub const fn owner(self) -> Owner {
        match self.place {
            ALL_RULES => Owner::Asset(self.seat),
            SILENCE => Owner::Device(self.seat),
            place => Owner::Rule(self.seat, place as usize),
        }
    }
}

impl Timers {
    /// A deadline that never moves, or has come near.
    pub fn set(&mut self, deadline: Deadline) {
        self.doubt();
        self.near.insert(deadline);
    }

    pub fn ask(&mut self, at: Timestamp, owner: Owner) {
        if self.far.len() == self.far.capacity() {
            // There are millions: an eighth more is room enough.
            self.far.reserve_exact(self.far.len() / 8 + 64);
        }
        self.far.push(Reverse(Entry::new(at, owner)));
    }

    /// All of them at once, in any order.
    pub fn ask_all(&mut self, entries: Vec<Entry>) {
        if entries.len() < self.far.len() / 8 {
            for entry in entries {
                self.ask(entry.at, entry.owner());
            }
        } else {
            self.far.reserve_exact(entries.len());
            self.far.extend(entries.into_iter().map(Reverse));
        }
    }

    /// Nobody is asked about single rules any more.
    pub fn forget_rules(&mut self) {
        self.far.retain(|Reverse(entry)| entry.place == SILENCE);
    }

    /// Takes out the next that is asked no later than `until`; without one, no later than the first deadline.
    pub fn take_far(&mut self, until: Option<Timestamp>) -> Option<Entry> {
        let until = until.or(self.near.first().map(|first| first.at)).unwrap_or(Timestamp::MAX);
        let Reverse(entry) = *self.far.peek().filter(|Reverse(entry)| entry.at <= until)?;
        while self.far.peek() == Some(&Reverse(entry)) {
            self.far.pop();
        }
        Some(entry)
    }

    pub fn remove(&mut self, deadline: &Deadline) {
        self.doubt();
        self.near.remove(deadline);
    }

    pub fn first(&self) -> Option<&Deadline> {
        self.near.first()
    }

    /// The first deadline, if its owner need not be asked.
    pub fn first_believed(&self) -> Option<&Deadline> {
        self.believed.and(self.near.first())
    }

    /// The first deadline is its owner's word: it holds until something happens to the owner.
    pub const fn believe(&mut self, owner: Owner) {
        self.believed = Some(owner);
    }

    pub const fn doubt(&mut self) {
        self.believed = None;
    }

    /// Something happens to this device and its asset.
    pub fn doubt_about(&mut self, device: Seat, asset: Seat) {
        if self.believed == Some(Owner::Device(device)) || self.believed == Some(Owner::Asset(asset)) {
            self.doubt();
        }
    }

    pub fn drop_first(&mut self) -> Option<Deadline> {
        self.doubt();
        self.near.pop_first()
    }

    pub fn is_empty(&self) -> bool {
        self.near.is_empty() && self.far.is_empty()
    }
}
