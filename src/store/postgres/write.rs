//! A batch of entries in one transaction with its checkpoint: COPY BINARY into temporary tables, then INSERT … SELECT.
//!
//! The rows of all journals are locked first: two programs never project the same entries at once, and two gateways in
//! one database never add to the same hour at once. What has been kept already is skipped by the checkpoint, and by
//! `ON CONFLICT` in the log of events where a checkpoint would not know: an entry that is in the log is there with all
//! its rows. Observations, the many, are therefore copied straight to their place.

use super::cells::column_type;
use super::connect::{Connection, Link};
use super::forget::Forgetting;
use super::lives::{Key, Lives};
use super::months;
use crate::domain::ids::{DeviceId, JournalId, PersonId, Seq};
use crate::domain::observation::Value;
use crate::domain::time::Timestamp;
use crate::store::StoreError;
use crate::store::retention::Month;
use crate::store::rollup::{Hour, HourKey, Hours};
use crate::store::rows::{Head, ObservationRow, Projected, QuarantinedRow, Row, number, quality};
use crate::store::tables::{
    ALARM, Cell, DEVICE, EVENT_LOG, Kind, OBSERVATION, QUARANTINE, ROLLUP_HOUR, SET_ASIDE, TABLES, TASK, Table,
};
use deadpool_postgres::Transaction;
use rustc_hash::{FxHashMap, FxHashSet};
use smol_str::SmolStr;
use std::collections::BTreeSet;
use std::pin::pin;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::ToSql;

type Written = Result<(), StoreError>;
type Rows<'a> = Vec<Vec<Cell<'a>>>;

pub(super) async fn project(link: &Link, journal: JournalId, entries: &[Projected]) -> Written {
    let mut made = link.months.lock().await;
    let mut connection = link.connection().await?;
    let wanted = entries.iter().flat_map(|entry| &entry.rows).filter_map(month).collect();
    months::make(link, &mut connection, &mut made, &wanted).await?;
    let done = keep(link, &mut connection, journal, entries).await;
    if done.is_ok() {
        connection.good();
    } else {
        // Whatever it was: the months are looked up again.
        *made = None;
    }
    done
}

fn month(row: &Row) -> Option<Month> {
    match row {
        Row::Observation(observation) => Month::of(observation.observed_at),
        Row::DevicePlaced { .. }
        | Row::DeviceRemoved { .. }
        | Row::AlarmRaised { .. }
        | Row::Alarm(..)
        | Row::TaskRequested { .. }
        | Row::Task(..)
        | Row::Quarantined(_) => None,
    }
}

async fn keep(link: &Link, connection: &mut Connection, journal: JournalId, entries: &[Projected]) -> Written {
    let fault = |error| link.fault(&error);
    let transaction = connection.transaction().await.map_err(fault)?;
    fill(link, &transaction, journal, entries).await?;
    transaction.commit().await.map_err(fault)
}

async fn fill(link: &Link, transaction: &Transaction<'_>, journal: JournalId, entries: &[Projected]) -> Written {
    let fault = |error| link.fault(&error);
    let (journal, checkpoint) = journal_number(link, transaction, journal).await?;
    let mut fresh = Vec::with_capacity(entries.len());
    let mut through = checkpoint;
    for entry in entries {
        let seq = number("seq", entry.seq.0)?;
        if seq > through {
            through = seq;
            fresh.push(entry);
        }
    }
    let fresh = log(transaction, journal, fresh).await.map_err(fault)?;
    let placed = placed(transaction, &fresh).await.map_err(fault)?;
    let mut batch = Batch {
        devices: placed.iter().map(|(device, asset)| (device.as_str(), Some(asset.as_str()))).collect(),
        lives: Lives::read(transaction, journal, &fresh).await.map_err(fault)?,
        ..Batch::default()
    };
    for entry in fresh {
        batch.take(journal, entry)?;
    }
    batch.write(transaction, link).await?;
    let sql = "UPDATE journal SET projected_through = $2 WHERE number = $1";
    execute(transaction, sql, &[&journal, &through]).await.map_err(fault)
}

