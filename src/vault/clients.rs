//! MQTT logins: devices, gateways, crews and services, by secret or by certificate.
//!
//! A secret is 32 random bytes, so a keyed hash is enough to store and fast enough to check at every connection; all
//! logins are in memory. What a role may publish or subscribe is `app`'s to say.

use super::error::VaultError;
use super::open::Vault;
use super::secret::Secret;
use crate::domain::ids::{ClientId, CrewId, DeviceId};
use crate::domain::time::Timestamp;
use rusqlite::{Connection, Transaction};
use std::collections::BTreeMap;
use std::sync::PoisonError;

/// Whom a login acts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientRole {
    Device(DeviceId),
    /// May publish for any device: a network server.
    Gateway,
    Crew(CrewId),
    Service,
}

/// One login, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientEntry {
    pub id: ClientId,
    pub role: ClientRole,
    pub has_secret: bool,
    pub certificate_cn: Option<String>,
}

#[derive(Default)]
pub(super) struct Clients {
    by_id: BTreeMap<ClientId, Client>,
    by_certificate: BTreeMap<String, ClientId>,
}

#[derive(Clone)]
struct Client {
    role: ClientRole,
    secret_hash: Option<blake3::Hash>,
    certificate_cn: Option<String>,
}

impl Vault {
    /// Gives a client a secret and a role; both replace what it had. Its certificate stays.
    pub fn put_client(
        &self,
        id: &ClientId,
        secret: &Secret,
        role: &ClientRole,
        now: Timestamp,
    ) -> Result<(), VaultError> {
        self.put_clients(&[(id.clone(), secret.clone(), role.clone())], now)
    }

    /// The same for many clients in one commit: all of them, or none.
    pub fn put_clients(&self, clients: &[(ClientId, Secret, ClientRole)], now: Timestamp) -> Result<(), VaultError> {
        self.change_clients("store logins", |transaction| {
            clients.iter().try_for_each(|(id, secret, role)| {
                let hash = self.hash(secret.reveal().as_bytes());
                let (role, acts_for) = role_columns(role);
                transaction
                    .execute(
                        "INSERT INTO client (id, role, acts_for, secret_hash, changed_at) VALUES (?, ?, ?, ?, ?)
                         ON CONFLICT (id) DO UPDATE SET role = excluded.role, acts_for = excluded.acts_for,
                             secret_hash = excluded.secret_hash, changed_at = excluded.changed_at",
                        (id.as_str(), role, acts_for, hash.as_bytes(), now.as_micros()),
                    )
                    .map(|_| ())
                    .map_err(VaultError::database("store a login"))
            })
        })
    }

    /// Lets a client in by the common name of its certificate, with this role. Its secret, if any, stays.
    ///
    /// # Errors
    /// `CertificateTaken` when another client has this name.
    pub fn put_certificate(
        &self,
        id: &ClientId,
        common_name: &str,
        role: &ClientRole,
        now: Timestamp,
    ) -> Result<(), VaultError> {
        self.change_clients("store a certificate name", |transaction| {
            let (role, acts_for) = role_columns(role);
            transaction
                .execute(
                    "INSERT INTO client (id, role, acts_for, certificate_cn, changed_at) VALUES (?, ?, ?, ?, ?)
                     ON CONFLICT (id) DO UPDATE SET role = excluded.role, acts_for = excluded.acts_for,
                         certificate_cn = excluded.certificate_cn, changed_at = excluded.changed_at",
                    (id.as_str(), role, acts_for, common_name, now.as_micros()),
                )
                .map(|_| ())
                .map_err(|fault| match fault.sqlite_error_code() {
                    Some(rusqlite::ErrorCode::ConstraintViolation) => {
                        VaultError::CertificateTaken { name: common_name.to_owned() }
                    }
                    _ => VaultError::database("store a certificate name")(fault),
                })
        })
    }

    /// Returns whether there was such a client.
    pub fn remove_client(&self, id: &ClientId) -> Result<bool, VaultError> {
        self.change_clients("remove a login", |transaction| {
            transaction
                .execute("DELETE FROM client WHERE id = ?", [id.as_str()])
                .map(|removed| removed > 0)
                .map_err(VaultError::database("remove a login"))
        })
    }

