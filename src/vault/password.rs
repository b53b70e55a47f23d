//! Passwords of people: argon2id with a pepper, at least twelve characters, no other rule.
//!
//! 19 MiB, two passes, one lane: the OWASP minimum for argon2id, some tens of milliseconds. One hash is computed at a time, so
//! that a flood of sign-ins costs time and never memory. The parameters stand in every hash and may rise later.

use super::error::VaultError;
use super::open::Vault;
use crate::domain::ids::AccountId;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

pub const PASSWORD_CHARACTERS_MIN: usize = 12;
/// Longer texts are refused before they are hashed.
const PASSWORD_BYTES_MAX: usize = 1_024;

const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

impl Vault {
    pub(super) fn hash_password(&self, account: &AccountId, password: &str) -> Result<String, VaultError> {
        let characters = password.chars().count();
        if characters < PASSWORD_CHARACTERS_MIN {
            return Err(VaultError::PasswordTooShort { characters, min: PASSWORD_CHARACTERS_MIN });
        }
        let bytes = password.len();
        if bytes > PASSWORD_BYTES_MAX {
            return Err(VaultError::PasswordTooLong { bytes, max: PASSWORD_BYTES_MAX });
        }
        let _one = self.one_hash();
        self.argon2(account)?
            .hash_password(password.as_bytes())
            .map(|hash| hash.to_string())
            .map_err(|fault| failed(account, &fault))
    }

    /// Whether the password is right. Called with the gate of [`Self::one_hash`] held.
    pub(super) fn password_fits(&self, account: &AccountId, hash: &str, password: &str) -> Result<bool, VaultError> {
        if password.len() > PASSWORD_BYTES_MAX {
            return Ok(false);
        }
        let hash = PasswordHash::new(hash).map_err(|fault| failed(account, &fault))?;
        Ok(self.argon2(account)?.verify_password(password.as_bytes(), &hash).is_ok())
    }

    /// Takes as long as a wrong password does, for an account that does not exist.
    pub(super) fn waste_a_hash(&self, account: &AccountId, password: &str) -> Result<(), VaultError> {
        let text = &password.as_bytes()[..password.len().min(PASSWORD_BYTES_MAX)];
        self.argon2(account)?.hash_password(text).map(|_| ()).map_err(|fault| failed(account, &fault))
    }

    fn argon2(&self, account: &AccountId) -> Result<Argon2<'_>, VaultError> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|fault| failed(account, &fault))?;
        let pepper = self.inner.derived.pepper.bytes();
        Argon2::new_with_secret(pepper, Algorithm::Argon2id, Version::V0x13, params)
            .map_err(|fault| failed(account, &fault))
    }
}

fn failed(account: &AccountId, fault: &impl ToString) -> VaultError {
    VaultError::Hashing { account: account.clone(), why: fault.to_string() }
}
