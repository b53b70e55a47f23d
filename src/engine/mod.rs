//! The decisions: one event in, one decision out, the same history always the same decision.
//!
//! No clock, no I/O, no async, no randomness and no logging: `now` is handed in, and everything the engine
//! knows came in as an event. It cannot fail: bad input is a decision that says so, and a broken invariant is
//! our bug and stops the program.
//!
//! Start with [`Engine::step`]. A decision is made of facts; [`Engine::apply`] rebuilds the same state from
//! recorded facts without deciding anything again.

mod admit;
mod alarms;
mod answers;
mod arrivals;
mod calendars;
mod conditions;
mod configure;
mod deadlines;
mod deliveries;
mod estimators;
mod identity;
mod image;
mod inspect;
mod invariants;
mod inventory;
mod order;
mod passages;
mod register;
mod restore;
mod shadow;
mod spare;
mod standing;
mod state;
mod table;
mod tasks;
mod timers;
mod word;

#[cfg(test)]
mod tests;

pub use admit::Admitted;
pub use estimators::{Body, Container, Estimator, Found};
pub use image::{AssetImage, ConditionImage, DeviceImage, Image, OrderImage, PassageImage, TaskImage, WaitingImage};
pub use inspect::{HeldBack, Insight};
pub use inventory::Inventory;
pub use restore::{Fitted, Ground, Restoring};
pub use shadow::Shadow;
pub use standing::{FormerRules, Proposal, Rejection, Standing};
pub use state::{Engine, Limits};
