//! The engine's state as plain values, to be kept and taken on again.
//!
//! A snapshot of the state is a shortcut to the end of a history, never another truth: restoring an image (`restore`)
//! and applying the rest gives the same state as applying everything. How an image is written down is the
//! journal's matter. Timers are not part of it: they follow from what is waited for.

use super::estimators::Estimator;
use super::inventory::{AssetState, DeviceState};
use super::passages::Passage;
use super::shadow::Shadow;
use super::standing::Standing;
use super::state::Engine;
use super::tasks::TaskState;
use crate::domain::alarm::{Alarm, Cause};
use crate::domain::asset::{Asset, Device};
use crate::domain::configuration::Configuration;
use crate::domain::crew::Crew;
use crate::domain::decision::Delivery;
use crate::domain::ids::{
    AlarmId, AreaId, AssetId, AssetKind, ClientId, CommandId, ContentHash, CrewId, DeviceId, PersonId, PropertyName,
    RuleId, Seq, TaskId,
};
use crate::domain::observation::{Quality, Value};
use crate::domain::person::Person;
use crate::domain::task::Task;
use crate::domain::time::{Span, Timestamp};
use crate::estimate::silence::Silence;
use crate::rules::{Remembered, RuleSet, Sample};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Image {
    pub seq: Seq,
    pub now: Timestamp,
    pub started_at: Timestamp,
    pub configuration: Option<Configuration>,
    pub crews: Vec<Crew>,
    pub people: Vec<Person>,
    /// In order of id.
    pub assets: Vec<AssetImage>,
    /// In order of id.
    pub devices: Vec<DeviceImage>,
    pub alarms: Vec<Alarm>,
    pub last_alarm: AlarmId,
    pub shadows: Vec<(RuleId, AssetId, Shadow)>,
    pub standing: Standing,
    pub tasks: Vec<TaskImage>,
    pub last_task: TaskId,
    pub last_offered: Vec<(CrewId, Seq)>,
    pub deliveries: Vec<Delivery>,
    pub commands: Vec<(CommandId, Seq)>,
    pub passages: Vec<(ClientId, Vec<PassageImage>)>,
    pub released: Seq,
    /// How often containers of a kind and area have risen.
    pub neighbourhoods: Vec<(AssetKind, Option<AreaId>, u32)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AssetImage {
    pub asset: Asset,
    pub samples: Vec<(PropertyName, Sample)>,
    pub estimators: Vec<(PropertyName, Estimator)>,
    /// Where a sensor may be late.
    pub order: Option<Box<OrderImage>>,
    pub conditions: Vec<ConditionImage>,
}

/// What waits for its place in time, and what is known there.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderImage {
    pub lateness: Span,
    /// What may be late.
    pub properties: Vec<PropertyName>,
    /// When the newest of it was measured, and how long it took to us.
    pub newest: Option<(Timestamp, Span)>,
    pub judged_through: Timestamp,
    pub clock: Timestamp,
    pub behind: Option<Span>,
    /// The newest values that were judged. They count as received when they were observed.
    pub samples: Vec<(PropertyName, Sample)>,
    /// Oldest first.
    pub waiting: Vec<WaitingImage>,
}

