//! What crews say about their work, as estimators hear it: that a container was emptied, that a person was turned.
//!
//! What a task is about follows from what its rule asks: one that asks `emptied()` is to empty, one that asks for the
//! exposure of a zone is to relieve it. A word is heard before the reply is taken on, when deciding and when a record
//! is applied.

use super::conditions::Judged;
use super::estimators::{Estimator, fill_settings};
use super::inventory::AssetState;
use super::state::Engine;
use crate::domain::event::{Answer, Reply};
use crate::domain::ids::AssetId;
use crate::domain::task::TaskStatus;
use crate::domain::time::Timestamp;
use crate::rules::{Quantity, Rule};
use std::sync::Arc;

impl Engine {
    /// Whether somebody was asked to empty it: an open task of a rule that asks whether that has happened.
    pub(super) fn emptying_asked(&self, asset: &AssetId) -> bool {
        self.inventory.assets.get(asset).is_some_and(|state| self.emptying_asked_of(state))
    }

    pub(super) fn emptying_asked_of(&self, state: &AssetState) -> bool {
        if state.courses.is_empty() {
            return false;
        }
        let rules = self.rules.for_kind(&state.asset.kind);
        state.courses.iter().any(|(place, course)| {
            let emptying = rules.get(*place).is_some_and(|rule| rule.is_about_emptying());
            course.alarm.is_some_and(|alarm| emptying && self.tasks.open_about(alarm))
        })
    }

    /// The crew says that its work is done: where that changes what an estimator knows, the asset is judged.
    pub(super) fn take_word(&mut self, now: Timestamp, reply: &Reply) -> Vec<Judged> {
        let Some((asset, rule)) = self.says_done(reply) else { return Vec::new() };
        let Some(state) = self.inventory.assets.get_mut(&asset) else { return Vec::new() };
        let (layout, followed) = (self.rules.slots(&state.asset.kind), self.rules.followed(&state.asset.kind));
        let mut changed = false;
        for (followed, estimator) in followed.iter().zip(&mut state.estimators) {
            // What is followed in the order of its values hears it at the moment that it has come to.
            let order = state.order.as_deref().filter(|order| order.may_be_late(followed.slot));
            let now = order.map_or(now, |order| order.time_at(now));
            match (followed.quantity, estimator) {
                (Quantity::Fill { full }, Some(Estimator::Fill(container))) if rule.is_about_emptying() => {
                    if let Some(event) = container.fill.crew_done(&fill_settings(full), now) {
                        container.found.add(event.fact);
                        changed = true;
                    }
                }
                (Quantity::Exposure, Some(Estimator::Exposure(body)))
                    if rule.questions().any(|question| question.followed == *followed) =>
                {
                    if let Some(property) = layout.names().nth(usize::from(followed.slot)) {
                        let settings = body.settings(&state.asset, property);
                        body.zone.staff_turned(&settings, now);
                        changed = true;
                    }
                }
                (Quantity::Fill { .. } | Quantity::Exposure, _) => {}
            }
        }
        if changed { self.judge_by_time(now, &asset, None) } else { Vec::new() }
    }

    /// The asset and the rule of an open task that the reply ends.
    fn says_done(&self, reply: &Reply) -> Option<(AssetId, Arc<Rule>)> {
        let task = self.tasks.get(reply.task).filter(|task| task.crew.as_ref() == Some(&reply.crew))?;
        let open = matches!(task.status, TaskStatus::Requested | TaskStatus::Accepted | TaskStatus::InProgress);
        let rule = self.rules.rule(&self.alarms.get(&task.alarm)?.rule)?;
        (open && reply.answer == Answer::Completed).then(|| (task.asset.clone(), Arc::clone(rule)))
    }
}
