//! The life of a task: requested, offered to one crew at a time, taken, done.
//!
//! Crews are chosen by skill, area and how much they already carry, never by how anyone behaves. An offer that
//! is refused or not answered in time goes to the next crew; when all have been asked, it is asked again later.

use super::state::{Draft, Engine};
use crate::domain::decision::{Delivery, DeliveryEnd, Effect, Fact, Notice, Seen, TaskMessage};
use crate::domain::event::{Answer, Deadline, DeadlineReason, Reply};
use crate::domain::ids::{AlarmId, CrewId, DeliveryId, Seq, TaskId};
use crate::domain::reason::{Refusal, Verdict};
use crate::domain::task::{CancelReason, RejectReason, Task, TaskStage, TaskStatus};
use crate::domain::time::{Span, Timestamp};
use crate::rules::TaskTemplate;
use std::collections::{BTreeMap, BTreeSet};

/// How long a withdrawal or cancellation is worth telling.
const NOTICE_KEPT_FOR: Span = Span::from_hours(12);

#[derive(Clone, Debug, Default)]
pub(super) struct Tasks {
    pub entries: BTreeMap<TaskId, TaskState>,
    pub last: TaskId,
    /// When each crew was last asked: among equals, whoever has waited longest is asked first.
    pub last_offered: BTreeMap<CrewId, Seq>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct TaskState {
    pub task: Task,
    /// Crews that have said no or nothing in this round.
    pub asked: BTreeSet<CrewId>,
    pub retry_at: Option<Timestamp>,
}

impl Tasks {
    pub fn iter(&self) -> impl Iterator<Item = &Task> {
        self.entries.values().map(|state| &state.task)
    }

    pub fn get(&self, id: TaskId) -> Option<&Task> {
        self.entries.get(&id).map(|state| &state.task)
    }

    pub fn offer_due(&self, id: TaskId) -> Option<Timestamp> {
        self.get(id)?.offer_expires_at
    }

    pub fn retry_due(&self, id: TaskId) -> Option<Timestamp> {
        self.entries.get(&id)?.retry_at
    }

    pub fn open_about(&self, alarm: AlarmId) -> bool {
        self.of(alarm).any(|task| !task.status.ended())
    }

    pub fn about(&self, alarm: AlarmId) -> Vec<TaskId> {
        self.of(alarm).filter(|task| !task.status.ended()).map(|task| task.id).collect()
    }

    pub fn unaccepted_about(&self, alarm: AlarmId) -> Vec<TaskId> {
        self.of(alarm).filter(|task| task.status == TaskStatus::Requested).map(|task| task.id).collect()
    }

    pub fn completed_about(&self, alarm: AlarmId) -> Vec<TaskId> {
        let unverified = |task: &&Task| task.status == TaskStatus::Completed && task.stage != Some(TaskStage::Verified);
        self.of(alarm).filter(unverified).map(|task| task.id).collect()
    }

    /// A closed alarm needs its ended tasks no longer; open ones stay until they end.
    pub fn forget_ended_about(&mut self, alarm: AlarmId) {
        self.entries.retain(|_, state| state.task.alarm != alarm || !state.task.status.ended());
    }

    fn of(&self, alarm: AlarmId) -> impl Iterator<Item = &Task> {
        self.iter().filter(move |task| task.alarm == alarm)
    }

    fn carried_by(&self, crew: &CrewId) -> usize {
        self.iter().filter(|task| !task.status.ended() && task.crew.as_ref() == Some(crew)).count()
    }
}

impl Engine {
    /// Asks for work on an alarm and offers it at once.
    pub(super) fn request(&mut self, draft: &mut Draft, alarm: AlarmId, template: &TaskTemplate) {
        let task = TaskId(self.tasks.last.0 + 1);
        let (kind, skill) = (template.kind.clone(), template.skill.clone());
        self.state(draft, Fact::TaskRequested { task, alarm, kind, skill });
        self.offer(draft, task);
    }

