//! The lists, page by page, by keyset: a page starts after the last row seen, whatever was added meanwhile.
//!
//! Every list selects the four numbers of its cursor last. A list's question is built apart from being asked, so that
//! the tests can have PostgreSQL explain it.

use super::cells;
use super::connect::Link;
use super::months;
use crate::domain::ids::{AlarmId, AssetId, DeviceId, JournalId, PersonId, PropertyName, RuleId, Seq, Skill, TaskId};
use crate::domain::time::Timestamp;
use crate::store::StoreError;
use crate::store::history::{
    AlarmLife, Cursor, LoggedEvent, ObservationAsked, Page, PageAsked, QuarantineKept, RollupAsked, SetAside, State,
    StoredHead, StoredObservation, StoredValue, TaskLife,
};
use crate::store::rollup::Hour;
use crate::store::rows::number;
use crate::store::tables::{Cell, Cells, OBSERVATION, Table};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// Entries whose observations are looked for at once.
const STRETCH: i64 = 4_096;

type Asked<T> = Result<Page<T>, StoreError>;
type Got<T> = Result<T, tokio_postgres::Error>;

/// One question and its values.
pub(super) struct Question {
    pub sql: String,
    pub values: Cells,
}

/// One list and how it is ordered: by the columns of `order`, which the cursor holds in `cursor`.
struct List {
    columns: &'static str,
    table: &'static str,
    order: &'static [(&'static str, Part)],
    newest_first: bool,
}

/// A part of a cursor.
#[derive(Clone, Copy)]
enum Part {
    Time,
    Journal,
    Seq,
    N,
}

const ALARMS: List = List {
    columns: "alarm, rule, asset, priority, observed_at, caused_by, exercise, raised_at, normal_at, acknowledged_at, \
              acknowledged_by, closed_at, device, raised_at, journal, seq, n",
    table: "alarm",
    order: &[("raised_at", Part::Time), ("journal", Part::Journal), ("seq", Part::Seq), ("n", Part::N)],
    newest_first: true,
};
const TASKS: List = List {
    columns: "task, alarm, asset, priority, kind, skill, exercise, requested_at, status, stage, crew, offers, \
              rejections, accepted_at, ended_at, cancel_reason, requested_at, journal, seq, n",
    table: "task",
    order: &[("requested_at", Part::Time), ("journal", Part::Journal), ("seq", Part::Seq), ("n", Part::N)],
    newest_first: true,
};
const OBSERVATIONS: List = List {
    columns: "device, property, observed_at, received_at, quality, unit, exercise, value_number, value_boolean, \
              value_text, person, sealed, observed_at, journal, seq, n",
    table: "observation",
    order: &[("observed_at", Part::Time), ("journal", Part::Journal), ("seq", Part::Seq), ("n", Part::N)],
    newest_first: false,
};
const QUARANTINED: List = List {
    columns: "seq, reason, detail, topic, device, received_at, head, length, person, sealed, received_at, journal, \
              seq, n",
    table: "quarantine",
    order: &[("received_at", Part::Time), ("journal", Part::Journal), ("seq", Part::Seq), ("n", Part::N)],
    newest_first: true,
};
// The journal's own order is the order of the log: its times never go back, and may be equal.
const EVENTS: List = List {
    columns: "seq, at, kind, verdict, journal, journal, seq, 0::bigint",
    table: "event_log",
    order: &[("journal", Part::Journal), ("seq", Part::Seq)],
    newest_first: true,
};
const SET_ASIDES: List =
    List { columns: "seq, at, reason, journal, journal, seq, 0::bigint", table: "set_aside", ..EVENTS };

pub(super) async fn checkpoint(link: &Link, journal: JournalId) -> Result<Option<Seq>, StoreError> {
    let connection = link.connection().await?;
    let sql = "SELECT projected_through FROM journal WHERE id = $1";
    let row = connection.query_opt(sql, &[&journal.to_string()]).await.map_err(|error| link.fault(&error))?;
    connection.good();
    row.map(|row| seq(&row, 0)).transpose().map_err(|error| link.fault(&error))
}

