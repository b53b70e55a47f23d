//! One rule, one asset, one moment: the verdict.
//!
//! Three-valued: a value never observed, an attribute the asset does not have and a calculation without a finite result
//! are unknown. First every call is worked out, inner ones before those they stand in, so that a `held` sees every
//! moment; then the conditions, which look no further than they must. Nothing is allocated on the way.
//! While an answer is found, it is noted when it may change without a message.
//! Start with `Rule::evaluate`; what each call does is in `operations`.

use super::expression::{Arithmetic, Comparison, Condition, Number, Words};
use super::limits::CALLS_MAX;
use super::memory::Memory;
use super::outcome::Outcome;
use super::question::Question;
use super::rule::Rule;
use super::truth::Truth;
use crate::domain::asset::Asset;
use crate::domain::calendar::Calendars;
use crate::domain::observation::Value;
use crate::domain::time::{Span, Timestamp};
use std::cmp::Ordering;

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
    /// The slots whose newest value the message has brought; empty when there is none.
    pub fresh: &'a [u16],
    /// Values that the message has brought and that are not the newest of their slot, in order of time.
    pub earlier: &'a [(u16, Sample)],
    /// Whose attributes are read as `asset.<name>`, and whose route is served.
    pub asset: &'a Asset,
    pub calendars: Option<&'a Calendars>,
    /// What the estimators answer to each question that the rules for the asset's kind ask.
    pub estimates: &'a [(Question, Outcome)],
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
        self.evaluate_in(inputs, memory.shaped(self.words()))
    }

    /// The verdict; what the rule remembers stands in these words, as many as it needs.
    pub fn evaluate_in(&self, inputs: &Inputs<'_>, words: &mut [u64]) -> Evaluation {
        match self.lowered.calls.len() {
            0 => self.judge(inputs, words, &mut []),
            1..=4 => self.judge(inputs, words, &mut [Outcome::UNKNOWN; 4]),
            _ => self.judge(inputs, words, &mut [Outcome::UNKNOWN; CALLS_MAX]),
        }
    }

    fn judge(&self, inputs: &Inputs<'_>, words: &mut [u64], outcomes: &mut [Outcome]) -> Evaluation {
        let wake = self.work_out_calls(inputs, words, outcomes);
        let mut moment = Moment { inputs, outcomes, instead: None, thorough: false, wake };
        let when = moment.truth(&self.lowered.when);
        let normal_when = self.lowered.normal_when.as_ref().map(|normal| moment.truth(normal));
        // An alarm may follow when this is no longer known to be true.
        let unless = self.lowered.unless.as_ref();
        let unless = unless.map_or(Truth::False, |unless| moment.thoroughly(|moment| moment.truth(unless)));
        Evaluation { when, normal_when, unless, wake: moment.wake }
    }

    /// Works every call out, inner ones before those they stand in; returns the earliest moment at which one of them may
    /// turn.
    pub(super) fn work_out_calls(
        &self,
        inputs: &Inputs<'_>,
        words: &mut [u64],
        outcomes: &mut [Outcome],
    ) -> Option<(u16, Timestamp)> {
        let mut wake = None;
        for (place, call) in self.lowered.calls.iter().enumerate() {
            let (inner, rest) = outcomes.split_at_mut(place);
            let mut moment = Moment { inputs, outcomes: inner, instead: None, thorough: false, wake };
            let own = words.get_mut(call.memory.clone()).unwrap_or_default();
            let outcome = moment.work_out(call, own);
            wake = moment.wake;
            if let Some(place) = rest.first_mut() {
                *place = outcome;
            }
        }
        wake
    }
}

/// A number at one moment, and how it will change.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    pub value: f64,
    drift: f64,
    fades: f64,
    pub at_least: bool,
    falls: bool,
    rises: bool,
    loses: bool,
    turns_at: Option<Timestamp>,
    /// The call that it turns or drifts by.
    by: u16,
}

impl Reading {
    const fn still(value: f64) -> Self {
        Self {
            value,
            drift: 0.0,
            fades: 0.0,
            at_least: false,
            falls: false,
            rises: false,
            loses: false,
            turns_at: None,
            by: 0,
        }
    }
}

pub(super) struct Moment<'a, 'm> {
    pub inputs: &'a Inputs<'a>,
    /// What the calls before this one answer.
    outcomes: &'m [Outcome],
    /// A value that is read in place of the newest.
    pub instead: Option<(u16, &'a Sample)>,
    /// Whether it matters when an answer becomes unknown.
    thorough: bool,
    wake: Option<(u16, Timestamp)>,
}

/// A number that nothing but a message changes; none while it is not known.
struct Plain(Option<f64>);

impl<'a, 'm> Moment<'a, 'm> {
    /// The moment after all calls have been worked out.
    pub const fn after(inputs: &'a Inputs<'a>, outcomes: &'m [Outcome]) -> Self {
        Self { inputs, outcomes, instead: None, thorough: false, wake: None }
    }

