//! One partition for each month of observations: made before it is needed, dropped when it is old.
//!
//! A month is made as a table of its own and attached, and detached `CONCURRENTLY` before it is dropped: neither stops
//! anybody who reads or writes other months. A month that somebody has in use is left for the next time, and the others
//! go; a detachment or a removal that broke off is finished by then. What has no month of its own is forgotten by
//! `forget`.

use super::connect::{Connection, Link};
use super::forget::forget;
use crate::domain::time::Timestamp;
use crate::store::StoreError;
use crate::store::retention::{Cutoff, Month, Tended};
use std::collections::BTreeSet;
use std::time::Duration;

/// Made ahead of the present one.
const AHEAD: usize = 3;
/// To wait for whoever is in the way of an old month; history waits with it.
const PATIENCE: Duration = Duration::from_millis(200);

/// Sees to it that these months have their partitions.
pub(super) async fn make(
    link: &Link,
    connection: &mut Connection,
    made: &mut Option<BTreeSet<Month>>,
    wanted: &BTreeSet<Month>,
) -> Result<(), StoreError> {
    if made.is_none() {
        let attached = attached(link, connection).await?.into_iter();
        *made = Some(attached.filter_map(|(month, leaving)| (!leaving).then_some(month)).collect());
    }
    let made = made.get_or_insert_default();
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
    let there = "SELECT relispartition, COALESCE(inhdetachpending, FALSE) FROM pg_class \
                 LEFT JOIN pg_inherits ON inhrelid = pg_class.oid WHERE pg_class.oid = to_regclass($1::text)";
    let there = connection.query_opt(there, &[&table]).await?.map(|row| (row.get::<_, bool>(0), row.get::<_, bool>(1)));
    let leaving = match there {
        Some((true, false)) => return Ok(()),
        // A row has come late for a month that was on its way out.
        Some((true, true)) => {
            connection.batch_execute(&detachment(&table, "FINALIZE")).await?;
            true
        }
        Some((false, _)) => true,
        None => false,
    };
    let transaction = connection.transaction().await?;
    if leaving {
        transaction.batch_execute(&format!("DROP TABLE IF EXISTS {table}")).await?;
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

pub(super) async fn tend(link: &Link, now: Timestamp, cutoff: &Cutoff) -> Result<Tended, StoreError> {
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
    let dropped = drop_old(link, &connection, cutoff).await;
    *made = None;
    // Whoever holds on to a month keeps that month, and nothing else.
    let forgotten = forget(link, &connection, cutoff).await?;
    if forgotten == Tended::All {
        dropped?;
    }
    connection.good();
    Ok(forgotten)
}

/// Removes the old months that nobody holds on to. The others are left for the next time: history waits for this.
async fn drop_old(link: &Link, connection: &Connection, cutoff: &Cutoff) -> Result<(), StoreError> {
    let fault = |error| link.fault(&error);
    connection.batch_execute(&lock_timeout(PATIENCE)).await.map_err(fault)?;
    let old = |month: Month| month.next().start() <= cutoff.observed;
    let mut stuck = Ok(());
    let mut months = attached(link, connection).await?;
    // As long as one is on its way out, no other may begin.
    months.sort_by_key(|(_, leaving)| !leaving);
    for (month, leaving) in months {
        if !leaving && (!old(month) || held(connection, month, &mut stuck, link).await) {
            continue;
        }
        let how = if leaving { "FINALIZE" } else { "CONCURRENTLY" };
        if let Err(error) = connection.batch_execute(&detachment(&month.table(), how)).await {
            stuck = Err(link.fault(&error));
            break;
        }
    }
    // Detached just now, or earlier by a step that ended there.
    for month in detached(link, connection).await? {
        if old(month) {
            let sql = at_once(month, &format!("DROP TABLE {}", month.table()));
            stuck = connection.batch_execute(&sql).await.map_err(fault).and(stuck);
        }
    }
    connection.batch_execute(&lock_timeout(link.lock_timeout)).await.map_err(fault)?;
    stuck
}

/// Both together in one transaction, or nothing where somebody else has this month in use.
fn at_once(month: Month, then: &str) -> String {
    format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE NOWAIT; {then}", month.table())
}

fn lock_timeout(duration: Duration) -> String {
    format!("SET lock_timeout = {}", duration.as_millis())
}

/// Whether somebody has this month in use at this moment; then it is not even begun with.
async fn held(connection: &Connection, month: Month, stuck: &mut Result<(), StoreError>, link: &Link) -> bool {
    let Err(error) = connection.batch_execute(&at_once(month, "SELECT")).await else { return false };
    *stuck = Err(link.fault(&error));
    true
}

/// The months whose tables hang on nothing any more.
async fn detached(link: &Link, connection: &Connection) -> Result<Vec<Month>, StoreError> {
    let sql = "SELECT relname FROM pg_class WHERE relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = \
               'observation'::regclass) AND relkind = 'r' AND NOT relispartition AND relname LIKE 'observation\\_%'";
    let rows = connection.query(sql, &[]).await.map_err(|error| link.fault(&error))?;
    Ok(rows.iter().filter_map(|row| Month::of_table(row.get(0))).collect())
}

fn detachment(table: &str, how: &str) -> String {
    format!("ALTER TABLE observation DETACH PARTITION {table} {how}")
}
