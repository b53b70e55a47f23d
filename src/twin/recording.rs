//! Recorded series as a scene: one bin for each file, told again in the data's own time.
//!
//! What the crews do changes nothing here: the data already says when a container was emptied.

use super::civil::{self, Civil};
use super::fault::TwinError;
use super::formats;
use super::municipality::{LoginNeeded, LoginRole, crew_logins};
use super::notes::Notes;
use super::scene::{Outbox, Scene, Work};
use super::series::{self, RowFault};
use crate::domain::asset::{Asset, Device};
use crate::domain::crew::Crew;
use crate::domain::event::RegistryChange;
use crate::domain::ids::{AssetId, AssetKind, ClientId, CrewId, DeviceId, SensorTypeId, Skill, TaskId};
use crate::domain::observation::Value;
use crate::domain::time::{Span, Timestamp};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The connection that all recorded messages travel over.
const LINE: &str = "hub-recording";
const SENSOR_TYPE: &str = "bin-fill-percent";
/// Files larger than this are refused: five million rows are far smaller.
const FILE_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// After the last row, crews get this long to finish.
const TAIL: Span = Span::from_hours(12);

/// A folder of recorded series, ready to be played.
#[derive(Debug)]
pub struct Recording {
    containers: Vec<Container>,
    /// All rows of all files by time; `next` is the first that has not been sent.
    rows: Vec<(Timestamp, usize, f64)>,
    next: usize,
    faults: Vec<RowFault>,
}

/// One file, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    pub asset: AssetId,
    pub file: String,
    pub rows: u64,
    pub bad_rows: u64,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    pub highest_percent: f64,
    /// Tasks that crews were offered for this container.
    pub tasks: BTreeSet<TaskId>,
    /// Tasks that a crew has done.
    pub done: u64,
    device: DeviceId,
}

impl Recording {
    /// Reads every `*.csv` in `folder`. Files and rows that cannot be used are faults, not errors.
    ///
    /// # Errors
    /// The folder cannot be read, or there is not one usable row in it.
    pub fn open(folder: &Path) -> Result<Self, TwinError> {
        let unreadable = |source| TwinError::Unreadable { path: folder.to_owned(), source };
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
                paths.push(path);
            }
        }
        paths.sort();
        let mut recording = Self { containers: Vec::new(), rows: Vec::new(), next: 0, faults: Vec::new() };
        for path in &paths {
            recording.add(path);
        }
        if recording.rows.is_empty() {
            return Err(TwinError::NothingToPlay(folder.to_owned()));
        }
        recording.rows.sort_by_key(|(at, container, _)| (*at, *container));
        Ok(recording)
    }

    fn add(&mut self, path: &Path) {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = match read_bounded(path) {
            Ok(bytes) => bytes,
            Err(why) => return self.faults.push(RowFault { file, line: 0, why }),
        };
        let series = series::read(&file, &bytes);
        self.faults.extend(series.faults);
        let times = || series.rows.iter().map(|row| row.at);
        let (Some(first_at), Some(last_at)) = (times().min(), times().max()) else { return };
        let index = self.containers.len();
        let asset = self.free_name(path);
        self.rows.extend(series.rows.iter().map(|row| (row.at, index, row.percent)));
        self.containers.push(Container {
            device: DeviceId::new(format!("{asset}-level")),
            asset,
            file,
            rows: series.rows.len() as u64,
            bad_rows: series.faults_count,
            first_at,
            last_at,
            highest_percent: series.rows.iter().map(|row| row.percent).fold(f64::MIN, f64::max),
            tasks: BTreeSet::new(),
            done: 0,
        });
    }

    /// The file's name as an id that fits into a topic, told apart from the others.
    fn free_name(&self, path: &Path) -> AssetId {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
        let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
        let name: String = stem.chars().map(plain).collect();
        let taken = |name: &str| self.containers.iter().any(|container| container.asset.as_str() == name);
        if !taken(&name) {
            return AssetId::new(name);
        }
        // One more candidate than there are containers: one of them is free.
        let mut candidates = (2..self.containers.len() + 3).map(|number| format!("{name}-{number}"));
        AssetId::new(candidates.find(|candidate| !taken(candidate)).unwrap_or(name))
    }

    /// Where the shared clock must stand when the gateway starts: just before the first row.
    #[must_use]
    pub fn starts_at(&self) -> Timestamp {
        self.rows.first().map_or(Timestamp::MIN, |(at, _, _)| *at - Span::from_secs(1))
    }

    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        self.rows.last().map_or(Timestamp::MIN, |(at, _, _)| *at + TAIL)
    }

    #[must_use]
    pub fn containers(&self) -> &[Container] {
        &self.containers
    }

    /// The first rows of each file that could not be used.
    #[must_use]
    pub fn faults(&self) -> &[RowFault] {
        &self.faults
    }

    pub(crate) fn crews() -> Vec<Crew> {
        [("collectors-1", "waste"), ("collectors-2", "waste"), ("technicians-1", "technical")]
            .map(|(id, skill)| Crew { id: CrewId::new(id), skills: [Skill::new(skill)].into(), areas: BTreeSet::new() })
            .into()
    }

    /// What the registry must hold before the first row.
    #[must_use]
    pub fn changes(&self) -> Vec<RegistryChange> {
        let crews = Self::crews().into_iter().map(RegistryChange::PutCrew);
        let assets = self.containers.iter().map(Container::asset).map(RegistryChange::PutAsset);
        let devices = self.containers.iter().map(Container::device).map(RegistryChange::PutDevice);
        crews.chain(assets).chain(devices).collect()
    }

    /// Every MQTT login that playing it uses.
    #[must_use]
    pub fn logins_needed(&self) -> Vec<LoginNeeded> {
        let hub = LoginNeeded { client: ClientId::new(LINE), role: LoginRole::Gateway };
        std::iter::once(hub).chain(crew_logins(Self::crews().iter())).collect()
    }

    fn container(&mut self, asset: &AssetId) -> Option<&mut Container> {
        self.containers.iter_mut().find(|container| container.asset == *asset)
    }
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, String> {
    let length = fs::metadata(path).map_err(|error| format!("cannot be opened: {error}"))?.len();
    if length > FILE_BYTES_MAX {
        return Err(format!("has {length} bytes, at most {FILE_BYTES_MAX} are read"));
    }
    fs::read(path).map_err(|error| format!("cannot be read: {error}"))
}

