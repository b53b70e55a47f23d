//! What a scenario may expect: `bin-full raised`, `empty-bin requested`.

use crate::domain::fault::suggest_known;
use crate::domain::ids::RuleId;
use crate::domain::toml_reader::Text;
use crate::rules::Rule;
use smol_str::SmolStr;
use std::fmt;
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    /// An alarm was raised by this rule.
    Raised(RuleId),
    /// It had returned to normal without being settled, and holds again.
    RaisedAgain(RuleId),
    Normal(RuleId),
    /// The rule is in shadow: it would have raised an alarm.
    RaisedInShadow(RuleId),
    NormalInShadow(RuleId),
    /// A task of this kind was asked for.
    Requested(SmolStr),
    Cancelled(SmolStr),
    /// The sensor agrees that the work helped.
    Verified(SmolStr),
}

const OF_RULES: [&str; 5] = ["raised", "raised again", "normal", "raised in shadow", "normal in shadow"];
const OF_TASKS: [&str; 3] = ["requested", "cancelled", "verified"];
const EXAMPLE: &str = "write a rule and what becomes of its alarm, such as \"bin-full raised\", or a kind of task and what \
     becomes of it, such as \"empty-bin requested\"";

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raised(rule) => write!(f, "{rule} raised"),
            Self::RaisedAgain(rule) => write!(f, "{rule} raised again"),
            Self::Normal(rule) => write!(f, "{rule} normal"),
            Self::RaisedInShadow(rule) => write!(f, "{rule} raised in shadow"),
            Self::NormalInShadow(rule) => write!(f, "{rule} normal in shadow"),
            Self::Requested(task) => write!(f, "{task} requested"),
            Self::Cancelled(task) => write!(f, "{task} cancelled"),
            Self::Verified(task) => write!(f, "{task} verified"),
        }
    }
}

/// An expectation as it is written; the fault of one that can never happen says so.
pub(super) fn outcome(text: &Text<'_>, watched: &[&Arc<Rule>]) -> Option<Outcome> {
    let written = text.value.as_ref();
    let Some((name, what)) = written.split_once(' ') else {
        text.fault(format!("\"{written}\" is no expectation"), EXAMPLE.to_owned());
        return None;
    };
    let what = what.trim();
    let name_place = 0..name.len();
    let rules = || watched.iter().map(|rule| rule.id.as_str());
    let tasks = || watched.iter().filter_map(|rule| rule.task.as_ref()).map(|task| task.kind.as_str());
    if OF_RULES.contains(&what) {
        let Some(rule) = watched.iter().find(|rule| rule.id.as_str() == name) else {
            text.fault_at(name_place, format!("no rule `{name}` is looked at here"), suggest_known(name, rules()));
            return None;
        };
        if what.starts_with("normal") && rule.momentary {
            let suggestion = "leave it out: a momentary rule returns to normal with the message that raises it";
            text.fault(format!("`{name}` is momentary"), suggestion.to_owned());
            return None;
        }
        if what.ends_with("in shadow") != rule.shadow {
            let (is, suggestion) = if rule.shadow {
                ("in shadow", format!("write \"{name} {} in shadow\": it raises no alarm", what.replace(" again", "")))
            } else {
                ("not in shadow", format!("write \"{name} {}\"", what.trim_end_matches(" in shadow")))
            };
            text.fault(format!("`{name}` is {is}"), suggestion);
            return None;
        }
        let rule = rule.id.clone();
        return Some(match what {
            "raised" => Outcome::Raised(rule),
            "normal" => Outcome::Normal(rule),
            "raised in shadow" => Outcome::RaisedInShadow(rule),
            "normal in shadow" => Outcome::NormalInShadow(rule),
            _ => Outcome::RaisedAgain(rule),
        });
    }
    if OF_TASKS.contains(&what) {
        if !tasks().any(|task| task == name) {
            let message = format!("no rule that is looked at here asks for a task `{name}`");
            text.fault_at(name_place, message, suggest_known(name, tasks()));
            return None;
        }
        let task = SmolStr::new(name);
        return Some(match what {
            "requested" => Outcome::Requested(task),
            "cancelled" => Outcome::Cancelled(task),
            _ => Outcome::Verified(task),
        });
    }
    let place = name.len() + 1..written.len();
    let known = OF_RULES.into_iter().chain(OF_TASKS);
    text.fault_at(place, format!("nothing becomes \"{what}\""), suggest_known(what, known));
    None
}
