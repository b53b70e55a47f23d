//! A copy of the vault while it is in use. The key file is not part of it: keep the two apart.

use super::error::VaultError;
use super::open::Vault;
use rusqlite::Connection;
use rusqlite::backup::Backup;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// All at once: the vault is small, and a change in between would start the copy again.
const ALL_PAGES: i32 = i32::MAX;

impl Vault {
    /// Copies the vault to `to`, whole and durable, or not at all; an older copy there is replaced. Calls that change
    /// the vault wait meanwhile.
    ///
    /// A person erased later is still in an older copy: it is as secret as the vault and needs the same key file.
    pub fn backup(&self, to: &Path) -> Result<(), VaultError> {
        let unfinished = unfinished(to);
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)
            .map_err(VaultError::io("make the backup", &unfinished))?;
        let copy = || {
            let mut target = Connection::open(&unfinished)?;
            let database = self.database();
            Backup::new(&database, &mut target)?.run_to_completion(ALL_PAGES, Duration::ZERO, None)?;
            // One file: no log beside the copy.
            target.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
            target.close().map_err(|(_, fault)| fault)
        };
        copy().map_err(VaultError::database("be copied"))?;
        let publish = || {
            File::open(&unfinished)?.sync_all()?;
            fs::rename(&unfinished, to)?;
            let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(folder)?.sync_all()
        };
        publish().map_err(VaultError::io("finish the backup", to))
    }
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}
