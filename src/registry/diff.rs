//! What an import would change, field by field. Importing the same file twice changes nothing the second time.

use super::known::Registry;
use super::read::{Import, Kind};
use crate::domain::event::RegistryChange;
use crate::domain::ids::{AreaId, Skill};
use crate::domain::observation::Value;
use smol_str::{SmolStr, format_smolstr};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

#[derive(Clone, Debug, PartialEq)]
pub struct Diff {
    pub file: SmolStr,
    pub kind: Kind,
    pub added: Vec<RegistryChange>,
    pub changed: Vec<Changed>,
    /// How many rows say what is registered already.
    pub unchanged: usize,
    /// What is registered and not in the file. An import leaves it alone.
    pub absent: Vec<RegistryChange>,
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    pub change: RegistryChange,
    pub fields: Vec<FieldChange>,
}

/// One field of one row; none means that there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    pub field: SmolStr,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// Compares an import with what is registered.
#[must_use]
pub fn diff(registered: &Registry, import: &Import) -> Diff {
    let mut diff = Diff {
        file: import.file.clone(),
        kind: import.kind,
        added: Vec::new(),
        changed: Vec::new(),
        unchanged: 0,
        absent: Vec::new(),
        notes: import.notes.clone(),
    };
    for change in import.changes() {
        match registered.put_of(change) {
            None => diff.added.push(change.clone()),
            Some(before) if before == *change => diff.unchanged += 1,
            Some(before) => {
                diff.changed
                    .push(Changed { change: change.clone(), fields: compare(&fields(&before), &fields(change)) });
            }
        }
    }
    let named: BTreeSet<&str> = import.changes().map(id).collect();
    diff.absent = registered.removals(import.kind).into_iter().filter(|removal| !named.contains(id(removal))).collect();
    diff
}

impl Diff {
    /// What the import does: the added and the changed rows, in that order.
    pub fn changes(&self) -> impl Iterator<Item = &RegistryChange> {
        self.added.iter().chain(self.changed.iter().map(|changed| &changed.change))
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty()
    }

    /// For people: one line per row that changes, and the sum.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "{}: {} to add, {} to change, {} unchanged, {} registered but not in the file\n",
            self.file,
            self.added.len(),
            self.changed.len(),
            self.unchanged,
            self.absent.len()
        );
        for note in &self.notes {
            writeln!(text, "note: {note}").ok();
        }
        for added in &self.added {
            let fields: Vec<String> = fields(added).iter().map(|(field, value)| format!("{field} {value}")).collect();
            writeln!(text, "+ {}  {}", id(added), fields.join(", ")).ok();
        }
        for changed in &self.changed {
            writeln!(text, "~ {}", id(&changed.change)).ok();
            for FieldChange { field, before, after } in &changed.fields {
                let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".to_owned());
                writeln!(text, "    {field}: {} → {}", shown(before), shown(after)).ok();
            }
        }
        text
    }

    /// For scripts; version 1.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let changed = self.changed.iter().map(|changed| {
            let fields = changed.fields.iter().map(|field| {
                serde_json::json!({ "field": field.field.as_str(), "before": field.before, "after": field.after })
            });
            serde_json::json!({ "id": id(&changed.change), "fields": fields.collect::<Vec<_>>() })
        });
        serde_json::json!({
            "version": 1,
            "file": self.file.as_str(),
            "kind": self.kind.as_str(),
            "added": self.added.iter().map(id).collect::<Vec<_>>(),
            "changed": changed.collect::<Vec<_>>(),
            "unchanged": self.unchanged,
            "absent": self.absent.iter().map(id).collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }
}

impl Registry {
    /// What is registered under the id of `change`, as the change that would register it.
    fn put_of(&self, change: &RegistryChange) -> Option<RegistryChange> {
        match change {
            RegistryChange::PutAsset(asset) => self.assets.get(&asset.id).cloned().map(RegistryChange::PutAsset),
            RegistryChange::PutDevice(device) => self.devices.get(&device.id).cloned().map(RegistryChange::PutDevice),
            RegistryChange::PutCrew(crew) => self.crews.get(&crew.id).cloned().map(RegistryChange::PutCrew),
            RegistryChange::PutPerson(person) => self.people.get(&person.id).cloned().map(RegistryChange::PutPerson),
            RegistryChange::RemoveAsset(_)
            | RegistryChange::RemoveDevice(_)
            | RegistryChange::RemoveCrew(_)
            | RegistryChange::RemovePerson(_) => None,
        }
    }