    pub fn truth(&mut self, condition: &'a Condition) -> Truth {
        match condition {
            Condition::Constant(value) => Truth::from(*value),
            Condition::Slot(slot) => boolean(self.value(*slot)),
            Condition::Attribute(name) => boolean(self.inputs.asset.attributes.get(name)),
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
            Condition::Compare(comparison, left, right) => self.compare(*comparison, left, right),
        }
    }

    fn answer(&mut self, place: u16) -> Truth {
        let Some(outcome) = self.outcomes.get(usize::from(place)).copied() else { return Truth::Unknown };
        if let Some(at) = outcome.turns_at
            && (self.thorough || !outcome.loses)
        {
            self.note(place, at);
        }
        if outcome.value.is_nan() { Truth::Unknown } else { Truth::from(outcome.value != 0.0) }
    }

    /// Asks for something whose changes without a message do not matter.
    pub fn quietly<T>(&mut self, ask: impl FnOnce(&mut Self) -> T) -> T {
        let wake = self.wake;
        let answer = ask(self);
        self.wake = wake;
        answer
    }

    /// Asks for something of which it matters when it becomes unknown.
    pub fn thoroughly<T>(&mut self, ask: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.thorough, true);
        let answer = ask(self);
        self.thorough = before;
        answer
    }

    /// The call may turn at this moment: whoever waits is woken then, or before.
    fn note(&mut self, place: u16, at: Timestamp) {
        if self.wake.is_none_or(|(_, earliest)| at < earliest) {
            self.wake = Some((place, at));
        }
    }

    fn compare(&mut self, comparison: Comparison, left: &'a Number, right: &'a Number) -> Truth {
        if let (Some(Plain(left)), Some(Plain(right))) = (self.plain(left), self.plain(right)) {
            let order = left.zip(right).and_then(|(left, right)| left.partial_cmp(&right));
            return order.map_or(Truth::Unknown, |order| Truth::from(comparison.accepts(order)));
        }
        let (left, right) = (self.number(left), self.number(right));
        let (Some(left), Some(right)) = (left, right) else { return Truth::Unknown };
        let Some(order) = left.value.partial_cmp(&right.value) else { return Truth::Unknown };
        let truth = match (left.at_least, right.at_least) {
            (false, false) => Truth::from(comparison.accepts(order)),
            (true, false) => comparison.accepts_at_least(order),
            (false, true) => comparison.mirrored().accepts_at_least(order.reverse()),
            (true, true) => Truth::Unknown,
        };
        for (reading, comparison) in [(left, comparison), (right, comparison.mirrored())] {
            if let Some(at) = reading.turns_at
                && (self.thorough || !reading.loses)
                && !(reading.falls && comparison.settled_for_falling(truth))
                && !(reading.rises && comparison.mirrored().settled_for_falling(truth))
            {
                self.note(reading.by, at);
            }
        }
        if left.fades > 0.0 || right.fades > 0.0 {
            let (fading, still) = if left.fades > 0.0 { (left, right) } else { (right, left) };
            if let Some(after) = fades_to(fading, still.value) {
                self.note(fading.by, self.inputs.now + after);
            }
        }
        let drift = left.drift - right.drift;
        if let Some(after) = comparison.crosses_after(left.value - right.value, drift) {
            let by = if left.drift == 0.0 { right.by } else { left.by };
            self.note(by, self.inputs.now + after);
        }
        truth
    }

    /// The number as it is at this moment; unknown when it is only known to be at least that.
    pub fn still(&mut self, number: &'a Number) -> Option<f64> {
        if let Some(Plain(value)) = self.plain(number) {
            return value;
        }
        self.number(number).filter(|reading| !reading.at_least).map(|reading| reading.value)
    }

    /// A number that only a message can change, and nearly all are: there is nothing to know of it but its value.
    fn plain(&self, number: &'a Number) -> Option<Plain> {
        match number {
            Number::Constant(value) => Some(Plain(Some(*value))),
            Number::Slot(slot) => Some(Plain(as_number(self.value(*slot)))),
            Number::Attribute(name) => Some(Plain(as_number(self.inputs.asset.attributes.get(name)))),
            Number::Call(_) | Number::Negate(_) | Number::Calculate(..) => None,
        }
    }

