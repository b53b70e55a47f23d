//! What is registered, and the latest that is known about it.

use super::conditions::{Condition, Course, Delay};
use super::estimators::Estimator;
use super::identity::Recent;
use super::order::Order;
use super::table::{Row, Seat, Table};
use super::timers::{Entry, Owner};
use crate::domain::asset::{Asset, Device};
use crate::domain::crew::Crew;
use crate::domain::ids::{AlarmId, AssetId, CrewId, DeviceId, PersonId};
use crate::domain::person::Person;
use crate::domain::time::Timestamp;
use crate::estimate::silence::Silence;
use crate::rules::{ForKind, Memory, Rule, RuleSet, Sample};
use std::collections::BTreeMap;

/// The registry and the present state of each asset. Look-ups are by hash; whoever walks it sorts first.
#[derive(Default)]
pub struct Inventory {
    pub(super) assets: Table<AssetState>,
    pub(super) devices: Table<DeviceState>,
    pub(super) crews: BTreeMap<CrewId, Crew>,
    pub(super) people: BTreeMap<PersonId, Person>,
}

pub(super) struct AssetState {
    pub asset: Asset,
    pub devices: Vec<DeviceId>,
    /// By slot of the asset kind's layout.
    pub samples: Box<[Option<Sample>]>,
    /// One per property that an estimator follows, in the rule set's order; none before the first value.
    pub estimators: Box<[Option<Estimator>]>,
    /// What waits for its place in time; only where a sensor may be late.
    pub order: Option<Box<Order>>,
    /// One per rule of the asset's kind, in the rule set's order.
    pub conditions: Box<[Condition]>,
    /// What these rules remember, one after the other; empty before the first judgement.
    pub memory: Box<[u64]>,
    /// What they have brought about, by the place of the rule; nearly always nothing.
    pub courses: Vec<(usize, Course)>,
    /// It was restored: only the first of what its conditions wait for is among the timers.
    pub first_only: bool,
}

pub(super) struct DeviceState {
    pub device: Device,
    pub silence: Silence,
    /// A timer for its silence is set; its moment may be early.
    pub watched: bool,
    /// Where its asset stood when it was looked for last.
    pub asset_seat: Seat,
    /// Its messages, to know one that comes twice.
    pub recent: Recent,
}

impl Row for AssetState {
    type Key = AssetId;

    fn key(&self) -> &AssetId {
        &self.asset.id
    }
}

impl Row for DeviceState {
    type Key = DeviceId;

    fn key(&self) -> &DeviceId {
        &self.device.id
    }
}

impl AssetState {
    /// Of which nothing is known.
    pub fn new(asset: Asset, rules: &RuleSet) -> Self {
        let known = rules.of_kind(&asset.kind);
        Self {
            devices: Vec::new(),
            samples: vec![None; known.layout().len()].into_boxed_slice(),
            estimators: Self::estimators_from(rules, &asset, []),
            order: None,
            conditions: vec![Condition::default(); known.rules().len()].into_boxed_slice(),
            memory: Box::default(),
            courses: Vec::new(),
            first_only: false,
            asset,
        }
    }

    /// What the rule at this place remembers, as words of `known`, which is in force for the asset's kind.
    pub fn words_of(&self, place: usize, known: &ForKind) -> &[u64] {
        self.memory.get(known.words_of(place)).unwrap_or_default()
    }

    /// Puts what the rule at this place remembers among what all do.
    pub fn remember(&mut self, place: usize, known: &ForKind, memory: &Memory) {
        if memory.words().is_empty() {
            return;
        }
        if self.memory.len() != known.words() {
            self.memory = vec![0; known.words()].into_boxed_slice();
        }
        if let Some(words) =
            self.memory.get_mut(known.words_of(place)).filter(|words| words.len() == memory.words().len())
        {
            words.copy_from_slice(memory.words());
        }
    }

    /// The deadlines at which the asset is judged anew by those of its rules that are `like`.
    pub fn judge_anew(
        &mut self,
        seat: Seat,
        now: Timestamp,
        rules: &RuleSet,
        like: impl Fn(&Rule) -> bool,
    ) -> Vec<Entry> {
        let (order, mut entries) = (self.order.as_deref(), Vec::new());
        let rules = rules.for_kind(&self.asset.kind).iter().zip(&mut self.conditions).enumerate();
        for (place, (_, condition)) in rules.filter(|(_, (rule, _))| like(rule)) {
            // In its own time, if it lives in that; before its first value nothing can be said there.
            let order = order.filter(|order| order.has_rule(place));
            let at = order.map_or(now, |order| order.time_at(now));
            if at > Timestamp::MIN {
                condition.judge_anew(at);
                if order.is_none_or(|order| order.behind.is_some()) {
                    entries.push(Entry::new(at, Owner::Rule(seat, place)));
                }
            }
        }
        entries
    }

    /// The alarm of the rule at this place that is not settled.
    pub fn alarm(&self, place: usize) -> Option<AlarmId> {
        self.course(place)?.alarm
    }

    /// The `on_delay` of the rule at this place, while it is running.
    pub fn delay(&self, place: usize) -> Option<&Delay> {
        self.course(place)?.delay.as_ref()
    }

