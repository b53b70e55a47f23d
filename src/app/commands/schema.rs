//! `rettidig schema`: JSON Schemas, so that an editor checks a file while it is written.

use super::{Outcome, say};
use crate::config::{Kind, schema as schema_of};
use clap::ValueEnum;

#[derive(Clone, Copy, ValueEnum)]
pub enum Schema {
    /// rettidig.toml
    Settings,
    /// rules/*.toml
    Rules,
    /// calendars/*.toml
    Calendars,
}

/// # Errors
/// When the schema cannot be written.
pub fn schema(kind: Schema) -> anyhow::Result<Outcome> {
    let kind = match kind {
        Schema::Settings => Kind::Settings,
        Schema::Rules => Kind::Rules,
        Schema::Calendars => Kind::Calendars,
    };
    say(&serde_json::to_string_pretty(&schema_of(kind))?);
    Ok(Outcome::Done)
}
