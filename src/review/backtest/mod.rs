//! `rettidig backtest`: two rule sets over the same data, and what each of them would have called for.
//!
//! What was measured is taken from a journal or from recorded series, and goes through one engine for each rule set, the
//! one that decides live. Nobody answers: the data hold what people did, and alarms end when the data say so. Only of a
//! momentary rule a task is done at once, because no value would ever end it. What a rule set would have changed in the
//! data, such as when a bin is emptied, is not modelled.
//!
//! Start with `over_journal` and `over_series`; `course` is one rule set on its way, `render`, `wire` and `page` show what
//! came of both.

mod course;
mod page;
mod render;
mod wire;

use super::replaying::{begin, each_entry};
use crate::config::WrittenCalendars;
use crate::domain::asset::{Asset, Device};
use crate::domain::configuration::Configuration;
use crate::domain::event::{Event, RegistryChange};
use crate::domain::ids::{AssetId, AssetKind, ClientId, ContentHash, DeviceId, PropertyName, RuleId, Seq};
use crate::domain::observation::{Finite, Identity, Observation, Observed, Quality, Value};
use crate::domain::reason::Verdict;
use crate::domain::time::{Span, Timestamp};
use crate::domain::uplink::Ingress;
use crate::engine::Image;
use crate::journal::{JournalError, Past, Reader, Sealing};
use course::Course;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub use course::{Count, Tally};

/// What recorded series are taken for.
const KIND: &str = "bin";
const PROPERTY: &str = "fill";
/// Registry changes in one event.
const CHANGES_AT_ONCE: usize = 1_000;
const TELL_EVERY: u64 = 16_384;

/// One rule set, with the settings and calendars around it.
pub struct Policy<'a> {
    /// As the reader knows it: a folder.
    pub name: String,
    pub configuration: &'a Configuration,
    pub calendars: &'a WrittenCalendars,
}

/// The values of one container, in order of time.
pub struct Series {
    pub asset: AssetId,
    /// Shares of the volume.
    pub values: Vec<(Timestamp, f64)>,
}

/// What came of both.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    pub data: String,
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

