//! The register of functions: name, parameters, what each costs in memory, and how a call is built.

use super::form::{Condition, Held};
use crate::domain::time::Span;

/// What stands at one place between a function's brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameter {
    Condition,
    LengthOfTime,
}

/// An argument after lowering, as its parameter asks.
pub(super) enum Argument {
    Condition(Condition),
    LengthOfTime(Span),
}

pub(super) struct Function {
    pub name: &'static str,
    pub parameters: &'static [Parameter],
    /// A call as it is written, for suggestions.
    pub example: &'static str,
    /// Whether each call needs a cell of memory.
    pub stateful: bool,
    /// Builds the call from its arguments; `cell` is its cell if it is stateful.
    pub build: fn(arguments: Vec<Argument>, cell: u16) -> Option<Condition>,
}

pub(super) const FUNCTIONS: [Function; 2] = [
    Function {
        name: "held",
        parameters: &[Parameter::Condition, Parameter::LengthOfTime],
        example: "held(fill >= 0.8, \"10m\")",
        stateful: true,
        build: held,
    },
    Function {
        name: "silent",
        parameters: &[],
        example: "silent()",
        stateful: false,
        build: |_, _| Some(Condition::Silent),
    },
];

pub(super) fn find(name: &str) -> Option<&'static Function> {
    const { &FUNCTIONS }.iter().find(|function| function.name == name)
}

fn held(arguments: Vec<Argument>, cell: u16) -> Option<Condition> {
    let mut arguments = arguments.into_iter();
    let (Some(Argument::Condition(condition)), Some(Argument::LengthOfTime(wait_for))) =
        (arguments.next(), arguments.next())
    else {
        return None;
    };
    let mut reads = Vec::new();
    condition.reads(&mut reads);
    reads.sort_unstable();
    reads.dedup();
    Some(Condition::Held(Box::new(Held { cell, condition, wait_for, reads: reads.into_boxed_slice() })))
}
