//! What operators edit, read and checked: `rettidig.toml`, and the texts of rules and sensor types beside it.
//!
//! A configuration folder holds `rettidig.toml`, `sensor-types/*.toml`, `rules/*.toml` and `calendars/*.toml`. This room
//! reads the files, lays the environment over the settings, checks every knob against its limits, and expands calendars
//! into tables of instants; what rules and sensor types mean is decided in `rules` and `decode`. Secrets come from files
//! or the environment and are never shown.
//!
//! Start with `load`; the knobs stand in `settings`, their defaults and limits in `knobs`.

mod broker;
mod calendar;
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

pub use calendar::{WrittenCalendars, read_calendars};
pub use environment::{PREFIX, overrides};
pub use schema::{Kind, schema};
pub use secret::Secret;
pub use settings::{
    Approval, Broker, BrokerTls, ClientCertificate, Data, Endpoint, Http, Journal, Limits, Log, LogFormat, LogLevel,
    Rules, Settings, Store, StoreUrl, TlsFiles,
};
pub use texts::{ConfigError, Loaded, SETTINGS_FILE, Texts, load};
