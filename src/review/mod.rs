//! Looking at a configuration or a history without running a gateway: no network, no journal written.
//!
//! `check` judges a configuration folder as a whole; console and command line show what it finds.

pub mod check;

#[cfg(test)]
mod tests;
