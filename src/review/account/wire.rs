//! Every part of a rule with its answer, for a script. Fields are only ever added.

use super::since::Since;
use super::value::{Telling, quality};
use crate::domain::observation::Value;
use crate::domain::task::TaskStage;
use crate::domain::time::Timestamp;
use crate::engine::Insight;
use crate::rules::{Answer, Form, Part, Truth};
use serde::Serialize;
use serde_json::json;

#[derive(Serialize)]
pub struct WireState {
    when: WirePart,
    unless: Option<WirePart>,
    normal_when: Option<WirePart>,
    on_delay: Option<WireDelay>,
    may_turn_at: Option<String>,
    /// Only of a rule that is judged in the order of the values' own time.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_back: Option<WireHeldBack>,
    alarm: Option<WireAlarm>,
    /// Only of a rule in shadow; empty while it would have raised nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    shadow: Option<WireShadow>,
    tasks: Vec<WireTask>,
}

#[derive(Serialize)]
pub struct WirePart {
    source: String,
    /// `true`, `false`, a number, a text; `null` when it is not known.
    answer: serde_json::Value,
    /// The number is the least it can be.
    at_least: bool,
    /// It is about a person and is not told.
    personal: bool,
    observed_at: Option<String>,
    received_at: Option<String>,
    quality: Option<&'static str>,
    /// Since when it has answered this; of a part that was seen to turn, exactly.
    since: Option<String>,
    since_exact: bool,
    waiting_since: Option<String>,
    may_turn_at: Option<String>,
    parts: Vec<WirePart>,
}

#[derive(Serialize)]
struct WireDelay {
    begun_at: String,
    due: String,
    caused_by: u64,
}

#[derive(Serialize)]
struct WireAlarm {
    id: u64,
    active: bool,
    acknowledged: bool,
    raised_at: String,
    caused_by: u64,
    /// How old the value was, where it came too late for its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    late: Option<String>,
}

#[derive(Serialize)]
struct WireShadow {
    #[serde(skip_serializing_if = "Option::is_none")]
    would_have_raised_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caused_by: Option<u64>,
}

#[derive(Serialize)]
struct WireHeldBack {
    values: usize,
    measured_from: Option<String>,
    measured_until: Option<String>,
    judged_until: Option<String>,
    lateness: String,
}

#[derive(Serialize)]
struct WireTask {
    id: u64,
    kind: String,
    status: &'static str,
    stage: Option<&'static str>,
}

/// RFC 3339; a moment outside the calendar as its microseconds.
#[must_use]
pub(in crate::review) fn written(moment: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(moment.as_micros())
        .map_or_else(|_| format!("{moment:?}"), |moment| moment.to_string())
}

impl WireState {
    #[must_use]
    pub fn of(telling: &Telling<'_>, insight: &Insight<'_>, since: &Since) -> Self {
        let part = |part: &Part| WirePart::of(telling, part, since);
        let explanation = &insight.explanation;
        Self {
            when: part(&explanation.when),
            unless: explanation.unless.as_ref().map(part),
            normal_when: explanation.normal_when.as_ref().map(part),
            on_delay: insight.delay.map(|(due, cause)| WireDelay {
                begun_at: written(due - insight.rule.on_delay),
                due: written(due),
                caused_by: cause.event.0,
            }),
            may_turn_at: insight.turn.as_ref().map(|turn| written(turn.at)),
            held_back: insight.held_back.map(|held| WireHeldBack {
                values: held.values,
                measured_from: held.measured.map(|(oldest, _)| written(oldest)),
                measured_until: held.measured.map(|(_, newest)| written(newest)),
                judged_until: held.watermark.map(written),
                lateness: held.lateness.to_string(),
            }),
            alarm: insight.alarm.map(|alarm| WireAlarm {
                id: alarm.id.0,
                active: alarm.active,
                acknowledged: alarm.acknowledged,
                raised_at: written(alarm.raised_at),
                caused_by: alarm.cause.event.0,
                late: alarm.cause.late.map(|age| age.to_string()),
            }),
            shadow: insight.rule.shadow.then(|| WireShadow {
                would_have_raised_at: insight.shadow.map(|shadow| written(shadow.raised_at)),
                caused_by: insight.shadow.map(|shadow| shadow.cause.event.0),
            }),
            tasks: insight
                .tasks
                .iter()
                .map(|task| WireTask {
                    id: task.id.0,
                    kind: task.kind.to_string(),
                    status: task.status.as_str(),
                    stage: task.stage.map(TaskStage::as_str),
                })
                .collect(),
        }
    }
}

impl WirePart {
    fn of(telling: &Telling<'_>, part: &Part, since: &Since) -> Self {
        let sample = if let Form::Property(_, sample) = &part.form { sample.as_ref() } else { None };
        let property = if let Form::Property(name, Some(_)) = &part.form { Some(name) } else { None };
        let personal = telling.personal && part.measured();
        let known = since.of(part);
        Self {
            source: part.source.clone(),
            answer: if personal { serde_json::Value::Null } else { answer(&part.answer) },
            at_least: matches!(part.answer, Answer::AtLeast(_)),
            personal,
            observed_at: sample.map(|sample| written(sample.observed_at)),
            received_at: sample.map(|sample| written(sample.received_at)),
            quality: property.and_then(|name| since.quality(name)).map(quality),
            since: known.map(|(at, _)| written(at)),
            since_exact: known.is_some_and(|(_, seen)| seen),
            waiting_since: part.begun_at.map(written),
            may_turn_at: part.turns_at.map(written),
            parts: part.parts.iter().map(|part| Self::of(telling, part, since)).collect(),
        }
    }
}

/// A value as JSON has it.
#[must_use]
pub(in crate::review) fn answer_of(value: &Value) -> serde_json::Value {
    match value {
        Value::Number(number) => json!(number.get()),
        Value::Boolean(value) => json!(value),
        Value::Text(text) => json!(text.as_str()),
    }
}

fn answer(answer: &Answer) -> serde_json::Value {
    match answer {
        Answer::Truth(Truth::True) => json!(true),
        Answer::Truth(Truth::False) => json!(false),
        Answer::Truth(Truth::Unknown) | Answer::Unknown => serde_json::Value::Null,
        Answer::Number(number) | Answer::AtLeast(number) => json!(number),
        Answer::Words(text) => json!(text.as_str()),
    }
}
