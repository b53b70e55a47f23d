//! Rule by asset: does the condition hold, since when, and what follows.
//!
//! Judging feeds what rules remember and happens again when recorded history is applied; settling draws the
//! conclusions and happens only when deciding.

use super::state::{Draft, Engine};
use crate::domain::alarm::Cause;
use crate::domain::decision::Fact;
use crate::domain::event::{Deadline, DeadlineReason};
use crate::domain::ids::{AlarmId, AssetId, AssetKind, DeviceId, RuleId};
use crate::domain::observation::Observed;
use crate::domain::time::{Span, Timestamp};
use crate::rules::{Evaluation, Inputs, Memory, Rule, RuleSet, Sample, Truth};
use std::sync::Arc;

/// One rule for one asset.
#[derive(Clone, Debug, Default)]
pub(super) struct Condition {
    pub memory: Memory,
    /// It holds, and the rule's `on_delay` is running.
    pub delay: Option<Delay>,
    /// The alarm it raised that is not settled.
    pub alarm: Option<AlarmId>,
    /// The stateful call that turns true by waiting alone, and when.
    pub wake: Option<(u16, Timestamp)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Delay {
    pub due: Timestamp,
    pub cause: Cause,
}

/// What the rules say about one asset at one moment.
pub(super) struct Judged {
    asset: AssetId,
    device: Option<DeviceId>,
    observed_at: Option<Timestamp>,
    exercise: bool,
    findings: Vec<(Arc<Rule>, Evaluation)>,
}

/// What one message brought: which device, which slots, measured when.
pub(super) struct Fresh<'a> {
    observed: &'a Observed,
    slots: Vec<u16>,
}

impl Fresh<'_> {
    /// Whether the message brought a value that the rule's verdict depends on.
    fn touches(&self, rule: &Rule) -> bool {
        self.slots.iter().any(|slot| rule.reads().binary_search(slot).is_ok())
    }
}

impl Engine {
    /// Takes a device's observations into the state of its asset and judges the asset.
    pub(super) fn take_in(&mut self, now: Timestamp, observed: &Observed) -> Option<Judged> {
        let device = self.inventory.devices.get_mut(&observed.device)?;
        device.silence.heard(observed.received_at);
        device.silence.set_silent(false);
        let asset_id = device.device.asset.clone();
        let asset = self.inventory.assets.get_mut(&asset_id)?;
        let layout = self.rules.slots(&asset.asset.kind);
        let mut slots = Vec::with_capacity(observed.observations.len());
        for observation in &observed.observations {
            let Some(slot) = layout.slot(&observation.property) else { continue };
            let sample = &mut asset.samples[usize::from(slot)];
            if sample.as_ref().is_none_or(|known| known.observed_at <= observation.observed_at) {
                *sample = Some(Sample {
                    value: observation.value.clone(),
                    observed_at: observation.observed_at,
                    received_at: observed.received_at,
                });
                slots.push(slot);
            }
        }
        self.watch_silence(&observed.device);
        self.judge(now, &asset_id, Some(&Fresh { observed, slots }))
    }

    /// Evaluates every rule of the asset's kind and notes when waiting alone would change an answer.
    pub(super) fn judge(&mut self, now: Timestamp, asset_id: &AssetId, fresh: Option<&Fresh>) -> Option<Judged> {
        let state = self.inventory.assets.get(asset_id)?;
        let silent = self.inventory.any_silent(&state.devices);
        let state = self.inventory.assets.get_mut(asset_id)?;
        let inputs = Inputs { samples: &state.samples, attributes: &state.asset.attributes, silent, now };
        let rules = self.rules.for_kind(&state.asset.kind);
        let mut findings = Vec::with_capacity(rules.len());
        for (rule, condition) in rules.iter().zip(&mut state.conditions) {
            let mut evaluation = rule.evaluate(&inputs, &mut condition.memory);
            if rule.momentary && !fresh.is_some_and(|fresh| fresh.touches(rule)) {
                evaluation.when = Truth::False;
            }
            if condition.wake != evaluation.wake {
                condition.wake = evaluation.wake;
                if let Some((node, at)) = evaluation.wake {
                    let why = DeadlineReason::Held { rule: rule.id.clone(), asset: asset_id.clone(), node };
                    self.timers.set(Deadline { at, why });
                }
            }
            findings.push((Arc::clone(rule), evaluation));
        }
        Some(Judged {
            asset: asset_id.clone(),
            device: fresh.map(|fresh| fresh.observed.device.clone()),
            observed_at: fresh
                .and_then(|fresh| fresh.observed.observations.iter().map(|observation| observation.observed_at).max()),
            exercise: fresh.is_some_and(|fresh| fresh.observed.exercise),
            findings,
        })
    }

