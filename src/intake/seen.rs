//! What this broker has handed over lately, so that a retained message is told from its own repetition.
//!
//! A broker repeats its retained messages whenever we subscribe, and on every connection we do. One that was handed
//! on before is no second fact. One that was not is the first arrival of something through a filter, or has changed
//! while we were away: it is handed on like any other, because a call for help that is taken twice costs a walk and
//! one that is not taken may cost more. The memory is this process's: after a start each comes once more.

use crate::domain::ids::ContentHash;
use std::collections::{BTreeSet, VecDeque};

/// Beyond, the oldest is forgotten, and its retained message would be handed on once more.
const CONTENTS_MAX: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct Seen {
    contents: BTreeSet<ContentHash>,
    order: VecDeque<ContentHash>,
}

impl Seen {
    /// Remembers a message; whether it was known already.
    pub fn note(&mut self, content: ContentHash) -> bool {
        if !self.contents.insert(content) {
            return true;
        }
        self.order.push_back(content);
        if self.order.len() > CONTENTS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.contents.remove(&oldest);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_are_remembered() {
        let content = |number: usize| {
            let mut hash = [0; 16];
            hash[..8].copy_from_slice(&number.to_be_bytes());
            ContentHash(hash)
        };
        let mut seen = Seen::default();
        assert!(!seen.note(content(0)));
        assert!(seen.note(content(0)));
        for number in 1..=CONTENTS_MAX {
            assert!(!seen.note(content(number)));
        }
        assert!(!seen.note(content(0)), "forgotten");
        assert_eq!((seen.order.len(), seen.contents.len()), (CONTENTS_MAX, CONTENTS_MAX));
    }
}
