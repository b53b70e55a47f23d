//! Rows that are found by their key, or at once by their seat.
//!
//! A million assets are looked up in no order, and what a look-up costs is memory that is not at hand: an entry of the
//! index is eight bytes, the row is the second and last place to look, and whoever knows a row's seat needs no look at
//! the index. Rows stand in pieces of one size, so that a table that grows copies no row and has no half-empty end. A row
//! holds its own key. Rows are walked in the order of their seats, which says nothing: whoever walks them sorts first.

use rustc_hash::FxHasher;
use std::hash::{Hash, Hasher};

/// Rows in one piece.
const PIECE: usize = 256;
const PIECE_BITS: u32 = PIECE.trailing_zeros();

/// What stands in a table.
pub(super) trait Row {
    type Key: Hash + Eq;

    fn key(&self) -> &Self::Key;
}

/// Where a row stands for as long as it is in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Seat(u32);

impl Seat {
    /// No row stands there.
    pub const NOWHERE: Self = Self(u32::MAX);

    const fn split(self) -> (usize, usize) {
        ((self.0 >> PIECE_BITS) as usize, self.0 as usize % PIECE)
    }
}

pub(super) struct Table<R: Row> {
    /// Part of the key's hash, and the seat; a power of two long, and never full.
    index: Vec<(u32, Seat)>,
    pieces: Vec<Vec<Option<R>>>,
    free: Vec<Seat>,
    len: usize,
}

impl<R: Row> Default for Table<R> {
    fn default() -> Self {
        Self { index: Vec::new(), pieces: Vec::new(), free: Vec::new(), len: 0 }
    }
}

impl<R: Row> Table<R> {
    pub const fn len(&self) -> usize {
        self.len
    }

    pub fn get(&self, key: &R::Key) -> Option<&R> {
        self.at(self.seat(key)?)
    }

    pub fn get_mut(&mut self, key: &R::Key) -> Option<&mut R> {
        self.at_mut(self.seat(key)?)
    }

    pub fn seat(&self, key: &R::Key) -> Option<Seat> {
        self.index.get(self.place(key)?).map(|(_, seat)| *seat)
    }

    #[inline]
    pub fn at(&self, seat: Seat) -> Option<&R> {
        let (piece, place) = seat.split();
        self.pieces.get(piece)?.get(place)?.as_ref()
    }

    #[inline]
    pub fn at_mut(&mut self, seat: Seat) -> Option<&mut R> {
        let (piece, place) = seat.split();
        self.pieces.get_mut(piece)?.get_mut(place)?.as_mut()
    }

    /// Where the row with this key stands, if it stands where it was seen last.
    #[inline]
    pub fn seat_by_hint(&self, key: &R::Key, hint: Seat) -> Option<Seat> {
        if self.at(hint).is_some_and(|row| row.key() == key) { Some(hint) } else { self.seat(key) }
    }

    /// In place of the row with the same key, if there is one.
    pub fn insert(&mut self, row: R) -> Seat {
        if let Some(seat) = self.seat(row.key()) {
            if let Some(known) = self.at_mut(seat) {
                *known = row;
            }
            return seat;
        }
        self.reserve(1);
        let tag = tag(row.key());
        let seat = self.seat_for(row);
        self.link(tag, seat);
        self.len += 1;
        seat
    }

    pub fn remove(&mut self, key: &R::Key) -> Option<R> {
        let mut hole = self.place(key)?;
        let (_, seat) = self.index[hole];
        // Whoever had to make way for it moves up, so that no look-up ends too early.
        let mask = self.index.len() - 1;
        let mut next = (hole + 1) & mask;
        while let (tag, seat) = self.index[next]
            && seat != Seat::NOWHERE
        {
            let wanted = tag as usize & mask;
            if (next.wrapping_sub(wanted) & mask) >= (next.wrapping_sub(hole) & mask) {
                self.index[hole] = (tag, seat);
                hole = next;
            }
            next = (next + 1) & mask;
        }
        self.index[hole] = (0, Seat::NOWHERE);
        self.free.push(seat);
        self.len -= 1;
        let (piece, place) = seat.split();
        self.pieces[piece][place].take()
    }

