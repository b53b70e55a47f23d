//! The engine's state in a snapshot: what is about a person goes into a section of its own, sealed with their key.
//!
//! When that key has been erased the section is gone, and with it what was known of that person's assets; the
//! assets themselves, their devices and alarms stand in the open part. Assets and devices, of which there are many,
//! stand in sections of some hundred each, so that none of them is ever held in more than one form, neither on the way
//! out nor on the way in, and every core can read. Start with [`write_image`].

use super::error::{JournalError, RecordError};
use super::snapshot::{Section, Snapshot};
use super::wire::image::{self, AssetState, Part, Piece, State};
use crate::domain::ids::{AssetId, PersonId};
use crate::engine::{AssetImage, Engine, Fitted, Ground, Image, Limits, Restoring};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// The version of the format that [`write_image`] writes. In version 1 all assets and devices stand in the first
/// section; both are read.
pub const IMAGE_VERSION: u32 = 2;
const VERSIONS: [u32; 2] = [1, IMAGE_VERSION];
/// Assets or devices in one section.
const IN_ONE_SECTION: usize = 512;
/// Sections that have been read and wait to be taken in.
const SECTIONS_AHEAD: usize = 4;

/// The sections of a snapshot: the open ones first, then one for each person.
///
/// # Errors
/// When a value does not fit the format.
pub fn write_image(image: &Image) -> Result<Vec<Section>, RecordError> {
    let open = |bytes| Section { person: None, bytes };
    let mut sections = vec![open(encode(&State::from(image))?)];
    for assets in image.assets.chunks(IN_ONE_SECTION) {
        sections.push(open(encode(&Part::Assets(assets.iter().map(AssetState::shown).collect()))?));
    }
    for devices in image.devices.chunks(IN_ONE_SECTION) {
        sections.push(open(encode(&Part::Devices(devices.iter().map(Into::into).collect()))?));
    }
    let mut personal: BTreeMap<&PersonId, Vec<AssetState<'_>>> = BTreeMap::new();
    for asset in &image.assets {
        if let Some(person) = asset.person() {
            personal.entry(person).or_default().push(AssetState::whole(asset));
        }
    }
    for (person, assets) in personal {
        sections.push(Section { person: Some(person.clone()), bytes: encode(&assets)? });
    }
    Ok(sections)
}

/// The engine whose image [`write_image`] wrote, read by this thread and by so many others beside it.
///
/// # Errors
/// When the snapshot cannot be read, has another version or is not in the format.
pub fn restore_engine(limits: Limits, snapshot: &Snapshot, others: usize) -> Result<Engine, JournalError> {
    if !VERSIONS.contains(&snapshot.version) {
        let [oldest, newest] = VERSIONS;
        let why = format!("it has version {}; this program reads versions {oldest} to {newest}", snapshot.version);
        return Err(snapshot.unusable(why));
    }
    let known = known_of_people(snapshot)?;
    let mut buffer = Vec::new();
    snapshot.read(0, &mut buffer)?;
    let state: State<'_> = minicbor::decode(&buffer).map_err(|fault| snapshot.unusable(fault.to_string()))?;
    let (assets, devices) = state.following();
    let mut image = Image::from(state);
    image.assets.retain(|asset| !known.contains_key(&asset.asset.id));
    let mut restoring = Restoring::begin(limits, image);
    let at_most = snapshot.open_sections() * IN_ONE_SECTION;
    restoring.expect(assets.min(at_most), devices.min(at_most));
    let ground = restoring.ground();
    let (next, empty) = (AtomicUsize::new(1), Mutex::default());
    read_parts(&Parts { snapshot, ground: &ground, known: &known, next, empty }, others, &mut restoring)?;
    let mut fitted = Fitted::default();
    for asset in known.into_values() {
        ground.fit_asset(asset, &mut fitted);
    }
    restoring.add(&mut fitted);
    Ok(restoring.finish())
}

fn known_of_people(snapshot: &Snapshot) -> Result<BTreeMap<AssetId, AssetImage>, JournalError> {
    let mut known = BTreeMap::new();
    for section in &snapshot.personal {
        let assets: Vec<AssetState<'_>> =
            minicbor::decode(&section.bytes).map_err(|fault| snapshot.unusable(fault.to_string()))?;
        known.extend(assets.into_iter().map(AssetImage::from).map(|asset| (asset.asset.id.clone(), asset)));
    }
    Ok(known)
}

/// The sections of assets and devices, to be read by whoever has time.
struct Parts<'a> {
    snapshot: &'a Snapshot,
    ground: &'a Ground,
    /// Assets whose whole state stands elsewhere.
    known: &'a BTreeMap<AssetId, AssetImage>,
    next: AtomicUsize,
    /// Vessels that have been emptied.
    empty: Mutex<Vec<Fitted>>,
}

impl Parts<'_> {
    fn read_next(&self, buffer: &mut Vec<u8>) -> Option<Result<Fitted, JournalError>> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.snapshot.open_sections()).then(|| self.read(number, buffer))
    }

    fn read(&self, number: usize, buffer: &mut Vec<u8>) -> Result<Fitted, JournalError> {
        self.snapshot.read(number, buffer)?;
        let mut fitted = self.vessels().pop().unwrap_or_default();
        let read = image::read_part(buffer, |piece| match piece {
            Piece::Asset(asset) if asset.person().is_some() && self.known.contains_key(&asset.asset.id) => {}
            Piece::Asset(asset) => self.ground.fit_asset(asset, &mut fitted),
            Piece::Device(device) => self.ground.fit_device(device, &mut fitted),
        });
        read.map(|()| fitted).map_err(|fault| self.snapshot.unusable(fault.to_string()))
    }

    fn vessels(&self) -> MutexGuard<'_, Vec<Fitted>> {
        self.empty.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// This thread takes in what the others have read, and reads itself when there is nothing to take in.
fn read_parts(parts: &Parts<'_>, others: usize, restoring: &mut Restoring) -> Result<(), JournalError> {
    thread::scope(|scope| {
        let (give, given) = sync_channel(SECTIONS_AHEAD);
        for _ in 0..others {
            let give = give.clone();
            let read = move || {
                let mut buffer = Vec::new();
                while let Some(part) = parts.read_next(&mut buffer) {
                    // Nobody takes it when another part could not be read.
                    if give.send(part).is_err() {
                        break;
                    }
                }
            };
            if thread::Builder::new().name("restore".to_owned()).spawn_scoped(scope, read).is_err() {
                // This thread is enough.
                break;
            }
        }
        drop(give);
        let mut buffer = Vec::new();
        loop {
            let part = given.try_recv().ok().or_else(|| parts.read_next(&mut buffer)).or_else(|| given.recv().ok());
            let Some(part) = part else { return Ok(()) };
            let mut fitted = part?;
            restoring.add(&mut fitted);
            parts.vessels().push(fitted);
        }
    })
}

fn encode(value: &impl minicbor::Encode<()>) -> Result<Vec<u8>, RecordError> {
    minicbor::to_vec(value).map_err(|error| RecordError::Unencodable(error.to_string()))
}
