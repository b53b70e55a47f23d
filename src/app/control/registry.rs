//! The registry from files: checked whole, compared, and only then, in events of bounded size, changed.
//!
//! Nothing is ever removed by an import. Names and phone numbers go to the vault; the events hold pseudonyms.

use super::backend::{Backend, Types, blocking};
use super::wire::{Failure, Response};
use crate::app::self_watch;
use crate::domain::event::{Event, RegistryChange};
use crate::domain::ids::{AssetId, CrewId, DeviceId, PersonId, SensorTypeId};
use crate::domain::reason::Verdict;
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use crate::registry::{
    Diff, Import, Kind, Known, PersonalRecord, Registry, SensorTypeNeeds, cross_check, diff, export as to_csv, read,
};
use crate::vault::{Personal, Vault, VaultError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Registry changes in one event.
const CHANGES_AT_ONCE: usize = 1_000;
/// Names of what stands in the way, in one refusal.
const NAMES_SHOWN: usize = 5;

pub(super) fn kind(name: &str) -> Result<Kind, Failure> {
    Kind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == name)
        .ok_or_else(|| Failure::refused(format!("\"{name}\" is not one of assets, devices, crews, people")))
}

pub(super) async fn import(
    backend: &mut Backend,
    kind: Kind,
    file: String,
    content: String,
    apply: bool,
) -> Result<Response, Failure> {
    let name = file.clone();
    let import = blocking(move || {
        let bytes = STANDARD.decode(content).map_err(|_| Failure::refused("the content is not base64"))?;
        read(&file, &bytes, kind).map_err(|faults| Failure::of_file(&file, &faults))
    });
    let import = import.await??;
    let needs = needs(&backend.types()?);
    let routes = backend.routes().await?;
    let registered = backend.look(move |engine| registry(engine, kind)).await?;
    let now = backend.now();
    let compared = blocking(move || {
        let known = Known { registry: &registered, sensor_types: &needs, routes: &routes, now };
        compare(import, &known)
    });
    let (import, mut diff) = compared.await?.map_err(|faults| Failure::of_file(&name, &faults))?;
    // The gateway has registered itself; no file of a municipality names it.
    diff.absent.retain(|removal| !self_watch::is_the_gateway(removal));
    let personal = backend.vault(move |vault, _| differing(vault, import.personal)).await?;
    let count = personal.len();
    let (text, wire) = (diff.to_text(), diff.to_json());
    let mut seq = None;
    if apply {
        backend.put_configuration_in_force()?;
        seq = change(backend, &diff).await?;
        backend.vault(move |vault, now| put_all(vault, &personal, now)).await?;
    }
    Ok(Response::Import { applied: apply, diff: wire, text, personal: count, seq })
}

type Compared = Result<(Import, Diff), Vec<crate::registry::RowFault>>;

fn compare(import: Import, known: &Known<'_>) -> Compared {
    let faults = cross_check(&import, known);
    if !faults.is_empty() {
        return Err(faults);
    }
    let diff = diff(known.registry, &import);
    Ok((import, diff))
}

/// The keys of people come first: what is sealed about them is sealed with a key that is durable.
async fn change(backend: &mut Backend, diff: &Diff) -> Result<Option<u64>, Failure> {
    let changes: Vec<RegistryChange> = diff.changes().cloned().collect();
    let people: Vec<PersonId> = changes.iter().filter_map(put_person).cloned().collect();
    if !people.is_empty() {
        backend.vault(move |vault, now| vault.make_keys(&people, now)).await?;
    }
    let mut seq = None;
    for (at, some) in changes.chunks(CHANGES_AT_ONCE).enumerate() {
        let answer = backend.decide(Event::Registered(some.to_vec())).await?;
        refuse_unless_accepted(answer.verdict, at * CHANGES_AT_ONCE, changes.len())?;
        seq = Some(answer.seq.0);
    }
    Ok(seq)
}

fn refuse_unless_accepted(verdict: Verdict, done: usize, all: usize) -> Result<(), Failure> {
    let why = match verdict {
        Verdict::Accepted => return Ok(()),
        Verdict::Refused(refusal) => refusal.as_str().replace('_', " "),
        other @ (Verdict::Duplicate { .. } | Verdict::Redacted | Verdict::Quarantined(_)) => format!("{other:?}"),
    };
    Err(Failure::refused(format!(
        "refused after {done} of {all} changes: {why}; the registry changed meanwhile, so import the file again"
    )))
}

pub(super) async fn export(backend: &mut Backend, kind: Kind) -> Result<Response, Failure> {
    let registered = backend.look(move |engine| registry(engine, kind)).await?;
    let text = blocking(move || to_csv(&registered, kind)).await?;
    Ok(Response::Export { text })
}

