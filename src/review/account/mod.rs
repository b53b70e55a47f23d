//! What a rule says and why, in words: for a person in English or Danish, and for a script.
//!
//! The answers come from the engine, taken apart (`Engine::inspect`); here they are only told. `value` shows numbers,
//! moments and units, `reason` finds the parts that decide and words them, `estimate` those that are estimated, `since` remembers when answers turned,
//! `sentence` is the one sentence about a rule at a moment, `decision` that about what was decided, `present` that about an alarm that stands, `tree` and `wire` show every part.
//!
//! Start with `Telling`.

mod decision;
mod estimate;
mod present;
mod reason;
mod sentence;
mod since;
mod tree;
mod value;
mod wire;

pub use decision::{Account, AlarmsKnown, accounts, alarms_known};
pub use present::{Present, PresentValue, present};
pub use since::Since;
pub use tree::state_lines;
pub use value::{Language, Telling};
pub use wire::{WirePart, WireState};
pub(in crate::review) use wire::{answer_of, written};
