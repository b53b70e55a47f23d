//! Opening the vault: folder, key file, tables, the logins in memory.

use super::clients::Clients;
use super::error::VaultError;
use super::keyfile::{self, DerivedKeys};
use super::keys::KeyCache;
use crate::domain::time::{Span, Timestamp};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

mod migrations {
    refinery::embed_migrations!("src/vault/migrations");
}

#[derive(Clone, Debug)]
pub struct Options {
    /// Holds `vault.db` and `vault.key`; made with mode 0700 when missing.
    pub folder: PathBuf,
    /// So many keys of people are kept in memory; others are read again when needed.
    pub cached_keys_max: usize,
    /// A session that is not used for this long has ended.
    pub session_idle_max: Span,
    /// A session ends after this, used or not.
    pub session_for_max: Span,
    /// The oldest session of an account ends when one more is opened.
    pub sessions_per_account_max: usize,
    /// How long the link that makes the first admin is good.
    pub first_start_link_for: Span,
}

/// The vault. Cheap to clone; all clones are the same vault, and every call may come from any thread.
#[derive(Clone)]
pub struct Vault {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub options: Options,
    pub derived: DerivedKeys,
    pub clients: RwLock<Clients>,
    pub subject_keys: Mutex<KeyCache>,
    /// Password hashing is dear in memory: one at a time.
    pub hashing: Mutex<()>,
    database: Mutex<Connection>,
}

impl Options {
    /// 16,384 cached keys; sessions end after 1 hour unused and after 12 hours; 16 per account; the link is good for
    /// 24 hours.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            cached_keys_max: 16_384,
            session_idle_max: Span::from_hours(1),
            session_for_max: Span::from_hours(12),
            sessions_per_account_max: 16,
            first_start_link_for: Span::from_hours(24),
        }
    }
}

impl Vault {
    /// Opens the vault in `options.folder`, or makes it, with its key file.
    ///
    /// # Errors
    /// A key file that is missing, exposed or another vault's; tables of a later program.
    pub fn open(options: Options) -> Result<Self, VaultError> {
        let folder = &options.folder;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(VaultError::io("make the folder", folder))?;
        let path = folder.join("vault.db");
        let exists = fs::metadata(&path).is_ok_and(|file| file.len() > 0);
        let key_path = folder.join("vault.key");
        let derived = keyfile::load_or_make(&key_path, exists)?;
        let mut database = open_database(&path)?;
        // In one transaction: refinery otherwise commits a migration before it notes that it has been applied, and a
        // process that ends in between could never start again.
        migrations::migrations::runner()
            .set_grouped(true)
            .run(&mut database)
            .map_err(|fault| VaultError::Migration(Box::new(fault)))?;
        recognise_key(&database, &derived, &key_path)?;
        let clients = Clients::load(&database)?;
        let subject_keys = KeyCache::new(options.cached_keys_max);
        let inner = Inner {
            options,
            derived,
            clients: RwLock::new(clients),
            subject_keys: Mutex::new(subject_keys),
            hashing: Mutex::new(()),
            database: Mutex::new(database),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The vault beside the program that owns it, to open what was sealed: nothing in it is changed or made.
    ///
    /// # Errors
    /// There is none, its key file is missing, exposed or another vault's, or it is of another program version.
    pub fn open_to_read(options: Options) -> Result<Self, VaultError> {
        let (path, key_path) = (options.folder.join("vault.db"), options.folder.join("vault.key"));
        fs::metadata(&path).map_err(VaultError::io("read the vault", &path))?;
        let derived = keyfile::load_or_make(&key_path, true)?;
        let open = || {
            let database = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            database.busy_timeout(Duration::from_secs(5))?;
            Ok(database)
        };
        let database = open().map_err(VaultError::database("open its file"))?;
        recognise_key(&database, &derived, &key_path)?;
        let clients = Clients::load(&database)?;
        let subject_keys = KeyCache::new(options.cached_keys_max);
        let inner = Inner {
            options,
            derived,
            clients: RwLock::new(clients),
            subject_keys: Mutex::new(subject_keys),
            hashing: Mutex::new(()),
            database: Mutex::new(database),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The one connection. A transaction that a panic left open was rolled back when it unwound.
    pub(super) fn database(&self) -> MutexGuard<'_, Connection> {
        self.inner.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` in a transaction; durable when it returns.
    pub(super) fn change<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        let mut database = self.database();
        let transaction = begin(&mut database, doing)?;
        let done = work(&transaction)?;
        transaction.commit().map_err(VaultError::database(doing))?;
        Ok(done)
    }

    /// What is stored of a secret that was shown to us.
    pub(super) fn hash(&self, shown: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(self.inner.derived.hashing.bytes(), shown)
    }
}

pub(super) fn begin<'a>(database: &'a mut Connection, doing: &'static str) -> Result<Transaction<'a>, VaultError> {
    database.transaction_with_behavior(TransactionBehavior::Immediate).map_err(VaultError::database(doing))
}

pub(super) fn timestamp(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_micros)
}

/// Deleted values are overwritten, not only forgotten.
fn open_database(path: &Path) -> Result<Connection, VaultError> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(VaultError::io("make the vault", path))?;
    let open = || {
        let database = Connection::open(path)?;
        database.busy_timeout(Duration::from_secs(5))?;
        database.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        database.query_row("PRAGMA secure_delete = ON", [], |_| Ok(()))?;
        database.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")?;
        Ok(database)
    };
    open().map_err(VaultError::database("open its file"))
}

fn recognise_key(database: &Connection, derived: &DerivedKeys, key_path: &Path) -> Result<(), VaultError> {
    let doing = "recognise its key";
    let stored: Option<[u8; 32]> = database
        .query_row("SELECT key_check FROM vault", [], |row| row.get(0))
        .optional()
        .map_err(VaultError::database(doing))?;
    match stored {
        Some(check) if check == derived.check => Ok(()),
        Some(_) => Err(VaultError::WrongKey { path: key_path.to_owned() }),
        None => database
            .execute("INSERT INTO vault (id, key_check) VALUES (1, ?)", [derived.check])
            .map(|_| ())
            .map_err(VaultError::database(doing)),
    }
}
