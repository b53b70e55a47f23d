//! The engine's state as it stands in a snapshot. Start with `State`; assets and devices follow as [`Part`]s, and what
//! is about a person is an [`AssetState`] in a section of its own.

use super::configuration::Configuration;
use super::delivery::Delivery;
use super::estimator::EstimatorState;
use super::fact::Cause;
use super::mandate::Standing;
use super::observation::Value;
use super::order::OrderState;
use super::reason::{PriorityCode, TaskStageCode, TaskStatusCode};
use super::registry::{Asset, Crew, Device, Person};
use super::shadow::ShadowState;
use crate::domain::ids::{AlarmId, AreaId, ContentHash, CrewId, PropertyName, Seq, TaskId};
use crate::domain::time::{Span, Timestamp};
use crate::domain::{alarm, task};
use crate::engine;
use crate::estimate::silence::Silence;
use crate::rules::{CallName, Remembered, Sample};
use minicbor::{Decode, Decoder, Encode, decode};

#[derive(Encode, Decode)]
pub struct State<'a> {
    #[n(0)]
    seq: u64,
    #[n(1)]
    now: i64,
    #[n(2)]
    started_at: i64,
    #[b(3)]
    configuration: Option<Configuration<'a>>,
    #[b(4)]
    crews: Vec<Crew<'a>>,
    #[b(5)]
    people: Vec<Person<'a>>,
    /// Of a snapshot of version 1; empty in a later one.
    #[b(6)]
    assets: Vec<AssetState<'a>>,
    /// As the assets.
    #[b(7)]
    devices: Vec<DeviceState<'a>>,
    #[b(8)]
    alarms: Vec<Alarm<'a>>,
    #[n(9)]
    last_alarm: u64,
    #[b(10)]
    tasks: Vec<TaskState<'a>>,
    #[n(11)]
    last_task: u64,
    #[b(12)]
    last_offered: Vec<(&'a str, u64)>,
    #[b(13)]
    deliveries: Vec<Delivery<'a>>,
    #[b(14)]
    commands: Vec<(&'a str, u64)>,
    #[b(15)]
    passages: Vec<Login<'a>>,
    #[n(16)]
    released: u64,
    /// How many assets and devices follow as parts; from version 2 on.
    #[n(17)]
    following: Option<(u64, u64)>,
    /// Kind, area, and how often its containers have risen.
    #[b(18)]
    neighbourhoods: Option<Vec<(&'a str, Option<&'a str>, u32)>>,
    /// Not written where there are none, as in older snapshots.
    #[b(19)]
    shadows: Option<Vec<ShadowState<'a>>>,
    /// None in older snapshots.
    #[b(20)]
    standing: Option<Standing<'a>>,
}

/// Some of the assets or devices, in order of id. Read by [`read_part`].
#[derive(Encode)]
#[cbor(flat)]
pub enum Part<'a> {
    #[n(0)]
    Assets(#[b(0)] Vec<AssetState<'a>>),
    #[n(1)]
    Devices(#[b(0)] Vec<DeviceState<'a>>),
}

/// One asset or device of a part.
pub enum Piece {
    Asset(engine::AssetImage),
    Device(engine::DeviceImage),
}

/// Hands on each piece before it reads the next.
///
/// # Errors
/// When the bytes are no part; pieces before the fault have been handed on.
pub fn read_part(bytes: &[u8], mut each: impl FnMut(Piece)) -> Result<(), decode::Error> {
    let mut decoder = Decoder::new(bytes);
    decoder.array()?;
    match decoder.u32()? {
        0 => {
            for asset in decoder.array_iter::<AssetState<'_>>()? {
                each(Piece::Asset(asset?.into()));
            }
        }
        1 => {
            for device in decoder.array_iter::<DeviceState<'_>>()? {
                each(Piece::Device(device?.into()));
            }
        }
        other => return Err(decode::Error::unknown_variant(i64::from(other))),
    }
    Ok(())
}

#[derive(Encode, Decode)]
pub struct AssetState<'a> {
    #[b(0)]
    asset: Asset<'a>,
    #[b(1)]
    samples: Vec<SampleState<'a>>,
    #[b(2)]
    conditions: Vec<ConditionState<'a>>,
    /// None in snapshots of before rules could ask estimators.
    #[b(3)]
    estimators: Option<Vec<EstimatorState<'a>>>,
    /// None where no sensor may be late.
    #[b(4)]
    order: Option<Box<OrderState<'a>>>,
}