/// Logs the events of these entries; gives back those that were not there already. Their rows are not there either:
/// they are kept in the same transaction as the log.
async fn log<'a>(
    transaction: &Transaction<'_>,
    journal: i64,
    mut entries: Vec<&'a Projected>,
) -> Result<Vec<&'a Projected>, tokio_postgres::Error> {
    if entries.is_empty() {
        return Ok(entries);
    }
    let event = |entry: &&'a Projected| -> [Cell<'a>; 5] {
        let (seq, at) = (entry.seq.0.cast_signed(), entry.at.as_micros());
        [journal.into(), seq.into(), at.into(), entry.kind.into(), entry.verdict.as_str().into()]
    };
    let rows: Vec<_> = entries.iter().map(event).collect();
    let insert = format!("{} ON CONFLICT DO NOTHING RETURNING seq", stage(transaction, &EVENT_LOG, &rows).await?);
    let statement = transaction.prepare_cached(&insert).await?;
    let logged = transaction.query(&statement, &[]).await?;
    if logged.len() < entries.len() {
        let logged: FxHashSet<i64> = logged.iter().map(|row| row.get(0)).collect();
        entries.retain(|entry| logged.contains(&entry.seq.0.cast_signed()));
    }
    Ok(entries)
}

/// The short number of a journal in this store, given on first sight, and how far it has been projected; all of them
/// locked until the transaction ends.
async fn journal_number(
    link: &Link,
    transaction: &Transaction<'_>,
    journal: JournalId,
) -> Result<(i64, i64), StoreError> {
    let fault = |error| link.fault(&error);
    let id = journal.to_string();
    let known = "SELECT id, number, projected_through FROM journal ORDER BY number FOR UPDATE";
    let rows = transaction.query(known, &[]).await.map_err(fault)?;
    if let Some(row) = rows.iter().find(|row| row.get::<_, &str>(0) == id) {
        return Ok((row.get(1), row.get(2)));
    }
    // Somebody else may give the same number at the same moment; then only one of the two is kept.
    let add = "INSERT INTO journal (number, id, projected_through) SELECT COALESCE(max(number), 0) + 1, $1, 0 \
               FROM journal ON CONFLICT DO NOTHING RETURNING number";
    let row = transaction.query_opt(add, &[&id]).await.map_err(fault)?;
    row.map(|row| (row.get(0), 0)).ok_or_else(|| link.away("another program began the same journal"))
}

pub(super) async fn set_aside(link: &Link, journal: JournalId, seq: Seq, at: Timestamp, reason: &str) -> Written {
    let fault = |error| link.fault(&error);
    let mut connection = link.connection().await?;
    let transaction = connection.transaction().await.map_err(fault)?;
    let (journal, checkpoint) = journal_number(link, &transaction, journal).await?;
    let seq = number("seq", seq.0)?;
    let row = vec![vec![journal.into(), seq.into(), at.as_micros().into(), reason.into()]];
    keep_or(&transaction, &SET_ASIDE, &row, "ON CONFLICT DO NOTHING").await.map_err(fault)?;
    let sql = "UPDATE journal SET projected_through = $2 WHERE number = $1";
    execute(&transaction, sql, &[&journal, &seq.max(checkpoint)]).await.map_err(fault)?;
    transaction.commit().await.map_err(fault)?;
    connection.good();
    Ok(())
}

pub(super) async fn clear(link: &Link) -> Written {
    // What comes again may be old.
    *link.forgetting.lock().await = Forgetting::default();
    let connection = link.connection().await?;
    let tables: Vec<_> = TABLES.iter().map(|table| table.name).chain(["journal"]).collect();
    let sql = format!("TRUNCATE {}", tables.join(", "));
    connection.batch_execute(&sql).await.map_err(|error| link.fault(&error))?;
    connection.good();
    Ok(())
}

/// Where the devices of these entries stand before the first of them; one that stands nowhere is left out.
async fn placed(
    transaction: &Transaction<'_>,
    entries: &[&Projected],
) -> Result<Vec<(String, String)>, tokio_postgres::Error> {
    let mut devices = FxHashSet::default();
    for row in entries.iter().flat_map(|entry| &entry.rows) {
        if let Row::Observation(observation) = row {
            devices.insert(observation.device.as_str());
        }
    }
    if devices.is_empty() {
        return Ok(Vec::new());
    }
    let devices: Vec<Cell<'_>> = devices.into_iter().map(Cell::from).collect();
    let statement = transaction.prepare_cached("SELECT device, asset FROM device WHERE device = ANY($1)").await?;
    let rows = transaction.query(&statement, &[&devices]).await?;
    let text = |row: &tokio_postgres::Row, at| super::cells::told(row.get(at));
    Ok(rows.iter().map(|row| (text(row, 0), text(row, 1))).collect())
}

/// The rows of one batch, by table.
#[derive(Default)]
struct Batch<'a> {
    /// Where each device stands, as far as it is known; none when it stands nowhere.
    devices: FxHashMap<&'a str, Option<&'a str>>,
    moved: BTreeSet<&'a str>,
    lives: Lives,
    hours: Hours,
    observations: Vec<[Cell<'a>; 16]>,
    quarantined: Rows<'a>,
}

