//! One immutable state of the present, and the difference between two of them.
//!
//! Everything in a view shares structure with the view before it: taking one costs a few pointer copies. The recent
//! changes are kept as *which rows* changed, not how; the rows themselves are read from the current view, so a slow
//! reader gets each row once, in its latest form, however often it changed meanwhile.

use super::Initial;
use super::rows::{AlarmRow, Ledger, QuarantineRow, TaskRow};
use crate::domain::ids::{AlarmId, DeviceId, JournalId, Seq, TaskId};
use crate::domain::reason::QuarantineReason;
use crate::domain::time::Timestamp;
use imbl::{OrdMap, OrdSet, Vector};
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub struct View {
    /// Seqs of different journals are not comparable.
    pub journal: JournalId,
    /// The last event this view contains.
    pub seq: Seq,
    /// When that event was decided.
    pub at: Timestamp,
    /// Open alarms and the most recently closed ones.
    pub alarms: OrdMap<AlarmId, Arc<AlarmRow>>,
    /// Open tasks and the most recently ended ones.
    pub tasks: OrdMap<TaskId, Arc<TaskRow>>,
    pub devices_silent: OrdSet<DeviceId>,
    /// Newest last.
    pub quarantine: Vector<Arc<QuarantineRow>>,
    pub counts: Counts,
    pub ledger: Ledger,
    pub(super) closed_alarms: Vector<AlarmId>,
    pub(super) ended_tasks: Vector<TaskId>,
    pub(super) recent: Recent,
}

/// Numbers kept along, so that nobody counts 100,000 rows to show one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// By priority, 1 first.
    pub alarms_open: [u64; 4],
    pub alarms_unacknowledged: u64,
    pub tasks_open: u64,
    /// In the order of [`QuarantineReason::ALL`].
    pub quarantined: [u64; QuarantineReason::ALL.len()],
}

/// What a reader who has seen an earlier seq must do.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    /// Nothing to show has changed, though the seq may have moved on.
    Nothing,
    Changes(Changes),
    /// The seq is too old, from another journal, or from the future: start again from the whole view.
    Reset,
}

/// Rows that changed, each in its latest form.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    pub alarms: Vec<Arc<AlarmRow>>,
    pub alarms_gone: Vec<AlarmId>,
    pub tasks: Vec<Arc<TaskRow>>,
    pub tasks_gone: Vec<TaskId>,
    pub devices_silent: Vec<DeviceId>,
    pub devices_heard: Vec<DeviceId>,
    pub quarantine: Vec<Arc<QuarantineRow>>,
}

/// A bounded piece of the whole view.
#[derive(Clone, Debug, Default)]
pub struct Part {
    pub alarms: Vec<Arc<AlarmRow>>,
    pub tasks: Vec<Arc<TaskRow>>,
    pub devices_silent: Vec<DeviceId>,
}

/// How far a reader has come through the pieces of a view; the default is the start.
#[derive(Clone, Debug, Default)]
pub struct Place {
    alarm: AlarmId,
    task: TaskId,
    device: Option<DeviceId>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Changed {
    Alarm(AlarmId),
    Task(TaskId),
    Device(DeviceId),
    /// Rows later than the reader's seq: they carry their own.
    Quarantine,
}

/// The last batches that changed something, bounded.
#[derive(Clone, Debug)]
pub(super) struct Recent {
    pub(super) batches: Vector<Arc<(Seq, Vec<Changed>)>>,
    pub(super) changes: usize,
    /// Whoever has seen this seq, or a later one, can be told the difference.
    pub(super) complete_from: Seq,
}

impl View {
    pub(super) fn from_initial(initial: Initial) -> Self {
        let mut counts = Counts::default();
        for (index, reason) in QuarantineReason::ALL.iter().enumerate() {
            counts.quarantined[index] = initial.quarantined.get(reason).copied().unwrap_or(0);
        }
        let mut view = Self {
            journal: initial.journal,
            seq: initial.seq,
            at: initial.at,
            alarms: OrdMap::new(),
            tasks: OrdMap::new(),
            devices_silent: initial.devices_silent.into_iter().collect(),
            quarantine: Vector::new(),
            counts,
            ledger: Ledger::default(),
            closed_alarms: Vector::new(),
            ended_tasks: Vector::new(),
            recent: Recent { batches: Vector::new(), changes: 0, complete_from: initial.seq },
        };
        for alarm in initial.alarms {
            view.put_alarm(AlarmRow::known_at_start(alarm));
        }
        for task in initial.tasks {
            view.put_task(TaskRow::known_at_start(task));
        }
        view
    }

