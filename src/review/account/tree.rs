//! Every part of a rule with its answer, as lines for a terminal.

use super::since::Since;
use super::value::{Telling, quality};
use crate::engine::{HeldBack, Insight};
use crate::rules::{Form, Part, Truth};

/// Columns up to the answers.
const WIDTH: usize = 58;

/// The conditions part by part, the timers, the alarm and its tasks.
#[must_use]
pub fn state_lines(telling: &Telling<'_>, insight: &Insight<'_>, since: &Since) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, condition) in insight.explanation.conditions() {
        part_lines(telling, since, condition, &format!("{name:<12}"), 0, &mut lines);
    }
    if let Some((due, cause)) = insight.delay {
        let (begun, due) = (telling.moment(due - insight.rule.on_delay), telling.moment(due));
        lines.push(format!("{:<12}begun {begun}, over {due}; caused by event {}", "on_delay", cause.event));
    }
    if let Some(turn) = &insight.turn {
        let by =
            format!("{:?}", insight.explanation.evaluation.wake.and_then(|(node, _)| insight.rule.turned_by(node)));
        let by = by.trim_start_matches("Some(").trim_end_matches(')').to_lowercase();
        lines.push(format!("{:<12}{} ({by})", "may turn", telling.moment(turn.at)));
    }
    lines.extend(insight.held_back.map(|held| format!("{:<12}{}", "held back", held_back(telling, &held))));
    lines.push(format!("{:<12}{}", "alarm", alarm(telling, insight)));
    for task in &insight.tasks {
        let stage = task.stage.map_or_else(String::new, |stage| format!(", {}", stage.as_str()));
        lines.push(format!("{:<12}{} {}: {}{stage}", "task", task.id, task.kind, task.status.as_str()));
    }
    lines
}

fn part_lines(telling: &Telling<'_>, since: &Since, part: &Part, label: &str, depth: usize, lines: &mut Vec<String>) {
    if matches!(part.form, Form::Constant) {
        return;
    }
    let source = format!("{label}{:indent$}{}", "", part.source, indent = depth * 2);
    let notes = notes(telling, since, part);
    lines.push(format!("{source:<WIDTH$} {:<8} {notes}", telling.answer(part)).trim_end().to_owned());
    for inner in &part.parts {
        part_lines(telling, since, inner, &" ".repeat(12), depth + 1, lines);
    }
}

fn notes(telling: &Telling<'_>, since: &Since, part: &Part) -> String {
    let mut notes = Vec::new();
    if let Form::Property(name, Some(sample)) = &part.form {
        notes.push(format!("measured {}", telling.moment(sample.observed_at)));
        if sample.received_at != sample.observed_at {
            notes.push(format!("arrived {}", telling.moment(sample.received_at)));
        }
        notes.extend(since.quality(name).map(|found| format!("quality {}", quality(found))));
    } else if let Some((at, seen)) = since.of(part) {
        notes.push(format!("since {}{}", telling.moment(at), if seen { "" } else { " or before" }));
    }
    if let Some(at) = part.begun_at.filter(|_| part.truth() != Truth::Unknown) {
        notes.push(format!("waiting since {}", telling.moment(at)));
    }
    notes.extend(part.turns_at.map(|at| format!("may turn {}", telling.moment(at))));
    notes.join(", ")
}

/// What is known of the asset and not to the rule yet, because something may still come between.
fn held_back(telling: &Telling<'_>, held: &HeldBack) -> String {
    let Some(watermark) = held.watermark else { return "nothing was measured yet".to_owned() };
    let judged = format!("judged up to {} (values may be {} late)", telling.moment(watermark), held.lateness);
    match held.measured {
        Some((oldest, newest)) => format!(
            "{} measured {} to {}; {judged}",
            if held.values == 1 { "1 value".to_owned() } else { format!("{} values", held.values) },
            telling.moment(oldest),
            telling.moment(newest)
        ),
        None => format!("nothing; {judged}"),
    }
}

fn alarm(telling: &Telling<'_>, insight: &Insight<'_>) -> String {
    if let Some(shadow) = insight.shadow {
        let raised_at = telling.moment(shadow.raised_at);
        return format!("none, in shadow: would have been raised {raised_at}, caused by event {}", shadow.cause.event);
    }
    let Some(alarm) = insight.alarm else {
        return if insight.rule.shadow { "none, in shadow" } else { "none" }.to_owned();
    };
    let state = if alarm.active { "active" } else { "back to normal" };
    let seen = if alarm.acknowledged { "acknowledged" } else { "not acknowledged" };
    let raised_at = telling.moment(alarm.raised_at);
    let late = alarm.cause.late.map_or_else(String::new, |age| format!(", {age} late"));
    format!("{} {state}, {seen}, raised {raised_at}, caused by event {}{late}", alarm.id, alarm.cause.event)
}
