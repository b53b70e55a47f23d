//! One request in, one response out, whoever serves it.

use super::backend::{Backend, Running};
use super::wire::{Failure, FailureKind, Part, Request, Response, Status, written};
use super::{alarms, logins, registry, reload, rules};
use crate::console::HealthPart;

/// Serves a request.
///
/// # Errors
/// Why it was not done; then nothing was changed, unless the text says how far it came.
pub async fn serve(backend: &mut Backend, request: Request) -> Result<Response, Failure> {
    match request {
        Request::Status => status(running(backend)?).await,
        Request::RegistryImport { kind, file, content, apply } => {
            registry::import(backend, registry::kind(&kind)?, file, content, apply).await
        }
        Request::RegistryExport { kind } => registry::export(backend, registry::kind(&kind)?).await,
        Request::RegistryRemove { kind, id } => registry::remove(backend, registry::kind(&kind)?, id).await,
        Request::ClientAdd { client, role, certificate, replace } => {
            logins::add_client(backend, client, role, certificate, replace).await
        }
        Request::ClientList => logins::list_clients(backend).await,
        Request::ClientRemove { client } => logins::remove_client(backend, client).await,
        Request::UserAdd { account, roles, password } => logins::add_user(backend, account, &roles, password).await,
        Request::UserList => logins::list_users(backend).await,
        Request::UserLink => logins::link(backend).await,
        Request::AlarmList => alarms::list_alarms(backend).await,
        Request::AlarmAcknowledge { alarm } => alarms::acknowledge(backend, alarm).await,
        Request::TaskList => alarms::list_tasks(backend).await,
        Request::TaskCancel { task } => alarms::cancel(backend, task).await,
        Request::Reload { credentials } => reload::reload(running(backend)?, credentials).await,
        Request::RulesList => rules::list(backend).await,
        Request::RulesApprove { version, credentials } => {
            rules::approve(running(backend)?, &version, credentials).await
        }
        Request::RulesReject { version, reason, credentials } => {
            rules::reject(running(backend)?, &version, &reason, credentials).await
        }
        Request::RulesRollback { credentials } => rules::roll_back(running(backend)?, credentials).await,
        Request::VaultBackup { to } => logins::back_up(backend, to).await,
        Request::TlsReload => reload::reload_certificates(running(backend)?).await,
    }
}

fn running(backend: &Backend) -> Result<&Running, Failure> {
    backend.running().ok_or_else(|| Failure::new(FailureKind::Unavailable, "no gateway runs on this data folder"))
}

fn part(part: HealthPart) -> Part {
    let HealthPart { name, ready, required, behind, detail } = part;
    Part { name, ready, required, behind, detail }
}

async fn status(running: &Running) -> Result<Response, Failure> {
    let addresses = &running.addresses;
    let counts = running.ledger.counts();
    let status = Status {
        program: format!("rettidig {}", env!("CARGO_PKG_VERSION")),
        process: std::process::id(),
        mqtt: addresses.mqtt.clone(),
        mqtts: addresses.mqtts.clone(),
        http: addresses.http.clone(),
        received: counts.received,
        quarantined: counts.quarantined_total(),
        duplicates: counts.duplicates,
        waiting: running.handle.waiting(),
        ledger_balanced: counts.balanced(),
        parts: running.health.now().parts.into_iter().map(part).collect(),
        ..Status::default()
    };
    let look = running.handle.look(move |engine| {
        let inventory = engine.inventory();
        Status {
            seq: engine.seq().0,
            at: written(engine.now()),
            configuration: engine.configuration_version().map_or(String::new(), |version| version.to_string()),
            assets: inventory.count_assets(),
            devices: inventory.count_devices(),
            devices_silent: inventory.silent_devices().count(),
            crews: inventory.crews().count(),
            people: inventory.people().count(),
            alarms: engine.alarms().count(),
            tasks_open: engine.tasks().filter(|task| !task.status.ended()).count(),
            ..status
        }
    });
    Ok(Response::Status(Box::new(look.await.map_err(|_| Failure::stopping())?)))
}
