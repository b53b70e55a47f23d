//! One key per person: seal with it, open with it, erase it.
//!
//! A key is made the first time something is sealed, and is durable before the sealed bytes are handed out. Erasing
//! leaves a mark, so that the key is never made again; what is sealed after that is sealed with a key that nobody keeps.
//!
//! Sealed bytes: version 1 | 24 bytes of nonce | XChaCha20-Poly1305 ciphertext, with the person's id as associated data.

use super::error::VaultError;
use super::open::{Vault, begin};
use super::secret::{Secret, fill};
use crate::domain::ids::PersonId;
use crate::domain::time::Timestamp;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use rusqlite::{OptionalExtension, Transaction};
use rustc_hash::FxHashMap;
use std::mem;
use std::sync::{MutexGuard, PoisonError};

const VERSION: u8 = 1;
const NONCE: usize = 24;

/// What is known of a person's key.
#[derive(Clone)]
pub(super) enum Held {
    Key(Secret),
    Erased,
}

/// The keys in use, in two generations: when the young one is full, the old one is forgotten. Bounded, and what is used
/// often stays.
pub(super) struct KeyCache {
    young: FxHashMap<PersonId, Held>,
    old: FxHashMap<PersonId, Held>,
    generation_max: usize,
}

impl Vault {
    /// Seals `clear` with the person's key, which is made when there is none. `now` is kept as the key's age.
    ///
    /// # Errors
    /// No randomness, or the vault cannot be written: then nothing was sealed.
    pub fn seal(&self, person: &PersonId, clear: &[u8], now: Timestamp) -> Result<Vec<u8>, VaultError> {
        let key = match self.held(person)? {
            Some(Held::Key(key)) => key,
            Some(Held::Erased) => Secret::generate()?,
            None => self.make_key(person, now)?,
        };
        encrypt(&key, person, clear)
    }

    /// Opens what [`Self::seal`] made; `None` when the person's key has been erased.
    ///
    /// # Errors
    /// Damage, another key, or a person this vault never had.
    pub fn open_sealed(&self, person: &PersonId, sealed: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
        match self.held(person)? {
            Some(Held::Key(key)) => decrypt(&key, person, sealed).map(Some),
            Some(Held::Erased) => Ok(None),
            None => Err(VaultError::UnknownPerson { person: person.clone() }),
        }
    }

    /// Makes the keys of people who have none, all in one commit: for a registry import, so that their first events
    /// need no commit of the vault. Erased keys stay erased.
    pub fn make_keys(&self, people: &[PersonId], now: Timestamp) -> Result<(), VaultError> {
        self.change("make keys", |transaction| {
            people.iter().try_for_each(|person| match select(transaction, person)? {
                Some(_) => Ok(()),
                None => self.insert_key(transaction, person, now).map(|_| ()),
            })
        })
    }

