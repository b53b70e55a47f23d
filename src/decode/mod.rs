//! Bytes → observations: network format, payload, sensor type.
//!
//! [`read`] turns one uplink into one event and never fails: what cannot be used becomes a `Quarantined` event that
//! names the place and the remedy. It keeps no state, reads no clock and calls no codec; a model of sensor is a TOML
//! file, read by [`load_sensor_types`], and no code.
//!
//! Start with `read.rs` (the register of network formats), then `canonical.rs`, then `mapping.rs`.

mod canonical;
mod chirpstack_v4;
mod conversion;
mod crew_reply;
mod directory;
mod json;
mod load;
mod load_mapping;
mod mapping;
mod moment;
mod read;
mod rejection;
mod things_stack_v3;
mod tlv;

#[cfg(test)]
mod tests;

pub use directory::{Directory, Limits};
pub use load::load_sensor_types;
pub use mapping::SensorTypeSpec;
pub use read::{CPR_BYTES_MAX, content_hash, read, set_aside};
