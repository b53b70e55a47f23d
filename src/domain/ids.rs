//! Ids are newtypes, so that a crew can never be passed where an asset is meant.
//!
//! Text ids come from people and devices; they are short, kept inline and cheap to clone.
//! Numbers are given out by the engine or the journal.

use smol_str::SmolStr;
use std::borrow::Borrow;
use std::fmt;

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(SmolStr);

        impl $name {
            #[must_use]
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(SmolStr::new(text))
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

macro_rules! number_id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    )+};
}

text_id! {
    /// What we look after: a bin, a bed (OGC SensorThings: Thing).
    AssetId,
    /// The kind of an asset: `bin`, `bed`. Rules apply to a kind.
    AssetKind,
    /// A part of the municipality: a district, a ward.
    AreaId,
    /// A crew: the team that receives tasks.
    CrewId,
    /// One device that measures (OGC SensorThings: Sensor).
    DeviceId,
    /// A person, always a pseudonym: names and numbers live in the vault only.
    PersonId,
    /// A property of an asset: `fill`, `temperature`, `pressure_sacrum`.
    PropertyName,
    /// A rule, as named in its file.
    RuleId,
    /// A model of sensor, as named by its file under `config/sensor-types/`.
    SensorTypeId,
    /// What a crew must be able to do: `waste`, `care`.
    Skill,
    /// The login that a message came through.
    ClientId,
    /// Who asked for a change: an account name, `console` users and scripts alike.
    AccountId,
    /// The caller's own key for a change; the same key twice is one change.
    CommandId,
}

number_id! {
    /// The place of an event in the journal, counted from 1.
    Seq,
    /// One alarm, counted from 1 by the engine.
    AlarmId,
    /// One task, counted from 1 by the engine.
    TaskId,
}

/// One journal: new after a restore or a take-over, so that its deliveries are never mistaken for another's.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct JournalId(pub [u8; 16]);

/// The exact configuration a decision was made under: a hash over its content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ConfigurationVersion(pub [u8; 16]);

/// The exact text of all rule files together: what a person reads, compares and approves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RulesVersion(pub [u8; 16]);

/// What a message carried: a hash over topic and payload.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash(pub [u8; 16]);

/// One thing to do among those of one event: the `n` of the delivery key `(journal_id, seq, n)`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId {
    pub seq: Seq,
    pub n: u16,
}

/// The exact form of one rule: a hash over everything in it that decides. Texts for people may change under it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RuleVersion(pub u64);

impl fmt::Display for RuleVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for RuleVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! hexadecimal {
    ($($name:ident),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )+};
}

hexadecimal!(JournalId, ConfigurationVersion, RulesVersion, ContentHash);

impl Seq {
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.seq, self.n)
    }
}

impl fmt::Debug for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