pub(super) async fn kept_at(link: &Link, journal: JournalId, seq: Seq) -> Result<Option<Timestamp>, StoreError> {
    let connection = link.connection().await?;
    let sql = "SELECT at FROM event_log JOIN journal ON number = journal WHERE id = $1 AND seq = $2 \
               UNION ALL SELECT at FROM set_aside JOIN journal ON number = journal WHERE id = $1 AND seq = $2 LIMIT 1";
    let (journal, seq) = (journal.to_string(), number("seq", seq.0)?);
    let row = connection.query_opt(sql, &[&journal, &seq]).await.map_err(|error| link.fault(&error))?;
    connection.good();
    row.map(|row| time(&row, 0)).transpose().map_err(|error| link.fault(&error))
}

pub(super) fn alarms_question(asked: &PageAsked) -> Question {
    ALARMS.question(asked, of_asset(asked))
}

pub(super) async fn alarms(link: &Link, asked: &PageAsked) -> Asked<AlarmLife> {
    page(link, asked, alarms_question(asked), |row| {
        Ok(AlarmLife {
            alarm: AlarmId(unsigned(row, 0)?),
            rule: RuleId::new(text(row, 1)?),
            asset: AssetId::new(text(row, 2)?),
            priority: small(row, 3)?,
            observed_at: time(row, 4)?,
            caused_by: seq(row, 5)?,
            exercise: row.try_get(6)?,
            raised_at: time(row, 7)?,
            normal_at: time_maybe(row, 8)?,
            acknowledged_at: time_maybe(row, 9)?,
            acknowledged_by: text_maybe(row, 10)?,
            closed_at: time_maybe(row, 11)?,
            device: text_maybe(row, 12)?.map(DeviceId::new),
        })
    })
    .await
}

pub(super) fn tasks_question(asked: &PageAsked) -> Question {
    TASKS.question(asked, of_asset(asked))
}

pub(super) async fn tasks(link: &Link, asked: &PageAsked) -> Asked<TaskLife> {
    page(link, asked, tasks_question(asked), |row| {
        Ok(TaskLife {
            task: TaskId(unsigned(row, 0)?),
            alarm: AlarmId(unsigned(row, 1)?),
            asset: text_maybe(row, 2)?.map(AssetId::new),
            priority: row.try_get::<_, Option<i64>>(3)?.and_then(|priority| u8::try_from(priority).ok()),
            kind: text(row, 4)?,
            skill: Skill::new(text(row, 5)?),
            exercise: row.try_get(6)?,
            requested_at: time(row, 7)?,
            status: text(row, 8)?,
            stage: text_maybe(row, 9)?,
            crew: text_maybe(row, 10)?,
            offers: unsigned(row, 11)?,
            rejections: unsigned(row, 12)?,
            accepted_at: time_maybe(row, 13)?,
            ended_at: time_maybe(row, 14)?,
            cancel_reason: text_maybe(row, 15)?,
        })
    })
    .await
}

pub(super) fn observations_question(asked: &ObservationAsked, page: &PageAsked) -> Question {
    let text = |text: &str| Cell::Text(text.to_owned().into());
    let conditions = vec![
        ("asset =", text(asked.asset.as_str())),
        ("property =", text(asked.property.as_str())),
        ("observed_at >=", asked.from.as_micros().into()),
        ("observed_at <", asked.until.as_micros().into()),
    ];
    OBSERVATIONS.question(page, conditions)
}

pub(super) async fn observations(
    link: &Link,
    asked: &ObservationAsked,
    wanted: &PageAsked,
) -> Asked<StoredObservation> {
    page(link, wanted, observations_question(asked, wanted), |row| {
        Ok(StoredObservation {
            device: DeviceId::new(text(row, 0)?),
            property: PropertyName::new(text(row, 1)?),
            observed_at: time(row, 2)?,
            received_at: time(row, 3)?,
            quality: small(row, 4)?,
            unit: text(row, 5)?,
            exercise: row.try_get(6)?,
            value: value(row)?,
        })
    })
    .await
}

