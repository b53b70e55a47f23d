//! Two rule sets over values as they were recorded: what people did is in the data, and nobody answers.
//!
//! Each rule set goes its way through a journal on a thread of its own. Alarms end when the data say so. Only of a momentary
//! rule a task is done at once, because no value would ever end it. What the fill levels of a journal's containers were is
//! handed on, for those who ask what would have been.

use super::course::{Course, Tally};
use super::deposits::day_of;
use super::modelled::Modelled;
use super::{CHANGES_AT_ONCE, Compared, DataRead, KIND, PROPERTY, Policy, Row, Series, Side, containers, level};
use crate::domain::asset::Asset;
use crate::domain::event::{Event, RegistryChange};
use crate::domain::ids::{AssetId, DeviceId, RuleId, Seq};
use crate::domain::observation::{Observed, Quality, Value};
use crate::domain::reason::Verdict;
use crate::domain::time::Timestamp;
use crate::engine::Image;
use crate::journal::{Entry, JournalError, Past, Reader, Sealing};
use crate::review::replaying::{begin, each_batch};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

const TELL_EVERY: u64 = 16_384;
/// Batches of entries that a rule set may be behind the reader.
const BATCHES_AHEAD: usize = 4;
/// Fill levels kept of a journal: a year of 5,000 bins by the hour, and some more. Later ones are left out and counted.
const LEVELS_MAX: usize = 50_000_000;

/// What a journal held.
pub struct Journaled {
    pub data: DataRead,
    /// Of two rule sets.
    pub compared: Option<Compared>,
    /// Fill levels by container, in order.
    pub series: Vec<Series>,
    /// Levels beyond what is kept.
    pub left_out: u64,
}