    /// What a reader who has seen `seq` of `journal` has missed, looking at no more than `rows_max` rows.
    #[must_use]
    pub fn changes_since(&self, journal: JournalId, seq: Seq, rows_max: usize) -> Difference {
        if journal != self.journal || seq > self.seq || seq < self.recent.complete_from {
            return Difference::Reset;
        }
        let mut changed = BTreeSet::new();
        for batch in self.recent.batches.iter().rev().take_while(|batch| batch.0 > seq) {
            changed.extend(batch.1.iter());
            if changed.len() > rows_max {
                return Difference::Reset;
            }
        }
        if changed.is_empty() { Difference::Nothing } else { Difference::Changes(self.latest(seq, changed)) }
    }

    fn latest(&self, seen: Seq, keys: BTreeSet<&Changed>) -> Changes {
        let mut changes = Changes::default();
        for key in keys {
            match key {
                Changed::Alarm(id) => match self.alarms.get(id) {
                    Some(row) => changes.alarms.push(Arc::clone(row)),
                    None => changes.alarms_gone.push(*id),
                },
                Changed::Task(id) => match self.tasks.get(id) {
                    Some(row) => changes.tasks.push(Arc::clone(row)),
                    None => changes.tasks_gone.push(*id),
                },
                Changed::Device(id) if self.devices_silent.contains(id) => changes.devices_silent.push(id.clone()),
                Changed::Device(id) => changes.devices_heard.push(id.clone()),
                Changed::Quarantine => {
                    changes.quarantine = self.quarantine.iter().filter(|row| row.seq > seen).cloned().collect();
                }
            }
        }
        changes
    }

    /// How many pieces the whole view makes, at most `rows_max` of each kind in one; at least one.
    #[must_use]
    pub fn parts(&self, rows_max: usize) -> usize {
        let longest = self.alarms.len().max(self.tasks.len()).max(self.devices_silent.len());
        longest.div_ceil(rows_max.max(1)).max(1)
    }

    /// The piece after `place`, which moves on to its end.
    #[must_use]
    pub fn part(&self, place: &mut Place, rows_max: usize) -> Part {
        let part = Part {
            alarms: self.alarms.range(place.alarm..).take(rows_max).map(|(_, row)| Arc::clone(row)).collect(),
            tasks: self.tasks.range(place.task..).take(rows_max).map(|(_, row)| Arc::clone(row)).collect(),
            devices_silent: match &place.device {
                None => self.devices_silent.iter().take(rows_max).cloned().collect(),
                Some(last) => {
                    let beyond = (Bound::Excluded(last.clone()), Bound::Unbounded);
                    self.devices_silent.range(beyond).take(rows_max).cloned().collect()
                }
            },
        };
        place.alarm = part.alarms.last().map_or(place.alarm, |row| AlarmId(row.alarm.id.0.saturating_add(1)));
        place.task = part.tasks.last().map_or(place.task, |row| TaskId(row.task.id.0.saturating_add(1)));
        place.device = part.devices_silent.last().cloned().or(place.device.take());
        part
    }

    pub(super) fn put_alarm(&mut self, row: AlarmRow) {
        if let Some(before) = self.alarms.get(&row.alarm.id).cloned() {
            self.counts.alarm(&before, false);
        }
        self.counts.alarm(&row, true);
        self.alarms.insert(row.alarm.id, Arc::new(row));
    }

    pub(super) fn put_task(&mut self, row: TaskRow) {
        let open = |row: &TaskRow| u64::from(!row.task.status.ended());
        let before = self.tasks.get(&row.task.id).map_or(0, |before| open(before));
        self.counts.tasks_open = self.counts.tasks_open + open(&row) - before;
        self.tasks.insert(row.task.id, Arc::new(row));
    }
}

impl Counts {
    fn alarm(&mut self, row: &AlarmRow, enters: bool) {
        if row.closed_at.is_some() {
            return;
        }
        let step = |count: &mut u64| if enters { *count += 1 } else { *count -= 1 };
        step(&mut self.alarms_open[usize::from(row.alarm.priority.number() - 1)]);
        if !row.alarm.acknowledged {
            step(&mut self.alarms_unacknowledged);
        }
    }
}
