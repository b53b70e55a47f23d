//! A condition after lowering: typed, names replaced by slots, bounded in size.
//!
//! Conditions are trees; the calls in them stand beside, in a list of their own, and are worked out once each, inner
//! ones first. What a call remembers lies in the rule's memory at `Call::memory`.

use super::call::Call;
use smol_str::SmolStr;

/// A part that is true, false, or unknown.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::rules) enum Condition {
    Constant(bool),
    Slot(u16),
    Attribute(SmolStr),
    /// The answer of the call at this place.
    Call(u16),
    Not(Box<Condition>),
    And(Box<(Condition, Condition)>),
    Or(Box<(Condition, Condition)>),
    Same(Box<(Condition, Condition)>),
    SameWords(Words, Words),
    Compare(Comparison, Number, Number),
}

/// A part that is a number, or unknown.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::rules) enum Number {
    Constant(f64),
    Slot(u16),
    Attribute(SmolStr),
    /// The answer of the call at this place.
    Call(u16),
    Negate(Box<Number>),
    Calculate(Arithmetic, Box<(Number, Number)>),
}

/// A part that is a text, or unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::rules) enum Words {
    Constant(SmolStr),
    Slot(u16),
    Attribute(SmolStr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rules) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rules) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// What a part reads from outside its text.
#[derive(Debug, Default)]
pub(in crate::rules) struct Reads {
    pub slots: Vec<u16>,
    pub attributes: bool,
    /// Whether it asks a call whose answer may change.
    pub calls: bool,
}

impl Reads {
    /// The only slot, when no call is asked.
    pub(in crate::rules) fn only_slot(&self) -> Option<u16> {
        match self.slots[..] {
            [slot] if !self.calls => Some(slot),
            _ => None,
        }
    }

    /// The slots ascending, each once.
    pub(in crate::rules) fn into_slots(mut self) -> Box<[u16]> {
        self.slots.sort_unstable();
        self.slots.dedup();
        self.slots.into_boxed_slice()
    }
}

impl Condition {
    /// Adds everything that is read, also by the calls that are asked, which stand in `calls`.
    pub(in crate::rules) fn reads(&self, calls: &[Call], reads: &mut Reads) {
        match self {
            Self::Constant(_) => {}
            Self::Attribute(_) => reads.attributes = true,
            Self::Slot(slot) => reads.slots.push(*slot),
            Self::Call(place) => read_call(*place, calls, reads),
            Self::Not(inner) => inner.reads(calls, reads),
            Self::And(both) | Self::Or(both) | Self::Same(both) => {
                both.0.reads(calls, reads);
                both.1.reads(calls, reads);
            }
            Self::SameWords(left, right) => {
                left.reads(reads);
                right.reads(reads);
            }
            Self::Compare(_, left, right) => {
                left.reads(calls, reads);
                right.reads(calls, reads);
            }
        }
    }

    /// Whether nothing from outside the text is read: such a condition never changes.
    pub(in crate::rules) fn constant(&self, calls: &[Call]) -> bool {
        let mut reads = Reads::default();
        self.reads(calls, &mut reads);
        reads.slots.is_empty() && !reads.attributes && !reads.calls
    }
}

impl Number {
    pub(in crate::rules) fn reads(&self, calls: &[Call], reads: &mut Reads) {
        match self {
            Self::Constant(_) => {}
            Self::Attribute(_) => reads.attributes = true,
            Self::Slot(slot) => reads.slots.push(*slot),
            Self::Call(place) => read_call(*place, calls, reads),
            Self::Negate(inner) => inner.reads(calls, reads),
            Self::Calculate(_, both) => {
                both.0.reads(calls, reads);
                both.1.reads(calls, reads);
            }
        }
    }
}

impl Words {
    fn reads(&self, reads: &mut Reads) {
        match self {
            Self::Constant(_) => {}
            Self::Attribute(_) => reads.attributes = true,
            Self::Slot(slot) => reads.slots.push(*slot),
        }
    }
}

fn read_call(place: u16, calls: &[Call], reads: &mut Reads) {
    if let Some(call) = calls.get(usize::from(place)) {
        reads.calls |= !call.constant;
        reads.slots.extend_from_slice(&call.reads);
        reads.attributes |= call.reads_attributes;
    }
}
