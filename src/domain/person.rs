//! People, as the engine may know them: a pseudonym and what may be done with their data.

use super::ids::PersonId;
use super::time::Timestamp;

/// What a value about a person is used for (DOMAIN §5). A value without a registered basis is redacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Pressure exposure of a person lying in a bed.
    Exposure,
    /// Whether the person is in the bed.
    Presence,
    /// The person's own call for help.
    Call,
}

/// A registered legal basis to process a person's data for one purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Basis {
    pub purpose: Purpose,
    /// In force from.
    pub starts_at: Timestamp,
    /// It ends here unless a professional renews it; at most 90 days ahead by default.
    pub review_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub id: PersonId,
    pub bases: Vec<Basis>,
}

impl Purpose {
    pub const ALL: [Self; 3] = [Self::Exposure, Self::Presence, Self::Call];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exposure => "exposure",
            Self::Presence => "presence",
            Self::Call => "call",
        }
    }
}

impl Person {
    /// Whether a basis for `purpose` is in force at `now`.
    #[must_use]
    pub fn allows(&self, purpose: Purpose, now: Timestamp) -> bool {
        self.bases.iter().any(|basis| basis.purpose == purpose && basis.starts_at <= now && now < basis.review_at)
    }
}
