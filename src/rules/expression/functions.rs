//! The register of functions: one entry each, with parameters, answer, memory, deadline, and how a call is built.

use super::call::{Aggregate, Asked, Operation};
use super::estimates::ESTIMATES;
use super::form::{Condition, Number};
use super::unit::Unit;
use crate::domain::event::TurnedBy;
use crate::domain::time::Span;
use crate::rules::panes;
use crate::rules::question::{Ahead, Followed};

/// What stands at one place between a function's brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameter {
    Condition,
    /// A condition that reads a property: it is asked at each measurement.
    MeasuredCondition,
    /// A number that reads a property.
    MeasuredNumber,
    /// The name of a property, of any type.
    Property,
    LengthOfTime,
    /// The name of a shift, in quotes.
    Shift,
    /// Not written: the property `fill`, which an estimator follows.
    Fill,
    /// The name of a zone, in quotes, whose pressure an estimator follows.
    Zone,
    /// A length of time in quotes, or `next_service()`.
    Ahead,
}

/// An argument after lowering, as its parameter asks.
pub(super) enum Argument {
    Condition(Condition, Box<[u16]>),
    Number(Number, Unit),
    Property(u16),
    LengthOfTime(Span),
    Shift(u16),
    Followed(Followed),
    Ahead(Ahead),
}

/// What a call answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gives {
    Truth,
    /// A number without dimension, such as a count.
    Count,
    /// A number in the unit of the first argument.
    Same,
    /// A number in the unit of the first argument, for each hour.
    PerHour,
    LengthOfTime,
    /// A number of minutes, of load and not of the clock.
    Minutes,
}

pub(super) struct Function {
    pub name: &'static str,
    pub parameters: &'static [Parameter],
    pub gives: Gives,
    /// Words of 8 bytes that each call remembers for each asset.
    pub words: usize,
    /// Why the answer may turn without a message.
    pub turned_by: Option<TurnedBy>,
    /// A call as it is written, for suggestions.
    pub example: &'static str,
    /// `None` when the arguments are not those of `parameters`, which lowering has seen to.
    pub build: fn(Arguments) -> Option<Operation>,
}

/// The arguments of a call, taken one after the other.
pub(super) struct Arguments(std::vec::IntoIter<Argument>);

