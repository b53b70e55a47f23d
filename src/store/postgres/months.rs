//! One partition for each month of observations: made before it is needed, dropped when it is old.
//!
//! A month is made as a table of its own and attached, and detached `CONCURRENTLY` before it is dropped: neither stops
//! anybody who reads or writes other months. What waits too long for a lock is left for the next time; a detachment
//! that broke off is finished first.

use super::connect::{Connection, Link};
use crate::domain::time::Timestamp;
use crate::store::StoreError;
use crate::store::retention::{Cutoff, Month};
use crate::store::tables::{Old, TABLES, Table};
use std::collections::BTreeSet;

/// Made ahead of the present one.
const AHEAD: usize = 3;
/// Rows that one statement removes where there is no partition to drop.
const FORGET_AT_ONCE: i64 = 10_000;
/// A step that needs a lock is tried this often before it is left for the next time.
const TRIES: u32 = 3;

/// Sees to it that these months have their partitions.
pub(super) async fn make(
    link: &Link,
    connection: &mut Connection,
    made: &mut Option<BTreeSet<Month>>,
    wanted: &BTreeSet<Month>,
) -> Result<(), StoreError> {
    let made = match made {
        Some(made) => made,
        None => made.insert(attached(link, connection).await?.into_iter().map(|(month, _)| month).collect()),
    };
    for month in wanted {
        if !made.contains(month) {
            make_one(connection, *month).await.map_err(|error| link.fault(&error))?;
            made.insert(*month);
        }
    }
    Ok(())
}

async fn make_one(connection: &mut Connection, month: Month) -> Result<(), tokio_postgres::Error> {
    let (table, from, until) = (month.table(), month.start().as_micros(), month.next().start().as_micros());
    let transaction = connection.transaction().await?;
    let there = "SELECT relispartition FROM pg_class WHERE oid = to_regclass($1::text)";
    match transaction.query_opt(there, &[&table]).await?.map(|row| row.get::<_, bool>(0)) {
        Some(true) => return transaction.commit().await,
        // Detached, and not yet dropped: it was on its way out.
        Some(false) => transaction.batch_execute(&format!("DROP TABLE {table}")).await?,
        None => {}
    }
    // The same bounds as a check let PostgreSQL attach it without reading it.
    let sql = format!(
        "CREATE TABLE {table} (LIKE observation INCLUDING DEFAULTS INCLUDING CONSTRAINTS, \
         CONSTRAINT within CHECK (observed_at >= {from} AND observed_at < {until})); \
         ALTER TABLE observation ATTACH PARTITION {table} FOR VALUES FROM ({from}) TO ({until}); \
         ALTER TABLE {table} DROP CONSTRAINT within;"
    );
    transaction.batch_execute(&sql).await?;
    transaction.commit().await
}

/// The months that have a partition, rising, and whether each is on its way out.
pub(super) async fn attached(link: &Link, connection: &Connection) -> Result<Vec<(Month, bool)>, StoreError> {
    let sql = "SELECT child.relname, link.inhdetachpending FROM pg_inherits link JOIN pg_class child \
               ON child.oid = link.inhrelid WHERE link.inhparent = 'observation'::regclass ORDER BY child.relname";
    let rows = connection.query(sql, &[]).await.map_err(|error| link.fault(&error))?;
    let month = |row: &tokio_postgres::Row| Some((Month::of_table(row.get(0))?, row.get(1)));
    Ok(rows.iter().filter_map(month).collect())
}

pub(super) async fn tend(link: &Link, now: Timestamp, cutoff: &Cutoff) -> Result<(), StoreError> {
    let mut made = link.months.lock().await;
    let mut connection = link.connection().await?;
    let mut ahead = BTreeSet::new();
    let mut month = Month::of(now);
    while let Some(wanted) = month.filter(|_| ahead.len() <= AHEAD) {
        ahead.insert(wanted);
        month = Month::of(wanted.next().start());
    }
    *made = None;
    make(link, &mut connection, &mut made, &ahead).await?;
    for (month, leaving) in attached(link, &connection).await? {
        if leaving || month.next().start() <= cutoff.observed {
            drop_month(link, &connection, month, leaving).await?;
            made.as_mut().map(|made| made.remove(&month));
        }
    }
    for table in TABLES {
        forget(link, &connection, table, cutoff).await?;
    }
    connection.good();
    Ok(())
}

async fn drop_month(link: &Link, connection: &Connection, month: Month, leaving: bool) -> Result<(), StoreError> {
    let table = month.table();
    let detach = |how| format!("ALTER TABLE observation DETACH PARTITION {table} {how}");
    let mut how = if leaving { "FINALIZE" } else { "CONCURRENTLY" };
    for tried in 1.. {
        match connection.batch_execute(&detach(how)).await {
            Ok(()) => break,
            Err(error) if tried == TRIES => return Err(link.fault(&error)),
            // It broke off after its first half, or somebody held a lock for too long.
            Err(_) => {
                let leaving = attached(link, connection).await?.contains(&(month, true));
                how = if leaving { "FINALIZE" } else { "CONCURRENTLY" };
            }
        }
    }
    connection.batch_execute(&format!("DROP TABLE {table}")).await.map_err(|error| link.fault(&error))
}

/// Rows that are old enough and stand in no month of their own, in small steps.
async fn forget(link: &Link, connection: &Connection, table: &Table, cutoff: &Cutoff) -> Result<(), StoreError> {
    let (time, before) = match table.old {
        Old::Never => return Ok(()),
        Old::Observed(time) => (time, cutoff.observed),
        Old::Summarised(time) => (time, cutoff.summarised),
    };
    let name = if table.name == "observation" { "observation_before" } else { table.name };
    let sql = format!(
        "DELETE FROM {name} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {name} WHERE {time} < $1 LIMIT {FORGET_AT_ONCE}))"
    );
    let before = before.as_micros();
    while connection.execute(&sql, &[&before]).await.map_err(|error| link.fault(&error))? > 0 {}
    Ok(())
}
