//! Why an alarm stands: the sentence that `rettidig explain` tells, for a person at a screen.

use super::Shared;
use super::access::Reader;
use super::ports::{Why, WhyValue};
use super::problem::Problem;
use super::requests::Number;
use super::rules::TextWire;
use super::wire::time;
use crate::domain::ids::AlarmId;
use axum::Json;
use axum::extract::State;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct WhyWire {
    rule: String,
    /// Of the rule as it was when it raised the alarm.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_version: Option<String>,
    asset: String,
    sentence: TextWire,
    /// None of those about a person.
    values: Vec<ValueWire>,
    personal: bool,
}

#[derive(Serialize)]
struct ValueWire {
    property: String,
    value: TextWire,
    observed_at: String,
}

/// `GET /api/v1/alarms/{id}/why`
pub(super) async fn why(
    State(console): State<Shared>,
    _: Reader,
    Number(alarm): Number,
) -> Result<Json<WhyWire>, Problem> {
    let why = (console.ports.why)(AlarmId(alarm)).await?;
    let closed = || Problem::not_found().detail("no alarm of this number stands; `rettidig explain` tells of the past");
    why.map(|why| Json(why.into())).ok_or_else(closed)
}

impl From<Why> for WhyWire {
    fn from(why: Why) -> Self {
        let Why { rule, version, asset, english, danish, values, personal } = why;
        Self {
            rule: rule.to_string(),
            rule_version: version.map(|version| version.to_string()),
            asset: asset.to_string(),
            sentence: TextWire { en: english, da: danish },
            values: values.into_iter().map(Into::into).collect(),
            personal,
        }
    }
}

impl From<WhyValue> for ValueWire {
    fn from(value: WhyValue) -> Self {
        let WhyValue { property, english, danish, observed_at } = value;
        let value = TextWire { en: english, da: danish };
        Self { property: property.to_string(), value, observed_at: time(observed_at) }
    }
}
