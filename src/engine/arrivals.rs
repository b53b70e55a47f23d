//! What a message brings to its asset: what is judged on arrival, what waits for its place in time, what is late.
//!
//! Where no sensor of the asset may be late there is no order, and every value that is not older than the newest of its
//! property is judged at once. Where one may, values go through the asset's `order`, and are judged at their own time:
//! what was to turn before is turned first, so that nobody can tell from a decision how its values arrived.
//! Everything here happens again when recorded history is applied; conclusions are drawn in `conditions`.

use super::conditions::{Fresh, Judged, Which};
use super::estimators::{Circumstances, Measured};
use super::inventory::AssetState;
use super::order::Waiting;
use super::spare::{give_back, lend};
use super::state::Engine;
use super::table::Seat;
use crate::domain::ids::{AssetId, DeviceId, RuleId};
use crate::domain::observation::{Observation, Observed};
use crate::domain::time::{Span, Timestamp};
use crate::rules::Sample;

/// Turns of one asset between two of its values; what lies beyond them is judged with the second.
const TURNS_MAX: usize = 1_000;

/// What follows from a message.
#[derive(Default)]
pub(super) struct TakenIn {
    /// In the order in which conclusions are to be drawn.
    pub judged: Vec<Judged>,
    /// Values that were late, and the age of the oldest.
    pub late: u32,
    pub late_by: Span,
    /// Values that were judged before their time, because too many waited.
    pub early: u32,
}

/// The values of a message, sorted by what becomes of them.
#[derive(Default)]
pub(super) struct Arrival {
    newest: Vec<u16>,
    earlier: Vec<(u16, Sample)>,
    late: Vec<(u16, Sample)>,
    /// For estimators that are fed on arrival.
    measured: Vec<Measured>,
    /// Somebody asks the asset's estimators.
    followed: bool,
    /// The newest of what may be late.
    heard: Option<Timestamp>,
    /// How many are held back.
    held: usize,
}

impl Engine {
    /// Takes a device's observations into the state of its asset and judges the asset.
    pub(super) fn take_in(&mut self, now: Timestamp, device_seat: Seat, observed: &Observed) -> TakenIn {
        let mut taken = TakenIn { judged: lend(&mut self.spare.judged), ..TakenIn::default() };
        let Some(device) = self.inventory.devices.at_mut(device_seat) else { return taken };
        device.silence.heard(observed.received_at);
        device.silence.set_silent(false);
        let seat = self.inventory.assets.seat_by_hint(&device.device.asset, device.asset_seat);
        let Some(seat) = seat else { return taken };
        device.asset_seat = seat;
        self.timers.doubt_about(device_seat, seat);
        let emptying_asked = self.inventory.assets.at(seat).is_some_and(|asset| self.emptying_asked_of(asset));
        let Some(asset) = self.inventory.assets.at_mut(seat) else { return taken };
        let known = self.rules.of_kind(&asset.asset.kind);
        let (layout, followed) = (known.layout(), !known.followed().is_empty());
        let mut arrival = Arrival { followed, ..std::mem::take(&mut self.spare.arrival) };
        let mut receive = |observation: &Observation| {
            let Some(slot) = layout.slot(&observation.property) else { return };
            asset.receive(slot, observed, observation, &mut arrival);
        };
        let at = |observation: &Observation| measured_at(observed, observation);
        if observed.observations.is_sorted_by_key(at) {
            observed.observations.iter().for_each(&mut receive);
        } else {
            let mut in_time: Vec<&Observation> = observed.observations.iter().collect();
            in_time.sort_by_key(|observation| at(observation));
            in_time.into_iter().for_each(&mut receive);
        }
        let Arrival { newest, mut earlier, late, measured, heard, held, .. } = arrival;
        earlier.sort_by_key(|(_, sample)| sample.observed_at);
        let calendars = self.configuration.as_deref().map(|configuration| &configuration.calendars);
        let neighbourhoods = &mut self.neighbourhoods;
        asset.follow(known, &measured, Circumstances { calendars, neighbourhoods, emptying_asked });
        if let Some((order, heard)) = asset.order.as_mut().zip(heard) {
            order.heard(heard, observed.received_at);
        }
        let asset_id = asset.order.is_some().then(|| asset.asset.id.clone());
        self.held_back += held;
        self.watch_silence_of(device_seat);
        taken.late = u32::try_from(late.len()).unwrap_or(u32::MAX);
        taken.late_by = late.iter().map(|(_, sample)| age(sample)).max().unwrap_or_default();
        let fresh = Fresh {
            device: Some(&observed.device),
            observed_at: observed.observations.iter().map(at).max(),
            exercise: observed.exercise,
            newest,
            earlier,
            late,
        };
        taken.judged.extend(self.judge(now, seat, Some(&fresh), Which::OnArrival));
        if !fresh.late.is_empty() || (asset_id.is_some() && !fresh.earlier.is_empty()) {
            taken.judged.extend(self.judge_late(seat, &fresh));
        }
        let Fresh { newest, earlier, late, .. } = fresh;
        self.spare.arrival.take_back(newest, earlier, late, measured);
        if let Some(asset_id) = asset_id {
            self.judge_waiting(&asset_id, emptying_asked, false, &mut taken);
        }
        taken
    }

