//! The vault's promises, through its public way in: what is erased stays erased, what is secret is nowhere in the clear.

mod accounts;
mod clients;
mod keys;
mod opening;

use super::{Options, Vault};
use crate::domain::time::{Span, Timestamp};
use std::fs;
use std::path::Path;

pub const NOON: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

pub fn open(folder: &Path) -> Vault {
    Vault::open(Options::new(folder)).unwrap()
}

pub fn after(seconds: i64) -> Timestamp {
    NOON + Span::from_secs(seconds)
}

/// Whether these bytes stand in any file of the folder.
pub fn on_disk(folder: &Path, secret: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        bytes.windows(secret.len()).any(|window| window == secret)
    })
}
