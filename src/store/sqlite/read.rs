//! The lists, page by page, by keyset: a page starts after the last row seen, whatever was added meanwhile.
//!
//! Every list selects the four columns of its cursor last, in one order, so that one function pages them all.

use crate::domain::ids::{AlarmId, AssetId, DeviceId, JournalId, PersonId, PropertyName, RuleId, Seq, Skill, TaskId};
use crate::domain::time::Timestamp;
use crate::store::StoreError;
use crate::store::history::{
    AlarmLife, Cursor, LoggedEvent, ObservationAsked, Page, PageAsked, QuarantineKept, Rollup, RollupAsked, SetAside,
    State, StoredHead, StoredObservation, StoredValue, TaskLife,
};
use crate::store::retention::{Cutoff, FORGET_AT_ONCE};
use crate::store::rollup::{self, Hour};
use crate::store::rows::number;
use crate::store::tables::{Cell, Cells, Kind, Old, Table};
use rusqlite::types::{ToSql, Type};
use rusqlite::{Connection, OptionalExtension, Row, params};

type Asked<T> = Result<Page<T>, StoreError>;
type Got<T> = Result<T, rusqlite::Error>;

pub(super) fn checkpoint(reader: &Connection, journal: JournalId) -> Result<Option<Seq>, StoreError> {
    let through = reader
        .prepare_cached("SELECT projected_through FROM journal WHERE id = ?1")?
        .query_row([journal.to_string()], |row| seq(row, 0))
        .optional()?;
    Ok(through)
}

pub(super) fn kept_at(reader: &Connection, journal: JournalId, seq: Seq) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT at FROM event_log JOIN journal ON number = journal WHERE id = ?1 AND seq = ?2 \
               UNION ALL SELECT at FROM set_aside JOIN journal ON number = journal WHERE id = ?1 AND seq = ?2";
    let mut question = reader.prepare_cached(sql)?;
    let at = question.query_row(params![journal.to_string(), number("seq", seq.0)?], |row| time(row, 0)).optional()?;
    Ok(at)
}

pub(super) fn alarms(reader: &Connection, asked: &PageAsked) -> Asked<AlarmLife> {
    let list = List {
        columns: "alarm, rule, asset, priority, observed_at, caused_by, exercise, raised_at, normal_at, \
                  acknowledged_at, acknowledged_by, closed_at, device",
        table: "alarm",
        time: "raised_at",
        n: "n",
        newest_first: true,
    };
    list.page(reader, asked, &of_asset(asked), |row| {
        Ok(AlarmLife {
            alarm: AlarmId(unsigned(row, 0)?),
            rule: RuleId::new(text(row, 1)?),
            asset: AssetId::new(text(row, 2)?),
            priority: row.get(3)?,
            observed_at: time(row, 4)?,
            caused_by: seq(row, 5)?,
            exercise: row.get(6)?,
            raised_at: time(row, 7)?,
            normal_at: time_maybe(row, 8)?,
            acknowledged_at: time_maybe(row, 9)?,
            acknowledged_by: row.get(10)?,
            closed_at: time_maybe(row, 11)?,
            device: row.get::<_, Option<String>>(12)?.map(DeviceId::new),
        })
    })
}

pub(super) fn tasks(reader: &Connection, asked: &PageAsked) -> Asked<TaskLife> {
    let list = List {
        columns: "task, alarm, asset, priority, kind, skill, exercise, requested_at, status, stage, crew, offers, \
                  rejections, accepted_at, ended_at, cancel_reason",
        table: "task",
        time: "requested_at",
        n: "n",
        newest_first: true,
    };
    list.page(reader, asked, &of_asset(asked), |row| {
        Ok(TaskLife {
            task: TaskId(unsigned(row, 0)?),
            alarm: AlarmId(unsigned(row, 1)?),
            asset: row.get::<_, Option<String>>(2)?.map(AssetId::new),
            priority: row.get(3)?,
            kind: row.get(4)?,
            skill: Skill::new(text(row, 5)?),
            exercise: row.get(6)?,
            requested_at: time(row, 7)?,
            status: row.get(8)?,
            stage: row.get(9)?,
            crew: row.get(10)?,
            offers: unsigned(row, 11)?,
            rejections: unsigned(row, 12)?,
            accepted_at: time_maybe(row, 13)?,
            ended_at: time_maybe(row, 14)?,
            cancel_reason: row.get(15)?,
        })
    })
}

