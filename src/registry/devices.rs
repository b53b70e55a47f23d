//! Rows of devices. What a sensor type needs of the mounting is for `known.rs` to check.

use super::row::Line;
use crate::domain::asset::Device;
use crate::domain::event::RegistryChange;
use crate::domain::ids::{AssetId, DeviceId, SensorTypeId};
use crate::domain::observation::{Finite, Value};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Distances in millimetres to the surface of an empty and of a full container.
const DEPTH: [&str; 2] = ["d_empty_mm", "d_full_mm"];

pub(super) fn read(id: &str, line: &mut Line<'_>) -> Option<RegistryChange> {
    let sensor_type = line.id("sensor_type");
    let asset = line.id("asset");
    let mut mounting: BTreeMap<SmolStr, Value> = line.free().into_iter().collect();
    for name in DEPTH {
        if let Some(number) = line.number(name).and_then(Finite::new) {
            mounting.insert(SmolStr::new_static(name), Value::Number(number));
        }
    }
    let (id, sensor_type, asset) = (DeviceId::new(id), SensorTypeId::new(sensor_type?), AssetId::new(asset?));
    Some(RegistryChange::PutDevice(Device { id, sensor_type, asset, mounting }))
}
