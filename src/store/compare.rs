//! Two stores row by row: the live one and one rebuilt from the journal.
//!
//! Both are read in the order of their keys, so any number of rows takes little memory. What is not a difference: rows
//! that retention may have removed, rows of what the journal no longer holds, and what was sealed for a person whose
//! key has been erased since; the last is counted.

use super::retention::Cutoff;
use super::tables::{Cell, Cells, Old, TABLES, Table};
use super::{Store, StoreError};
use crate::domain::ids::{JournalId, PersonId, Seq};
use std::cmp::Ordering;
use std::collections::VecDeque;

const ROWS_AT_ONCE: usize = 1_000;
/// Differences of one table that are told; all are counted.
const SHOWN_MAX: usize = 20;

/// Opens what was sealed for a person; none when the key is gone.
pub type Open<'a> = dyn Fn(&PersonId, &[u8]) -> Option<Vec<u8>> + 'a;

/// What can be compared.
pub struct Scope<'a> {
    pub journal: JournalId,
    /// The first entry the journal still holds.
    pub first: Seq,
    pub cutoff: Cutoff,
    /// The live store also holds another journal, whose devices and roll-ups this one does not know.
    pub other_journals: bool,
    pub open: &'a Open<'a>,
}

/// What became of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    pub table: &'static str,
    /// Left out because entries that would explain it are not in the journal.
    pub compared: bool,
    pub live: u64,
    pub rebuilt: u64,
    pub differences: u64,
    /// Rows about people whose keys have been erased since they were kept.
    pub erased: u64,
    pub shown: Vec<Difference>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The row's key.
    pub row: String,
    /// `only live`, `only rebuilt` or the columns that differ; never a value.
    pub what: String,
}

/// # Errors
/// When a store cannot be read.
pub fn compare(live: &dyn Store, rebuilt: &dyn Store, scope: &Scope<'_>) -> Result<Vec<Compared>, StoreError> {
    TABLES.into_iter().map(|table| compare_table(table, live, rebuilt, scope)).collect()
}

fn compare_table(
    table: &'static Table,
    live: &dyn Store,
    rebuilt: &dyn Store,
    scope: &Scope<'_>,
) -> Result<Compared, StoreError> {
    let partial = scope.first > Seq(1) || scope.other_journals;
    let compared = table.of_journal || !partial;
    let mut found =
        Compared { table: table.name, compared, live: 0, rebuilt: 0, differences: 0, erased: 0, shown: Vec::new() };
    if !compared {
        return Ok(found);
    }
    let (mut live, mut rebuilt) = (Side::new(live, table, scope), Side::new(rebuilt, table, scope));
    loop {
        let order = match (live.peek()?, rebuilt.peek()?) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => key_order(table, one, other),
        };
        let one = if order == Ordering::Greater { None } else { live.take() };
        let other = if order == Ordering::Less { None } else { rebuilt.take() };
        found.live += u64::from(one.is_some());
        found.rebuilt += u64::from(other.is_some());
        found.note(table, one, other, scope);
    }
    Ok(found)
}

impl Compared {
    fn note(&mut self, table: &Table, live: Option<Cells>, rebuilt: Option<Cells>, scope: &Scope<'_>) {
        let (row, what) = match (live, rebuilt) {
            (Some(live), Some(rebuilt)) => match columns_apart(table, &live, &rebuilt, scope) {
                Apart::Same => return,
                Apart::Erased => {
                    self.erased += 1;
                    return;
                }
                Apart::Columns(columns) => (live, columns.join(", ")),
            },
            (Some(live), None) if about_a_person(table, &live) => {
                self.erased += 1;
                return;
            }
            (Some(live), None) => (live, "only live".to_owned()),
            (None, Some(rebuilt)) => (rebuilt, "only rebuilt".to_owned()),
            (None, None) => return,
        };
        self.differences += 1;
        if self.shown.len() < SHOWN_MAX {
            self.shown.push(Difference { row: key_text(table, &row), what });
        }
    }
}

