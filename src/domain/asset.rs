//! What we look after, the devices that watch it, and what a model of device can say.

use super::ids::{AreaId, AssetId, AssetKind, DeviceId, PersonId, PropertyName, SensorTypeId};
use super::observation::Value;
use super::person::Purpose;
use super::time::Span;
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// A place on earth, WGS 84 degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    pub latitude: f64,
    pub longitude: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Asset {
    pub id: AssetId,
    pub kind: AssetKind,
    pub area: Option<AreaId>,
    pub position: Option<Position>,
    /// The person whose bed or home this is: then its values are theirs and are sealed.
    pub person: Option<PersonId>,
    /// What rules may read as `asset.<name>`, and screens show.
    pub attributes: BTreeMap<SmolStr, Value>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    pub id: DeviceId,
    pub sensor_type: SensorTypeId,
    pub asset: AssetId,
    /// How it is mounted: numbers that the sensor type's mapping reads, such as `d_empty_mm`.
    pub mounting: BTreeMap<SmolStr, Value>,
}

/// What the engine must know of a model of sensor; the mapping from bytes stays in `decode`.
#[derive(Clone, Debug, PartialEq)]
pub struct SensorType {
    pub id: SensorTypeId,
    pub asset_kind: AssetKind,
    /// How often a healthy device speaks.
    pub interval: Span,
    /// How much older than its newest value another may be and still be judged in its place: zero for a device that is
    /// always connected, more for one that sends in batches.
    pub lateness: Span,
    pub properties: BTreeMap<PropertyName, Property>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Property {
    pub kind: PropertyKind,
    /// UCUM code; empty for a property without unit.
    pub unit: SmolStr,
    /// Values outside are quarantined, not clipped.
    pub range: Option<(f64, f64)>,
    /// Why it may be processed at all when it is about a person.
    pub purpose: Option<Purpose>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PropertyKind {
    Number,
    Boolean,
    Text,
}
