//! How devices misbehave: two in a hundred, each in a way of its own.
//!
//! Only what a misbehaving device sends is spoiled here; its bin or bed lives as any other. What the gateway
//! must make of it stands beside each kind.

use super::municipality::Carrier;

/// One way to misbehave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Misbehaviour {
    /// Half a message, cut off: quarantined.
    Unparsable,
    /// A device that nobody registered: quarantined.
    UnknownDevice,
    /// More bytes than the gateway reads: quarantined.
    Oversize,
    /// A value that cannot be: quarantined.
    OutOfRange,
    /// A clock days ahead: accepted at the time of arrival, and the clock is flagged.
    ClockAhead,
    /// Heard by two network servers: the second copy is a duplicate.
    TwoGateways,
    /// Its acknowledgement got lost, it sends again with DUP: a duplicate.
    Redelivery,
    /// Stops speaking: noticed after four of its intervals.
    Silent,
}

impl Misbehaviour {
    /// The kinds that registered devices show: seven of some three hundred, two in a hundred.
    pub(crate) const OF_DEVICES: [Self; 7] = [
        Self::Unparsable,
        Self::Oversize,
        Self::OutOfRange,
        Self::ClockAhead,
        Self::TwoGateways,
        Self::Redelivery,
        Self::Silent,
    ];

    /// Which network a bin must be on to misbehave so.
    pub(crate) const fn carrier(self) -> Carrier {
        match self {
            Self::TwoGateways => Carrier::ChirpStack,
            Self::UnknownDevice => Carrier::StreetHub,
            Self::Unparsable
            | Self::Oversize
            | Self::OutOfRange
            | Self::ClockAhead
            | Self::Redelivery
            | Self::Silent => Carrier::OwnModem,
        }
    }

    /// In words, for the screen.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Unparsable => "sends half messages",
            Self::UnknownDevice => "is not registered",
            Self::Oversize => "sends too much",
            Self::OutOfRange => "measures the impossible",
            Self::ClockAhead => "has a clock days ahead",
            Self::TwoGateways => "is heard by two servers",
            Self::Redelivery => "sends again with DUP",
            Self::Silent => "has fallen silent",
        }
    }
}
