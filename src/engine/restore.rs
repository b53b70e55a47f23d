//! The engine as it was when an image was taken.
//!
//! A large state is nearly all assets and devices. They may come one by one and are fitted to the [`Ground`] on any
//! thread, so that a start holds none of them twice and uses every core; [`Restoring`] puts them together. The order
//! in which they come changes nothing.

use super::conditions::{Condition, Course, Delay};
use super::configure::compiled;
use super::image::{AssetImage, DeviceImage, Image, PassageImage, TaskImage};
use super::inventory::{AssetState, DeviceState};
use super::order::Order;
use super::passages::Passage;
use super::state::{Engine, Limits};
use super::tasks::TaskState;
use super::timers::{Entry, Owner};
use crate::domain::event::{Deadline, DeadlineReason};
use crate::domain::ids::DeviceId;
use crate::domain::time::Timestamp;
use crate::rules::{Rule, RuleSet};
use std::sync::Arc;

/// An engine that has everything but some of its assets and devices.
pub struct Restoring {
    engine: Engine,
    /// Devices that came before their assets.
    early: Vec<DeviceId>,
    entries: Vec<Entry>,
}

/// What assets and devices are fitted to.
pub struct Ground {
    rules: RuleSet,
    started_at: Timestamp,
}

/// Assets and devices as the engine holds them.
#[derive(Default)]
pub struct Fitted {
    /// With when the first of what is waited for is due.
    assets: Vec<(AssetState, Option<Timestamp>)>,
    devices: Vec<(DeviceState, Option<Timestamp>)>,
}

impl Engine {
    #[must_use]
    pub fn restore(limits: Limits, image: Image) -> Self {
        Restoring::begin(limits, image).finish()
    }
}

impl Restoring {
    /// With everything in the image; further assets and devices may follow.
    #[must_use]
    pub fn begin(limits: Limits, image: Image) -> Self {
        let mut engine = Engine::new(limits);
        engine.seq = image.seq;
        engine.now = image.now;
        engine.started_at = image.started_at;
        engine.rules = image.configuration.as_ref().and_then(compiled).unwrap_or_default();
        engine.configuration = image.configuration.map(Box::new);
        engine.inventory.crews = image.crews.into_iter().map(|crew| (crew.id.clone(), crew)).collect();
        engine.inventory.people = image.people.into_iter().map(|person| (person.id.clone(), person)).collect();
        engine.alarms = image.alarms.into_iter().map(|alarm| (alarm.id, alarm)).collect();
        engine.last_alarm = image.last_alarm;
        engine.standing = image.standing;
        for (rule, asset, shadow) in image.shadows {
            engine.shadows.put(rule, asset, shadow);
        }
        engine.tasks.last = image.last_task;
        engine.tasks.last_offered = image.last_offered.into_iter().collect();
        engine.commands = image.commands.into();
        engine.identities.released = image.released;
        engine.neighbourhoods =
            image.neighbourhoods.into_iter().map(|(kind, area, rises)| ((kind, area), rises)).collect();
        for (client, passages) in image.passages {
            engine.identities.clients.insert(client, passages.iter().map(Passage::from).collect());
        }
        let mut restoring = Self { engine, early: Vec::new(), entries: Vec::new() };
        for task in image.tasks {
            restoring.task(task);
        }
        for delivery in image.deliveries {
            let why = DeadlineReason::DeliveryExpires { delivery: delivery.id };
            restoring.engine.timers.set(Deadline { at: delivery.expires_at, why });
            restoring.engine.deliveries.insert(delivery);
        }
        let (ground, mut fitted) = (restoring.ground(), Fitted::default());
        image.assets.into_iter().for_each(|asset| ground.fit_asset(asset, &mut fitted));
        image.devices.into_iter().for_each(|device| ground.fit_device(device, &mut fitted));
        restoring.add(&mut fitted);
        restoring
    }

    #[must_use]
    pub fn ground(&self) -> Ground {
        Ground { rules: self.engine.rules.clone(), started_at: self.engine.started_at }
    }

