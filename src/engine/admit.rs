//! What may go on at all: a value about a person needs a registered basis for its purpose (DOMAIN §5).
//!
//! This happens before the journal. What is taken out is gone; that it was taken out is recorded by name.

use super::state::Engine;
use crate::domain::cpr::holds_cpr_number;
use crate::domain::event::Event;
use crate::domain::ids::{DeviceId, PropertyName};
use crate::domain::observation::{Observation, Observed, Value};
use crate::domain::person::{Person, Purpose};
use crate::domain::time::Timestamp;

/// An event that may be journaled, with whatever had to be taken out already gone.
#[derive(Clone, Debug, PartialEq)]
pub struct Admitted(Event);

impl Admitted {
    #[must_use]
    pub const fn event(&self) -> &Event {
        &self.0
    }

    #[must_use]
    pub fn into_event(self) -> Event {
        self.0
    }
}

impl Engine {
    /// Redacts what may not be kept; everything else passes unchanged.
    #[must_use]
    pub fn admit(&self, now: Timestamp, event: Event) -> Admitted {
        Admitted(match event {
            Event::Observed(observed) => Event::Observed(self.redact(now, observed)),
            other @ (Event::Quarantined(_)
            | Event::Replied(_)
            | Event::Receipt(_)
            | Event::Commanded(_)
            | Event::Registered(_)
            | Event::Configured(_)
            | Event::Due(_)
            | Event::Started
            | Event::Released { .. }
            | Event::Erased { .. }
            | Event::Expanded { .. }) => other,
        })
    }

    fn redact(&self, now: Timestamp, mut observed: Observed) -> Observed {
        let person = self.inventory.person_of(&observed.device).map(|id| self.inventory.people.get(id));
        let redacted = &mut observed.redacted;
        observed.observations.retain(|observation| {
            let keep = !holds_cpr(observation)
                && person.is_none_or(|person| self.has_basis(now, person, &observed.device, &observation.property));
            if !keep {
                redacted.push(observation.property.clone());
            }
            keep
        });
        observed
    }

    /// Whether the person, if registered, may be observed for what the property is measured for.
    fn has_basis(&self, now: Timestamp, person: Option<&Person>, device: &DeviceId, property: &PropertyName) -> bool {
        let Some(purpose) = self.purpose_of(device, property) else { return true };
        person.is_some_and(|person| person.allows(purpose, now))
    }

    fn purpose_of(&self, device: &DeviceId, property: &PropertyName) -> Option<Purpose> {
        let sensor_type = &self.inventory.device(device)?.sensor_type;
        self.configuration.as_ref()?.sensor_types.get(sensor_type)?.properties.get(property)?.purpose
    }
}

fn holds_cpr(observation: &Observation) -> bool {
    matches!(&observation.value, Value::Text(text) if holds_cpr_number(text))
}