impl<'a> Batch<'a> {
    fn take(&mut self, journal: i64, entry: &'a Projected) -> Written {
        let (seq, at) = (number("seq", entry.seq.0)?, entry.at.as_micros());
        for (n, row) in (0_i64..).zip(&entry.rows) {
            let key = Key { journal, seq, n, at };
            match row {
                Row::Observation(observation) => self.observation(key, observation),
                Row::DevicePlaced { device, asset } => {
                    self.devices.insert(device.as_str(), Some(asset.as_str()));
                    self.moved.insert(device.as_str());
                }
                Row::DeviceRemoved { device } => {
                    self.devices.insert(device.as_str(), None);
                    self.moved.insert(device.as_str());
                }
                Row::Quarantined(row) => self.quarantined.push(quarantined(key, row)?),
                Row::AlarmRaised { .. } | Row::Alarm(..) | Row::TaskRequested { .. } | Row::Task(..) => {
                    self.lives.take(key, row)?;
                }
            }
        }
        Ok(())
    }

    fn observation(&mut self, key: Key, row: &'a ObservationRow) {
        let asset = self.stands(row.device.as_str());
        self.hours.add(asset, row);
        let (mut as_number, mut as_boolean, mut as_text) = (Cell::Null, Cell::Null, Cell::Null);
        match &row.value {
            Some(Value::Number(value)) => as_number = Cell::Real(value.get()),
            Some(Value::Boolean(value)) => as_boolean = Cell::Boolean(*value),
            Some(Value::Text(value)) => as_text = value.as_str().into(),
            None => {}
        }
        self.observations.push([
            key.journal.into(),
            key.seq.into(),
            key.n.into(),
            row.device.as_str().into(),
            asset.into(),
            row.property.as_str().into(),
            row.observed_at.as_micros().into(),
            row.received_at.as_micros().into(),
            quality(row.quality).into(),
            row.unit.as_str().into(),
            as_number,
            as_boolean,
            as_text,
            row.person.as_ref().map(PersonId::as_str).into(),
            row.sealed.as_deref().into(),
            row.exercise.into(),
        ]);
    }

    async fn write(mut self, transaction: &Transaction<'_>, link: &Link) -> Written {
        let fault = |error| link.fault(&error);
        copy(transaction, OBSERVATION.name, &OBSERVATION.all_columns(), &self.observations).await.map_err(fault)?;
        keep_or(transaction, &QUARANTINE, &self.quarantined, "ON CONFLICT DO NOTHING").await.map_err(fault)?;
        let (alarms, tasks) = std::mem::take(&mut self.lives).changed();
        replace(transaction, &ALARM, &alarms).await.map_err(fault)?;
        replace(transaction, &TASK, &tasks).await.map_err(fault)?;
        let hours = std::mem::take(&mut self.hours);
        let held = held_hours(transaction, &hours).await.map_err(fault)?;
        let hours: Vec<_> = hours.onto(&held).into_iter().map(hour_row).collect();
        replace(transaction, &ROLLUP_HOUR, &hours).await.map_err(fault)?;
        let (placed, removed): (Vec<&str>, Vec<&str>) =
            self.moved.iter().partition(|device| self.stands(device).is_some());
        if !removed.is_empty() {
            let removed: Vec<Cell<'_>> = removed.into_iter().map(Cell::from).collect();
            let delete = "DELETE FROM device WHERE device = ANY($1)";
            execute(transaction, delete, &[&removed]).await.map_err(fault)?;
        }
        let placed: Vec<_> = placed.into_iter().map(|device| [device.into(), self.stands(device).into()]).collect();
        replace(transaction, &DEVICE, &placed).await.map_err(fault)
    }

    fn stands(&self, device: &str) -> Option<&'a str> {
        self.devices.get(device).copied().flatten()
    }
}

fn quarantined(key: Key, row: &QuarantinedRow) -> Result<Vec<Cell<'_>>, StoreError> {
    let (open, person, sealed) = match &row.head {
        Head::Open(bytes) => (Some(bytes.as_ref()), None, None),
        Head::Personal { person, sealed } => (None, Some(person.as_str()), sealed.as_deref()),
    };
    Ok(vec![
        key.journal.into(),
        key.seq.into(),
        key.n.into(),
        row.reason.as_str().into(),
        row.detail.as_str().into(),
        row.topic.as_str().into(),
        row.device.as_ref().map(DeviceId::as_str).into(),
        row.received_at.as_micros().into(),
        open.into(),
        number("length", row.length)?.into(),
        person.into(),
        sealed.into(),
    ])
}

