//! Rule by asset: does the condition hold, since when, and what follows.
//!
//! Judging feeds what rules remember and happens again when recorded history is applied; settling draws the
//! conclusions and happens only when deciding.

use super::answers::answer;
use super::arrivals::age;
use super::inventory::AssetState;
use super::order::Order;
use super::shadow::normal;
use super::spare::{give_back, lend};
use super::state::{Draft, Engine};
use super::table::Seat;
use super::timers::Owner;
use crate::domain::alarm::Cause;
use crate::domain::decision::Fact;
use crate::domain::event::{Deadline, DeadlineReason, TurnedBy};
use crate::domain::ids::{AlarmId, AssetId, AssetKind, DeviceId, RuleId};
use crate::domain::time::{Span, Timestamp};
use crate::rules::{Evaluation, Inputs, Memory, Rule, RuleSet, Sample, Truth, WhenLate};
use std::borrow::Cow;
use std::sync::Arc;

/// The node of a deadline that no call asks for: the asset is judged anew.
const ANEW: u16 = u16::MAX;

/// What is waited for about one rule for one asset. There are ten for each of a million assets: 24 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Condition {
    wakes_at: Timestamp,
    timer: Timestamp,
    node: u16,
}

/// What a rule has brought about for an asset: most have brought about nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Course {
    /// It holds, and the rule's `on_delay` is running.
    pub delay: Option<Delay>,
    /// The alarm it raised that is not settled.
    pub alarm: Option<AlarmId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Delay {
    pub due: Timestamp,
    pub cause: Cause,
}

/// What the rules say about one asset at one moment.
pub(super) struct Judged {
    asset: AssetId,
    /// The moment, in the time that these rules live in.
    at: Timestamp,
    which: Which,
    device: Option<DeviceId>,
    observed_at: Option<Timestamp>,
    exercise: bool,
    findings: Vec<Finding>,
}

impl Judged {
    fn of(asset: &AssetId, at: Timestamp, which: Which, fresh: Option<&Fresh>, findings: Vec<Finding>) -> Self {
        Self {
            asset: asset.clone(),
            at,
            which,
            device: fresh.and_then(|fresh| fresh.device.cloned()),
            observed_at: fresh.and_then(|fresh| fresh.observed_at),
            exercise: fresh.is_some_and(|fresh| fresh.exercise),
            findings,
        }
    }

    /// In the asset's own time it has become that late, and that alone may end something.
    pub fn nothing(asset: &AssetId, at: Timestamp) -> Self {
        let (which, asset, findings) = (Which::InOrder, asset.clone(), Vec::new());
        Self { asset, at, which, device: None, observed_at: None, exercise: false, findings }
    }
}

/// Which of an asset's rules are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// Those that decide on arrival; all, where no sensor may be late.
    OnArrival,
    /// Those that are judged in the order of the values' own time.
    InOrder,
}

pub(super) struct Finding {
    /// Its place among the rules of the asset's kind.
    place: usize,
    rule: Arc<Rule>,
    evaluation: Evaluation,
    /// The message brought the newest of a value it depends on.
    renewed: bool,
    /// When what it is about was measured, and its age, where that came too late for its place.
    late: Option<(Timestamp, Span)>,
}

/// What was brought, by slot.
pub(super) struct Fresh<'a> {
    pub device: Option<&'a DeviceId>,
    pub observed_at: Option<Timestamp>,
    pub exercise: bool,
    /// Slots that now hold its values.
    pub newest: Vec<u16>,
    /// Its other values, in order of time: measured before what was known already, or before its own newest.
    pub earlier: Vec<(u16, Sample)>,
    /// Values from before the watermark.
    pub late: Vec<(u16, Sample)>,
}

