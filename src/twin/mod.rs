//! A simulated municipality that speaks real MQTT, and recorded series played as if they were now.
//!
//! `demo` and `play` drive the gateway from outside, over its own endpoint, on a clock that both share: simulated
//! time goes on only when the gateway has come to rest, so the same seed gives the same counts on any machine.
//! Nothing here decides anything about alarms or tasks, and nothing here runs beside real data.
//!
//! Start with `gateway` (what the app must provide), then `lockstep`, then `town`.

// What exists.
mod export;
mod misbehaviour;
mod municipality;
mod places;

// What it does by chance.
mod bed;
mod bin;
mod chance;
mod civil;
mod crews;
mod temper;
mod town;

// What was recorded.
mod recording;
pub(crate) mod series;

// What goes over the wire.
mod formats;
mod spoil;
mod transport;
mod wire;

// How time goes by.
mod gateway;
mod lockstep;
mod run;
mod scene;

// What people see.
mod fault;
mod notes;
mod report;
mod screen;
mod watch;

pub use fault::TwinError;
pub use gateway::{BoxFuture, Counts, GatewayPorts, Latency, Open, OpenTask, Page, Speed};
pub use misbehaviour::Misbehaviour;
pub use municipality::{DEFAULT_SEED, LoginNeeded, LoginRole, Logins, Municipality, STARTS_AT, municipality};
pub use recording::{Container, Recording};
pub use report::Report;
pub use run::{DemoOptions, PlayOptions, demo, play};
pub use series::RowFault;
pub use watch::Display;

#[cfg(test)]
mod tests;