    /// Judges what waits and need wait no longer; everything, if nothing is waited for.
    fn judge_waiting(&mut self, asset_id: &AssetId, emptying_asked: bool, everything: bool, taken: &mut TakenIn) {
        let max = self.limits.held_back_per_asset;
        loop {
            let Some(order) = self.inventory.assets.get_mut(asset_id).and_then(|state| state.order.as_mut()) else {
                return;
            };
            let until = if everything || order.behind.is_some() { Timestamp::MAX } else { order.watermark() };
            let (moment, early) = match order.take(until) {
                Some(moment) => (moment, false),
                None if order.waiting.len() > max => (order.take(Timestamp::MAX).unwrap_or_default(), true),
                None => return self.pass_time(asset_id, taken),
            };
            self.held_back = self.held_back.saturating_sub(moment.len());
            if early {
                taken.early = taken.early.saturating_add(u32::try_from(moment.len()).unwrap_or(u32::MAX));
            }
            self.judge_moment(asset_id, moment, emptying_asked, taken);
        }
    }

    /// Values of one moment, in their place: what turns before them is turned first.
    fn judge_moment(&mut self, asset_id: &AssetId, moment: Vec<Waiting>, emptying_asked: bool, taken: &mut TakenIn) {
        let Some((at, device, exercise)) =
            moment.first().map(|first| (first.observed_at, first.device.clone(), first.exercise))
        else {
            return;
        };
        self.turn_until(asset_id, at, taken);
        let Some(seat) = self.inventory.assets.seat(asset_id) else { return };
        let Some(asset) = self.inventory.assets.at_mut(seat) else { return };
        let Some(order) = asset.order.as_mut() else { return };
        order.clock = at;
        order.judged_through = at;
        let (mut newest, mut earlier, mut measured) = (Vec::new(), Vec::new(), Vec::new());
        for Waiting { slot, value, quality, .. } in moment {
            if order.may_be_late(slot) {
                measured.extend(Measured::of(slot, at, &value, quality));
            }
            // It counts as known from the moment it was measured: that is the time this asset lives in.
            let sample = Sample { value, observed_at: at, received_at: at };
            let before = order.samples.get_mut(usize::from(slot)).and_then(|known| known.replace(sample));
            if !newest.contains(&slot) {
                newest.push(slot);
            } else if let Some(before) = before {
                earlier.push((slot, before));
            }
        }
        let calendars = self.configuration.as_deref().map(|configuration| &configuration.calendars);
        let neighbourhoods = &mut self.neighbourhoods;
        let known = self.rules.of_kind(&asset.asset.kind);
        asset.follow(known, &measured, Circumstances { calendars, neighbourhoods, emptying_asked });
        let late = Vec::new();
        let fresh = Fresh { device: Some(&device), observed_at: Some(at), exercise, newest, earlier, late };
        taken.judged.extend(self.judge(at, seat, Some(&fresh), Which::InOrder));
    }

