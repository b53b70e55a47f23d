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
use crate::rules::{Rule, TaskTemplate};
use std::collections::{BTreeMap, BTreeSet};

/// How long a withdrawal or cancellation is worth telling.
const NOTICE_KEPT_FOR: Span = Span::from_hours(12);

/// After work that was reported done, values are not held against it for this long, or for the rule's `on_delay` where
/// that is longer.
const SETTLES_WITHIN: Span = Span::from_mins(1);
/// And so many times longer for each further time that it did not help: 1 minute, 8, an hour, 8 hours.
const AGAIN_LATER_BY: i64 = 8;

#[derive(Clone, Debug, Default)]
pub(super) struct Tasks {
    entries: BTreeMap<TaskId, TaskState>,
    /// Every entry by its alarm.
    by_alarm: BTreeSet<(AlarmId, TaskId)>,
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
    pub ended_at: Option<Timestamp>,
}

impl Tasks {
    pub fn insert(&mut self, state: TaskState) {
        let Task { id, alarm, .. } = state.task;
        self.last = self.last.max(id);
        self.by_alarm.insert((alarm, id));
        self.entries.insert(id, state);
    }

    fn remove(&mut self, id: TaskId) {
        if let Some(state) = self.entries.remove(&id) {
            self.by_alarm.remove(&(state.task.alarm, id));
        }
    }

    pub fn states(&self) -> impl Iterator<Item = &TaskState> {
        self.entries.values()
    }

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

    /// When the alarm's newest task was reported done, and how many were; `None` when it is open, or ended otherwise.
    fn done(&self, alarm: AlarmId) -> Option<(Timestamp, u32)> {
        let completed = |state: &&TaskState| state.task.status == TaskStatus::Completed;
        let newest = self.states_of(alarm).next_back().filter(completed)?;
        Some((newest.ended_at?, self.states_of(alarm).filter(completed).count() as u32))
    }

    /// A closed alarm needs its ended tasks no longer; open ones stay until they end.
    pub fn forget_ended_about(&mut self, alarm: AlarmId) {
        let ended: Vec<_> = self.of(alarm).filter(|task| task.status.ended()).map(|task| task.id).collect();
        for id in ended {
            self.remove(id);
        }
    }

    fn of(&self, alarm: AlarmId) -> impl Iterator<Item = &Task> {
        self.states_of(alarm).map(|state| &state.task)
    }

    fn states_of(&self, alarm: AlarmId) -> impl DoubleEndedIterator<Item = &TaskState> {
        let theirs = (alarm, TaskId(0))..=(alarm, TaskId(u64::MAX));
        self.by_alarm.range(theirs).filter_map(|(_, id)| self.entries.get(id))
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

    /// The work was reported done and the condition was measured again after it: the work is asked for again. What
    /// was measured before the work, or within its settling time, says nothing about it. Work that has not helped
    /// several times is asked for ever more rarely: a sensor that is stuck must not send crews all day.
    pub(super) fn ask_again(&mut self, draft: &mut Draft, alarm: AlarmId, rule: &Rule, measured_at: Timestamp) {
        let (Some((done_at, rounds)), Some(template)) = (self.tasks.done(alarm), &rule.task) else { return };
        let settles = rule.on_delay.max(SETTLES_WITHIN).as_micros();
        let wait = settles.saturating_mul(AGAIN_LATER_BY.saturating_pow(rounds.saturating_sub(1)));
        if measured_at.since(done_at) > Span::from_micros(wait) {
            self.request(draft, alarm, template);
        }
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
                self.tasks.insert(TaskState::of(requested));
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
            Fact::TaskAccepted { task, crew } => self.change_task(*task, |state| state.accept(crew)),
            Fact::TaskStage { task, stage } => self.change_task(*task, |state| state.reach(*stage)),
            Fact::TaskCompleted { task } => {
                self.change_task(*task, |state| state.end(TaskStatus::Completed, draft.now));
            }
            Fact::TaskCancelled { task, .. } => {
                self.change_task(*task, |state| state.end(TaskStatus::Cancelled, draft.now));
                self.forget_if_orphaned(*task);
            }
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

    fn change_task(&mut self, id: TaskId, change: impl FnOnce(&mut TaskState)) {
        if let Some(state) = self.tasks.entries.get_mut(&id) {
            change(state);
        }
    }

    fn forget_if_orphaned(&mut self, id: TaskId) {
        let orphaned = self.tasks.get(id).is_some_and(|task| !self.alarms.contains_key(&task.alarm));
        if orphaned {
            self.tasks.remove(id);
        }
    }
}

impl TaskState {
    const fn of(task: Task) -> Self {
        Self { task, asked: BTreeSet::new(), retry_at: None, ended_at: None }
    }

    fn accept(&mut self, crew: &CrewId) {
        self.task.crew = Some(crew.clone());
        self.task.status = TaskStatus::Accepted;
        self.task.stage = None;
        self.task.offer_expires_at = None;
    }

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

    fn end(&mut self, status: TaskStatus, at: Timestamp) {
        self.task.status = status;
        self.task.stage = None;
        self.task.offer_expires_at = None;
        self.retry_at = None;
        self.ended_at = Some(at);
    }
}
