//! The vault: people, credentials, sessions and keys; the only place that knows a name, a number or an address.
//!
//! Values about a person are sealed here with a key of that person's own, from the first record on: erasing the key
//! erases them in every journal, snapshot and backup at once. The vault is mutable, backed up and small; what happened
//! is the journal's. It never reads a clock (`now` is an argument) and never logs or prints a secret.
//!
//! Start with `open`; then `keys` for sealing, `clients` for MQTT logins, `accounts` and `sessions` for people.

mod accounts;
mod backup;
mod clients;
mod error;
mod first_start;
mod keyfile;
mod keys;
mod open;
mod password;
mod personal;
mod secret;
mod sessions;

#[cfg(test)]
mod tests;

pub use accounts::{Account, Attempt, Grant, Role};
pub use clients::{ClientEntry, ClientRole};
pub use error::VaultError;
pub use open::{Options, Vault};
pub use password::PASSWORD_CHARACTERS_MIN;
pub use personal::Personal;
pub use secret::Secret;
pub use sessions::{Session, SessionEntry};
