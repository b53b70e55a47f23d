//! Who may connect and who may sign in: the vault's logins and accounts.
//!
//! A secret is shown once, in the answer to the request that made it, and never again.

use super::backend::Backend;
use super::wire::{ClientRow, Failure, Response, UserRow, written};
use crate::domain::cpr;
use crate::domain::ids::{AccountId, AreaId, ClientId, CrewId, DeviceId};
use crate::vault::{Account, ClientEntry, ClientRole, Grant, Role, Secret, Vault};
use std::collections::BTreeSet;
use std::path::PathBuf;

const NAME_CHARS_MAX: usize = 64;

pub(super) async fn add_client(
    backend: &mut Backend,
    client: String,
    role: String,
    certificate: Option<String>,
    replace: bool,
) -> Result<Response, Failure> {
    let id = ClientId::new(name("client", &client)?);
    let wanted = client_role(&role)?;
    let known = backend.vault({
        let id = id.clone();
        move |vault, _| Ok(vault.client_role(&id).is_some())
    });
    let known = known.await?;
    if known && !replace {
        return Err(Failure::refused(format!("the client \"{id}\" exists; --replace gives it another secret")));
    }
    let note = note(backend, &wanted).await?;
    let secret = Secret::generate().map_err(|error| super::backend::vault_failure(&error))?;
    let shown = if certificate.is_none() { secret.reveal() } else { String::new() };
    let put = {
        let id = id.clone();
        move |vault: &Vault, now| match &certificate {
            Some(common_name) => vault.put_certificate(&id, common_name, &wanted, now),
            None => vault.put_client(&id, &secret, &wanted, now),
        }
    };
    backend.vault(put).await?;
    if known {
        expel(backend, &id);
    }
    if shown.is_empty() {
        let text = format!("client \"{id}\" logs in with its certificate as {role}");
        return Ok(Response::Done { text, seq: None });
    }
    Ok(Response::Secret { client, role, secret: shown, note })
}

/// A login may be made before what it speaks for is registered, but somebody should know.
async fn note(backend: &mut Backend, role: &ClientRole) -> Result<Option<String>, Failure> {
    let asked = role.clone();
    let registered = backend.look(move |engine| match &asked {
        ClientRole::Device(device) => engine.inventory().device(device).is_some(),
        ClientRole::Crew(crew) => engine.inventory().crews().any(|known| known.id == *crew),
        ClientRole::Gateway | ClientRole::Service => true,
    });
    let registered = registered.await?;
    let text = format!("{} is not registered yet; its messages are quarantined until it is", written_role(role));
    Ok((!registered).then_some(text))
}

pub(super) async fn list_clients(backend: &mut Backend) -> Result<Response, Failure> {
    let row = |entry: ClientEntry| ClientRow {
        client: entry.id.to_string(),
        role: written_role(&entry.role),
        has_secret: entry.has_secret,
        certificate: entry.certificate_cn,
    };
    let clients = backend.vault(move |vault, _| Ok(vault.clients().into_iter().map(row).collect())).await?;
    Ok(Response::Clients { clients })
}

pub(super) async fn remove_client(backend: &mut Backend, client: String) -> Result<Response, Failure> {
    let id = ClientId::new(&client);
    let removing = id.clone();
    if !backend.vault(move |vault, _| vault.remove_client(&removing)).await? {
        return Err(Failure::refused(format!("there is no client \"{client}\"; `rettidig client list` shows them")));
    }
    let connected = expel(backend, &id);
    let text = format!("client \"{client}\" removed{}", if connected { " and disconnected" } else { "" });
    Ok(Response::Done { text, seq: None })
}

/// Whoever is connected with a login that is gone is not connected any more.
fn expel(backend: &Backend, id: &ClientId) -> bool {
    backend.running().and_then(|running| running.out.endpoint()).is_some_and(|endpoint| endpoint.expel(id))
}

pub(super) async fn add_user(
    backend: &mut Backend,
    account: String,
    roles: &[String],
    password: String,
) -> Result<Response, Failure> {
    let id = AccountId::new(name("account", &account)?);
    let grants = roles.iter().map(|role| grant(role)).collect::<Result<BTreeSet<_>, _>>()?;
    if grants.is_empty() {
        return Err(Failure::refused("an account needs at least one role, such as --role operator"));
    }
    backend.vault(move |vault, now| vault.create_account(&id, &password, &grants, now)).await?;
    Ok(Response::Done { text: format!("account \"{account}\" made"), seq: None })
}

