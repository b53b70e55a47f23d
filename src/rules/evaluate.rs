//! One rule, one asset, one moment: the verdict.
//!
//! Three-valued: a value never observed, an attribute the asset does not have and a calculation without a finite result
//! are unknown. First every call is worked out, inner ones before those they stand in, so that a `held` sees every
//! moment; then the conditions, which look no further than they must. Nothing is allocated on the way.
//! Start with `Rule::evaluate`; what each call does is in `operations`.

use super::expression::{Arithmetic, Comparison, Condition, Number, Words};
use super::limits::CALLS_MAX;
use super::memory::Memory;
use super::rule::Rule;
use super::truth::Truth;
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
pub struct Evaluation {
    pub when: Truth,
    /// `None` when the rule names no `normal_when`: it is then normal when `when` is not true.
    pub normal_when: Option<Truth>,
    /// `False` when the rule names no `unless`.
    pub unless: Truth,
    /// The earliest moment at which an answer may change if no message arrives, and the place of the call it is for.
    pub wake: Option<(u16, Timestamp)>,
}

impl Rule {
    /// The verdict at `inputs.now`; `memory` is what the same rule remembers about the same asset.
    pub fn evaluate(&self, inputs: &Inputs<'_>, memory: &mut Memory) -> Evaluation {
        match self.lowered.calls.len() {
            0 => self.judge(inputs, memory, &mut []),
            1..=4 => self.judge(inputs, memory, &mut [Outcome::UNKNOWN; 4]),
            _ => self.judge(inputs, memory, &mut [Outcome::UNKNOWN; CALLS_MAX]),
        }
    }

    fn judge(&self, inputs: &Inputs<'_>, memory: &mut Memory, outcomes: &mut [Outcome]) -> Evaluation {
        let words = memory.shaped(self.words());
        let mut wake = None;
        for (place, call) in self.lowered.calls.iter().enumerate() {
            let (inner, rest) = outcomes.split_at_mut(place);
            let mut moment = Moment { inputs, outcomes: inner, wake };
            let own = words.get_mut(call.memory.clone()).unwrap_or_default();
            let outcome = moment.work_out(call, own);
            wake = moment.wake;
            if let Some(place) = rest.first_mut() {
                *place = outcome;
            }
        }
        let mut moment = Moment { inputs, outcomes, wake };
        let when = moment.truth(&self.lowered.when);
        let unless = self.lowered.unless.as_ref().map_or(Truth::False, |unless| moment.truth(unless));
        let normal_when = self.lowered.normal_when.as_ref().map(|normal| moment.truth(normal));
        Evaluation { when, normal_when, unless, wake: moment.wake }
    }
}

/// What a call answers at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Outcome {
    pub truth: Truth,
    /// When the answer may change without a message.
    pub turns_at: Option<Timestamp>,
}

impl Outcome {
    pub const UNKNOWN: Self = Self { truth: Truth::Unknown, turns_at: None };
}

pub(super) struct Moment<'a, 'm> {
    pub inputs: &'a Inputs<'a>,
    /// What the calls before this one answer.
    outcomes: &'m [Outcome],
    wake: Option<(u16, Timestamp)>,
}

impl<'a> Moment<'a, '_> {
    pub fn truth(&mut self, condition: &'a Condition) -> Truth {
        match condition {
            Condition::Constant(value) => Truth::from(*value),
            Condition::Slot(slot) => boolean(self.value(*slot)),
            Condition::Attribute(name) => boolean(self.inputs.attributes.get(name)),
            Condition::Call(place) => self.answer(*place),
            Condition::Not(inner) => self.truth(inner).not(),
            // What decides alone is enough: until it changes, nothing else can change the answer.
            Condition::And(both) => match self.truth(&both.0) {
                Truth::False => Truth::False,
                left @ (Truth::True | Truth::Unknown) => left.and(self.truth(&both.1)),
            },
            Condition::Or(both) => match self.truth(&both.0) {
                Truth::True => Truth::True,
                left @ (Truth::False | Truth::Unknown) => left.or(self.truth(&both.1)),
            },
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
        }
    }

    fn answer(&mut self, place: u16) -> Truth {
        let Some(outcome) = self.outcomes.get(usize::from(place)).copied() else { return Truth::Unknown };
        if let Some(at) = outcome.turns_at {
            self.note(place, at);
        }
        outcome.truth
    }

    /// The call may turn at this moment: whoever waits is woken then, or before.
    fn note(&mut self, place: u16, at: Timestamp) {
        if self.wake.is_none_or(|(_, earliest)| at < earliest) {
            self.wake = Some((place, at));
        }
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

    pub fn sample(&self, slot: u16) -> Option<&'a Sample> {
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
