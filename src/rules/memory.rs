//! What a rule remembers about one asset: words of eight bytes, laid out when the rule is compiled.
//!
//! Every call with a memory has its own words, and an empty memory is all zeros. The engine keeps the words of all rules
//! for an asset together; snapshots and changes of the rules carry them call by call, under the call's key. Start with
//! `Rule::recall`.

use super::expression::Call;
use super::rule::Rule;
use crate::domain::time::Timestamp;

/// The memory of one rule for one asset. Empty until the rule is first evaluated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    words: Box<[u64]>,
}

/// What one call remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    pub call: CallName,
    pub words: Vec<u64>,
}

/// By what a call is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallName {
    /// By what it means.
    Key(u64),
    /// By its place among the calls with a memory, in snapshots of before calls had keys.
    Place(u16),
}

impl Memory {
    #[must_use]
    pub fn of(words: &[u64]) -> Self {
        Self { words: words.into() }
    }

    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// The words of a rule that needs `count` of them. Memory of another shape says nothing about it.
    pub(super) fn shaped(&mut self, count: usize) -> &mut [u64] {
        if self.words.len() != count {
            self.words = vec![0; count].into_boxed_slice();
        }
        &mut self.words
    }
}

impl Rule {
    /// What is remembered, call by call; calls that remember nothing are left out.
    #[must_use]
    pub fn remembered(&self, memory: &[u64]) -> Vec<Remembered> {
        let of = |call: &Call| {
            let words = memory.get(call.memory.clone())?;
            let used = words.iter().rposition(|word| *word != 0)? + 1;
            Some(Remembered { call: CallName::Key(call.key), words: words[..used].to_vec() })
        };
        self.lowered.calls.iter().filter_map(of).collect()
    }

    /// The memory in which each call finds again what is remembered under its name. What no call answers to is left.
    #[must_use]
    pub fn recall(&self, remembered: &[Remembered]) -> Memory {
        let mut memory = Memory::default();
        if remembered.is_empty() {
            return memory;
        }
        let words = memory.shaped(self.words());
        for call in &self.lowered.calls {
            let own = |known: &&Remembered| match known.call {
                CallName::Key(key) => key == call.key,
                CallName::Place(place) => place == call.opened && !call.memory.is_empty(),
            };
            if let Some(known) = remembered.iter().find(own)
                && let Some(place) = words.get_mut(call.memory.clone())
            {
                place.iter_mut().zip(&known.words).for_each(|(word, known)| *word = *known);
            }
        }
        memory
    }

    /// Which of this rule's calls with a memory an earlier form of the rule has too: they go on where they were.
    #[must_use]
    pub fn calls_kept_from(&self, earlier: &Self) -> Vec<&str> {
        self.calls_with_memory(|call| earlier.has_call(call)).collect()
    }

    /// Which of this rule's calls with a memory begin anew after an earlier form of the rule.
    #[must_use]
    pub fn calls_begun_after(&self, earlier: &Self) -> Vec<&str> {
        self.calls_with_memory(|call| !earlier.has_call(call)).collect()
    }

    fn calls_with_memory(&self, like: impl Fn(&Call) -> bool) -> impl Iterator<Item = &str> {
        let calls = self.lowered.calls.iter().filter(move |call| !call.memory.is_empty() && like(call));
        calls.map(|call| &*call.source)
    }

    fn has_call(&self, call: &Call) -> bool {
        self.lowered.calls.iter().any(|known| known.key == call.key)
    }

    /// The place of the call that a snapshot with these memories calls its `node`-th.
    #[must_use]
    pub fn node_in(&self, remembered: &[Remembered], node: u16) -> Option<u16> {
        if remembered.iter().all(|known| matches!(known.call, CallName::Key(_))) {
            return Some(node);
        }
        let opened = |call: &Call| call.opened == node && !call.memory.is_empty();
        self.lowered.calls.iter().position(opened).and_then(|place| u16::try_from(place).ok())
    }

    /// The call that has the same meaning as the `node`-th of an earlier form of the rule.
    #[must_use]
    pub fn call_like(&self, earlier: &Self, node: u16) -> Option<u16> {
        let key = earlier.lowered.calls.get(usize::from(node))?.key;
        self.lowered.calls.iter().position(|call| call.key == key).and_then(|place| u16::try_from(place).ok())
    }
}

/// A moment in a word; zero is none.
pub(super) const fn moment(word: u64) -> Option<Timestamp> {
    if word == 0 { None } else { Some(Timestamp::from_micros((word ^ SIGN) as i64)) }
}

/// The word of a moment.
pub(super) const fn word_of(at: Timestamp) -> u64 {
    at.as_micros() as u64 ^ SIGN
}

const SIGN: u64 = 1 << 63;

/// A number in a word; zero is none.
pub(super) const fn number(word: u64) -> Option<f64> {
    if word == 0 { None } else { Some(f64::from_bits(word ^ NO_NUMBER)) }
}

/// The word of a finite number.
pub(super) const fn word_of_number(value: f64) -> u64 {
    value.to_bits() ^ NO_NUMBER
}

const NO_NUMBER: u64 = 0x7ff8_0000_0000_0000;

impl Remembered {
    /// What a `held` of a snapshot from before calls had keys remembers.
    #[must_use]
    pub fn held(place: u16, since_observed: Option<Timestamp>, since_received: Option<Timestamp>) -> Self {
        let word = |at: Option<Timestamp>| at.map_or(0, word_of);
        Self { call: CallName::Place(place), words: vec![word(since_observed), word(since_received)] }
    }
}

/// FNV-1a, 64 bits: snapshots hold it, so it is the same in every version of the program.
pub(super) fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
