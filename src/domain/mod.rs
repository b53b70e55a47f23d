//! The words and values every other room speaks in.
//!
//! Nothing here reads a clock, a file or the network, and nothing here decides.
//! Wire forms live beside the edge that speaks them; these types carry no `serde`.
//!
//! Start with `event`, then `decision`: a fact comes in, a decision comes out.

pub mod alarm;
pub mod asset;
pub mod calendar;
pub mod configuration;
pub mod cpr;
pub mod crew;
pub mod decision;
pub mod event;
pub mod fault;
pub mod ids;
pub mod observation;
pub mod person;
pub mod reason;
pub mod task;
pub mod time;
pub mod toml_reader;
pub mod uplink;