/// Replays the journal through both rule sets, or through none, and gathers the fill levels.
///
/// # Errors
/// The journal cannot be read.
pub fn over_journal(
    folder: &Path,
    sealing: &Sealing,
    pair: Option<[&Policy<'_>; 2]>,
    mut progress: impl FnMut(u64, u64),
) -> Result<Journaled, JournalError> {
    let past = Past::open(folder)?;
    let snapshot = if past.first.0 > Seq(1) { past.oldest_snapshot(sealing)? } else { None };
    if past.first.0 > Seq(1) && snapshot.is_none() {
        return Err(JournalError::NoSnapshot { folder: folder.to_owned(), first: past.first.0 });
    }
    let engine = begin(snapshot.as_ref())?;
    let (from, begun) = if snapshot.is_some() { (engine.now(), engine.seq()) } else { (past.first.1, Seq(0)) };
    let registered = registry_of(engine.image());
    let mut levels = Levels::default();
    levels.register(&registered);
    let (mut reports, mut reader) = (0, Reader::open(folder, sealing.clone())?);
    let (through, until) = past.last;
    let tallies = std::thread::scope(|scope| {
        let courses: Vec<_> = pair
            .into_iter()
            .flatten()
            .map(|policy| {
                let (batches, taken) = sync_channel(BATCHES_AHEAD);
                let registered = registered.as_slice();
                (batches, scope.spawn(move || led(policy, (from, until), registered, &taken)))
            })
            .collect();
        each_batch(&mut reader, begun.next(), through, |batch| {
            let batch = Arc::new(batch);
            for (batches, _) in &courses {
                // A course that has ended early ended by a panic, which the end of the scope tells.
                let _ = batches.send(Arc::clone(&batch));
            }
            for entry in batch.iter() {
                reports += u64::from(levels.hear(entry));
            }
            if let Some(last) = batch.last() {
                progress(last.seq.0 - begun.0, through.0 - begun.0);
            }
            true
        })?;
        let ends = courses.into_iter().map(|(batches, course)| {
            drop(batches);
            course.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        Ok::<Vec<(String, Tally)>, JournalError>(ends.collect())
    })?;
    let data = DataRead::Journal { id: past.journal_id, first: begun.next(), last: through };
    let compared = compared(tallies, (from, until), reports);
    let compared = compared.map(|compared| Compared { others: levels.others, ..compared });
    let left_out = levels.left_out;
    Ok(Journaled { data, compared, series: levels.series(), left_out })
}

/// One rule set on its way through the entries of a journal.
fn led(
    policy: &Policy<'_>,
    (from, until): (Timestamp, Timestamp),
    registered: &[RegistryChange],
    batches: &Receiver<Arc<Vec<Entry>>>,
) -> (String, Tally) {
    let mut course = Course::begin(policy, from);
    for changes in registered.chunks(CHANGES_AT_ONCE) {
        course.register(from, changes);
    }
    for batch in batches {
        for entry in batch.iter() {
            match (&entry.event, entry.decision.verdict) {
                (Event::Observed(observed), Verdict::Accepted | Verdict::Redacted) => course.report(entry.at, observed),
                (Event::Registered(changes), Verdict::Accepted) => course.register(entry.at, changes),
                (Event::Started, _) => course.start(entry.at),
                _ => {}
            }
        }
    }
    (course.name().to_owned(), course.finish(until))
}

/// Plays recorded fill levels through both rule sets: one container for each series.
#[must_use]
pub fn over_series(
    series: &[Series],
    [against, new]: [&Policy<'_>; 2],
    mut progress: impl FnMut(u64, u64),
) -> Option<Compared> {
    let moments = || series.iter().flat_map(|series| series.values.iter().map(|(at, _)| *at));
    let (from, until) = (moments().min()?, moments().max()?);
    let mut courses = vec![Course::begin(against, from), Course::begin(new, from)];
    for (course, policy) in courses.iter_mut().zip([against, new]) {
        for some in series.chunks(CHANGES_AT_ONCE / 2) {
            course.register(from, &containers(some.iter().map(|series| &series.asset), policy.configuration));
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
        if let Some(observed) = level(&series.asset.id, at, *value) {
            reports += 1;
            for course in &mut courses {
                course.report(at, &observed);
            }
        }
        if reports % TELL_EVERY == 0 {
            progress(reports, total);
        }
    }
    let ends = courses.into_iter().map(|course| (course.name().to_owned(), course.finish(until)));
    compared(ends.collect(), (from, until), reports)
}

/// Of two; none where there are none.
fn compared(ends: Vec<(String, Tally)>, time: (Timestamp, Timestamp), reports: u64) -> Option<Compared> {
    let [(against_name, against), (new_name, new)]: [(String, Tally); 2] = ends.try_into().ok()?;
    Some(Compared::of([against_name, new_name], [&against, &new], time, reports))
}

impl Compared {
    pub(super) fn of(
        [against_name, new_name]: [String; 2],
        [against, new]: [&Tally; 2],
        (from, until): (Timestamp, Timestamp),
        reports: u64,
    ) -> Self {
        let ids: BTreeSet<&RuleId> = against.counts.keys().chain(new.counts.keys()).collect();
        let row = |rule: &RuleId| Row {
            rule: rule.clone(),
            against: against.counts.get(rule).cloned(),
            new: new.counts.get(rule).cloned(),
        };
        Self {
            modelled: false,
            others: false,
            from,
            until,
            reports,
            rules: ids.into_iter().map(row).collect(),
            against: Side { name: against_name, refused: against.refused },
            new: Side { name: new_name, refused: new.refused },
        }
    }

    /// Rule by rule, of two rule sets that each emptied their own containers: by policy and name.
    #[must_use]
    pub fn of_modelled(modelled: &Modelled, [against, new]: [(usize, &str); 2]) -> Option<Self> {
        let tally = |(policy, _): (usize, &str)| modelled.policies.get(policy)?.tally.as_ref();
        let tallies = [tally(against)?, tally(new)?];
        let names = [against, new].map(|(_, name)| name.to_owned());
        let compared = Self::of(names, tallies, (modelled.from, modelled.until), modelled.values);
        Some(Self { modelled: true, ..compared })
    }

    /// Days counted from the first (UTC).
    pub(super) const fn day(&self, day: i64) -> i64 {
        day - day_of(self.from)
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

/// The fill of containers as a journal tells it.
#[derive(Default)]
struct Levels {
    /// As they were registered last.
    bins: BTreeMap<AssetId, Asset>,
    devices: BTreeMap<DeviceId, AssetId>,
    values: BTreeMap<AssetId, Vec<(Timestamp, f64)>>,
    count: usize,
    left_out: u64,
    /// There were assets of another kind.
    others: bool,
}

impl Levels {
    fn register(&mut self, changes: &[RegistryChange]) {
        for change in changes {
            match change {
                RegistryChange::PutAsset(asset) if asset.kind.as_str() == KIND => {
                    self.bins.insert(asset.id.clone(), asset.clone());
                }
                RegistryChange::PutAsset(_) => self.others = true,
                RegistryChange::PutDevice(device) => {
                    self.devices.insert(device.id.clone(), device.asset.clone());
                }
                RegistryChange::PutPerson(_)
                | RegistryChange::PutCrew(_)
                | RegistryChange::RemoveAsset(_)
                | RegistryChange::RemoveDevice(_)
                | RegistryChange::RemoveCrew(_)
                | RegistryChange::RemovePerson(_) => {}
            }
        }
    }

    /// Whether it is a message with values.
    fn hear(&mut self, entry: &Entry) -> bool {
        match (&entry.event, entry.decision.verdict) {
            (Event::Observed(observed), Verdict::Accepted | Verdict::Redacted) => {
                self.observe(observed);
                return true;
            }
            (Event::Registered(changes), Verdict::Accepted) => self.register(changes),
            _ => {}
        }
        false
    }

    fn observe(&mut self, observed: &Observed) {
        let Some(asset) = self.devices.get(&observed.device).filter(|asset| self.bins.contains_key(*asset)) else {
            return;
        };
        for known in observed.observations.iter().filter(|known| known.property.as_str() == PROPERTY) {
            let rejected = matches!(known.quality, Quality::RejectedCertain | Quality::RejectedProbable);
            let Value::Number(value) = known.value else { continue };
            if rejected {
                continue;
            }
            if self.count == LEVELS_MAX {
                self.left_out += 1;
                continue;
            }
            self.count += 1;
            let at = known.observed_at.min(observed.received_at);
            self.values.entry(asset.clone()).or_default().push((at, value.get()));
        }
    }

    fn series(self) -> Vec<Series> {
        let mut bins = self.bins;
        let series = |(asset, mut values): (AssetId, Vec<(Timestamp, f64)>)| {
            values.sort_by_key(|(at, _)| *at);
            values.dedup_by_key(|(at, _)| *at);
            Some(Series { asset: bins.remove(&asset)?, values })
        };
        self.values.into_iter().filter_map(series).collect()
    }
}
