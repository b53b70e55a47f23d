//! MQTT logins: the right secret lets in, every other one does not, and no secret stands anywhere.

use super::{NOON, after, on_disk, open};
use crate::domain::ids::ClientId;
use crate::vault::{ClientRole, Secret, Vault, VaultError};

fn id(text: &str) -> ClientId {
    ClientId::new(text)
}

fn device(name: &str) -> ClientRole {
    ClientRole::Device(name.into())
}

fn put(vault: &Vault, client: &str, role: &ClientRole) -> String {
    let secret = Secret::generate().unwrap();
    vault.put_client(&id(client), &secret, role, NOON).unwrap();
    secret.reveal()
}

#[test]
fn the_right_secret_lets_in_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let vault = open(folder.path());
    let roles = [device("bin-7-sensor"), ClientRole::Gateway, ClientRole::Crew("crew-2".into()), ClientRole::Service];
    let secrets: Vec<_> =
        roles.iter().enumerate().map(|(at, role)| put(&vault, &format!("client-{at}"), role)).collect();
    drop(vault);
    let vault = open(folder.path());
    for (at, role) in roles.iter().enumerate() {
        let client = format!("client-{at}");
        assert_eq!(vault.check_client(&client, secrets[at].as_bytes()).as_ref(), Some(role));
        assert_eq!(vault.check_client(&client, secrets[(at + 1) % 4].as_bytes()), None);
    }
    assert_eq!(secrets[0].len(), 43);
}

#[test]
fn wrong_and_missing_logins_are_denied() {
    let folder = tempfile::tempdir().unwrap();
    let vault = open(folder.path());
    let secret = put(&vault, "bin-7", &device("bin-7-sensor"));
    for wrong in ["", "x", &secret[1..], &secret.to_lowercase()] {
        assert_eq!(vault.check_client("bin-7", wrong.as_bytes()), None, "{wrong:?}");
    }
    assert_eq!(vault.check_client("bin-8", secret.as_bytes()), None);
    vault.put_certificate(&id("by-certificate"), "meter.example", &ClientRole::Gateway, NOON).unwrap();
    assert_eq!(vault.check_client("by-certificate", b""), None, "no secret is not an empty one");
    assert_eq!(vault.check_client("by-certificate", &[0; 32]), None);
}

#[test]
fn a_secret_put_again_replaces_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let vault = open(folder.path());
    let before = put(&vault, "bin-7", &device("bin-7-sensor"));
    let behind = put(&vault, "bin-7", &device("bin-7-other"));
    assert_eq!(vault.check_client("bin-7", before.as_bytes()), None);
    assert_eq!(vault.check_client("bin-7", behind.as_bytes()), Some(device("bin-7-other")));
}

#[test]
fn a_removed_client_is_out_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let vault = open(folder.path());
    let secret = put(&vault, "bin-7", &device("bin-7-sensor"));
    vault.put_certificate(&id("bin-7"), "bin-7.example", &device("bin-7-sensor"), after(1)).unwrap();
    assert!(vault.remove_client(&id("bin-7")).unwrap());
    assert!(!vault.remove_client(&id("bin-7")).unwrap());
    assert_eq!(vault.check_client("bin-7", secret.as_bytes()), None);
    assert_eq!(vault.client_by_certificate("bin-7.example"), None);
}

#[test]
fn a_certificate_name_belongs_to_one_client() {
    let folder = tempfile::tempdir().unwrap();
    let vault = open(folder.path());
    let secret = put(&vault, "gateway-1", &ClientRole::Gateway);
    vault.put_certificate(&id("gateway-1"), "gw.example", &ClientRole::Gateway, NOON).unwrap();
    let found = vault.client_by_certificate("gw.example");
    assert_eq!(found, Some((id("gateway-1"), ClientRole::Gateway)));
    assert_eq!(vault.check_client("gateway-1", secret.as_bytes()), Some(ClientRole::Gateway), "the secret stays");
    let taken = vault.put_certificate(&id("gateway-2"), "gw.example", &ClientRole::Gateway, NOON);
    assert!(matches!(taken, Err(VaultError::CertificateTaken { name }) if name == "gw.example"));
    vault.put_certificate(&id("gateway-1"), "gw2.example", &ClientRole::Gateway, after(1)).unwrap();
    assert_eq!(vault.client_by_certificate("gw.example"), None);
    let entries = vault.clients();
    assert_eq!(entries.len(), 1);
    assert!(entries[0].has_secret);
    assert_eq!(entries[0].certificate_cn.as_deref(), Some("gw2.example"));
}

#[test]
fn no_secret_is_stored_or_printed() {
    let folder = tempfile::tempdir().unwrap();
    let vault = open(folder.path());
    let secret = Secret::from_bytes(*b"thirty-two bytes of a known kind");
    vault.put_client(&id("bin-7"), &secret, &device("bin-7-sensor"), NOON).unwrap();
    assert!(!on_disk(folder.path(), secret.reveal().as_bytes()));
    assert!(!on_disk(folder.path(), b"thirty-two bytes of a known kind"));
    assert_eq!(format!("{secret:?}"), "Secret(…)");
}
