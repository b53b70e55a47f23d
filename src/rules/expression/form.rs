//! A condition after lowering: typed, names replaced by slots, bounded in size.

use crate::domain::time::Span;
use smol_str::SmolStr;

/// A part that is true, false, or unknown.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::rules) enum Condition {
    Constant(bool),
    Slot(u16),
    Attribute(SmolStr),
    Silent,
    Not(Box<Condition>),
    And(Box<(Condition, Condition)>),
    Or(Box<(Condition, Condition)>),
    Same(Box<(Condition, Condition)>),
    SameWords(Words, Words),
    Compare(Comparison, Number, Number),
    Held(Box<Held>),
}

/// `held(condition, "10m")`.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::rules) struct Held {
    pub cell: u16,
    pub condition: Condition,
    pub wait_for: Span,
    /// The slots whose `observed_at` count as evidence.
    pub reads: Box<[u16]>,
}

/// A part that is a number, or unknown.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::rules) enum Number {
    Constant(f64),
    Slot(u16),
    Attribute(SmolStr),
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

impl Condition {
    /// Adds every slot that is read to `slots`; gives whether `silent()` is read.
    pub(in crate::rules) fn reads(&self, slots: &mut Vec<u16>) -> bool {
        match self {
            Self::Constant(_) | Self::Attribute(_) => false,
            Self::Silent => true,
            Self::Slot(slot) => {
                slots.push(*slot);
                false
            }
            Self::Not(inner) => inner.reads(slots),
            Self::And(both) | Self::Or(both) | Self::Same(both) => {
                let left = both.0.reads(slots);
                both.1.reads(slots) || left
            }
            Self::SameWords(left, right) => {
                slots.extend([left, right].into_iter().filter_map(Words::slot));
                false
            }
            Self::Compare(_, left, right) => {
                left.reads(slots);
                right.reads(slots);
                false
            }
            Self::Held(held) => held.condition.reads(slots),
        }
    }

    /// Whether nothing from outside the text is read: such a condition never changes.
    pub(in crate::rules) fn constant(&self) -> bool {
        match self {
            Self::Constant(_) => true,
            Self::Slot(_) | Self::Attribute(_) | Self::Silent => false,
            Self::Not(inner) => inner.constant(),
            Self::And(both) | Self::Or(both) | Self::Same(both) => both.0.constant() && both.1.constant(),
            Self::SameWords(left, right) => {
                matches!((left, right), (Words::Constant(_), Words::Constant(_)))
            }
            Self::Compare(_, left, right) => left.constant() && right.constant(),
            Self::Held(held) => held.condition.constant(),
        }
    }
}

impl Number {
    fn reads(&self, slots: &mut Vec<u16>) {
        match self {
            Self::Constant(_) | Self::Attribute(_) => {}
            Self::Slot(slot) => slots.push(*slot),
            Self::Negate(inner) => inner.reads(slots),
            Self::Calculate(_, both) => {
                both.0.reads(slots);
                both.1.reads(slots);
            }
        }
    }

    fn constant(&self) -> bool {
        match self {
            Self::Constant(_) => true,
            Self::Slot(_) | Self::Attribute(_) => false,
            Self::Negate(inner) => inner.constant(),
            Self::Calculate(_, both) => both.0.constant() && both.1.constant(),
        }
    }
}

impl Words {
    const fn slot(&self) -> Option<u16> {
        match self {
            Self::Slot(slot) => Some(*slot),
            Self::Constant(_) | Self::Attribute(_) => None,
        }
    }
}
