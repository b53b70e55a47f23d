//! The fictional municipality, drawn once from a seed: bins, beds, buttons, gateways, crews and logins.
//!
//! It says what exists and under which names; nothing moves here. `town` lets it live. `changes` is what the
//! registry must be told before the first message, `logins_needed` which MQTT logins the vault must hold.

use super::chance::Chance;
use super::misbehaviour::Misbehaviour;
use super::places::{CREWS, DISTRICTS, FRACTIONS, HOMES, LORA_GATEWAYS};
use crate::domain::asset::{Asset, Device, Position};
use crate::domain::crew::Crew;
use crate::domain::event::RegistryChange;
use crate::domain::ids::{AreaId, AssetId, AssetKind, ClientId, CrewId, DeviceId, PersonId, SensorTypeId, Skill};
use crate::domain::observation::{Finite, Value};
use crate::domain::person::{Basis, Person, Purpose};
use crate::domain::time::{Span, Timestamp};
use smol_str::{SmolStr, format_smolstr};
use std::collections::BTreeMap;

pub(crate) const BINS: usize = 250;
pub(crate) const BEDS_PER_HOME: usize = 10;
/// Every so many beds has a help button.
const BEDS_PER_BUTTON: usize = 2;
/// The seed of a demo that is not given one; the files in `config/demo` show its registry.
pub const DEFAULT_SEED: u64 = 42;
/// Simulated time begins on Monday 7 September 2026 at six in the morning, Danish time.
pub const STARTS_AT: Timestamp = Timestamp::from_micros(1_788_753_600_000_000);
/// The bed whose resident has declined to be measured; it has a button.
const DECLINES_MAT: usize = 8;
/// Review of a legal basis is due after this (DOMAIN §5).
const BASIS_FOR: Span = Span::from_hours(24 * 90);

/// Which network carries a bin's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Carrier {
    /// Milesight EM400-UDL through a ChirpStack v4 server.
    ChirpStack,
    /// Milesight EM400-UDL through The Things Stack v3.
    ThingsStack,
    /// Canonical JSON through the street hub, several bins on one connection.
    StreetHub,
    /// Canonical JSON through a modem and login of its own.
    OwnModem,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BinSite {
    pub asset: AssetId,
    pub device: DeviceId,
    pub carrier: Carrier,
    pub district: usize,
    pub street: String,
    pub fraction: usize,
    pub position: Position,
    pub d_empty_mm: f64,
    pub d_full_mm: f64,
    pub misbehaves: Option<Misbehaviour>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BedSite {
    pub asset: AssetId,
    pub mat: DeviceId,
    pub button: Option<DeviceId>,
    pub home: usize,
    pub room: usize,
    pub person: PersonId,
    /// Has agreed to be heard when pressing the button, and not to be measured.
    pub declines_mat: bool,
    /// mmHg at the sacrum when the person lies on the back: what the rules compare with.
    pub pressure_usual: f64,
    pub misbehaves: Option<Misbehaviour>,
}

/// Everything that exists in the simulated municipality.
#[derive(Clone, Debug, PartialEq)]
pub struct Municipality {
    pub(crate) seed: u64,
    pub(crate) bins: Vec<BinSite>,
    pub(crate) beds: Vec<BedSite>,
}

/// An MQTT login that the twin will use. The app creates it in the vault and hands back its secret in [`Logins`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginNeeded {
    pub client: ClientId,
    pub role: LoginRole,
}

/// What a login may do at the endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginRole {
    /// Publishes for any device: a network server or a hub.
    Gateway,
    /// Publishes for this device only.
    Device(DeviceId),
    /// Receives this crew's tasks and answers them.
    Crew(CrewId),
}

/// The secret of each login: the MQTT password. The login's id is both MQTT user name and client id.
#[derive(Clone, Default)]
pub struct Logins(BTreeMap<ClientId, String>);

/// The same seed gives the same municipality, on every machine.
#[must_use]
pub fn municipality(seed: u64) -> Municipality {
    let mut bins: Vec<_> = (0..BINS).map(|index| bin_site(seed, index)).collect();
    let mut beds: Vec<_> = (0..HOMES.len() * BEDS_PER_HOME).map(|index| bed_site(seed, index)).collect();
    let mut chance = Chance::new(seed, &["misbehaviour"]);
    for misbehaviour in Misbehaviour::OF_DEVICES {
        if misbehaviour == Misbehaviour::Silent {
            // Not the one whose mat is never read.
            let bed = (DECLINES_MAT + 1 + chance.below(beds.len() - 1)) % beds.len();
            beds[bed].misbehaves = Some(misbehaviour);
            continue;
        }
        let carrier = misbehaviour.carrier();
        let fitting: Vec<_> = (0..bins.len())
            .filter(|index| bins[*index].carrier == carrier && bins[*index].misbehaves.is_none())
            .collect();
        if let Some(index) = fitting.get(chance.below(fitting.len())) {
            bins[*index].misbehaves = Some(misbehaviour);
        }
    }
    Municipality { seed, bins, beds }
}

