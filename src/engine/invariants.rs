//! What must be true after every event. The simulation asks after each step; a running gateway asks after a start.

use super::state::Engine;
use crate::domain::task::{TaskStage, TaskStatus};

impl Engine {
    /// Every broken promise about the state, in words; empty when all hold.
    #[must_use]
    pub fn broken_invariants(&self) -> Vec<String> {
        let mut broken = Vec::new();
        self.check_alarms(&mut broken);
        self.check_tasks(&mut broken);
        self.check_deliveries(&mut broken);
        self.check_orders(&mut broken);
        self.check_shadows(&mut broken);
        if self.calendars().is_some_and(|calendars| !calendars.in_order()) {
            broken.push("the tables of the calendars are not in order".to_owned());
        }
        broken
    }

    fn check_alarms(&self, broken: &mut Vec<String>) {
        for alarm in self.alarms.values() {
            let owner = self.alarm_of(&alarm.rule, &alarm.asset);
            if owner != Some(alarm.id) {
                broken.push(format!("alarm {} of rule {} is not its condition's alarm", alarm.id, alarm.rule));
            }
            if alarm.settled() && !self.tasks.open_about(alarm.id) {
                broken.push(format!("alarm {} is settled but not closed", alarm.id));
            }
        }
        for state in self.inventory.assets.values() {
            for alarm in state.courses.iter().filter_map(|(_, course)| course.alarm) {
                if !self.alarms.contains_key(&alarm) {
                    broken.push(format!("asset {} refers to alarm {alarm}, which is closed", state.asset.id));
                }
            }
        }
    }

    fn check_tasks(&self, broken: &mut Vec<String>) {
        for task in self.tasks.iter() {
            let id = task.id;
            if !self.alarms.contains_key(&task.alarm) {
                broken.push(format!("task {id} is about alarm {}, which is closed", task.alarm));
            }
            let offered = task.stage == Some(TaskStage::Offered);
            if offered != task.offer_expires_at.is_some() {
                broken.push(format!("task {id} is offered without an end, or has an end without an offer"));
            }
            if offered && task.crew.is_none() {
                broken.push(format!("task {id} is offered to nobody"));
            }
            let waits = task.status == TaskStatus::Requested && !offered;
            if waits && self.tasks.retry_due(id).is_none() {
                broken.push(format!("task {id} is requested, but nobody will be asked"));
            }
        }
    }

    fn check_orders(&self, broken: &mut Vec<String>) {
        let mut held_back = 0;
        for state in self.inventory.assets.values() {
            let Some(order) = state.order.as_deref() else { continue };
            held_back += order.waiting.len();
            if order.waiting.len() > self.limits.held_back_per_asset {
                broken.push(format!("asset {} holds back {} values", state.asset.id, order.waiting.len()));
            }
        }
        if held_back != self.held_back {
            broken.push(format!("{held_back} values are held back, and {} are counted", self.held_back));
        }
    }

    fn check_shadows(&self, broken: &mut Vec<String>) {
        for (rule, asset, _) in self.shadows.iter() {
            let known = self.rules.rule(rule);
            if known.is_none_or(|rule| !rule.shadow) || self.seat_of(rule, asset).is_none() {
                broken.push(format!("{rule} would have raised an alarm for {asset}, and is not in shadow there"));
            }
        }
        for alarm in self.alarms.values() {
            if self.rules.rule(&alarm.rule).is_some_and(|rule| rule.shadow) {
                broken.push(format!("alarm {} is open, and its rule {} is in shadow", alarm.id, alarm.rule));
            }
        }
    }

    fn check_deliveries(&self, broken: &mut Vec<String>) {
        for delivery in self.deliveries.iter() {
            if delivery.id.seq > self.seq {
                broken.push(format!("delivery {} comes from an event that has not happened", delivery.id));
            }
            if self.timers.is_empty() {
                broken.push(format!("delivery {} is pending, but nothing is waited for", delivery.id));
            }
        }
    }
}