pub(super) fn quarantine_question(asked: &PageAsked) -> Question {
    QUARANTINED.question(asked, Vec::new())
}

pub(super) async fn quarantine(link: &Link, asked: &PageAsked) -> Asked<QuarantineKept> {
    page(link, asked, quarantine_question(asked), |row| {
        Ok(QuarantineKept {
            seq: seq(row, 0)?,
            reason: text(row, 1)?,
            detail: text(row, 2)?,
            topic: text(row, 3)?,
            device: text_maybe(row, 4)?.map(DeviceId::new),
            received_at: time(row, 5)?,
            head: head(row)?,
            length: unsigned(row, 7)?,
        })
    })
    .await
}

pub(super) fn events_question(asked: &PageAsked) -> Question {
    EVENTS.question(asked, Vec::new())
}

pub(super) async fn events(link: &Link, asked: &PageAsked) -> Asked<LoggedEvent> {
    page(link, asked, events_question(asked), |row| {
        Ok(LoggedEvent { seq: seq(row, 0)?, at: time(row, 1)?, kind: text(row, 2)?, verdict: text(row, 3)? })
    })
    .await
}

pub(super) async fn set_asides(link: &Link, asked: &PageAsked) -> Asked<SetAside> {
    page(link, asked, SET_ASIDES.question(asked, Vec::new()), |row| {
        Ok(SetAside { seq: seq(row, 0)?, at: time(row, 1)?, reason: text(row, 2)? })
    })
    .await
}

pub(super) fn hours_question(asked: &RollupAsked, from: i64, until: i64, hours_max: usize) -> Question {
    let text = |text: &str| Cell::Text(text.to_owned().into());
    let sql = format!(
        "SELECT start_at, count, min, max, sum FROM rollup_hour \
         WHERE asset = $1 AND property = $2 AND start_at >= $3 AND start_at < $4 ORDER BY start_at LIMIT {hours_max}"
    );
    let values = vec![text(asked.asset.as_str()), text(asked.property.as_str()), from.into(), until.into()];
    Question { sql, values }
}

pub(super) async fn hours(
    link: &Link,
    asked: &RollupAsked,
    from: i64,
    until: i64,
    hours_max: usize,
) -> Result<Vec<(i64, Hour)>, StoreError> {
    let rows = ask(link, &hours_question(asked, from, until, hours_max)).await?;
    let hour = |row: &Row| -> Got<(i64, Hour)> {
        let hour = Hour { count: row.try_get(1)?, min: row.try_get(2)?, max: row.try_get(3)?, sum: row.try_get(4)? };
        Ok((row.try_get(0)?, hour))
    };
    rows.iter().map(hour).collect::<Got<_>>().map_err(|error| link.fault(&error))
}

