//! The register of functions: one entry each, with parameters, answer, memory, deadline, and how a call is built.

use super::call::Operation;
use super::form::Condition;
use crate::domain::event::TurnedBy;
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

/// What a call answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gives {
    Truth,
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
    pub build: fn(Vec<Argument>) -> Option<Operation>,
}

pub(super) const FUNCTIONS: [Function; 2] = [
    Function {
        name: "held",
        parameters: &[Parameter::Condition, Parameter::LengthOfTime],
        gives: Gives::Truth,
        words: 2,
        turned_by: Some(TurnedBy::Held),
        example: "held(fill >= 0.8, \"10m\")",
        build: held,
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
];

pub(super) fn find(name: &str) -> Option<&'static Function> {
    const { &FUNCTIONS }.iter().find(|function| function.name == name)
}

fn held(arguments: Vec<Argument>) -> Option<Operation> {
    let mut arguments = arguments.into_iter();
    match (arguments.next(), arguments.next()) {
        (Some(Argument::Condition(condition)), Some(Argument::LengthOfTime(wait_for))) => {
            Some(Operation::Held { condition, wait_for })
        }
        _ => None,
    }
}
