//! The engine's state as plain values, to be kept and taken on again.
//!
//! A snapshot of the state is a shortcut to the end of a history, never another truth: restoring an image and
//! applying the rest gives the same state as applying everything. How an image is written down is the
//! journal's matter. Timers are not part of it: they follow from what is waited for.

use super::conditions::{Condition, Delay, place_of};
use super::configure::compiled;
use super::inventory::{AssetState, DeviceState};
use super::passages::Passage;
use super::state::{Engine, Limits};
use super::tasks::TaskState;
use crate::domain::alarm::{Alarm, Cause};
use crate::domain::asset::{Asset, Device};
use crate::domain::configuration::Configuration;
use crate::domain::crew::Crew;
use crate::domain::decision::Delivery;
use crate::domain::event::{Deadline, DeadlineReason};
use crate::domain::ids::{
    AlarmId, ClientId, CommandId, ContentHash, CrewId, PersonId, PropertyName, RuleId, Seq, TaskId,
};
use crate::domain::person::Person;
use crate::domain::task::Task;
use crate::domain::time::Timestamp;
use crate::estimate::silence::Silence;
use crate::rules::{HeldCell, Memory, RuleSet, Sample};

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
    pub tasks: Vec<TaskImage>,
    pub last_task: TaskId,
    pub last_offered: Vec<(CrewId, Seq)>,
    pub deliveries: Vec<Delivery>,
    pub commands: Vec<(CommandId, Seq)>,
    pub passages: Vec<(ClientId, Vec<PassageImage>)>,
    pub released: Seq,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AssetImage {
    pub asset: Asset,
    pub samples: Vec<(PropertyName, Sample)>,
    pub conditions: Vec<ConditionImage>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ConditionImage {
    pub rule: RuleId,
    pub held: Vec<HeldCell>,
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
        let mut devices: Vec<_> = self.inventory.devices.values().map(|state| self.device_image(state)).collect();
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
            tasks: self.tasks.states().map(TaskImage::from).collect(),
            last_task: self.tasks.last,
            last_offered: self.tasks.last_offered.iter().map(|(crew, seq)| (crew.clone(), *seq)).collect(),
            deliveries: self.deliveries.iter().cloned().collect(),
            commands: self.commands.iter().cloned().collect(),
            passages,
            released: self.identities.released,
        }
    }

    /// The engine as it was when the image was taken.
    #[must_use]
    pub fn restore(limits: Limits, image: Image) -> Self {
        let mut engine = Self::new(limits);
        engine.seq = image.seq;
        engine.now = image.now;
        engine.started_at = image.started_at;
        engine.rules = image.configuration.as_ref().and_then(compiled).unwrap_or_default();
        engine.configuration = image.configuration.map(Box::new);
        engine.inventory.crews = image.crews.into_iter().map(|crew| (crew.id.clone(), crew)).collect();
        engine.inventory.people = image.people.into_iter().map(|person| (person.id.clone(), person)).collect();
        engine.alarms = image.alarms.into_iter().map(|alarm| (alarm.id, alarm)).collect();
        engine.last_alarm = image.last_alarm;
        engine.tasks.last = image.last_task;
        engine.tasks.last_offered = image.last_offered.into_iter().collect();
        engine.commands = image.commands.into();
        engine.identities.released = image.released;
        engine.inventory.assets.reserve(image.assets.len());
        engine.inventory.devices.reserve(image.devices.len());
        let mut deadlines = Vec::new();
        for asset in image.assets {
            engine.restore_asset(asset, &mut deadlines);
        }
        for device in image.devices {
            engine.restore_device(device, &mut deadlines);
        }
        for task in image.tasks {
            engine.restore_task(task, &mut deadlines);
        }
        for delivery in image.deliveries {
            let why = DeadlineReason::DeliveryExpires { delivery: delivery.id };
            deadlines.push(Deadline { at: delivery.expires_at, why });
            engine.deliveries.insert(delivery);
        }
        engine.timers.set_all(deadlines);
        engine.watch_calendars();
        for (client, passages) in image.passages {
            engine.identities.clients.insert(client, passages.iter().map(Passage::from).collect());
        }
        engine
    }

    fn device_image(&self, state: &DeviceState) -> DeviceImage {
        let identities = self.identities.devices.get(&state.device.id);
        DeviceImage {
            device: state.device.clone(),
            silence: state.silence,
            identities: identities.map(|known| known.iter().copied().collect()).unwrap_or_default(),
        }
    }

    fn restore_asset(&mut self, image: AssetImage, deadlines: &mut Vec<Deadline>) {
        let kind = image.asset.kind.clone();
        let layout = self.rules.slots(&kind);
        let mut samples = vec![None; layout.len()];
        for (property, sample) in image.samples {
            if let Some(slot) = layout.slot(&property) {
                samples[usize::from(slot)] = Some(sample);
            }
        }
        let mut conditions = vec![Condition::default(); self.rules.for_kind(&kind).len()];
        for known in image.conditions {
            let Some(index) = place_of(&self.rules, &kind, &known.rule) else { continue };
            let asset = || image.asset.id.clone();
            if let Some((due, _)) = &known.delay {
                let why = DeadlineReason::OnDelay { rule: known.rule.clone(), asset: asset() };
                deadlines.push(Deadline { at: *due, why });
            }
            if let Some((node, at)) = known.wake {
                let why = DeadlineReason::Held { rule: known.rule.clone(), asset: asset(), node };
                deadlines.push(Deadline { at, why });
            }
            conditions[index] = Condition {
                memory: Memory::from_cells(known.held),
                delay: known.delay.map(|(due, cause)| Delay { due, cause }),
                alarm: known.alarm,
                wake: known.wake,
            };
        }
        let state = AssetState { asset: image.asset, devices: Vec::new(), samples, conditions };
        self.inventory.assets.insert(state.asset.id.clone(), state);
    }

    fn restore_device(&mut self, image: DeviceImage, deadlines: &mut Vec<Deadline>) {
        let id = image.device.id.clone();
        if let Some(asset) = self.inventory.assets.get_mut(&image.device.asset) {
            asset.devices.push(id.clone());
        }
        if !image.identities.is_empty() {
            self.identities.devices.insert(id.clone(), image.identities.into());
        }
        let state = DeviceState { device: image.device, silence: image.silence, watched: false };
        self.inventory.devices.insert(id.clone(), state);
        deadlines.extend(self.begin_watch(&id));
    }

    fn restore_task(&mut self, image: TaskImage, deadlines: &mut Vec<Deadline>) {
        let task = image.task.id;
        if let Some(at) = image.task.offer_expires_at {
            deadlines.push(Deadline { at, why: DeadlineReason::OfferExpired { task } });
        }
        if let Some(at) = image.retry_at {
            deadlines.push(Deadline { at, why: DeadlineReason::RetryTask { task } });
        }
        let asked = image.asked.into_iter().collect();
        self.tasks.insert(TaskState { task: image.task, asked, retry_at: image.retry_at, ended_at: image.ended_at });
    }
}

fn asset_image(state: &AssetState, rules: &RuleSet) -> AssetImage {
    let kind = &state.asset.kind;
    let properties = rules.slots(kind).names();
    let samples =
        properties.zip(&state.samples).filter_map(|(name, sample)| Some((name.clone(), sample.clone()?))).collect();
    let conditions = rules.for_kind(kind).iter().zip(&state.conditions).map(|(rule, condition)| ConditionImage {
        rule: rule.id.clone(),
        held: condition.memory.cells().to_vec(),
        delay: condition.delay.as_ref().map(|delay| (delay.due, delay.cause.clone())),
        alarm: condition.alarm,
        wake: condition.wake,
    });
    AssetImage { asset: state.asset.clone(), samples, conditions: conditions.collect() }
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

impl From<&PassageImage> for Passage {
    fn from(image: &PassageImage) -> Self {
        let PassageImage { seq, last, connection, packet, content, unacknowledged_since } = *image;
        Self { seq, last, connection, packet, content, unacknowledged_since }
    }
}
