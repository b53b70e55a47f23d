//! Rule by asset: does the condition hold, since when, and what follows.
//!
//! Judging feeds what rules remember and happens again when recorded history is applied; settling draws the
//! conclusions and happens only when deciding.

use super::answers::answers;
use super::estimators::Circumstances;
use super::inventory::AssetState;
use super::state::{Draft, Engine};
use crate::domain::alarm::Cause;
use crate::domain::decision::Fact;
use crate::domain::event::{Deadline, DeadlineReason, TurnedBy};
use crate::domain::ids::{AlarmId, AssetId, AssetKind, DeviceId, RuleId};
use crate::domain::observation::{Observation, Observed};
use crate::domain::time::{Span, Timestamp};
use crate::rules::{Evaluation, Inputs, Memory, Rule, RuleSet, Sample, Truth};
use std::borrow::Cow;
use std::sync::Arc;

/// The node of a deadline that no call asks for: the asset is judged anew.
const ANEW: u16 = u16::MAX;

/// One rule for one asset.
#[derive(Clone, Debug, Default)]
pub(super) struct Condition {
    pub memory: Memory,
    /// It holds, and the rule's `on_delay` is running.
    pub delay: Option<Box<Delay>>,
    /// The alarm it raised that is not settled.
    pub alarm: Option<AlarmId>,
    /// When what the rule says may turn without a message, and by which of its calls.
    pub wake: Option<(u16, Timestamp)>,
    /// The earliest entry among the timers for that: the same moment, or one before it.
    pub timer: Option<Timestamp>,
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
    findings: Vec<Finding>,
}

struct Finding {
    /// Its place among the rules of the asset's kind.
    place: usize,
    rule: Arc<Rule>,
    evaluation: Evaluation,
    /// The message brought the newest of a value it depends on.
    renewed: bool,
}

/// What one message brought, by slot.
pub(super) struct Fresh<'a> {
    observed: &'a Observed,
    /// Slots that now hold its values.
    newest: Vec<u16>,
    /// Its other values, in order of time: measured before what was known already, or before its own newest.
    earlier: Vec<(u16, Sample)>,
}

impl Fresh<'_> {
    /// Whether the message brought the newest of a value that the rule's verdict depends on.
    fn renews(&self, rule: &Rule) -> bool {
        self.newest.iter().any(|slot| rule.reads().binary_search(slot).is_ok())
    }

    /// Values the rule reads, of which the message brought none that is the newest.
    fn late_for<'s>(&'s self, rule: &'s Rule) -> impl Iterator<Item = &'s (u16, Sample)> {
        let late = |slot: &u16| rule.reads().binary_search(slot).is_ok() && !self.newest.contains(slot);
        self.earlier.iter().filter(move |(slot, _)| late(slot))
    }

    /// The values a momentary rule is judged by: a press is a press, also when it arrives after a later one.
    /// `None` when the message brought nothing the rule reads.
    fn moment<'s>(&self, rule: &Rule, known: &'s [Option<Sample>]) -> Option<Cow<'s, [Option<Sample>]>> {
        let mut late = self.late_for(rule).peekable();
        if late.peek().is_none() {
            return self.renews(rule).then_some(Cow::Borrowed(known));
        }
        let mut values = known.to_vec();
        for (slot, sample) in late {
            values[usize::from(*slot)] = Some(sample.clone());
        }
        Some(Cow::Owned(values))
    }
}

impl Engine {
    /// Takes a device's observations into the state of its asset and judges the asset.
    pub(super) fn take_in(&mut self, now: Timestamp, observed: &Observed) -> Option<Judged> {
        let device = self.inventory.devices.get_mut(&observed.device)?;
        device.silence.heard(observed.received_at);
        device.silence.set_silent(false);
        let asset_id = device.device.asset.clone();
        let emptying_asked = self.emptying_asked(&asset_id);
        let asset = self.inventory.assets.get_mut(&asset_id)?;
        let layout = self.rules.slots(&asset.asset.kind);
        let mut newest = Vec::with_capacity(observed.observations.len());
        let mut earlier = Vec::new();
        for observation in &observed.observations {
            let Some(slot) = layout.slot(&observation.property) else { continue };
            let sample = Sample {
                value: observation.value.clone(),
                observed_at: measured_at(observed, observation),
                received_at: observed.received_at,
            };
            let known = &mut asset.samples[usize::from(slot)];
            if known.as_ref().is_some_and(|known| known.observed_at > sample.observed_at) {
                earlier.push((slot, sample));
                continue;
            }
            let before = known.replace(sample);
            if !newest.contains(&slot) {
                newest.push(slot);
            } else if let Some(before) = before {
                earlier.push((slot, before));
            }
        }
        earlier.sort_by_key(|(_, sample)| sample.observed_at);
        let calendars = self.configuration.as_deref().map(|configuration| &configuration.calendars);
        let neighbourhoods = &mut self.neighbourhoods;
        asset.follow(&self.rules, observed, Circumstances { calendars, neighbourhoods, emptying_asked });
        self.watch_silence(&observed.device);
        self.judge(now, &asset_id, Some(&Fresh { observed, newest, earlier }))
    }

