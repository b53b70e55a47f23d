//! What a rule says about an asset at one moment, taken apart: each part of its conditions with its own answer.
//!
//! Every part is asked of the evaluator that decides (`evaluate`), with a copy of the rule's memory and nothing that a
//! message brings: it shows what is known, and changes nothing. Here nothing is decided, and nothing is worded for a
//! person but the conditions themselves. Start with `Rule::explain`.

use super::evaluate::{Evaluation, Inputs, Moment, Sample};
use super::expression::{Arithmetic, Call, Comparison, Condition, Number, Operation, Words};
use super::limits::CALLS_MAX;
use super::memory::{Memory, moment};
use super::outcome::Outcome;
use super::question::{About, Question};
use super::rule::Rule;
use super::truth::Truth;
use super::vocabulary::SlotLayout;
use crate::domain::ids::PropertyName;
use crate::domain::observation::Value;
use crate::domain::time::{Span, Timestamp};
use smol_str::SmolStr;

/// The conditions of a rule, each taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    pub evaluation: Evaluation,
    pub when: Part,
    pub unless: Option<Part>,
    pub normal_when: Option<Part>,
}

/// One part of a condition, and what it answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// As it reads: `fill >= 0.8`.
    pub source: String,
    pub form: Form,
    pub answer: Answer,
    /// What a number is a number of.
    pub measure: Measure,
    /// When a waiting time began.
    pub begun_at: Option<Timestamp>,
    /// When the answer may change without a message.
    pub turns_at: Option<Timestamp>,
    pub parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// True when all of its parts are.
    All,
    /// True when one of its parts is.
    Any,
    Not,
    /// Two numbers, and the sign between them.
    Compare(&'static str),
    /// Two texts, or two conditions, that are the same.
    Same,
    /// The newest value of a property; none when it was never observed.
    Property(PropertyName, Option<Sample>),
    Attribute(SmolStr),
    Constant,
    Calculation,
    /// `held(…)`, with its waiting time.
    Held(Span),
    Silent,
    /// What an estimator of the asset is asked.
    Estimate(About),
    /// Any other call.
    Call,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Truth(Truth),
    Number(f64),
    /// It is only known that the number is not less.
    AtLeast(f64),
    Words(SmolStr),
    /// A number or text that is not known.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measure {
    Plain,
    /// A probability, 0 to 1.
    Share,
    /// Microseconds.
    LengthOfTime,
    /// It is in the unit of this property.
    Of(PropertyName),
}

impl Rule {
    /// The rule's conditions at `inputs.now`, part by part. `inputs.fresh` and `inputs.earlier` play no part: what a
    /// message brought is in `memory` and among the values already.
    #[must_use]
    pub fn explain(&self, inputs: &Inputs<'_>, memory: &Memory, layout: &SlotLayout) -> Explanation {
        let inputs = &Inputs { fresh: &[], earlier: &[], ..*inputs };
        let evaluation = self.evaluate(inputs, &mut memory.clone());
        let (mut memory, mut outcomes) = (memory.clone(), [Outcome::UNKNOWN; CALLS_MAX]);
        let words = memory.shaped(self.words());
        self.work_out_calls(inputs, words, &mut outcomes);
        let calls = &self.lowered.calls;
        let begun = |call: &Call| {
            let held = matches!(call.operation, Operation::Held { .. });
            words.get(call.memory.clone()).filter(|_| held)?.last().and_then(|word| moment(*word))
        };
        let begun_at: Vec<_> = calls.iter().map(begun).collect();
        let mut asking = Asking {
            moment: Moment::after(inputs, &outcomes),
            inputs,
            outcomes: &outcomes,
            calls,
            begun_at: &begun_at,
            layout,
        };
        Explanation {
            evaluation,
            when: asking.condition(&self.lowered.when),
            unless: self.lowered.unless.as_ref().map(|unless| asking.condition(unless)),
            normal_when: self.lowered.normal_when.as_ref().map(|normal| asking.condition(normal)),
        }
    }
}

/// By what conditions are joined.
#[derive(Clone, Copy)]
enum Joined {
    And,
    Or,
}

/// Asks the evaluator for one part after the other.
struct Asking<'a, 'm> {
    moment: Moment<'a, 'm>,
    inputs: &'a Inputs<'a>,
    outcomes: &'m [Outcome],
    calls: &'a [Call],
    begun_at: &'m [Option<Timestamp>],
    layout: &'a SlotLayout,
}