    /// Nothing can come any more from before the watermark: what was to turn or to end there does.
    fn pass_time(&mut self, asset_id: &AssetId, taken: &mut TakenIn) {
        let Some(order) = self.inventory.assets.get(asset_id).and_then(|state| state.order.as_deref()) else { return };
        let last = order.watermark() - Span::from_micros(1);
        if order.clock > Timestamp::MIN && order.clock < last {
            self.turn_until(asset_id, last, taken);
            self.set_clock(asset_id, last);
            taken.judged.push(Judged::nothing(asset_id, last));
        }
    }

    /// Judges the asset at each moment until `until` at which one of its rules that are judged in order may turn: what
    /// turns at the moment of a value turns first, as a deadline comes before a message.
    fn turn_until(&mut self, asset_id: &AssetId, until: Timestamp, taken: &mut TakenIn) {
        for _ in 0..TURNS_MAX {
            let Some(seat) = self.inventory.assets.seat(asset_id) else { return };
            let turn = self.inventory.assets.at(seat).and_then(AssetState::next_turn_in_order);
            let Some(turn) = turn.filter(|turn| *turn <= until) else { return };
            self.set_clock(asset_id, turn);
            taken.judged.extend(self.judge(turn, seat, None, Which::InOrder));
        }
    }

    /// The asset is judged although nothing was measured, by all its rules or by those that are like one of them.
    pub(super) fn judge_by_time(&mut self, now: Timestamp, asset_id: &AssetId, rule: Option<&RuleId>) -> Vec<Judged> {
        let Some(seat) = self.inventory.assets.seat(asset_id) else { return Vec::new() };
        let Some(state) = self.inventory.assets.at(seat) else { return Vec::new() };
        let Some(order) = &state.order else {
            return self.judge(now, seat, None, Which::OnArrival).into_iter().collect();
        };
        let rules = self.rules.for_kind(&state.asset.kind);
        let place = rule.and_then(|rule| rules.iter().position(|known| known.id == *rule));
        let of = place.map(|place| order.has_rule(place));
        let (time, begun) = (order.time_at(now), order.clock > Timestamp::MIN);
        let mut judged = Vec::new();
        if of != Some(true) {
            judged.extend(self.judge(now, seat, None, Which::OnArrival));
        }
        if of != Some(false) && begun {
            self.set_clock(asset_id, time);
            judged.extend(self.judge(time, seat, None, Which::InOrder));
        }
        judged
    }

    /// A device has fallen silent: if its asset waits for no other, nothing that is held back can change its place, and
    /// the asset's time runs on.
    pub(super) fn wait_no_longer(&mut self, device: &DeviceId) -> Vec<Judged> {
        let Some(asset_id) = self.inventory.asset_of(device).cloned() else { return Vec::new() };
        let Some(state) = self.inventory.assets.get(&asset_id) else { return Vec::new() };
        let waited_for = |known: &DeviceId| {
            known != device && !self.inventory.is_silent(known) && self.lateness_of(known) > Span::ZERO
        };
        if state.order.is_none() || state.devices.iter().any(waited_for) {
            return Vec::new();
        }
        let judged = self.let_go(&asset_id);
        if let Some(seat) = self.inventory.assets.seat(&asset_id)
            && let Some(state) = self.inventory.assets.at_mut(seat)
            && let Some(order) = state.order.as_mut()
        {
            order.behind = Some(order.newest.map_or(Span::ZERO, |(_, delay)| delay));
            state.wait_for_all(seat, &self.rules, &mut self.timers);
        }
        judged
    }

    /// Judges everything that the asset holds back.
    pub(super) fn let_go(&mut self, asset_id: &AssetId) -> Vec<Judged> {
        let emptying_asked = self.emptying_asked(asset_id);
        let mut taken = TakenIn::default();
        self.judge_waiting(asset_id, emptying_asked, true, &mut taken);
        taken.judged
    }

    /// What is held back, in all assets together.
    #[must_use]
    pub const fn held_back(&self) -> usize {
        self.held_back
    }