    /// Evaluates every rule of the asset's kind and notes when waiting alone would change an answer. None when nothing
    /// can follow.
    pub(super) fn judge(&mut self, now: Timestamp, asset_id: &AssetId, fresh: Option<&Fresh>) -> Option<Judged> {
        let state = self.inventory.assets.get(asset_id)?;
        let silent = self.inventory.any_silent(&state.devices);
        let calendars = self.configuration.as_deref().map(|configuration| &configuration.calendars);
        let estimates = answers(state, &self.rules, calendars, now);
        let state = self.inventory.assets.get_mut(asset_id)?;
        let inputs = Inputs {
            samples: &state.samples,
            fresh: fresh.map_or(&[], |fresh| &fresh.newest),
            earlier: fresh.map_or(&[], |fresh| &fresh.earlier),
            asset: &state.asset,
            calendars,
            estimates: &estimates,
            silent,
            now,
        };
        let rules = self.rules.for_kind(&state.asset.kind);
        let mut findings = Vec::new();
        for (place, (rule, condition)) in rules.iter().zip(&mut state.conditions).enumerate() {
            let evaluation = if rule.momentary {
                let values = fresh.and_then(|fresh| fresh.moment(rule, &state.samples));
                let samples = values.as_deref().unwrap_or(&state.samples);
                let mut evaluation = rule.evaluate(&Inputs { samples, ..inputs }, &mut condition.memory);
                if values.is_none() {
                    evaluation.when = Truth::False;
                }
                // It is judged by messages only.
                evaluation.wake = None;
                evaluation
            } else {
                rule.evaluate(&inputs, &mut condition.memory)
            };
            condition.wake = evaluation.wake;
            // An entry that comes too early is moved when it comes: messages that put the moment off cost nothing here.
            if let Some((_, at)) = evaluation.wake
                && condition.timer.is_none_or(|timer| at < timer)
                && let Some(deadline) = condition.turns(rule, asset_id)
            {
                condition.timer = Some(at);
                self.timers.set(deadline);
            }
            // Nearly always nothing holds, nothing did, and nothing follows.
            if holds(&evaluation) || condition.delay.is_some() || condition.alarm.is_some() {
                let renewed = fresh.is_some_and(|fresh| fresh.renews(rule));
                findings.push(Finding { place, rule: Arc::clone(rule), evaluation, renewed });
            }
        }
        if findings.is_empty() {
            return None;
        }
        Some(Judged {
            asset: asset_id.clone(),
            device: fresh.map(|fresh| fresh.observed.device.clone()),
            observed_at: fresh.and_then(|fresh| {
                fresh.observed.observations.iter().map(|observation| measured_at(fresh.observed, observation)).max()
            }),
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
            rule_version: None,
        };
        for finding in judged.findings {
            self.settle_rule(draft, &judged.asset, &finding, &cause);
        }
    }

    fn settle_rule(&mut self, draft: &mut Draft, asset: &AssetId, finding: &Finding, cause: &Cause) {
        let Finding { place, rule, evaluation, renewed } = finding;
        let holds = holds(evaluation);
        let Some(condition) = self.inventory.assets.get(asset).and_then(|state| state.conditions.get(*place)) else {
            return;
        };
        let alarm = condition.alarm.and_then(|id| self.alarms.get(&id));
        if let Some(alarm) = alarm.filter(|alarm| alarm.active) {
            let normal = match evaluation.normal_when {
                Some(truth) => truth == Truth::True,
                None => evaluation.when == Truth::False,
            };
            let id = alarm.id;
            if normal {
                self.return_to_normal(draft, id);
            } else if holds && *renewed {
                self.ask_again(draft, id, rule, cause.observed_at);
            }
            return;
        }
        let delayed = condition.delay.is_some();
        let ended = evaluation.when == Truth::False || evaluation.unless == Truth::True;
        let cause = || Cause { rule_version: Some(rule.version), ..cause.clone() };
        if holds && rule.on_delay == Span::ZERO {
            self.raise(draft, rule, asset, cause());
        } else if holds && !delayed {
            let due = draft.now + rule.on_delay;
            let (cause, rule, asset) = (cause(), rule.id.clone(), asset.clone());
            self.state(draft, Fact::DelayStarted { rule, asset, due, cause });
        } else if ended && delayed {
            self.state(draft, Fact::DelayCancelled { rule: rule.id.clone(), asset: asset.clone() });
        }
    }

    /// The condition has held through its `on_delay`.
    pub(super) fn delay_over(&mut self, draft: &mut Draft, rule: &RuleId, asset: &AssetId) {
        let Some(delay) = self.condition(rule, asset).and_then(|condition| condition.delay.clone()) else { return };
        let Some(rule) = self.rules.rule(rule).cloned() else { return };
        let cause = Cause { rule_version: Some(rule.version), ..delay.cause };
        self.raise(draft, &rule, asset, cause);
    }

    pub(super) fn delay_due(&self, rule: &RuleId, asset: &AssetId) -> Option<Timestamp> {
        self.condition(rule, asset)?.delay.as_ref().map(|delay| delay.due)
    }

    /// When what the rule says about the asset may turn without a message, and why.
    pub(super) fn turn_due(&self, rule: &RuleId, asset: &AssetId) -> Option<Deadline> {
        self.condition(rule, asset)?.turns(self.rules.rule(rule)?, asset)
    }

    /// An entry for such a turn has left the timers; the moment that is waited for stands in `instead`.
    pub(super) fn replace_turn(&mut self, entry: &Deadline, instead: Option<&Deadline>) {
        let DeadlineReason::Turns { rule, asset, .. } = &entry.why else { return };
        let Some(condition) = self.condition_mut(rule, asset) else { return };
        match instead {
            Some(deadline) => {
                condition.timer = Some(deadline.at);
                self.timers.set(deadline.clone());
            }
            None if condition.timer == Some(entry.at) => condition.timer = None,
            None => {}
        }
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
        let started_at = self.started_at;
        let state = self.inventory.devices.get_mut(device);
        if let Some(deadline) = state.and_then(|state| state.begin_watch(started_at)) {
            self.timers.set(deadline);
        }
    }

    /// A start sets one timer for each asset, the first: a large state has ten times as many, and nearly all of them are
    /// far away. Whoever has looked at the first one has this set the others. What was waited for since has a timer
    /// anyway.
    pub(super) fn wait_for_others(&mut self, why: &DeadlineReason) {
        let (DeadlineReason::OnDelay { asset, .. } | DeadlineReason::Turns { asset, .. }) = why else { return };
        let Some(state) = self.inventory.assets.get_mut(asset).filter(|state| state.first_only) else { return };
        state.first_only = false;
        for deadline in deadlines(state, self.rules.for_kind(&state.asset.kind)) {
            self.timers.set(deadline);
        }
        for condition in &mut state.conditions {
            condition.timer = condition.wake.map(|(_, at)| at);
        }
    }
}

/// What an asset's conditions wait for.
pub(super) fn deadlines<'a>(state: &'a AssetState, rules: &'a [Arc<Rule>]) -> impl Iterator<Item = Deadline> + 'a {
    rules.iter().zip(&state.conditions).flat_map(|(rule, condition)| {
        let delay = condition.delay.as_ref().map(|delay| {
            let why = DeadlineReason::OnDelay { rule: rule.id.clone(), asset: state.asset.id.clone() };
            Deadline { at: delay.due, why }
        });
        delay.into_iter().chain(condition.turns(rule, &state.asset.id))
    })
}

impl Condition {
    /// The asset is to be judged again at once: what the rule says may have changed, and when it may turn.
    pub(super) fn judge_anew(&mut self, now: Timestamp, rule: &Rule, asset: &AssetId) -> Option<Deadline> {
        self.wake = Some((ANEW, now));
        self.timer = Some(now);
        self.turns(rule, asset)
    }

    /// The deadline of the moment that is waited for.
    pub(super) fn turns(&self, rule: &Rule, asset: &AssetId) -> Option<Deadline> {
        let (node, at) = self.wake?;
        let by = if node == ANEW { TurnedBy::Change } else { rule.turned_by(node)? };
        let why = DeadlineReason::Turns { rule: rule.id.clone(), asset: asset.clone(), node, by };
        Some(Deadline { at, why })
    }
}

fn holds(evaluation: &Evaluation) -> bool {
    evaluation.when == Truth::True && evaluation.unless != Truth::True
}

/// When a value was measured, for us: a device whose clock is ahead does not outdate what comes after it.
fn measured_at(observed: &Observed, observation: &Observation) -> Timestamp {
    observation.observed_at.min(observed.received_at)
}

/// Where a rule stands among those of its kind: the place of its condition in every asset of that kind.
pub(super) fn place_of(rules: &RuleSet, kind: &AssetKind, rule: &RuleId) -> Option<usize> {
    rules.for_kind(kind).iter().position(|known| known.id == *rule)
}
