//! The tables of history, as data: what a store copies, and what a rebuild is compared by.
//!
//! A table of one journal has the column `journal` before those named here; the first columns are its key.

use std::borrow::Cow;

/// What stands in one column of one row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell<'a> {
    Null,
    Integer(i64),
    Real(f64),
    Boolean(bool),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
}

/// A row that outlives the question.
pub type Cells = Vec<Cell<'static>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Integer,
    Real,
    Boolean,
    Text,
    Bytes,
}

/// Which time decides when a row is old, and which retention says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Old {
    Never,
    Observed(&'static str),
    Summarised(&'static str),
}

#[derive(Debug)]
pub struct Table {
    pub name: &'static str,
    pub(super) of_journal: bool,
    pub columns: &'static [(&'static str, Kind)],
    /// How many of the first columns are the key.
    pub key: usize,
    pub(super) old: Old,
}

/// Every table but `journal`, which holds the checkpoints.
pub static TABLES: [&Table; 8] =
    [&EVENT_LOG, &DEVICE, &OBSERVATION, &ALARM, &TASK, &QUARANTINE, &SET_ASIDE, &ROLLUP_HOUR];

pub(super) static EVENT_LOG: Table = Table {
    name: "event_log",
    of_journal: true,
    columns: &[("seq", Kind::Integer), ("at", Kind::Integer), ("kind", Kind::Text), ("verdict", Kind::Text)],
    key: 1,
    old: Old::Observed("at"),
};

pub(super) static DEVICE: Table = Table {
    name: "device",
    of_journal: false,
    columns: &[("device", Kind::Text), ("asset", Kind::Text)],
    key: 1,
    old: Old::Never,
};

pub(super) static OBSERVATION: Table = Table {
    name: "observation",
    of_journal: true,
    columns: &[
        ("seq", Kind::Integer),
        ("n", Kind::Integer),
        ("device", Kind::Text),
        ("asset", Kind::Text),
        ("property", Kind::Text),
        ("observed_at", Kind::Integer),
        ("received_at", Kind::Integer),
        ("quality", Kind::Integer),
        ("unit", Kind::Text),
        ("value_number", Kind::Real),
        ("value_boolean", Kind::Boolean),
        ("value_text", Kind::Text),
        ("person", Kind::Text),
        ("sealed", Kind::Bytes),
        ("exercise", Kind::Boolean),
    ],
    key: 2,
    old: Old::Observed("observed_at"),
};

pub(super) static ALARM: Table = Table {
    name: "alarm",
    of_journal: true,
    columns: &[
        ("seq", Kind::Integer),
        ("n", Kind::Integer),
        ("alarm", Kind::Integer),
        ("rule", Kind::Text),
        ("asset", Kind::Text),
        ("priority", Kind::Integer),
        ("device", Kind::Text),
        ("observed_at", Kind::Integer),
        ("caused_by", Kind::Integer),
        ("exercise", Kind::Boolean),
        ("raised_at", Kind::Integer),
        ("normal_at", Kind::Integer),
        ("acknowledged_at", Kind::Integer),
        ("acknowledged_by", Kind::Text),
        ("closed_at", Kind::Integer),
    ],
    key: 2,
    old: Old::Summarised("closed_at"),
};

pub(super) static TASK: Table = Table {
    name: "task",
    of_journal: true,
    columns: &[
        ("seq", Kind::Integer),
        ("n", Kind::Integer),
        ("task", Kind::Integer),
        ("alarm", Kind::Integer),
        ("asset", Kind::Text),
        ("priority", Kind::Integer),
        ("kind", Kind::Text),
        ("skill", Kind::Text),
        ("exercise", Kind::Boolean),
        ("requested_at", Kind::Integer),
        ("status", Kind::Text),
        ("stage", Kind::Text),
        ("crew", Kind::Text),
        ("offers", Kind::Integer),
        ("rejections", Kind::Integer),
        ("accepted_at", Kind::Integer),
        ("ended_at", Kind::Integer),
        ("cancel_reason", Kind::Text),
    ],
    key: 2,
    old: Old::Summarised("ended_at"),
};

pub(super) static QUARANTINE: Table = Table {
    name: "quarantine",
    of_journal: true,
    columns: &[
        ("seq", Kind::Integer),
        ("n", Kind::Integer),
        ("reason", Kind::Text),
        ("detail", Kind::Text),
        ("topic", Kind::Text),
        ("device", Kind::Text),
        ("received_at", Kind::Integer),
        ("head", Kind::Bytes),
        ("length", Kind::Integer),
        ("person", Kind::Text),
        ("sealed", Kind::Bytes),
    ],
    key: 2,
    old: Old::Observed("received_at"),
};

pub(super) static SET_ASIDE: Table = Table {
    name: "set_aside",
    of_journal: true,
    columns: &[("seq", Kind::Integer), ("at", Kind::Integer), ("reason", Kind::Text)],
    key: 1,
    old: Old::Observed("at"),
};

pub(super) static ROLLUP_HOUR: Table = Table {
    name: "rollup_hour",
    of_journal: false,
    columns: &[
        ("asset", Kind::Text),
        ("property", Kind::Text),
        ("start_at", Kind::Integer),
        ("count", Kind::Integer),
        ("min", Kind::Real),
        ("max", Kind::Real),
        ("sum", Kind::Real),
    ],
    key: 3,
    old: Old::Summarised("start_at"),
};

impl Table {
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|(column, _)| *column == name)
    }

    /// The named columns, as in a SELECT.
    pub(super) fn selected(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// With the journal, where it has one.
    pub(super) fn all_columns(&self) -> Vec<(&'static str, Kind)> {
        let journal = self.of_journal.then_some(("journal", Kind::Integer));
        journal.into_iter().chain(self.columns.iter().copied()).collect()
    }

    /// The columns that name one row among those of all journals.
    pub(super) fn whole_key(&self) -> Vec<(&'static str, Kind)> {
        let mut columns = self.all_columns();
        columns.truncate(self.key + usize::from(self.of_journal));
        columns
    }

    pub(super) fn keys(&self) -> String {
        self.columns[..self.key].iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }
}

impl Cell<'_> {
    pub(super) fn owned(self) -> Cell<'static> {
        match self {
            Cell::Null => Cell::Null,
            Cell::Integer(number) => Cell::Integer(number),
            Cell::Real(number) => Cell::Real(number),
            Cell::Boolean(boolean) => Cell::Boolean(boolean),
            Cell::Text(text) => Cell::Text(Cow::Owned(text.into_owned())),
            Cell::Bytes(bytes) => Cell::Bytes(Cow::Owned(bytes.into_owned())),
        }
    }

    pub(super) fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Null | Self::Real(_) | Self::Boolean(_) | Self::Text(_) | Self::Bytes(_) => None,
        }
    }
}

impl From<i64> for Cell<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Cell<'_> {
    fn from(boolean: bool) -> Self {
        Self::Boolean(boolean)
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell<'_> {
    fn from(maybe: Option<T>) -> Self {
        maybe.map_or(Self::Null, Into::into)
    }
}

impl<'a> From<&'a [u8]> for Cell<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(Cow::Borrowed(bytes))
    }
}
