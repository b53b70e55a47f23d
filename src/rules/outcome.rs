//! What a call answers at one moment, and how that goes on while no message comes.
//!
//! Calls of rules make them in `operations`; what an estimator answers is handed in by the engine.

use super::truth::Truth;
use crate::domain::time::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// A number, 1 for true and 0 for false; not a number when unknown.
    pub value: f64,
    /// When the answer may change without a message, otherwise than `drift` and `fades` say.
    pub turns_at: Option<Timestamp>,
    /// How much the number grows with every microsecond.
    pub drift: f64,
    /// The share of itself that the number loses with every microsecond, without ever reaching zero.
    pub fades: f64,
    /// The number is the least it can be.
    pub at_least: bool,
    /// Without a message the number can only fall.
    pub falls: bool,
    /// Without a message the number can only rise.
    pub rises: bool,
    /// Without a message the answer can only become unknown.
    pub loses: bool,
}

impl Outcome {
    pub const UNKNOWN: Self = Self {
        value: f64::NAN,
        turns_at: None,
        drift: 0.0,
        fades: 0.0,
        at_least: false,
        falls: false,
        rises: false,
        loses: false,
    };

    #[must_use]
    pub const fn number(value: f64) -> Self {
        Self { value, ..Self::UNKNOWN }
    }

    #[must_use]
    pub const fn truth(truth: Truth) -> Self {
        let value = match truth {
            Truth::True => 1.0,
            Truth::False => 0.0,
            Truth::Unknown => f64::NAN,
        };
        Self::number(value)
    }

    #[must_use]
    pub const fn turning(self, at: Timestamp) -> Self {
        Self { turns_at: Some(at), ..self }
    }
}