pub(super) async fn rows(
    link: &Link,
    table: &'static Table,
    journal: JournalId,
    after: Option<&[Cell<'static>]>,
    rows_max: usize,
) -> Result<Vec<Cells>, StoreError> {
    let read = |rows: &[Row]| {
        let kinds = || table.columns.iter().map(|(_, kind)| *kind);
        rows.iter().map(|row| cells::read(row, kinds())).collect::<Got<Vec<_>>>().map_err(|error| link.fault(&error))
    };
    if table.name != OBSERVATION.name {
        return read(&ask(link, &rows_question(table, journal, after, None, rows_max)).await?);
    }
    // Found by stretches of the journal.
    let last = "SELECT COALESCE(max(projected_through), 0) FROM journal WHERE id = $1".to_owned();
    let last = ask(link, &Question { sql: last, values: vec![Cell::Text(journal.to_string().into())] }).await?;
    let last: i64 = last.first().map_or(Ok(0), |row| row.try_get(0)).map_err(|error| link.fault(&error))?;
    let mut after = after.map_or_else(|| vec![Cell::Integer(0), Cell::Integer(-1)], <[_]>::to_vec);
    let mut found = Vec::new();
    loop {
        let first = after.first().and_then(Cell::integer).unwrap_or_default();
        let stretch = first.saturating_add(STRETCH);
        let question = rows_question(table, journal, Some(&after), Some(stretch), rows_max - found.len());
        found.extend(read(&ask(link, &question).await?)?);
        if found.len() == rows_max || stretch >= last {
            return Ok(found);
        }
        after = vec![Cell::Integer(stretch), Cell::Integer(i64::MAX)];
    }
}

/// Rows of a table in the order of its key, behind one of them and, where it is said, up to an entry.
pub(super) fn rows_question(
    table: &Table,
    journal: JournalId,
    after: Option<&[Cell<'static>]>,
    through: Option<i64>,
    rows_max: usize,
) -> Question {
    let mut values: Cells = Vec::new();
    let mut wheres = Vec::new();
    if table.of_journal {
        wheres.push("journal = (SELECT number FROM journal WHERE id = $1)".to_owned());
        values.push(Cell::Text(journal.to_string().into()));
    }
    if let Some(after) = after {
        let places: Vec<_> = (1..=after.len()).map(|at| format!("${}", values.len() + at)).collect();
        wheres.push(format!("({}) > ({})", table.keys(), places.join(", ")));
        values.extend_from_slice(after);
    }
    if let Some(through) = through {
        let first = after.and_then(<[_]>::first).cloned().unwrap_or(Cell::Integer(0));
        wheres.push(format!("seq >= ${} AND seq <= ${}", values.len() + 1, values.len() + 2));
        values.extend([first, through.into()]);
    }
    let wheres = if wheres.is_empty() { String::new() } else { format!("WHERE {}", wheres.join(" AND ")) };
    let (columns, name, keys) = (table.selected(), table.name, table.keys());
    let sql = format!("SELECT {columns} FROM {name} {wheres} ORDER BY {keys} LIMIT {rows_max}");
    Question { sql, values }
}

pub(super) async fn state(link: &Link) -> Result<State, StoreError> {
    let connection = link.connection().await?;
    let fault = |error| link.fault(&error);
    let version = link.version(&connection).await?;
    let sql = "SELECT 'PostgreSQL ' || current_setting('server_version'), (SELECT count(*) FROM set_aside), \
               (SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class \
               WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p'))";
    let row = connection.query_one(sql, &[]).await.map_err(fault)?;
    let sql = "SELECT id, projected_through FROM journal ORDER BY number";
    let journals = connection.query(sql, &[]).await.map_err(fault)?;
    let journal = |row: &Row| Ok((row.try_get(0)?, seq(row, 1)?));
    let months = months::attached(link, &connection).await?;
    let state = State {
        database: row.get(0),
        version,
        journals: journals.iter().map(journal).collect::<Got<_>>().map_err(fault)?,
        set_aside: unsigned(&row, 1).map_err(fault)?,
        bytes: unsigned(&row, 2).map_err(fault)?,
        months: months.iter().map(|(month, _)| month.to_string()).collect(),
    };
    connection.good();
    Ok(state)
}

impl List {
    fn question(&self, asked: &PageAsked, conditions: Vec<(&'static str, Cell<'static>)>) -> Question {
        let mut wheres = Vec::new();
        let mut values = Vec::new();
        for (condition, value) in conditions {
            values.push(value);
            wheres.push(format!("{condition} ${}", values.len()));
        }
        if let Some(after) = &asked.after {
            let beyond = if self.newest_first { "<" } else { ">" };
            let first = values.len() + 1;
            values.extend(self.order.iter().map(|(_, part)| Cell::Integer(part.of(after))));
            let places: Vec<_> = (first..=values.len()).map(|at| format!("${at}")).collect();
            let columns: Vec<_> = self.order.iter().map(|(column, _)| *column).collect();
            wheres.push(format!("({}) {beyond} ({})", columns.join(", "), places.join(", ")));
        }
        let wheres = if wheres.is_empty() { String::new() } else { format!("WHERE {}", wheres.join(" AND ")) };
        let direction = if self.newest_first { " DESC" } else { "" };
        let order: Vec<_> = self.order.iter().map(|(column, _)| format!("{column}{direction}")).collect();
        let (columns, table, order) = (self.columns, self.table, order.join(", "));
        let sql = format!("SELECT {columns} FROM {table} {wheres} ORDER BY {order} LIMIT {}", asked.rows() + 1);
        Question { sql, values }
    }
}

impl Part {
    const fn of(self, cursor: &Cursor) -> i64 {
        match self {
            Self::Time => cursor.time,
            Self::Journal => cursor.journal,
            Self::Seq => cursor.seq,
            Self::N => cursor.n,
        }
    }
}

fn of_asset(asked: &PageAsked) -> Vec<(&'static str, Cell<'static>)> {
    asked.asset.iter().map(|asset| ("asset =", Cell::Text(asset.as_str().to_owned().into()))).collect()
}

async fn ask(link: &Link, question: &Question) -> Result<Vec<Row>, StoreError> {
    let connection = link.connection().await?;
    let fault = |error| link.fault(&error);
    let statement = connection.prepare_cached(&question.sql).await.map_err(fault)?;
    let values: Vec<_> = question.values.iter().map(|cell| cell as &(dyn ToSql + Sync)).collect();
    let rows = connection.query(&statement, &values).await.map_err(fault)?;
    connection.good();
    Ok(rows)
}

async fn page<T>(link: &Link, asked: &PageAsked, question: Question, read: impl Fn(&Row) -> Got<T>) -> Asked<T> {
    let found = ask(link, &question).await?;
    let fault = |error| link.fault(&error);
    let shown = &found[..found.len().min(asked.rows())];
    let next = shown.last().filter(|_| found.len() > shown.len()).map(cursor).transpose().map_err(fault)?;
    Ok(Page { rows: shown.iter().map(read).collect::<Got<_>>().map_err(fault)?, next })
}

fn cursor(row: &Row) -> Got<Cursor> {
    let at = row.len() - 4;
    Ok(Cursor {
        time: row.try_get(at)?,
        journal: row.try_get(at + 1)?,
        seq: row.try_get(at + 2)?,
        n: row.try_get(at + 3)?,
    })
}

fn value(row: &Row) -> Got<StoredValue> {
    if let Some(person) = text_maybe(row, 10)?.map(PersonId::new) {
        return Ok(match row.try_get(11)? {
            Some(sealed) => StoredValue::Sealed { person, sealed },
            None => StoredValue::Erased { person },
        });
    }
    if let Some(number) = row.try_get(7)? {
        return Ok(StoredValue::Number(number));
    }
    if let Some(boolean) = row.try_get(8)? {
        return Ok(StoredValue::Boolean(boolean));
    }
    text(row, 9).map(StoredValue::Text)
}

fn head(row: &Row) -> Got<StoredHead> {
    let Some(person) = text_maybe(row, 8)?.map(PersonId::new) else {
        return Ok(StoredHead::Open(row.try_get::<_, Option<Vec<u8>>>(6)?.unwrap_or_default()));
    };
    Ok(match row.try_get(9)? {
        Some(sealed) => StoredHead::Sealed { person, sealed },
        None => StoredHead::Erased { person },
    })
}

fn text(row: &Row, at: usize) -> Got<String> {
    row.try_get(at).map(cells::told)
}

fn text_maybe(row: &Row, at: usize) -> Got<Option<String>> {
    Ok(row.try_get::<_, Option<String>>(at)?.map(cells::told))
}

fn time(row: &Row, at: usize) -> Got<Timestamp> {
    row.try_get(at).map(Timestamp::from_micros)
}

fn time_maybe(row: &Row, at: usize) -> Got<Option<Timestamp>> {
    Ok(row.try_get::<_, Option<i64>>(at)?.map(Timestamp::from_micros))
}

fn seq(row: &Row, at: usize) -> Got<Seq> {
    unsigned(row, at).map(Seq)
}

/// A number that was never negative when it was kept.
fn unsigned(row: &Row, at: usize) -> Got<u64> {
    row.try_get::<_, i64>(at).map(i64::cast_unsigned)
}

fn small<T: TryFrom<i64> + Default>(row: &Row, at: usize) -> Got<T> {
    row.try_get::<_, i64>(at).map(|number| T::try_from(number).unwrap_or_default())
}