    fn course(&self, place: usize) -> Option<&Course> {
        self.courses.iter().find(|(of, _)| *of == place).map(|(_, course)| course)
    }

    /// Changes what the rule at this place has brought about.
    pub fn set_course(&mut self, place: usize, change: impl FnOnce(&mut Course)) {
        if place >= self.conditions.len() {
            return;
        }
        let known = self.courses.iter().position(|(of, _)| *of == place);
        let mut course = known.map(|at| self.courses.swap_remove(at).1).unwrap_or_default();
        change(&mut course);
        if course.delay.is_some() || course.alarm.is_some() {
            self.courses.push((place, course));
        }
    }

    /// The moment by our clock of a moment that the rule at this place waits for; none while the asset's own time stands.
    pub fn on_the_clock(&self, place: usize, at: Timestamp) -> Option<Timestamp> {
        match self.order.as_deref().filter(|order| order.has_rule(place)) {
            Some(order) => order.behind.map(|behind| at + behind),
            None => Some(at),
        }
    }
}

impl DeviceState {
    pub fn new(device: Device, silence: Silence) -> Self {
        Self { device, silence, watched: false, asset_seat: Seat::NOWHERE, recent: Recent::default() }
    }

    /// When it will be silent, to be waited for from here on; none when it is already.
    pub fn begin_watch(&mut self, started_at: Timestamp) -> Option<Timestamp> {
        if self.watched {
            return None;
        }
        let due = self.silence.due(started_at);
        self.watched = due.is_some();
        due
    }
}

impl Inventory {
    pub fn asset(&self, id: &AssetId) -> Option<&Asset> {
        self.assets.get(id).map(|state| &state.asset)
    }

    pub fn device(&self, id: &DeviceId) -> Option<&Device> {
        self.devices.get(id).map(|state| &state.device)
    }

    /// In order of id.
    pub fn assets(&self) -> impl Iterator<Item = &Asset> {
        sorted(self.assets.values().map(|state| &state.asset), |asset| &asset.id)
    }

    /// In order of id.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        sorted(self.devices.values().map(|state| &state.device), |device| &device.id)
    }

    /// In no order: for whoever looks each of them up, or counts them.
    pub fn each_device(&self) -> impl Iterator<Item = &Device> {
        self.devices.values().map(|state| &state.device)
    }

    pub fn crews(&self) -> impl Iterator<Item = &Crew> {
        self.crews.values()
    }

    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    #[must_use]
    pub const fn count_assets(&self) -> usize {
        self.assets.len()
    }

    #[must_use]
    pub const fn count_devices(&self) -> usize {
        self.devices.len()
    }

    #[must_use]
    pub fn entries(&self) -> usize {
        self.assets.len() + self.devices.len() + self.crews.len() + self.people.len()
    }

    /// Devices that are silent, in order of id.
    pub fn silent_devices(&self) -> impl Iterator<Item = &DeviceId> {
        sorted(self.devices.values().filter(|state| state.silence.silent()).map(|state| &state.device.id), |id| id)
    }

    pub(super) fn asset_of(&self, device: &DeviceId) -> Option<&AssetId> {
        self.devices.get(device).map(|state| &state.device.asset)
    }

    pub(super) fn person_of(&self, device: &DeviceId) -> Option<&PersonId> {
        let state = self.devices.get(device)?;
        let seat = self.assets.seat_by_hint(&state.device.asset, state.asset_seat)?;
        self.assets.at(seat)?.asset.person.as_ref()
    }

    /// Lets the device's asset know it, if there is one.
    pub(super) fn attach(&mut self, device: &Device) -> bool {
        let Some(asset) = self.assets.get_mut(&device.asset) else { return false };
        // Nearly every asset has one device.
        asset.devices.reserve_exact(1);
        asset.devices.push(device.id.clone());
        asset.devices.sort();
        true
    }

    pub(super) fn is_silent(&self, device: &DeviceId) -> bool {
        self.devices.get(device).is_some_and(|state| state.silence.silent())
    }

    pub(super) fn set_silent(&mut self, device: &DeviceId, silent: bool) {
        if let Some(state) = self.devices.get_mut(device) {
            state.silence.set_silent(silent);
        }
    }

    pub(super) fn unwatch(&mut self, device: &DeviceId) {
        if let Some(state) = self.devices.get_mut(device) {
            state.watched = false;
        }
    }

    pub(super) fn silent_due(&self, device: &DeviceId, started_at: Timestamp) -> Option<Timestamp> {
        self.devices.get(device).and_then(|state| state.silence.due(started_at))
    }

    pub(super) fn any_silent(&self, devices: &[DeviceId]) -> bool {
        devices.iter().any(|device| self.is_silent(device))
    }
}

fn sorted<'a, T: 'a, K: Ord + 'a>(
    items: impl Iterator<Item = &'a T>,
    key: impl Fn(&'a T) -> &'a K,
) -> impl Iterator<Item = &'a T> {
    let mut all: Vec<&'a T> = items.collect();
    all.sort_by(|a, b| key(a).cmp(key(b)));
    all.into_iter()
}