pub(super) async fn remove(backend: &mut Backend, kind: Kind, id: String) -> Result<Response, Failure> {
    let asked = id.clone();
    if let Some(hindrance) = backend.look(move |engine| hindrance(engine, kind, &asked)).await? {
        return Err(Failure::refused(hindrance));
    }
    let change = match kind {
        Kind::Assets => RegistryChange::RemoveAsset(AssetId::new(&id)),
        Kind::Devices => RegistryChange::RemoveDevice(DeviceId::new(&id)),
        Kind::Crews => RegistryChange::RemoveCrew(CrewId::new(&id)),
        Kind::People => RegistryChange::RemovePerson(PersonId::new(&id)),
    };
    let answer = backend.decide(Event::Registered(vec![change])).await?;
    refuse_unless_accepted(answer.verdict, 0, 1)?;
    if kind == Kind::People {
        let person = PersonId::new(&id);
        backend.vault(move |vault, _| vault.remove_personal(&person)).await?;
    }
    Ok(Response::Done { text: format!("removed from {}: {id}", kind.as_str()), seq: Some(answer.seq.0) })
}

/// Why it cannot be removed.
fn hindrance(engine: &Engine, kind: Kind, id: &str) -> Option<String> {
    let inventory = engine.inventory();
    let known = match kind {
        Kind::Assets => inventory.asset(&AssetId::new(id)).is_some(),
        Kind::Devices => inventory.device(&DeviceId::new(id)).is_some(),
        Kind::Crews => inventory.crews().any(|crew| crew.id.as_str() == id),
        Kind::People => inventory.people().any(|person| person.id.as_str() == id),
    };
    if !known {
        return Some(format!("\"{id}\" is not registered in {}", kind.as_str()));
    }
    let (holders, what): (Vec<&str>, _) = match kind {
        Kind::Assets => {
            let watching = inventory.devices().filter(|device| device.asset.as_str() == id);
            (watching.map(|device| device.id.as_str()).collect(), "devices")
        }
        Kind::People => {
            let theirs = |person: &PersonId| person.as_str() == id;
            let assets = inventory.assets().filter(|asset| asset.person.as_ref().is_some_and(theirs));
            (assets.map(|asset| asset.id.as_str()).collect(), "assets")
        }
        Kind::Devices | Kind::Crews => (Vec::new(), ""),
    };
    let names = holders.iter().take(NAMES_SHOWN).copied().collect::<Vec<_>>().join(", ");
    let more = if holders.len() > NAMES_SHOWN { ", …" } else { "" };
    (!holders.is_empty()).then(|| {
        format!(
            "\"{id}\" is still referred to by {} {what} ({names}{more}); remove or change those first",
            holders.len()
        )
    })
}

/// What is registered, as far as a file of this kind is compared with it.
fn registry(engine: &Engine, kind: Kind) -> Registry {
    let inventory = engine.inventory();
    let mut registry = Registry::default();
    if matches!(kind, Kind::Assets | Kind::Devices) {
        registry.assets = inventory.assets().map(|asset| (asset.id.clone(), asset.clone())).collect();
        registry.devices = inventory.devices().map(|device| (device.id.clone(), device.clone())).collect();
    }
    if kind == Kind::Crews {
        registry.crews = inventory.crews().map(|crew| (crew.id.clone(), crew.clone())).collect();
    }
    if matches!(kind, Kind::Assets | Kind::People) {
        registry.people = inventory.people().map(|person| (person.id.clone(), person.clone())).collect();
    }
    registry
}

fn needs(types: &Types) -> BTreeMap<SensorTypeId, SensorTypeNeeds> {
    let need = |spec: &crate::decode::SensorTypeSpec| SensorTypeNeeds {
        asset_kind: spec.sensor_type.asset_kind.clone(),
        mounting: spec.mounting_required().iter().map(SmolStr::new).collect(),
    };
    types.iter().map(|(id, spec)| (id.clone(), need(spec))).collect()
}

/// Records that say something else than the vault; what a record leaves out, the vault keeps.
fn differing(vault: &Vault, records: Vec<PersonalRecord>) -> Result<Vec<(PersonId, Personal)>, VaultError> {
    let mut differing = Vec::new();
    for record in records {
        let known = vault.personal(&record.person)?.unwrap_or_default();
        let name = record.name.or_else(|| known.name.clone());
        let phone = record.phone.or_else(|| known.phone.clone());
        let wanted = Personal { name, phone, ..known.clone() };
        if wanted != known {
            differing.push((record.person, wanted));
        }
    }
    Ok(differing)
}

fn put_all(vault: &Vault, records: &[(PersonId, Personal)], now: Timestamp) -> Result<(), VaultError> {
    records.iter().try_for_each(|(person, record)| vault.put_personal(person, record, now))
}

const fn put_person(change: &RegistryChange) -> Option<&PersonId> {
    if let RegistryChange::PutPerson(person) = change { Some(&person.id) } else { None }
}
