//! What is simulated: four bins, three beds, crews, and two sets of rules.

use rettidig::domain::asset::{Asset, Device, Property, PropertyKind, SensorType};
use rettidig::domain::calendar::Calendars;
use rettidig::domain::configuration::{Configuration, DispatchPolicy, Mandate};
use rettidig::domain::crew::Crew;
use rettidig::domain::event::RegistryChange;
use rettidig::domain::ids::{AreaId, AssetKind, ConfigurationVersion, PersonId, PropertyName, Skill};
use rettidig::domain::person::{Basis, Person, Purpose};
use rettidig::domain::time::{Span, Timestamp};
use std::collections::BTreeMap;

const RULES: &str = include_str!("rules.toml");

/// Which configuration is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Settings {
    Usual,
    /// Shorter intervals, a lower threshold, a shorter `held`, and no rule about silence.
    Brisk,
    /// Rules that nobody can read.
    Broken,
}

impl Settings {
    pub fn interval(self) -> Span {
        if self == Self::Brisk { Span::from_mins(20) } else { Span::from_hours(1) }
    }

    pub fn threshold(self) -> f64 {
        if self == Self::Brisk { 0.7 } else { 0.8 }
    }

    pub fn held_for(self) -> Span {
        if self == Self::Brisk { Span::from_mins(20) } else { Span::from_mins(30) }
    }

    pub fn has_quiet(self) -> bool {
        self != Self::Brisk
    }
}

pub const BINS: [&str; 4] = ["bin-1", "bin-2", "bin-3", "bin-4"];
pub const BEDS: [&str; 3] = ["bed-1", "bed-2", "bed-3"];
/// Name, skill.
pub const CREWS: [(&str, &str); 5] =
    [("crew-a", "waste"), ("crew-b", "waste"), ("crew-c", "waste"), ("crew-d", "care"), ("crew-e", "care")];
/// Reached through an external broker.
pub const BY_BROKER: &str = "crew-c";
pub const BROKER: &str = "town";
pub const ON_DELAY: Span = Span::from_mins(10);

pub fn priority(rule: &str) -> usize {
    match rule {
        "help" => 1,
        "pressed" => 2,
        "full" => 3,
        _ => 4,
    }
}

pub fn skill(rule: &str) -> Option<&'static str> {
    match rule {
        "full" => Some("waste"),
        "pressed" | "help" => Some("care"),
        _ => None,
    }
}

pub fn policy() -> DispatchPolicy {
    DispatchPolicy::default()
}

pub fn configuration(settings: Settings) -> Configuration {
    let rules = match settings {
        Settings::Usual => RULES.to_owned(),
        Settings::Brisk => {
            let (kept, _) = RULES.split_once("# The second set ends here.").unwrap();
            kept.replace("fill >= 0.8", "fill >= 0.7").replace("\\\"30m\\\"", "\\\"20m\\\"")
        }
        Settings::Broken => "when = nobody knows".to_owned(),
    };
    let sensor = |id: &str, kind: &str, properties: &[(&str, PropertyKind, Option<Purpose>)]| SensorType {
        id: id.into(),
        asset_kind: kind.into(),
        interval: settings.interval(),
        lateness: Span::ZERO,
        properties: properties
            .iter()
            .map(|(name, kind, purpose)| {
                (PropertyName::new(name), Property { kind: *kind, unit: "".into(), range: None, purpose: *purpose })
            })
            .collect(),
    };
    let (number, boolean) = (PropertyKind::Number, PropertyKind::Boolean);
    let types = [
        sensor("bin-level", "bin", &[("fill", number, None), ("tilt", boolean, None)]),
        sensor(
            "bed-mat",
            "bed",
            &[("pressure", number, Some(Purpose::Exposure)), ("press", number, Some(Purpose::Call))],
        ),
    ];
    Configuration {
        version: ConfigurationVersion([settings as u8; 16]),
        sensor_types: types.into_iter().map(|known| (known.id.clone(), known)).collect(),
        rule_files: BTreeMap::from([("rules.toml".into(), rules)]),
        dispatch: policy(),
        calendars: Calendars::default(),
        mandate: Mandate::default(),
    }
}

pub fn asset(id: &str) -> RegistryChange {
    let kind = if id.starts_with("bin") { "bin" } else { "bed" };
    let person = (kind == "bed").then(|| PersonId::new(id.replace("bed", "person")));
    RegistryChange::PutAsset(Asset {
        id: id.into(),
        kind: AssetKind::new(kind),
        area: Some(AreaId::new("north")),
        position: None,
        person,
        attributes: BTreeMap::new(),
    })
}

pub fn device(asset: &str) -> RegistryChange {
    RegistryChange::PutDevice(Device {
        id: format!("{asset}-sensor").as_str().into(),
        sensor_type: if asset.starts_with("bin") { "bin-level" } else { "bed-mat" }.into(),
        asset: asset.into(),
        mounting: BTreeMap::new(),
    })
}

pub fn crew(id: &str) -> RegistryChange {
    let (_, skill) = CREWS.iter().find(|(known, _)| *known == id).unwrap();
    RegistryChange::PutCrew(Crew { id: id.into(), skills: [Skill::new(skill)].into(), areas: [].into() })
}

/// A person with a basis for calls, and for exposure when `exposure`.
pub fn person(bed: &str, exposure: bool) -> RegistryChange {
    let given = |purpose| Basis {
        purpose,
        starts_at: Timestamp::from_micros(0),
        review_at: Timestamp::from_micros(0) + Span::from_hours(100_000),
    };
    let purposes = [Purpose::Call].into_iter().chain(exposure.then_some(Purpose::Exposure));
    let bases = purposes.map(given).collect();
    RegistryChange::PutPerson(Person { id: PersonId::new(bed.replace("bed", "person")), bases })
}

pub fn registry() -> Vec<RegistryChange> {
    let people = BEDS.iter().map(|bed| person(bed, *bed != "bed-3"));
    let things = BINS.iter().chain(&BEDS).flat_map(|id| [asset(id), device(id)]);
    people.chain(things).chain(CREWS.iter().map(|(id, _)| crew(id))).collect()
}
