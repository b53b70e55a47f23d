//! Rettidig, Danish for *in good time*: a just-in-time welfare event gateway.
//!
//! A message arrives. **intake** or our own **endpoint** receives it, **decode** reads it, **engine** decides by the
//! **rules**, **journal** keeps it, **dispatch** sends a crew, **store** remembers, **console** shows. **app** wires
//! them. The rooms below stand in that reading order; an import goes down a floor, never up and never sideways
//! (`ARCHITECTURE.md`, checked by `tests/tidy.rs`).

// Floor 0: the words.
pub mod domain;

// Floor 1: pure rooms, and the two that every edge needs.
pub mod config;
pub mod decode;
pub mod engine;
pub mod estimate;
pub mod registry;
pub mod rules;
pub mod telemetry;

// Floor 2: the edges. They never see each other; they meet in `app`.
pub mod board;
pub mod dispatch;
pub mod endpoint;
pub mod intake;
pub mod journal;
pub mod store;
pub mod vault;

// Floor 3: looking back.
pub mod review;

// Floor 4: people's windows, and a simulated municipality.
pub mod console;
pub mod twin;

// Floor 5: the wiring.
pub mod app;
