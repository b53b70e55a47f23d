//! Accounts of people who sign in: roles per area, a password, and a pause after too many wrong ones.
//!
//! Five wrong passwords in a row lock an account for half a minute; every further one doubles it, up to a quarter of
//! an hour. While locked, nothing is tried, so a guesser gets four tries an hour in the end.

use super::error::VaultError;
use super::open::{Vault, timestamp};
use crate::domain::ids::{AccountId, AreaId};
use crate::domain::time::{Span, Timestamp};
use rusqlite::{Connection, OptionalExtension, Transaction};
use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError};

const FAILED_FREE: u32 = 5;
const LOCK_FIRST: Span = Span::from_secs(30);
const LOCK_MAX: Span = Span::from_mins(15);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Operator,
    Crew,
    Integrator,
    Auditor,
    Admin,
}

/// A role in one area, or everywhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    pub role: Role,
    pub area: Option<AreaId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    pub grants: BTreeSet<Grant>,
    pub made_at: Timestamp,
    /// No password is tried before this.
    pub locked_until: Option<Timestamp>,
}

/// What became of one try to sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    Accepted(Account),
    /// No such account or a wrong password: nobody learns which.
    Denied,
    Locked {
        until: Timestamp,
    },
}

impl Vault {
    /// # Errors
    /// `AccountExists`, and passwords against the rules.
    pub fn create_account(
        &self,
        id: &AccountId,
        password: &str,
        grants: &BTreeSet<Grant>,
        now: Timestamp,
    ) -> Result<(), VaultError> {
        let hash = self.hash_password(id, password)?;
        self.change("make an account", |transaction| insert(transaction, id, &hash, grants, now))
    }

    /// Replaces the password, lifts a lock and ends all sessions of the account.
    pub fn set_password(&self, id: &AccountId, password: &str) -> Result<(), VaultError> {
        let hash = self.hash_password(id, password)?;
        self.change("set a password", |transaction| {
            let sql = "UPDATE account SET password_hash = ?, failed = 0, locked_until = 0 WHERE id = ?";
            let changed =
                transaction.execute(sql, (hash, id.as_str())).map_err(VaultError::database("set a password"))?;
            known(id, changed)?;
            end_sessions(transaction, id)
        })
    }

    /// Replaces all roles of the account; they hold from the next request on.
    ///
    /// # Errors
    /// `LastAdmin` when nobody would be admin any more.
    pub fn set_grants(&self, id: &AccountId, grants: &BTreeSet<Grant>) -> Result<(), VaultError> {
        self.change("set roles", |transaction| {
            let before = admins(transaction)?;
            let exists = select(transaction, id)?.is_some();
            known(id, usize::from(exists))?;
            let sql = "DELETE FROM account_role WHERE account = ?";
            transaction.execute(sql, [id.as_str()]).map_err(VaultError::database("set roles"))?;
            insert_grants(transaction, id, grants)?;
            still_an_admin(transaction, before, id)
        })
    }

    /// Removes the account with its sessions.
    ///
    /// # Errors
    /// `LastAdmin`, `UnknownAccount`.
    pub fn remove_account(&self, id: &AccountId) -> Result<(), VaultError> {
        self.change("remove an account", |transaction| {
            let before = admins(transaction)?;
            let removed = transaction
                .execute("DELETE FROM account WHERE id = ?", [id.as_str()])
                .map_err(VaultError::database("remove an account"))?;
            known(id, removed)?;
            still_an_admin(transaction, before, id)
        })
    }

    pub fn account(&self, id: &AccountId) -> Result<Option<Account>, VaultError> {
        select(&self.database(), id)
    }

    /// All accounts, by id.
    pub fn accounts(&self) -> Result<Vec<Account>, VaultError> {
        let doing = "read the accounts";
        let database = self.database();
        let ids: Vec<String> = database
            .prepare_cached("SELECT id FROM account ORDER BY id")
            .and_then(|mut ids| ids.query_map([], |row| row.get(0))?.collect())
            .map_err(VaultError::database(doing))?;
        ids.iter().filter_map(|id| select(&database, &AccountId::new(id)).transpose()).collect()
    }

    /// Tries a password. Takes some tens of milliseconds whatever the answer is, one at a time: call it where blocking is allowed.
    ///
    /// # Errors
    /// Only when the vault itself fails; a wrong password is an [`Attempt`].
    pub fn verify(&self, id: &AccountId, password: &str, now: Timestamp) -> Result<Attempt, VaultError> {
        // Held from reading the count of failures to writing it: no two guesses count as one.
        let _one = self.one_hash();
        let Some((hash, failed, locked_until)) = self.credentials(id)? else {
            self.waste_a_hash(id, password)?;
            return Ok(Attempt::Denied);
        };
        if now < locked_until {
            return Ok(Attempt::Locked { until: locked_until });
        }
        if self.password_fits(id, &hash, password)? {
            self.note_attempt(id, 0, Timestamp::default())?;
            return Ok(self.account(id)?.map_or(Attempt::Denied, Attempt::Accepted));
        }
        let failed = failed.saturating_add(1);
        let until = pause(failed).map(|pause| now + pause);
        self.note_attempt(id, failed, until.unwrap_or_default())?;
        Ok(until.map_or(Attempt::Denied, |until| Attempt::Locked { until }))
    }