fn hour_row((key, hour): (HourKey, Hour)) -> [Cell<'static>; 7] {
    let text = |text: SmolStr| Cell::Text(String::from(text).into());
    let Hour { count, min, max, sum } = hour;
    [
        text(key.asset),
        text(key.property),
        key.start_at.into(),
        count.into(),
        Cell::Real(min),
        Cell::Real(max),
        Cell::Real(sum),
    ]
}

async fn held_hours(
    transaction: &Transaction<'_>,
    hours: &Hours,
) -> Result<FxHashMap<HourKey, Hour>, tokio_postgres::Error> {
    let (mut assets, mut properties, mut starts) = (Vec::new(), Vec::new(), Vec::new());
    for key in hours.keys() {
        assets.push(Cell::from(key.asset.as_str()));
        properties.push(Cell::from(key.property.as_str()));
        starts.push(key.start_at);
    }
    if starts.is_empty() {
        return Ok(FxHashMap::default());
    }
    let sql = "SELECT asset, property, start_at, count, min, max, sum FROM rollup_hour JOIN \
               unnest($1::text[], $2::text[], $3::bigint[]) AS wanted (asset, property, start_at) \
               USING (asset, property, start_at)";
    let statement = transaction.prepare_cached(sql).await?;
    let rows = transaction.query(&statement, &[&assets, &properties, &starts]).await?;
    let hour = |row: &tokio_postgres::Row| {
        let text = |at| super::cells::told(row.get(at)).into();
        let key = HourKey { asset: text(0), property: text(1), start_at: row.get(2) };
        (key, Hour { count: row.get(3), min: row.get(4), max: row.get(5), sum: row.get(6) })
    };
    Ok(rows.iter().map(hour).collect())
}

/// Writes rows again as they are by now.
async fn replace<'a, R: AsRef<[Cell<'a>]>>(
    transaction: &Transaction<'_>,
    table: &Table,
    rows: &[R],
) -> Result<(), tokio_postgres::Error> {
    let journal = if table.of_journal { "journal, " } else { "" };
    let others = &table.columns[table.key..];
    let set: Vec<_> = others.iter().map(|(name, _)| format!("{name} = excluded.{name}")).collect();
    let replacing = format!("ON CONFLICT ({journal}{}) DO UPDATE SET {}", table.keys(), set.join(", "));
    keep_or(transaction, table, rows, &replacing).await
}

/// Inserts rows; `on_conflict` says what becomes of one that is there already.
async fn keep_or<'a, R: AsRef<[Cell<'a>]>>(
    transaction: &Transaction<'_>,
    table: &Table,
    rows: &[R],
    on_conflict: &str,
) -> Result<(), tokio_postgres::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let insert = stage(transaction, table, rows).await?;
    execute(transaction, &format!("{insert} {on_conflict}"), &[]).await
}

/// Copies rows into a temporary table of the same form; the statement that inserts them from there.
async fn stage<'a, R: AsRef<[Cell<'a>]>>(
    transaction: &Transaction<'_>,
    table: &Table,
    rows: &[R],
) -> Result<String, tokio_postgres::Error> {
    let (name, columns) = (table.name, table.all_columns());
    let staged = format!("staged_{name}");
    let names = names(&columns);
    transaction
        .batch_execute(&format!(
            "CREATE TEMPORARY TABLE IF NOT EXISTS {staged} ON COMMIT DELETE ROWS \
             AS SELECT {names} FROM {name} WITH NO DATA"
        ))
        .await?;
    copy(transaction, &staged, &columns, rows).await?;
    Ok(format!("INSERT INTO {name} ({names}) SELECT {names} FROM {staged}"))
}

/// COPY BINARY.
async fn copy<'a, R: AsRef<[Cell<'a>]>>(
    transaction: &Transaction<'_>,
    into: &str,
    columns: &[(&str, Kind)],
    rows: &[R],
) -> Result<(), tokio_postgres::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let names = names(columns);
    let statement = transaction.prepare_cached(&format!("COPY {into} ({names}) FROM STDIN BINARY")).await?;
    let types: Vec<_> = columns.iter().map(|(_, kind)| column_type(*kind)).collect();
    let mut writer = pin!(BinaryCopyInWriter::new(transaction.copy_in(&statement).await?, &types));
    for row in rows {
        writer.as_mut().write_raw(row.as_ref().iter().map(|cell| cell as &(dyn ToSql + Sync))).await?;
    }
    writer.finish().await?;
    Ok(())
}

async fn execute(
    transaction: &Transaction<'_>,
    sql: &str,
    values: &[&(dyn ToSql + Sync)],
) -> Result<(), tokio_postgres::Error> {
    let statement = transaction.prepare_cached(sql).await?;
    transaction.execute(&statement, values).await?;
    Ok(())
}

fn names(columns: &[(&str, Kind)]) -> String {
    columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}
