//! What is given in a scenario: the asset and its sensors, and what happens to them.

use crate::domain::asset::{Property, PropertyKind, SensorType};
use crate::domain::event::Answer;
use crate::domain::ids::{AssetKind, PropertyName, RuleId, SensorTypeId};
use crate::domain::observation::{Finite, Value};
use crate::domain::person::Purpose;
use crate::domain::time::Timestamp;
use crate::domain::toml_reader::{Field, Scalar};
use crate::rules::in_unit;
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};

/// Who plays.
pub(super) struct Cast {
    pub kind: AssetKind,
    pub attributes: BTreeMap<SmolStr, Value>,
    /// One device of each type hangs on the asset.
    pub sensors: Vec<SensorTypeId>,
    /// What the person may be observed for, if the asset's sensors measure one.
    pub bases: Option<Vec<Purpose>>,
    /// Another asset of the kind stands beside it, with sensors like these.
    pub neighbour: bool,
}

pub(super) enum Act {
    /// The sensors report; without values they only give a sign of life.
    Report { whose: Whose, values: Vec<(PropertyName, Value)>, observed_at: Option<Timestamp> },
    /// The crew answers the task of this kind.
    Answer { task: SmolStr, answer: Answer },
    /// An operator has seen the alarm of this rule.
    Acknowledge { rule: RuleId },
    /// An operator withdraws the task of this kind.
    Cancel { task: SmolStr },
}

/// Whose sensors report. What becomes of the neighbour is not looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Own,
    Neighbour,
}

/// The sensor types of a kind, and what they measure.
pub(super) struct Sensors<'a> {
    pub types: Vec<&'a SensorType>,
}

impl<'a> Sensors<'a> {
    pub fn property(&self, name: &str) -> Option<&'a Property> {
        self.types.iter().find_map(|known| known.properties.get(&PropertyName::new(name)))
    }

    pub fn names(&self) -> BTreeSet<&'a str> {
        self.types.iter().flat_map(|known| known.properties.keys().map(PropertyName::as_str)).collect()
    }

    /// As few types as measure all of these: the first one that measures most of what is left, again and again.
    pub fn chosen_for(&self, used: &BTreeSet<PropertyName>) -> Vec<SensorTypeId> {
        let (mut left, mut chosen) = (used.clone(), Vec::new());
        while !left.is_empty() {
            let measures =
                |known: &&SensorType| left.iter().filter(|name| known.properties.contains_key(*name)).count();
            let best = self.types.iter().copied().rev().max_by_key(measures);
            let Some(best) = best.filter(|best| measures(best) > 0) else { break };
            left.retain(|name| !best.properties.contains_key(name));
            chosen.push(best.id.clone());
        }
        if chosen.is_empty() {
            chosen.extend(self.types.first().map(|first| first.id.clone()));
        }
        chosen
    }
}

/// The value of a property, as a sensor may bring it.
pub(super) fn measured(field: &Field<'_>, name: &str, property: &Property) -> Option<Value> {
    let value = match (property.kind, field.scalar()?) {
        (PropertyKind::Number, Scalar::Number(number)) => Finite::new(number).map(Value::Number),
        (PropertyKind::Number, Scalar::Text(text)) => {
            let number = in_unit(&text, &property.unit).and_then(Finite::new);
            if number.is_none() {
                let unit = if property.unit.is_empty() { "without unit" } else { property.unit.as_str() };
                let message = format!("\"{text}\" is no quantity that `{name}` measures");
                field.fault(message, format!("write a number ({unit}), or a number with its unit in quotes"));
                return None;
            }
            number.map(Value::Number)
        }
        (PropertyKind::Boolean, Scalar::Boolean(value)) => Some(Value::Boolean(value)),
        (PropertyKind::Text, Scalar::Text(text)) => Some(Value::Text(SmolStr::new(text))),
        (kind @ (PropertyKind::Number | PropertyKind::Boolean | PropertyKind::Text), _) => {
            let (is, example) = match kind {
                PropertyKind::Number => ("a number", "0.85"),
                PropertyKind::Boolean => ("true or false", "true"),
                PropertyKind::Text => ("a text", "\"…\""),
            };
            field.fault(format!("`{name}` is {is}"), format!("write {name} = {example}"));
            None
        }
    };
    if let (Some(Value::Number(number)), Some((least, most))) = (&value, property.range)
        && !(least..=most).contains(&number.get())
    {
        let message = format!("`{name}` is never {}: such a message is quarantined", number.get());
        field.fault(message, format!("its values run from {least} to {most}"));
        return None;
    }
    value
}

/// The value of an attribute.
pub(super) fn attribute(field: &Field<'_>) -> Option<Value> {
    Some(match field.scalar()? {
        Scalar::Text(text) => Value::Text(SmolStr::new(text)),
        Scalar::Number(number) => Value::Number(Finite::new(number)?),
        Scalar::Boolean(value) => Value::Boolean(value),
    })
}

/// What a crew answers.
pub(super) fn answer(field: &Field<'_>) -> Option<Answer> {
    use crate::domain::task::RejectReason;
    const KNOWN: [(&str, Answer); 5] = [
        ("accepted", Answer::Accepted),
        ("rejected", Answer::Rejected(RejectReason::Busy)),
        ("en-route", Answer::EnRoute),
        ("on-site", Answer::OnSite),
        ("completed", Answer::Completed),
    ];
    field.one_of(&KNOWN.map(|(word, _)| word)).and_then(|at| KNOWN.get(at)).map(|(_, answer)| *answer)
}
