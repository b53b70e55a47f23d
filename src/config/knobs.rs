//! Every number an operator may change: what it is when nobody says, and how far it may go.
//!
//! One constant serves the reader, the JSON Schema and the documentation, so that they cannot disagree.

use crate::domain::time::Span;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// A whole number and its limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole {
    pub default: u32,
    pub min: u32,
    pub max: u32,
}

/// A length of time and its limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Length {
    pub default: Span,
    pub min: Span,
    pub max: Span,
}

/// A length of time as it is written in a file, for the schema.
#[derive(Debug)]
pub(super) struct WrittenLength;

pub(super) const PORT: Whole = Whole { default: 1883, min: 1, max: 65_535 };
pub(super) const BROKERS_MAX: usize = 16;
pub(super) const LISTEN_MAX: usize = 16;
pub(super) const TOPICS_MAX: usize = 64;
pub(super) const CREWS_MAX: usize = 1_000;
/// Bytes of a name, host, topic or path.
pub(super) const TEXT_BYTES_MAX: usize = 1_024;

pub(super) const JOURNAL_FILE_MEBIBYTES_MAX: Whole = Whole { default: 1_024, min: 1, max: 16_384 };
pub(super) const JOURNAL_FILE_AGE_MAX: Length = length(Span::from_hours(24), Span::from_mins(1), days(31));
pub(super) const JOURNAL_RETAIN_FOR: Length = length(days(400), days(1), days(3_650));
pub(super) const JOURNAL_SNAPSHOT_EVERY: Length = length(Span::from_mins(10), Span::from_secs(1), days(1));

pub(super) const STORE_CONNECTIONS_MAX: Whole = Whole { default: 8, min: 2, max: 100 };
pub(super) const STORE_CONNECT_TIMEOUT: Length = length(Span::from_secs(5), Span::from_secs(1), Span::from_mins(1));
pub(super) const STORE_STATEMENT_TIMEOUT: Length = length(Span::from_secs(30), Span::from_secs(1), Span::from_mins(10));
pub(super) const STORE_RETAIN_FOR: Length = length(days(400), days(31), days(3_650));
pub(super) const STORE_RETAIN_SUMMARIES_FOR: Length = length(days(1_830), days(31), days(7_300));

pub(super) const INBOX_EVENTS_MAX: Whole = Whole { default: 8_192, min: 64, max: 1_000_000 };
pub(super) const BATCH_EVENTS_MAX: Whole = Whole { default: 1_024, min: 1, max: 65_536 };
pub(super) const PAYLOAD_BYTES_MAX: Whole = Whole { default: 65_536, min: 256, max: 16_777_216 };
pub(super) const QUARANTINE_HEAD_BYTES: Whole = Whole { default: 256, min: 16, max: 4_096 };
pub(super) const OBSERVATIONS_MAX: Whole = Whole { default: 256, min: 1, max: 4_096 };
pub(super) const CLOCK_AHEAD_TOLERANCE: Length = length(Span::from_mins(5), Span::from_secs(1), days(1));
pub(super) const CONNECTIONS_MAX: Whole = Whole { default: 10_000, min: 1, max: 200_000 };
pub(super) const MESSAGES_PER_S_MAX: Whole = Whole { default: 1_000, min: 1, max: 10_000_000 };
pub(super) const GATEWAY_MESSAGES_PER_S_MAX: Whole = Whole { default: 1_000_000, min: 1, max: 10_000_000 };
/// Not more than the engine remembers of one login: what is repeated after a crash must be recognised.
pub(super) const RECEIVE_MAXIMUM: Whole = Whole { default: 1_024, min: 1, max: 1_024 };
pub(super) const KEEP_ALIVE_MAX: Length = length(Span::from_mins(30), Span::from_secs(10), Span::from_hours(18));
pub(super) const DELIVERIES_PENDING_MAX: Whole = Whole { default: 100_000, min: 100, max: 10_000_000 };
pub(super) const CLOSED_ROWS_MAX: Whole = Whole { default: 10_000, min: 10, max: 1_000_000 };
pub(super) const PLANNED_ASSETS: Whole = Whole { default: 100_000, min: 1, max: 2_000_000 };
pub(super) const RULE_STATE_MEBIBYTES_MAX: Whole = Whole { default: 1_024, min: 1, max: 65_536 };
pub(super) const LIVE_STREAMS_MAX: Whole = Whole { default: 200, min: 1, max: 10_000 };
pub(super) const REQUEST_BYTES_MAX: Whole = Whole { default: 1_048_576, min: 1_024, max: 67_108_864 };

pub(super) const OFFER_TIMEOUT: Length = length(Span::from_mins(10), Span::from_secs(5), days(7));
pub(super) const RETRY_AFTER: Length = length(Span::from_mins(2), Span::from_secs(1), days(1));

const fn length(default: Span, min: Span, max: Span) -> Length {
    Length { default, min, max }
}

const fn days(days: i64) -> Span {
    Span::from_hours(days * 24)
}

impl Whole {
    /// Writes default and limits into the schema of a setting.
    pub(super) fn in_schema(self) -> impl FnMut(&mut Schema) {
        move |schema| {
            schema.remove("format");
            schema.insert("minimum".to_owned(), self.min.into());
            schema.insert("maximum".to_owned(), self.max.into());
            schema.insert("default".to_owned(), self.default.into());
        }
    }
}

impl Length {
    /// Writes default and limits into the schema of a setting.
    pub(super) fn in_schema(self) -> impl FnMut(&mut Schema) {
        move |schema| {
            let limits = format!("From {} to {}.", self.min, self.max);
            let said = schema.get("description").and_then(serde_json::Value::as_str).unwrap_or_default();
            schema.insert("description".to_owned(), format!("{said} {limits}").trim().into());
            schema.insert("default".to_owned(), self.default.to_string().into());
        }
    }
}

impl JsonSchema for WrittenLength {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "LengthOfTime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$", "minLength": 2 })
    }
}
