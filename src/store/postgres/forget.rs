//! Rows that are old enough and stand in no month of their own: removed in small steps, and only so many at a time.
//!
//! Each step is found by an index, so that none takes long however large a table has grown. A walk through a whole table
//! goes on where the last call ended. Months of observations are dropped whole, by `months`.

use super::connect::{Connection, Link};
use crate::store::StoreError;
use crate::store::retention::{Cutoff, FORGET_AT_ONCE, FORGET_STEPS_MAX, Tended};
use crate::store::tables::{Cell, Cells, Old, TABLES, Table};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// How far forgetting has come.
#[derive(Debug, Default)]
pub(super) struct Forgetting {
    /// What is being forgotten, or was last.
    cutoff: Option<Cutoff>,
    /// Tables that are done with.
    tables: usize,
    /// The last row of the present one that was looked at.
    after: Option<Cells>,
}

/// How the old rows of a table are found.
enum Way {
    /// By the index of this time, which is never later than the one that counts.
    Time(&'static str),
    /// In the order of the key. The rows that share all but the last column of it rise with time: behind one that is
    /// kept, no other of them is old.
    Walk,
}

pub(super) async fn forget(link: &Link, connection: &Connection, cutoff: &Cutoff) -> Result<Tended, StoreError> {
    let mut forgetting = link.forgetting.lock().await;
    if forgetting.cutoff != Some(*cutoff) {
        *forgetting = Forgetting { cutoff: Some(*cutoff), ..Forgetting::default() };
    }
    for _ in 0..FORGET_STEPS_MAX {
        let Some(table) = TABLES.get(forgetting.tables) else { return Ok(Tended::All) };
        let more = match old(table, cutoff) {
            None => false,
            Some((time, before)) => match way(table) {
                Way::Time(indexed) => by_time(link, connection, table, indexed, time, before).await?,
                Way::Walk => {
                    let after = forgetting.after.take();
                    forgetting.after = walk(link, connection, table, time, before, after).await?;
                    forgetting.after.is_some()
                }
            },
        };
        if !more {
            forgetting.tables += 1;
        }
    }
    Ok(if forgetting.tables < TABLES.len() { Tended::Part } else { Tended::All })
}

fn old(table: &Table, cutoff: &Cutoff) -> Option<(&'static str, i64)> {
    match table.old {
        Old::Never => None,
        Old::Observed(time) => Some((time, cutoff.observed.as_micros())),
        Old::Summarised(time) => Some((time, cutoff.summarised.as_micros())),
    }
}

fn way(table: &Table) -> Way {
    match table.name {
        "alarm" => Way::Time("raised_at"),
        "task" => Way::Time("requested_at"),
        "quarantine" => Way::Time("received_at"),
        // Few rows: those dated before every month.
        "observation" => Way::Time("observed_at"),
        _ => Way::Walk,
    }
}

/// One step; whether there may be more. `$1` is the moment.
pub(super) fn by_time_sql(table: &Table, indexed: &str, time: &str) -> String {
    let name = if table.name == "observation" { "observation_before" } else { table.name };
    format!(
        "DELETE FROM {name} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {name} WHERE {indexed} < $1 AND {time} < $1 \
         ORDER BY {indexed} LIMIT {FORGET_AT_ONCE}))"
    )
}

async fn by_time(
    link: &Link,
    connection: &Connection,
    table: &Table,
    indexed: &str,
    time: &str,
    before: i64,
) -> Result<bool, StoreError> {
    let sql = by_time_sql(table, indexed, time);
    Ok(connection.execute(&sql, &[&before]).await.map_err(|error| link.fault(&error))? > 0)
}

/// Looks at the next rows in the order of the key, removes the old ones of them, and gives key and time of the last. `$1`
/// is the moment, the others are the key to go on after.
pub(super) fn walk_sql(table: &Table, time: &str, goes_on: bool) -> String {
    let journal = if table.of_journal { "journal, " } else { "" };
    let (name, keys) = (table.name, format!("{journal}{}", table.keys()));
    let count = keys.split(',').count();
    let places: Vec<_> = (2..=count + 1).map(|place| format!("${place}")).collect();
    let after = if goes_on { format!("WHERE ({keys}) > ({})", places.join(", ")) } else { String::new() };
    let same: Vec<_> = keys.split(", ").map(|key| format!("{name}.{key} = page.{key}")).collect();
    let last: Vec<_> = keys.split(", ").map(|key| format!("{key} DESC")).collect();
    format!(
        "WITH page AS MATERIALIZED (SELECT {keys}, {time} AS counts FROM {name} {after} ORDER BY {keys} \
         LIMIT {FORGET_AT_ONCE}), gone AS (DELETE FROM {name} USING page WHERE page.counts < $1 AND {}) \
         SELECT {keys}, counts FROM page ORDER BY {} LIMIT 1",
        same.join(" AND "),
        last.join(", ")
    )
}

async fn walk(
    link: &Link,
    connection: &Connection,
    table: &Table,
    time: &str,
    before: i64,
    after: Option<Cells>,
) -> Result<Option<Cells>, StoreError> {
    let sql = walk_sql(table, time, after.is_some());
    let values: Cells = [Cell::Integer(before)].into_iter().chain(after.into_iter().flatten()).collect();
    let values: Vec<_> = values.iter().map(|cell| cell as &(dyn ToSql + Sync)).collect();
    let key = table.whole_key();
    let kinds = || key.iter().map(|(_, kind)| *kind);
    let read = |row: Row| Ok((super::cells::read(&row, kinds())?, row.try_get::<_, i64>(row.len() - 1)?));
    let found = connection.query_opt(&sql, &values).await.and_then(|row| row.map(read).transpose());
    let Some((mut last, at)) = found.map_err(|error| link.fault(&error))? else { return Ok(None) };
    if at >= before
        && let Some(n) = last.last_mut()
    {
        *n = Cell::Integer(i64::MAX);
    }
    Ok(Some(last))
}
