//! Quantities derived from observations: pure state machines, fed one observation at a time.
//!
//! They never decide and never raise anything: rules read them. Each states its memory and its start values.

pub mod silence;
