//! What only people may know of a person: name, phone, e-mail, address. Sealed with that person's key, like their
//! values in the journal, and gone with it.

use super::error::VaultError;
use super::open::Vault;
use crate::domain::ids::PersonId;
use crate::domain::time::Timestamp;
use minicbor::{Decode, Encode};
use rusqlite::OptionalExtension;
use std::fmt;
use zeroize::Zeroizing;

#[derive(Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Personal {
    #[n(0)]
    pub name: Option<String>,
    #[n(1)]
    pub phone: Option<String>,
    #[n(2)]
    pub email: Option<String>,
    #[n(3)]
    pub address: Option<String>,
}

impl Vault {
    /// Stores the record of a person, in place of the one before.
    ///
    /// # Errors
    /// `UnknownPerson` when the person has been erased: an erased pseudonym is never used again.
    pub fn put_personal(&self, person: &PersonId, record: &Personal, now: Timestamp) -> Result<(), VaultError> {
        let mut clear = Zeroizing::new(Vec::new());
        minicbor::encode(record, &mut *clear).map_err(|_| VaultError::CannotSeal { person: person.clone() })?;
        let sealed = self.seal(person, &clear, now)?;
        let doing = "store a personal record";
        let stored = self.change(doing, |transaction| {
            transaction
                .execute(
                    "INSERT INTO personal (person, sealed, changed_at)
                         SELECT person, ?2, ?3 FROM subject_key WHERE person = ?1 AND erased_at IS NULL
                     ON CONFLICT (person) DO UPDATE SET sealed = excluded.sealed, changed_at = excluded.changed_at",
                    (person.as_str(), &sealed, now.as_micros()),
                )
                .map_err(VaultError::database(doing))
        })?;
        if stored == 0 { Err(VaultError::UnknownPerson { person: person.clone() }) } else { Ok(()) }
    }

    /// The record of a person; `None` when there is none or it has been erased.
    pub fn personal(&self, person: &PersonId) -> Result<Option<Personal>, VaultError> {
        let sealed: Option<Vec<u8>> = self
            .database()
            .query_row("SELECT sealed FROM personal WHERE person = ?", [person.as_str()], |row| row.get(0))
            .optional()
            .map_err(VaultError::database("read a personal record"))?;
        let Some(sealed) = sealed else { return Ok(None) };
        let Some(clear) = self.open_sealed(person, &sealed)?.map(Zeroizing::new) else { return Ok(None) };
        let record = minicbor::decode(&clear).map_err(|_| VaultError::CannotOpen { person: person.clone() })?;
        Ok(Some(record))
    }

    /// Removes the record and keeps the key. Returns whether there was one.
    pub fn remove_personal(&self, person: &PersonId) -> Result<bool, VaultError> {
        let doing = "remove a personal record";
        self.change(doing, |transaction| {
            transaction
                .execute("DELETE FROM personal WHERE person = ?", [person.as_str()])
                .map(|removed| removed > 0)
                .map_err(VaultError::database(doing))
        })
    }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Personal(…)")
    }
}
