//! Quantities derived from observations: pure state machines, fed one observation at a time.
//!
//! They never decide and never raise anything: rules read them. Each states its memory and its start values.
//! States are plain structs with public fields: whoever owns one writes it to a snapshot and puts it back. Settings
//! stand beside the state, are the same for many assets, and are handed in with each call. Nothing here allocates.
//! Numbers that come in are finite, which `domain::observation::Finite` sees to; what is not is left out.

pub mod exposure;
pub mod fill;
pub mod occupancy;
pub mod relief;
pub mod silence;
pub mod zones;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