impl<'a> Asking<'a, '_> {
    fn condition(&mut self, condition: &'a Condition) -> Part {
        let answer = Answer::Truth(self.moment.truth(condition));
        let (form, parts) = match condition {
            Condition::Constant(_) => (Form::Constant, Vec::new()),
            Condition::Slot(slot) => (self.property(*slot), Vec::new()),
            Condition::Attribute(name) => (Form::Attribute(name.clone()), Vec::new()),
            Condition::Call(place) => return self.call(*place, answer),
            Condition::Not(inner) => (Form::Not, vec![self.condition(inner)]),
            Condition::And(_) => (Form::All, self.flat(condition, Joined::And)),
            Condition::Or(_) => (Form::Any, self.flat(condition, Joined::Or)),
            Condition::Same(both) => (Form::Same, vec![self.condition(&both.0), self.condition(&both.1)]),
            Condition::SameWords(left, right) => (Form::Same, vec![self.words(left), self.words(right)]),
            Condition::Compare(comparison, left, right) => (Form::Compare(comparison.sign()), self.both(left, right)),
        };
        let source = self.source(condition);
        Part { source, form, answer, measure: Measure::Plain, begun_at: None, turns_at: None, parts }
    }

    /// `a && b && c` has three parts.
    fn flat(&mut self, condition: &'a Condition, joined: Joined) -> Vec<Part> {
        let ((Condition::And(both), Joined::And) | (Condition::Or(both), Joined::Or)) = (condition, joined) else {
            return vec![self.condition(condition)];
        };
        let mut parts = self.flat(&both.0, joined);
        parts.extend(self.flat(&both.1, joined));
        parts
    }

    /// Two numbers that meet: what one is a number of, the other is too.
    fn both(&mut self, left: &'a Number, right: &'a Number) -> Vec<Part> {
        let measure = match (self.measure(left), self.measure(right)) {
            (Measure::Plain, other) => other,
            (known, _) => known,
        };
        vec![self.number(left, &measure), self.number(right, &measure)]
    }

    fn number(&mut self, number: &'a Number, measure: &Measure) -> Part {
        let answer = match self.moment.number(number) {
            Some(reading) if reading.at_least => Answer::AtLeast(reading.value),
            Some(reading) => Answer::Number(reading.value),
            None => Answer::Unknown,
        };
        let (form, parts) = match number {
            Number::Constant(_) => (Form::Constant, Vec::new()),
            Number::Slot(slot) => (self.property(*slot), Vec::new()),
            Number::Attribute(name) => (Form::Attribute(name.clone()), Vec::new()),
            Number::Call(place) => {
                let part = self.call(*place, answer);
                return Part { measure: measure.clone(), ..part };
            }
            Number::Negate(inner) => (Form::Calculation, vec![self.number(inner, measure)]),
            Number::Calculate(_, both) => (Form::Calculation, self.both(&both.0, &both.1)),
        };
        let source = self.number_source(number, measure);
        Part { source, form, answer, measure: measure.clone(), begun_at: None, turns_at: None, parts }
    }

    fn words(&self, words: &'a Words) -> Part {
        let answer = self.moment.words(words).map_or(Answer::Unknown, |text| Answer::Words(SmolStr::new(text)));
        let (form, source) = match words {
            Words::Constant(text) => (Form::Constant, format!("{text:?}")),
            Words::Slot(slot) => (self.property(*slot), self.name(*slot).to_string()),
            Words::Attribute(name) => (Form::Attribute(name.clone()), format!("asset.{name}")),
        };
        Part { source, form, answer, measure: Measure::Plain, begun_at: None, turns_at: None, parts: Vec::new() }
    }

    fn call(&mut self, place: u16, answer: Answer) -> Part {
        let at = usize::from(place);
        let Some(call) = self.calls.get(at) else { return Part::unknown(answer) };
        let (form, parts) = match &call.operation {
            Operation::Silent => (Form::Silent, Vec::new()),
            Operation::InShift { .. } | Operation::NextService => (Form::Call, Vec::new()),
            Operation::Held { condition, wait_for } => (Form::Held(*wait_for), vec![self.condition(condition)]),
            Operation::Count { condition, .. } => (Form::Call, vec![self.condition(condition)]),
            Operation::Window { number, .. } | Operation::Rate { number, .. } | Operation::Delta { number } => {
                let measure = self.measure(number);
                (Form::Call, vec![self.number(number, &measure)])
            }
            Operation::Changed { slot } | Operation::Age { slot } => (Form::Call, vec![self.slot(*slot)]),
            Operation::Estimate(question) => (Form::Estimate(question.about), vec![self.slot(question.followed.slot)]),
            Operation::Then { first, second, .. } => {
                (Form::Call, vec![self.condition(&first.0), self.condition(&second.0)])
            }
        };
        Part {
            source: call.source.to_string(),
            form,
            answer,
            measure: Measure::Plain,
            begun_at: self.begun_at.get(at).copied().flatten(),
            turns_at: self.outcomes.get(at).and_then(|outcome| outcome.turns_at),
            parts,
        }
    }

    /// A property of any type.
    fn slot(&self, slot: u16) -> Part {
        let answer = match self.moment.sample(slot).map(|sample| &sample.value) {
            Some(Value::Number(number)) => Answer::Number(number.get()),
            Some(Value::Boolean(value)) => Answer::Truth(Truth::from(*value)),
            Some(Value::Text(text)) => Answer::Words(text.clone()),
            None => Answer::Unknown,
        };
        let (source, measure) = (self.name(slot).to_string(), Measure::Of(self.name(slot)));
        Part { source, form: self.property(slot), answer, measure, begun_at: None, turns_at: None, parts: Vec::new() }
    }

    fn property(&self, slot: u16) -> Form {
        Form::Property(self.name(slot), self.inputs.samples.get(usize::from(slot)).cloned().flatten())
    }

    fn name(&self, slot: u16) -> PropertyName {
        self.layout.names().nth(usize::from(slot)).cloned().unwrap_or_else(|| PropertyName::new("?"))
    }

    fn measure(&self, number: &Number) -> Measure {
        match number {
            Number::Constant(_) | Number::Attribute(_) => Measure::Plain,
            Number::Slot(slot) => Measure::Of(self.name(*slot)),
            Number::Call(place) => match self.calls.get(usize::from(*place)) {
                Some(call) if call.gives_length_of_time() => Measure::LengthOfTime,
                Some(Call { operation: Operation::Window { number, .. } | Operation::Delta { number }, .. }) => {
                    self.measure(number)
                }
                Some(Call { operation: Operation::Estimate(Question { about: About::Overflow(_), .. }), .. }) => {
                    Measure::Share
                }
                Some(_) | None => Measure::Plain,
            },
            Number::Negate(inner) => self.measure(inner),
            Number::Calculate(Arithmetic::Add | Arithmetic::Subtract, both) => match self.measure(&both.0) {
                Measure::Plain => self.measure(&both.1),
                known @ (Measure::Share | Measure::LengthOfTime | Measure::Of(_)) => known,
            },
            // A share of something is in the unit of that; everything else is a unit of its own.
            Number::Calculate(Arithmetic::Multiply, both) => match (self.measure(&both.0), self.measure(&both.1)) {
                (Measure::Plain, known) | (known, Measure::Plain) => known,
                (Measure::Share | Measure::LengthOfTime | Measure::Of(_), _) => Measure::Plain,
            },
            Number::Calculate(Arithmetic::Divide, both) => match self.measure(&both.1) {
                Measure::Plain => self.measure(&both.0),
                Measure::Share | Measure::LengthOfTime | Measure::Of(_) => Measure::Plain,
            },
        }
    }

    fn source(&self, condition: &Condition) -> String {
        match condition {
            Condition::Constant(value) => value.to_string(),
            Condition::Slot(slot) => self.name(*slot).to_string(),
            Condition::Attribute(name) => format!("asset.{name}"),
            Condition::Call(place) => self.call_source(*place),
            Condition::Not(inner) => match &**inner {
                Condition::Same(both) => format!("{} != {}", self.bracketed(&both.0), self.bracketed(&both.1)),
                Condition::SameWords(left, right) => {
                    format!("{} != {}", self.words(left).source, self.words(right).source)
                }
                Condition::Constant(_)
                | Condition::Slot(_)
                | Condition::Attribute(_)
                | Condition::Call(_)
                | Condition::Not(_)
                | Condition::And(_)
                | Condition::Or(_)
                | Condition::Compare(..) => format!("!{}", self.bracketed(inner)),
            },
            Condition::And(both) => {
                let side = |part: &Condition| {
                    if matches!(part, Condition::Or(_)) { self.bracketed(part) } else { self.source(part) }
                };
                format!("{} && {}", side(&both.0), side(&both.1))
            }
            Condition::Or(both) => format!("{} || {}", self.source(&both.0), self.source(&both.1)),
            Condition::Same(both) => format!("{} == {}", self.bracketed(&both.0), self.bracketed(&both.1)),
            Condition::SameWords(left, right) => {
                format!("{} == {}", self.words(left).source, self.words(right).source)
            }
            Condition::Compare(comparison, left, right) => {
                let measure = match (self.measure(left), self.measure(right)) {
                    (Measure::Plain, other) => other,
                    (known, _) => known,
                };
                let (left, right) = (self.number_source(left, &measure), self.number_source(right, &measure));
                format!("{left} {} {right}", comparison.sign())
            }
        }
    }

    fn bracketed(&self, condition: &Condition) -> String {
        match condition {
            Condition::Constant(_) | Condition::Slot(_) | Condition::Attribute(_) | Condition::Call(_) => {
                self.source(condition)
            }
            Condition::Not(_)
            | Condition::And(_)
            | Condition::Or(_)
            | Condition::Same(_)
            | Condition::SameWords(..)
            | Condition::Compare(..) => format!("({})", self.source(condition)),
        }
    }

    fn number_source(&self, number: &Number, measure: &Measure) -> String {
        match number {
            Number::Constant(micros) if *measure == Measure::LengthOfTime => {
                format!("\"{}\"", Span::from_micros(*micros as i64))
            }
            Number::Constant(value) => value.to_string(),
            Number::Slot(slot) => self.name(*slot).to_string(),
            Number::Attribute(name) => format!("asset.{name}"),
            Number::Call(place) => self.call_source(*place),
            Number::Negate(inner) => format!("-{}", self.factor(inner, measure)),
            Number::Calculate(arithmetic @ (Arithmetic::Add | Arithmetic::Subtract), both) => {
                let (left, right) = (self.number_source(&both.0, measure), self.factor(&both.1, measure));
                format!("{left} {} {right}", arithmetic.sign())
            }
            // What stands beside a length of time in a product is a bare number.
            Number::Calculate(arithmetic @ (Arithmetic::Multiply | Arithmetic::Divide), both) => {
                let (left, right) = (self.factor(&both.0, &Measure::Plain), self.factor(&both.1, &Measure::Plain));
                format!("{left} {} {right}", arithmetic.sign())
            }
        }
    }

    fn factor(&self, number: &Number, measure: &Measure) -> String {
        let source = self.number_source(number, measure);
        let sum = matches!(number, Number::Calculate(Arithmetic::Add | Arithmetic::Subtract, _));
        if sum { format!("({source})") } else { source }
    }

    fn call_source(&self, place: u16) -> String {
        self.calls.get(usize::from(place)).map_or_else(|| "?".to_owned(), |call| call.source.to_string())
    }
}

