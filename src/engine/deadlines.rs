//! When something is due, and why: entries among the timers are believed when their owners say so.

use super::conditions::{place_of, turned_by};
use super::inventory::AssetState;
use super::state::Engine;
use super::table::Seat;
use super::timers::{Entry, Owner, Timers};
use crate::domain::event::{Deadline, DeadlineReason};
use crate::domain::ids::{AssetId, DeviceId, RuleId};
use crate::domain::time::Timestamp;
use crate::rules::{Rule, RuleSet};
use std::sync::Arc;

impl Engine {
    /// The earliest moment at which something is due, and why.
    pub fn next_deadline(&mut self) -> Option<Deadline> {
        loop {
            self.draw_near(None);
            if let Some(first) = self.timers.first_believed() {
                return Some(first.clone());
            }
            let first = self.timers.first()?;
            if let DeadlineReason::Turns { rule, asset, .. } = &first.why {
                let due = self.turn_due(rule, asset);
                if due.as_ref() == Some(first) {
                    if let Some(seat) = self.inventory.assets.seat(asset) {
                        self.timers.believe(Owner::Asset(seat));
                    }
                    return due;
                }
                let Some(first) = self.timers.drop_first() else { continue };
                self.replace_turn(&first, due.as_ref());
                self.wait_for_others(&first.why);
                continue;
            }
            let due = self.due_at(&first.why);
            if due == Some(first.at) {
                let first = first.clone();
                if let DeadlineReason::Silent { device } = &first.why
                    && let Some(seat) = self.inventory.devices.seat(device)
                {
                    self.timers.believe(Owner::Device(seat));
                }
                return Some(first);
            }
            let Some(first) = self.timers.drop_first() else { continue };
            if let Some(at) = due {
                self.wait_until(Deadline { at, why: first.why.clone() });
            }
            self.wait_for_others(&first.why);
        }
    }

    /// A deadline that has become an event is not waited for any longer.
    pub(super) fn feed_timer(&mut self, deadline: &Deadline) {
        self.draw_near(Some(deadline.at));
        self.wait_for_others(&deadline.why);
        self.timers.remove(deadline);
        match &deadline.why {
            DeadlineReason::Silent { device } => self.inventory.unwatch(device),
            DeadlineReason::Turns { rule, asset, .. } => {
                self.replace_turn(deadline, None);
                if let Some(condition) = self.condition_mut(rule, asset) {
                    condition.set_wake(None);
                }
            }
            DeadlineReason::OnDelay { .. }
            | DeadlineReason::OfferExpired { .. }
            | DeadlineReason::RetryTask { .. }
            | DeadlineReason::DeliveryExpires { .. }
            | DeadlineReason::CalendarsEnd => {}
        }
    }

    /// Asks the owners of entries up to `until`, or up to the first deadline: what is due becomes a deadline, what is not
    /// yet moves on.
    fn draw_near(&mut self, until: Option<Timestamp>) {
        while let Some(entry) = self.timers.take_far(until) {
            match entry.owner() {
                Owner::Rule(seat, place) => {
                    let due = self.turn_at(seat, place);
                    match due {
                        Some(deadline) if deadline.at == entry.at => self.timers.set(deadline),
                        due => self.move_turn(seat, place, entry.at, due.map(|deadline| deadline.at)),
                    }
                    self.wait_for_others_of(seat);
                }
                Owner::Asset(seat) => self.wait_for_others_of(seat),
                Owner::Device(seat) => self.draw_silence(seat, entry),
            }
        }
    }

    fn draw_silence(&mut self, seat: Seat, entry: Entry) {
        let Some(state) = self.inventory.devices.at(seat) else { return };
        match state.silence.due(self.started_at) {
            Some(at) if at == entry.at => {
                self.timers.set(Deadline { at, why: DeadlineReason::Silent { device: state.device.id.clone() } });
            }
            Some(at) => self.timers.ask(at, Owner::Device(seat)),
            None => {}
        }
    }

    /// It is later than its entry said.
    fn wait_until(&mut self, deadline: Deadline) {
        match &deadline.why {
            DeadlineReason::Silent { device } => {
                if let Some(seat) = self.inventory.devices.seat(device) {
                    self.timers.ask(deadline.at, Owner::Device(seat));
                }
            }
            DeadlineReason::OnDelay { .. }
            | DeadlineReason::Turns { .. }
            | DeadlineReason::OfferExpired { .. }
            | DeadlineReason::RetryTask { .. }
            | DeadlineReason::DeliveryExpires { .. }
            | DeadlineReason::CalendarsEnd => self.timers.set(deadline),
        }
    }

    /// When `why` is really due: `None` when it is wanted no more.
    fn due_at(&self, why: &DeadlineReason) -> Option<Timestamp> {
        match why {
            DeadlineReason::OnDelay { rule, asset } => self.delay_due(rule, asset),
            DeadlineReason::Turns { rule, asset, .. } => self.turn_due(rule, asset).map(|deadline| deadline.at),
            DeadlineReason::Silent { device } => self.inventory.silent_due(device, self.started_at),
            DeadlineReason::OfferExpired { task } => self.tasks.offer_due(*task),
            DeadlineReason::RetryTask { task } => self.tasks.retry_due(*task),
            DeadlineReason::DeliveryExpires { delivery } => {
                self.deliveries.get(*delivery).map(|pending| pending.expires_at)
            }
            DeadlineReason::CalendarsEnd => self.calendars_due(),
        }
    }

