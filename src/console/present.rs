//! The present as plain lists, for scripts and for a screen without the stream. It comes from memory, never a disk.

use super::Shared;
use super::access::Reader;
use super::problem::Problem;
use super::requests::Asked;
use super::wire::{AlarmWire, TaskWire, time};
use crate::board::View;
use crate::domain::ids::{AlarmId, TaskId};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

const ROWS_DEFAULT: usize = 100;
const ROWS_MAX: usize = 1_000;

/// Rows rising by id, after the given one.
#[derive(Deserialize)]
pub(super) struct ListAsked {
    after: Option<u64>,
    rows: Option<usize>,
    /// Recently closed or ended ones as well.
    #[serde(default)]
    all: bool,
}

#[derive(Serialize)]
pub(super) struct List<T> {
    /// The state of affairs this list shows.
    seq: u64,
    at: String,
    rows: Vec<T>,
    /// Ask again with `after` set to this; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// `GET /api/v1/alarms`
pub(super) async fn alarms(
    State(console): State<Shared>,
    _: Reader,
    Asked(asked): Asked<ListAsked>,
) -> Result<Json<List<AlarmWire>>, Problem> {
    let view = console.ports.board.view();
    let from = AlarmId(asked.after.map_or(0, |after| after.saturating_add(1)));
    let rows = view.alarms.range(from..).map(|(id, row)| (id.0, row));
    let rows = rows.filter(|(_, row)| asked.all || row.closed_at.is_none()).map(|(id, row)| (id, (&**row).into()));
    Ok(list(&view, &asked, rows))
}

/// `GET /api/v1/tasks`
pub(super) async fn tasks(
    State(console): State<Shared>,
    _: Reader,
    Asked(asked): Asked<ListAsked>,
) -> Result<Json<List<TaskWire>>, Problem> {
    let view = console.ports.board.view();
    let from = TaskId(asked.after.map_or(0, |after| after.saturating_add(1)));
    let rows = view.tasks.range(from..).map(|(id, row)| (id.0, row));
    let rows = rows.filter(|(_, row)| asked.all || row.ended_at.is_none()).map(|(id, row)| (id, (&**row).into()));
    Ok(list(&view, &asked, rows))
}

fn list<T>(view: &View, asked: &ListAsked, rows: impl Iterator<Item = (u64, T)>) -> Json<List<T>> {
    let rows_max = asked.rows.unwrap_or(ROWS_DEFAULT).clamp(1, ROWS_MAX);
    let mut rows = rows.peekable();
    let mut taken = Vec::new();
    let mut last = None;
    while taken.len() < rows_max
        && let Some((id, row)) = rows.next()
    {
        last = Some(id);
        taken.push(row);
    }
    let next = last.filter(|_| rows.peek().is_some());
    Json(List { seq: view.seq.0, at: time(view.at), rows: taken, next })
}