    /// Draws the conclusions: starts and stops delays, raises alarms, lets them return to normal.
    pub(super) fn settle(&mut self, draft: &mut Draft, judged: Option<Judged>) {
        let Some(judged) = judged else { return };
        let cause = Cause {
            device: judged.device,
            observed_at: judged.observed_at.unwrap_or(draft.now),
            event: draft.seq,
            exercise: judged.exercise,
        };
        for (rule, evaluation) in judged.findings {
            self.settle_rule(draft, &judged.asset, &rule, &evaluation, &cause);
        }
    }

    fn settle_rule(&mut self, draft: &mut Draft, asset: &AssetId, rule: &Rule, evaluation: &Evaluation, cause: &Cause) {
        let Some(condition) = self.condition(&rule.id, asset) else { return };
        let alarm = condition.alarm.and_then(|id| self.alarms.get(&id));
        if let Some(alarm) = alarm.filter(|alarm| alarm.active) {
            let normal = match evaluation.normal_when {
                Some(truth) => truth == Truth::True,
                None => evaluation.when == Truth::False,
            };
            if normal {
                self.return_to_normal(draft, alarm.id);
            }
            return;
        }
        let delayed = condition.delay.is_some();
        let holds = evaluation.when == Truth::True && evaluation.unless != Truth::True;
        let ended = evaluation.when == Truth::False || evaluation.unless == Truth::True;
        if holds && rule.on_delay == Span::ZERO {
            self.raise(draft, rule, asset, cause.clone());
        } else if holds && !delayed {
            let due = draft.now + rule.on_delay;
            let (rule, asset) = (rule.id.clone(), asset.clone());
            self.state(draft, Fact::DelayStarted { rule, asset, due, cause: cause.clone() });
        } else if ended && delayed {
            self.state(draft, Fact::DelayCancelled { rule: rule.id.clone(), asset: asset.clone() });
        }
    }

    /// The condition has held through its `on_delay`.
    pub(super) fn delay_over(&mut self, draft: &mut Draft, rule: &RuleId, asset: &AssetId) {
        let Some(delay) = self.condition(rule, asset).and_then(|condition| condition.delay.clone()) else { return };
        let Some(rule) = self.rules.rule(rule).cloned() else { return };
        self.raise(draft, &rule, asset, delay.cause);
    }

    pub(super) fn delay_due(&self, rule: &RuleId, asset: &AssetId) -> Option<Timestamp> {
        self.condition(rule, asset)?.delay.as_ref().map(|delay| delay.due)
    }

    pub(super) fn held_due(&self, rule: &RuleId, asset: &AssetId, node: u16) -> Option<Timestamp> {
        self.condition(rule, asset)?.wake.filter(|(awaited, _)| *awaited == node).map(|(_, at)| at)
    }

    pub(super) fn condition(&self, rule: &RuleId, asset: &AssetId) -> Option<&Condition> {
        let state = self.inventory.assets.get(asset)?;
        state.conditions.get(place_of(&self.rules, &state.asset.kind, rule)?)
    }

    pub(super) fn condition_mut(&mut self, rule: &RuleId, asset: &AssetId) -> Option<&mut Condition> {
        let state = self.inventory.assets.get_mut(asset)?;
        state.conditions.get_mut(place_of(&self.rules, &state.asset.kind, rule)?)
    }

    /// Sees to it that the device's silence is waited for.
    pub(super) fn watch_silence(&mut self, device: &DeviceId) {
        let Some(state) = self.inventory.devices.get_mut(device).filter(|state| !state.watched) else { return };
        if let Some(at) = state.silence.due(self.started_at) {
            state.watched = true;
            self.timers.set(Deadline { at, why: DeadlineReason::Silent { device: device.clone() } });
        }
    }
}

/// Where a rule stands among those of its kind: the place of its condition in every asset of that kind.
pub(super) fn place_of(rules: &RuleSet, kind: &AssetKind, rule: &RuleId) -> Option<usize> {
    rules.for_kind(kind).iter().position(|known| known.id == *rule)
}
