//! Answers as a person reads them in a terminal.

use crate::app::control::{AlarmRow, ClientRow, FaultRow, Part, Response, RuleRow, Status, TaskRow, UserRow};
use std::fmt::Write as _;

/// Between two columns.
const GAP: usize = 2;

pub(super) fn text(response: &Response) -> String {
    match response {
        Response::Status(found) => status(found),
        Response::Import { applied, text, personal, seq, .. } => import(*applied, text, *personal, *seq),
        Response::Export { text } => text.clone(),
        Response::Secret { client, role, secret, note } => {
            let note = note.as_ref().map_or(String::new(), |note| format!("note: {note}\n"));
            format!("client    {client}\nrole      {role}\npassword  {secret}\n{note}The password is shown this once.")
        }
        Response::Clients { clients } => clients_table(clients),
        Response::Users { users } => users_table(users),
        Response::Link { link } => format!("{link}\nMakes the first account, once, within a day."),
        Response::Alarms { alarms } => alarms_table(alarms),
        Response::Tasks { tasks } => tasks_table(tasks),
        Response::Rules(shown) => super::rules_shown::text(shown),
        Response::Reloaded { changed, version, needs_restart, rules, rules_version, proposed, note } => {
            let what = if *changed { "in force" } else { "unchanged" };
            let restart = if needs_restart.is_empty() {
                String::new()
            } else {
                format!("\nread at the start only, so restart for: {}", needs_restart.join(", "))
            };
            let rules: String = rules.iter().map(rule).collect();
            let proposed = if *proposed { format!("\nproposed: rules {rules_version}") } else { String::new() };
            let note = note.as_ref().map_or_else(String::new, |note| format!("\n{note}"));
            format!("configuration {version} {what}{proposed}{rules}{restart}{note}")
        }
        Response::Done { text, seq } => seq.map_or_else(|| text.clone(), |seq| format!("{text} (event {seq})")),
    }
}

fn rule(row: &RuleRow) -> String {
    let calls = |what: &str, calls: &[String]| {
        calls.iter().map(|call| format!("\n  {what} {call}")).collect::<Vec<_>>().concat()
    };
    let (kept, begun) = (calls("goes on where it was:", &row.kept), calls("begins anew:", &row.begun));
    let shadow = match row.shadow.as_deref() {
        Some("enters") => ", in shadow from here on: it raises nothing",
        Some("stays") => ", in shadow still",
        Some("leaves") => ", out of the shadow: it raises alarms from here on",
        Some(_) | None => "",
    };
    format!("\nrule {} {}{shadow}{kept}{begun}", row.rule, row.became)
}

pub(super) fn fault(fault: &FaultRow) -> String {
    let mut text = fault.file.clone();
    // Writing to a text cannot fail.
    if fault.row > 0 {
        write!(text, ", row {}", fault.row).ok();
    }
    if !fault.column.is_empty() {
        write!(text, ", column \"{}\"", fault.column).ok();
    }
    write!(text, ": {}", fault.reason).ok();
    text
}

fn import(applied: bool, diff: &str, personal: usize, seq: Option<u64>) -> String {
    let mut text = diff.to_owned();
    if personal > 0 {
        writeln!(text, "{personal} names or phone numbers for the vault").ok();
    }
    match (applied, seq) {
        (true, Some(seq)) => writeln!(text, "applied (event {seq})").ok(),
        (true, None) => writeln!(text, "nothing to apply to the registry").ok(),
        (false, _) => writeln!(text, "a dry run: nothing was changed; with --apply it is").ok(),
    };
    text
}

fn status(status: &Status) -> String {
    let addresses = |addresses: &[std::net::SocketAddr]| {
        let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        if shown.is_empty() { "-".to_owned() } else { shown.join(", ") }
    };
    let Status { assets, devices, devices_silent, crews, people, received, quarantined, duplicates, .. } = status;
    let ledger = if status.ledger_balanced { "balanced" } else { "NOT BALANCED" };
    let part = |part: &Part| {
        let state = if part.ready { "" } else { "NOT READY: " };
        (part.name.clone(), format!("{state}{}", part.detail))
    };
    let known = [
        ("program", format!("{}, process {}", status.program, status.process)),
        ("mqtt", addresses(&status.mqtt)),
        ("mqtts", addresses(&status.mqtts)),
        ("http", addresses(&status.http)),
        ("last event", format!("{} at {}", status.seq, status.at)),
        ("configuration", status.configuration.clone()),
        (
            "registry",
            format!("{assets} assets, {devices} devices ({devices_silent} silent), {crews} crews, {people} people"),
        ),
        ("open", format!("{} alarms, {} tasks", status.alarms, status.tasks_open)),
        ("since the start", format!("{received} messages, {quarantined} quarantined, {duplicates} duplicates")),
        ("waiting", format!("{} events; ledger {ledger}", status.waiting)),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    let lines = known.into_iter().chain(status.parts.iter().map(part));
    lines.map(|(name, value)| format!("{name:<16}{value}")).collect::<Vec<_>>().join("\n")
}

fn clients_table(clients: &[ClientRow]) -> String {
    let row = |row: &ClientRow| {
        let certificate = row.certificate.as_ref().map(|name| format!("certificate {name}"));
        let secret = row.has_secret.then(|| "password".to_owned());
        let ways: Vec<String> = secret.into_iter().chain(certificate).collect();
        vec![row.client.clone(), row.role.clone(), ways.join(", ")]
    };
    table(&["client", "role", "logs in with"], clients.iter().map(row).collect())
}

fn users_table(users: &[UserRow]) -> String {
    let row = |row: &UserRow| {
        let locked = row.locked_until.clone().unwrap_or_default();
        vec![row.account.clone(), row.roles.join(", "), row.made_at.clone(), locked]
    };
    table(&["account", "roles", "made", "locked until"], users.iter().map(row).collect())
}

fn alarms_table(alarms: &[AlarmRow]) -> String {
    let row = |row: &AlarmRow| {
        let state = match (row.active, row.acknowledged) {
            (true, true) => "active, acknowledged",
            (true, false) => "active",
            (false, true) => "normal, acknowledged",
            (false, false) => "normal, not acknowledged",
        };
        let exercise = if row.exercise { "exercise" } else { "" };
        vec![
            row.alarm.to_string(),
            row.priority.to_string(),
            row.rule.clone(),
            row.asset.clone(),
            state.to_owned(),
            row.raised_at.clone(),
            exercise.to_owned(),
        ]
    };
    table(&["alarm", "priority", "rule", "asset", "state", "raised", ""], alarms.iter().map(row).collect())
}

fn tasks_table(tasks: &[TaskRow]) -> String {
    let row = |row: &TaskRow| {
        vec![
            row.task.to_string(),
            row.priority.to_string(),
            row.kind.clone(),
            row.asset.clone(),
            row.stage.as_ref().map_or_else(|| row.status.clone(), |stage| format!("{}, {stage}", row.status)),
            row.crew.clone().unwrap_or_default(),
            row.requested_at.clone(),
            if row.exercise { "exercise".to_owned() } else { String::new() },
        ]
    };
    table(&["task", "priority", "kind", "asset", "status", "crew", "requested", ""], tasks.iter().map(row).collect())
}

/// Columns as wide as their widest cell; without rows, that there are none.
pub(super) fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    if rows.is_empty() {
        return "none".to_owned();
    }
    let header: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
    let lines: Vec<Vec<String>> = std::iter::once(header).chain(rows).collect();
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<0$}", width + GAP)).collect();
        writeln!(text, "{}", cells.concat().trim_end()).ok();
    }
    text
}
