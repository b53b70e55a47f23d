//! Who may speak: the registered devices with their sensor type and mounting, and the crews.
//!
//! An immutable look-up built from the registry; `app` builds a fresh one when the registry or the sensor types
//! change. LoRaWAN identifiers (16 hexadecimal digits) are found in either case.

use super::mapping::SensorTypeSpec;
use super::rejection::{Rejection, quoted};
use crate::domain::asset::Device;
use crate::domain::ids::{CrewId, DeviceId, SensorTypeId};
use crate::domain::observation::Value;
use crate::domain::reason::QuarantineReason;
use crate::domain::time::Span;
use rustc_hash::{FxHashMap, FxHashSet};
use smol_str::{SmolStr, format_smolstr};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What one uplink may cost. Whatever is beyond a limit is quarantined with that reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one payload.
    pub payload_bytes_max: usize,
    /// Bytes of a quarantined payload that are kept for the integrator.
    pub quarantine_head_bytes: usize,
    /// A device's time may be this far ahead of ours before it is replaced by `received_at`.
    pub clock_ahead_tolerance: Span,
    /// Properties in one message, and fields in one level of its JSON.
    pub observations_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            payload_bytes_max: 64 * 1024,
            quarantine_head_bytes: 256,
            clock_ahead_tolerance: Span::from_mins(5),
            observations_max: 128,
        }
    }
}

#[derive(Debug)]
pub struct Directory {
    pub(super) limits: Limits,
    devices: FxHashMap<SmolStr, Mounted>,
    crews: FxHashSet<CrewId>,
}

/// A registered device with what is needed to read it.
#[derive(Clone, Debug)]
pub(super) struct Mounted {
    pub id: DeviceId,
    pub spec: Arc<SensorTypeSpec>,
    pub depth: Option<Depth>,
}

/// How a distance sensor looks into its container, in millimetres (DOMAIN §1.2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Depth {
    pub empty_mm: f64,
    pub full_mm: f64,
}

impl Directory {
    /// Devices whose sensor type is not among `types` are left out: their uplinks are quarantined as of an unknown
    /// device. The registry refuses such rows, so this happens only when a sensor type file was taken away.
    pub fn new<'a>(
        limits: Limits,
        types: &BTreeMap<SensorTypeId, Arc<SensorTypeSpec>>,
        devices: impl Iterator<Item = &'a Device>,
        crews: impl Iterator<Item = &'a CrewId>,
    ) -> Self {
        let mut known = FxHashMap::default();
        // Nearly all of them have a sensor type.
        known.reserve(devices.size_hint().0);
        known.extend(devices.filter_map(|device| {
            let spec = Arc::clone(types.get(&device.sensor_type)?);
            let key = with_key(device.id.as_str(), |key| SmolStr::new(key));
            Some((key, Mounted { id: device.id.clone(), spec, depth: Depth::of(&device.mounting) }))
        }));
        Self { limits, devices: known, crews: crews.cloned().collect() }
    }

    #[must_use]
    pub fn devices_len(&self) -> usize {
        self.devices.len()
    }

    pub(super) fn find(&self, name: &str) -> Option<&Mounted> {
        with_key(name, |key| self.devices.get(key))
    }

    pub(super) fn device(&self, name: &str) -> Result<&Mounted, Rejection> {
        self.find(name).ok_or_else(|| {
            let detail = format_smolstr!("device {} is not registered with a known sensor type", quoted(name));
            Rejection::new(QuarantineReason::UnknownDevice, detail)
        })
    }

    pub(super) fn crew(&self, name: &str) -> Result<&CrewId, Rejection> {
        self.crews.get(name).ok_or_else(|| {
            Rejection::new(QuarantineReason::UnknownCrew, format_smolstr!("crew {} is not registered", quoted(name)))
        })
    }
}

impl Depth {
    /// None when a value is missing or the container would have no depth; the registry says so at import.
    fn of(mounting: &BTreeMap<SmolStr, Value>) -> Option<Self> {
        let number = |name: &str| match mounting.get(name) {
            Some(Value::Number(number)) => Some(number.get()),
            Some(Value::Boolean(_) | Value::Text(_)) | None => None,
        };
        let depth = Self { empty_mm: number("d_empty_mm")?, full_mm: number("d_full_mm")? };
        (depth.empty_mm > depth.full_mm).then_some(depth)
    }

    /// Fill from 0 to 1.05, from the distance to the surface.
    pub fn fill(self, distance_mm: f64) -> f64 {
        ((self.empty_mm - distance_mm) / (self.empty_mm - self.full_mm)).clamp(0.0, 1.05)
    }
}

/// Calls `then` with the name as devices are kept by it: network servers write the same EUI in either case.
fn with_key<T>(name: &str, then: impl FnOnce(&str) -> T) -> T {
    let bytes: Result<[u8; 16], _> = name.as_bytes().try_into();
    match bytes {
        Ok(mut eui) if eui.iter().all(u8::is_ascii_hexdigit) => {
            eui.make_ascii_lowercase();
            then(std::str::from_utf8(&eui).unwrap_or(name))
        }
        _ => then(name),
    }
}