    /// Says how many are still to come.
    pub fn expect(&mut self, assets: usize, devices: usize) {
        self.engine.inventory.assets.reserve(assets);
        self.engine.inventory.devices.reserve(devices);
        self.entries.reserve_exact(assets + devices);
    }

    /// Leaves the vessel empty, to be used again: giving back much memory and asking for it anew takes longer than
    /// filling it.
    pub fn add(&mut self, fitted: &mut Fitted) {
        for (state, due) in fitted.assets.drain(..) {
            self.engine.held_back += state.order.as_ref().map_or(0, |order| order.waiting.len());
            let seat = self.engine.inventory.assets.insert(state);
            self.entries.extend(due.map(|at| Entry::new(at, Owner::Asset(seat))));
        }
        for (state, due) in fitted.devices.drain(..) {
            if !self.engine.inventory.attach(&state.device) {
                self.early.push(state.device.id.clone());
            }
            let seat = self.engine.inventory.devices.insert(state);
            self.entries.extend(due.map(|at| Entry::new(at, Owner::Device(seat))));
        }
    }

    #[must_use]
    pub fn finish(self) -> Engine {
        let Self { mut engine, early, entries } = self;
        for id in early {
            if let Some(device) = engine.inventory.device(&id).cloned() {
                engine.inventory.attach(&device);
            }
        }
        engine.timers.ask_all(entries);
        engine.watch_calendars();
        engine
    }

    fn task(&mut self, image: TaskImage) {
        let task = image.task.id;
        if let Some(at) = image.task.offer_expires_at {
            self.engine.timers.set(Deadline { at, why: DeadlineReason::OfferExpired { task } });
        }
        if let Some(at) = image.retry_at {
            self.engine.timers.set(Deadline { at, why: DeadlineReason::RetryTask { task } });
        }
        let asked = image.asked.into_iter().collect();
        let TaskImage { task, retry_at, ended_at, .. } = image;
        self.engine.tasks.insert(TaskState { task, asked, retry_at, ended_at });
    }
}

impl Ground {
    pub fn fit_asset(&self, image: AssetImage, fitted: &mut Fitted) {
        let mut state = AssetState::new(image.asset, &self.rules);
        let known_rules = self.rules.of_kind(&state.asset.kind);
        let (layout, rules) = (known_rules.layout(), known_rules.rules());
        for (property, sample) in image.samples {
            if let Some(slot) = layout.slot(&property) {
                state.samples[usize::from(slot)] = Some(sample);
            }
        }
        // They stand in the order of the rules, as these were then; those that hold nothing are left out.
        let mut likely = 0;
        for known in image.conditions {
            let is_it = |rule: &Arc<Rule>| rule.id == known.rule;
            let later = rules.iter().skip(likely).position(is_it).map(|after| likely + after);
            let Some(place) = later.or_else(|| rules.iter().position(is_it)) else { continue };
            likely = place + 1;
            let rule = &rules[place];
            state.remember(place, known_rules, &rule.recall(&known.memory));
            // Whoever looks at the asset's first timer sets those of its conditions.
            let wake = known.wake.and_then(|(node, at)| Some((rule.node_in(&known.memory, node)?, at)));
            state.conditions[place] = Condition::waking(wake);
            let delay = known.delay.map(|(due, cause)| Delay { due, cause });
            state.set_course(place, |course| *course = Course { delay, alarm: known.alarm });
        }
        state.estimators = AssetState::estimators_from(&self.rules, &state.asset, image.estimators);
        state.order = image.order.map(|order| Box::new(Order::of(*order, &self.rules, &state.asset.kind)));
        state.first_only = true;
        let due = state.first_due(rules);
        fitted.assets.push((state, due));
    }

    pub fn fit_device(&self, image: DeviceImage, fitted: &mut Fitted) {
        let recent = image.identities.into();
        let mut state = DeviceState { recent, ..DeviceState::new(image.device, image.silence) };
        let due = state.begin_watch(self.started_at);
        fitted.devices.push((state, due));
    }
}

impl From<&PassageImage> for Passage {
    fn from(image: &PassageImage) -> Self {
        let PassageImage { seq, last, connection, packet, content, unacknowledged_since } = *image;
        Self { seq, last, connection, packet, content, unacknowledged_since }
    }
}
