//! People sign in with what they know, for as long as they may, and a guesser waits.

use super::{NOON, after, on_disk, open};
use crate::domain::ids::{AccountId, AreaId};
use crate::domain::time::{Span, Timestamp};
use crate::vault::{Attempt, Grant, Options, Role, Vault, VaultError};
use std::collections::BTreeSet;
use std::path::Path;

const PASSWORD: &str = "correct horse battery";

fn ida() -> AccountId {
    AccountId::new("ida")
}

fn grants(granted: &[(Role, Option<&str>)]) -> BTreeSet<Grant> {
    granted.iter().map(|(role, area)| Grant { role: *role, area: area.map(AreaId::from) }).collect()
}

fn with_ida(folder: &Path) -> Vault {
    let vault = open(folder);
    vault.create_account(&ida(), PASSWORD, &grants(&[(Role::Operator, Some("north"))]), NOON).unwrap();
    vault
}

fn accepted(vault: &Vault, password: &str, now: Timestamp) -> bool {
    matches!(vault.verify(&ida(), password, now).unwrap(), Attempt::Accepted(_))
}

#[test]
fn the_right_password_is_accepted_and_brings_the_roles() {
    let folder = tempfile::tempdir().unwrap();
    let vault = with_ida(folder.path());
    let Attempt::Accepted(account) = vault.verify(&ida(), PASSWORD, NOON).unwrap() else { panic!("not accepted") };
    let (north, south) = (AreaId::new("north"), AreaId::new("south"));
    assert!(account.may(Role::Operator, Some(&north)));
    assert!(!account.may(Role::Operator, Some(&south)));
    assert!(!account.may(Role::Operator, None));
    assert!(!account.may(Role::Admin, Some(&north)));
    vault.set_grants(&ida(), &grants(&[(Role::Auditor, None)])).unwrap();
    let account = vault.account(&ida()).unwrap().unwrap();
    assert!(account.may(Role::Auditor, Some(&south)) && !account.may(Role::Operator, Some(&north)));
    assert!(!on_disk(folder.path(), PASSWORD.as_bytes()));
}

#[test]
fn nobody_learns_whether_an_account_exists() {
    let folder = tempfile::tempdir().unwrap();
    let vault = with_ida(folder.path());
    assert_eq!(vault.verify(&ida(), "wrong password!", NOON).unwrap(), Attempt::Denied);
    assert_eq!(vault.verify(&"nobody".into(), "wrong password!", NOON).unwrap(), Attempt::Denied);
}

#[test]
fn a_guesser_waits_longer_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let vault = with_ida(folder.path());
    for _ in 0..4 {
        assert_eq!(vault.verify(&ida(), "wrong password!", NOON).unwrap(), Attempt::Denied);
    }
    let mut now = NOON;
    for pause in [30, 60, 120, 240, 480, 900, 900] {
        let until = now + Span::from_secs(pause);
        assert_eq!(vault.verify(&ida(), "wrong password!", now).unwrap(), Attempt::Locked { until });
        let just_before = until - Span::from_millis(1);
        assert_eq!(vault.verify(&ida(), PASSWORD, just_before).unwrap(), Attempt::Locked { until });
        now = until;
    }
    assert!(accepted(&vault, PASSWORD, now));
    assert_eq!(vault.verify(&ida(), "wrong password!", now).unwrap(), Attempt::Denied, "the count starts over");
}

#[test]
fn a_lock_survives_a_restart_and_a_new_password_lifts_it() {
    let folder = tempfile::tempdir().unwrap();
    let vault = with_ida(folder.path());
    for _ in 0..5 {
        vault.verify(&ida(), "wrong password!", NOON).unwrap();
    }
    drop(vault);
    let vault = open(folder.path());
    assert_eq!(vault.verify(&ida(), PASSWORD, NOON).unwrap(), Attempt::Locked { until: after(30) });
    assert_eq!(vault.account(&ida()).unwrap().unwrap().locked_until, Some(after(30)));
    vault.set_password(&ida(), "another long password").unwrap();
    assert!(!accepted(&vault, PASSWORD, NOON));
    assert!(accepted(&vault, "another long password", NOON));
}

#[test]
fn passwords_have_a_least_and_a_greatest_length() {
    let folder = tempfile::tempdir().unwrap();
    let vault = open(folder.path());
    let make = |password: &str| vault.create_account(&ida(), password, &BTreeSet::new(), NOON);
    assert!(matches!(make("elevenchars"), Err(VaultError::PasswordTooShort { characters: 11, min: 12 })));
    assert!(matches!(make(&"a".repeat(1_025)), Err(VaultError::PasswordTooLong { bytes: 1_025, max: 1_024 })));
    make("æøåæøåæøåæøå").unwrap();
    assert!(matches!(make("another long one"), Err(VaultError::AccountExists { .. })));
    assert!(!accepted(&vault, &"a".repeat(10_000), NOON));
}

#[test]
fn the_last_admin_stays() {
    let folder = tempfile::tempdir().unwrap();
    let vault = with_ida(folder.path());
    let admin = AccountId::new("anders");
    vault.create_account(&admin, PASSWORD, &grants(&[(Role::Admin, None)]), NOON).unwrap();
    assert!(matches!(vault.remove_account(&admin), Err(VaultError::LastAdmin { .. })));
    assert!(matches!(vault.set_grants(&admin, &BTreeSet::new()), Err(VaultError::LastAdmin { .. })));
    assert_eq!(vault.accounts().unwrap().len(), 2);
    vault.set_grants(&ida(), &grants(&[(Role::Admin, None)])).unwrap();
    vault.remove_account(&admin).unwrap();
    assert!(matches!(vault.remove_account(&admin), Err(VaultError::UnknownAccount { .. })));
    assert_eq!(vault.accounts().unwrap().len(), 1);
}

