//! JSON Schemas for editors, so that a file is checked while it is written.
//!
//! The schema of settings is made from `Settings` itself. Rule files are read in `rules`, on the same floor as this
//! room, so their schema has its own shape here; a test in `review` keeps the two together.

use super::calendar::schema::CalendarFile;
use super::knobs::{self, WrittenLength};
use super::settings::Settings;
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};

/// Which kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `rettidig.toml`
    Settings,
    /// `rules/*.toml`
    Rules,
    /// `calendars/*.toml`
    Calendars,
}

/// The JSON Schema (2020-12) of one kind of file.
#[must_use]
pub fn schema(kind: Kind) -> serde_json::Value {
    let generator: SchemaGenerator = SchemaSettings::draft2020_12().into_generator();
    let schema: Schema = match kind {
        Kind::Settings => generator.into_root_schema_for::<Settings>(),
        Kind::Rules => generator.into_root_schema_for::<RuleFile>(),
        Kind::Calendars => generator.into_root_schema_for::<CalendarFile>(),
    };
    schema.to_value()
}

/// Who is asked to do a task, and how long an offer waits.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is used")]
pub(super) struct Dispatch {
    /// How long an offer waits for an answer before the next crew is asked: one for each priority, the most urgent first.
    #[schemars(with = "[WrittenLength; 4]", extend("default" = ["1m", "1m15s", "10m", "1h"]))]
    offer_timeouts: (),
    /// When nobody can be asked, ask again after this.
    #[schemars(with = "WrittenLength", transform = knobs::RETRY_AFTER.in_schema())]
    retry_after: (),
}

/// The rules of one service.
#[derive(JsonSchema)]
#[schemars(title = "Rule file", deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is used")]
struct RuleFile {
    rule: Vec<Rule>,
}

/// When an alarm is raised, why that matters, and what a person does about it.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is used")]
struct Rule {
    /// Lower-case letters, digits and hyphens; one rule in all files.
    #[schemars(regex(pattern = NAME))]
    id: String,
    /// The kind of asset: one that a sensor type measures.
    #[schemars(regex(pattern = NAME))]
    applies_to: String,
    /// The condition that raises the alarm, such as `fill >= 0.8`.
    when: String,
    /// The condition that says it is over. Without it: when `when` is not true.
    normal_when: Option<String>,
    /// No alarm while this is true.
    unless: Option<String>,
    /// The condition must hold this long first.
    #[schemars(with = "Option<WrittenLength>")]
    on_delay: Option<()>,
    /// The condition is a moment, such as the press of a button: the alarm waits for a person, not for a value.
    momentary: Option<bool>,
    /// It decides when a value arrives, although others may come from before it. Every rule of priority 1 does.
    eager: Option<bool>,
    /// What becomes of a value that came too late to be judged in its place.
    #[schemars(extend("enum" = ["ignore", "raise"]))]
    when_late: Option<String>,
    /// It is judged like any other and raises nothing: what it would have raised is noted.
    shadow: Option<bool>,
    /// 1 act at once, 2 within half an hour, 3 this shift, 4 next plan.
    #[schemars(range(min = 1, max = 4))]
    priority: u8,
    /// What makes it happen.
    cause: Text,
    /// What follows if nobody responds.
    consequence: Text,
    /// What a person does.
    response: Text,
    /// Who answers for the rule.
    #[schemars(regex(pattern = NAME))]
    owner: String,
    /// How soon somebody must respond.
    #[schemars(with = "WrittenLength")]
    respond_within: (),
    task: Option<Task>,
}

const NAME: &str = "^[a-z][a-z0-9-]{0,63}$";

/// A text in both languages of the house.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is used")]
struct Text {
    en: String,
    da: String,
}

/// The work an alarm asks for.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is used")]
struct Task {
    /// What to do, such as `empty-bin`.
    #[schemars(regex(pattern = NAME))]
    kind: String,
    /// What the crew must be able to do, such as `waste`.
    #[schemars(regex(pattern = NAME))]
    skill: String,
}
