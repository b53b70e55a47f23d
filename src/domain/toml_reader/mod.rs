//! Reads a TOML text that a person wrote and reports every fault in it, not only the first.
//!
//! A `Document` is parsed with recovery; a `Section` is one table of it, asked key by key; a `Field` is one value,
//! asked for a type and a limit. Whatever is wrong goes into `Faults` with its place, and reading goes on. It reads no
//! file and no environment: texts and overrides are handed in. Nothing here knows what a rule or a setting is.
//!
//! Start with `Document::parse`, then `Section`; the tests at the end of `section` show a whole reading.

mod document;
mod field;
mod literal;
mod section;

pub use document::{Document, Faults, Override};
pub use field::{Field, Scalar, Text};
pub use section::Section;