enum Apart {
    Same,
    Erased,
    Columns(Vec<&'static str>),
}

fn columns_apart(table: &Table, live: &Cells, rebuilt: &Cells, scope: &Scope<'_>) -> Apart {
    let kind = table.column("kind").filter(|_| table.name == "event_log");
    if about_a_person(table, live) && !about_a_person(table, rebuilt)
        || kind.is_some_and(|kind| rebuilt[kind] == Cell::from("erased") && live[kind] != rebuilt[kind])
    {
        return Apart::Erased;
    }
    let mut columns = Vec::new();
    for (at, (name, _)) in table.columns.iter().enumerate() {
        let (one, other) = (&live[at], &rebuilt[at]);
        if one == other || unknown_to_the_rest(name, other, scope) {
            continue;
        }
        match (*name, one, other) {
            ("sealed", Cell::Bytes(_), Cell::Null) => return Apart::Erased,
            ("sealed", Cell::Bytes(one), Cell::Bytes(other)) => {
                let open = |sealed: &[u8]| (scope.open)(&person(table, live)?, sealed);
                match (open(one), open(other)) {
                    (Some(one), Some(other)) if one == other => {}
                    (Some(_), Some(_)) => columns.push(*name),
                    (None, _) | (_, None) => return Apart::Erased,
                }
            }
            (_, _, _) => columns.push(*name),
        }
    }
    if columns.is_empty() { Apart::Same } else { Apart::Columns(columns) }
}

/// What an entry before the first one said about a device or an alarm is not known to a rebuild.
fn unknown_to_the_rest(column: &str, rebuilt: &Cell<'_>, scope: &Scope<'_>) -> bool {
    let missing = matches!(column, "asset" | "priority") && *rebuilt == Cell::Null
        || column == "exercise" && *rebuilt == Cell::Boolean(false);
    missing && (scope.first > Seq(1) || scope.other_journals)
}

fn person(table: &Table, row: &Cells) -> Option<PersonId> {
    match &row[table.column("person")?] {
        Cell::Text(person) => Some(PersonId::new(person)),
        Cell::Null | Cell::Integer(_) | Cell::Real(_) | Cell::Boolean(_) | Cell::Bytes(_) => None,
    }
}

fn about_a_person(table: &Table, row: &Cells) -> bool {
    person(table, row).is_some()
}

fn key_order(table: &Table, one: &Cells, other: &Cells) -> Ordering {
    let cell = |(one, other): (&Cell<'_>, &Cell<'_>)| match (one, other) {
        (Cell::Integer(one), Cell::Integer(other)) => one.cmp(other),
        (Cell::Text(one), Cell::Text(other)) => one.cmp(other),
        // Keys are numbers and texts only, of one kind in one column.
        (_, _) => Ordering::Equal,
    };
    let keys = one[..table.key].iter().zip(&other[..table.key]);
    keys.map(cell).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn key_text(table: &Table, row: &Cells) -> String {
    let cell = |((name, _), cell): (&(&str, _), &Cell<'_>)| match cell {
        Cell::Integer(number) => format!("{name} {number}"),
        Cell::Text(text) => format!("{name} {text}"),
        Cell::Null | Cell::Real(_) | Cell::Boolean(_) | Cell::Bytes(_) => (*name).to_owned(),
    };
    table.columns[..table.key].iter().zip(row).map(cell).collect::<Vec<_>>().join(", ")
}

/// One store's rows of one table, a page at a time.
struct Side<'a> {
    store: &'a dyn Store,
    table: &'static Table,
    journal: JournalId,
    old: Option<(usize, i64)>,
    after: Option<Cells>,
    waiting: VecDeque<Cells>,
    ended: bool,
}

impl<'a> Side<'a> {
    fn new(store: &'a dyn Store, table: &'static Table, scope: &Scope<'_>) -> Self {
        let old = match table.old {
            Old::Never => None,
            Old::Observed(time) => table.column(time).zip(Some(scope.cutoff.observed)),
            Old::Summarised(time) => table.column(time).zip(Some(scope.cutoff.summarised)),
        };
        let before_first = i64::try_from(scope.first.0).unwrap_or(i64::MAX).saturating_sub(1);
        let after = [Cell::Integer(before_first), Cell::Integer(i64::MAX)];
        Self {
            store,
            table,
            journal: scope.journal,
            old: old.map(|(column, before)| (column, before.as_micros())),
            after: table.of_journal.then(|| after[..table.key].to_vec()),
            waiting: VecDeque::new(),
            ended: false,
        }
    }

    fn peek(&mut self) -> Result<Option<&Cells>, StoreError> {
        while self.waiting.is_empty() && !self.ended {
            let page = self.store.rows(self.table, self.journal, self.after.as_deref(), ROWS_AT_ONCE)?;
            self.ended = page.len() < ROWS_AT_ONCE;
            if let Some(last) = page.last() {
                self.after = Some(last[..self.table.key].to_vec());
            }
            let old = self.old;
            let kept = |row: &Cells| {
                old.is_none_or(|(column, before)| row[column].integer().is_none_or(|time| time >= before))
            };
            self.waiting.extend(page.into_iter().filter(kept));
        }
        Ok(self.waiting.front())
    }

    fn take(&mut self) -> Option<Cells> {
        self.waiting.pop_front()
    }
}