#[derive(Encode, Decode)]
pub struct SampleState<'a> {
    #[b(0)]
    property: &'a str,
    #[b(1)]
    value: Value<'a>,
    #[n(2)]
    observed_at: i64,
    #[n(3)]
    received_at: i64,
}

#[derive(Encode, Decode)]
struct ConditionState<'a> {
    #[b(0)]
    rule: &'a str,
    /// What each `held` remembers, in snapshots of before calls had keys: since when observed, since when received.
    #[n(1)]
    held: Vec<(Option<i64>, Option<i64>)>,
    #[b(2)]
    delay: Option<DelayState<'a>>,
    #[n(3)]
    alarm: Option<u64>,
    #[n(4)]
    wake: Option<(u16, i64)>,
    /// What each call remembers: its key, its words.
    #[n(5)]
    memory: Option<Vec<(u64, Vec<u64>)>>,
}

#[derive(Encode, Decode)]
struct DelayState<'a> {
    #[n(0)]
    due: i64,
    #[b(1)]
    cause: Cause<'a>,
}

#[derive(Encode, Decode)]
pub struct DeviceState<'a> {
    #[b(0)]
    device: Device<'a>,
    #[n(1)]
    interval: i64,
    #[n(2)]
    heard_at: i64,
    #[n(3)]
    silent: bool,
    #[n(4)]
    identities: Vec<(u64, u64)>,
}

#[derive(Encode, Decode)]
struct Alarm<'a> {
    #[n(0)]
    id: u64,
    #[b(1)]
    rule: &'a str,
    #[b(2)]
    asset: &'a str,
    #[n(3)]
    priority: PriorityCode,
    #[n(4)]
    active: bool,
    #[n(5)]
    acknowledged: bool,
    #[n(6)]
    raised_at: i64,
    #[b(7)]
    cause: Cause<'a>,
}

#[derive(Encode, Decode)]
struct TaskState<'a> {
    #[n(0)]
    id: u64,
    #[n(1)]
    alarm: u64,
    #[b(2)]
    asset: &'a str,
    #[b(3)]
    kind: &'a str,
    #[b(4)]
    skill: &'a str,
    #[n(5)]
    priority: PriorityCode,
    #[n(6)]
    status: TaskStatusCode,
    #[n(7)]
    stage: Option<TaskStageCode>,
    #[b(8)]
    crew: Option<&'a str>,
    #[n(9)]
    offer_expires_at: Option<i64>,
    #[n(10)]
    requested_at: i64,
    #[n(11)]
    exercise: bool,
    #[b(12)]
    asked: Vec<&'a str>,
    #[n(13)]
    retry_at: Option<i64>,
    #[n(14)]
    ended_at: Option<i64>,
}

#[derive(Encode, Decode)]
struct Login<'a> {
    #[b(0)]
    client: &'a str,
    #[n(1)]
    passages: Vec<Passage>,
}

#[derive(Encode, Decode)]
struct Passage {
    #[n(0)]
    seq: u64,
    #[n(1)]
    connection: u64,
    #[n(2)]
    packet: u16,
    #[cbor(n(3), with = "minicbor::bytes")]
    content: [u8; 16],
    #[n(4)]
    unacknowledged_since: Option<i64>,
    #[n(5)]
    last: u64,
}

impl State<'_> {
    /// How many assets and devices follow as parts.
    pub fn following(&self) -> (usize, usize) {
        let (assets, devices) = self.following.unwrap_or_default();
        (assets as usize, devices as usize)
    }
}

#[cfg(test)]
impl<'a> State<'a> {
    /// As programs before the parts wrote it.
    pub fn of_version_1(image: &'a engine::Image) -> Self {
        let assets = image.assets.iter().map(AssetState::shown).collect();
        let devices = image.devices.iter().map(Into::into).collect();
        Self { assets, devices, following: None, ..image.into() }
    }
}

impl<'a> AssetState<'a> {
    /// As it may stand in the open.
    pub fn shown(image: &'a engine::AssetImage) -> Self {
        if image.person().is_some() { Self::open(image) } else { Self::whole(image) }
    }

