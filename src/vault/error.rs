//! Everything that can go wrong with the vault; never with a secret in the text.

use crate::domain::ids::{AccountId, PersonId};
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("cannot {doing} {path}", path = path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("the vault cannot {doing}")]
    Database { doing: &'static str, source: rusqlite::Error },
    #[error("the vault's tables cannot be brought up to date")]
    Migration(#[source] Box<refinery::Error>),
    #[error("the vault key {path} is missing: restore it from its backup, nothing can be opened without it",
        path = path.display())]
    KeyMissing { path: PathBuf },
    #[error("the vault key {path} is no key: it holds {length} bytes instead of 64 hexadecimal digits", path = path.display())]
    KeyMalformed { path: PathBuf, length: usize },
    #[error("the vault key {path} may be read by others (mode {mode:o}): run chmod 600 on it", path = path.display())]
    KeyExposed { path: PathBuf, mode: u32 },
    #[error("the vault key {path} belongs to another vault", path = path.display())]
    WrongKey { path: PathBuf },
    #[error("there is no key for person {person}, and none was erased: has an older vault been restored?")]
    UnknownPerson { person: PersonId },
    #[error("what was sealed for person {person} is damaged or was sealed with another key")]
    CannotOpen { person: PersonId },
    #[error("what is to be sealed for person {person} is too long")]
    CannotSeal { person: PersonId },
    #[error("no randomness from the operating system")]
    Random(#[source] getrandom::Error),
    #[error("the password has {characters} characters; at least {min} are needed")]
    PasswordTooShort { characters: usize, min: usize },
    #[error("the password has {bytes} bytes; at most {max} are taken")]
    PasswordTooLong { bytes: usize, max: usize },
    #[error("the password of {account} cannot be hashed or checked: {why}")]
    Hashing { account: AccountId, why: String },
    #[error("the account {account} exists already")]
    AccountExists { account: AccountId },
    #[error("there is no account {account}")]
    UnknownAccount { account: AccountId },
    #[error("{account} is the only admin left")]
    LastAdmin { account: AccountId },
    #[error("another client uses the certificate name {name:?}")]
    CertificateTaken { name: String },
    #[error("the vault holds {value:?} as {what}, which this program does not know")]
    Unreadable { what: &'static str, value: String },
}

impl VaultError {
    /// Whether the same call may succeed later.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Database { source, .. } => matches!(
                source.sqlite_error_code(),
                Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
            ),
            Self::Random(_) => true,
            Self::Io { .. }
            | Self::Migration(_)
            | Self::KeyMissing { .. }
            | Self::KeyMalformed { .. }
            | Self::KeyExposed { .. }
            | Self::WrongKey { .. }
            | Self::UnknownPerson { .. }
            | Self::CannotOpen { .. }
            | Self::CannotSeal { .. }
            | Self::PasswordTooShort { .. }
            | Self::PasswordTooLong { .. }
            | Self::Hashing { .. }
            | Self::AccountExists { .. }
            | Self::UnknownAccount { .. }
            | Self::LastAdmin { .. }
            | Self::CertificateTaken { .. }
            | Self::Unreadable { .. } => false,
        }
    }

    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }

    pub(super) fn database(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| Self::Database { doing, source }
    }
}
