//! Rows into tables, inside one transaction with the checkpoint.
//!
//! Inserts ignore a row that is already there, and changes set the same moments again: projecting twice is harmless
//! even where the checkpoint would not already skip it. Statements are cached by their text.

use crate::domain::ids::{AlarmId, DeviceId, JournalId, PersonId, Seq, TaskId};
use crate::domain::observation::Value;
use crate::domain::task::TaskStage;
use crate::domain::time::Timestamp;
use crate::store::StoreError;
use crate::store::rollup::{Hour, Hours};
use crate::store::rows::{AlarmChange, Head, ObservationRow, Projected, QuarantinedRow, Row, TaskChange};
use crate::store::rows::{number, quality};
use crate::store::tables::{Cells, TABLES, Table};
use rusqlite::types::ToSql;
use rusqlite::{CachedStatement, OptionalExtension, Transaction, params, params_from_iter};
use rustc_hash::FxHashMap;

type Written = Result<(), StoreError>;

/// The identity of a row.
#[derive(Clone, Copy)]
struct Key {
    journal: i64,
    seq: i64,
    n: i64,
    at: i64,
}

pub(super) fn project(transaction: &Transaction<'_>, journal: JournalId, entries: &[Projected]) -> Written {
    let (journal, checkpoint) = journal_number(transaction, journal)?;
    let mut through = checkpoint;
    let mut batch = Batch::new(transaction)?;
    for entry in entries {
        let seq = number("seq", entry.seq.0)?;
        if seq <= through {
            continue;
        }
        let at = entry.at.as_micros();
        batch.log_event.execute(params![journal, seq, at, entry.kind, entry.verdict.as_str()])?;
        for (n, row) in (0_i64..).zip(&entry.rows) {
            keep(transaction, Key { journal, seq, n, at }, row, &mut batch)?;
        }
        through = seq;
    }
    roll_up(transaction, batch.hours)?;
    move_checkpoint(transaction, journal, through)
}

/// What the rows of one batch share: the statements that nearly every entry needs, where devices stand, and the sums.
struct Batch<'t> {
    log_event: CachedStatement<'t>,
    keep_observation: CachedStatement<'t>,
    asset_of: CachedStatement<'t>,
    assets: FxHashMap<DeviceId, Option<Box<str>>>,
    hours: Hours,
}

impl<'t> Batch<'t> {
    fn new(transaction: &'t Transaction<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            log_event: transaction.prepare_cached(
                "INSERT INTO event_log (journal, seq, at, kind, verdict) VALUES (?1, ?2, ?3, ?4, ?5) \
                 ON CONFLICT DO NOTHING",
            )?,
            keep_observation: transaction.prepare_cached(
                "INSERT INTO observation (journal, seq, n, device, asset, property, observed_at, received_at, quality, \
                 unit, value_number, value_boolean, value_text, person, sealed, exercise) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) ON CONFLICT DO NOTHING",
            )?,
            asset_of: transaction.prepare_cached("SELECT asset FROM device WHERE device = ?1")?,
            assets: FxHashMap::default(),
            hours: Hours::default(),
        })
    }
}

pub(super) fn set_aside(
    transaction: &Transaction<'_>,
    journal: JournalId,
    seq: Seq,
    at: Timestamp,
    reason: &str,
) -> Written {
    let (journal, checkpoint) = journal_number(transaction, journal)?;
    let seq = number("seq", seq.0)?;
    run(
        transaction,
        "INSERT INTO set_aside (journal, seq, at, reason) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        params![journal, seq, at.as_micros(), reason],
    )?;
    move_checkpoint(transaction, journal, seq.max(checkpoint))
}

pub(super) fn clear(transaction: &Transaction<'_>) -> Written {
    for table in TABLES.iter().map(|table| table.name).chain(["journal"]) {
        transaction.execute(&format!("DELETE FROM {table}"), [])?;
    }
    Ok(())
}

pub(super) fn forget(transaction: &Transaction<'_>, table: &Table, keys: &[Cells]) -> Written {
    let same: Vec<_> = table.whole_key().iter().map(|(column, _)| format!("{column} = ?")).collect();
    let sql = format!("DELETE FROM {} WHERE {}", table.name, same.join(" AND "));
    let mut delete = transaction.prepare_cached(&sql)?;
    for key in keys {
        delete.execute(params_from_iter(key))?;
    }
    Ok(())
}

