//! Hourly roll-ups: how many numbers one property of one asset had in an hour, the least, the greatest and their sum.
//!
//! Numbers are added one by one in the order of the journal, starting from what the store holds, so the sum has the
//! same bits however the journal was cut into batches, in every store, live or rebuilt. Days are summed from hours
//! when asked for; hours serve the days of any time zone that is whole hours away.

use super::StoreError;
use super::history::{Bucket, Cursor, Page, PageAsked, Rollup, RollupAsked};
use super::rows::ObservationRow;
use crate::domain::observation::{Quality, Value};
use crate::domain::time::Timestamp;
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

const HOUR_MICROS: i64 = 3_600_000_000;
const HOURS_OF_DAY: i64 = 24;
const DAY_MICROS: i64 = HOURS_OF_DAY * HOUR_MICROS;

/// One hour of one property of one asset.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct HourKey {
    pub asset: SmolStr,
    pub property: SmolStr,
    pub start_at: i64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hour {
    pub count: i64,
    pub min: f64,
    pub max: f64,
    pub sum: f64,
}

/// The numbers of one batch, by hour, each in the order of the journal.
#[derive(Debug, Default)]
pub(super) struct Hours {
    numbers: FxHashMap<HourKey, Vec<f64>>,
}

impl Hours {
    /// Takes what belongs into a roll-up: an open number of a known asset, not of a drill, not rejected.
    pub(super) fn add(&mut self, asset: Option<&str>, row: &ObservationRow) {
        let rejected = matches!(row.quality, Quality::RejectedCertain | Quality::RejectedProbable);
        let (Some(asset), Some(Value::Number(number)), false, false) = (asset, &row.value, row.exercise, rejected)
        else {
            return;
        };
        let start_at = row.observed_at.as_micros();
        // The first hour of all begins before the first moment there is.
        let start_at = start_at.saturating_sub(start_at.rem_euclid(HOUR_MICROS));
        let key = HourKey { asset: asset.into(), property: row.property.as_str().into(), start_at };
        self.numbers.entry(key).or_default().push(number.get());
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &HourKey> {
        self.numbers.keys()
    }

    /// What the store then holds of each hour that was touched.
    pub(super) fn onto(self, held: &FxHashMap<HourKey, Hour>) -> Vec<(HourKey, Hour)> {
        let added = |(key, numbers): (HourKey, Vec<f64>)| {
            let mut hour = held.get(&key).copied().unwrap_or(Hour::EMPTY);
            for number in numbers {
                hour.add(number);
            }
            (key, hour)
        };
        self.numbers.into_iter().map(added).collect()
    }
}

impl Hour {
    const EMPTY: Self = Self { count: 0, min: f64::INFINITY, max: f64::NEG_INFINITY, sum: 0.0 };

    fn add(&mut self, number: f64) {
        self.count = self.count.saturating_add(1);
        self.min = self.min.min(number);
        self.max = self.max.max(number);
        // A sum beyond the range of numbers stays at its end: history holds no infinity.
        self.sum = (self.sum + number).clamp(f64::MIN, f64::MAX);
    }

    /// Two hours of the same day as one.
    fn join(self, later: Self) -> Self {
        Self {
            count: self.count.saturating_add(later.count),
            min: self.min.min(later.min),
            max: self.max.max(later.max),
            sum: (self.sum + later.sum).clamp(f64::MIN, f64::MAX),
        }
    }

    pub(super) fn rollup(self, start_at: i64) -> Rollup {
        let mean = self.sum / self.count.max(1) as f64;
        Rollup {
            start_at: Timestamp::from_micros(start_at),
            count: self.count.cast_unsigned(),
            min: self.min,
            max: self.max,
            mean,
        }
    }
}

/// One page of roll-ups. `hours` gives the first so many hours that start at the first moment or later and before the
/// second, rising.
pub(super) fn page(
    asked: &RollupAsked,
    page: &PageAsked,
    hours: impl FnOnce(i64, i64, usize) -> Result<Vec<(i64, Hour)>, StoreError>,
) -> Result<Page<Rollup>, StoreError> {
    let (length, hours_max) = match asked.bucket {
        Bucket::Hour => (HOUR_MICROS, 1),
        Bucket::Day => (DAY_MICROS, HOURS_OF_DAY as usize),
    };
    let from = first_start(asked.from.as_micros(), length);
    let from = page.after.map_or(from, |after| from.max(after.time.saturating_add(length)));
    let until = first_start(asked.until.as_micros(), length);
    // One more than is shown tells whether there is a next page; and a day that the limit cuts is never shown.
    let found = hours(from, until, (page.rows() + 1) * hours_max)?;
    let mut buckets = joined(found, length);
    let more = buckets.len() > page.rows();
    buckets.truncate(page.rows());
    let last = buckets.last().map(|(start_at, _)| Cursor { time: *start_at, journal: 0, seq: 0, n: 0 });
    let rows = buckets.into_iter().map(|(start_at, hour)| hour.rollup(start_at)).collect();
    Ok(Page { rows, next: last.filter(|_| more) })
}

/// The first bucket that starts at `at` or later.
fn first_start(at: i64, length: i64) -> i64 {
    let over = at.rem_euclid(length);
    if over == 0 { at } else { at.saturating_add(length - over) }
}

/// Hours in rising order, put together where they are of the same bucket.
fn joined(hours: Vec<(i64, Hour)>, length: i64) -> Vec<(i64, Hour)> {
    let mut buckets: Vec<(i64, Hour)> = Vec::new();
    for (start_at, hour) in hours {
        let bucket = start_at.saturating_sub(start_at.rem_euclid(length));
        match buckets.last_mut() {
            Some((last, held)) if *last == bucket => *held = held.join(hour),
            Some(_) | None => buckets.push((bucket, hour)),
        }
    }
    buckets
}