const FUNCTIONS: [Function; 13] = [
    Function {
        name: "age",
        parameters: &[Parameter::Property],
        gives: Gives::LengthOfTime,
        words: 0,
        turned_by: Some(TurnedBy::Age),
        example: "age(fill) > \"12h\"",
        build: |mut arguments| Some(Operation::Age { slot: arguments.property()? }),
    },
    Function {
        name: "avg",
        parameters: &[Parameter::MeasuredNumber, Parameter::LengthOfTime],
        gives: Gives::Same,
        words: panes::words(2),
        turned_by: Some(TurnedBy::Window),
        example: "avg(fill, \"15m\") > 0.8",
        build: |arguments| window(arguments, Aggregate::Average),
    },
    Function {
        name: "changed",
        parameters: &[Parameter::Property],
        gives: Gives::Truth,
        words: 3,
        turned_by: None,
        example: "changed(fill)",
        build: |mut arguments| Some(Operation::Changed { slot: arguments.property()? }),
    },
    Function {
        name: "count",
        parameters: &[Parameter::MeasuredCondition, Parameter::LengthOfTime],
        gives: Gives::Count,
        words: 1 + panes::words(1),
        turned_by: Some(TurnedBy::Window),
        example: "count(fill >= 0.8, \"1h\") >= 3",
        build: |mut arguments| {
            Some(Operation::Count { condition: arguments.condition()?.0, window: arguments.length_of_time()? })
        },
    },
    Function {
        name: "delta",
        parameters: &[Parameter::MeasuredNumber],
        gives: Gives::Same,
        words: 3,
        turned_by: None,
        example: "delta(fill) > 0.1",
        build: |mut arguments| Some(Operation::Delta { number: arguments.number()? }),
    },
    Function {
        name: "held",
        parameters: &[Parameter::Condition, Parameter::LengthOfTime],
        gives: Gives::Truth,
        words: 2,
        turned_by: Some(TurnedBy::Held),
        example: "held(fill >= 0.8, \"10m\")",
        build: |mut arguments| {
            Some(Operation::Held { condition: arguments.condition()?.0, wait_for: arguments.length_of_time()? })
        },
    },
    Function {
        name: "in_shift",
        parameters: &[Parameter::Shift],
        gives: Gives::Truth,
        words: 0,
        turned_by: Some(TurnedBy::Shift),
        example: "in_shift(\"night\")",
        build: |mut arguments| Some(Operation::InShift { shift: arguments.shift()? }),
    },
    Function {
        name: "max",
        parameters: &[Parameter::MeasuredNumber, Parameter::LengthOfTime],
        gives: Gives::Same,
        words: panes::words(1),
        turned_by: Some(TurnedBy::Window),
        example: "max(fill, \"15m\") > 0.8",
        build: |arguments| window(arguments, Aggregate::Greatest),
    },
    Function {
        name: "min",
        parameters: &[Parameter::MeasuredNumber, Parameter::LengthOfTime],
        gives: Gives::Same,
        words: panes::words(1),
        turned_by: Some(TurnedBy::Window),
        example: "min(fill, \"15m\") > 0.8",
        build: |arguments| window(arguments, Aggregate::Least),
    },
    Function {
        name: "next_service",
        parameters: &[],
        gives: Gives::LengthOfTime,
        words: 0,
        turned_by: Some(TurnedBy::Service),
        example: "next_service() < \"12h\"",
        build: |_| Some(Operation::NextService),
    },
    Function {
        name: "rate",
        parameters: &[Parameter::MeasuredNumber, Parameter::LengthOfTime],
        gives: Gives::PerHour,
        words: 2 + panes::words(2),
        turned_by: Some(TurnedBy::Window),
        example: "rate(fill, \"6h\") > 0.1",
        build: |mut arguments| {
            Some(Operation::Rate { number: arguments.number()?, window: arguments.length_of_time()? })
        },
    },
    Function {
        name: "silent",
        parameters: &[],
        gives: Gives::Truth,
        words: 0,
        turned_by: None,
        example: "silent()",
        build: |_| Some(Operation::Silent),
    },
    Function {
        name: "then",
        parameters: &[Parameter::MeasuredCondition, Parameter::MeasuredCondition, Parameter::LengthOfTime],
        gives: Gives::Truth,
        words: 2,
        turned_by: Some(TurnedBy::Sequence),
        example: "then(fill >= 0.8, fill < 0.2, \"5m\")",
        build: |mut arguments| {
            let (first, second) = (arguments.condition()?, arguments.condition()?);
            Some(Operation::Then { first, second, within: arguments.length_of_time()? })
        },
    },
];

pub(super) fn find(name: &str) -> Option<&'static Function> {
    all().find(|function| function.name == name)
}

/// Every function that can be called.
pub(super) fn all() -> impl Iterator<Item = &'static Function> {
    const { &FUNCTIONS }.iter().chain(const { &ESTIMATES })
}

fn window(mut arguments: Arguments, aggregate: Aggregate) -> Option<Operation> {
    Some(Operation::Window { aggregate, number: arguments.number()?, window: arguments.length_of_time()? })
}

impl Arguments {
    pub fn new(arguments: Vec<Argument>) -> Self {
        Self(arguments.into_iter())
    }

    fn condition(&mut self) -> Option<Asked> {
        if let Argument::Condition(condition, reads) = self.0.next()? { Some((condition, reads)) } else { None }
    }

    fn number(&mut self) -> Option<Number> {
        if let Argument::Number(number, _) = self.0.next()? { Some(number) } else { None }
    }

    fn property(&mut self) -> Option<u16> {
        if let Argument::Property(slot) = self.0.next()? { Some(slot) } else { None }
    }

    fn shift(&mut self) -> Option<u16> {
        if let Argument::Shift(place) = self.0.next()? { Some(place) } else { None }
    }

    pub fn followed(&mut self) -> Option<Followed> {
        if let Argument::Followed(followed) = self.0.next()? { Some(followed) } else { None }
    }

    pub fn ahead(&mut self) -> Option<Ahead> {
        if let Argument::Ahead(ahead) = self.0.next()? { Some(ahead) } else { None }
    }

    fn length_of_time(&mut self) -> Option<Span> {
        if let Argument::LengthOfTime(span) = self.0.next()? { Some(span) } else { None }
    }
}