impl Container {
    fn asset(&self) -> Asset {
        Asset {
            id: self.asset.clone(),
            kind: AssetKind::new("bin"),
            area: None,
            position: None,
            person: None,
            attributes: [("recorded_in".into(), Value::Text(SmolStr::new(&self.file)))].into(),
        }
    }

    fn device(&self) -> Device {
        Device {
            id: self.device.clone(),
            sensor_type: SensorTypeId::new(SENSOR_TYPE),
            asset: self.asset.clone(),
            mounting: BTreeMap::new(),
        }
    }
}

impl Scene for Recording {
    fn next_at(&self) -> Option<Timestamp> {
        self.rows.get(self.next).map(|(at, _, _)| *at)
    }

    fn live(&mut self, until: Timestamp, outbox: &mut Outbox, _notes: &mut Notes) {
        while let Some((at, container, percent)) = self.rows.get(self.next).filter(|(at, _, _)| *at <= until) {
            let device = &self.containers[*container].device;
            outbox.put(ClientId::new(LINE), formats::recorded(device, *percent, *at));
            self.next += 1;
        }
    }

    fn offered(&mut self, task: TaskId, work: &Work) {
        if let Some(container) = self.container(&work.asset) {
            container.tasks.insert(task);
        }
    }

    fn served(&mut self, _at: Timestamp, work: &Work) {
        if let Some(container) = self.container(&work.asset) {
            container.done += 1;
        }
    }

    fn title(&self) -> String {
        let civil = Civil::danish();
        let (from, until) = (civil.face(self.starts_at()), civil.face(self.ends_at()));
        format!("{} recorded containers, simulated time from {from} to {until}", self.containers.len())
    }

    fn misbehaving(&self) -> Vec<String> {
        self.faults.iter().map(|fault| format!("{}:{} {}", fault.file, fault.line, fault.why)).collect()
    }

    fn called(&self, asset: &AssetId) -> String {
        asset.to_string()
    }
}

impl std::fmt::Display for Container {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (first, last) = (civil::rfc3339(self.first_at), civil::rfc3339(self.last_at));
        let Self { asset, rows, bad_rows, highest_percent, done, .. } = self;
        let tasks = self.tasks.len();
        write!(f, "{asset}: {rows} rows from {first} to {last}, {bad_rows} bad, highest {highest_percent} %, ")?;
        write!(f, "{tasks} tasks, {done} done")
    }
}