    /// Offers the task to the next crew, or waits when nobody is left to ask.
    pub(super) fn offer(&mut self, draft: &mut Draft, id: TaskId) {
        let Some(task) = self.tasks.get(id).cloned() else { return };
        let policy =
            self.configuration.as_ref().map(|configuration| configuration.dispatch.clone()).unwrap_or_default();
        let Some(crew) = self.next_crew(id) else {
            self.state(draft, Fact::TaskWaiting { task: id, retry_at: draft.now + policy.retry_after });
            return;
        };
        let expires_at = draft.now + policy.offer_timeout(task.priority);
        let delivery = self.tell(draft, &task, &crew, Notice::Offered, expires_at);
        if let Some(delivery) = delivery {
            self.state(draft, Fact::TaskOffered { task: id, crew, expires_at, delivery });
        }
    }

    pub(super) fn expire_offer(&mut self, draft: &mut Draft, id: TaskId) {
        let Some(task) = self.tasks.get(id).cloned() else { return };
        let Some(crew) = task.crew.clone() else { return };
        self.state(draft, Fact::OfferExpired { task: id, crew: crew.clone() });
        let unseen = self.end_offer(draft, id, DeliveryEnd::Expired);
        if !unseen {
            self.tell(draft, &task, &crew, Notice::Withdrawn, draft.now + NOTICE_KEPT_FOR);
        }
        self.offer(draft, id);
    }

    pub(super) fn reply(&mut self, draft: &mut Draft, reply: &Reply) -> Verdict {
        let Some(task) = self.tasks.get(reply.task).cloned() else {
            let known = reply.task <= self.tasks.last && reply.task.0 > 0;
            return Verdict::Refused(if known { Refusal::AlreadyClosed } else { Refusal::UnknownTask });
        };
        if task.crew.as_ref() != Some(&reply.crew) {
            return Verdict::Refused(Refusal::NotOfferedToThisCrew);
        }
        match (task.status, reply.answer) {
            (TaskStatus::Requested, Answer::Accepted) => self.accept(draft, &task, &reply.crew),
            (TaskStatus::Requested, Answer::Rejected(reason)) => self.reject(draft, &task, &reply.crew, reason),
            (TaskStatus::Accepted | TaskStatus::InProgress, Answer::Rejected(reason)) => {
                self.reject(draft, &task, &reply.crew, reason);
            }
            // Said twice is said once.
            (TaskStatus::Accepted | TaskStatus::InProgress, Answer::Accepted)
            | (TaskStatus::Completed, Answer::Completed) => {}
            (TaskStatus::Requested | TaskStatus::Accepted | TaskStatus::InProgress, answer) => {
                // Whoever is on the way, there, or done has accepted, even when that message was lost.
                if task.status == TaskStatus::Requested {
                    self.accept(draft, &task, &reply.crew);
                }
                self.advance(draft, &task, &reply.crew, answer);
            }
            (
                TaskStatus::Completed | TaskStatus::Failed | TaskStatus::Cancelled | TaskStatus::Rejected,
                Answer::Accepted | Answer::Rejected(_) | Answer::EnRoute | Answer::OnSite | Answer::Completed,
            ) => return Verdict::Refused(Refusal::AlreadyClosed),
        }
        Verdict::Accepted
    }

    pub(super) fn cancel_by_operator(&mut self, draft: &mut Draft, id: TaskId) -> Verdict {
        let Some(task) = self.tasks.get(id) else { return Verdict::Refused(Refusal::UnknownTask) };
        if task.status.ended() {
            return Verdict::Refused(Refusal::AlreadyClosed);
        }
        let alarm = task.alarm;
        self.cancel(draft, id, CancelReason::Operator);
        self.close_if_settled(draft, alarm);
        Verdict::Accepted
    }

