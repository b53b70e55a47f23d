//! Sessions of people who have signed in: a random token in their browser, its hash here.
//!
//! A session ends when it is not used for a while, when its time is over whatever happens, when it is revoked, and when
//! the same account opens too many.

use super::accounts::{self, Account};
use super::error::VaultError;
use super::open::{Vault, timestamp};
use super::secret::Secret;
use crate::domain::ids::AccountId;
use crate::domain::time::{Span, Timestamp};
use rusqlite::OptionalExtension;

/// Use is noted this often: a page that asks every second does not write every second.
const NOTED_EVERY: Span = Span::from_secs(60);

/// Who is asking, right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: i64,
    pub account: Account,
    /// Ends then, used or not.
    pub expires_at: Timestamp,
}

/// One open session, as its owner or an admin may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEntry {
    pub id: i64,
    pub opened_at: Timestamp,
    /// To the minute.
    pub used_at: Timestamp,
    pub expires_at: Timestamp,
}

impl Vault {
    /// Opens a session for an account whose sign-in was accepted. The token is shown once.
    ///
    /// # Errors
    /// `UnknownAccount` when it was removed meanwhile.
    pub fn open_session(&self, account: &AccountId, now: Timestamp) -> Result<Secret, VaultError> {
        let doing = "open a session";
        let token = Secret::generate()?;
        let hash = self.hash(token.reveal().as_bytes());
        let options = &self.inner.options;
        self.change(doing, |transaction| {
            if accounts::select(transaction, account)?.is_none() {
                return Err(VaultError::UnknownAccount { account: account.clone() });
            }
            let kept = i64::try_from(options.sessions_per_account_max.max(1) - 1).unwrap_or(i64::MAX);
            let open = || {
                let (idle_since, now) = ((now - options.session_idle_max).as_micros(), now.as_micros());
                transaction.execute("DELETE FROM session WHERE expires_at <= ? OR used_at <= ?", (now, idle_since))?;
                transaction.execute(
                    "DELETE FROM session WHERE account = ?1 AND id NOT IN
                         (SELECT id FROM session WHERE account = ?1 ORDER BY opened_at DESC, id DESC LIMIT ?2)",
                    (account.as_str(), kept),
                )?;
                transaction.execute(
                    "INSERT INTO session (token_hash, account, opened_at, used_at, expires_at) VALUES (?, ?, ?, ?, ?)",
                    (hash.as_bytes(), account.as_str(), now, now, now + options.session_for_max.as_micros()),
                )
            };
            open().map(|_| ()).map_err(VaultError::database(doing))
        })?;
        Ok(token)
    }

    /// Whose session this token belongs to, with the roles of this moment; `None` when there is none or it has ended.
    pub fn session(&self, token: &str, now: Timestamp) -> Result<Option<Session>, VaultError> {
        let doing = "read a session";
        let hash = self.hash(token.as_bytes());
        let database = self.database();
        let found = database
            .prepare_cached("SELECT id, account, used_at, expires_at FROM session WHERE token_hash = ?")
            .and_then(|mut select| {
                let read = |row: &rusqlite::Row<'_>| {
                    Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, timestamp(row, 2)?, timestamp(row, 3)?))
                };
                select.query_row([hash.as_bytes()], read).optional()
            })
            .map_err(VaultError::database(doing))?;
        let Some((id, account, used_at, expires_at)) = found else { return Ok(None) };
        if now >= expires_at || now.since(used_at) >= self.inner.options.session_idle_max {
            return Ok(None);
        }
        if now.since(used_at) >= NOTED_EVERY {
            database
                .execute("UPDATE session SET used_at = ? WHERE id = ?", (now.as_micros(), id))
                .map_err(VaultError::database("note the use of a session"))?;
        }
        let account = accounts::select(&database, &AccountId::new(account))?;
        Ok(account.map(|account| Session { id, account, expires_at }))
    }

    /// Signs out. Returns whether there was such a session.
    pub fn close_session(&self, token: &str) -> Result<bool, VaultError> {
        let hash = self.hash(token.as_bytes());
        self.end("DELETE FROM session WHERE token_hash = ?", [hash.as_bytes()]).map(|ended| ended > 0)
    }

    /// Ends one session of an account. Returns whether there was such a session.
    pub fn revoke_session(&self, account: &AccountId, id: i64) -> Result<bool, VaultError> {
        let sql = "DELETE FROM session WHERE account = ? AND id = ?";
        self.end(sql, (account.as_str(), id)).map(|ended| ended > 0)
    }

    /// Ends all sessions of an account; returns how many there were.
    pub fn revoke_sessions(&self, account: &AccountId) -> Result<usize, VaultError> {
        self.end("DELETE FROM session WHERE account = ?", [account.as_str()])
    }

    /// The open sessions of an account, oldest first.
    pub fn sessions(&self, account: &AccountId, now: Timestamp) -> Result<Vec<SessionEntry>, VaultError> {
        let idle_since = now - self.inner.options.session_idle_max;
        self.database()
            .prepare_cached(
                "SELECT id, opened_at, used_at, expires_at FROM session
                 WHERE account = ? AND expires_at > ? AND used_at > ? ORDER BY opened_at, id",
            )
            .and_then(|mut select| {
                let entry = |row: &rusqlite::Row<'_>| {
                    Ok(SessionEntry {
                        id: row.get(0)?,
                        opened_at: timestamp(row, 1)?,
                        used_at: timestamp(row, 2)?,
                        expires_at: timestamp(row, 3)?,
                    })
                };
                select.query_map((account.as_str(), now.as_micros(), idle_since.as_micros()), entry)?.collect()
            })
            .map_err(VaultError::database("list sessions"))
    }

    fn end(&self, sql: &str, which: impl rusqlite::Params) -> Result<usize, VaultError> {
        self.change("end a session", |transaction| {
            transaction.execute(sql, which).map_err(VaultError::database("end a session"))
        })
    }
}
