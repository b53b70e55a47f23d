//! A window in nine panes: what was measured in a length of time, in a fixed number of words, in any order.
//!
//! A pane is an eighth of the window, and panes stand at fixed moments. The window that ends at a moment is the pane of
//! that moment and the eight before it: it reaches back at least its length, and less than one pane more. Measurements
//! may come in any order; one that is older than the window behind the newest is left out.

use crate::domain::time::{Span, Timestamp};

/// Panes that make up a window's whole length.
const PANES: i64 = 8;
/// Panes that are kept: the one a window ends in is never whole.
pub(super) const KEPT: usize = PANES as usize + 1;

/// The words of a window: the newest pane's number, then `PER_PANE` words for each pane.
pub(super) struct Panes<'m, const PER_PANE: usize> {
    newest: &'m mut u64,
    kept: &'m mut [[u64; PER_PANE]],
    pane: i64,
}

/// Words that a window with this many words in a pane needs.
pub(super) const fn words(per_pane: usize) -> usize {
    1 + KEPT * per_pane
}

impl<'m, const PER_PANE: usize> Panes<'m, PER_PANE> {
    /// `None` when the words are not as many as they should be.
    pub fn of(words: &'m mut [u64], window: Span) -> Option<Self> {
        let (newest, rest) = words.split_first_mut()?;
        let (kept, over) = rest.as_chunks_mut::<PER_PANE>();
        let pane = (window.as_micros().max(1) + PANES - 1) / PANES;
        (kept.len() == KEPT && over.is_empty()).then_some(Self { newest, kept, pane })
    }

    /// The pane of a moment, to add a measurement to; `None` when it is too long ago.
    pub fn at(&mut self, at: Timestamp) -> Option<&mut [u64; PER_PANE]> {
        let number = self.number(at);
        match self.newest() {
            None => *self.newest = written(number),
            Some(newest) if number > newest => {
                for passed in (newest + 1).max(number - PANES)..=number {
                    self.kept[place(passed)] = [0; PER_PANE];
                }
                *self.newest = written(number);
            }
            Some(newest) if number < newest - PANES => return None,
            Some(_) => {}
        }
        Some(&mut self.kept[place(number)])
    }

    /// The panes of the window that ends at `end`, oldest first, each with the moment at which the window leaves it.
    pub fn until(&self, end: Timestamp) -> impl Iterator<Item = (Timestamp, &[u64; PER_PANE])> {
        let last = self.number(end);
        let newest = self.newest().unwrap_or(i64::MIN / 2);
        let (from, to) = ((last - PANES).max(newest - PANES), last.min(newest));
        let leaves = move |number: i64| Timestamp::from_micros((number + PANES + 1).saturating_mul(self.pane));
        (from..=to).map(move |number| (leaves(number), &self.kept[place(number)]))
    }

    fn number(&self, at: Timestamp) -> i64 {
        at.as_micros().div_euclid(self.pane)
    }

    const fn newest(&self) -> Option<i64> {
        if *self.newest == 0 { None } else { Some((*self.newest ^ SIGN) as i64) }
    }
}

const SIGN: u64 = 1 << 63;

/// A pane's number as a word; zero is none.
const fn written(number: i64) -> u64 {
    number as u64 ^ SIGN
}

const fn place(number: i64) -> usize {
    number.rem_euclid(KEPT as i64) as usize
}
