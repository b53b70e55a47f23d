//! Event time: values of an asset that may come out of their order wait here until they can be judged in it.
//!
//! A type of sensor that sends in batches says how late a value may come (`lateness`). The *watermark* of an asset is
//! the newest `observed_at` of such a type less its lateness; it moves with data and with nothing else, above all not
//! with a clock. What was measured before it is judged, moment by moment; what was not waits; what comes from before it
//! is late. One order for each asset, not for each datastream: a rule that reads two properties of a sensor must see
//! them at the same moments, and a property that is seldom sent must not hold up the others.
//! Rules that read no such type, and eager ones, decide on arrival, so a slow logger in a room delays nobody's call.
//! An asset without such a type has no `Order`. Start with `arrivals`, which fills and empties it.

use super::conditions::Judged;
use super::image::{OrderImage, WaitingImage};
use super::inspect::HeldBack;
use super::inventory::{AssetState, DeviceState, Inventory};
use super::state::Engine;
use super::table::Table;
use crate::domain::asset::Device;
use crate::domain::configuration::Configuration;
use crate::domain::event::RegistryChange;
use crate::domain::ids::{AssetId, AssetKind, DeviceId, PropertyName};
use crate::domain::observation::{Quality, Value};
use crate::domain::time::{Span, Timestamp};
use crate::rules::{Rule, RuleSet, Sample};
use std::cmp::Ordering;
use std::sync::Arc;

/// The order of one asset.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub lateness: Span,
    /// What its sensors measure that may be late.
    pub properties: Vec<PropertyName>,
    /// The newest value of those: when it was measured, and how long it took to us.
    pub newest: Option<(Timestamp, Span)>,
    /// The moment that was judged last; whatever was measured before it comes too late.
    pub judged_through: Timestamp,
    /// How far the asset's own time has come: to that moment, or on to a turn after it.
    pub clock: Timestamp,
    /// How far the asset's own time is behind ours while its sensors are silent: it runs on then, because nothing is
    /// waited for. Otherwise it stands until a value moves it.
    pub behind: Option<Span>,
    /// The newest values that were judged, by slot.
    pub samples: Vec<Option<Sample>>,
    /// What waits, oldest first.
    pub waiting: Vec<Waiting>,
    /// By slot: it may be late.
    late: Box<[bool]>,
    /// By slot: it waits, because a rule reads it together with what may be late, or it may be late itself.
    waits: Box<[bool]>,
    /// By the place of a rule: it is judged in order.
    rules: Box<[bool]>,
}

/// A value that is held back.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Waiting {
    pub observed_at: Timestamp,
    pub slot: u16,
    pub value: Value,
    pub quality: Quality,
    pub device: DeviceId,
    pub exercise: bool,
}

impl Order {
    /// An order that begins after what is known already.
    fn after(known: &[Option<Sample>]) -> Self {
        let newest = known.iter().flatten().map(|sample| sample.observed_at).max();
        let in_its_time = |sample: &Sample| Sample { received_at: sample.observed_at, ..sample.clone() };
        Self {
            lateness: Span::ZERO,
            properties: Vec::new(),
            newest: newest.map(|newest| (newest, Span::ZERO)),
            judged_through: newest.unwrap_or(Timestamp::MIN),
            clock: newest.unwrap_or(Timestamp::MIN),
            behind: None,
            samples: known.iter().map(|sample| sample.as_ref().map(in_its_time)).collect(),
            waiting: Vec::new(),
            late: Box::default(),
            waits: Box::default(),
            rules: Box::default(),
        }
    }

    /// Finds its places among the rules of the asset's kind.
    pub fn fit(&mut self, rules: &RuleSet, kind: &AssetKind) {
        let layout = rules.slots(kind);
        self.late = layout.names().map(|name| self.properties.contains(name)).collect();
        let reads_late = |rule: &Arc<Rule>| !rule.eager && rule.reads().iter().any(|slot| self.may_be_late(*slot));
        self.rules = rules.for_kind(kind).iter().map(reads_late).collect();
        self.waits = self.late.clone();
        for (rule, _) in rules.for_kind(kind).iter().zip(&self.rules).filter(|(_, ordered)| **ordered) {
            for slot in rule.reads() {
                if let Some(waits) = self.waits.get_mut(usize::from(*slot)) {
                    *waits = true;
                }
            }
        }
        self.samples.resize(layout.len(), None);
    }

    /// Carries what is known to the slots of another rule set.
    pub fn refit(&mut self, old: &RuleSet, new: &RuleSet, kind: &AssetKind) {
        let (old, new) = (old.slots(kind), new.slots(kind));
        let mut known = std::mem::take(&mut self.samples);
        self.samples = new
            .names()
            .map(|property| old.slot(property).and_then(|slot| known.get_mut(usize::from(slot))?.take()))
            .collect();
        let names: Vec<_> = old.names().collect();
        self.waiting.retain_mut(|waiting| {
            let slot = names.get(usize::from(waiting.slot)).and_then(|name| new.slot(name));
            slot.map(|slot| waiting.slot = slot).is_some()
        });
        self.waiting.sort_by(Waiting::order);
    }