    pub fn whole(image: &'a engine::AssetImage) -> Self {
        Self {
            asset: (&image.asset).into(),
            samples: image
                .samples
                .iter()
                .map(|(property, sample)| SampleState::new(property.as_str(), sample))
                .collect(),
            conditions: image.conditions.iter().map(|condition| ConditionState::new(condition, true)).collect(),
            order: image.order.as_deref().map(|order| Box::new(order.into())),
            estimators: (!image.estimators.is_empty()).then(|| {
                let known = image.estimators.iter();
                known.map(|(property, known)| EstimatorState::new(property.as_str(), known)).collect()
            }),
        }
    }

    /// What may stand in the open: which alarms are whose, but nothing measured.
    fn open(image: &'a engine::AssetImage) -> Self {
        Self {
            asset: (&image.asset).into(),
            samples: Vec::new(),
            conditions: image.conditions.iter().map(|condition| ConditionState::new(condition, false)).collect(),
            estimators: None,
            order: image.order.as_deref().map(|order| Box::new(OrderState::open(order))),
        }
    }
}

impl<'a> SampleState<'a> {
    pub fn new(property: &'a str, sample: &'a Sample) -> Self {
        Self {
            property,
            value: (&sample.value).into(),
            observed_at: sample.observed_at.as_micros(),
            received_at: sample.received_at.as_micros(),
        }
    }
}

impl<'a> ConditionState<'a> {
    fn new(image: &'a engine::ConditionImage, whole: bool) -> Self {
        let key = |call: CallName| match call {
            CallName::Key(key) => key,
            CallName::Place(place) => place.into(),
        };
        let memory = image.memory.iter().map(|known| (key(known.call), known.words.clone())).collect();
        Self {
            rule: image.rule.as_str(),
            held: Vec::new(),
            memory: Some(memory).filter(|_| whole),
            delay: image.delay.as_ref().map(|(due, cause)| DelayState { due: due.as_micros(), cause: cause.into() }),
            alarm: image.alarm.map(|alarm| alarm.0),
            wake: image.wake.filter(|_| whole).map(|(node, at)| (node, at.as_micros())),
        }
    }
}

/// Without assets and devices: they follow as parts.
impl<'a> From<&'a engine::Image> for State<'a> {
    fn from(image: &'a engine::Image) -> Self {
        Self {
            seq: image.seq.0,
            now: image.now.as_micros(),
            started_at: image.started_at.as_micros(),
            configuration: image.configuration.as_ref().map(Into::into),
            crews: image.crews.iter().map(Into::into).collect(),
            people: image.people.iter().map(Into::into).collect(),
            assets: Vec::new(),
            devices: Vec::new(),
            alarms: image.alarms.iter().map(Into::into).collect(),
            last_alarm: image.last_alarm.0,
            shadows: ShadowState::all(&image.shadows),
            standing: Standing::unless_empty(&image.standing),
            tasks: image.tasks.iter().map(Into::into).collect(),
            last_task: image.last_task.0,
            last_offered: image.last_offered.iter().map(|(crew, seq)| (crew.as_str(), seq.0)).collect(),
            deliveries: image.deliveries.iter().map(Into::into).collect(),
            commands: image.commands.iter().map(|(command, seq)| (command.as_str(), seq.0)).collect(),
            passages: image
                .passages
                .iter()
                .map(|(client, passages)| Login {
                    client: client.as_str(),
                    passages: passages.iter().map(Passage::from).collect(),
                })
                .collect(),
            released: image.released.0,
            following: Some((image.assets.len() as u64, image.devices.len() as u64)),
            neighbourhoods: Some(
                image
                    .neighbourhoods
                    .iter()
                    .map(|(kind, area, rises)| (kind.as_str(), area.as_ref().map(AreaId::as_str), *rises))
                    .collect(),
            ),
        }
    }
}

