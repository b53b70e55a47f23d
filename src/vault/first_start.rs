//! The link that makes the first admin: there is no default password, and nobody else can be first.

use super::accounts::{self, Grant, Role};
use super::error::VaultError;
use super::open::{Vault, timestamp};
use super::secret::Secret;
use crate::domain::ids::AccountId;
use crate::domain::time::Timestamp;
use rusqlite::OptionalExtension;
use std::collections::BTreeSet;

impl Vault {
    /// While there is no admin: a token for the link that makes one, shown once to whoever started the gateway. It
    /// replaces the one before and is good for `Options::first_start_link_for`.
    pub fn first_start_link(&self, now: Timestamp) -> Result<Option<Secret>, VaultError> {
        let doing = "make the first-start link";
        let token = Secret::generate()?;
        let hash = self.hash(token.reveal().as_bytes());
        let expires_at = now + self.inner.options.first_start_link_for;
        self.change(doing, |transaction| {
            if accounts::admins(transaction)? > 0 {
                return Ok(None);
            }
            transaction
                .execute(
                    "INSERT INTO first_start (id, token_hash, expires_at) VALUES (1, ?, ?)
                     ON CONFLICT (id) DO UPDATE SET token_hash = excluded.token_hash, expires_at = excluded.expires_at",
                    (hash.as_bytes(), expires_at.as_micros()),
                )
                .map_err(VaultError::database(doing))?;
            Ok(Some(token))
        })
    }

    /// Makes the first admin with the token of the link. Returns whether the link was good; it is used up then.
    ///
    /// # Errors
    /// A password against the rules or a taken account name: the link stays good.
    pub fn redeem_first_start(
        &self,
        token: &str,
        account: &AccountId,
        password: &str,
        now: Timestamp,
    ) -> Result<bool, VaultError> {
        if !self.first_start_link_is_good(token, now)? {
            return Ok(false);
        }
        let hash = self.hash_password(account, password)?;
        let shown = self.hash(token.as_bytes());
        let doing = "make the first admin";
        self.change(doing, |transaction| {
            let used = transaction
                .execute("DELETE FROM first_start WHERE token_hash = ?", [shown.as_bytes()])
                .map_err(VaultError::database(doing))?;
            if used == 0 {
                return Ok(false);
            }
            let everywhere = BTreeSet::from([Grant { role: Role::Admin, area: None }]);
            accounts::insert(transaction, account, &hash, &everywhere, now).map(|()| true)
        })
    }

    /// Whether the link may still be used: for the page that asks for name and password.
    pub fn first_start_link_is_good(&self, token: &str, now: Timestamp) -> Result<bool, VaultError> {
        let shown = self.hash(token.as_bytes());
        let stored = self
            .database()
            .query_row("SELECT token_hash, expires_at FROM first_start", [], |row| {
                Ok((blake3::Hash::from_bytes(row.get(0)?), timestamp(row, 1)?))
            })
            .optional()
            .map_err(VaultError::database("read the first-start link"))?;
        Ok(stored.is_some_and(|(hash, expires_at)| hash == shown && now < expires_at))
    }
}