    pub fn image(&self, rules: &RuleSet, kind: &AssetKind) -> OrderImage {
        let names: Vec<_> = rules.slots(kind).names().collect();
        let known = names.iter().zip(&self.samples);
        let waiting = self.waiting.iter().filter_map(|waiting| {
            Some(WaitingImage {
                property: (*names.get(usize::from(waiting.slot))?).clone(),
                value: waiting.value.clone(),
                quality: waiting.quality,
                observed_at: waiting.observed_at,
                device: waiting.device.clone(),
                exercise: waiting.exercise,
            })
        });
        OrderImage {
            lateness: self.lateness,
            properties: self.properties.clone(),
            newest: self.newest,
            judged_through: self.judged_through,
            clock: self.clock,
            behind: self.behind,
            samples: known.filter_map(|(name, sample)| Some(((*name).clone(), sample.clone()?))).collect(),
            waiting: waiting.collect(),
        }
    }

    pub fn of(image: OrderImage, rules: &RuleSet, kind: &AssetKind) -> Self {
        let layout = rules.slots(kind);
        let mut samples = vec![None; layout.len()];
        for (property, sample) in image.samples {
            if let Some(slot) = layout.slot(&property) {
                samples[usize::from(slot)] = Some(sample);
            }
        }
        let waiting = image.waiting.into_iter().filter_map(|waiting| {
            let WaitingImage { property, value, quality, observed_at, device, exercise } = waiting;
            Some(Waiting { observed_at, slot: layout.slot(&property)?, value, quality, device, exercise })
        });
        let mut order = Self {
            lateness: image.lateness,
            properties: image.properties,
            newest: image.newest,
            judged_through: image.judged_through,
            clock: image.clock,
            behind: image.behind,
            samples,
            waiting: waiting.collect(),
            late: Box::default(),
            waits: Box::default(),
            rules: Box::default(),
        };
        order.fit(rules, kind);
        order
    }

    /// Whether the rule at this place is judged in order.
    pub fn has_rule(&self, place: usize) -> bool {
        self.rules.get(place).copied().unwrap_or_default()
    }

    pub fn may_be_late(&self, slot: u16) -> bool {
        self.late.get(usize::from(slot)).copied().unwrap_or_default()
    }

    fn waits(&self, slot: u16) -> bool {
        self.waits.get(usize::from(slot)).copied().unwrap_or_default()
    }

    /// What was measured before this moment can be put in order no more.
    pub fn horizon(&self, slot: u16) -> Timestamp {
        if self.may_be_late(slot) {
            self.watermark().max(self.judged_through)
        } else if self.waits(slot) {
            self.judged_through
        } else {
            Timestamp::MIN
        }
    }

    /// Whatever was measured before it is judged.
    pub fn watermark(&self) -> Timestamp {
        self.newest.map_or(Timestamp::MIN, |(newest, _)| newest - self.lateness)
    }

    /// The asset's own time at a moment of ours.
    pub fn time_at(&self, now: Timestamp) -> Timestamp {
        self.behind.map_or(self.clock, |behind| self.clock.max(now - behind))
    }

    /// A value of a sensor that may be late was heard.
    pub fn heard(&mut self, observed_at: Timestamp, received_at: Timestamp) {
        self.behind = None;
        if self.newest.is_none_or(|(newest, _)| newest < observed_at) {
            self.newest = Some((observed_at, received_at.since(observed_at)));
        }
    }

    /// Puts a value in its place; false when it is there already.
    pub fn put(&mut self, waiting: Waiting) -> bool {
        let judged = self.samples.get(usize::from(waiting.slot)).and_then(Option::as_ref);
        if judged.is_some_and(|known| known.observed_at == waiting.observed_at && known.value == waiting.value) {
            return false;
        }
        match self.waiting.binary_search_by(|known| known.order(&waiting)) {
            Ok(_) => return false,
            Err(place) if self.waits(waiting.slot) => self.waiting.insert(place, waiting),
            Err(_) => {}
        }
        true
    }

    /// What waits, of what the rule reads.
    pub fn held_back(&self, rule: &Rule) -> HeldBack {
        let read = |waiting: &&Waiting| rule.reads().binary_search(&waiting.slot).is_ok();
        let mut waiting = self.waiting.iter().filter(read);
        let first = waiting.clone().next();
        HeldBack {
            values: waiting.clone().count(),
            measured: first.zip(waiting.next_back()).map(|(first, last)| (first.observed_at, last.observed_at)),
            watermark: self.newest.map(|_| self.watermark()),
            lateness: self.lateness,
        }
    }

    /// The values of the oldest moment, if it lies before `until`.
    pub fn take(&mut self, until: Timestamp) -> Option<Vec<Waiting>> {
        let moment = self.waiting.first()?.observed_at;
        let end = self.waiting.partition_point(|waiting| waiting.observed_at <= moment);
        (moment < until).then(|| self.waiting.drain(..end).collect())
    }
}