    fn removals(&self, kind: Kind) -> Vec<RegistryChange> {
        match kind {
            Kind::Assets => self.assets.keys().cloned().map(RegistryChange::RemoveAsset).collect(),
            Kind::Devices => self.devices.keys().cloned().map(RegistryChange::RemoveDevice).collect(),
            Kind::Crews => self.crews.keys().cloned().map(RegistryChange::RemoveCrew).collect(),
            Kind::People => self.people.keys().cloned().map(RegistryChange::RemovePerson).collect(),
        }
    }
}

fn compare(before: &BTreeMap<SmolStr, String>, after: &BTreeMap<SmolStr, String>) -> Vec<FieldChange> {
    let names: BTreeSet<&SmolStr> = before.keys().chain(after.keys()).collect();
    let pairs = names.into_iter().map(|name| (name, before.get(name), after.get(name)));
    pairs
        .filter(|(_, before, after)| before != after)
        .map(|(name, before, after)| FieldChange {
            field: name.clone(),
            before: before.cloned(),
            after: after.cloned(),
        })
        .collect()
}

fn id(change: &RegistryChange) -> &str {
    match change {
        RegistryChange::PutAsset(asset) => asset.id.as_str(),
        RegistryChange::PutDevice(device) => device.id.as_str(),
        RegistryChange::PutCrew(crew) => crew.id.as_str(),
        RegistryChange::PutPerson(person) => person.id.as_str(),
        RegistryChange::RemoveAsset(id) => id.as_str(),
        RegistryChange::RemoveDevice(id) => id.as_str(),
        RegistryChange::RemoveCrew(id) => id.as_str(),
        RegistryChange::RemovePerson(id) => id.as_str(),
    }
}

/// The fields of a row, as a person would compare them.
fn fields(change: &RegistryChange) -> BTreeMap<SmolStr, String> {
    let mut fields = BTreeMap::new();
    let mut put = |name: &str, value: String| drop(fields.insert(SmolStr::new(name), value));
    match change {
        RegistryChange::PutAsset(asset) => {
            put("kind", asset.kind.to_string());
            if let Some(area) = &asset.area {
                put("area", area.to_string());
            }
            if let Some(position) = asset.position {
                put("position", format!("{}, {}", position.latitude, position.longitude));
            }
            if let Some(person) = &asset.person {
                put("person", person.to_string());
            }
            asset.attributes.iter().for_each(|(name, value)| put(name, shown(value)));
        }
        RegistryChange::PutDevice(device) => {
            put("sensor_type", device.sensor_type.to_string());
            put("asset", device.asset.to_string());
            device.mounting.iter().for_each(|(name, value)| put(name, shown(value)));
        }
        RegistryChange::PutCrew(crew) => {
            put("skills", joined(crew.skills.iter().map(Skill::as_str)));
            put("areas", joined(crew.areas.iter().map(AreaId::as_str)));
        }
        RegistryChange::PutPerson(person) => {
            for basis in &person.bases {
                let span = format!("{} to {}", day(basis.starts_at), day(basis.review_at));
                put(&format_smolstr!("basis for {}", basis.purpose.as_str()), span);
            }
        }
        RegistryChange::RemoveAsset(_)
        | RegistryChange::RemoveDevice(_)
        | RegistryChange::RemoveCrew(_)
        | RegistryChange::RemovePerson(_) => {}
    }
    fields
}

fn joined<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(" ")
}

fn shown(value: &Value) -> String {
    match value {
        Value::Number(number) => number.get().to_string(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Text(text) => format!("\"{text}\""),
    }
}

/// RFC 3339; a moment outside the calendar as its microseconds.
pub(super) fn day(moment: crate::domain::time::Timestamp) -> String {
    jiff::Timestamp::from_microsecond(moment.as_micros())
        .map_or_else(|_| format!("{moment:?}"), |moment| moment.to_string())
}