/// Replays the journal through both rule sets.
///
/// # Errors
/// The journal cannot be read.
pub fn over_journal(
    folder: &Path,
    sealing: &Sealing,
    [against, new]: [&Policy<'_>; 2],
    mut progress: impl FnMut(u64, u64),
) -> Result<Compared, JournalError> {
    let past = Past::open(folder)?;
    let snapshot = if past.first.0 > Seq(1) { past.oldest_snapshot(sealing)? } else { None };
    if past.first.0 > Seq(1) && snapshot.is_none() {
        return Err(JournalError::NoSnapshot { folder: folder.to_owned(), first: past.first.0 });
    }
    let engine = begin(snapshot.as_ref())?;
    let (from, begun) = if snapshot.is_some() { (engine.now(), engine.seq()) } else { (past.first.1, Seq(0)) };
    let registered = registry_of(engine.image());
    let mut courses = [Course::begin(against, from), Course::begin(new, from)];
    for changes in registered.chunks(CHANGES_AT_ONCE) {
        both(&mut courses, |course| course.register(from, changes));
    }
    let (mut reports, mut reader) = (0, Reader::open(folder, sealing.clone())?);
    each_entry(&mut reader, begun.next(), past.last.0, |entry| {
        match (&entry.event, entry.decision.verdict) {
            (Event::Observed(observed), Verdict::Accepted | Verdict::Redacted) => {
                reports += 1;
                both(&mut courses, |course| course.report(entry.at, observed));
            }
            (Event::Registered(changes), Verdict::Accepted) => {
                both(&mut courses, |course| course.register(entry.at, changes));
            }
            (Event::Started, _) => both(&mut courses, |course| course.start(entry.at)),
            _ => {}
        }
        if entry.seq.0.is_multiple_of(TELL_EVERY) {
            progress(entry.seq.0 - begun.0, past.last.0.0 - begun.0);
        }
        true
    })?;
    let until = past.last.1;
    let data = format!("journal {}, events {} to {}", past.journal_id, begun.next(), past.last.0);
    Ok(compared(data, (from, until), reports, courses))
}

/// Plays recorded fill levels through both rule sets: one container for each series.
pub fn over_series(
    series: &[Series],
    [against, new]: [&Policy<'_>; 2],
    mut progress: impl FnMut(u64, u64),
) -> Option<Compared> {
    let moments = || series.iter().flat_map(|series| series.values.iter().map(|(at, _)| *at));
    let (from, until) = (moments().min()?, moments().max()?);
    let mut courses = [Course::begin(against, from), Course::begin(new, from)];
    for (course, policy) in courses.iter_mut().zip([against, new]) {
        for some in series.chunks(CHANGES_AT_ONCE / 2) {
            course.register(from, &containers(some, policy.configuration));
        }
    }
    // The next value of each series, the earliest first.
    let mut next: BTreeSet<(Timestamp, usize)> = BTreeSet::new();
    let mut places = vec![0; series.len()];
    next.extend(series.iter().enumerate().filter_map(|(at, series)| Some((series.values.first()?.0, at))));
    let total = series.iter().map(|series| series.values.len() as u64).sum();
    let mut reports = 0;
    while let Some((at, which)) = next.pop_first() {
        let Some((series, place)) = series.get(which).zip(places.get_mut(which)) else { continue };
        let Some((_, value)) = series.values.get(*place) else { continue };
        *place += 1;
        next.extend(series.values.get(*place).map(|(at, _)| (*at, which)));
        if let Some(observed) = level(&series.asset, at, *value) {
            reports += 1;
            both(&mut courses, |course| course.report(at, &observed));
        }
        if reports % TELL_EVERY == 0 {
            progress(reports, total);
        }
    }
    let data = format!("{} recorded series", series.len());
    Some(compared(data, (from, until), reports, courses))
}

fn both<'p>(courses: &mut [Course<'p>; 2], mut each: impl FnMut(&mut Course<'p>)) {
    for course in courses {
        each(course);
    }
}

fn compared(
    data: String,
    (from, until): (Timestamp, Timestamp),
    reports: u64,
    [against, new]: [Course<'_>; 2],
) -> Compared {
    let [against_name, new_name] = [&against, &new].map(|course| course.name().to_owned());
    let (against, new) = (against.finish(until), new.finish(until));
    let ids: BTreeSet<&RuleId> = against.counts.keys().chain(new.counts.keys()).collect();
    let row = |rule: &RuleId| Row {
        rule: rule.clone(),
        against: against.counts.get(rule).cloned(),
        new: new.counts.get(rule).cloned(),
    };
    Compared {
        data,
        from,
        until,
        reports,
        rules: ids.into_iter().map(row).collect(),
        against: Side { name: against_name, refused: against.refused },
        new: Side { name: new_name, refused: new.refused },
    }
}

/// What is registered in a snapshot, people first and sensors last.
fn registry_of(image: Image) -> Vec<RegistryChange> {
    let people = image.people.into_iter().map(RegistryChange::PutPerson);
    let crews = image.crews.into_iter().map(RegistryChange::PutCrew);
    let assets = image.assets.into_iter().map(|asset| RegistryChange::PutAsset(asset.asset));
    let devices = image.devices.into_iter().map(|device| RegistryChange::PutDevice(device.device));
    people.chain(crews).chain(assets).chain(devices).collect()
}

fn containers(series: &[Series], configuration: &Configuration) -> Vec<RegistryChange> {
    let fits = configuration
        .sensor_types
        .values()
        .find(|known| known.asset_kind.as_str() == KIND && known.properties.contains_key(&PropertyName::new(PROPERTY)));
    let container = |series: &Series| {
        let asset = RegistryChange::PutAsset(Asset {
            id: series.asset.clone(),
            kind: AssetKind::new(KIND),
            area: None,
            position: None,
            person: None,
            attributes: BTreeMap::new(),
        });
        let device = fits.map(|known| {
            RegistryChange::PutDevice(Device {
                id: DeviceId::new(series.asset.as_str()),
                sensor_type: known.id.clone(),
                asset: series.asset.clone(),
                mounting: BTreeMap::new(),
            })
        });
        std::iter::once(asset).chain(device)
    };
    series.iter().flat_map(container).collect()
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

impl Row {
    /// Neither set called for anything by this rule.
    fn quiet(&self) -> bool {
        let said = |count: &Count| count.alarms > 0 || count.tasks > 0;
        !self.against.as_ref().is_some_and(said) && !self.new.as_ref().is_some_and(said)
    }
}

impl Compared {
    /// How long the data are.
    #[must_use]
    pub const fn lasts(&self) -> Span {
        self.until.since(self.from)
    }
}
