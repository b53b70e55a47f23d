//! Rule texts become a checked, typed rule set, and a rule becomes a verdict on one asset at one moment.
//!
//! A rule is a TOML table; its conditions are written in CEL syntax and lowered once, when they are loaded, to a form
//! that reads values by slot number: unknown names and wrong types are faults of the file, never of a running gateway.
//! Pure: no clock, no file, no allocation while evaluating. What an alarm does with a verdict is the engine's matter.
//!
//! Start with `compile` in `set`, then `Rule::evaluate` in `evaluate`; `explain` takes its answer apart; `expression` is the language, which
//! `config/rules/README.md` tells to those who write rules.

mod evaluate;
mod explain;
mod expression;
pub mod limits;
mod memory;
mod operations;
mod outcome;
mod panes;
mod question;
mod reader;
mod rule;
mod set;
mod truth;
mod vocabulary;

#[cfg(test)]
mod tests;

pub use evaluate::{Evaluation, Inputs, Sample};
pub use explain::{Answer, Explanation, Form, Measure, Part};
pub use expression::in_unit;
pub use memory::{CallName, Memory, Remembered};
pub use outcome::Outcome;
pub use question::{About, Ahead, Followed, Happening, Quantity, Question};
pub use rule::{Conditions, Rationalisation, Rule, TaskTemplate, Text, WhenLate};
pub use set::{Became, Budget, ForKind, RuleChange, RuleSet, Shade, compile};
pub use truth::Truth;
pub use vocabulary::{SlotLayout, Vocabulary};