impl From<State<'_>> for engine::Image {
    fn from(wire: State<'_>) -> Self {
        Self {
            seq: Seq(wire.seq),
            now: Timestamp::from_micros(wire.now),
            started_at: Timestamp::from_micros(wire.started_at),
            configuration: wire.configuration.map(Into::into),
            crews: wire.crews.into_iter().map(Into::into).collect(),
            people: wire.people.into_iter().map(Into::into).collect(),
            assets: wire.assets.into_iter().map(Into::into).collect(),
            devices: wire.devices.into_iter().map(Into::into).collect(),
            alarms: wire.alarms.into_iter().map(Into::into).collect(),
            last_alarm: AlarmId(wire.last_alarm),
            standing: wire.standing.map(Into::into).unwrap_or_default(),
            shadows: wire.shadows.into_iter().flatten().map(Into::into).collect(),
            tasks: wire.tasks.into_iter().map(Into::into).collect(),
            last_task: TaskId(wire.last_task),
            last_offered: wire.last_offered.into_iter().map(|(crew, seq)| (crew.into(), Seq(seq))).collect(),
            deliveries: wire.deliveries.into_iter().map(Into::into).collect(),
            commands: wire.commands.into_iter().map(|(command, seq)| (command.into(), Seq(seq))).collect(),
            passages: wire
                .passages
                .into_iter()
                .map(|login| (login.client.into(), login.passages.into_iter().map(Into::into).collect()))
                .collect(),
            released: Seq(wire.released),
            neighbourhoods: wire
                .neighbourhoods
                .into_iter()
                .flatten()
                .map(|(kind, area, rises)| (kind.into(), area.map(Into::into), rises))
                .collect(),
        }
    }
}

impl From<SampleState<'_>> for (PropertyName, Sample) {
    fn from(wire: SampleState<'_>) -> Self {
        let known = Sample {
            value: wire.value.into(),
            observed_at: Timestamp::from_micros(wire.observed_at),
            received_at: Timestamp::from_micros(wire.received_at),
        };
        (wire.property.into(), known)
    }
}

impl From<AssetState<'_>> for engine::AssetImage {
    fn from(wire: AssetState<'_>) -> Self {
        Self {
            asset: wire.asset.into(),
            samples: wire.samples.into_iter().map(Into::into).collect(),
            order: wire.order.map(|order| Box::new((*order).into())),
            estimators: wire.estimators.into_iter().flatten().map(EstimatorState::into_image).collect(),
            conditions: wire.conditions.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<ConditionState<'_>> for engine::ConditionImage {
    fn from(wire: ConditionState<'_>) -> Self {
        let at = |micros: Option<i64>| micros.map(Timestamp::from_micros);
        let by_place = |(place, (observed, received))| Remembered::held(place, at(observed), at(received));
        let by_key = |(key, words)| Remembered { call: CallName::Key(key), words };
        let held = (0..).zip(wire.held).map(by_place);
        Self {
            rule: wire.rule.into(),
            memory: held.chain(wire.memory.into_iter().flatten().map(by_key)).collect(),
            delay: wire.delay.map(|delay| (Timestamp::from_micros(delay.due), delay.cause.into())),
            alarm: wire.alarm.map(AlarmId),
            wake: wire.wake.map(|(node, at)| (node, Timestamp::from_micros(at))),
        }
    }
}

impl<'a> From<&'a engine::DeviceImage> for DeviceState<'a> {
    fn from(image: &'a engine::DeviceImage) -> Self {
        Self {
            device: (&image.device).into(),
            interval: image.silence.interval.as_micros(),
            heard_at: image.silence.heard_at.as_micros(),
            silent: image.silence.silent,
            identities: image.identities.iter().map(|(identity, seq)| (*identity, seq.0)).collect(),
        }
    }
}

impl From<DeviceState<'_>> for engine::DeviceImage {
    fn from(wire: DeviceState<'_>) -> Self {
        let silence = Silence {
            interval: Span::from_micros(wire.interval),
            heard_at: Timestamp::from_micros(wire.heard_at),
            silent: wire.silent,
        };
        let identities = wire.identities.into_iter().map(|(identity, seq)| (identity, Seq(seq))).collect();
        Self { device: wire.device.into(), silence, identities }
    }
}

impl<'a> From<&'a alarm::Alarm> for Alarm<'a> {
    fn from(alarm: &'a alarm::Alarm) -> Self {
        Self {
            id: alarm.id.0,
            rule: alarm.rule.as_str(),
            asset: alarm.asset.as_str(),
            priority: alarm.priority.into(),
            active: alarm.active,
            acknowledged: alarm.acknowledged,
            raised_at: alarm.raised_at.as_micros(),
            cause: (&alarm.cause).into(),
        }
    }
}

