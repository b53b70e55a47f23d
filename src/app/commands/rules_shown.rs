//! `rettidig rules` as a person reads it in a terminal.

use super::render::table;
use crate::app::control::{ProposalRow, RulesInForce, RulesShown};
use crate::app::mandate::SHORT;
use std::fmt::Write as _;

pub(super) fn text(shown: &RulesShown) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a text cannot fail.
        writeln!(text, "{name:<16}{value}").ok();
    };
    match &shown.in_force {
        Some(known) => line("in force", &stands(known)),
        None => line("in force", "none yet: the first configuration comes with a start"),
    }
    if let Some(former) = &shown.former {
        line("before", &stands(former));
    }
    if let Some(proposal) = &shown.proposal {
        line("waits", &waits(proposal));
    }
    if let Some(known) = &shown.rejection {
        let (version, event) = (short(&known.version), known.event);
        line("rejected", &format!("{version} by {}, {}: {} (event {event})", known.by, known.at, known.reason));
    }
    match &shown.files {
        Some(files) => line("files", short(files)),
        None => line("files", "cannot be read; `rettidig check` says why"),
    }
    line("approval", &shown.approval);
    if let Some(note) = &shown.note {
        line("note", note);
    }
    let row = |rule: &crate::app::control::RuleInForce| {
        let stands = if rule.shadow { "in shadow" } else { "live" };
        vec![
            rule.rule.clone(),
            rule.version.clone(),
            rule.priority.to_string(),
            stands.to_owned(),
            rule.applies_to.clone(),
            rule.file.clone(),
        ]
    };
    text.push('\n');
    text + &table(&["rule", "version", "priority", "", "applies to", "file"], shown.rules.iter().map(row).collect())
}

fn stands(known: &RulesInForce) -> String {
    let since = match (&known.since, known.event) {
        (Some(since), Some(event)) => format!("since {since} (event {event})"),
        (Some(_) | None, _) => "since before it was kept".to_owned(),
    };
    let by = known.by.as_ref().map_or_else(|| "by a start".to_owned(), |by| format!("by {by}"));
    let approved = known.approved_by.as_ref().map_or_else(String::new, |by| format!(", approved by {by}"));
    let instead = known.in_place_of.as_ref().map_or_else(String::new, |version| {
        let version = short(version);
        format!(", in place of {version}, which was rolled back")
    });
    format!("{} {since}, {by}{approved}{instead}", short(&known.version))
}

fn waits(proposal: &ProposalRow) -> String {
    let changes: Vec<String> = proposal.changes.iter().map(|(rule, became)| format!("{rule} {became}")).collect();
    let further = if proposal.further > 0 { format!(" and {} more", proposal.further) } else { String::new() };
    let changes = if changes.is_empty() { "no rule decides otherwise".to_owned() } else { changes.join(", ") };
    let version = short(&proposal.version);
    format!("{version} proposed by {}, {} (event {}): {changes}{further}", proposal.by, proposal.at, proposal.event)
}

fn short(version: &str) -> &str {
    version.get(..SHORT).unwrap_or(version)
}
