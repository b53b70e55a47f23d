//! Recorded fill levels from CSV files, for `rettidig backtest`: a folder with a file for each bin, or one file about many.
//!
//! A folder is read a group of files at a time, by whoever works on the group; nothing but the rows that could not be
//! used is kept. What a value means is told by `full`, the number that the sensors say when a bin is full.

use crate::domain::time::Timestamp;
use crate::review::backtest::{BadRow, GROUP, LeftOut, Series};
use crate::twin::series::{self, Faults, Row};
use anyhow::{Context as _, bail};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A file larger than this is refused.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// Bad rows named of all files together; the rest is counted.
const NAMED_MAX: usize = 1_000;
/// More than full cannot be measured, only that it is more (DOMAIN §1.2).
const SHARE_MAX: f64 = 1.05;
/// A sensor of six steps says at most this.
const SIX_STEPS: f64 = 10.0;

pub(super) struct Recorded {
    files: Files,
    full: f64,
    found: Mutex<Found>,
}

enum Files {
    /// In order of name, a bin each.
    Folder(Vec<PathBuf>),
    /// Read already: taken a group at a time.
    Groups(Mutex<Vec<Vec<Series>>>),
}

#[derive(Default)]
struct Found {
    /// By file.
    faults: BTreeMap<String, Faults>,
    highest: f64,
}

impl Recorded {
    /// # Errors
    /// The folder or the file cannot be read, or is too large.
    pub fn open(path: &Path, full: f64) -> anyhow::Result<Self> {
        let reading = || format!("read the recorded fill levels in {}", path.display());
        let mut recorded = Self { files: Files::Folder(Vec::new()), full, found: Mutex::default() };
        if fs::metadata(path).with_context(reading)?.is_file() {
            let series = recorded.read(path, true)?;
            recorded.files = Files::Groups(Mutex::new(groups_of(series)));
            return Ok(recorded);
        }
        let entries = fs::read_dir(path).with_context(reading)?;
        let mut paths =
            entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>().with_context(reading)?;
        paths.retain(|path| path.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv")));
        paths.sort();
        recorded.files = Files::Folder(paths);
        Ok(recorded)
    }

    pub fn groups(&self) -> usize {
        match &self.files {
            Files::Folder(paths) => paths.len().div_ceil(GROUP),
            Files::Groups(groups) => groups.lock().unwrap_or_else(PoisonError::into_inner).len(),
        }
    }

    /// Each group once.
    ///
    /// # Errors
    /// A file of it cannot be read.
    pub fn load(&self, which: usize) -> anyhow::Result<Vec<Series>> {
        match &self.files {
            Files::Folder(paths) => {
                let mut series = Vec::new();
                for path in paths.chunks(GROUP).nth(which).unwrap_or_default() {
                    series.extend(self.read(path, false)?);
                }
                Ok(series)
            }
            Files::Groups(groups) => {
                let mut groups = groups.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(groups.get_mut(which).map(std::mem::take).unwrap_or_default())
            }
        }
    }

    /// Rows that could not be used, by file and line; and, if the values look like those of six steps, what to say then.
    pub fn left_out(&self) -> (LeftOut, Option<String>) {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let named =
            |fault: &series::RowFault| BadRow { file: fault.file.clone(), line: fault.line, why: fault.why.clone() };
        let first = found.faults.values().flat_map(|faults| &faults.first).take(NAMED_MAX).map(named).collect();
        let rows = found.faults.values().map(|faults| faults.count).sum();
        let small = found.highest > 0.0 && found.highest <= SIX_STEPS && self.full > SIX_STEPS;
        let hint = small.then(|| {
            format!("no value is above {}; if that is a full bin, say --full {}", found.highest, found.highest)
        });
        (LeftOut { rows, first }, hint)
    }

    /// A line about each file with rows that could not be used.
    pub fn complaints(&self) -> Vec<String> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |(file, faults): (&String, &Faults)| {
            let first = faults.first.first()?;
            Some(format!("{file}: {} rows left out, the first in line {}: {}", faults.count, first.line, first.why))
        };
        found.faults.iter().filter_map(line).collect()
    }

    fn read(&self, path: &Path, many: bool) -> anyhow::Result<Vec<Series>> {
        let length = fs::metadata(path).with_context(|| format!("read {}", path.display()))?.len();
        if length > FILE_BYTES_MAX {
            bail!("{} has {length} bytes, at most {FILE_BYTES_MAX} are read: split it by bin", path.display());
        }
        let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
        let stem = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let (mut bins, mut highest) = (BTreeMap::<String, Vec<Row>>::new(), 0.0_f64);
        let mut faults = series::read_each(&file, &bytes, |bin, row| {
            let share = row.percent / self.full;
            if !(0.0..=SHARE_MAX).contains(&share) {
                return Err(format!("{} lies outside 0 to 105 % of {}, which is full", row.percent, self.full));
            }
            let bin = match bin.filter(|_| many) {
                Some("") => return Err("names no bin".to_owned()),
                Some(bin) => bin,
                None => &stem,
            };
            highest = highest.max(row.percent);
            match bins.get_mut(bin) {
                Some(rows) => rows.push(row),
                None => drop(bins.insert(bin.to_owned(), vec![row])),
            }
            Ok(())
        });
        let series =
            bins.into_iter().map(|(bin, rows)| Series::of(&bin, in_order(&file, rows, self.full, &mut faults)));
        let series = series.collect();
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.highest = found.highest.max(highest);
        if faults.count > 0 {
            found.faults.insert(file, faults);
        }
        Ok(series)
    }
}

pub(super) fn groups_of(series: Vec<Series>) -> Vec<Vec<Series>> {
    let mut groups = Vec::new();
    for one in series {
        match groups.last_mut().filter(|group: &&mut Vec<Series>| group.len() < GROUP) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}

/// Of a time that is told twice the later row counts.
fn in_order(file: &str, mut rows: Vec<Row>, full: f64, faults: &mut Faults) -> Vec<(Timestamp, f64)> {
    rows.sort_by_key(|row| row.at);
    let mut values: Vec<(Timestamp, f64, u64)> = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(last) = values.last_mut().filter(|last| last.0 == row.at) {
            faults.add(file, last.2, "a later row tells of the same moment".to_owned());
            *last = (row.at, row.percent / full, row.line);
        } else {
            values.push((row.at, row.percent / full, row.line));
        }
    }
    values.into_iter().map(|(at, value, _)| (at, value)).collect()
}
