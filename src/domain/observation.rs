//! A decoded value, and what makes it trustworthy.

use super::ids::{DeviceId, PropertyName};
use super::time::{Span, Timestamp};
use super::uplink::Ingress;
use smol_str::SmolStr;

/// A number that is neither infinite nor NaN: NaN cannot enter.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub struct Finite(f64);

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Number(Finite),
    Boolean(bool),
    Text(SmolStr),
}

/// The quality scale of OMA LwM2M resource 6042 (DOMAIN §1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quality {
    Unchecked,
    RejectedCertain,
    RejectedProbable,
    Suspicious,
    Accepted,
}

/// One value of one property at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    pub property: PropertyName,
    pub value: Value,
    /// UCUM code; empty for a value without unit.
    pub unit: SmolStr,
    pub quality: Quality,
    pub observed_at: Timestamp,
}

/// What one device told us in one message.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    pub device: DeviceId,
    pub identity: Identity,
    pub ingress: Ingress,
    pub received_at: Timestamp,
    /// How far the device's clock was ahead when its time had to be replaced by `received_at`.
    pub clock_ahead: Option<Span>,
    pub observations: Vec<Observation>,
    /// Properties whose values were taken out before the journal: no registered basis for their purpose.
    pub redacted: Vec<PropertyName>,
    /// A drill: marked from intake to screen, never paging for real.
    pub exercise: bool,
}

/// How a repeated message is told from a repeated fact (DESIGN §3.3), strongest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The network server's own id: devEUI + fCnt + port, a deduplication id, a field the sensor type names.
    Network(SmolStr),
    /// The device's own time; together with the content it names the message.
    DeviceTime(Timestamp),
    /// Nothing but the MQTT redelivery itself.
    Redelivery,
}

impl Finite {
    #[must_use]
    pub fn new(number: f64) -> Option<Self> {
        number.is_finite().then_some(Self(number))
    }

    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl std::fmt::Debug for Finite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}
