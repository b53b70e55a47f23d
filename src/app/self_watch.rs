//! The gateway watches itself by the same way it watches everything else: as an asset with a sensor and rules.
//!
//! What goes wrong inside becomes an observation of the device `rettidig`; the rules in `config/rules/gateway.toml`
//! make an alarm of it, and a crew with the skill `technical` gets the task.

use crate::domain::asset::{Asset, Device};
use crate::domain::event::{Event, RegistryChange};
use crate::domain::ids::{AssetId, AssetKind, ClientId, ContentHash, DeviceId, PropertyName, SensorTypeId};
use crate::domain::observation::{Finite, Identity, Observation, Observed, Quality, Value};
use crate::domain::time::Timestamp;
use crate::domain::uplink::Ingress;
use crate::engine::Engine;
use std::collections::BTreeMap;

const SENSOR_TYPE: &str = "rettidig-gateway";
const NAME: &str = "rettidig";
const POISONED: &str = "poisoned_messages";

/// The gateway as a device.
#[must_use]
pub(super) fn device() -> DeviceId {
    DeviceId::new(NAME)
}

/// What the registry lacks of the gateway itself; none when it is registered, or when the configuration leaves the
/// sensor type out because nobody wants to be told.
#[must_use]
pub(super) fn registration(engine: &Engine) -> Option<Event> {
    let sensor_type = SensorTypeId::new(SENSOR_TYPE);
    let known = engine.configuration()?.sensor_types.get(&sensor_type)?;
    if engine.inventory().device(&device()).is_some() {
        return None;
    }
    let asset = Asset {
        id: AssetId::new(NAME),
        kind: AssetKind::new(known.asset_kind.as_str()),
        area: None,
        position: None,
        person: None,
        attributes: BTreeMap::new(),
    };
    let device = Device { id: device(), sensor_type, asset: asset.id.clone(), mounting: BTreeMap::new() };
    Some(Event::Registered(vec![RegistryChange::PutAsset(asset), RegistryChange::PutDevice(device)]))
}

/// Whether what would be removed is the gateway itself.
#[must_use]
pub(super) fn is_the_gateway(removal: &RegistryChange) -> bool {
    let (asset, itself) = (AssetId::new(NAME), device());
    *removal == RegistryChange::RemoveAsset(asset) || *removal == RegistryChange::RemoveDevice(itself)
}

/// A message had to be set aside because it aborted the engine.
#[must_use]
pub(super) fn poisoned(now: Timestamp) -> Event {
    let observations = Finite::new(1.0).map(|one| Observation {
        property: PropertyName::new(POISONED),
        value: Value::Number(one),
        unit: "1".into(),
        quality: Quality::Accepted,
        observed_at: now,
    });
    Event::Observed(Observed {
        device: device(),
        identity: Identity::Redelivery,
        ingress: Ingress {
            client: ClientId::new(NAME),
            connection: 0,
            packet: None,
            duplicate_flag: false,
            content: ContentHash([0; 16]),
        },
        received_at: now,
        clock_ahead: None,
        observations: observations.into_iter().collect(),
        redacted: Vec::new(),
        exercise: false,
    })
}