pub(super) fn observations(
    reader: &Connection,
    asked: &ObservationAsked,
    page: &PageAsked,
) -> Asked<StoredObservation> {
    let list = List {
        columns: "device, property, observed_at, received_at, quality, unit, exercise, value_number, value_boolean, \
                  value_text, person, sealed",
        table: "observation",
        time: "observed_at",
        n: "n",
        newest_first: false,
    };
    let (asset, property) = (asked.asset.as_str(), asked.property.as_str());
    let (from, until) = (asked.from.as_micros(), asked.until.as_micros());
    let conditions: [(&str, &dyn ToSql); 4] =
        [("asset = ?", &asset), ("property = ?", &property), ("observed_at >= ?", &from), ("observed_at < ?", &until)];
    list.page(reader, page, &conditions, |row| {
        Ok(StoredObservation {
            device: DeviceId::new(text(row, 0)?),
            property: PropertyName::new(text(row, 1)?),
            observed_at: time(row, 2)?,
            received_at: time(row, 3)?,
            quality: row.get(4)?,
            unit: row.get(5)?,
            exercise: row.get(6)?,
            value: value(row)?,
        })
    })
}

pub(super) fn quarantine(reader: &Connection, asked: &PageAsked) -> Asked<QuarantineKept> {
    let list = List {
        columns: "seq, reason, detail, topic, device, received_at, head, length, person, sealed",
        table: "quarantine",
        time: "received_at",
        n: "n",
        newest_first: true,
    };
    list.page(reader, asked, &[], |row| {
        Ok(QuarantineKept {
            seq: seq(row, 0)?,
            reason: row.get(1)?,
            detail: row.get(2)?,
            topic: row.get(3)?,
            device: row.get::<_, Option<String>>(4)?.map(DeviceId::new),
            received_at: time(row, 5)?,
            head: head(row)?,
            length: unsigned(row, 7)?,
        })
    })
}

fn head(row: &Row<'_>) -> rusqlite::Result<StoredHead> {
    let Some(person) = row.get::<_, Option<String>>(8)?.map(PersonId::new) else {
        return Ok(StoredHead::Open(row.get::<_, Option<Vec<u8>>>(6)?.unwrap_or_default()));
    };
    Ok(match row.get(9)? {
        Some(sealed) => StoredHead::Sealed { person, sealed },
        None => StoredHead::Erased { person },
    })
}

pub(super) fn events(reader: &Connection, asked: &PageAsked) -> Asked<LoggedEvent> {
    // The journal's own order is the order of the log: its times never go back, and may be equal.
    let list =
        List { columns: "seq, at, kind, verdict", table: "event_log", time: "journal", n: "0", newest_first: true };
    list.page(reader, asked, &[], |row| {
        Ok(LoggedEvent { seq: seq(row, 0)?, at: time(row, 1)?, kind: row.get(2)?, verdict: row.get(3)? })
    })
}

pub(super) fn set_asides(reader: &Connection, asked: &PageAsked) -> Asked<SetAside> {
    let list = List { columns: "seq, at, reason", table: "set_aside", time: "journal", n: "0", newest_first: true };
    list.page(reader, asked, &[], |row| Ok(SetAside { seq: seq(row, 0)?, at: time(row, 1)?, reason: row.get(2)? }))
}

pub(super) fn rollups(reader: &Connection, asked: &RollupAsked, page: &PageAsked) -> Asked<Rollup> {
    rollup::page(asked, page, |from, until, hours_max| {
        let mut statement = reader.prepare_cached(
            "SELECT start_at, count, min, max, sum FROM rollup_hour \
             WHERE asset = ?1 AND property = ?2 AND start_at >= ?3 AND start_at < ?4 ORDER BY start_at LIMIT ?5",
        )?;
        let (asset, property) = (asked.asset.as_str(), asked.property.as_str());
        let limit = i64::try_from(hours_max).unwrap_or(i64::MAX);
        let hours = statement.query_map((asset, property, from, until, limit), |row| {
            Ok((row.get(0)?, Hour { count: row.get(1)?, min: row.get(2)?, max: row.get(3)?, sum: row.get(4)? }))
        })?;
        Ok(hours.collect::<Got<Vec<_>>>()?)
    })
}

