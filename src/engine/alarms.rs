//! The life of an alarm: raised, seen, back to normal, settled.
//!
//! The condition and the person's attention are independent facts. An alarm is closed when it has returned to
//! normal, somebody has seen it, and no task about it is open.

use super::conditions::{Course, Delay};
use super::state::{Draft, Engine};
use crate::domain::alarm::{Alarm, Cause};
use crate::domain::decision::{Fact, Seen};
use crate::domain::event::{Deadline, DeadlineReason};
use crate::domain::ids::{AccountId, AlarmId, AssetId};
use crate::domain::reason::{Refusal, Verdict};
use crate::domain::task::{CancelReason, TaskStage};
use crate::domain::time::Timestamp;
use crate::rules::Rule;

impl Engine {
    /// The condition holds: raises the alarm, or wakes the one that had returned to normal without being settled.
    pub(super) fn raise(&mut self, draft: &mut Draft, rule: &Rule, asset: &AssetId, cause: Cause) {
        if rule.shadow {
            self.raise_in_shadow(draft, rule, asset, cause);
            return;
        }
        let known = self.alarm_of(&rule.id, asset);
        let observed_at = cause.observed_at;
        let alarm = if let Some(alarm) = known {
            self.state(draft, Fact::AlarmReactivated { alarm, cause });
            alarm
        } else {
            let alarm = AlarmId(self.last_alarm.0 + 1);
            let (rule_id, asset, priority) = (rule.id.clone(), asset.clone(), rule.priority);
            self.state(draft, Fact::AlarmRaised { alarm, rule: rule_id, asset, priority, cause });
            alarm
        };
        if let Some(template) = rule.task.as_ref().filter(|_| !self.tasks.open_about(alarm)) {
            self.request(draft, alarm, template);
        }
        if rule.momentary {
            self.state(draft, Fact::ReturnedToNormal { alarm, observed_at: Some(observed_at) });
        }
    }

    /// The condition has gone: what nobody has started is withdrawn, what was done is verified.
    pub(super) fn return_to_normal(&mut self, draft: &mut Draft, alarm: AlarmId, observed_at: Timestamp) {
        self.state(draft, Fact::ReturnedToNormal { alarm, observed_at: Some(observed_at) });
        for task in self.tasks.unaccepted_about(alarm) {
            self.cancel(draft, task, CancelReason::SolvedBeforeArrival);
        }
        for task in self.tasks.completed_about(alarm) {
            self.state(draft, Fact::TaskStage { task, stage: TaskStage::Verified });
        }
        self.close_if_settled(draft, alarm);
    }

    pub(super) fn acknowledge_by_account(&mut self, draft: &mut Draft, id: AlarmId, by: &AccountId) -> Verdict {
        let Some(alarm) = self.alarms.get(&id) else {
            let refusal =
                if id <= self.last_alarm && id.0 > 0 { Refusal::AlreadyClosed } else { Refusal::UnknownAlarm };
            return Verdict::Refused(refusal);
        };
        if alarm.acknowledged {
            return Verdict::Refused(Refusal::AlreadyAcknowledged);
        }
        self.state(draft, Fact::Acknowledged { alarm: id, by: Seen::Account(by.clone()) });
        self.close_if_settled(draft, id);
        Verdict::Accepted
    }

    /// A crew that takes or finishes the task has seen the alarm.
    pub(super) fn acknowledge_by_crew(&mut self, draft: &mut Draft, alarm: AlarmId, by: Seen) {
        if self.alarms.get(&alarm).is_some_and(|alarm| !alarm.acknowledged) {
            self.state(draft, Fact::Acknowledged { alarm, by });
        }
    }

    pub(super) fn close_if_settled(&mut self, draft: &mut Draft, id: AlarmId) {
        if self.alarms.get(&id).is_some_and(Alarm::settled) && !self.tasks.open_about(id) {
            self.state(draft, Fact::AlarmClosed { alarm: id });
        }
    }

    /// What an alarm was about is gone: its tasks are cancelled and it is closed whatever its state.
    pub(super) fn dismiss(&mut self, draft: &mut Draft, id: AlarmId, reason: CancelReason) {
        for task in self.tasks.about(id) {
            self.cancel(draft, task, reason);
        }
        if self.alarms.get(&id).is_some_and(|alarm| alarm.active) {
            self.state(draft, Fact::ReturnedToNormal { alarm: id, observed_at: Some(draft.now) });
        }
        self.state(draft, Fact::AlarmClosed { alarm: id });
    }

    pub(super) fn establish_alarm(&mut self, draft: &Draft, fact: &Fact) {
        match fact {
            Fact::DelayStarted { rule, asset, due, cause } => {
                let delay = Delay { due: *due, cause: cause.clone() };
                self.set_course(rule, asset, |course| course.delay = Some(delay));
                let why = DeadlineReason::OnDelay { rule: rule.clone(), asset: asset.clone() };
                self.timers.set(Deadline { at: *due, why });
            }
            Fact::DelayCancelled { rule, asset } => {
                self.set_course(rule, asset, |course| course.delay = None);
            }
            Fact::AlarmRaised { alarm, rule, asset, priority, cause } => {
                let course = Course { delay: None, alarm: Some(*alarm) };
                self.set_course(rule, asset, |known| *known = course);
                self.last_alarm = self.last_alarm.max(*alarm);
                self.alarms.insert(
                    *alarm,
                    Alarm {
                        id: *alarm,
                        rule: rule.clone(),
                        asset: asset.clone(),
                        priority: *priority,
                        active: true,
                        acknowledged: false,
                        raised_at: draft.now,
                        cause: cause.clone(),
                    },
                );
            }
            Fact::AlarmReactivated { alarm, cause } => self.reactivate(*alarm, cause),
            Fact::ReturnedToNormal { alarm, .. } => {
                if let Some(alarm) = self.alarms.get_mut(alarm) {
                    alarm.active = false;
                }
            }
            Fact::Acknowledged { alarm, .. } => {
                if let Some(alarm) = self.alarms.get_mut(alarm) {
                    alarm.acknowledged = true;
                }
            }
            Fact::AlarmClosed { alarm } => self.close(*alarm),
            Fact::ShadowRaised { .. }
            | Fact::ShadowEnded { .. }
            | Fact::TaskRequested { .. }
            | Fact::TaskOffered { .. }
            | Fact::TaskWaiting { .. }
            | Fact::OfferExpired { .. }
            | Fact::TaskRejected { .. }
            | Fact::TaskAccepted { .. }
            | Fact::TaskStage { .. }
            | Fact::TaskCompleted { .. }
            | Fact::TaskCancelled { .. }
            | Fact::DeliveryEnded { .. }
            | Fact::DeviceSilent { .. }
            | Fact::DeviceHeard { .. }
            | Fact::DeviceClockAhead { .. }
            | Fact::MeasuredLate { .. }
            | Fact::ReleasedEarly { .. } => {}
        }
    }

    fn reactivate(&mut self, id: AlarmId, cause: &Cause) {
        let Some(alarm) = self.alarms.get_mut(&id) else { return };
        alarm.active = true;
        alarm.acknowledged = false;
        alarm.cause = cause.clone();
        let (rule, asset) = (alarm.rule.clone(), alarm.asset.clone());
        self.set_course(&rule, &asset, |course| course.delay = None);
    }

    fn close(&mut self, id: AlarmId) {
        let Some(alarm) = self.alarms.remove(&id) else { return };
        self.set_course(&alarm.rule, &alarm.asset, |course| course.alarm = None);
        self.tasks.forget_ended_about(id);
    }
}
