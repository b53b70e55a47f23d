//! Rules in shadow: judged like the others, and nobody is told.
//!
//! What such a rule would have raised is a fact, so that people see what it would do before it does it. Nothing follows
//! from it: no alarm, no task, no delivery. Whoever enters or leaves the shadow while its condition holds goes on there.

use super::state::{Draft, Engine};
use crate::domain::alarm::{Alarm, Cause};
use crate::domain::decision::Fact;
use crate::domain::ids::{AlarmId, AssetId, RuleId};
use crate::domain::task::CancelReason;
use crate::domain::time::Timestamp;
use crate::rules::{Evaluation, Rule, RuleSet, Truth};
use std::collections::BTreeMap;

/// What rules in shadow would have raised and would not be over, at most one for each rule and asset.
#[derive(Default)]
pub(super) struct Shadows(BTreeMap<RuleId, BTreeMap<AssetId, Shadow>>);

/// An alarm that was not raised, because its rule is in shadow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadow {
    pub raised_at: Timestamp,
    pub cause: Cause,
}

impl Shadows {
    pub fn get(&self, rule: &RuleId, asset: &AssetId) -> Option<&Shadow> {
        self.0.get(rule)?.get(asset)
    }

    pub fn put(&mut self, rule: RuleId, asset: AssetId, shadow: Shadow) {
        self.0.entry(rule).or_default().insert(asset, shadow);
    }

    /// The asset is gone, or is another one under the same name.
    pub fn forget(&mut self, asset: &AssetId) {
        self.0.values_mut().for_each(|of_rule| drop(of_rule.remove(asset)));
        self.0.retain(|_, of_rule| !of_rule.is_empty());
    }

    /// In order of rule and asset.
    pub fn iter(&self) -> impl Iterator<Item = (&RuleId, &AssetId, &Shadow)> {
        self.0.iter().flat_map(|(rule, of_rule)| of_rule.iter().map(move |(asset, shadow)| (rule, asset, shadow)))
    }

    fn remove(&mut self, rule: &RuleId, asset: &AssetId) {
        let Some(of_rule) = self.0.get_mut(rule) else { return };
        of_rule.remove(asset);
        if of_rule.is_empty() {
            self.0.remove(rule);
        }
    }
}

impl Engine {
    /// What rules in shadow would have raised and would not be over, in order of rule and asset.
    pub fn shadows(&self) -> impl Iterator<Item = (&RuleId, &AssetId, &Shadow)> {
        self.shadows.iter()
    }

    /// Whether it would have raised an alarm that would be active.
    pub(super) fn raised_in_shadow(&self, rule: &Rule, asset: &AssetId) -> bool {
        rule.shadow && self.shadows.get(&rule.id, asset).is_some()
    }

    pub(super) fn raise_in_shadow(&mut self, draft: &mut Draft, rule: &Rule, asset: &AssetId, cause: Cause) {
        self.state(draft, Fact::ShadowRaised { rule: rule.id.clone(), asset: asset.clone(), cause });
        if rule.momentary {
            self.end_shadow(draft, &rule.id, asset);
        }
    }

    pub(super) fn end_shadow(&mut self, draft: &mut Draft, rule: &RuleId, asset: &AssetId) {
        self.state(draft, Fact::ShadowEnded { rule: rule.clone(), asset: asset.clone() });
    }

    /// What was so for a moment only.
    pub(super) fn late_in_shadow(&mut self, draft: &mut Draft, rule: &Rule, asset: &AssetId, cause: Cause) {
        if !self.raised_in_shadow(rule, asset) {
            self.raise_in_shadow(draft, rule, asset, cause);
            self.end_shadow(draft, &rule.id, asset);
        }
    }

    /// After other rules have come into force: an open alarm of a rule that is in shadow from here on is closed, and what
    /// a rule would have raised that is in shadow no more is raised at once, each by a deadline of its own.
    pub(super) fn turn_shadows(&mut self, draft: &mut Draft, earlier: &RuleSet) {
        let raises_like = |engine: &Self, rule: &RuleId| match (engine.rules.rule(rule), earlier.rule(rule)) {
            (Some(rule), Some(earlier)) => rule.raises_like(earlier),
            (Some(_) | None, _) => false,
        };
        let in_shadow = |alarm: &&Alarm| self.rules.rule(&alarm.rule).is_some_and(|rule| rule.shadow);
        let entered: Vec<AlarmId> = self.alarms.values().filter(in_shadow).map(|alarm| alarm.id).collect();
        for id in entered {
            let Some(Alarm { rule, asset, active, cause, .. }) = self.alarms.get(&id).cloned() else { continue };
            self.dismiss(draft, id, CancelReason::RuleInShadow);
            if active && raises_like(self, &rule) {
                self.state(draft, Fact::ShadowRaised { rule, asset, cause });
            }
        }
        let live = |rule: &RuleId| self.rules.rule(rule).is_none_or(|rule| !rule.shadow);
        let left: Vec<(RuleId, AssetId, Cause)> = self
            .shadows
            .iter()
            .filter(|(rule, ..)| live(rule))
            .map(|(rule, asset, shadow)| (rule.clone(), asset.clone(), shadow.cause.clone()))
            .collect();
        for (rule, asset, cause) in left {
            self.end_shadow(draft, &rule, &asset);
            if raises_like(self, &rule)
                && let Some(due) = self.moment_of(draft.now, &rule, &asset)
            {
                // It has held through its `on_delay` already.
                self.state(draft, Fact::DelayStarted { rule, asset, due, cause });
            }
        }
    }

    pub(super) fn establish_shadow(&mut self, draft: &Draft, fact: &Fact) {
        if let Fact::ShadowRaised { rule, asset, cause } = fact {
            self.set_course(rule, asset, |course| course.delay = None);
            let shadow = Shadow { raised_at: draft.now, cause: cause.clone() };
            self.shadows.put(rule.clone(), asset.clone(), shadow);
        } else if let Fact::ShadowEnded { rule, asset } = fact {
            self.shadows.remove(rule, asset);
        }
    }

    /// This moment in the time that the rule lives in.
    fn moment_of(&self, now: Timestamp, rule: &RuleId, asset: &AssetId) -> Option<Timestamp> {
        let state = self.inventory.assets.get(asset)?;
        let place = super::conditions::place_of(&self.rules, &state.asset.kind, rule)?;
        let order = state.order.as_deref().filter(|order| order.has_rule(place));
        Some(order.map_or(now, |order| order.time_at(now)))
    }
}

/// Whether the condition has gone.
pub(super) fn normal(evaluation: &Evaluation) -> bool {
    match evaluation.normal_when {
        Some(truth) => truth == Truth::True,
        None => evaluation.when == Truth::False,
    }
}