fn roll_up(transaction: &Transaction<'_>, hours: Hours) -> Written {
    let mut held = FxHashMap::default();
    let mut read = transaction.prepare_cached(
        "SELECT count, min, max, sum FROM rollup_hour WHERE asset = ?1 AND property = ?2 AND start_at = ?3",
    )?;
    for key in hours.keys() {
        let hour = read
            .query_row(params![key.asset.as_str(), key.property.as_str(), key.start_at], |row| {
                Ok(Hour { count: row.get(0)?, min: row.get(1)?, max: row.get(2)?, sum: row.get(3)? })
            })
            .optional()?;
        held.extend(hour.map(|hour| (key.clone(), hour)));
    }
    for (key, Hour { count, min, max, sum }) in hours.onto(&held) {
        run(
            transaction,
            "INSERT INTO rollup_hour (asset, property, start_at, count, min, max, sum) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (asset, property, start_at) \
             DO UPDATE SET count = excluded.count, min = excluded.min, max = excluded.max, sum = excluded.sum",
            params![key.asset.as_str(), key.property.as_str(), key.start_at, count, min, max, sum],
        )?;
    }
    Ok(())
}

/// The short number of a journal in this store, given on first sight, and how far it has been projected.
fn journal_number(transaction: &Transaction<'_>, journal: JournalId) -> Result<(i64, i64), StoreError> {
    let id = journal.to_string();
    let known = transaction
        .prepare_cached("SELECT number, projected_through FROM journal WHERE id = ?1")?
        .query_row([&id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some(known) = known {
        return Ok(known);
    }
    let next = transaction
        .prepare_cached("SELECT COALESCE(MAX(number), 0) + 1 FROM journal")?
        .query_row([], |row| row.get(0))?;
    run(transaction, "INSERT INTO journal (number, id, projected_through) VALUES (?1, ?2, 0)", params![next, id])?;
    Ok((next, 0))
}

fn move_checkpoint(transaction: &Transaction<'_>, journal: i64, through: i64) -> Written {
    run(transaction, "UPDATE journal SET projected_through = ?2 WHERE number = ?1", params![journal, through])
}

fn keep(transaction: &Transaction<'_>, key: Key, row: &Row, batch: &mut Batch<'_>) -> Written {
    if let Row::DevicePlaced { device, .. } | Row::DeviceRemoved { device } = row {
        batch.assets.remove(device);
    }
    match row {
        Row::Observation(observation) => keep_observation(key, observation, batch),
        Row::DevicePlaced { device, asset } => run(
            transaction,
            "INSERT INTO device (device, asset) VALUES (?1, ?2) \
             ON CONFLICT (device) DO UPDATE SET asset = excluded.asset",
            params![device.as_str(), asset.as_str()],
        ),
        Row::DeviceRemoved { device } => {
            run(transaction, "DELETE FROM device WHERE device = ?1", params![device.as_str()])
        }
        Row::AlarmRaised { alarm, rule, asset, priority, cause } => run(
            transaction,
            "INSERT INTO alarm (journal, seq, n, alarm, rule, asset, priority, device, observed_at, caused_by, \
             exercise, raised_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO NOTHING",
            params![
                key.journal,
                key.seq,
                key.n,
                number("alarm", alarm.0)?,
                rule.as_str(),
                asset.as_str(),
                priority,
                cause.device.as_ref().map(DeviceId::as_str),
                cause.observed_at.as_micros(),
                number("seq", cause.event.0)?,
                cause.exercise,
                key.at
            ],
        ),
        Row::Alarm(alarm, change) => change_alarm(transaction, key, *alarm, change),
        Row::TaskRequested { task, alarm, kind, skill } => run(
            transaction,
            &format!(
                "INSERT INTO task (journal, seq, n, task, alarm, kind, skill, requested_at, status, offers, rejections, \
                 asset, priority, exercise) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'requested', 0, 0, \
                 MAX(asset), MAX(priority), COALESCE(MAX(exercise), FALSE) FROM alarm WHERE alarm = ?5 AND journal = \
                 {} ON CONFLICT DO NOTHING",
                journal_of("alarm", key.journal, 5)
            ),
            params![
                key.journal,
                key.seq,
                key.n,
                number("task", task.0)?,
                number("alarm", alarm.0)?,
                kind.as_str(),
                skill.as_str(),
                key.at
            ],
        ),
        Row::Task(task, change) => change_task(transaction, key, *task, change),
        Row::Quarantined(row) => keep_quarantined(transaction, key, row),
    }
}

fn keep_quarantined(transaction: &Transaction<'_>, key: Key, row: &QuarantinedRow) -> Written {
    let (open, person, sealed) = match &row.head {
        Head::Open(bytes) => (Some(bytes.as_ref()), None, None),
        Head::Personal { person, sealed } => (None, Some(person.as_str()), sealed.as_deref()),
    };
    run(
        transaction,
        "INSERT INTO quarantine (journal, seq, n, reason, detail, topic, device, received_at, head, length, \
         person, sealed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO NOTHING",
        params![
            key.journal,
            key.seq,
            key.n,
            row.reason.as_str(),
            row.detail.as_str(),
            row.topic.as_str(),
            row.device.as_ref().map(DeviceId::as_str),
            row.received_at.as_micros(),
            open,
            number("length", row.length)?,
            person,
            sealed
        ],
    )
}

fn keep_observation(key: Key, row: &ObservationRow, batch: &mut Batch<'_>) -> Written {
    if !batch.assets.contains_key(&row.device) {
        let asset = batch.asset_of.query_row([row.device.as_str()], |row| row.get(0)).optional()?;
        batch.assets.insert(row.device.clone(), asset);
    }
    let asset = batch.assets.get(&row.device).and_then(Option::as_deref);
    batch.hours.add(asset, row);
    let (mut as_number, mut as_boolean, mut as_text) = (None, None, None);
    match &row.value {
        Some(Value::Number(value)) => as_number = Some(value.get()),
        Some(Value::Boolean(value)) => as_boolean = Some(*value),
        Some(Value::Text(value)) => as_text = Some(value.as_str()),
        None => {}
    }
    batch.keep_observation.execute(params![
        key.journal,
        key.seq,
        key.n,
        row.device.as_str(),
        asset,
        row.property.as_str(),
        row.observed_at.as_micros(),
        row.received_at.as_micros(),
        quality(row.quality),
        row.unit.as_str(),
        as_number,
        as_boolean,
        as_text,
        row.person.as_ref().map(PersonId::as_str),
        row.sealed,
        row.exercise
    ])?;
    Ok(())
}

/// The journal whose life of this number is meant: its own, else the latest before it, since after a restore the engine
/// goes on counting under another journal id. Another gateway may keep its history in the same tables.
fn journal_of(table: &str, journal: i64, value: u8) -> String {
    format!(
        "(SELECT journal FROM {table} WHERE {table} = ?{value} ORDER BY journal = {journal} DESC, journal DESC LIMIT 1)"
    )
}

fn change_alarm(transaction: &Transaction<'_>, key: Key, alarm: AlarmId, change: &AlarmChange) -> Written {
    let (alarm, at) = (number("alarm", alarm.0)?, key.at);
    let of_journal = journal_of("alarm", key.journal, 1);
    let set = |what: &str| format!("UPDATE alarm SET {what} WHERE alarm = ?1 AND journal = {of_journal}");
    match change {
        AlarmChange::Reactivated { cause } => run(
            transaction,
            &set("normal_at = NULL, device = ?2, observed_at = ?3, caused_by = ?4, exercise = ?5"),
            params![
                alarm,
                cause.device.as_ref().map(DeviceId::as_str),
                cause.observed_at.as_micros(),
                number("seq", cause.event.0)?,
                cause.exercise
            ],
        ),
        AlarmChange::ReturnedToNormal => run(transaction, &set("normal_at = ?2"), params![alarm, at]),
        AlarmChange::Acknowledged { by } => {
            run(transaction, &set("acknowledged_at = ?2, acknowledged_by = ?3"), params![alarm, at, by.as_str()])
        }
        AlarmChange::Closed => run(transaction, &set("closed_at = ?2"), params![alarm, at]),
    }
}

fn change_task(transaction: &Transaction<'_>, key: Key, task: TaskId, change: &TaskChange) -> Written {
    let (task, at) = (number("task", task.0)?, key.at);
    let of_journal = journal_of("task", key.journal, 1);
    let set = |what: &str| format!("UPDATE task SET {what} WHERE task = ?1 AND journal = {of_journal}");
    match change {
        TaskChange::Waiting => {
            run(transaction, &set("status = 'requested', stage = 'waiting', crew = NULL"), params![task])
        }
        TaskChange::Offered(crew) => run(
            transaction,
            &set("status = 'requested', stage = 'offered', crew = ?2, offers = offers + 1"),
            params![task, crew.as_str()],
        ),
        TaskChange::OfferExpired => {
            run(transaction, &set("status = 'requested', stage = NULL, crew = NULL"), params![task])
        }
        TaskChange::Rejected => run(
            transaction,
            &set("status = 'requested', stage = NULL, crew = NULL, rejections = rejections + 1"),
            params![task],
        ),
        TaskChange::Accepted(crew) => run(
            transaction,
            &set("status = 'accepted', stage = NULL, crew = ?2, accepted_at = ?3"),
            params![task, crew.as_str(), at],
        ),
        TaskChange::Stage(stage @ (TaskStage::EnRoute | TaskStage::OnSite)) => {
            run(transaction, &set("status = 'in-progress', stage = ?2"), params![task, stage.as_str()])
        }
        TaskChange::Stage(stage @ (TaskStage::Waiting | TaskStage::Offered | TaskStage::Verified)) => {
            run(transaction, &set("stage = ?2"), params![task, stage.as_str()])
        }
        TaskChange::Completed => run(transaction, &set("status = 'completed', ended_at = ?2"), params![task, at]),
        TaskChange::Cancelled(reason) => run(
            transaction,
            &set("status = 'cancelled', ended_at = ?2, cancel_reason = ?3"),
            params![task, at, reason.as_str()],
        ),
    }
}

fn run(transaction: &Transaction<'_>, sql: &str, values: &[&dyn ToSql]) -> Written {
    transaction.prepare_cached(sql)?.execute(values)?;
    Ok(())
}