    fn delay_due(&self, rule: &RuleId, asset: &AssetId) -> Option<Timestamp> {
        let (state, place) = self.seat_of(rule, asset)?;
        state.on_the_clock(place, state.delay(place)?.due)
    }

    /// When what the rule says about the asset may turn without a message, and why.
    pub(super) fn turn_due(&self, rule: &RuleId, asset: &AssetId) -> Option<Deadline> {
        let seat = self.inventory.assets.seat(asset)?;
        self.turn_at(seat, place_of(&self.rules, &self.inventory.assets.at(seat)?.asset.kind, rule)?)
    }

    fn turn_at(&self, seat: Seat, place: usize) -> Option<Deadline> {
        let state = self.inventory.assets.at(seat)?;
        let rule = self.rules.for_kind(&state.asset.kind).get(place)?;
        let deadline = state.conditions.get(place)?.turns(rule, &state.asset.id)?;
        Some(Deadline { at: state.on_the_clock(place, deadline.at)?, ..deadline })
    }

    /// A deadline for such a turn has left the timers; the moment that is waited for stands in `instead`.
    fn replace_turn(&mut self, left: &Deadline, instead: Option<&Deadline>) {
        let DeadlineReason::Turns { rule, asset, .. } = &left.why else { return };
        let Some(seat) = self.inventory.assets.seat(asset) else { return };
        let Some(state) = self.inventory.assets.at(seat) else { return };
        if let Some(place) = place_of(&self.rules, &state.asset.kind, rule) {
            self.move_turn(seat, place, left.at, instead.map(|deadline| deadline.at));
        }
    }

    fn move_turn(&mut self, seat: Seat, place: usize, from: Timestamp, to: Option<Timestamp>) {
        let state = self.inventory.assets.at_mut(seat);
        let Some(condition) = state.and_then(|state| state.conditions.get_mut(place)) else { return };
        match to {
            Some(at) => {
                condition.set_timer(Some(at));
                self.timers.ask(at, Owner::Rule(seat, place));
            }
            None => condition.lose_timer(from),
        }
    }

    /// Sees to it that the device's silence is waited for.
    pub(super) fn watch_silence(&mut self, device: &DeviceId) {
        if let Some(seat) = self.inventory.devices.seat(device) {
            self.watch_silence_of(seat);
        }
    }

    pub(super) fn watch_silence_of(&mut self, seat: Seat) {
        let started_at = self.started_at;
        let state = self.inventory.devices.at_mut(seat);
        if let Some(at) = state.and_then(|state| state.begin_watch(started_at)) {
            self.timers.ask(at, Owner::Device(seat));
        }
    }

    /// A start sets one timer for each asset, the first: a large state has ten times as many, and nearly all of them are
    /// far away. Whoever has looked at the first one has this set the others. What was waited for since has a timer
    /// anyway.
    fn wait_for_others(&mut self, why: &DeadlineReason) {
        let (DeadlineReason::OnDelay { asset, .. } | DeadlineReason::Turns { asset, .. }) = why else { return };
        if let Some(seat) = self.inventory.assets.seat(asset) {
            self.wait_for_others_of(seat);
        }
    }

    fn wait_for_others_of(&mut self, seat: Seat) {
        if let Some(state) = self.inventory.assets.at_mut(seat).filter(|state| state.first_only) {
            state.wait_for_all(seat, &self.rules, &mut self.timers);
        }
    }
}

impl AssetState {
    /// Sets a timer for everything that its conditions wait for.
    pub(super) fn wait_for_all(&mut self, seat: Seat, rules: &RuleSet, timers: &mut Timers) {
        self.first_only = false;
        for (place, rule) in rules.for_kind(&self.asset.kind).iter().enumerate() {
            let Some(condition) = self.conditions.get(place) else { return };
            let delay = self.delay(place).map(|delay| delay.due);
            if let Some(at) = delay.and_then(|due| self.on_the_clock(place, due)) {
                let why = DeadlineReason::OnDelay { rule: rule.id.clone(), asset: self.asset.id.clone() };
                timers.set(Deadline { at, why });
            }
            let turn = condition.wake().filter(|(node, _)| turns(rule, *node));
            let turn = turn.and_then(|(_, at)| self.on_the_clock(place, at));
            if let Some(at) = turn {
                timers.ask(at, Owner::Rule(seat, place));
            }
            self.conditions[place].set_timer(turn);
        }
    }

    /// When the first of what its conditions wait for is due.
    pub(super) fn first_due(&self, rules: &[Arc<Rule>]) -> Option<Timestamp> {
        let moments = rules.iter().zip(&self.conditions).enumerate().flat_map(|(place, (rule, condition))| {
            let delay = self.delay(place).map(|delay| delay.due);
            let turn = condition.wake().filter(|(node, _)| turns(rule, *node)).map(|(_, at)| at);
            delay.into_iter().chain(turn).filter_map(move |at| self.on_the_clock(place, at))
        });
        moments.min()
    }
}

fn turns(rule: &Rule, node: u16) -> bool {
    turned_by(rule, node).is_some()
}
