//! What a rule says and why, in words: for a person in English or Danish, and for a script.
//!
//! The answers come from the engine, taken apart (`Engine::inspect`); here they are only told. `value` shows numbers,
//! moments and units, `reason` finds the parts that decide and words them, `since` remembers when answers turned,
//! `sentence` is the one sentence about a rule at a moment, `tree` and `wire` show every part.
//!
//! Start with `Telling`.

mod reason;
mod sentence;
mod since;
mod tree;
mod value;
mod wire;

pub use since::Since;
pub use tree::state_lines;
pub use value::{Language, Telling};
pub(in crate::review) use wire::written;
pub use wire::{WirePart, WireState};
