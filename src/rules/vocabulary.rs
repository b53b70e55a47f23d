//! What rules may talk about: the kinds of asset that sensor types measure, their properties, and the shifts of the
//! calendars.
//!
//! Every property of a kind has a slot, in the order of the names, so that a condition reads an array and not a map.

use crate::domain::asset::{PropertyKind, SensorType};
use crate::domain::ids::{AssetKind, PropertyName, SensorTypeId};
use smol_str::SmolStr;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    kinds: BTreeMap<AssetKind, BTreeMap<PropertyName, Meaning>>,
    shifts: Vec<SmolStr>,
    incomplete: bool,
    shifts_unread: bool,
}

/// What the sensor types of one kind say about one property.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Meaning {
    pub kind: PropertyKind,
    pub unit: SmolStr,
    /// The values any of the types lets pass; `None` when one of them sets no limit.
    pub range: Option<(f64, f64)>,
    said_by: SensorTypeId,
    /// Another sensor type gives the same property another type or unit.
    pub conflict: Option<(SensorTypeId, SensorTypeId)>,
}

/// Where the values of an asset of one kind stand: property name → slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlotLayout {
    names: Box<[PropertyName]>,
}

impl Vocabulary {
    #[must_use]
    pub fn new<'a>(types: impl Iterator<Item = &'a SensorType>) -> Self {
        let mut kinds: BTreeMap<AssetKind, BTreeMap<PropertyName, Meaning>> = BTreeMap::new();
        for sensor_type in types {
            let properties = kinds.entry(sensor_type.asset_kind.clone()).or_default();
            for (name, property) in &sensor_type.properties {
                let said = Meaning {
                    kind: property.kind,
                    unit: property.unit.clone(),
                    range: property.range,
                    said_by: sensor_type.id.clone(),
                    conflict: None,
                };
                match properties.get_mut(name) {
                    Some(known) => known.agree(&said),
                    None => drop(properties.insert(name.clone(), said)),
                }
            }
        }
        Self { kinds, ..Self::default() }
    }

    /// The same vocabulary when some sensor types could not be read: a kind it does not know is then no fault.
    #[must_use]
    pub fn incomplete(self) -> Self {
        Self { incomplete: true, ..self }
    }

    /// The same vocabulary with the shifts of the calendars, in the order of their tables.
    #[must_use]
    pub fn with_shifts<'a>(self, names: impl Iterator<Item = &'a SmolStr>) -> Self {
        Self { shifts: names.cloned().collect(), ..self }
    }

    /// The same vocabulary when the calendars could not be read: a shift it does not know is then no fault.
    #[must_use]
    pub fn without_calendars(self) -> Self {
        Self { shifts_unread: true, ..self }
    }

    pub(super) fn shifts(&self) -> &[SmolStr] {
        &self.shifts
    }

    /// The place of a shift among the tables of the calendars.
    pub(super) fn shift(&self, name: &str) -> Option<u16> {
        let place = self.shifts.iter().position(|known| known == name);
        place.or(self.shifts_unread.then_some(0)).and_then(|place| u16::try_from(place).ok())
    }

    pub(super) const fn may_lack_kinds(&self) -> bool {
        self.incomplete
    }

    pub(super) fn properties(&self, kind: &AssetKind) -> Option<&BTreeMap<PropertyName, Meaning>> {
        self.kinds.get(kind)
    }

    pub(super) fn kinds(&self) -> impl Iterator<Item = &AssetKind> {
        self.kinds.keys()
    }

    pub(super) fn layouts(&self) -> BTreeMap<AssetKind, SlotLayout> {
        let layout =
            |properties: &BTreeMap<PropertyName, Meaning>| SlotLayout { names: properties.keys().cloned().collect() };
        self.kinds.iter().map(|(kind, properties)| (kind.clone(), layout(properties))).collect()
    }
}

impl Meaning {
    fn agree(&mut self, other: &Self) {
        if (self.kind, &self.unit) != (other.kind, &other.unit) {
            self.conflict.get_or_insert_with(|| (self.said_by.clone(), other.said_by.clone()));
        }
        self.range = match (self.range, other.range) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (None, _) | (_, None) => None,
        };
    }
}

impl SlotLayout {
    /// The slot of a property, if assets of this kind have it.
    #[must_use]
    pub fn slot(&self, name: &PropertyName) -> Option<u16> {
        self.names.binary_search(name).ok().and_then(|at| u16::try_from(at).ok())
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The property names in the order of their slots.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &PropertyName> {
        self.names.iter()
    }
}
