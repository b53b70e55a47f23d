//! Sealed with a person's key: opened with that key only, and never again once it is erased.

use super::{NOON, after, on_disk, open};
use crate::domain::ids::PersonId;
use crate::vault::{Options, Vault, VaultError};
use proptest::prelude::*;

fn person(name: &str) -> PersonId {
    PersonId::new(name)
}

#[test]
fn what_is_sealed_opens_again_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let ane = person("person-1");
    let vault = open(folder.path());
    let sealed = vault.seal(&ane, b"pressure 42", NOON).unwrap();
    assert!(!sealed.windows(8).any(|window| window == b"pressure"));
    assert_ne!(sealed, vault.seal(&ane, b"pressure 42", NOON).unwrap(), "the same value never looks the same");
    assert_eq!(vault.open_sealed(&ane, &sealed).unwrap().as_deref(), Some(&b"pressure 42"[..]));
    drop(vault);
    let vault = open(folder.path());
    assert_eq!(vault.open_sealed(&ane, &sealed).unwrap().as_deref(), Some(&b"pressure 42"[..]));
}

#[test]
fn one_persons_key_opens_nothing_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let vault = open(folder.path());
    let sealed = vault.seal(&person("person-1"), b"42", NOON).unwrap();
    vault.seal(&person("person-2"), b"42", NOON).unwrap();
    let other = vault.open_sealed(&person("person-2"), &sealed);
    assert!(matches!(other, Err(VaultError::CannotOpen { .. })));
    let stranger = vault.open_sealed(&person("person-3"), &sealed);
    assert!(matches!(stranger, Err(VaultError::UnknownPerson { .. })), "never made is not erased");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_flipped_bit_is_found(clear in proptest::collection::vec(any::<u8>(), 0..64), bit in any::<prop::sample::Index>()) {
        let folder = tempfile::tempdir().unwrap();
        let vault = open(folder.path());
        let mut sealed = vault.seal(&person("person-1"), &clear, NOON).unwrap();
        let bit = bit.index(sealed.len() * 8);
        sealed[bit / 8] ^= 1 << (bit % 8);
        let opened = vault.open_sealed(&person("person-1"), &sealed);
        let found = matches!(opened, Err(VaultError::CannotOpen { .. }));
        prop_assert!(found, "bit {}", bit);
    }
}

#[test]
fn no_cut_off_bytes_can_panic_the_opener() {
    let folder = tempfile::tempdir().unwrap();
    let vault = open(folder.path());
    let sealed = vault.seal(&person("person-1"), b"42", NOON).unwrap();
    for length in 0..sealed.len() {
        assert!(vault.open_sealed(&person("person-1"), &sealed[..length]).is_err(), "{length}");
    }
}

#[test]
fn an_erased_key_never_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let ane = person("person-1");
    let vault = open(folder.path());
    let sealed = vault.seal(&ane, b"42", NOON).unwrap();
    assert!(vault.erase(&ane, after(1)).unwrap());
    assert!(!vault.erase(&ane, after(2)).unwrap());
    assert_eq!(vault.open_sealed(&ane, &sealed).unwrap(), None);
    let late = vault.seal(&ane, b"43", after(3)).unwrap();
    assert_eq!(vault.open_sealed(&ane, &late).unwrap(), None, "what comes late is sealed with a key nobody keeps");
    vault.make_keys(std::slice::from_ref(&ane), after(4)).unwrap();
    drop(vault);
    let vault = open(folder.path());
    assert_eq!(vault.open_sealed(&ane, &sealed).unwrap(), None);
    assert_eq!(vault.open_sealed(&ane, &late).unwrap(), None);
}

#[test]
fn somebody_without_a_key_can_be_erased_beforehand() {
    let folder = tempfile::tempdir().unwrap();
    let vault = open(folder.path());
    let ane = person("person-1");
    assert!(!vault.erase(&ane, NOON).unwrap());
    let sealed = vault.seal(&ane, b"42", after(1)).unwrap();
    assert_eq!(vault.open_sealed(&ane, &sealed).unwrap(), None);
}

#[test]
fn the_wrapped_key_is_gone_from_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let ane = person("person-1");
    let vault = open(folder.path());
    vault.seal(&ane, b"42", NOON).unwrap();
    let wrapped: Vec<u8> = rusqlite::Connection::open(folder.path().join("vault.db"))
        .unwrap()
        .query_row("SELECT wrapped FROM subject_key", [], |row| row.get(0))
        .unwrap();
    assert!(on_disk(folder.path(), &wrapped));
    vault.erase(&ane, after(1)).unwrap();
    assert!(!on_disk(folder.path(), &wrapped));
}

#[test]
fn a_small_cache_forgets_and_reads_again() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Vault::open(Options { cached_keys_max: 4, ..Options::new(folder.path()) }).unwrap();
    let people: Vec<_> = (0..20).map(|number| person(&format!("person-{number}"))).collect();
    vault.make_keys(&people, NOON).unwrap();
    let sealed: Vec<_> =
        people.iter().map(|person| vault.seal(person, person.as_str().as_bytes(), NOON).unwrap()).collect();
    assert!(vault.cached_keys() <= 4);
    for (person, sealed) in people.iter().zip(&sealed) {
        assert_eq!(vault.open_sealed(person, sealed).unwrap().as_deref(), Some(person.as_str().as_bytes()));
    }
    vault.erase(&people[3], after(1)).unwrap();
    for (number, person) in people.iter().enumerate() {
        assert_eq!(vault.open_sealed(person, &sealed[number]).unwrap().is_none(), number == 3);
    }
}

#[test]
fn threads_that_seal_first_agree_on_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let vault = open(folder.path());
    let ane = person("person-1");
    let sealed: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| vault.seal(&ane, b"42", NOON).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for sealed in sealed {
        assert_eq!(vault.open_sealed(&ane, &sealed).unwrap().as_deref(), Some(&b"42"[..]));
    }
}