    /// Withdraws a task and tells whoever has heard of it.
    pub(super) fn cancel(&mut self, draft: &mut Draft, id: TaskId, reason: CancelReason) {
        let Some(task) = self.tasks.get(id).cloned() else { return };
        let unseen = self.end_offer(draft, id, DeliveryEnd::Superseded);
        if let Some(crew) = task.crew.as_ref().filter(|_| !unseen || task.status != TaskStatus::Requested) {
            self.tell(draft, &task, crew, Notice::Cancelled(reason), draft.now + NOTICE_KEPT_FOR);
        }
        self.state(draft, Fact::TaskCancelled { task: id, reason });
    }

    fn accept(&mut self, draft: &mut Draft, task: &Task, crew: &CrewId) {
        self.end_deliveries(draft, task.id, crew, DeliveryEnd::Delivered);
        self.state(draft, Fact::TaskAccepted { task: task.id, crew: crew.clone() });
        self.acknowledge_by_crew(draft, task.alarm, Seen::Crew(crew.clone()));
    }

    fn reject(&mut self, draft: &mut Draft, task: &Task, crew: &CrewId, reason: RejectReason) {
        self.end_deliveries(draft, task.id, crew, DeliveryEnd::Delivered);
        self.state(draft, Fact::TaskRejected { task: task.id, crew: crew.clone(), reason });
        self.offer(draft, task.id);
    }

    fn advance(&mut self, draft: &mut Draft, task: &Task, crew: &CrewId, answer: Answer) {
        match answer {
            Answer::EnRoute => self.state(draft, Fact::TaskStage { task: task.id, stage: TaskStage::EnRoute }),
            Answer::OnSite => self.state(draft, Fact::TaskStage { task: task.id, stage: TaskStage::OnSite }),
            Answer::Completed => {
                self.state(draft, Fact::TaskCompleted { task: task.id });
                self.acknowledge_by_crew(draft, task.alarm, Seen::Crew(crew.clone()));
                if self.alarms.get(&task.alarm).is_some_and(|alarm| !alarm.active) {
                    self.state(draft, Fact::TaskStage { task: task.id, stage: TaskStage::Verified });
                }
                self.close_if_settled(draft, task.alarm);
            }
            Answer::Accepted | Answer::Rejected(_) => {}
        }
    }

    /// Among crews that may be sent and were not asked yet: the one carrying least, then longest without an offer.
    fn next_crew(&self, id: TaskId) -> Option<CrewId> {
        let state = self.tasks.entries.get(&id)?;
        let area = self.inventory.asset(&state.task.asset).and_then(|asset| asset.area.clone());
        self.inventory
            .crews()
            .filter(|crew| crew.can_take(&state.task.skill, area.as_ref()) && !state.asked.contains(&crew.id))
            .min_by_key(|crew| {
                let carried = self.tasks.carried_by(&crew.id);
                (carried, self.tasks.last_offered.get(&crew.id).copied(), crew.id.clone())
            })
            .map(|crew| crew.id.clone())
    }

    fn tell(
        &mut self,
        draft: &mut Draft,
        task: &Task,
        crew: &CrewId,
        notice: Notice,
        expires_at: Timestamp,
    ) -> Option<DeliveryId> {
        let alarm = self.alarms.get(&task.alarm)?;
        let n = u16::try_from(draft.effects.len()).ok()?;
        let id = DeliveryId { seq: draft.seq, n };
        let message = TaskMessage {
            notice,
            task: task.id,
            alarm: task.alarm,
            kind: task.kind.clone(),
            priority: task.priority,
            asset: task.asset.clone(),
            device: alarm.cause.device.clone(),
            observed_at: alarm.cause.observed_at,
            caused_by: alarm.cause.event,
            exercise: task.exercise,
        };
        self.order(draft, Effect::Deliver(Delivery { id, crew: crew.clone(), message, expires_at }));
        Some(id)
    }

