//! The MQTT endpoint through real sockets: what a client may rely on, byte for byte.
//!
//! `gateway` starts an endpoint whose house is a set of bounded channels; `wire` is a client that speaks bytes. Time
//! limits and write counts stand in `src/endpoint/tests.rs`, where the clock can be paused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::allow_attributes, reason = "a failing test may panic")]

mod acknowledgement;
mod clients;
mod drain;
mod gateway;
mod limits;
mod login;
mod messages_out;
mod metering;
mod permission;
mod sessions;
mod tls;
mod wire;