    pub fn number(&mut self, number: &'a Number) -> Option<Reading> {
        match number {
            Number::Constant(value) => Some(Reading::still(*value)),
            Number::Slot(slot) => as_number(self.value(*slot)).map(Reading::still),
            Number::Attribute(name) => as_number(self.inputs.asset.attributes.get(name)).map(Reading::still),
            Number::Call(place) => {
                let outcome = self.outcomes.get(usize::from(*place)).filter(|outcome| !outcome.value.is_nan())?;
                let Outcome { value, turns_at, drift, fades, at_least, falls, rises, loses } = *outcome;
                Some(Reading { value, drift, fades, at_least, falls, rises, loses, turns_at, by: *place })
            }
            Number::Negate(inner) => {
                let reading = self.number(inner)?;
                self.part(&reading).then(|| Reading {
                    value: -reading.value,
                    drift: -reading.drift,
                    fades: 0.0,
                    falls: false,
                    rises: false,
                    ..reading
                })
            }
            Number::Calculate(arithmetic, both) => {
                let (left, right) = (self.number(&both.0), self.number(&both.1));
                let (left, right) = (left?, right?);
                if !(self.part(&left) & self.part(&right)) {
                    return None;
                }
                let value = arithmetic.apply(left.value, right.value);
                let drift = arithmetic.drift((left.value, left.drift), (right.value, right.drift));
                let first = if right.turns_at.is_some_and(|at| left.turns_at.is_none_or(|other| at < other)) {
                    right
                } else {
                    left
                };
                let by = if left.drift == 0.0 && right.drift != 0.0 { right.by } else { first.by };
                let reading = Reading { value, drift, fades: 0.0, falls: false, rises: false, by, ..first };
                value.is_finite().then_some(reading)
            }
        }
    }

    /// Whether a number can be calculated with. When it is only known to be at least something it cannot, until that
    /// turns.
    fn part(&mut self, reading: &Reading) -> bool {
        if let Some(at) = reading.turns_at.filter(|_| reading.at_least) {
            self.note(reading.by, at);
        }
        !reading.at_least
    }

    pub fn words(&self, words: &'a Words) -> Option<&'a str> {
        match words {
            Words::Constant(text) => Some(text),
            Words::Slot(slot) => as_text(self.value(*slot)),
            Words::Attribute(name) => as_text(self.inputs.asset.attributes.get(name)),
        }
    }

    pub fn sample(&self, slot: u16) -> Option<&'a Sample> {
        if let Some((_, sample)) = self.instead.filter(|(instead, _)| *instead == slot) {
            return Some(sample);
        }
        self.inputs.samples.get(usize::from(slot))?.as_ref()
    }

    fn value(&self, slot: u16) -> Option<&'a Value> {
        self.sample(slot).map(|sample| &sample.value)
    }
}

/// After how long a fading number reaches `level`; `None` when it is there already, or never gets there.
fn fades_to(fading: Reading, level: f64) -> Option<Span> {
    let micros = libm::ceil(libm::log(fading.value / level) / fading.fades);
    (level > 0.0 && fading.value >= level && micros < 1e15).then(|| Span::from_micros((micros as i64).max(1)))
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
    /// The same comparison with its sides changed.
    const fn mirrored(self) -> Self {
        match self {
            Self::Equal | Self::NotEqual => self,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }

    /// The answer when the left side is only known to be at least what was compared.
    fn accepts_at_least(self, order: Ordering) -> Truth {
        match self {
            Self::Greater | Self::GreaterOrEqual if self.accepts(order) => Truth::True,
            Self::Less | Self::LessOrEqual if !self.accepts(order) => Truth::False,
            Self::Equal | Self::NotEqual if order.is_gt() => Truth::from(self == Self::NotEqual),
            Self::Greater | Self::GreaterOrEqual | Self::Less | Self::LessOrEqual | Self::Equal | Self::NotEqual => {
                Truth::Unknown
            }
        }
    }

    /// Whether the answer stays what it is when the left side can only fall.
    fn settled_for_falling(self, truth: Truth) -> bool {
        matches!(
            (self, truth),
            (Self::Greater | Self::GreaterOrEqual, Truth::False) | (Self::Less | Self::LessOrEqual, Truth::True)
        )
    }

    /// After how long the answer changes when the difference of the sides grows by `drift` every microsecond.
    fn crosses_after(self, difference: f64, drift: f64) -> Option<Span> {
        let then = drift.partial_cmp(&0.0).filter(|then| then.is_ne())?;
        let order = difference.partial_cmp(&0.0).filter(|order| *order != then)?;
        let (present, even, later) = (self.accepts(order), self.accepts(Ordering::Equal), self.accepts(then));
        if present == even && present == later {
            return None;
        }
        let micros = (-difference / drift).ceil();
        // Strictly beyond takes one microsecond more than just reaching it.
        let micros = if present == even { micros + 1.0 } else { micros.max(1.0) };
        (micros < 1e15).then(|| Span::from_micros(micros as i64))
    }

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
    /// How much the result grows with every microsecond; lowering lets time be multiplied by what does not drift only.
    fn drift(self, (left, left_drift): (f64, f64), (right, right_drift): (f64, f64)) -> f64 {
        match self {
            Self::Add => left_drift + right_drift,
            Self::Subtract => left_drift - right_drift,
            Self::Multiply => left_drift * right + right_drift * left,
            Self::Divide => left_drift / right,
        }
    }

    fn apply(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
        }
    }
}
