//! Why an alarm stands, at this moment: one sentence, the rule's version, and the newest values it reads.

use super::decision::values;
use super::since::Since;
use super::value::{Language, Telling};
use crate::config::WrittenCalendars;
use crate::domain::ids::{AlarmId, AssetId, PropertyName, RuleId, RuleVersion};
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use std::collections::BTreeMap;

/// What a person at a screen is told about an open alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    pub rule: RuleId,
    pub asset: AssetId,
    /// Of the rule as it was when it raised the alarm; none in alarms of before it was kept.
    pub version: Option<RuleVersion>,
    /// The values are about a person: none is told.
    pub personal: bool,
    pub values: Vec<PresentValue>,
    pub english: String,
    pub danish: String,
}

/// A value in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentValue {
    pub property: PropertyName,
    pub english: String,
    pub danish: String,
    pub observed_at: Timestamp,
}

/// Why the alarm stands; none when it is closed, or its rule is no longer in force.
#[must_use]
pub fn present(engine: &Engine, alarm: AlarmId, now: Timestamp, clock: &WrittenCalendars) -> Option<Present> {
    let alarm = engine.alarm(alarm)?;
    let insight = engine.inspect(now, &alarm.asset, &alarm.rule)?;
    let configuration = engine.configuration()?;
    let of_kind = configuration.sensor_types.values().filter(|known| known.asset_kind == insight.asset.kind);
    let properties: BTreeMap<_, _> = of_kind.flat_map(|known| known.properties.clone()).collect();
    let personal = insight.asset.person.is_some();
    let english = Telling { language: Language::English, clock, properties: &properties, at: now, personal };
    let danish = Telling { language: Language::Danish, ..english };
    let shown = if personal { Vec::new() } else { values(&insight) };
    let values = shown.into_iter().map(|(property, sample)| PresentValue {
        english: english.value(&sample.value, &property),
        danish: danish.value(&sample.value, &property),
        observed_at: sample.observed_at,
        property,
    });
    Some(Present {
        values: values.collect(),
        rule: alarm.rule.clone(),
        asset: alarm.asset.clone(),
        version: alarm.cause.rule_version,
        personal,
        english: english.sentence(&insight, &Since::default()),
        danish: danish.sentence(&insight, &Since::default()),
    })
}