#[test]
fn a_session_ends_when_idle_and_when_its_time_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let vault = with_ida(folder.path());
    let token = vault.open_session(&ida(), NOON).unwrap().reveal();
    let hour = 3_600;
    assert_eq!(vault.session(&token, after(hour - 1)).unwrap().unwrap().account.id, ida());
    assert!(vault.session(&token, after(2 * hour - 2)).unwrap().is_some(), "use keeps it open");
    assert!(vault.session(&token, after(3 * hour)).unwrap().is_none(), "an idle hour ends it");
    let token = vault.open_session(&ida(), NOON).unwrap().reveal();
    for half_hours in 1..24 {
        assert!(vault.session(&token, after(half_hours * hour / 2)).unwrap().is_some(), "{half_hours}");
    }
    assert!(vault.session(&token, after(12 * hour)).unwrap().is_none(), "twelve hours end it");
}

#[test]
fn a_session_survives_a_restart_and_only_its_hash_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let vault = with_ida(folder.path());
    let token = vault.open_session(&ida(), NOON).unwrap().reveal();
    drop(vault);
    let vault = open(folder.path());
    assert!(vault.session(&token, after(1)).unwrap().is_some());
    assert!(vault.session("", after(1)).unwrap().is_none());
    assert!(vault.session(&token[1..], after(1)).unwrap().is_none());
    assert!(!on_disk(folder.path(), token.as_bytes()));
}

#[test]
fn sessions_are_listed_and_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let vault = with_ida(folder.path());
    let tokens: Vec<_> = (0..3).map(|at| vault.open_session(&ida(), after(at)).unwrap().reveal()).collect();
    let listed = vault.sessions(&ida(), after(5)).unwrap();
    assert_eq!(listed.iter().map(|entry| entry.opened_at).collect::<Vec<_>>(), [after(0), after(1), after(2)]);
    assert!(vault.close_session(&tokens[0]).unwrap());
    assert!(!vault.close_session(&tokens[0]).unwrap());
    assert!(vault.session(&tokens[0], after(5)).unwrap().is_none());
    assert!(!vault.revoke_session(&"other".into(), listed[1].id).unwrap(), "only one's own");
    assert!(vault.revoke_session(&ida(), listed[1].id).unwrap());
    assert!(vault.session(&tokens[1], after(5)).unwrap().is_none());
    assert_eq!(vault.revoke_sessions(&ida()).unwrap(), 1);
    assert!(vault.session(&tokens[2], after(5)).unwrap().is_none());
}

#[test]
fn a_changed_password_and_a_removed_account_end_their_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let vault = with_ida(folder.path());
    let token = vault.open_session(&ida(), NOON).unwrap().reveal();
    vault.set_password(&ida(), "another long password").unwrap();
    assert!(vault.session(&token, NOON).unwrap().is_none());
    let token = vault.open_session(&ida(), NOON).unwrap().reveal();
    vault.remove_account(&ida()).unwrap();
    assert!(vault.session(&token, NOON).unwrap().is_none());
    assert!(matches!(vault.open_session(&ida(), NOON), Err(VaultError::UnknownAccount { .. })));
}

#[test]
fn the_oldest_session_gives_way() {
    let folder = tempfile::tempdir().unwrap();
    drop(with_ida(folder.path()));
    let vault = Vault::open(Options { sessions_per_account_max: 2, ..Options::new(folder.path()) }).unwrap();
    let tokens: Vec<_> = (0..3).map(|at| vault.open_session(&ida(), after(at)).unwrap().reveal()).collect();
    let open: Vec<_> = tokens.iter().map(|token| vault.session(token, after(3)).unwrap().is_some()).collect();
    assert_eq!(open, [false, true, true]);
}

#[test]
fn the_first_admin_is_made_with_the_link_and_only_once() {
    let folder = tempfile::tempdir().unwrap();
    let vault = open(folder.path());
    let replaced = vault.first_start_link(NOON).unwrap().unwrap().reveal();
    let token = vault.first_start_link(after(1)).unwrap().unwrap().reveal();
    let redeem = |token: &str, password: &str| vault.redeem_first_start(token, &ida(), password, after(2));
    assert!(!redeem(&replaced, PASSWORD).unwrap());
    assert!(matches!(redeem(&token, "short"), Err(VaultError::PasswordTooShort { .. })));
    assert!(vault.first_start_link_is_good(&token, after(2)).unwrap(), "a bad password does not use it up");
    assert!(redeem(&token, PASSWORD).unwrap());
    assert!(!redeem(&token, PASSWORD).unwrap());
    assert!(accepted(&vault, PASSWORD, after(3)));
    assert!(vault.account(&ida()).unwrap().unwrap().may(Role::Admin, None));
    assert!(vault.first_start_link(after(4)).unwrap().is_none(), "there is an admin");
    assert!(!on_disk(folder.path(), token.as_bytes()));
}

#[test]
fn the_link_expires() {
    let folder = tempfile::tempdir().unwrap();
    let vault = open(folder.path());
    let token = vault.first_start_link(NOON).unwrap().unwrap().reveal();
    let day = 86_400;
    assert!(vault.first_start_link_is_good(&token, after(day - 1)).unwrap());
    assert!(!vault.first_start_link_is_good(&token, after(day)).unwrap());
    assert!(!vault.redeem_first_start(&token, &ida(), PASSWORD, after(day)).unwrap());
}