impl Fresh<'_> {
    /// Whether the message brought the newest of a value that the rule's verdict depends on.
    fn renews(&self, rule: &Rule) -> bool {
        self.newest.iter().any(|slot| rule.reads().binary_search(slot).is_ok())
    }

    /// Values the rule reads, of which the message brought none that is the newest.
    fn late_for<'s>(&'s self, rule: &'s Rule) -> impl Iterator<Item = &'s (u16, Sample)> {
        let late = |slot: &u16| rule.reads().binary_search(slot).is_ok() && !self.newest.contains(slot);
        let too_late: &[(u16, Sample)] = if rule.when_late == WhenLate::Raise { &self.late } else { &[] };
        too_late.iter().chain(&self.earlier).filter(move |(slot, _)| late(slot))
    }

    /// The values a momentary rule is judged by: a press is a press, also when it arrives after a later one.
    /// `None` when the message brought nothing the rule reads.
    fn moment<'s>(&self, rule: &Rule, known: &'s [Option<Sample>]) -> Option<Moment<'s>> {
        let mut late = self.late_for(rule).peekable();
        if late.peek().is_none() {
            return self.renews(rule).then_some((Cow::Borrowed(known), None));
        }
        let (mut values, mut oldest) = (known.to_vec(), None);
        for (slot, sample) in late {
            values[usize::from(*slot)] = Some(sample.clone());
            oldest = oldest.max(Some((sample.observed_at, age(sample))));
        }
        Some((Cow::Owned(values), oldest.filter(|_| !self.renews(rule))))
    }
}

/// Values, and when the newest that is late was measured, with its age.
type Moment<'s> = (Cow<'s, [Option<Sample>]>, Option<(Timestamp, Span)>);

impl Engine {
    /// Evaluates rules of the asset's kind at a moment of the time they live in, and notes when waiting alone would change
    /// an answer. None when nothing can follow.
    pub(super) fn judge(&mut self, now: Timestamp, seat: Seat, fresh: Option<&Fresh>, which: Which) -> Option<Judged> {
        let state = self.inventory.assets.at(seat)?;
        let known_rules = self.rules.of_kind(&state.asset.kind);
        let silent = known_rules.reads_silence() && self.inventory.any_silent(&state.devices);
        let calendars = self.configuration.as_deref().map(|configuration| &configuration.calendars);
        let mut estimates = lend(&mut self.spare.answers);
        answer(&mut estimates, state, &self.rules, calendars, now);
        let state = self.inventory.assets.at_mut(seat)?;
        let order = state.order.as_deref();
        let known = match (which, order) {
            (Which::InOrder, Some(order)) => &order.samples[..],
            (Which::OnArrival, _) | (Which::InOrder, None) => &state.samples[..],
        };
        let inputs = Inputs {
            samples: known,
            fresh: fresh.map_or(&[], |fresh| &fresh.newest),
            earlier: fresh.map_or(&[], |fresh| &fresh.earlier),
            asset: &state.asset,
            calendars,
            estimates: &estimates,
            silent,
            now,
        };
        if state.memory.len() != known_rules.words() {
            state.memory = vec![0; known_rules.words()].into_boxed_slice();
        }
        let mut findings = lend(&mut self.spare.findings);
        for (place, (rule, condition)) in known_rules.rules().iter().zip(&mut state.conditions).enumerate() {
            let in_order = order.is_some_and(|order| order.has_rule(place));
            if in_order != (which == Which::InOrder) {
                continue;
            }
            let words = state.memory.get_mut(known_rules.words_of(place)).unwrap_or_default();
            let (evaluation, late) = if rule.momentary {
                evaluate_moment(rule, &inputs, fresh, words)
            } else {
                (rule.evaluate_in(&inputs, words), None)
            };
            condition.set_wake(evaluation.wake);
            // An entry that comes too early is moved when it comes: messages that put the moment off cost nothing here.
            let behind = if in_order { order.and_then(|order| order.behind) } else { Some(Span::ZERO) };
            if let Some((node, at)) = evaluation.wake
                && let Some(at) = behind.map(|behind| at + behind)
                && condition.lacks_timer(at)
                && turned_by(rule, node).is_some()
            {
                condition.set_timer(Some(at));
                self.timers.ask(at, Owner::Rule(seat, place));
            }
            // Nearly always nothing holds, nothing did, and nothing follows. In order, what did is not known yet.
            let course = state.courses.iter().any(|(of, _)| *of == place);
            if holds(&evaluation) || in_order || rule.shadow || course {
                let renewed = fresh.is_some_and(|fresh| fresh.renews(rule));
                findings.push(Finding { place, rule: Arc::clone(rule), evaluation, renewed, late });
            }
        }
        give_back(&mut self.spare.answers, estimates);
        if findings.is_empty() {
            give_back(&mut self.spare.findings, findings);
            return None;
        }
        Some(Judged::of(&state.asset.id, now, which, fresh, findings))
    }