    /// The role of a client that shows this secret, as the text it was given. From memory, in constant time, and as
    /// slow for a client that does not exist.
    pub fn check_client(&self, id: &str, shown: &[u8]) -> Option<ClientRole> {
        let shown = self.hash(shown);
        let clients = self.inner.clients.read().unwrap_or_else(PoisonError::into_inner);
        let client = clients.by_id.get(id);
        let expected = client.and_then(|client| client.secret_hash);
        // blake3 compares hashes in constant time.
        let right = expected.unwrap_or_else(|| blake3::Hash::from_bytes([0; 32])) == shown;
        client.filter(|_| right && expected.is_some()).map(|client| client.role.clone())
    }

    /// What a login may do, if there is such a login.
    pub fn client_role(&self, id: &ClientId) -> Option<ClientRole> {
        let clients = self.inner.clients.read().unwrap_or_else(PoisonError::into_inner);
        clients.by_id.get(id).map(|client| client.role.clone())
    }

    /// The client whose verified certificate has this common name.
    pub fn client_by_certificate(&self, common_name: &str) -> Option<(ClientId, ClientRole)> {
        let clients = self.inner.clients.read().unwrap_or_else(PoisonError::into_inner);
        let id = clients.by_certificate.get(common_name)?;
        clients.by_id.get(id).map(|client| (id.clone(), client.role.clone()))
    }

    /// All logins, by id.
    pub fn clients(&self) -> Vec<ClientEntry> {
        let clients = self.inner.clients.read().unwrap_or_else(PoisonError::into_inner);
        let entry = |(id, client): (&ClientId, &Client)| ClientEntry {
            id: id.clone(),
            role: client.role.clone(),
            has_secret: client.secret_hash.is_some(),
            certificate_cn: client.certificate_cn.clone(),
        };
        clients.by_id.iter().map(entry).collect()
    }

    /// Changes the table, then memory: whoever reads the table last, under the lock, has read both changes of two.
    fn change_clients<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        let done = self.change(doing, work)?;
        let mut memory = self.inner.clients.write().unwrap_or_else(PoisonError::into_inner);
        *memory = Clients::load(&self.database())?;
        Ok(done)
    }
}

impl Clients {
    pub fn load(database: &Connection) -> Result<Self, VaultError> {
        let doing = "read the logins";
        let mut loaded = Self::default();
        let mut select = database
            .prepare_cached("SELECT id, role, acts_for, secret_hash, certificate_cn FROM client")
            .map_err(VaultError::database(doing))?;
        let mut rows = select.query([]).map_err(VaultError::database(doing))?;
        while let Some(row) = rows.next().map_err(VaultError::database(doing))? {
            let read = || {
                let id = ClientId::new(row.get_ref(0)?.as_str()?);
                let hash = row.get::<_, Option<[u8; 32]>>(3)?.map(blake3::Hash::from_bytes);
                Ok((id, row.get::<_, String>(1)?, row.get::<_, String>(2)?, hash, row.get::<_, Option<String>>(4)?))
            };
            let (id, role, acts_for, secret_hash, certificate_cn) = read().map_err(VaultError::database(doing))?;
            let role = role_from(&role, &acts_for)?;
            if let Some(name) = &certificate_cn {
                loaded.by_certificate.insert(name.clone(), id.clone());
            }
            loaded.by_id.insert(id, Client { role, secret_hash, certificate_cn });
        }
        Ok(loaded)
    }
}

fn role_columns(role: &ClientRole) -> (&'static str, &str) {
    match role {
        ClientRole::Device(device) => ("device", device.as_str()),
        ClientRole::Gateway => ("gateway", ""),
        ClientRole::Crew(crew) => ("crew", crew.as_str()),
        ClientRole::Service => ("service", ""),
    }
}

fn role_from(role: &str, acts_for: &str) -> Result<ClientRole, VaultError> {
    match role {
        "device" => Ok(ClientRole::Device(DeviceId::new(acts_for))),
        "gateway" => Ok(ClientRole::Gateway),
        "crew" => Ok(ClientRole::Crew(CrewId::new(acts_for))),
        "service" => Ok(ClientRole::Service),
        _ => Err(VaultError::Unreadable { what: "a client's role", value: role.to_owned() }),
    }
}
