//! One rule, one asset, one moment: the verdict.
//!
//! Three-valued (Kleene): a value never observed, an attribute the asset does not have and a calculation without a
//! finite result are unknown, and unknown is neither true nor false. Both sides of `&&` and `||` are always
//! evaluated, because a `held` in the second must see every moment. Start with `Rule::evaluate`.

use super::expression::{Arithmetic, Comparison, Condition, Held, Number, Words};
use super::memory::{HeldCell, Memory};
use super::rule::Rule;
use crate::domain::observation::Value;
use crate::domain::time::Timestamp;
use smol_str::SmolStr;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// The newest value of one property of one asset.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub value: Value,
    pub observed_at: Timestamp,
    pub received_at: Timestamp,
}

/// Everything a verdict depends on, besides the rule's own memory.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// By slot; `None` for a property never observed. Slots beyond the end count as never observed.
    pub samples: &'a [Option<Sample>],
    /// The asset's attributes, read as `asset.<name>`.
    pub attributes: &'a BTreeMap<SmolStr, Value>,
    /// The asset's sensor is silent.
    pub silent: bool,
    pub now: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    True,
    False,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evaluation {
    pub when: Truth,
    /// `None` when the rule names no `normal_when`: it is then normal when `when` is not true.
    pub normal_when: Option<Truth>,
    /// `False` when the rule names no `unless`.
    pub unless: Truth,
    /// The earliest moment at which a `held` turns true if no message arrives, and the number of its cell.
    pub wake: Option<(u16, Timestamp)>,
}

impl Rule {
    /// The verdict at `inputs.now`; `memory` is what the same rule remembers about the same asset.
    pub fn evaluate(&self, inputs: &Inputs<'_>, memory: &mut Memory) -> Evaluation {
        let mut moment = Moment { inputs, cells: memory.shaped(usize::from(self.cells())), wake: None };
        let when = moment.truth(&self.lowered.when);
        let unless = self.lowered.unless.as_ref().map_or(Truth::False, |unless| moment.truth(unless));
        let normal_when = self.lowered.normal_when.as_ref().map(|normal| moment.truth(normal));
        Evaluation { when, normal_when, unless, wake: moment.wake }
    }
}

struct Moment<'a, 'm> {
    inputs: &'a Inputs<'a>,
    cells: &'m mut [HeldCell],
    wake: Option<(u16, Timestamp)>,
}

impl<'a> Moment<'a, '_> {
    fn truth(&mut self, condition: &'a Condition) -> Truth {
        match condition {
            Condition::Constant(value) => Truth::from(*value),
            Condition::Slot(slot) => boolean(self.value(*slot)),
            Condition::Attribute(name) => boolean(self.inputs.attributes.get(name)),
            Condition::Silent => Truth::from(self.inputs.silent),
            Condition::Not(inner) => self.truth(inner).not(),
            Condition::And(both) => {
                let left = self.truth(&both.0);
                left.and(self.truth(&both.1))
            }
            Condition::Or(both) => {
                let left = self.truth(&both.0);
                left.or(self.truth(&both.1))
            }
            Condition::Same(both) => {
                let left = self.truth(&both.0);
                left.same(self.truth(&both.1))
            }
            Condition::SameWords(left, right) => match (self.words(left), self.words(right)) {
                (Some(left), Some(right)) => Truth::from(left == right),
                (None, _) | (_, None) => Truth::Unknown,
            },
            Condition::Compare(comparison, left, right) => match (self.number(left), self.number(right)) {
                (Some(left), Some(right)) => {
                    left.partial_cmp(&right).map_or(Truth::Unknown, |order| Truth::from(comparison.accepts(order)))
                }
                (None, _) | (_, None) => Truth::Unknown,
            },
            Condition::Held(held) => self.held(held),
        }
    }

    /// True once the condition has been true for `wait_for`: either the values themselves span that time, however late
    /// they came in, or that time has passed here since we learned of it and nothing contradicted.
    fn held(&mut self, held: &'a Held) -> Truth {
        let truth = self.truth(&held.condition);
        let newest = held.reads.iter().filter_map(|slot| self.sample(*slot)).map(|sample| sample.observed_at).max();
        let now = self.inputs.now;
        let Some(cell) = self.cells.get_mut(usize::from(held.cell)) else { return Truth::Unknown };
        if truth != Truth::True {
            *cell = HeldCell::default();
            return truth;
        }
        let (since_received, since_observed) = match cell.since_received {
            Some(since) => (since, cell.since_observed),
            None => (now, newest),
        };
        *cell = HeldCell { since_observed, since_received: Some(since_received) };
        let shown = newest.zip(since_observed).is_some_and(|(newest, since)| newest.since(since) >= held.wait_for);
        let ripe_at = since_received + held.wait_for;
        if shown || now >= ripe_at {
            return Truth::True;
        }
        if self.wake.is_none_or(|(_, at)| ripe_at < at) {
            self.wake = Some((held.cell, ripe_at));
        }
        Truth::False
    }

    fn number(&self, number: &Number) -> Option<f64> {
        match number {
            Number::Constant(value) => Some(*value),
            Number::Slot(slot) => as_number(self.value(*slot)),
            Number::Attribute(name) => as_number(self.inputs.attributes.get(name)),
            Number::Negate(inner) => self.number(inner).map(|value| -value),
            Number::Calculate(arithmetic, both) => {
                let result = arithmetic.apply(self.number(&both.0)?, self.number(&both.1)?);
                result.is_finite().then_some(result)
            }
        }
    }

    fn words(&self, words: &'a Words) -> Option<&'a str> {
        match words {
            Words::Constant(text) => Some(text),
            Words::Slot(slot) => as_text(self.value(*slot)),
            Words::Attribute(name) => as_text(self.inputs.attributes.get(name)),
        }
    }

    fn sample(&self, slot: u16) -> Option<&'a Sample> {
        self.inputs.samples.get(usize::from(slot))?.as_ref()
    }

    fn value(&self, slot: u16) -> Option<&'a Value> {
        self.sample(slot).map(|sample| &sample.value)
    }
}

const fn boolean(value: Option<&Value>) -> Truth {
    match value {
        Some(Value::Boolean(true)) => Truth::True,
        Some(Value::Boolean(false)) => Truth::False,
        Some(Value::Number(_) | Value::Text(_)) | None => Truth::Unknown,
    }
}

const fn as_number(value: Option<&Value>) -> Option<f64> {
    match value {
        Some(Value::Number(number)) => Some(number.get()),
        Some(Value::Boolean(_) | Value::Text(_)) | None => None,
    }
}

fn as_text(value: Option<&Value>) -> Option<&str> {
    match value {
        Some(Value::Text(text)) => Some(text),
        Some(Value::Boolean(_) | Value::Number(_)) | None => None,
    }
}

impl Truth {
    #[must_use]
    pub const fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }

    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, Self::True) => Self::True,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
        }
    }

    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        self.not().and(other.not()).not()
    }

    const fn same(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::True, Self::True) | (Self::False, Self::False) => Self::True,
            (Self::True, Self::False) | (Self::False, Self::True) => Self::False,
        }
    }
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

impl Comparison {
    const fn accepts(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

impl Arithmetic {
    fn apply(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
        }
    }
}
