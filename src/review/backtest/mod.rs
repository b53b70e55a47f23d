//! `rettidig backtest`: rule sets and other policies over the same data, and what each of them would have called for.
//!
//! `recorded` takes the values as they were: they go from a journal or from recorded series through one engine for each
//! of two rule sets, the one that decides live. Nobody answers: the data hold what people did. `modelled` asks what would
//! have been: `deposits` works out what was put into each container, and every policy empties its own (`rounds` rule sets,
//! `plans` the others), a `crew` comes when it is called, and a `walk` keeps account of one container. Of beds and other
//! assets nothing is modelled.
//!
//! Start with `recorded::over_journal` and `modelled::counterfactual`; `render`, `wire` and `page` show what came of it.

mod course;
mod crew;
mod deposits;
mod losses;
mod modelled;
mod page;
mod plans;
mod plot;
mod recorded;
mod render;
mod rounds;
mod walk;
mod wire;
mod words;

#[cfg(test)]
mod tests;

use crate::config::WrittenCalendars;
use crate::domain::asset::{Asset, Device, SensorType};
use crate::domain::configuration::Configuration;
use crate::domain::event::RegistryChange;
use crate::domain::ids::{
    AreaId, AssetId, AssetKind, ClientId, ContentHash, DeviceId, JournalId, PropertyName, RuleId, Seq,
};
use crate::domain::observation::{Finite, Identity, Observation, Observed, Quality, Value};
use crate::domain::time::{Span, Timestamp};
use crate::domain::uplink::Ingress;
use smol_str::SmolStr;
use std::collections::BTreeMap;

pub use course::{Count, Tally};
pub use losses::Loss;
pub use modelled::{Container, GROUP, Groups, Modelled, Outcome, counterfactual};
pub use recorded::{over_journal, over_series};
pub use walk::{Daily, Figures};

/// What recorded series are taken for.
const KIND: &str = "bin";
const PROPERTY: &str = "fill";
/// Registry changes in one event.
const CHANGES_AT_ONCE: usize = 1_000;

/// One rule set, with the settings and calendars around it.
pub struct Policy<'a> {
    /// As the reader knows it: a folder.
    pub name: String,
    pub configuration: &'a Configuration,
    pub calendars: &'a WrittenCalendars,
}

/// Who decides when a container is emptied.
pub enum Contender<'a> {
    Rules(&'a Policy<'a>),
    /// A crew is called at this share of the volume.
    Level(f64),
    /// A plan of so many days; none: tuned for each container.
    Fixed(Option<u16>),
}

/// How the work is modelled.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// A called crew comes with a service of the container's route; otherwise it drives out for the call.
    pub with_service: bool,
    /// From a call to the crew, or to the earliest service it comes with. None: the next service, or a day.
    pub respond: Option<Span>,
    /// Share of each container's time, its first, that a plan is tuned on and no policy is judged by.
    pub tuned_on: f64,
    /// A tuned plan lets a container be full for at most this share of the time.
    pub full_at_most: f64,
    /// Tasks of this kind are to empty a container.
    pub task: SmolStr,
    /// The policy whose losses are told; 0 is how it was.
    pub judged: Option<usize>,
    pub threads: usize,
}

/// The values of one container: in order of time, no time twice.
pub struct Series {
    pub asset: Asset,
    /// Shares of the volume.
    pub values: Vec<(Timestamp, f64)>,
}

/// Everything that a backtest found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Two rule sets, rule by rule.
    pub compared: Option<Compared>,
    /// What every policy would have made of the containers.
    pub policies: Option<Policies>,
    /// What was read.
    pub data: DataRead,
    pub left_out: LeftOut,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataRead {
    Journal {
        id: JournalId,
        first: Seq,
        last: Seq,
    },
    /// So many containers.
    Series(usize),
}

impl Default for DataRead {
    fn default() -> Self {
        Self::Series(0)
    }
}

/// The policies of a modelled run, and how it was modelled.
#[derive(Clone, Debug, PartialEq)]
pub struct Policies {
    pub model: Model,
    /// As they were asked for; without the first, which is how it was.
    pub names: Vec<PolicyName>,
    pub modelled: Modelled,
}

#[derive(Clone, Debug, PartialEq)]
pub enum PolicyName {
    Rules(String),
    Level(f64),
    Fixed(Option<u16>),
}

/// Rows that could not be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    pub rows: u64,
    /// The first of each file.
    pub first: Vec<BadRow>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    pub file: String,
    pub line: u64,
    pub why: String,
}

/// Two rule sets over the same data.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// Each rule set emptied its own containers; otherwise the levels are as recorded.
    pub modelled: bool,
    /// There were assets that are no containers, of which only alarms and tasks are compared.
    pub others: bool,
    pub from: Timestamp,
    pub until: Timestamp,
    /// Messages with values.
    pub reports: u64,
    pub against: Side,
    pub new: Side,
    /// By rule: of either set, in order of id.
    pub rules: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    pub name: String,
    /// Assets and sensors that this configuration would not take, such as one whose sensor type it lacks.
    pub refused: u64,
}

/// One rule in both sets; none where the set has no such rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub rule: RuleId,
    pub against: Option<Count>,
    pub new: Option<Count>,
}

impl Series {
    /// A bin that nothing is known of but its name: it stands in an area of its own, so that no other is taken for its
    /// neighbour.
    #[must_use]
    pub fn of(name: &str, values: Vec<(Timestamp, f64)>) -> Self {
        let (id, kind, attributes) = (AssetId::new(name), AssetKind::new(KIND), BTreeMap::new());
        let area = Some(AreaId::new(name));
        Self { asset: Asset { id, kind, area, position: None, person: None, attributes }, values }
    }
}

/// The first kind of sensor for the fill of a bin.
fn sensor_type(configuration: &Configuration) -> Option<&SensorType> {
    let fits = |known: &&SensorType| {
        known.asset_kind.as_str() == KIND && known.properties.contains_key(&PropertyName::new(PROPERTY))
    };
    configuration.sensor_types.values().find(fits)
}

fn containers<'a>(assets: impl Iterator<Item = &'a Asset>, configuration: &Configuration) -> Vec<RegistryChange> {
    let fits = sensor_type(configuration);
    let container = |asset: &Asset| {
        let device = fits.map(|known| {
            RegistryChange::PutDevice(Device {
                id: DeviceId::new(asset.id.as_str()),
                sensor_type: known.id.clone(),
                asset: asset.id.clone(),
                mounting: BTreeMap::new(),
            })
        });
        std::iter::once(RegistryChange::PutAsset(asset.clone())).chain(device)
    };
    assets.flat_map(container).collect()
}

fn level(asset: &AssetId, at: Timestamp, value: f64) -> Option<Observed> {
    let observation = Observation {
        property: PropertyName::new(PROPERTY),
        value: Value::Number(Finite::new(value)?),
        unit: "1".into(),
        quality: Quality::Accepted,
        observed_at: at,
    };
    Some(Observed {
        device: DeviceId::new(asset.as_str()),
        identity: Identity::Redelivery,
        ingress: Ingress {
            client: ClientId::new(asset.as_str()),
            connection: 0,
            packet: None,
            duplicate_flag: false,
            content: ContentHash([0; 16]),
        },
        received_at: at,
        clock_ahead: None,
        observations: vec![observation],
        redacted: Vec::new(),
        exercise: false,
    })
}
