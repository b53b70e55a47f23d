//! From facts to rows: what each fact of a decision changes on the board.
//!
//! A fact about an alarm or task the board does not hold (closed long ago) changes nothing. Delays, delivery ends and
//! clocks that run ahead have no row here.

use super::Limits;
use super::rows::{AlarmRow, QuarantineRow, TaskRow};
use super::view::{Changed, View};
use crate::domain::alarm::Alarm;
use crate::domain::decision::{Decision, Fact};
use crate::domain::event::Event;
use crate::domain::ids::{AlarmId, CrewId, Skill, TaskId};
use crate::domain::reason::{QuarantineReason, Verdict};
use crate::domain::task::{Task, TaskStage, TaskStatus};
use crate::domain::time::Timestamp;
use bytes::Bytes;
use smol_str::SmolStr;
use std::sync::Arc;

/// One batch on its way into a view.
pub(super) struct Batch<'a> {
    view: &'a mut View,
    limits: &'a Limits,
    changed: Vec<Changed>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(view: &'a mut View, limits: &'a Limits) -> Self {
        Self { view, limits, changed: Vec::new() }
    }

    pub(super) fn apply(&mut self, at: Timestamp, event: &Event, decision: &Decision) {
        self.view.seq = decision.seq;
        self.view.at = at;
        if let Verdict::Quarantined(reason) = decision.verdict {
            self.quarantine(reason, at, event, decision);
        }
        for fact in &decision.facts {
            self.fact(at, fact);
        }
    }

    /// Notes what changed for those who resume, and lets the oldest go.
    pub(super) fn finish(mut self) {
        self.changed.sort_unstable();
        self.changed.dedup();
        let recent = &mut self.view.recent;
        if !self.changed.is_empty() {
            recent.changes += self.changed.len();
            recent.batches.push_back(Arc::new((self.view.seq, self.changed)));
        }
        while recent.batches.len() > self.limits.batches_max || recent.changes > self.limits.changes_max {
            let Some(oldest) = recent.batches.pop_front() else { break };
            recent.changes -= oldest.1.len();
            recent.complete_from = oldest.0;
        }
    }

    fn fact(&mut self, at: Timestamp, fact: &Fact) {
        match fact {
            Fact::AlarmRaised { .. } => self.raise(at, fact),
            Fact::AlarmReactivated { alarm, cause } => {
                self.alarm(*alarm, |row| {
                    row.alarm.active = true;
                    row.alarm.acknowledged = false;
                    row.alarm.cause = cause.clone();
                    row.normal_at = None;
                    row.acknowledged_at = None;
                    row.acknowledged_by = None;
                });
            }
            Fact::ReturnedToNormal { alarm, .. } => {
                self.alarm(*alarm, |row| {
                    row.alarm.active = false;
                    row.normal_at = Some(at);
                });
            }
            Fact::Acknowledged { alarm, by } => {
                self.alarm(*alarm, |row| {
                    row.alarm.acknowledged = true;
                    row.acknowledged_at = Some(at);
                    row.acknowledged_by = Some(by.clone());
                });
            }
            Fact::AlarmClosed { alarm } => self.close(at, *alarm),
            Fact::TaskRequested { .. }
            | Fact::TaskOffered { .. }
            | Fact::TaskWaiting { .. }
            | Fact::OfferExpired { .. }
            | Fact::TaskRejected { .. }
            | Fact::TaskAccepted { .. }
            | Fact::TaskStage { .. }
            | Fact::TaskCompleted { .. }
            | Fact::TaskCancelled { .. } => self.task_fact(at, fact),
            Fact::DeviceSilent { device } => {
                self.view.devices_silent.insert(device.clone());
                self.changed.push(Changed::Device(device.clone()));
            }
            Fact::DeviceHeard { device } => {
                if self.view.devices_silent.remove(device.as_str()).is_some() {
                    self.changed.push(Changed::Device(device.clone()));
                }
            }
            Fact::DelayStarted { .. }
            | Fact::DelayCancelled { .. }
            | Fact::ShadowRaised { .. }
            | Fact::ShadowEnded { .. }
            | Fact::DeliveryEnded { .. }
            | Fact::DeviceClockAhead { .. }
            | Fact::MeasuredLate { .. }
            | Fact::ReleasedEarly { .. } => {}
        }
    }

    fn task_fact(&mut self, at: Timestamp, fact: &Fact) {
        match fact {
            Fact::TaskRequested { task, alarm, kind, skill } => {
                if let Some(alarm) = self.view.alarms.get(alarm) {
                    let task = requested(*task, &alarm.alarm, kind, skill, at);
                    self.changed.push(Changed::Task(task.id));
                    self.view.put_task(TaskRow::known_at_start(task));
                }
            }
            Fact::TaskOffered { task, crew, expires_at, .. } => {
                self.task(at, *task, |row| {
                    stand(row, TaskStatus::Requested, Some(TaskStage::Offered), Some(crew));
                    row.task.offer_expires_at = Some(*expires_at);
                });
            }
            Fact::TaskWaiting { task, .. } => {
                self.task(at, *task, |row| stand(row, TaskStatus::Requested, Some(TaskStage::Waiting), None));
            }
            Fact::OfferExpired { task, .. } => {
                self.task(at, *task, |row| stand(row, TaskStatus::Requested, None, None));
            }
            Fact::TaskRejected { task, reason, .. } => {
                self.task(at, *task, |row| {
                    stand(row, TaskStatus::Requested, None, None);
                    row.rejected = Some(*reason);
                });
            }
            Fact::TaskAccepted { task, crew } => {
                self.task(at, *task, |row| stand(row, TaskStatus::Accepted, None, Some(crew)));
            }
            Fact::TaskStage { task, stage } => {
                self.task(at, *task, |row| {
                    row.task.stage = Some(*stage);
                    if matches!(stage, TaskStage::EnRoute | TaskStage::OnSite) {
                        row.task.status = TaskStatus::InProgress;
                    }
                });
            }
            Fact::TaskCompleted { task } => self.end(at, *task, |row| row.task.status = TaskStatus::Completed),
            Fact::TaskCancelled { task, reason } => self.end(at, *task, |row| {
                row.task.status = TaskStatus::Cancelled;
                row.cancelled = Some(*reason);
            }),
            Fact::DelayStarted { .. }
            | Fact::DelayCancelled { .. }
            | Fact::ShadowRaised { .. }
            | Fact::ShadowEnded { .. }
            | Fact::AlarmRaised { .. }
            | Fact::AlarmReactivated { .. }
            | Fact::ReturnedToNormal { .. }
            | Fact::Acknowledged { .. }
            | Fact::AlarmClosed { .. }
            | Fact::DeliveryEnded { .. }
            | Fact::DeviceSilent { .. }
            | Fact::DeviceHeard { .. }
            | Fact::DeviceClockAhead { .. }
            | Fact::MeasuredLate { .. }
            | Fact::ReleasedEarly { .. } => {}
        }
    }

    fn raise(&mut self, raised_at: Timestamp, fact: &Fact) {
        let Fact::AlarmRaised { alarm, rule, asset, priority, cause } = fact else { return };
        self.changed.push(Changed::Alarm(*alarm));
        self.view.put_alarm(AlarmRow::known_at_start(Alarm {
            id: *alarm,
            rule: rule.clone(),
            asset: asset.clone(),
            priority: *priority,
            active: true,
            acknowledged: false,
            raised_at,
            cause: cause.clone(),
        }));
    }

    fn alarm(&mut self, id: AlarmId, change: impl FnOnce(&mut AlarmRow)) -> bool {
        let Some(mut row) = self.view.alarms.get(&id).map(|row| AlarmRow::clone(row)) else { return false };
        change(&mut row);
        self.view.put_alarm(row);
        self.changed.push(Changed::Alarm(id));
        true
    }

    fn close(&mut self, at: Timestamp, id: AlarmId) {
        let open = self.view.alarms.get(&id).is_some_and(|row| row.closed_at.is_none());
        if !open || !self.alarm(id, |row| row.closed_at = Some(at)) {
            return;
        }
        self.view.closed_alarms.push_back(id);
        while self.view.closed_alarms.len() > self.limits.closed_alarms_max {
            let Some(oldest) = self.view.closed_alarms.pop_front() else { break };
            self.view.alarms.remove(&oldest);
            self.changed.push(Changed::Alarm(oldest));
        }
    }

    fn task(&mut self, at: Timestamp, id: TaskId, change: impl FnOnce(&mut TaskRow)) -> bool {
        let Some(mut row) = self.view.tasks.get(&id).map(|row| TaskRow::clone(row)) else { return false };
        change(&mut row);
        row.changed_at = at;
        self.view.put_task(row);
        self.changed.push(Changed::Task(id));
        true
    }

    fn end(&mut self, at: Timestamp, id: TaskId, change: impl FnOnce(&mut TaskRow)) {
        let open = self.view.tasks.get(&id).is_some_and(|row| row.ended_at.is_none());
        let ended = open
            && self.task(at, id, |row| {
                change(row);
                row.task.stage = None;
                row.task.offer_expires_at = None;
                row.ended_at = Some(at);
            });
        if !ended {
            return;
        }
        self.view.ended_tasks.push_back(id);
        while self.view.ended_tasks.len() > self.limits.ended_tasks_max {
            let Some(oldest) = self.view.ended_tasks.pop_front() else { break };
            self.view.tasks.remove(&oldest);
            self.changed.push(Changed::Task(oldest));
        }
    }

    fn quarantine(&mut self, reason: QuarantineReason, at: Timestamp, event: &Event, decision: &Decision) {
        let known = QuarantineReason::ALL.iter().position(|known| *known == reason);
        if let Some(count) = known.and_then(|index| self.view.counts.quarantined.get_mut(index)) {
            *count += 1;
        }
        self.view.quarantine.push_back(Arc::new(quarantine_row(reason, at, event, decision)));
        while self.view.quarantine.len() > self.limits.quarantine_rows_max {
            self.view.quarantine.pop_front();
        }
        self.changed.push(Changed::Quarantine);
    }
}

