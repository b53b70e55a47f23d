//! The data folder and its one owner.
//!
//! ```text
//! data/
//!   lock            held by the one process that may change anything here; names its holder
//!   journal/        what happened
//!   store.db        history for questions, rebuildable
//!   vault/          people, logins, keys
//!   control.sock    how commands reach a running gateway
//!   addresses.json  where it listens, while it does
//!   crash/          events that aborted the engine
//! ```

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// An owned data folder; the lock ends with this value, or with the process.
#[derive(Debug)]
pub struct DataFolder {
    root: PathBuf,
    _lock: File,
}

#[derive(Debug, Error)]
pub enum DataFolderError {
    #[error(
        "the data folder \"{folder}\" belongs to a running process ({holder}); stop it first, or use another folder"
    )]
    Held { folder: PathBuf, holder: String },
    #[error("cannot use the data folder \"{folder}\": {source}")]
    Io { folder: PathBuf, source: io::Error },
}

impl DataFolder {
    /// Makes the folder if need be and takes its lock.
    ///
    /// # Errors
    /// When another process holds it, or the folder cannot be written.
    pub fn own(root: &Path) -> Result<Self, DataFolderError> {
        let fail = |source| DataFolderError::Io { folder: root.to_owned(), source };
        make_private(root).map_err(fail)?;
        let path = root.join("lock");
        let mut lock = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(fail)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                lock.read_to_string(&mut holder).map_err(fail)?;
                return Err(DataFolderError::Held { folder: root.to_owned(), holder: holder.trim().to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(fail(source)),
        }
        lock.set_len(0).map_err(fail)?;
        lock.rewind().map_err(fail)?;
        writeln!(lock, "process {}", std::process::id()).map_err(fail)?;
        for inner in ["journal", "vault", "crash"] {
            make_private(&root.join(inner)).map_err(fail)?;
        }
        Ok(Self { root: root.to_owned(), _lock: lock })
    }

    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    #[must_use]
    pub fn store(&self) -> PathBuf {
        store(&self.root)
    }

    #[must_use]
    pub fn vault(&self) -> PathBuf {
        self.root.join("vault")
    }

    #[must_use]
    pub fn crash(&self) -> PathBuf {
        self.root.join("crash")
    }
}

/// Where a gateway that owns `root` listens for commands.
#[must_use]
pub fn control_socket(root: &Path) -> PathBuf {
    root.join("control.sock")
}

/// History, which may be read beside the gateway that writes it.
#[must_use]
pub fn store(root: &Path) -> PathBuf {
    root.join("store.db")
}

/// Where the gateway that owns `root` says which addresses it listens on.
#[must_use]
pub fn addresses(root: &Path) -> PathBuf {
    root.join("addresses.json")
}

/// Who holds the lock of a data folder, if anybody does.
///
/// # Errors
/// When the lock cannot be read.
pub fn holder(root: &Path) -> io::Result<Option<String>> {
    let mut lock = match File::open(root.join("lock")) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match lock.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            lock.read_to_string(&mut holder)?;
            Ok(Some(holder.trim().to_owned()))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    match fs::DirBuilder::new().recursive(true).mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_owner_is_told_who_the_first_is() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataFolder::own(folder.path()).unwrap();
        let second = DataFolder::own(folder.path()).unwrap_err().to_string();
        assert!(second.contains(&format!("process {}", std::process::id())), "{second}");
        assert_eq!(holder(folder.path()).unwrap(), Some(format!("process {}", std::process::id())));
        drop(first);
        assert_eq!(holder(folder.path()).unwrap(), None);
        DataFolder::own(folder.path()).unwrap();
    }
}
