//! Looking at one rule of one asset: what it says and why, and what is waited for. Nothing changes.

use super::answers::answers;
use super::conditions::place_of;
use super::shadow::Shadow;
use super::state::Engine;
use crate::domain::alarm::{Alarm, Cause};
use crate::domain::asset::Asset;
use crate::domain::event::Deadline;
use crate::domain::ids::{AlarmId, AssetId, RuleId};
use crate::domain::task::Task;
use crate::domain::time::{Span, Timestamp};
use crate::rules::{Explanation, Inputs, Memory, Rule};

/// One rule of one asset at one moment.
pub struct Insight<'a> {
    pub rule: &'a Rule,
    pub asset: &'a Asset,
    pub explanation: Explanation,
    /// The rule's `on_delay` is running: when it is over, and what began it.
    pub delay: Option<(Timestamp, &'a Cause)>,
    /// The alarm it raised that is not settled.
    pub alarm: Option<&'a Alarm>,
    /// What it would have raised and would not be over, while it is in shadow.
    pub shadow: Option<&'a Shadow>,
    /// Tasks about that alarm, oldest first.
    pub tasks: Vec<&'a Task>,
    /// When what the rule says may turn without a message.
    pub turn: Option<Deadline>,
    /// Where the rule is judged in the order of the values' own time: what it does not know yet.
    pub held_back: Option<HeldBack>,
}

/// Values that wait for their place in time, of those that a rule reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldBack {
    pub values: usize,
    /// When the oldest and the newest were measured.
    pub measured: Option<(Timestamp, Timestamp)>,
    /// The moment up to which everything is judged: the newest that may be late, less the lateness.
    pub watermark: Option<Timestamp>,
    pub lateness: Span,
}

impl Engine {
    /// The alarm with this number, while it is not settled.
    #[must_use]
    pub fn alarm(&self, id: AlarmId) -> Option<&Alarm> {
        self.alarms.get(&id)
    }

    /// What the rule says about the asset at `now`, which is not before the last event.
    #[must_use]
    pub fn inspect(&self, now: Timestamp, asset: &AssetId, rule: &RuleId) -> Option<Insight<'_>> {
        let state = self.inventory.assets.get(asset)?;
        let place = place_of(&self.rules, &state.asset.kind, rule)?;
        let rule = self.rules.rule(rule)?;
        let order = state.order.as_deref().filter(|order| order.has_rule(place));
        // In the time that the rule lives in.
        let now = order.map_or(now, |order| order.time_at(now));
        let calendars = self.calendars();
        let estimates = answers(state, &self.rules, calendars, now);
        let inputs = Inputs {
            samples: order.map_or(&state.samples[..], |order| &order.samples),
            fresh: &[],
            earlier: &[],
            asset: &state.asset,
            calendars,
            estimates: &estimates,
            silent: self.inventory.any_silent(&state.devices),
            now,
        };
        let known = self.rules.of_kind(&state.asset.kind);
        let memory = Memory::of(state.words_of(place, known));
        let explanation = rule.explain(&inputs, &memory, known.layout());
        let alarm = state.alarm(place).and_then(|id| self.alarms.get(&id));
        let about = |task: &&Task| alarm.is_some_and(|alarm| task.alarm == alarm.id);
        Some(Insight {
            rule,
            asset: &state.asset,
            explanation,
            delay: state.delay(place).map(|delay| (delay.due, &delay.cause)),
            alarm,
            shadow: self.shadows.get(&rule.id, asset),
            tasks: self.tasks.iter().filter(about).collect(),
            turn: self.turn_due(&rule.id, asset),
            held_back: order.map(|order| order.held_back(rule)),
        })
    }
}