/// A value that is held back.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitingImage {
    pub property: PropertyName,
    pub value: Value,
    pub quality: Quality,
    pub observed_at: Timestamp,
    pub device: DeviceId,
    pub exercise: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ConditionImage {
    pub rule: RuleId,
    /// What the rule's calls remember.
    pub memory: Vec<Remembered>,
    pub delay: Option<(Timestamp, Cause)>,
    pub alarm: Option<AlarmId>,
    pub wake: Option<(u16, Timestamp)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct DeviceImage {
    pub device: Device,
    pub silence: Silence,
    pub identities: Vec<(u64, Seq)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TaskImage {
    pub task: Task,
    pub asked: Vec<CrewId>,
    pub retry_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassageImage {
    pub seq: Seq,
    pub last: Seq,
    pub connection: u64,
    pub packet: u16,
    pub content: ContentHash,
    pub unacknowledged_since: Option<Timestamp>,
}

impl ConditionImage {
    /// Whether it holds anything; what is left out is as in the beginning.
    fn holds(&self) -> bool {
        !self.memory.is_empty() || self.delay.is_some() || self.alarm.is_some() || self.wake.is_some()
    }
}

impl AssetImage {
    /// Whose it is, if it is about a person: then it is sealed with that person's key.
    #[must_use]
    pub const fn person(&self) -> Option<&PersonId> {
        self.asset.person.as_ref()
    }
}

impl Engine {
    #[must_use]
    pub fn image(&self) -> Image {
        let mut assets: Vec<_> = self.inventory.assets.values().map(|state| asset_image(state, &self.rules)).collect();
        assets.sort_by(|a, b| a.asset.id.cmp(&b.asset.id));
        let mut devices: Vec<_> = self.inventory.devices.values().map(DeviceImage::from).collect();
        devices.sort_by(|a, b| a.device.id.cmp(&b.device.id));
        let mut passages: Vec<_> = self
            .identities
            .clients
            .iter()
            .map(|(client, known)| (client.clone(), known.iter().map(PassageImage::from).collect()))
            .collect();
        passages.sort_by(|(a, _): &(ClientId, Vec<PassageImage>), (b, _)| a.cmp(b));
        Image {
            seq: self.seq,
            now: self.now,
            started_at: self.started_at,
            configuration: self.configuration.as_deref().cloned(),
            crews: self.inventory.crews().cloned().collect(),
            people: self.inventory.people().cloned().collect(),
            assets,
            devices,
            alarms: self.alarms.values().cloned().collect(),
            last_alarm: self.last_alarm,
            standing: self.standing.clone(),
            shadows: self
                .shadows
                .iter()
                .map(|(rule, asset, shadow)| (rule.clone(), asset.clone(), shadow.clone()))
                .collect(),
            tasks: self.tasks.states().map(TaskImage::from).collect(),
            last_task: self.tasks.last,
            last_offered: self.tasks.last_offered.iter().map(|(crew, seq)| (crew.clone(), *seq)).collect(),
            deliveries: self.deliveries.iter().cloned().collect(),
            commands: self.commands.iter().cloned().collect(),
            passages,
            released: self.identities.released,
            neighbourhoods: self
                .neighbourhoods
                .iter()
                .map(|((kind, area), rises)| (kind.clone(), area.clone(), *rises))
                .collect(),
        }
    }
}

fn asset_image(state: &AssetState, rules: &RuleSet) -> AssetImage {
    let kind = &state.asset.kind;
    let properties = rules.slots(kind).names();
    let samples =
        properties.zip(&state.samples).filter_map(|(name, sample)| Some((name.clone(), sample.clone()?))).collect();
    let known = rules.of_kind(kind);
    let conditions = known.rules().iter().zip(&state.conditions).enumerate();
    let conditions = conditions.map(|(place, (rule, condition))| ConditionImage {
        rule: rule.id.clone(),
        memory: rule.remembered(state.words_of(place, known)),
        delay: state.delay(place).map(|delay| (delay.due, delay.cause.clone())),
        alarm: state.alarm(place),
        wake: condition.wake(),
    });
    let estimators = state.estimators_by_property(rules);
    let order = state.order.as_deref().map(|order| Box::new(order.image(rules, kind)));
    AssetImage {
        asset: state.asset.clone(),
        samples,
        estimators,
        order,
        conditions: conditions.filter(ConditionImage::holds).collect(),
    }
}

impl From<&DeviceState> for DeviceImage {
    fn from(state: &DeviceState) -> Self {
        Self { device: state.device.clone(), silence: state.silence, identities: state.recent.in_order() }
    }
}

impl From<&TaskState> for TaskImage {
    fn from(state: &TaskState) -> Self {
        let TaskState { task, asked, retry_at, ended_at } = state;
        Self { task: task.clone(), asked: asked.iter().cloned().collect(), retry_at: *retry_at, ended_at: *ended_at }
    }
}

impl From<&Passage> for PassageImage {
    fn from(passage: &Passage) -> Self {
        let Passage { seq, last, connection, packet, content, unacknowledged_since } = *passage;
        Self { seq, last, connection, packet, content, unacknowledged_since }
    }
}