    /// Judges what came too late for its place alone: each moment by itself, remembering nothing.
    pub(super) fn judge_late(&self, seat: Seat, fresh: &Fresh) -> Option<Judged> {
        let state = self.inventory.assets.at(seat)?;
        let order = state.order.as_deref();
        let calendars = self.configuration.as_deref().map(|configuration| &configuration.calendars);
        let mut findings = Vec::new();
        for (place, rule) in self.rules.for_kind(&state.asset.kind).iter().enumerate() {
            // What is momentary was judged with what is known; what must last is not shown by a moment.
            if rule.when_late == WhenLate::Ignore
                || (rule.momentary && !in_order(order, place))
                || rule.on_delay > Span::ZERO
            {
                continue;
            }
            // To a rule that decides on arrival a value is late as soon as another was judged before it.
            let out_of_order = if order.is_some() && !in_order(order, place) { &fresh.earlier[..] } else { &[] };
            let mut read: Vec<_> = fresh.late.iter().chain(out_of_order).collect();
            read.retain(|(slot, _)| rule.reads().binary_search(slot).is_ok());
            read.sort_by_key(|(_, sample)| sample.observed_at);
            for moment in read.chunk_by(|(_, one), (_, other)| one.observed_at == other.observed_at) {
                let Some((_, first)) = moment.first() else { continue };
                let now = first.observed_at;
                let (mut samples, mut slots) = (vec![None; state.samples.len()], Vec::new());
                for (slot, sample) in moment {
                    samples[usize::from(*slot)] = Some(Sample { received_at: now, ..sample.clone() });
                    slots.push(*slot);
                }
                let inputs = Inputs {
                    samples: &samples,
                    fresh: &slots,
                    earlier: &[],
                    asset: &state.asset,
                    calendars,
                    estimates: &[],
                    silent: false,
                    now,
                };
                let evaluation = rule.evaluate(&inputs, &mut Memory::default());
                if holds(&evaluation) {
                    let late = Some((now, age(first)));
                    findings.push(Finding { place, rule: Arc::clone(rule), evaluation, renewed: false, late });
                    break;
                }
            }
        }
        let at = fresh.observed_at?;
        (!findings.is_empty()).then(|| Judged::of(&state.asset.id, at, Which::OnArrival, Some(fresh), findings))
    }

    /// Draws the conclusions: starts and stops delays, raises alarms, lets them return to normal.
    pub(super) fn settle(&mut self, draft: &mut Draft, mut all: Vec<Judged>) {
        for judged in all.drain(..) {
            let cause = Cause {
                device: judged.device,
                observed_at: judged.observed_at.unwrap_or(judged.at),
                event: draft.seq,
                exercise: judged.exercise,
                rule_version: None,
                late: None,
            };
            if judged.which == Which::InOrder {
                self.end_delays(draft, &judged.asset, judged.at);
            }
            for finding in &judged.findings {
                let mut cause = Cause { rule_version: Some(finding.rule.version), ..cause.clone() };
                if let Some((observed_at, age)) = finding.late {
                    (cause.observed_at, cause.late) = (observed_at, Some(age));
                }
                if finding.late.is_some() && !finding.rule.momentary {
                    self.settle_late(draft, &judged.asset, finding, cause);
                } else {
                    self.settle_rule(draft, &judged.asset, finding, judged.at, cause);
                }
            }
            give_back(&mut self.spare.findings, judged.findings);
        }
        give_back(&mut self.spare.judged, all);
    }