fn requested(id: TaskId, alarm: &Alarm, kind: &SmolStr, skill: &Skill, requested_at: Timestamp) -> Task {
    Task {
        id,
        alarm: alarm.id,
        asset: alarm.asset.clone(),
        kind: kind.clone(),
        skill: skill.clone(),
        priority: alarm.priority,
        status: TaskStatus::Requested,
        stage: None,
        crew: None,
        offer_expires_at: None,
        requested_at,
        exercise: alarm.cause.exercise,
    }
}

fn stand(row: &mut TaskRow, status: TaskStatus, stage: Option<TaskStage>, crew: Option<&CrewId>) {
    row.task.status = status;
    row.task.stage = stage;
    row.task.crew = crew.cloned();
    row.task.offer_expires_at = None;
}

/// A message may be quarantined by `decode`, with all its particulars, or by the engine after it was understood.
fn quarantine_row(reason: QuarantineReason, at: Timestamp, event: &Event, decision: &Decision) -> QuarantineRow {
    let mut row = QuarantineRow {
        seq: decision.seq,
        reason,
        detail: SmolStr::default(),
        topic: SmolStr::default(),
        device: None,
        received_at: at,
        head: Bytes::new(),
        personal: decision.subject.is_some(),
        length: 0,
    };
    match event {
        Event::Quarantined(quarantined) => {
            row.detail = quarantined.detail.clone();
            row.topic = quarantined.topic.clone();
            row.device.clone_from(&quarantined.device);
            row.received_at = quarantined.received_at;
            if !row.personal {
                row.head = quarantined.head.clone();
            }
            row.length = quarantined.length;
        }
        Event::Observed(observed) => {
            row.device = Some(observed.device.clone());
            row.received_at = observed.received_at;
        }
        Event::Replied(reply) => {
            row.detail = SmolStr::from(format!("crew \"{}\", task {}", reply.crew, reply.task));
            row.received_at = reply.received_at;
        }
        Event::Receipt(_)
        | Event::Commanded(_)
        | Event::Registered(_)
        | Event::Configured(_)
        | Event::Due(_)
        | Event::Started
        | Event::Released { .. }
        | Event::Erased { .. }
        | Event::Expanded { .. } => {}
    }
    row
}
