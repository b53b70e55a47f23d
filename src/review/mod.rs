//! Looking at a configuration or a history without running a gateway: no network, no journal written.
//!
//! `check` judges a configuration folder as a whole, `scenario` plays the stories written beside its rules through the
//! engine; `explain`, `replay` and `backtest` lead engines along a journal; `account` tells what a rule says and why. Console and
//! command line show what they find.

pub mod account;
pub mod backtest;
pub mod check;
mod draw;
pub mod explain;
pub mod replay;
mod replaying;
pub mod scenario;

#[cfg(test)]
mod tests;
