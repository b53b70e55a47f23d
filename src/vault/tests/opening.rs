//! The key file and the vault belong together, are private, and are never made twice.

use super::{NOON, after, on_disk, open};
use crate::domain::ids::PersonId;
use crate::vault::{Options, Personal, Vault, VaultError};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn try_open(folder: &Path) -> Result<Vault, VaultError> {
    Vault::open(Options::new(folder))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn files_are_readable_by_their_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("vault");
    let _vault = open(&folder);
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("vault.key")), 0o600);
    assert_eq!(mode(&folder.join("vault.db")), 0o600);
    assert_eq!(mode(&folder.join("vault.db-wal")), 0o600);
}

#[test]
fn a_vault_without_its_key_is_refused_and_no_other_key_is_made() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let key = folder.path().join("vault.key");
    fs::remove_file(&key).unwrap();
    assert!(matches!(try_open(folder.path()), Err(VaultError::KeyMissing { .. })));
    assert!(!key.exists());
}

#[test]
fn the_key_of_another_vault_is_recognised() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop((open(one.path()), open(other.path())));
    fs::copy(other.path().join("vault.key"), one.path().join("vault.key")).unwrap();
    assert!(matches!(try_open(one.path()), Err(VaultError::WrongKey { .. })));
}

#[test]
fn a_key_that_others_may_read_is_refused_with_the_cure() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let key = folder.path().join("vault.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let fault = try_open(folder.path()).err().unwrap();
    assert!(fault.to_string().ends_with("may be read by others (mode 644): run chmod 600 on it"), "{fault}");
}

#[test]
fn a_key_file_that_is_no_key_is_named() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    fs::write(folder.path().join("vault.key"), "rubbish\n").unwrap();
    assert!(matches!(try_open(folder.path()), Err(VaultError::KeyMalformed { length: 8, .. })));
}

#[test]
fn a_start_that_ended_after_the_key_was_made_goes_on() {
    let (one, fresh) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(open(one.path()));
    fs::copy(one.path().join("vault.key"), fresh.path().join("vault.key")).unwrap();
    fs::write(fresh.path().join("vault.key.new"), "half").unwrap();
    let vault = open(fresh.path());
    vault.seal(&PersonId::new("person-1"), b"42", NOON).unwrap();
}

#[test]
fn a_backup_opens_with_the_same_key_and_holds_everything() {
    let folder = tempfile::tempdir().unwrap();
    let restored = tempfile::tempdir().unwrap();
    let vault = open(folder.path());
    let person = PersonId::new("person-1");
    let sealed = vault.seal(&person, b"42", NOON).unwrap();
    let record = Personal { name: Some("Ane Holm".into()), ..Personal::default() };
    vault.put_personal(&person, &record, NOON).unwrap();
    let copy = restored.path().join("vault.db");
    vault.backup(&copy).unwrap();
    vault.backup(&copy).unwrap();
    assert_eq!(mode(&copy), 0o600);
    vault.erase(&person, after(1)).unwrap();
    fs::copy(folder.path().join("vault.key"), restored.path().join("vault.key")).unwrap();
    let restored = open(restored.path());
    assert_eq!(restored.open_sealed(&person, &sealed).unwrap().as_deref(), Some(&b"42"[..]));
    assert_eq!(restored.personal(&person).unwrap(), Some(record));
}

#[test]
fn a_personal_record_is_sealed_on_disk_and_goes_with_its_person() {
    let folder = tempfile::tempdir().unwrap();
    let vault = open(folder.path());
    let person = PersonId::new("person-1");
    let record = Personal {
        name: Some("Ane Holm".into()),
        phone: Some("+45 12 34 56 78".into()),
        email: Some("ane@example.org".into()),
        address: Some("Algade 1".into()),
    };
    assert_eq!(vault.personal(&person).unwrap(), None);
    vault.put_personal(&person, &record, NOON).unwrap();
    assert_eq!(vault.personal(&person).unwrap().as_ref(), Some(&record));
    assert!(!on_disk(folder.path(), b"Ane Holm"));
    assert_eq!(format!("{record:?}"), "Personal(…)");
    vault.erase(&person, after(1)).unwrap();
    assert_eq!(vault.personal(&person).unwrap(), None);
    let again = vault.put_personal(&person, &record, after(2));
    assert!(matches!(again, Err(VaultError::UnknownPerson { .. })));
}

#[test]
fn a_personal_record_can_be_changed_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let vault = open(folder.path());
    let person = PersonId::new("person-1");
    let named = |name: &str| Personal { name: Some(name.into()), ..Personal::default() };
    vault.put_personal(&person, &named("Ane"), NOON).unwrap();
    vault.put_personal(&person, &named("Ane Holm"), after(1)).unwrap();
    assert_eq!(vault.personal(&person).unwrap(), Some(named("Ane Holm")));
    assert!(vault.remove_personal(&person).unwrap());
    assert!(!vault.remove_personal(&person).unwrap());
    assert_eq!(vault.personal(&person).unwrap(), None);
    vault.put_personal(&person, &named("Ane"), after(2)).unwrap();
}
