//! The vault key: one file, readable by its owner only, made at the first start and never again.
//!
//! Every use has a key of its own, derived from it. Whoever has the vault and this file has everything; keep their
//! backups apart.

use super::error::VaultError;
use super::secret::{Secret, fill};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use zeroize::{Zeroize, Zeroizing};

/// What is derived from the vault key.
pub(super) struct DerivedKeys {
    /// Wraps the keys of people.
    pub wrapping: Secret,
    /// Hashes what clients, browsers and links show.
    pub hashing: Secret,
    /// Goes into every password hash: the table alone cannot be searched.
    pub pepper: Secret,
    /// Stored in the vault, to recognise the key file by.
    pub check: [u8; 32],
}

impl DerivedKeys {
    fn from(key: &[u8; 32]) -> Self {
        let derive = |context: &str| Secret::from_bytes(blake3::derive_key(context, key));
        Self {
            wrapping: derive("rettidig vault 1 wrapping of subject keys"),
            hashing: derive("rettidig vault 1 hashing of secrets"),
            pepper: derive("rettidig vault 1 pepper of passwords"),
            check: blake3::derive_key("rettidig vault 1 check", key),
        }
    }
}

/// Reads the key, or makes it when there is no vault yet.
pub(super) fn load_or_make(path: &Path, vault_exists: bool) -> Result<DerivedKeys, VaultError> {
    if !path.exists() {
        if vault_exists {
            return Err(VaultError::KeyMissing { path: path.to_owned() });
        }
        make(path)?;
    }
    load(path)
}

fn load(path: &Path) -> Result<DerivedKeys, VaultError> {
    let reading = "read the vault key";
    let mode = fs::metadata(path).map_err(VaultError::io(reading, path))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(VaultError::KeyExposed { path: path.to_owned(), mode });
    }
    let text = Zeroizing::new(fs::read(path).map_err(VaultError::io(reading, path))?);
    let mut key = from_hexadecimal(text.trim_ascii())
        .ok_or_else(|| VaultError::KeyMalformed { path: path.to_owned(), length: text.len() })?;
    let derived = DerivedKeys::from(&key);
    key.zeroize();
    Ok(derived)
}

/// Whole and durable under its name, or not there.
fn make(path: &Path) -> Result<(), VaultError> {
    let making = "make the vault key";
    let mut key = Zeroizing::new([0; 32]);
    fill(&mut *key)?;
    let text = Zeroizing::new(blake3::Hash::from_bytes(*key).to_hex().to_string());
    let unfinished = path.with_extension("key.new");
    let write = || {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    write().map_err(VaultError::io(making, path))
}

fn from_hexadecimal(text: &[u8]) -> Option<[u8; 32]> {
    blake3::Hash::from_hex(text).ok().map(|hash| *hash.as_bytes())
}
