//! The rules in force, with the words their authors gave each alarm: what causes it, what follows, what a person does.

use super::Shared;
use super::access::Reader;
use super::problem::Problem;
use crate::domain::time::Span;
use crate::rules::{Rule, Text};
use axum::Json;
use axum::extract::State;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Rules {
    rules: Vec<RuleWire>,
}

#[derive(Serialize)]
struct RuleWire {
    id: String,
    applies_to: String,
    priority: u8,
    owner: String,
    respond_within_s: u64,
    #[serde(skip_serializing_if = "is_zero")]
    on_delay_s: u64,
    momentary: bool,
    /// It raises nothing: what it would have raised is noted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    shadow: bool,
    when: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    normal_when: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unless: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<TaskTemplateWire>,
    cause: TextWire,
    consequence: TextWire,
    response: TextWire,
}

#[derive(Serialize)]
struct TaskTemplateWire {
    kind: String,
    skill: String,
}

#[derive(Serialize)]
pub(super) struct TextWire {
    pub en: String,
    pub da: String,
}

/// `GET /api/v1/rules`
pub(super) async fn rules(State(console): State<Shared>, _: Reader) -> Result<Json<Rules>, Problem> {
    let rules = (console.ports.rules)(()).await?;
    Ok(Json(Rules { rules: rules.iter().map(|rule| (&**rule).into()).collect() }))
}

impl From<&Rule> for RuleWire {
    fn from(rule: &Rule) -> Self {
        let task = rule.task.as_ref();
        Self {
            id: rule.id.to_string(),
            applies_to: rule.applies_to.to_string(),
            priority: rule.priority.number(),
            owner: rule.rationale.owner.to_string(),
            respond_within_s: seconds(rule.rationale.respond_within),
            on_delay_s: seconds(rule.on_delay),
            momentary: rule.momentary,
            shadow: rule.shadow,
            when: rule.conditions.when.clone(),
            normal_when: rule.conditions.normal_when.clone(),
            unless: rule.conditions.unless.clone(),
            task: task.map(|task| TaskTemplateWire { kind: task.kind.to_string(), skill: task.skill.to_string() }),
            cause: (&rule.rationale.cause).into(),
            consequence: (&rule.rationale.consequence).into(),
            response: (&rule.rationale.response).into(),
        }
    }
}

impl From<&Text> for TextWire {
    fn from(text: &Text) -> Self {
        Self { en: text.en.clone(), da: text.da.clone() }
    }
}

fn seconds(span: Span) -> u64 {
    u64::try_from(span.as_micros() / 1_000_000).unwrap_or_default()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
const fn is_zero(seconds: &u64) -> bool {
    *seconds == 0
}
