//! The command line as people and scripts use it: the real program, in folders of its own, on ports it picks.
#![allow(clippy::allow_attributes, reason = "one exception for the whole binary")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing test may panic")]

mod alone;
mod backtest;
mod certificates;
mod demo;
mod first_day;
mod house;
mod past;
mod proxy;
mod readme;
mod reload;
mod reports;
mod rules;
mod scenarios;
mod shadow;
mod start;
mod store;

#[path = "../support/postgres.rs"]
mod postgres;
