//! The language of conditions: CEL syntax, our own meaning.
//!
//! `parse` hands the text to the parser of crate `cel` and keeps to its limits; `lower` gives every name a slot and
//! every part a type, comparisons in `compare`, arithmetic in `calculate`, calls in `calling`; `functions` is the register of callable functions, with those that ask an
//! estimator in `estimates`;
//! `form` and `call` are what the evaluation runs on.
//! A further function is one entry in `functions` and one variant of `Operation`.

mod calculate;
mod call;
mod calling;
mod canonical;
mod compare;
mod estimates;
mod form;
mod functions;
mod lower;
mod parse;
mod unit;

pub(super) use call::{Aggregate, Asked, Call, Operation};
pub(super) use form::{Arithmetic, Comparison, Condition, Number, Reads, Words};
pub(super) use lower::{Lowering, check_syntax, lower};
pub use unit::in_unit;