fn bin_site(seed: u64, index: usize) -> BinSite {
    let name = format!("bin-{:03}", index + 1);
    let mut chance = Chance::new(seed, &["site", &name]);
    let district = index % DISTRICTS.len();
    let carrier = match index % 10 {
        0..=5 => Carrier::ChirpStack,
        6 | 7 => Carrier::ThingsStack,
        8 => Carrier::StreetHub,
        _ if index < 100 => Carrier::OwnModem,
        _ => Carrier::StreetHub,
    };
    let device = match carrier {
        // 24e124 is Milesight's own prefix.
        Carrier::ChirpStack | Carrier::ThingsStack => format!("24e124713c{:06x}", 0xa1_0000 + index),
        Carrier::StreetHub | Carrier::OwnModem => format!("{name}-level"),
    };
    let place = &DISTRICTS[district];
    let d_full_mm = (chance.uniform(260.0, 300.0) / 10.0).round() * 10.0;
    let depth = (chance.uniform(700.0, 1_400.0) / 10.0).round() * 10.0;
    BinSite {
        asset: AssetId::new(&name),
        device: DeviceId::new(device),
        carrier,
        district,
        street: format!("{} {}", place.streets[chance.below(place.streets.len())], 1 + chance.below(80)),
        fraction: fraction_of(chance.below(100)),
        position: Position {
            latitude: rounded(place.latitude + chance.normal(0.0, 0.007)),
            longitude: rounded(place.longitude + chance.normal(0.0, 0.011)),
        },
        d_empty_mm: d_full_mm + depth,
        d_full_mm,
        misbehaves: None,
    }
}

fn bed_site(seed: u64, index: usize) -> BedSite {
    let name = format!("bed-{:02}", index + 1);
    let mut chance = Chance::new(seed, &["site", &name]);
    BedSite {
        pressure_usual: chance.normal(42.0, 5.0).clamp(34.0, 60.0).round(),
        mat: DeviceId::new(format!("{name}-mat")),
        button: index.is_multiple_of(BEDS_PER_BUTTON).then(|| DeviceId::new(format!("{name}-button"))),
        home: index / BEDS_PER_HOME,
        room: index % BEDS_PER_HOME + 1,
        declines_mat: index == DECLINES_MAT,
        person: PersonId::new(format!("resident-{:02}", index + 1)),
        asset: AssetId::new(&name),
        misbehaves: None,
    }
}

/// The fraction that the `hundredth` of a hundred bins holds.
fn fraction_of(hundredth: usize) -> usize {
    let mut upper = 0;
    FRACTIONS
        .iter()
        .position(|fraction| {
            upper += fraction.share;
            hundredth < upper
        })
        .unwrap_or(0)
}

/// Five decimals of a degree: about a metre, as registers keep it.
fn rounded(degrees: f64) -> f64 {
    (degrees * 1e5).round() / 1e5
}

impl Municipality {
    /// What the registry must hold: crews and people first, then what refers to them.
    #[must_use]
    pub fn changes(&self) -> Vec<RegistryChange> {
        let crews = crews().into_iter().map(RegistryChange::PutCrew);
        let people = self.beds.iter().map(BedSite::resident).map(RegistryChange::PutPerson);
        let assets = self.bins.iter().map(BinSite::asset).chain(self.beds.iter().map(BedSite::asset));
        let devices = self.bins.iter().map(BinSite::device).chain(self.beds.iter().flat_map(BedSite::devices));
        let assets_and_devices = assets.map(RegistryChange::PutAsset).chain(devices.map(RegistryChange::PutDevice));
        crews.chain(people).chain(assets_and_devices).collect()
    }

    /// Every MQTT login that the demo uses.
    #[must_use]
    pub fn logins_needed(&self) -> Vec<LoginNeeded> {
        let hubs =
            [lines::CHIRPSTACK, lines::CHIRPSTACK_ROAMING, lines::THINGS_STACK, lines::STREET_HUB, lines::WARD_HUB]
                .map(|name| LoginNeeded { client: ClientId::new(name), role: LoginRole::Gateway });
        let modems = self
            .bins
            .iter()
            .filter(|bin| bin.carrier == Carrier::OwnModem)
            .map(|bin| LoginNeeded { client: bin.line(), role: LoginRole::Device(bin.device.clone()) });
        hubs.into_iter().chain(modems).chain(crew_logins(crews().iter())).collect()
    }
}

/// One login for each crew.
pub(crate) fn crew_logins<'a>(crews: impl Iterator<Item = &'a Crew>) -> impl Iterator<Item = LoginNeeded> {
    crews.map(|crew| LoginNeeded { client: crew_line(&crew.id), role: LoginRole::Crew(crew.id.clone()) })
}

/// The login of a crew's phone.
pub(crate) fn crew_line(crew: &CrewId) -> ClientId {
    ClientId::new(format!("crew-{crew}"))
}