impl Part {
    fn unknown(answer: Answer) -> Self {
        let (source, form, measure) = ("?".to_owned(), Form::Call, Measure::Plain);
        Self { source, form, answer, measure, begun_at: None, turns_at: None, parts: Vec::new() }
    }

    /// What a condition answers; unknown of what is none.
    #[must_use]
    pub const fn truth(&self) -> Truth {
        match &self.answer {
            Answer::Truth(truth) => *truth,
            Answer::Number(_) | Answer::AtLeast(_) | Answer::Words(_) | Answer::Unknown => Truth::Unknown,
        }
    }

    /// Whether it tells what was measured: a property, or a number or text made of one.
    #[must_use]
    pub fn measured(&self) -> bool {
        let mut reads = false;
        self.walk(&mut |part| reads |= matches!(part.form, Form::Property(..)));
        let told = !matches!(self.answer, Answer::Truth(_)) || matches!(self.form, Form::Property(..));
        reads && told
    }

    /// This part and all parts of it, outer ones first.
    pub fn walk<'a>(&'a self, each: &mut impl FnMut(&'a Self)) {
        each(self);
        self.parts.iter().for_each(|part| part.walk(each));
    }
}

impl Explanation {
    /// The conditions by the names they have in a rule's file.
    pub fn conditions(&self) -> impl Iterator<Item = (&'static str, &Part)> {
        let others = [("unless", &self.unless), ("normal_when", &self.normal_when)];
        let others = others.into_iter().filter_map(|(name, part)| Some((name, part.as_ref()?)));
        std::iter::once(("when", &self.when)).chain(others)
    }
}

impl Comparison {
    const fn sign(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

impl Arithmetic {
    const fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
        }
    }
}