pub(super) async fn list_users(backend: &mut Backend) -> Result<Response, Failure> {
    let row = |account: Account| UserRow {
        account: account.id.to_string(),
        roles: account.grants.iter().map(written_grant).collect(),
        made_at: written(account.made_at),
        locked_until: account.locked_until.map(written),
    };
    let users = backend.vault(move |vault, _| Ok(vault.accounts()?.into_iter().map(row).collect())).await?;
    Ok(Response::Users { users })
}

pub(super) async fn link(backend: &mut Backend) -> Result<Response, Failure> {
    let Some(token) = backend.vault(Vault::first_start_link).await? else {
        return Err(Failure::refused("there is an admin already; make accounts with `rettidig user add`"));
    };
    let port = backend.http().map_or(0, |address| address.port());
    Ok(Response::Link { link: first_start_link(backend.public_origin(), port, &token) })
}

pub(super) async fn back_up(backend: &mut Backend, to: PathBuf) -> Result<Response, Failure> {
    let text = format!("the vault is copied to {}; keep it apart from its key file", to.display());
    backend.vault(move |vault, _| vault.backup(&to)).await?;
    Ok(Response::Done { text, seq: None })
}

/// The page that makes the first account. The token stands behind `#`, so it never reaches a log.
pub(in crate::app) fn first_start_link(public_origin: Option<&str>, port: u16, token: &Secret) -> String {
    let origin = public_origin.map_or_else(|| format!("http://localhost:{port}"), str::to_owned);
    format!("{origin}/first-start#{}", token.reveal())
}

/// Names stand in topics, files and lists, and never hold what looks like a CPR number.
fn name<'a>(what: &str, text: &'a str) -> Result<&'a str, Failure> {
    let unfit = |letter: char| letter.is_whitespace() || letter.is_control() || "/+#\"'".contains(letter);
    if text.is_empty() || text.chars().any(unfit) || text.chars().nth(NAME_CHARS_MAX).is_some() {
        let text = format!("{what}: a name has 1 to {NAME_CHARS_MAX} characters, no blanks and none of / + # \" '");
        return Err(Failure::refused(text));
    }
    if cpr::holds_cpr_number(text) {
        return Err(Failure::refused(format!("{what}: what looks like a CPR number is never stored")));
    }
    Ok(text)
}

fn client_role(text: &str) -> Result<ClientRole, Failure> {
    match text.split_once('=') {
        None if text == "gateway" => Ok(ClientRole::Gateway),
        None if text == "service" => Ok(ClientRole::Service),
        Some(("device", device)) => Ok(ClientRole::Device(DeviceId::new(name("device", device)?))),
        Some(("crew", crew)) => Ok(ClientRole::Crew(CrewId::new(name("crew", crew)?))),
        None | Some(_) => {
            Err(Failure::refused(format!("the role \"{text}\" is not one of gateway, device=ID, crew=ID, service")))
        }
    }
}

fn written_role(role: &ClientRole) -> String {
    match role {
        ClientRole::Device(device) => format!("device={device}"),
        ClientRole::Gateway => "gateway".to_owned(),
        ClientRole::Crew(crew) => format!("crew={crew}"),
        ClientRole::Service => "service".to_owned(),
    }
}

fn grant(text: &str) -> Result<Grant, Failure> {
    let (role, area) = text.split_once('=').map_or((text, None), |(role, area)| (role, Some(area)));
    let found = Role::ALL.into_iter().find(|known| known.as_str() == role);
    let names = || Role::ALL.map(Role::as_str).join(", ");
    let role = found.ok_or_else(|| Failure::refused(format!("the role \"{role}\" is not one of {}", names())))?;
    let area = area.map(|area| name("area", area).map(AreaId::new)).transpose()?;
    Ok(Grant { role, area })
}

fn written_grant(grant: &Grant) -> String {
    match &grant.area {
        Some(area) => format!("{}={area}", grant.role.as_str()),
        None => grant.role.as_str().to_owned(),
    }
}
