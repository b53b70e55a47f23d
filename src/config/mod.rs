//! What operators edit, read and checked: `rettidig.toml`, and the texts of rules and sensor types beside it.
//!
//! A configuration folder holds `rettidig.toml`, `sensor-types/*.toml` and `rules/*.toml`. This room reads the files,
//! lays the environment over the settings, and checks every knob against its limits; what rules and sensor types mean
//! is decided in `rules` and `decode`. Secrets come from files or the environment and are never shown.
//!
//! Start with `load`; the knobs stand in `settings`, their defaults and limits in `knobs`.

mod broker;
mod environment;
mod knobs;
mod read;
mod schema;
mod secret;
mod settings;
mod store;
mod texts;

#[cfg(test)]
mod tests;

pub use environment::{PREFIX, overrides};
pub use schema::{Kind, schema};
pub use secret::Secret;
pub use settings::{
    Broker, BrokerTls, ClientCertificate, Data, Endpoint, Http, Journal, Limits, Log, LogFormat, LogLevel, Settings,
    Store, StoreUrl, TlsFiles,
};
pub use texts::{ConfigError, Loaded, SETTINGS_FILE, Texts, load};