    pub(super) fn one_hash(&self) -> MutexGuard<'_, ()> {
        self.inner.hashing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn credentials(&self, id: &AccountId) -> Result<Option<(String, u32, Timestamp)>, VaultError> {
        self.database()
            .prepare_cached("SELECT password_hash, failed, locked_until FROM account WHERE id = ?")
            .and_then(|mut select| {
                select.query_row([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?, timestamp(row, 2)?))).optional()
            })
            .map_err(VaultError::database("read an account"))
    }

    fn note_attempt(&self, id: &AccountId, failed: u32, locked_until: Timestamp) -> Result<(), VaultError> {
        self.change("note a sign-in", |transaction| {
            let sql = "UPDATE account SET failed = ?, locked_until = ? WHERE id = ?";
            transaction
                .execute(sql, (failed, locked_until.as_micros(), id.as_str()))
                .map(|_| ())
                .map_err(VaultError::database("note a sign-in"))
        })
    }
}

/// How long nothing is tried after so many wrong passwords in a row.
fn pause(failed: u32) -> Option<Span> {
    let beyond = failed.checked_sub(FAILED_FREE)?;
    Some(LOCK_FIRST.times(1 << beyond.min(16)).min(LOCK_MAX))
}

pub(super) fn insert(
    transaction: &Transaction<'_>,
    id: &AccountId,
    password_hash: &str,
    grants: &BTreeSet<Grant>,
    now: Timestamp,
) -> Result<(), VaultError> {
    let sql = "INSERT INTO account (id, password_hash, made_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
    let made = transaction
        .execute(sql, (id.as_str(), password_hash, now.as_micros()))
        .map_err(VaultError::database("make an account"))?;
    if made == 0 {
        return Err(VaultError::AccountExists { account: id.clone() });
    }
    insert_grants(transaction, id, grants)
}

fn insert_grants(transaction: &Transaction<'_>, id: &AccountId, grants: &BTreeSet<Grant>) -> Result<(), VaultError> {
    grants.iter().try_for_each(|grant| {
        let area = grant.area.as_ref().map_or("", AreaId::as_str);
        transaction
            .execute(
                "INSERT INTO account_role (account, role, area) VALUES (?, ?, ?)",
                (id.as_str(), grant.role.as_str(), area),
            )
            .map(|_| ())
            .map_err(VaultError::database("set roles"))
    })
}

pub(super) fn end_sessions(transaction: &Transaction<'_>, id: &AccountId) -> Result<(), VaultError> {
    transaction
        .execute("DELETE FROM session WHERE account = ?", [id.as_str()])
        .map(|_| ())
        .map_err(VaultError::database("end sessions"))
}

pub(super) fn admins(database: &Connection) -> Result<u64, VaultError> {
    database
        .query_row("SELECT count(DISTINCT account) FROM account_role WHERE role = 'admin'", [], |row| {
            row.get::<_, i64>(0)
        })
        .map(i64::cast_unsigned)
        .map_err(VaultError::database("count its admins"))
}

/// Without an admin nobody could make accounts any more; the caller's transaction undoes the change.
fn still_an_admin(transaction: &Transaction<'_>, before: u64, changed: &AccountId) -> Result<(), VaultError> {
    if before > 0 && admins(transaction)? == 0 {
        return Err(VaultError::LastAdmin { account: changed.clone() });
    }
    Ok(())
}

fn known(id: &AccountId, rows: usize) -> Result<(), VaultError> {
    if rows == 0 { Err(VaultError::UnknownAccount { account: id.clone() }) } else { Ok(()) }
}

pub(super) fn select(database: &Connection, id: &AccountId) -> Result<Option<Account>, VaultError> {
    let doing = "read an account";
    let found = database
        .prepare_cached("SELECT made_at, locked_until FROM account WHERE id = ?")
        .and_then(|mut select| {
            select.query_row([id.as_str()], |row| Ok((timestamp(row, 0)?, timestamp(row, 1)?))).optional()
        })
        .map_err(VaultError::database(doing))?;
    let Some((made_at, locked_until)) = found else { return Ok(None) };
    let rows: Vec<(String, String)> = database
        .prepare_cached("SELECT role, area FROM account_role WHERE account = ?")
        .and_then(|mut select| select.query_map([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
        .map_err(VaultError::database(doing))?;
    let grants = rows.into_iter().map(|(role, area)| {
        let area = (!area.is_empty()).then(|| AreaId::new(area));
        Ok(Grant { role: Role::parse(&role)?, area })
    });
    Ok(Some(Account {
        id: id.clone(),
        grants: grants.collect::<Result<_, VaultError>>()?,
        made_at,
        locked_until: (locked_until > Timestamp::default()).then_some(locked_until),
    }))
}

impl Role {
    pub const ALL: [Self; 5] = [Self::Operator, Self::Crew, Self::Integrator, Self::Auditor, Self::Admin];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Crew => "crew",
            Self::Integrator => "integrator",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }

    fn parse(text: &str) -> Result<Self, VaultError> {
        let unknown = || VaultError::Unreadable { what: "a role", value: text.to_owned() };
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(unknown)
    }
}

impl Account {
    /// Whether the account has this role in this area: granted there or everywhere.
    #[must_use]
    pub fn may(&self, role: Role, area: Option<&AreaId>) -> bool {
        self.grants.iter().any(|grant| grant.role == role && (grant.area.is_none() || grant.area.as_ref() == area))
    }
}