    pub(super) fn establish_task(&mut self, draft: &Draft, fact: &Fact) {
        match fact {
            Fact::TaskRequested { task, alarm, kind, skill } => {
                let Some(cause) = self.alarms.get(alarm) else { return };
                let requested = Task {
                    id: *task,
                    alarm: *alarm,
                    asset: cause.asset.clone(),
                    kind: kind.clone(),
                    skill: skill.clone(),
                    priority: cause.priority,
                    status: TaskStatus::Requested,
                    stage: None,
                    crew: None,
                    offer_expires_at: None,
                    requested_at: draft.now,
                    exercise: cause.cause.exercise,
                };
                self.tasks.last = self.tasks.last.max(*task);
                let state = TaskState { task: requested, asked: BTreeSet::new(), retry_at: None };
                self.tasks.entries.insert(*task, state);
            }
            Fact::TaskOffered { task, crew, expires_at, .. } => {
                self.tasks.last_offered.insert(crew.clone(), draft.seq);
                let why = DeadlineReason::OfferExpired { task: *task };
                self.timers.set(Deadline { at: *expires_at, why });
                self.change_task(*task, |state| {
                    state.retry_at = None;
                    state.task.stage = Some(TaskStage::Offered);
                    state.task.crew = Some(crew.clone());
                    state.task.offer_expires_at = Some(*expires_at);
                });
            }
            Fact::TaskWaiting { task, retry_at } => {
                self.timers.set(Deadline { at: *retry_at, why: DeadlineReason::RetryTask { task: *task } });
                self.change_task(*task, |state| {
                    state.asked.clear();
                    state.retry_at = Some(*retry_at);
                    state.task.stage = Some(TaskStage::Waiting);
                });
            }
            Fact::OfferExpired { task, crew } | Fact::TaskRejected { task, crew, .. } => {
                self.change_task(*task, |state| state.free(crew));
            }
            Fact::TaskAccepted { task, crew } => self.change_task(*task, |state| {
                state.task.crew = Some(crew.clone());
                state.task.status = TaskStatus::Accepted;
                state.task.stage = None;
                state.task.offer_expires_at = None;
            }),
            Fact::TaskStage { task, stage } => self.change_task(*task, |state| state.reach(*stage)),
            Fact::TaskCompleted { task } => self.change_task(*task, |state| state.end(TaskStatus::Completed)),
            Fact::TaskCancelled { task, .. } => {
                self.change_task(*task, |state| state.end(TaskStatus::Cancelled));
                self.forget_if_orphaned(*task);
            }
            Fact::DelayStarted { .. }
            | Fact::DelayCancelled { .. }
            | Fact::AlarmRaised { .. }
            | Fact::AlarmReactivated { .. }
            | Fact::ReturnedToNormal { .. }
            | Fact::Acknowledged { .. }
            | Fact::AlarmClosed { .. }
            | Fact::DeliveryEnded { .. }
            | Fact::DeviceSilent { .. }
            | Fact::DeviceHeard { .. }
            | Fact::DeviceClockAhead { .. } => {}
        }
    }

    fn change_task(&mut self, id: TaskId, change: impl FnOnce(&mut TaskState)) {
        if let Some(state) = self.tasks.entries.get_mut(&id) {
            change(state);
        }
    }

    fn forget_if_orphaned(&mut self, id: TaskId) {
        let orphaned = self.tasks.get(id).is_some_and(|task| !self.alarms.contains_key(&task.alarm));
        if orphaned {
            self.tasks.entries.remove(&id);
        }
    }
}

impl TaskState {
    fn free(&mut self, crew: &CrewId) {
        self.asked.insert(crew.clone());
        self.task.status = TaskStatus::Requested;
        self.task.stage = None;
        self.task.crew = None;
        self.task.offer_expires_at = None;
    }

    fn reach(&mut self, stage: TaskStage) {
        self.task.stage = Some(stage);
        if matches!(stage, TaskStage::EnRoute | TaskStage::OnSite) {
            self.task.status = TaskStatus::InProgress;
        }
    }

    fn end(&mut self, status: TaskStatus) {
        self.task.status = status;
        self.task.stage = None;
        self.task.offer_expires_at = None;
        self.retry_at = None;
    }
}
