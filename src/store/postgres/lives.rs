//! Alarms and tasks of one batch: read once, changed in the order of the journal, written once.
//!
//! A change belongs to the life of its number in its own journal, else to the latest: after a restore the engine goes on
//! counting under another journal id, and another gateway may keep its history in the same tables. Rows are kept as cells, in the columns of their table behind the number of their journal.

use super::cells;
use crate::domain::ids::{AlarmId, DeviceId, Seq, TaskId};
use crate::domain::task::TaskStage;
use crate::store::StoreError;
use crate::store::rows::{AlarmChange, Projected, Row, TaskChange, number};
use crate::store::tables::{ALARM, Cell, Cells, Kind, TASK, Table};
use deadpool_postgres::Transaction;
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::Error;

/// One life: the journal's number, then the columns of its table.
type Life = Cells;

#[derive(Default)]
pub(super) struct Lives {
    alarms: BTreeMap<i64, Life>,
    tasks: BTreeMap<i64, Life>,
    /// Changed, but no longer the latest of its number.
    earlier_alarms: Vec<Life>,
    earlier_tasks: Vec<Life>,
    changed_alarms: BTreeSet<i64>,
    changed_tasks: BTreeSet<i64>,
}

/// Where a row stands.
#[derive(Clone, Copy)]
pub(super) struct Key {
    pub journal: i64,
    pub seq: i64,
    pub n: i64,
    pub at: i64,
}

impl Lives {
    /// Reads the life that is meant of every alarm and task these entries speak of.
    pub(super) async fn read(
        transaction: &Transaction<'_>,
        journal: i64,
        entries: &[&Projected],
    ) -> Result<Self, Error> {
        let (mut alarms, mut tasks) = (BTreeSet::new(), BTreeSet::new());
        for row in entries.iter().flat_map(|entry| &entry.rows) {
            match row {
                Row::Alarm(alarm, _) | Row::TaskRequested { alarm, .. } => drop(alarms.insert(alarm.0.cast_signed())),
                Row::Task(task, _) => drop(tasks.insert(task.0.cast_signed())),
                Row::Observation(_)
                | Row::DevicePlaced { .. }
                | Row::DeviceRemoved { .. }
                | Row::AlarmRaised { .. }
                | Row::Quarantined(_) => {}
            }
        }
        let alarms = meant(transaction, journal, &ALARM, alarms).await?;
        Ok(Self { alarms, tasks: meant(transaction, journal, &TASK, tasks).await?, ..Self::default() })
    }