    fn settle_rule(&mut self, draft: &mut Draft, asset: &AssetId, finding: &Finding, at: Timestamp, cause: Cause) {
        let Finding { place, rule, evaluation, renewed, .. } = finding;
        let holds = holds(evaluation);
        let Some(state) = self.inventory.assets.get(asset).filter(|state| *place < state.conditions.len()) else {
            return;
        };
        let alarm = state.alarm(*place).and_then(|id| self.alarms.get(&id));
        if let Some(alarm) = alarm.filter(|alarm| alarm.active) {
            let id = alarm.id;
            if normal(evaluation) {
                self.return_to_normal(draft, id, cause.observed_at);
            } else if holds && *renewed {
                self.ask_again(draft, id, rule, cause.observed_at);
            }
            return;
        }
        if self.raised_in_shadow(rule, asset) {
            if normal(evaluation) {
                self.end_shadow(draft, &rule.id, asset);
            }
            return;
        }
        let delayed = state.delay(*place).is_some();
        let ended = evaluation.when == Truth::False || evaluation.unless == Truth::True;
        if holds && rule.on_delay == Span::ZERO {
            self.raise(draft, rule, asset, cause);
        } else if holds && !delayed {
            let (due, rule, asset) = (at + rule.on_delay, rule.id.clone(), asset.clone());
            self.state(draft, Fact::DelayStarted { rule, asset, due, cause });
        } else if ended && delayed {
            self.state(draft, Fact::DelayCancelled { rule: rule.id.clone(), asset: asset.clone() });
        }
    }

    /// What was so for a moment, and nobody was told: an alarm that is over asks a person to look. One that is there
    /// already does.
    fn settle_late(&mut self, draft: &mut Draft, asset: &AssetId, finding: &Finding, cause: Cause) {
        let known = self.alarm_of(&finding.rule.id, asset);
        if finding.rule.shadow {
            self.late_in_shadow(draft, &finding.rule, asset, cause);
        } else if known.is_none() {
            let observed_at = cause.observed_at;
            self.raise(draft, &finding.rule, asset, cause);
            if let Some(alarm) = self.alarm_of(&finding.rule.id, asset) {
                self.state(draft, Fact::ReturnedToNormal { alarm, observed_at: Some(observed_at) });
            }
        }
    }

    /// Raises what has held through its `on_delay` at a moment of the asset's own time.
    fn end_delays(&mut self, draft: &mut Draft, asset: &AssetId, at: Timestamp) {
        let Some(state) = self.inventory.assets.get(asset) else { return };
        let rules = self.rules.for_kind(&state.asset.kind);
        let over = |(place, course): &(usize, Course)| {
            let due = course.delay.as_ref().filter(|delay| delay.due <= at)?.due;
            in_order(state.order.as_deref(), *place).then(|| Some((due, *place, rules.get(*place)?.id.clone())))?
        };
        let mut over: Vec<_> = state.courses.iter().filter_map(over).collect();
        over.sort();
        for (_, _, rule) in over {
            self.delay_over(draft, &rule, asset);
        }
    }

    /// The condition has held through its `on_delay`.
    pub(super) fn delay_over(&mut self, draft: &mut Draft, rule: &RuleId, asset: &AssetId) {
        let Some((state, place)) = self.seat_of(rule, asset) else { return };
        let Some(delay) = state.delay(place).cloned() else { return };
        let Some(rule) = self.rules.rule(rule).cloned() else { return };
        let cause = Cause { rule_version: Some(rule.version), ..delay.cause };
        self.raise(draft, &rule, asset, cause);
    }

    /// The asset, and the place of the rule there.
    pub(super) fn seat_of(&self, rule: &RuleId, asset: &AssetId) -> Option<(&AssetState, usize)> {
        let state = self.inventory.assets.get(asset)?;
        let place = place_of(&self.rules, &state.asset.kind, rule)?;
        (place < state.conditions.len()).then_some((state, place))
    }

    /// The alarm of this rule for the asset that is not settled.
    pub(super) fn alarm_of(&self, rule: &RuleId, asset: &AssetId) -> Option<AlarmId> {
        self.seat_of(rule, asset).and_then(|(state, place)| state.alarm(place))
    }

    /// Changes what the rule has brought about for the asset.
    pub(super) fn set_course(&mut self, rule: &RuleId, asset: &AssetId, change: impl FnOnce(&mut Course)) {
        let Some(state) = self.inventory.assets.get_mut(asset) else { return };
        if let Some(place) = place_of(&self.rules, &state.asset.kind, rule) {
            state.set_course(place, change);
        }
    }

    pub(super) fn condition_mut(&mut self, rule: &RuleId, asset: &AssetId) -> Option<&mut Condition> {
        let state = self.inventory.assets.get_mut(asset)?;
        state.conditions.get_mut(place_of(&self.rules, &state.asset.kind, rule)?)
    }
}