/// The version of the tables; 0 when there are none.
pub(super) fn version(reader: &Connection) -> Got<i32> {
    let there = "SELECT count(*) FROM sqlite_master WHERE name = 'refinery_schema_history'";
    if reader.query_row(there, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(0);
    }
    reader.query_row("SELECT COALESCE(max(version), 0) FROM refinery_schema_history", [], |row| row.get(0))
}

pub(super) fn state(reader: &Connection) -> Result<State, StoreError> {
    let bytes = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
    let mut journals = reader.prepare("SELECT id, projected_through FROM journal ORDER BY number")?;
    let journals = journals.query_map([], |row| Ok((row.get(0)?, seq(row, 1)?)))?.collect::<Got<Vec<_>>>()?;
    Ok(State {
        database: format!("SQLite {}", rusqlite::version()),
        version: version(reader)?,
        journals,
        set_aside: reader.query_row("SELECT count(*) FROM set_aside", [], |row| unsigned(row, 0))?,
        bytes: reader.query_row(bytes, [], |row| unsigned(row, 0))?,
        months: Vec::new(),
    })
}

pub(super) fn rows(
    reader: &Connection,
    table: &Table,
    journal: JournalId,
    after: Option<&[Cell<'static>]>,
    rows_max: usize,
) -> Result<Vec<Cells>, StoreError> {
    let journal = journal.to_string();
    let mut wheres = Vec::new();
    let mut values: Vec<&dyn ToSql> = Vec::new();
    if table.of_journal {
        wheres.push("journal = (SELECT number FROM journal WHERE id = ?)".to_owned());
        values.push(&journal);
    }
    if let Some(after) = after {
        wheres.push(format!("({}) > ({})", table.keys(), vec!["?"; after.len()].join(", ")));
        values.extend(after.iter().map(|cell| cell as &dyn ToSql));
    }
    let wheres = if wheres.is_empty() { String::new() } else { format!("WHERE {}", wheres.join(" AND ")) };
    let (columns, name, keys) = (table.selected(), table.name, table.keys());
    let sql = format!("SELECT {columns} FROM {name} {wheres} ORDER BY {keys} LIMIT {rows_max}");
    let mut statement = reader.prepare_cached(&sql)?;
    let found = statement.query_map(values.as_slice(), |row| {
        table.columns.iter().enumerate().map(|(at, (_, kind))| cell(row, at, *kind)).collect::<Got<Cells>>()
    })?;
    Ok(found.collect::<Got<Vec<_>>>()?)
}

/// The keys of some of the rows of a table that are old enough to go.
pub(super) fn old_rows(reader: &Connection, table: &Table, cutoff: &Cutoff) -> Result<Vec<Cells>, StoreError> {
    let (time, before) = match table.old {
        Old::Never => return Ok(Vec::new()),
        Old::Observed(time) => (time, cutoff.observed),
        Old::Summarised(time) => (time, cutoff.summarised),
    };
    let (name, key) = (table.name, table.whole_key());
    let columns: Vec<_> = key.iter().map(|(column, _)| *column).collect();
    let columns = columns.join(", ");
    let sql = format!("SELECT {columns} FROM {name} WHERE {time} < ?1 LIMIT {FORGET_AT_ONCE}");
    let mut statement = reader.prepare_cached(&sql)?;
    let found = statement.query_map([before.as_micros()], |row| {
        key.iter().enumerate().map(|(at, (_, kind))| cell(row, at, *kind)).collect::<Got<Cells>>()
    })?;
    Ok(found.collect::<Got<Vec<_>>>()?)
}

fn cell(row: &Row<'_>, at: usize, kind: Kind) -> Got<Cell<'static>> {
    Ok(match kind {
        Kind::Integer => row.get::<_, Option<i64>>(at)?.into(),
        Kind::Real => row.get::<_, Option<f64>>(at)?.map_or(Cell::Null, Cell::Real),
        Kind::Boolean => row.get::<_, Option<bool>>(at)?.into(),
        Kind::Text => row.get::<_, Option<String>>(at)?.map_or(Cell::Null, |text| Cell::Text(text.into())),
        Kind::Bytes => row.get::<_, Option<Vec<u8>>>(at)?.map_or(Cell::Null, |bytes| Cell::Bytes(bytes.into())),
    })
}

/// One list and how it is ordered: by `time`, then by the row's identity.
struct List {
    columns: &'static str,
    table: &'static str,
    time: &'static str,
    n: &'static str,
    newest_first: bool,
}

impl List {
    fn page<T>(
        &self,
        reader: &Connection,
        asked: &PageAsked,
        conditions: &[(&str, &dyn ToSql)],
        read: impl Fn(&Row<'_>) -> Got<T>,
    ) -> Asked<T> {
        let key = format!("{}, journal, seq, {}", self.time, self.n);
        let order = if self.newest_first { " DESC" } else { "" };
        let mut values: Vec<&dyn ToSql> = conditions.iter().map(|(_, value)| *value).collect();
        let mut wheres: Vec<String> = conditions.iter().map(|(condition, _)| (*condition).to_owned()).collect();
        if let Some(after) = &asked.after {
            let beyond = if self.newest_first { "<" } else { ">" };
            wheres.push(format!("({key}) {beyond} (?, ?, ?, ?)"));
            values.extend([&after.time as &dyn ToSql, &after.journal, &after.seq, &after.n]);
        }
        let wheres = if wheres.is_empty() { String::new() } else { format!("WHERE {}", wheres.join(" AND ")) };
        let rows_max = asked.rows();
        let sql = format!(
            "SELECT {}, {key} FROM {} {wheres} ORDER BY {}{order}, journal{order}, seq{order}, {}{order} LIMIT {}",
            self.columns,
            self.table,
            self.time,
            // A constant would be read as the number of a column.
            if self.n == "0" { "seq" } else { self.n },
            rows_max + 1
        );
        let mut statement = reader.prepare_cached(&sql)?;
        let first_of_key = statement.column_count() - 4;
        let mut found = statement.query(values.as_slice())?;
        let mut page = Page { rows: Vec::new(), next: None };
        let mut last = None;
        while let Some(row) = found.next()? {
            if page.rows.len() == rows_max {
                page.next = last;
                break;
            }
            page.rows.push(read(row)?);
            last = Some(cursor(row, first_of_key)?);
        }
        Ok(page)
    }
}

fn of_asset(asked: &PageAsked) -> Vec<(&'static str, &dyn ToSql)> {
    asked.asset.iter().map(|asset| ("asset = ?", asset as &dyn ToSql)).collect()
}

impl ToSql for AssetId {
    fn to_sql(&self) -> Got<rusqlite::types::ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> Got<rusqlite::types::ToSqlOutput<'_>> {
        match self {
            Self::Null => rusqlite::types::Null.to_sql(),
            Self::Integer(number) => Ok((*number).into()),
            Self::Real(number) => Ok((*number).into()),
            Self::Boolean(boolean) => Ok((*boolean).into()),
            Self::Text(text) => Ok(text.as_ref().into()),
            Self::Bytes(bytes) => Ok(bytes.as_ref().into()),
        }
    }
}

fn cursor(row: &Row<'_>, at: usize) -> Got<Cursor> {
    Ok(Cursor { time: row.get(at)?, journal: row.get(at + 1)?, seq: row.get(at + 2)?, n: row.get(at + 3)? })
}

fn value(row: &Row<'_>) -> Got<StoredValue> {
    if let Some(person) = row.get::<_, Option<String>>(10)? {
        let person = PersonId::new(person);
        return Ok(match row.get::<_, Option<Vec<u8>>>(11)? {
            Some(sealed) => StoredValue::Sealed { person, sealed },
            None => StoredValue::Erased { person },
        });
    }
    if let Some(number) = row.get::<_, Option<f64>>(7)? {
        return Ok(StoredValue::Number(number));
    }
    if let Some(boolean) = row.get::<_, Option<bool>>(8)? {
        return Ok(StoredValue::Boolean(boolean));
    }
    row.get::<_, String>(9).map(StoredValue::Text)
}

fn text(row: &Row<'_>, at: usize) -> Got<String> {
    row.get(at)
}

fn time(row: &Row<'_>, at: usize) -> Got<Timestamp> {
    row.get(at).map(Timestamp::from_micros)
}

fn time_maybe(row: &Row<'_>, at: usize) -> Got<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(at)?.map(Timestamp::from_micros))
}

fn seq(row: &Row<'_>, at: usize) -> Got<Seq> {
    unsigned(row, at).map(Seq)
}

fn unsigned(row: &Row<'_>, at: usize) -> Got<u64> {
    let number: i64 = row.get(at)?;
    u64::try_from(number).map_err(|error| rusqlite::Error::FromSqlConversionFailure(at, Type::Integer, Box::new(error)))
}