    /// Takes one row on; whether it was about an alarm or a task.
    pub(super) fn take(&mut self, key: Key, row: &Row) -> Result<(), StoreError> {
        match row {
            Row::AlarmRaised { alarm, rule, asset, priority, cause } => {
                let alarm = number("alarm", alarm.0)?;
                let life: Vec<Cell<'_>> = vec![
                    key.journal.into(),
                    key.seq.into(),
                    key.n.into(),
                    alarm.into(),
                    rule.as_str().into(),
                    asset.as_str().into(),
                    i64::from(*priority).into(),
                    cause.device.as_ref().map(DeviceId::as_str).into(),
                    cause.observed_at.as_micros().into(),
                    number("seq", cause.event.0)?.into(),
                    cause.exercise.into(),
                    key.at.into(),
                    Cell::Null,
                    Cell::Null,
                    Cell::Null,
                    Cell::Null,
                ];
                let earlier = self.alarms.insert(alarm, life.into_iter().map(Cell::owned).collect());
                let changed = !self.changed_alarms.insert(alarm);
                self.earlier_alarms.extend(earlier.filter(|_| changed));
            }
            Row::Alarm(alarm, change) => self.change_alarm(key.at, *alarm, change)?,
            Row::TaskRequested { task, alarm, kind, skill } => {
                let (task, alarm) = (number("task", task.0)?, number("alarm", alarm.0)?);
                let of_alarm = |name| self.alarms.get(&alarm).map(|life| cell(&ALARM, life, name).clone());
                let life: Vec<Cell<'_>> = vec![
                    key.journal.into(),
                    key.seq.into(),
                    key.n.into(),
                    task.into(),
                    alarm.into(),
                    of_alarm("asset").unwrap_or(Cell::Null),
                    of_alarm("priority").unwrap_or(Cell::Null),
                    kind.as_str().into(),
                    skill.as_str().into(),
                    of_alarm("exercise").unwrap_or(Cell::Boolean(false)),
                    key.at.into(),
                    "requested".into(),
                    Cell::Null,
                    Cell::Null,
                    0.into(),
                    0.into(),
                    Cell::Null,
                    Cell::Null,
                    Cell::Null,
                ];
                let earlier = self.tasks.insert(task, life.into_iter().map(Cell::owned).collect());
                let changed = !self.changed_tasks.insert(task);
                self.earlier_tasks.extend(earlier.filter(|_| changed));
            }
            Row::Task(task, change) => self.change_task(key.at, *task, change)?,
            Row::Observation(_) | Row::DevicePlaced { .. } | Row::DeviceRemoved { .. } | Row::Quarantined(_) => {}
        }
        Ok(())
    }

    fn change_alarm(&mut self, at: i64, alarm: AlarmId, change: &AlarmChange) -> Result<(), StoreError> {
        let alarm = number("alarm", alarm.0)?;
        let Some(life) = self.alarms.get_mut(&alarm) else { return Ok(()) };
        self.changed_alarms.insert(alarm);
        let mut set = |name, cell: Cell<'_>| set(&ALARM, life, name, cell);
        match change {
            AlarmChange::Reactivated { cause } => {
                let Seq(event) = cause.event;
                set("normal_at", Cell::Null);
                set("device", cause.device.as_ref().map(DeviceId::as_str).into());
                set("observed_at", cause.observed_at.as_micros().into());
                set("caused_by", number("seq", event)?.into());
                set("exercise", cause.exercise.into());
            }
            AlarmChange::ReturnedToNormal => set("normal_at", at.into()),
            AlarmChange::Acknowledged { by } => {
                set("acknowledged_at", at.into());
                set("acknowledged_by", by.as_str().into());
            }
            AlarmChange::Closed => set("closed_at", at.into()),
        }
        Ok(())
    }

    fn change_task(&mut self, at: i64, task: TaskId, change: &TaskChange) -> Result<(), StoreError> {
        let task = number("task", task.0)?;
        let Some(life) = self.tasks.get_mut(&task) else { return Ok(()) };
        self.changed_tasks.insert(task);
        let one_more = |name, life: &Life| Cell::Integer(cell(&TASK, life, name).integer().unwrap_or_default() + 1);
        let (offers, rejections) = (one_more("offers", life), one_more("rejections", life));
        let mut set = |name, cell: Cell<'_>| set(&TASK, life, name, cell);
        let mut stand = |status: &'static str, stage: Option<&'static str>, crew: Option<&str>| {
            set("status", status.into());
            set("stage", stage.into());
            set("crew", crew.into());
        };
        match change {
            TaskChange::Waiting => stand("requested", Some("waiting"), None),
            TaskChange::Offered(crew) => {
                stand("requested", Some("offered"), Some(crew.as_str()));
                set("offers", offers);
            }
            TaskChange::OfferExpired => stand("requested", None, None),
            TaskChange::Rejected => {
                stand("requested", None, None);
                set("rejections", rejections);
            }
            TaskChange::Accepted(crew) => {
                stand("accepted", None, Some(crew.as_str()));
                set("accepted_at", at.into());
            }
            TaskChange::Stage(stage) => {
                if matches!(stage, TaskStage::EnRoute | TaskStage::OnSite) {
                    set("status", "in-progress".into());
                }
                set("stage", stage.as_str().into());
            }
            TaskChange::Completed => {
                set("status", "completed".into());
                set("ended_at", at.into());
            }
            TaskChange::Cancelled(reason) => {
                set("status", "cancelled".into());
                set("ended_at", at.into());
                set("cancel_reason", reason.as_str().into());
            }
        }
        Ok(())
    }

    /// What is to be written: alarms, then tasks.
    pub(super) fn changed(mut self) -> (Vec<Life>, Vec<Life>) {
        let (changed_alarms, changed_tasks) = (self.changed_alarms, self.changed_tasks);
        self.alarms.retain(|alarm, _| changed_alarms.contains(alarm));
        self.tasks.retain(|task, _| changed_tasks.contains(task));
        self.earlier_alarms.extend(self.alarms.into_values());
        self.earlier_tasks.extend(self.tasks.into_values());
        (self.earlier_alarms, self.earlier_tasks)
    }
}

/// The question for the lives of the numbers in `$1`, for the journal in `$2`; a table's own name is that of its numbers.
pub(super) fn question(table: &Table) -> String {
    let (columns, name) = (table.selected(), table.name);
    format!(
        "SELECT DISTINCT ON ({name}) journal, {columns} FROM {name} WHERE {name} = ANY($1) \
         ORDER BY {name}, journal = $2 DESC, journal DESC, seq DESC, n DESC"
    )
}

async fn meant(
    transaction: &Transaction<'_>,
    journal: i64,
    table: &Table,
    wanted: BTreeSet<i64>,
) -> Result<BTreeMap<i64, Life>, Error> {
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let wanted: Vec<i64> = wanted.into_iter().collect();
    let kinds = || [Kind::Integer].into_iter().chain(table.columns.iter().map(|(_, kind)| *kind));
    let mut lives = BTreeMap::new();
    for row in transaction.query(&question(table), &[&wanted, &journal]).await? {
        let life = cells::read(&row, kinds())?;
        lives.extend(cell(table, &life, table.name).integer().map(|number| (number, life)));
    }
    Ok(lives)
}

/// The columns of a life stand behind the number of its journal.
fn place(table: &Table, name: &str) -> usize {
    table.column(name).map_or(0, |column| column + 1)
}

fn cell<'a>(table: &Table, life: &'a Life, name: &str) -> &'a Cell<'static> {
    &life[place(table, name)]
}

fn set(table: &Table, life: &mut Life, name: &str, cell: Cell<'_>) {
    life[place(table, name)] = cell.owned();
}