    pub fn reserve(&mut self, more: usize) {
        let needed = (self.len + more) * 4 / 3 + 1;
        if needed <= self.index.len() {
            return;
        }
        let before = std::mem::take(&mut self.index);
        self.index = vec![(0, Seat::NOWHERE); needed.next_power_of_two()];
        before.into_iter().filter(|(_, seat)| *seat != Seat::NOWHERE).for_each(|(tag, seat)| self.link(tag, seat));
    }

    pub fn values(&self) -> impl Iterator<Item = &R> {
        self.pieces.iter().flatten().flatten()
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut R> {
        self.pieces.iter_mut().flatten().flatten()
    }

    /// The rows with their seats.
    pub fn seated_mut(&mut self) -> impl Iterator<Item = (Seat, &mut R)> {
        let rows = self.pieces.iter_mut().flatten().zip(0..);
        rows.filter_map(|(row, seat)| Some((Seat(seat), row.as_mut()?)))
    }

    /// The place in the index.
    #[inline]
    fn place(&self, key: &R::Key) -> Option<usize> {
        let tag = tag(key);
        let mask = self.index.len().checked_sub(1)?;
        let mut place = tag as usize & mask;
        loop {
            let (known, seat) = self.index[place];
            if seat == Seat::NOWHERE {
                return None;
            }
            if known == tag && self.at(seat).is_some_and(|row| row.key() == key) {
                return Some(place);
            }
            place = (place + 1) & mask;
        }
    }

    fn link(&mut self, tag: u32, seat: Seat) {
        let mask = self.index.len() - 1;
        let mut place = tag as usize & mask;
        while self.index[place].1 != Seat::NOWHERE {
            place = (place + 1) & mask;
        }
        self.index[place] = (tag, seat);
    }

    fn seat_for(&mut self, row: R) -> Seat {
        if let Some(seat) = self.free.pop() {
            let (piece, place) = seat.split();
            self.pieces[piece][place] = Some(row);
            return seat;
        }
        if self.pieces.last().is_none_or(|piece| piece.len() == PIECE) {
            self.pieces.push(Vec::with_capacity(PIECE));
        }
        let piece = self.pieces.len() - 1;
        self.pieces[piece].push(Some(row));
        let seat = (piece * PIECE + self.pieces[piece].len() - 1) as u32;
        assert!(seat < u32::MAX, "a table holds fewer than {} rows", u32::MAX);
        Seat(seat)
    }
}

fn tag(key: &impl Hash) -> u32 {
    let mut hasher = FxHasher::default();
    key.hash(&mut hasher);
    hasher.finish() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Debug, PartialEq)]
    struct Named(u16, u32);

    impl Row for Named {
        type Key = u16;

        fn key(&self) -> &u16 {
            &self.0
        }
    }

    proptest! {
        #[test]
        fn it_holds_what_a_map_would(steps in prop::collection::vec((0..700_u16, any::<u32>(), 0..3_u8), 0..3_000)) {
            let (mut table, mut map) = (Table::default(), BTreeMap::new());
            for (key, value, step) in steps {
                if step == 0 {
                    prop_assert_eq!(table.remove(&key).map(|Named(_, value)| value), map.remove(&key));
                } else {
                    let seat = table.insert(Named(key, value));
                    map.insert(key, value);
                    prop_assert_eq!(table.at(seat), Some(&Named(key, value)));
                    prop_assert_eq!(table.seat_by_hint(&key, Seat(value % 700)), Some(seat));
                }
                prop_assert_eq!(table.len(), map.len());
            }
            for key in 0..700 {
                prop_assert_eq!(table.get(&key).map(|Named(_, value)| value), map.get(&key));
            }
            let mut walked: Vec<_> = table.values().map(|Named(key, value)| (*key, *value)).collect();
            walked.sort_unstable();
            prop_assert_eq!(walked, map.into_iter().collect::<Vec<_>>());
        }
    }
}