impl Default for Condition {
    fn default() -> Self {
        Self { wakes_at: Timestamp::MAX, timer: Timestamp::MAX, node: 0 }
    }
}

impl Condition {
    pub(super) fn waking(wake: Option<(u16, Timestamp)>) -> Self {
        let mut condition = Self::default();
        condition.set_wake(wake);
        condition
    }

    /// When what the rule says may turn without a message, and by which of its calls.
    pub(super) fn wake(&self) -> Option<(u16, Timestamp)> {
        (self.wakes_at < Timestamp::MAX).then_some((self.node, self.wakes_at))
    }

    pub(super) fn set_wake(&mut self, wake: Option<(u16, Timestamp)>) {
        (self.node, self.wakes_at) = wake.unwrap_or((0, Timestamp::MAX));
    }

    /// Whether no entry among the timers comes as early as this moment.
    pub(super) fn lacks_timer(&self, at: Timestamp) -> bool {
        at < self.timer
    }

    /// The earliest entry among the timers for the moment that is waited for is at that moment, or before it.
    pub(super) fn set_timer(&mut self, at: Option<Timestamp>) {
        self.timer = at.unwrap_or(Timestamp::MAX);
    }

    /// The entry at this moment has left the timers.
    pub(super) fn lose_timer(&mut self, at: Timestamp) {
        if self.timer == at {
            self.timer = Timestamp::MAX;
        }
    }

    /// The asset is to be judged again at once: what the rule says may have changed, and when it may turn.
    pub(super) fn judge_anew(&mut self, now: Timestamp) {
        self.set_wake(Some((ANEW, now)));
        self.set_timer(Some(now));
    }

    /// The deadline of the moment that is waited for.
    pub(super) fn turns(&self, rule: &Rule, asset: &AssetId) -> Option<Deadline> {
        let (node, at) = self.wake()?;
        let by = turned_by(rule, node)?;
        let why = DeadlineReason::Turns { rule: rule.id.clone(), asset: asset.clone(), node, by };
        Some(Deadline { at, why })
    }
}

/// Why what the rule says may turn: by this call, or because the asset is judged anew.
pub(super) fn turned_by(rule: &Rule, node: u16) -> Option<TurnedBy> {
    if node == ANEW { Some(TurnedBy::Change) } else { rule.turned_by(node) }
}

fn holds(evaluation: &Evaluation) -> bool {
    evaluation.when == Truth::True && evaluation.unless != Truth::True
}

/// What a momentary rule says, and what it is about if that came late. It is judged by messages only.
fn evaluate_moment(
    rule: &Rule,
    inputs: &Inputs<'_>,
    fresh: Option<&Fresh>,
    words: &mut [u64],
) -> (Evaluation, Option<(Timestamp, Span)>) {
    let values = fresh.and_then(|fresh| fresh.moment(rule, inputs.samples));
    let samples = values.as_ref().map_or(inputs.samples, |(values, _)| values);
    let evaluation = rule.evaluate_in(&Inputs { samples, ..*inputs }, words);
    let when = if values.is_some() { evaluation.when } else { Truth::False };
    (Evaluation { when, wake: None, ..evaluation }, values.and_then(|(_, late)| late))
}

fn in_order(order: Option<&Order>, place: usize) -> bool {
    order.is_some_and(|order| order.has_rule(place))
}

/// Where a rule stands among those of its kind: the place of its condition in every asset of that kind.
pub(super) fn place_of(rules: &RuleSet, kind: &AssetKind, rule: &RuleId) -> Option<usize> {
    rules.for_kind(kind).iter().position(|known| known.id == *rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_inside_a_second_is_waited_for_once() {
        let (at, before) = (Timestamp::from_micros(1_500_000), Timestamp::from_micros(1_499_999));
        let mut condition = Condition::default();
        assert!(condition.lacks_timer(at));
        condition.set_timer(Some(at));
        assert!(!condition.lacks_timer(at), "each message about it would add another entry");
        assert!(condition.lacks_timer(before));
        condition.lose_timer(before);
        assert!(!condition.lacks_timer(at), "the entry of another moment has left");
        condition.lose_timer(at);
        assert!(condition.lacks_timer(at));
    }
}
