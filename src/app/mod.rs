//! The wiring: what runs on which thread, what meets whom, and in which order it starts and stops.
//!
//! Rooms know nothing of each other; here they meet through bounded channels and structs of functions. Nothing is
//! decided here but order: durable before visible. Start with `sequencer`, the loop; then `gateway`, which builds
//! everything around it; `foundation` is what must stand before either.

pub mod assembly;
pub mod calendars;
pub mod clock;
pub mod commands;
pub mod control;
pub mod data_folder;
pub mod demo;
mod desk;
mod directory;
mod faults;
pub mod foundation;
pub mod gateway;
mod handle;
mod health;
mod history;
mod inbox;
pub mod ledger;
pub mod logging;
mod machine;
pub mod mandate;
pub mod metering;
mod options;
mod outbox;
mod pace;
mod people;
mod poison;
mod presence;
mod self_watch;
mod sequencer;
pub mod shipped;
mod snapshots;
mod source;
mod stores;
mod tally;
mod usage;
mod ways_in;
mod why;

pub use handle::{Handle, Stopped};
pub use inbox::Answer;
pub use source::Source;
