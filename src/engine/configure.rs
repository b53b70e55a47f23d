//! A configuration comes into force: rules change, state and timers stay.

use super::conditions::{Condition, place_of};
use super::inventory::AssetState;
use super::state::{Draft, Engine};
use crate::domain::alarm::Alarm;
use crate::domain::configuration::Configuration;
use crate::domain::ids::{AlarmId, AssetKind, RuleId};
use crate::domain::reason::{Refusal, Verdict};
use crate::domain::task::CancelReason;
use crate::domain::time::Timestamp;
use crate::rules::{Rule, RuleSet, Vocabulary, compile};
use std::collections::BTreeSet;

impl Engine {
    pub(super) fn configure(&mut self, draft: &mut Draft, configuration: &Configuration) -> Verdict {
        let rules = compiled(configuration).filter(|_| configuration.calendars.in_order());
        let Some(rules) = rules else { return Verdict::Refused(Refusal::InvalidConfiguration) };
        if let Err(refusal) = self.check_mandate(configuration) {
            return Verdict::Refused(refusal);
        }
        let judged = self.let_go_under(configuration);
        self.settle(draft, judged);
        let earlier = self.rules.clone();
        self.put_in_force(draft.now, configuration, rules);
        for alarm in self.alarms_without_rule() {
            self.dismiss(draft, alarm, CancelReason::RuleRemoved);
        }
        self.turn_shadows(draft, &earlier);
        Verdict::Accepted
    }

    /// Takes on a recorded configuration. One that this version can no longer read leaves no rules in force;
    /// the configuration on disk follows right after every start.
    pub(super) fn adopt_configuration(&mut self, now: Timestamp, configuration: &Configuration) {
        self.let_go_under(configuration);
        self.put_in_force(now, configuration, compiled(configuration).unwrap_or_default());
    }

    fn put_in_force(&mut self, now: Timestamp, configuration: &Configuration, rules: RuleSet) {
        let other_calendars = self.calendars() != Some(&configuration.calendars);
        // Whether what a rule says may turn by time, and may turn otherwise than before.
        let known = |rule: &Rule| {
            place_of(&self.rules, &rule.applies_to, &rule.id).map(|place| &self.rules.for_kind(&rule.applies_to)[place])
        };
        let turns_anew = |rule: &Rule| {
            let other = known(rule).is_none_or(|earlier| !rule.judges_like(earlier));
            rule.turns() && (other || (other_calendars && rule.reads_calendars()))
        };
        let changed: BTreeSet<RuleId> =
            rules.iter().filter(|rule| turns_anew(rule)).map(|rule| rule.id.clone()).collect();
        for state in self.inventory.assets.values_mut() {
            refit(state, &self.rules, &rules);
        }
        self.arrange_all(configuration, &rules);
        // Rules may stand at other places than before.
        self.timers.forget_rules();
        let mut anew = Vec::new();
        for (seat, state) in self.inventory.assets.seated_mut() {
            state.wait_for_all(seat, &rules, &mut self.timers);
            if !changed.is_empty() {
                anew.extend(state.judge_anew(seat, now, &rules, |rule| changed.contains(&rule.id)));
            }
        }
        self.timers.ask_all(anew);
        let mut changed = Vec::new();
        for device in self.inventory.devices.values_mut() {
            if let Some(sensor_type) = configuration.sensor_types.get(&device.device.sensor_type)
                && device.silence.interval != sensor_type.interval
            {
                device.silence.interval = sensor_type.interval;
                // It may be due before the moment that is waited for.
                device.watched = false;
                changed.push(device.device.id.clone());
            }
        }
        for device in &changed {
            self.watch_silence(device);
        }
        self.take_over_rules(now, configuration);
        self.rules = rules;
        self.configuration = Some(Box::new(configuration.clone()));
        self.watch_calendars();
    }

    fn alarms_without_rule(&self) -> Vec<AlarmId> {
        let unowned = |alarm: &&Alarm| self.seat_of(&alarm.rule, &alarm.asset).is_none();
        self.alarms.values().filter(unowned).map(|alarm| alarm.id).collect()
    }
}

pub(super) fn compiled(configuration: &Configuration) -> Option<RuleSet> {
    compile(&configuration.rule_files, &vocabulary(configuration)).ok()
}

/// What the rules of a configuration may talk about.
pub(super) fn vocabulary(configuration: &Configuration) -> Vocabulary {
    let shifts = configuration.calendars.shifts.iter().map(|shift| &shift.name);
    Vocabulary::new(configuration.sensor_types.values()).with_shifts(shifts)
}

/// Carries what is known of an asset from one rule set to the next: samples by property, estimators by property, conditions by rule id,
/// and what calls remember by their meaning.
fn refit(state: &mut AssetState, old: &RuleSet, new: &RuleSet) {
    let kind: &AssetKind = &state.asset.kind;
    let (old_layout, new_layout) = (old.slots(kind), new.slots(kind));
    state.estimators = AssetState::estimators_from(new, &state.asset, state.estimators_by_property(old));
    if let Some(order) = &mut state.order {
        order.refit(old, new, kind);
    }
    state.samples = new_layout
        .names()
        .map(|property| old_layout.slot(property).and_then(|slot| state.samples.get_mut(usize::from(slot))?.take()))
        .collect();
    let (old, new) = (old.of_kind(kind), new.of_kind(kind));
    let conditions = vec![Condition::default(); new.rules().len()].into_boxed_slice();
    let old_conditions = std::mem::replace(&mut state.conditions, conditions);
    let (old_memory, old_courses) = (std::mem::take(&mut state.memory), std::mem::take(&mut state.courses));
    for (place, rule) in new.rules().iter().enumerate() {
        let Some(was_at) = old.rules().iter().position(|known| known.id == rule.id) else { continue };
        let Some(condition) = old_conditions.get(was_at) else { continue };
        let earlier = &old.rules()[was_at];
        state.remember(
            place,
            new,
            &rule.recall(&earlier.remembered(old_memory.get(old.words_of(was_at)).unwrap_or_default())),
        );
        let wake = condition.wake().and_then(|(node, at)| Some((rule.call_like(earlier, node)?, at)));
        state.conditions[place] = Condition::waking(wake);
        if let Some((_, known)) = old_courses.iter().find(|(of, _)| *of == was_at) {
            state.set_course(place, |course| course.clone_from(known));
        }
    }
}