    /// Erases the person's key and personal record, for good: whatever was sealed for them, here, in the journal or in
    /// a backup of it, is unreadable from here on. Returns whether there was a key.
    pub fn erase(&self, person: &PersonId, now: Timestamp) -> Result<bool, VaultError> {
        let doing = "erase a key";
        let mut database = self.database();
        let transaction = begin(&mut database, doing)?;
        let had_key = matches!(select(&transaction, person)?, Some(Some(_)));
        let erase = |transaction: &Transaction<'_>| {
            transaction.execute(
                "INSERT INTO subject_key (person, erased_at) VALUES (?1, ?2)
                 ON CONFLICT (person) DO UPDATE SET wrapped = NULL, erased_at = coalesce(erased_at, ?2)",
                (person.as_str(), now.as_micros()),
            )?;
            transaction.execute("DELETE FROM personal WHERE person = ?", [person.as_str()])
        };
        erase(&transaction).map_err(VaultError::database(doing))?;
        transaction.commit().map_err(VaultError::database(doing))?;
        self.cache().insert(person, Held::Erased);
        // The log still holds the wrapped key: it goes too.
        database
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(VaultError::database("fold in its log"))?;
        Ok(had_key)
    }

    /// The cache is written while the database is held, so that a key read before an erasure cannot come back after it.
    fn held(&self, person: &PersonId) -> Result<Option<Held>, VaultError> {
        if let Some(held) = self.cache().get(person) {
            return Ok(Some(held));
        }
        let database = self.database();
        let held = match select(&database, person)? {
            None => return Ok(None),
            Some(None) => Held::Erased,
            Some(Some(wrapped)) => Held::Key(self.unwrap(person, &wrapped)?),
        };
        self.cache().insert(person, held.clone());
        Ok(Some(held))
    }

    fn make_key(&self, person: &PersonId, now: Timestamp) -> Result<Secret, VaultError> {
        let doing = "make a key";
        let mut database = self.database();
        let transaction = begin(&mut database, doing)?;
        // Another thread may have made or erased it since we looked.
        let key = match select(&transaction, person)? {
            None => self.insert_key(&transaction, person, now)?,
            Some(Some(wrapped)) => self.unwrap(person, &wrapped)?,
            Some(None) => return Secret::generate(),
        };
        transaction.commit().map_err(VaultError::database(doing))?;
        self.cache().insert(person, Held::Key(key.clone()));
        Ok(key)
    }

    fn insert_key(
        &self,
        transaction: &Transaction<'_>,
        person: &PersonId,
        now: Timestamp,
    ) -> Result<Secret, VaultError> {
        let key = Secret::generate()?;
        let wrapped = encrypt(&self.inner.derived.wrapping, person, key.bytes())?;
        transaction
            .execute(
                "INSERT INTO subject_key (person, wrapped, made_at) VALUES (?, ?, ?)",
                (person.as_str(), wrapped, now.as_micros()),
            )
            .map_err(VaultError::database("make a key"))?;
        Ok(key)
    }

    fn unwrap(&self, person: &PersonId, wrapped: &[u8]) -> Result<Secret, VaultError> {
        let key = decrypt(&self.inner.derived.wrapping, person, wrapped)?;
        let bytes = <[u8; 32]>::try_from(&key[..]).map_err(|_| VaultError::CannotOpen { person: person.clone() })?;
        Ok(Secret::from_bytes(bytes))
    }

    /// How many keys are in memory, for metering; at most `Options::cached_keys_max`.
    pub fn cached_keys(&self) -> usize {
        let cache = self.cache();
        cache.young.len() + cache.old.len()
    }

    fn cache(&self) -> MutexGuard<'_, KeyCache> {
        self.inner.subject_keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No row, a row whose key is erased, or the wrapped key.
#[expect(clippy::option_option, reason = "never made and erased are two facts")]
fn select(database: &rusqlite::Connection, person: &PersonId) -> Result<Option<Option<Vec<u8>>>, VaultError> {
    database
        .prepare_cached("SELECT wrapped FROM subject_key WHERE person = ?")
        .and_then(|mut found| found.query_row([person.as_str()], |row| row.get(0)).optional())
        .map_err(VaultError::database("read a key"))
}

fn encrypt(key: &Secret, person: &PersonId, clear: &[u8]) -> Result<Vec<u8>, VaultError> {
    let mut nonce = [0; NONCE];
    fill(&mut nonce)?;
    let payload = Payload { msg: clear, aad: person.as_str().as_bytes() };
    let ciphertext = cipher(key)
        .encrypt(&XNonce::from(nonce), payload)
        .map_err(|_| VaultError::CannotSeal { person: person.clone() })?;
    let mut sealed = Vec::with_capacity(1 + NONCE + ciphertext.len());
    sealed.push(VERSION);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(&ciphertext);
    Ok(sealed)
}

fn decrypt(key: &Secret, person: &PersonId, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
    let cannot = || VaultError::CannotOpen { person: person.clone() };
    let (version, rest) = sealed.split_first().ok_or_else(cannot)?;
    let (nonce, ciphertext) = rest.split_first_chunk::<NONCE>().ok_or_else(cannot)?;
    if *version != VERSION {
        return Err(cannot());
    }
    let payload = Payload { msg: ciphertext, aad: person.as_str().as_bytes() };
    cipher(key).decrypt(&XNonce::from(*nonce), payload).map_err(|_| cannot())
}

fn cipher(key: &Secret) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&Key::from(*key.bytes()))
}

impl KeyCache {
    pub fn new(max: usize) -> Self {
        Self { young: FxHashMap::default(), old: FxHashMap::default(), generation_max: (max / 2).max(1) }
    }

    fn get(&mut self, person: &PersonId) -> Option<Held> {
        if let Some(held) = self.young.get(person) {
            return Some(held.clone());
        }
        let held = self.old.remove(person)?;
        self.insert(person, held.clone());
        Some(held)
    }

    fn insert(&mut self, person: &PersonId, held: Held) {
        self.old.remove(person);
        if self.young.len() >= self.generation_max && !self.young.contains_key(person) {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(person.clone(), held);
    }
}