    fn set_clock(&mut self, asset_id: &AssetId, time: Timestamp) {
        if let Some(order) = self.inventory.assets.get_mut(asset_id).and_then(|state| state.order.as_mut()) {
            order.clock = time;
        }
    }

    fn lateness_of(&self, device: &DeviceId) -> Span {
        let sensor_type = self.inventory.device(device).map(|device| &device.sensor_type);
        let types = self.configuration.as_deref().map(|configuration| &configuration.sensor_types);
        let known = types.zip(sensor_type).and_then(|(types, sensor_type)| types.get(sensor_type));
        known.map_or(Span::ZERO, |known| known.lateness)
    }
}

impl Arrival {
    fn take_back(
        &mut self,
        newest: Vec<u16>,
        earlier: Vec<(u16, Sample)>,
        late: Vec<(u16, Sample)>,
        measured: Vec<Measured>,
    ) {
        give_back(&mut self.newest, newest);
        give_back(&mut self.earlier, earlier);
        give_back(&mut self.late, late);
        give_back(&mut self.measured, measured);
    }
}

impl AssetState {
    /// Finds out what becomes of one value; those of one message come in order of time.
    fn receive(&mut self, slot: u16, observed: &Observed, observation: &Observation, arrival: &mut Arrival) {
        let Some(known) = self.samples.get_mut(usize::from(slot)) else { return };
        let sample = Sample {
            value: observation.value.clone(),
            observed_at: measured_at(observed, observation),
            received_at: observed.received_at,
        };
        let outdated = known.as_ref().is_some_and(|known| known.observed_at > sample.observed_at);
        let mut may_be_late = false;
        if let Some(order) = &mut self.order {
            may_be_late = order.may_be_late(slot);
            if may_be_late {
                arrival.heard = arrival.heard.max(Some(sample.observed_at));
            }
            if sample.observed_at < order.horizon(slot) || (outdated && !may_be_late) {
                arrival.late.push((slot, sample));
                return;
            }
            let held = order.waiting.len();
            if !order.put(waiting(slot, observed, observation, &sample)) {
                return;
            }
            arrival.held += order.waiting.len() - held;
        }
        if outdated {
            let place = if may_be_late { &mut arrival.earlier } else { &mut arrival.late };
            place.push((slot, sample));
            return;
        }
        // Said twice. Without a time of its own it was measured twice.
        let own_time = sample.observed_at != sample.received_at;
        let again = |known: &Sample| known.observed_at == sample.observed_at && known.value == sample.value;
        if own_time && known.as_ref().is_some_and(again) {
            return;
        }
        if arrival.followed && !may_be_late {
            arrival.measured.extend(Measured::of(slot, sample.observed_at, &sample.value, observation.quality));
        }
        let before = known.replace(sample);
        if !arrival.newest.contains(&slot) {
            arrival.newest.push(slot);
        } else if let Some(before) = before {
            arrival.earlier.push((slot, before));
        }
    }

    /// When the first of the rules that are judged in order may turn, in the asset's own time.
    fn next_turn_in_order(&self) -> Option<Timestamp> {
        let order = self.order.as_deref()?;
        let ordered = self.conditions.iter().enumerate().filter(|(place, _)| order.has_rule(*place));
        ordered.filter_map(|(_, condition)| condition.wake()).map(|(_, at)| at).min()
    }
}

fn waiting(slot: u16, observed: &Observed, observation: &Observation, sample: &Sample) -> Waiting {
    Waiting {
        observed_at: sample.observed_at,
        slot,
        value: sample.value.clone(),
        quality: observation.quality,
        device: observed.device.clone(),
        exercise: observed.exercise,
    }
}

/// How old a value was when it arrived.
pub(super) const fn age(sample: &Sample) -> Span {
    sample.received_at.since(sample.observed_at)
}

/// When a value was measured, for us: a device whose clock is ahead does not outdate what comes after it.
fn measured_at(observed: &Observed, observation: &Observation) -> Timestamp {
    observation.observed_at.min(observed.received_at)
}