impl Waiting {
    /// By moment; what was measured at the same is in an order that no arrival changes.
    fn order(&self, other: &Self) -> Ordering {
        (self.observed_at, self.slot)
            .cmp(&(other.observed_at, other.slot))
            .then_with(|| order_of_values(&self.value, &other.value))
    }
}

fn order_of_values(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.partial_cmp(right).unwrap_or(Ordering::Equal),
        (Value::Boolean(left), Value::Boolean(right)) => left.cmp(right),
        (Value::Text(left), Value::Text(right)) => left.cmp(right),
        (Value::Number(_), Value::Boolean(_) | Value::Text(_)) | (Value::Boolean(_), Value::Text(_)) => Ordering::Less,
        (Value::Boolean(_) | Value::Text(_), Value::Number(_)) | (Value::Text(_), Value::Boolean(_)) => {
            Ordering::Greater
        }
    }
}

impl Engine {
    /// Lets the asset have an order if a type of its sensors says that it may be late, and none otherwise.
    pub(super) fn arrange(&mut self, asset_id: &AssetId) {
        let Inventory { assets, devices, .. } = &mut self.inventory;
        if let Some(state) = assets.get_mut(asset_id) {
            let told = told_late(self.configuration.as_deref(), devices, &state.devices);
            self.held_back -= state.arrange(told, &self.rules);
        }
    }

    /// As [`Self::arrange`], for every asset, by a configuration that comes into force.
    pub(super) fn arrange_all(&mut self, configuration: &Configuration, rules: &RuleSet) {
        let Inventory { assets, devices, .. } = &mut self.inventory;
        for state in assets.values_mut() {
            let told = told_late(Some(configuration), devices, &state.devices);
            state.arrange(told, rules);
        }
        self.count_held_back();
    }

    fn count_held_back(&mut self) {
        let orders = self.inventory.assets.values().filter_map(|state| state.order.as_deref());
        self.held_back = orders.map(|order| order.waiting.len()).sum();
    }

    /// Judges what is held back in assets that will have no order under this configuration.
    pub(super) fn let_go_under(&mut self, configuration: &Configuration) -> Vec<Judged> {
        let Inventory { assets, devices, .. } = &self.inventory;
        let ends = |state: &&AssetState| {
            state.order.is_some() && told_late(Some(configuration), devices, &state.devices).is_none()
        };
        let mut ended: Vec<_> = assets.values().filter(ends).map(|state| state.asset.id.clone()).collect();
        ended.sort();
        ended.iter().flat_map(|asset| self.let_go(asset)).collect()
    }

    /// Judges what is held back in assets that these changes take a sensor from.
    pub(super) fn let_go_before(&mut self, changes: &[RegistryChange]) -> Vec<Judged> {
        let mut judged = Vec::new();
        for change in changes {
            let (device, after) = match change {
                RegistryChange::PutDevice(device) => (&device.id, Some(device)),
                RegistryChange::RemoveDevice(device) => (device, None),
                RegistryChange::PutAsset(_)
                | RegistryChange::PutCrew(_)
                | RegistryChange::PutPerson(_)
                | RegistryChange::RemoveAsset(_)
                | RegistryChange::RemoveCrew(_)
                | RegistryChange::RemovePerson(_) => continue,
            };
            let same = |known: &Device| {
                after.is_some_and(|after| after.asset == known.asset && after.sensor_type == known.sensor_type)
            };
            let leaves = self.inventory.device(device).filter(|known| !same(known)).map(|known| known.asset.clone());
            judged.extend(leaves.into_iter().flat_map(|asset| self.let_go(&asset)));
        }
        judged
    }
}

impl AssetState {
    /// Returns how many values were held back that are not any more.
    fn arrange(&mut self, told: Option<(Span, Vec<PropertyName>)>, rules: &RuleSet) -> usize {
        let Some((lateness, properties)) = told else {
            return self.order.take().map_or(0, |order| order.waiting.len());
        };
        let known = &self.samples;
        let order = self.order.get_or_insert_with(|| Box::new(Order::after(known)));
        (order.lateness, order.properties) = (lateness, properties);
        order.fit(rules, &self.asset.kind);
        0
    }
}

/// How late values of these devices may be, and what those of them measure that may be late.
fn told_late(
    configuration: Option<&Configuration>,
    devices: &Table<DeviceState>,
    of: &[DeviceId],
) -> Option<(Span, Vec<PropertyName>)> {
    let types = &configuration?.sensor_types;
    let known = of.iter().filter_map(|device| types.get(&devices.get(device)?.device.sensor_type));
    let (mut lateness, mut properties) = (Span::ZERO, Vec::new());
    for sensor_type in known.filter(|known| known.lateness > Span::ZERO) {
        lateness = lateness.max(sensor_type.lateness);
        properties.extend(sensor_type.properties.keys().cloned());
    }
    properties.sort();
    properties.dedup();
    (lateness > Span::ZERO).then_some((lateness, properties))
}
