//! What is registered, as far as a file is compared with it, and the faults that only show in that comparison.

use super::faults::RowFault;
use super::read::Import;
use crate::domain::asset::{Asset, Device};
use crate::domain::calendar::ROUTE_ATTRIBUTE;
use crate::domain::crew::Crew;
use crate::domain::event::RegistryChange;
use crate::domain::ids::{AssetId, AssetKind, CrewId, DeviceId, PersonId, SensorTypeId};
use crate::domain::observation::Value;
use crate::domain::person::Person;
use crate::domain::time::{Span, Timestamp};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};

/// A review may lie this far ahead (DOMAIN §5: at most three months).
const REVIEW_AHEAD_MAX: Span = Span::from_hours(92 * 24);

/// A snapshot of the registry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Registry {
    pub assets: BTreeMap<AssetId, Asset>,
    pub devices: BTreeMap<DeviceId, Device>,
    pub crews: BTreeMap<CrewId, Crew>,
    pub people: BTreeMap<PersonId, Person>,
}

/// What a sensor type asks of a device's registry row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SensorTypeNeeds {
    pub asset_kind: AssetKind,
    /// Mounting values that must be numbers.
    pub mounting: Vec<SmolStr>,
}

/// Everything a file may refer to.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    pub registry: &'a Registry,
    pub sensor_types: &'a BTreeMap<SensorTypeId, SensorTypeNeeds>,
    /// Those that calendars name; empty where there are no such calendars, and every name is free.
    pub routes: &'a BTreeSet<SmolStr>,
    pub now: Timestamp,
}

impl Registry {
    pub fn apply(&mut self, change: &RegistryChange) {
        match change {
            RegistryChange::PutAsset(asset) => drop(self.assets.insert(asset.id.clone(), asset.clone())),
            RegistryChange::PutDevice(device) => drop(self.devices.insert(device.id.clone(), device.clone())),
            RegistryChange::PutCrew(crew) => drop(self.crews.insert(crew.id.clone(), crew.clone())),
            RegistryChange::PutPerson(person) => drop(self.people.insert(person.id.clone(), person.clone())),
            RegistryChange::RemoveAsset(id) => drop(self.assets.remove(id)),
            RegistryChange::RemoveDevice(id) => drop(self.devices.remove(id)),
            RegistryChange::RemoveCrew(id) => drop(self.crews.remove(id)),
            RegistryChange::RemovePerson(id) => drop(self.people.remove(id)),
        }
    }
}

/// The faults of an import that is right in itself: unknown sensor types, assets, people and routes, a mounting that is
/// missing, a review too far ahead.
#[must_use]
pub fn cross_check(import: &Import, known: &Known<'_>) -> Vec<RowFault> {
    let mut faults = Vec::new();
    for imported in &import.rows {
        let mut note = |column: &str, reason: String| {
            let (file, column) = (import.file.clone(), SmolStr::new(column));
            faults.push(RowFault { file, row: imported.row, column, reason });
        };
        match &imported.change {
            RegistryChange::PutAsset(asset) => check_asset(asset, known, &mut note),
            RegistryChange::PutDevice(device) => check_device(device, known, &mut note),
            RegistryChange::PutPerson(person) => check_person(person, known, &mut note),
            RegistryChange::PutCrew(_)
            | RegistryChange::RemoveAsset(_)
            | RegistryChange::RemoveDevice(_)
            | RegistryChange::RemoveCrew(_)
            | RegistryChange::RemovePerson(_) => {}
        }
    }
    faults
}

fn check_asset(asset: &Asset, known: &Known<'_>, note: &mut impl FnMut(&str, String)) {
    if let Some(person) = asset.person.as_ref().filter(|person| !known.registry.people.contains_key(*person)) {
        note("person", format!("person \"{person}\" is not registered; import people first"));
    }
    if let Some(Value::Text(route)) = asset.attributes.get(ROUTE_ATTRIBUTE)
        && !known.routes.is_empty()
        && !known.routes.contains(route)
    {
        let near = nearest(route, known.routes.iter().map(SmolStr::as_str));
        note(ROUTE_ATTRIBUTE, format!("no calendar knows the route \"{route}\"{near}"));
    }
    let watching = known.registry.devices.values().filter(|device| device.asset == asset.id);
    let before = known.registry.assets.get(&asset.id).map(|before| &before.kind);
    if before.is_some_and(|kind| *kind != asset.kind)
        && let Some(device) = watching.into_iter().next()
    {
        note("kind", format!("device \"{}\" watches it as another kind; remove the device first", device.id));
    }
}

fn check_device(device: &Device, known: &Known<'_>, note: &mut impl FnMut(&str, String)) {
    let asset = known.registry.assets.get(&device.asset);
    if asset.is_none() {
        note("asset", format!("asset \"{}\" is not registered; import assets first", device.asset));
    }
    let Some(needs) = known.sensor_types.get(&device.sensor_type) else {
        let near = nearest(device.sensor_type.as_str(), known.sensor_types.keys().map(SensorTypeId::as_str));
        note("sensor_type", format!("sensor type \"{}\" is not known{near}", device.sensor_type));
        return;
    };
    if let Some(asset) = asset.filter(|asset| asset.kind != needs.asset_kind) {
        let (sensor_type, wanted) = (&device.sensor_type, &needs.asset_kind);
        note("asset", format!("asset \"{}\" is a {}, and \"{sensor_type}\" is for a {wanted}", asset.id, asset.kind));
    }
    let number = |name: &str| match device.mounting.get(name) {
        Some(Value::Number(number)) => Some(number.get()),
        Some(Value::Boolean(_) | Value::Text(_)) | None => None,
    };
    for name in needs.mounting.iter().filter(|name| number(name).is_none()) {
        note(name, format!("sensor type \"{}\" needs this number", device.sensor_type));
    }
    if let (Some(empty), Some(full)) = (number("d_empty_mm"), number("d_full_mm"))
        && empty <= full
    {
        note("d_full_mm", "the distance when full is not smaller than when empty".to_owned());
    }
}

/// What may have been meant, as the end of a sentence.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let distances = known.map(|known| (strsim::damerau_levenshtein(known, name), known));
    let near = distances.min().filter(|(distance, _)| *distance <= 3);
    near.map(|(_, known)| format!("; did you mean \"{known}\"?")).unwrap_or_default()
}

fn check_person(person: &Person, known: &Known<'_>, note: &mut impl FnMut(&str, String)) {
    if person.bases.iter().any(|basis| basis.review_at.since(known.now) > REVIEW_AHEAD_MAX) {
        note("review", "a basis is reviewed within three months".to_owned());
    }
}