pub(crate) fn crews() -> Vec<Crew> {
    CREWS
        .iter()
        .map(|crew| Crew {
            id: CrewId::new(crew.id),
            skills: [Skill::new(crew.skill)].into(),
            areas: crew.areas.iter().map(AreaId::new).collect(),
        })
        .collect()
}

/// The names of the shared connections.
pub(crate) mod lines {
    pub(crate) const CHIRPSTACK: &str = "ns-chirpstack";
    /// A second server that hears some of the same devices: its copies are duplicates.
    pub(crate) const CHIRPSTACK_ROAMING: &str = "ns-chirpstack-roaming";
    pub(crate) const THINGS_STACK: &str = "ns-things-stack";
    pub(crate) const STREET_HUB: &str = "hub-streets";
    pub(crate) const WARD_HUB: &str = "hub-wards";
}

impl BinSite {
    /// The connection its messages travel over.
    pub(crate) fn line(&self) -> ClientId {
        match self.carrier {
            Carrier::ChirpStack => ClientId::new(lines::CHIRPSTACK),
            Carrier::ThingsStack => ClientId::new(lines::THINGS_STACK),
            Carrier::StreetHub => ClientId::new(lines::STREET_HUB),
            Carrier::OwnModem => ClientId::new(format!("modem-{}", self.asset)),
        }
    }

    pub(crate) fn lora_gateway(&self) -> &'static str {
        LORA_GATEWAYS[self.district]
    }

    fn asset(&self) -> Asset {
        let fraction = &FRACTIONS[self.fraction];
        Asset {
            id: self.asset.clone(),
            kind: AssetKind::new("bin"),
            area: Some(AreaId::new(DISTRICTS[self.district].area)),
            position: Some(self.position),
            person: None,
            attributes: [
                ("address".into(), Value::Text(SmolStr::new(&self.street))),
                ("fraction".into(), Value::Text(SmolStr::new(fraction.name))),
                ("waste_code".into(), Value::Text(SmolStr::new(fraction.code))),
            ]
            .into(),
        }
    }

    fn device(&self) -> Device {
        let lora = matches!(self.carrier, Carrier::ChirpStack | Carrier::ThingsStack);
        let sensor_type = if lora { "milesight-em400-udl" } else { "bin-level" };
        let depths = [("d_empty_mm", self.d_empty_mm), ("d_full_mm", self.d_full_mm)];
        let mounting = depths.into_iter().filter(|_| lora);
        Device {
            id: self.device.clone(),
            sensor_type: SensorTypeId::new(sensor_type),
            asset: self.asset.clone(),
            mounting: mounting
                .filter_map(|(name, number)| Some((name.into(), Value::Number(Finite::new(number)?))))
                .collect(),
        }
    }
}

impl BedSite {
    fn asset(&self) -> Asset {
        let home = &HOMES[self.home];
        Asset {
            id: self.asset.clone(),
            kind: AssetKind::new("bed"),
            area: Some(AreaId::new(home.area)),
            position: None,
            person: Some(self.person.clone()),
            attributes: Finite::new(self.pressure_usual)
                .map(|usual| ("pressure_usual".into(), Value::Number(usual)))
                .into_iter()
                .chain([("room".into(), Value::Text(format_smolstr!("{} {}", home.name, self.room)))])
                .collect(),
        }
    }

    fn devices(&self) -> Vec<Device> {
        let mat = (&self.mat, "pressure-bed");
        let button = self.button.iter().map(|button| (button, "help-button"));
        std::iter::once(mat)
            .chain(button)
            .map(|(id, sensor_type)| Device {
                id: id.clone(),
                sensor_type: SensorTypeId::new(sensor_type),
                asset: self.asset.clone(),
                mounting: BTreeMap::new(),
            })
            .collect()
    }

    /// Residents have a registered basis for each purpose, reviewed within 90 days, but one who has agreed to the
    /// help button only: what that person's mat says is redacted.
    fn resident(&self) -> Person {
        let starts_at = STARTS_AT - Span::from_hours(24);
        let agreed = |purpose: &Purpose| !self.declines_mat || *purpose == Purpose::Call;
        let basis = |purpose| Basis { purpose, starts_at, review_at: starts_at + BASIS_FOR };
        Person { id: self.person.clone(), bases: Purpose::ALL.into_iter().filter(agreed).map(basis).collect() }
    }
}

impl Logins {
    /// # Errors
    /// The first login of `needed` that `secrets` does not hold.
    pub fn new(needed: &[LoginNeeded], secrets: BTreeMap<ClientId, String>) -> Result<Self, ClientId> {
        match needed.iter().find(|login| !secrets.contains_key(&login.client)) {
            Some(missing) => Err(missing.client.clone()),
            None => Ok(Self(secrets)),
        }
    }

    pub(crate) fn password(&self, client: &ClientId) -> Option<&str> {
        self.0.get(client).map(String::as_str)
    }
}

/// Says how many there are and nothing about them.
impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Logins({})", self.0.len())
    }
}
