//! What passed through one login without an identity of its own, oldest first: the memory behind `identity`.
//!
//! Nearly every message is like none before it and comes over the connection of the one before, so both questions that
//! would need a look at every passage are answered without one: is there an equal one, and is there one to settle.

use crate::domain::ids::{ContentHash, Seq};
use crate::domain::time::{Span, Timestamp};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

/// How long after its acknowledgement was lost a message is expected again without a mark of its own.
const REPEAT_WINDOW: Span = Span::from_mins(15);

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

#[derive(Clone, Debug, Default)]
pub(super) struct Passages {
    known: VecDeque<Passage>,
    /// How many have this content.
    contents: FxHashMap<ContentHash, u32>,
    /// Everything that came over another connection than this one is settled.
    settled_but: Option<u64>,
}

impl Passage {
    /// Its sender has its acknowledgement, or has given it up. Only MQTT's own mark can name it from here on.
    const fn settle(&mut self) {
        self.last = Seq(0);
        self.unacknowledged_since = None;
    }

    /// Whether its sender may still send it again without a mark, over another connection.
    pub fn may_be_repeated(&self, now: Timestamp, released: Seq) -> bool {
        match self.unacknowledged_since {
            Some(since) => now <= since + REPEAT_WINDOW,
            None => self.last > released,
        }
    }
}

impl Passages {
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Passage> {
        self.known.iter()
    }

    pub fn oldest(&self) -> Option<&Passage> {
        self.known.front()
    }

    /// The newest with this content that is `like`.
    pub fn newest(&self, content: ContentHash, like: impl Fn(&Passage) -> bool) -> Option<usize> {
        self.holds(content).then(|| self.known.iter().rposition(|known| known.content == content && like(known)))?
    }

    /// The oldest with this content that is `like`.
    pub fn oldest_like(&self, content: ContentHash, like: impl Fn(&Passage) -> bool) -> Option<usize> {
        self.holds(content).then(|| self.known.iter().position(|known| known.content == content && like(known)))?
    }

    pub fn get(&self, place: usize) -> Option<&Passage> {
        self.known.get(place)
    }

    /// This one has come again over `connection`, where its sender knows it by `packet`.
    pub fn repeat(&mut self, place: usize, connection: u64, packet: u16, seq: Seq) -> Option<Seq> {
        let passage = self.known.get_mut(place)?;
        passage.connection = connection;
        passage.packet = packet;
        passage.last = seq;
        passage.unacknowledged_since = None;
        if self.settled_but != Some(connection) {
            self.settled_but = None;
        }
        Some(passage.seq)
    }

    /// What came over another connection and was not repeated by now never will be.
    pub fn settle_all_but(&mut self, connection: u64) {
        if self.settled_but == Some(connection) {
            return;
        }
        self.known.iter_mut().filter(|passage| passage.connection != connection).for_each(Passage::settle);
        self.settled_but = Some(connection);
    }

    /// Remembers at most `max`.
    pub fn push(&mut self, passage: Passage, max: usize) {
        if self.known.len() >= max
            && let Some(forgotten) = self.known.pop_front()
            && let Some(count) = self.contents.get_mut(&forgotten.content)
        {
            *count -= 1;
            if *count == 0 {
                self.contents.remove(&forgotten.content);
            }
        }
        *self.contents.entry(passage.content).or_default() += 1;
        if self.settled_but != Some(passage.connection) {
            self.settled_but = None;
        }
        self.known.push_back(passage);
    }

    /// The acknowledgements of those that are `lost` did not leave.
    pub fn lose(&mut self, now: Timestamp, lost: impl Fn(&Passage) -> bool) {
        for passage in self.known.iter_mut().filter(|passage| lost(passage)) {
            passage.unacknowledged_since = Some(now);
        }
    }

    fn holds(&self, content: ContentHash) -> bool {
        self.contents.contains_key(&content)
    }
}

impl FromIterator<Passage> for Passages {
    fn from_iter<I: IntoIterator<Item = Passage>>(passages: I) -> Self {
        let mut all = Self::default();
        for passage in passages {
            all.push(passage, usize::MAX);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_micros(0);
    const MAX: usize = 8;

    #[derive(Clone, Debug)]
    enum Step {
        Arrive { content: u8, connection: u64 },
        Repeat { content: u8, connection: u64 },
        Lose { from: u64 },
        Restore,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0..6_u8, 1..4_u64).prop_map(|(content, connection)| Step::Arrive { content, connection }),
            3 => (0..6_u8, 1..4_u64).prop_map(|(content, connection)| Step::Repeat { content, connection }),
            1 => (1..40_u64).prop_map(|from| Step::Lose { from }),
            1 => Just(Step::Restore),
        ]
    }

    fn content(n: u8) -> ContentHash {
        ContentHash([n; 16])
    }

    proptest! {
        /// The shortcuts change nothing: a plain list that is looked through each time holds the same.
        #[test]
        fn it_holds_what_a_plain_list_would(steps in prop::collection::vec(step(), 1..120)) {
            let (mut passages, mut plain) = (Passages::default(), VecDeque::<Passage>::new());
            for (seq, step) in (1..).map(Seq).zip(steps) {
                match step {
                    Step::Arrive { content: n, connection } => {
                        passages.settle_all_but(connection);
                        plain.iter_mut().filter(|known| known.connection != connection).for_each(Passage::settle);
                        let passage = Passage {
                            seq, last: seq, connection, packet: 1, content: content(n), unacknowledged_since: None,
                        };
                        passages.push(passage, MAX);
                        plain.push_back(passage);
                        if plain.len() > MAX {
                            plain.pop_front();
                        }
                    }
                    Step::Repeat { content: n, connection } => {
                        let place = plain.iter().rposition(|known| known.content == content(n));
                        prop_assert_eq!(passages.newest(content(n), |_| true), place);
                        let Some(place) = place else { continue };
                        let known = &mut plain[place];
                        (known.connection, known.packet, known.last) = (connection, 2, seq);
                        known.unacknowledged_since = None;
                        prop_assert_eq!(passages.repeat(place, connection, 2, seq), Some(plain[place].seq));
                    }
                    Step::Lose { from } => {
                        let lost = |known: &Passage| known.last.0 >= from;
                        passages.lose(NOW, lost);
                        plain.iter_mut().filter(|known| lost(known)).for_each(|known| {
                            known.unacknowledged_since = Some(NOW);
                        });
                    }
                    Step::Restore => passages = passages.iter().copied().collect(),
                }
                prop_assert_eq!(passages.iter().copied().collect::<Vec<_>>(), plain.iter().copied().collect::<Vec<_>>());
                let oldest = plain.iter().position(|known| known.content == content(0) && known.last.0 > 0);
                prop_assert_eq!(passages.oldest_like(content(0), |known| known.last.0 > 0), oldest);
            }
        }
    }
}