impl From<Alarm<'_>> for alarm::Alarm {
    fn from(wire: Alarm<'_>) -> Self {
        Self {
            id: AlarmId(wire.id),
            rule: wire.rule.into(),
            asset: wire.asset.into(),
            priority: wire.priority.into(),
            active: wire.active,
            acknowledged: wire.acknowledged,
            raised_at: Timestamp::from_micros(wire.raised_at),
            cause: wire.cause.into(),
        }
    }
}

impl<'a> From<&'a engine::TaskImage> for TaskState<'a> {
    fn from(image: &'a engine::TaskImage) -> Self {
        let task = &image.task;
        Self {
            id: task.id.0,
            alarm: task.alarm.0,
            asset: task.asset.as_str(),
            kind: &task.kind,
            skill: task.skill.as_str(),
            priority: task.priority.into(),
            status: task.status.into(),
            stage: task.stage.map(Into::into),
            crew: task.crew.as_ref().map(CrewId::as_str),
            offer_expires_at: task.offer_expires_at.map(Timestamp::as_micros),
            requested_at: task.requested_at.as_micros(),
            exercise: task.exercise,
            asked: image.asked.iter().map(CrewId::as_str).collect(),
            retry_at: image.retry_at.map(Timestamp::as_micros),
            ended_at: image.ended_at.map(Timestamp::as_micros),
        }
    }
}

impl From<TaskState<'_>> for engine::TaskImage {
    fn from(wire: TaskState<'_>) -> Self {
        let task = task::Task {
            id: TaskId(wire.id),
            alarm: AlarmId(wire.alarm),
            asset: wire.asset.into(),
            kind: wire.kind.into(),
            skill: wire.skill.into(),
            priority: wire.priority.into(),
            status: wire.status.into(),
            stage: wire.stage.map(Into::into),
            crew: wire.crew.map(Into::into),
            offer_expires_at: wire.offer_expires_at.map(Timestamp::from_micros),
            requested_at: Timestamp::from_micros(wire.requested_at),
            exercise: wire.exercise,
        };
        let asked = wire.asked.into_iter().map(Into::into).collect();
        let at = |micros: Option<i64>| micros.map(Timestamp::from_micros);
        Self { task, asked, retry_at: at(wire.retry_at), ended_at: at(wire.ended_at) }
    }
}

impl From<&engine::PassageImage> for Passage {
    fn from(image: &engine::PassageImage) -> Self {
        let engine::PassageImage { seq, last, connection, packet, content, unacknowledged_since } = *image;
        let unacknowledged_since = unacknowledged_since.map(Timestamp::as_micros);
        Self { seq: seq.0, connection, packet, content: content.0, unacknowledged_since, last: last.0 }
    }
}

impl From<Passage> for engine::PassageImage {
    fn from(wire: Passage) -> Self {
        let Passage { seq, connection, packet, content, unacknowledged_since, last } = wire;
        let unacknowledged_since = unacknowledged_since.map(Timestamp::from_micros);
        Self { seq: Seq(seq), last: Seq(last), connection, packet, content: ContentHash(content), unacknowledged_since }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELD: ConditionState<'_> =
        ConditionState { rule: "full", held: Vec::new(), delay: None, alarm: None, wake: Some((0, 7)), memory: None };

    #[test]
    fn what_calls_remember_comes_back() {
        let words = vec![0, u64::MAX, 1 << 63];
        let memory = vec![Remembered { call: CallName::Key(0xcbf2_9ce4_8422_2325), words }];
        let wake = Some((2, Timestamp::from_micros(-7)));
        let image = engine::ConditionImage { rule: "full".into(), memory, delay: None, alarm: None, wake };
        let bytes = minicbor::to_vec(ConditionState::new(&image, true)).unwrap();
        assert_eq!(engine::ConditionImage::from(minicbor::decode::<ConditionState<'_>>(&bytes).unwrap()), image);
    }

    #[test]
    fn a_condition_of_before_calls_had_keys_is_read() {
        let bytes = minicbor::to_vec(ConditionState { held: vec![(None, Some(3))], ..HELD }).unwrap();
        assert_eq!(bytes[0], 0x85, "five fields, and no sixth");
        let image = engine::ConditionImage::from(minicbor::decode::<ConditionState<'_>>(&bytes).unwrap());
        assert_eq!(image.memory, [Remembered::held(0, None, Some(Timestamp::from_micros(3)))]);
        assert_eq!(image.wake, Some((0, Timestamp::from_micros(7))));
    }
}
