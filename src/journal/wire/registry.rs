//! Changes of the registry as they stand in a record: assets, devices, crews and people as pseudonyms.

use super::observation::{Named, by_name, named};
use super::reason::PurposeCode;
use crate::domain::asset;
use crate::domain::crew;
use crate::domain::event;
use crate::domain::ids::{AreaId, AssetId, CrewId, DeviceId, PersonId, Skill};
use crate::domain::person;
use crate::domain::time::Timestamp;
use minicbor::{Decode, Encode};

#[derive(Encode, Decode)]
#[cbor(flat)]
pub enum RegistryChange<'a> {
    #[n(0)]
    PutAsset(#[b(0)] Asset<'a>),
    #[n(1)]
    PutDevice(#[b(0)] Device<'a>),
    #[n(2)]
    PutCrew(#[b(0)] Crew<'a>),
    #[n(3)]
    PutPerson(#[b(0)] Person<'a>),
    #[n(4)]
    RemoveAsset(#[b(0)] &'a str),
    #[n(5)]
    RemoveDevice(#[b(0)] &'a str),
    #[n(6)]
    RemoveCrew(#[b(0)] &'a str),
    #[n(7)]
    RemovePerson(#[b(0)] &'a str),
}

#[derive(Encode, Decode)]
pub struct Asset<'a> {
    #[b(0)]
    id: &'a str,
    #[b(1)]
    kind: &'a str,
    #[b(2)]
    area: Option<&'a str>,
    /// Latitude and longitude in WGS 84 degrees.
    #[n(3)]
    position: Option<(f64, f64)>,
    #[b(4)]
    person: Option<&'a str>,
    #[b(5)]
    attributes: Vec<Named<'a>>,
}

#[derive(Encode, Decode)]
pub struct Device<'a> {
    #[b(0)]
    id: &'a str,
    #[b(1)]
    sensor_type: &'a str,
    #[b(2)]
    asset: &'a str,
    #[b(3)]
    mounting: Vec<Named<'a>>,
}

#[derive(Encode, Decode)]
pub struct Crew<'a> {
    #[b(0)]
    id: &'a str,
    #[b(1)]
    skills: Vec<&'a str>,
    #[b(2)]
    areas: Vec<&'a str>,
}

#[derive(Encode, Decode)]
pub struct Person<'a> {
    #[b(0)]
    id: &'a str,
    #[n(1)]
    bases: Vec<Basis>,
}

#[derive(Encode, Decode)]
struct Basis {
    #[n(0)]
    purpose: PurposeCode,
    #[n(1)]
    starts_at: i64,
    #[n(2)]
    review_at: i64,
}

impl<'a> From<&'a event::RegistryChange> for RegistryChange<'a> {
    fn from(change: &'a event::RegistryChange) -> Self {
        match change {
            event::RegistryChange::PutAsset(asset) => Self::PutAsset(asset.into()),
            event::RegistryChange::PutDevice(device) => Self::PutDevice(device.into()),
            event::RegistryChange::PutCrew(crew) => Self::PutCrew(crew.into()),
            event::RegistryChange::PutPerson(person) => Self::PutPerson(person.into()),
            event::RegistryChange::RemoveAsset(id) => Self::RemoveAsset(id.as_str()),
            event::RegistryChange::RemoveDevice(id) => Self::RemoveDevice(id.as_str()),
            event::RegistryChange::RemoveCrew(id) => Self::RemoveCrew(id.as_str()),
            event::RegistryChange::RemovePerson(id) => Self::RemovePerson(id.as_str()),
        }
    }
}

impl From<RegistryChange<'_>> for event::RegistryChange {
    fn from(wire: RegistryChange<'_>) -> Self {
        match wire {
            RegistryChange::PutAsset(asset) => Self::PutAsset(asset.into()),
            RegistryChange::PutDevice(device) => Self::PutDevice(device.into()),
            RegistryChange::PutCrew(crew) => Self::PutCrew(crew.into()),
            RegistryChange::PutPerson(person) => Self::PutPerson(person.into()),
            RegistryChange::RemoveAsset(id) => Self::RemoveAsset(AssetId::new(id)),
            RegistryChange::RemoveDevice(id) => Self::RemoveDevice(DeviceId::new(id)),
            RegistryChange::RemoveCrew(id) => Self::RemoveCrew(CrewId::new(id)),
            RegistryChange::RemovePerson(id) => Self::RemovePerson(PersonId::new(id)),
        }
    }
}

impl<'a> From<&'a asset::Asset> for Asset<'a> {
    fn from(asset: &'a asset::Asset) -> Self {
        Self {
            id: asset.id.as_str(),
            kind: asset.kind.as_str(),
            area: asset.area.as_ref().map(AreaId::as_str),
            position: asset.position.map(|position| (position.latitude, position.longitude)),
            person: asset.person.as_ref().map(PersonId::as_str),
            attributes: named(&asset.attributes),
        }
    }
}

impl From<Asset<'_>> for asset::Asset {
    fn from(wire: Asset<'_>) -> Self {
        Self {
            id: wire.id.into(),
            kind: wire.kind.into(),
            area: wire.area.map(Into::into),
            position: wire.position.map(|(latitude, longitude)| asset::Position { latitude, longitude }),
            person: wire.person.map(Into::into),
            attributes: by_name(wire.attributes),
        }
    }
}

impl<'a> From<&'a asset::Device> for Device<'a> {
    fn from(device: &'a asset::Device) -> Self {
        Self {
            id: device.id.as_str(),
            sensor_type: device.sensor_type.as_str(),
            asset: device.asset.as_str(),
            mounting: named(&device.mounting),
        }
    }
}

impl From<Device<'_>> for asset::Device {
    fn from(wire: Device<'_>) -> Self {
        Self {
            id: wire.id.into(),
            sensor_type: wire.sensor_type.into(),
            asset: wire.asset.into(),
            mounting: by_name(wire.mounting),
        }
    }
}

impl<'a> From<&'a crew::Crew> for Crew<'a> {
    fn from(crew: &'a crew::Crew) -> Self {
        Self {
            id: crew.id.as_str(),
            skills: crew.skills.iter().map(Skill::as_str).collect(),
            areas: crew.areas.iter().map(AreaId::as_str).collect(),
        }
    }
}

impl From<Crew<'_>> for crew::Crew {
    fn from(wire: Crew<'_>) -> Self {
        Self {
            id: wire.id.into(),
            skills: wire.skills.into_iter().map(Into::into).collect(),
            areas: wire.areas.into_iter().map(Into::into).collect(),
        }
    }
}

impl<'a> From<&'a person::Person> for Person<'a> {
    fn from(person: &'a person::Person) -> Self {
        Self { id: person.id.as_str(), bases: person.bases.iter().map(Into::into).collect() }
    }
}

impl From<Person<'_>> for person::Person {
    fn from(wire: Person<'_>) -> Self {
        Self { id: wire.id.into(), bases: wire.bases.into_iter().map(Into::into).collect() }
    }
}

impl From<&person::Basis> for Basis {
    fn from(basis: &person::Basis) -> Self {
        Self {
            purpose: basis.purpose.into(),
            starts_at: basis.starts_at.as_micros(),
            review_at: basis.review_at.as_micros(),
        }
    }
}

impl From<Basis> for person::Basis {
    fn from(wire: Basis) -> Self {
        Self {
            purpose: wire.purpose.into(),
            starts_at: Timestamp::from_micros(wire.starts_at),
            review_at: Timestamp::from_micros(wire.review_at),
        }
    }
}
