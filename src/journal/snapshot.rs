//! Snapshots of the engine's state: written beside the commit path, read at the start, never trusted blindly.
//!
//! ```text
//! "RETTIDIG" | CBOR header | one CBOR section after the other | blake3 of everything before
//! ```
//!
//! Sections about a person are sealed with their key. A snapshot is written under an unfinished name, made durable and
//! renamed; the newest two are kept, so that a damaged one leaves another. What sections mean is the engine's.

use super::error::JournalError;
use super::fault::{Reach, Step, halve};
use super::layout::{self, SNAPSHOT};
use super::reader::Reader;
use super::seal::Sealing;
use super::shared::Shared;
use crate::domain::ids::{JournalId, PersonId, Seq};
use crate::telemetry::{self, stopwatch};
use minicbor::{Decode, Decoder, Encode};
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"RETTIDIG";
/// The version of the frame around the sections.
const FORMAT: u16 = 1;
const KEPT: usize = 2;
const HASH: usize = blake3::OUT_LEN;
const HEADER_BYTES_MAX: u64 = 256;

/// What a section's frame is made of, in CBOR.
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const NULL: (u8, u64) = (7, 22);

/// The engine's state after the record `seq`: a file that is whole. Only what is about people is in memory.
#[derive(Debug)]
pub struct Snapshot {
    pub seq: Seq,
    /// The version of what the sections hold.
    pub version: u32,
    /// Sections about people whose keys are there, opened.
    pub personal: Vec<Section>,
    open: Vec<Place>,
    file: File,
    path: PathBuf,
}

/// One part of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The person it is about: then it is sealed, and dropped on opening once their key is erased.
    pub person: Option<PersonId>,
    pub bytes: Vec<u8>,
}

/// Writes and reads snapshots from any thread; cheap to clone and to move.
#[derive(Clone)]
pub struct SnapshotWriter {
    shared: Arc<Shared>,
}

/// Where the bytes of a section stand.
#[derive(Clone, Copy, Debug)]
struct Place {
    at: u64,
    bytes: usize,
}

/// A file that is whole, and what its frame says.
struct Frame {
    file: File,
    header: Header,
    sections: Vec<(Option<PersonId>, Place)>,
}

/// What was found in the folder of snapshots.
pub(super) struct Chosen {
    pub snapshot: Option<Snapshot>,
    pub unusable: Vec<JournalError>,
}

#[derive(Encode, Decode)]
struct Header {
    #[n(0)]
    format: u16,
    #[cbor(n(1), with = "minicbor::bytes")]
    journal_id: [u8; 16],
    #[n(2)]
    seq: u64,
    #[n(3)]
    version: u32,
    #[n(4)]
    sections: u64,
}

/// Read by [`places`].
#[derive(Encode)]
struct WireSection<'a> {
    #[b(0)]
    person: Option<&'a str>,
    /// Sealed when there is a person.
    #[cbor(b(1), with = "minicbor::bytes")]
    bytes: &'a [u8],
}

impl SnapshotWriter {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Writes a snapshot of the state after record `seq`, which must be durable. When it returns, the snapshot is too,
    /// and only the newest two are left. One at a time; a second call waits.
    ///
    /// # Errors
    /// The journal goes on; the snapshots before stay.
    pub fn write(&self, seq: Seq, version: u32, sections: Vec<Section>) -> Result<(), JournalError> {
        let watch = stopwatch();
        let _one = self.shared.one_snapshot();
        let durable = self.shared.durable();
        if seq > durable {
            return Err(JournalError::SnapshotTooEarly { seq, durable });
        }
        let gate = &self.shared.gate;
        let folder = layout::snapshots(&self.shared.folder);
        let path = layout::named(&folder, seq, SNAPSHOT);
        let unfinished = layout::unfinished(&path);
        let reach = gate.enter(Step::SnapshotWrite)?;
        let bytes = self.write_unfinished(&unfinished, seq, version, sections)?;
        if reach == Reach::Half {
            halve(&unfinished)?;
        }
        gate.leave(Step::SnapshotWrite, reach)?;
        layout::sync_path(&unfinished, self.shared.durability)?;
        let reach = gate.enter(Step::SnapshotRename)?;
        layout::publish(&unfinished, &path, self.shared.durability)?;
        gate.leave(Step::SnapshotRename, reach)?;
        remove_older(&folder)?;
        telemetry::journal::snapshot_written(bytes, watch.elapsed());
        Ok(())
    }

    /// The newest snapshot that is whole; a damaged one is put aside.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn newest(&self) -> Result<Option<Snapshot>, JournalError> {
        let _one = self.shared.one_snapshot();
        let chosen = choose(&self.shared.folder, self.shared.journal_id, &self.shared.sealing)?;
        for reason in chosen.unusable {
            tracing::warn!(%reason, "a snapshot was passed over");
        }
        Ok(chosen.snapshot)
    }

    /// Reads the records behind it, beside the writer.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn reader(&self) -> Result<Reader, JournalError> {
        Reader::open(&self.shared.folder, self.shared.sealing.clone())
    }

    fn write_unfinished(
        &self,
        path: &Path,
        seq: Seq,
        version: u32,
        sections: Vec<Section>,
    ) -> Result<u64, JournalError> {
        let failed = |fault| JournalError::io("write the snapshot", path)(fault);
        let mut out = Hashed::new(File::create(path).map_err(failed)?);
        let header = Header {
            format: FORMAT,
            journal_id: self.shared.journal_id.0,
            seq: seq.0,
            version,
            sections: sections.len() as u64,
        };
        out.write_all(MAGIC).and_then(|()| encode(&header, &mut out)).map_err(failed)?;
        for section in sections {
            let sealed = match &section.person {
                None => section.bytes,
                Some(person) => (self.shared.sealing.seal)(person, &section.bytes)
                    .map_err(|fault| failed(io::Error::other(fault)))?,
            };
            let person = section.person.as_ref().map(PersonId::as_str);
            encode(&WireSection { person, bytes: &sealed }, &mut out).map_err(failed)?;
        }
        out.finish().map_err(failed)
    }
}

/// The newest snapshot of this journal that is whole. A damaged one is put aside, so that the next one written does
/// not push out the good one behind it.
pub(super) fn choose(folder: &Path, journal_id: JournalId, sealing: &Sealing) -> Result<Chosen, JournalError> {
    let mut chosen = Chosen { snapshot: None, unusable: Vec::new() };
    let found = layout::numbered(&layout::snapshots(folder), SNAPSHOT)?;
    for file in found.iter().rev() {
        match read(&file.path, journal_id, sealing) {
            Ok(snapshot) if snapshot.seq == file.seq => {
                chosen.snapshot = Some(snapshot);
                break;
            }
            Ok(_) => chosen.unusable.push(unusable(&file.path, "its name and its header disagree about its seq")),
            Err(why @ JournalError::Snapshot { .. }) => chosen.unusable.push(why),
            Err(fault) => return Err(fault),
        }
        let aside = file.path.with_extension("damaged");
        fs::rename(&file.path, &aside).map_err(JournalError::io("put the snapshot aside as", &aside))?;
    }
    Ok(chosen)
}

/// Reads every snapshot of the folder and says how many are whole.
pub(super) fn check_all(folder: &Path, journal_id: JournalId) -> Result<u64, JournalError> {
    let folder = layout::snapshots(folder);
    if !folder.is_dir() {
        return Ok(0);
    }
    let found = layout::numbered(&folder, SNAPSHOT)?;
    for file in &found {
        frame(&file.path, journal_id)?;
    }
    Ok(found.len() as u64)
}

impl Snapshot {
    /// How many sections are about nobody.
    #[must_use]
    pub const fn open_sections(&self) -> usize {
        self.open.len()
    }

    /// Reads one of them; for any thread.
    ///
    /// # Errors
    /// When there is no such section, or its file cannot be read.
    pub fn read(&self, number: usize, into: &mut Vec<u8>) -> Result<(), JournalError> {
        let place = self.open.get(number).ok_or_else(|| self.unusable("a section is missing"))?;
        place.read(&self.file, into).map_err(JournalError::io("read the snapshot", &self.path))
    }

    pub(super) fn unusable(&self, why: impl Into<String>) -> JournalError {
        unusable(&self.path, why)
    }
}

impl Place {
    fn read(self, file: &File, into: &mut Vec<u8>) -> io::Result<()> {
        into.resize(self.bytes, 0);
        file.read_exact_at(into, self.at)
    }
}

fn unusable(file: &Path, why: impl Into<String>) -> JournalError {
    JournalError::Snapshot { file: file.to_owned(), why: why.into() }
}

pub(super) fn read(path: &Path, journal_id: JournalId, sealing: &Sealing) -> Result<Snapshot, JournalError> {
    let Frame { file, header, sections } = frame(path, journal_id)?;
    let (mut open, mut personal, mut sealed) = (Vec::new(), Vec::new(), Vec::new());
    for (person, place) in sections {
        let Some(person) = person else {
            open.push(place);
            continue;
        };
        place.read(&file, &mut sealed).map_err(JournalError::io("read the snapshot", path))?;
        let opened = (sealing.open)(&person, &sealed).map_err(|fault| unusable(path, fault.to_string()))?;
        personal.extend(opened.map(|bytes| Section { person: Some(person), bytes }));
    }
    let path = path.to_owned();
    Ok(Snapshot { seq: Seq(header.seq), version: header.version, personal, open, file, path })
}

/// Checks the whole file, and the frame around the sections.
fn frame(path: &Path, journal_id: JournalId) -> Result<Frame, JournalError> {
    let io = || JournalError::io("read the snapshot", path);
    let mut file = File::open(path).map_err(io())?;
    let content = file.metadata().map_err(io())?.len().checked_sub(HASH as u64);
    let content = content.ok_or_else(|| unusable(path, "it is cut off"))?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader((&file).take(content)).map_err(io())?;
    let mut hash = [0; HASH];
    file.read_exact(&mut hash).map_err(io())?;
    if *hasher.finalize().as_bytes() != hash {
        return Err(unusable(path, "its hash does not match"));
    }
    file.rewind().map_err(io())?;
    let mut start = Vec::new();
    (&file).take(HEADER_BYTES_MAX).read_to_end(&mut start).map_err(io())?;
    let body = start.strip_prefix(MAGIC).ok_or_else(|| unusable(path, "it is no snapshot"))?;
    let mut decoder = Decoder::new(body);
    let header: Header = decoder.decode().map_err(|fault| unusable(path, fault.to_string()))?;
    if header.format != FORMAT {
        return Err(unusable(path, format!("it has format {}; this program reads format {FORMAT}", header.format)));
    }
    if header.journal_id != journal_id.0 {
        return Err(unusable(path, format!("it belongs to journal {}", JournalId(header.journal_id))));
    }
    let begin = (MAGIC.len() + decoder.position()) as u64;
    let sections = places(&file, begin..content, header.sections).map_err(|fault| unusable(path, fault.to_string()))?;
    Ok(Frame { file, header, sections })
}

/// Goes from section to section; what they hold is not read.
fn places(file: &File, within: Range<u64>, sections: u64) -> io::Result<Vec<(Option<PersonId>, Place)>> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "its sections are not in the format");
    let mut reader = BufReader::new(file);
    let mut at = reader.seek(io::SeekFrom::Start(within.start))?;
    let mut found = Vec::new();
    for _ in 0..sections {
        let (ARRAY, 2) = head(&mut reader)? else { return Err(wrong()) };
        let person = match head(&mut reader)? {
            (TEXT, bytes) if bytes < within.end - at => {
                let mut text = String::new();
                reader.by_ref().take(bytes).read_to_string(&mut text)?;
                Some(PersonId::new(text))
            }
            NULL => None,
            _ => return Err(wrong()),
        };
        let (BYTES, bytes) = head(&mut reader)? else { return Err(wrong()) };
        at = reader.stream_position()?;
        if bytes > within.end.saturating_sub(at) {
            return Err(wrong());
        }
        found.push((person, Place { at, bytes: bytes as usize }));
        at += bytes;
        reader.seek_relative(bytes as i64)?;
    }
    Ok(found)
}

/// The major type of a CBOR item, and the number in its head.
fn head(reader: &mut impl io::Read) -> io::Result<(u8, u64)> {
    let (mut first, mut number) = ([0; 1], [0; 8]);
    reader.read_exact(&mut first)?;
    let (major, short) = (first[0] >> 5, first[0] & 0x1f);
    let bytes = match short {
        0..24 => return Ok((major, u64::from(short))),
        24..28 => 1_usize << (short - 24),
        _ => return Err(io::ErrorKind::InvalidData.into()),
    };
    reader.read_exact(&mut number[8 - bytes..])?;
    Ok((major, u64::from_be_bytes(number)))
}

fn remove_older(folder: &Path) -> Result<(), JournalError> {
    let found = layout::numbered(folder, SNAPSHOT)?;
    for file in found.iter().rev().skip(KEPT) {
        fs::remove_file(&file.path).map_err(JournalError::io("remove", &file.path))?;
    }
    let oldest = found.iter().rev().take(KEPT).next_back().map_or(Seq(0), |file| file.seq);
    for file in layout::numbered(folder, "damaged")?.iter().filter(|file| file.seq < oldest) {
        fs::remove_file(&file.path).map_err(JournalError::io("remove", &file.path))?;
    }
    Ok(())
}

fn encode<T: Encode<()>>(value: &T, out: &mut Hashed) -> io::Result<()> {
    minicbor::encode(value, minicbor::encode::write::Writer::new(out)).map_err(io::Error::other)
}

/// A file that hashes what passes into it.
struct Hashed {
    file: BufWriter<File>,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl Hashed {
    fn new(file: File) -> Self {
        Self { file: BufWriter::with_capacity(1 << 18, file), hasher: blake3::Hasher::new(), bytes: 0 }
    }

    /// Ends the file with the hash; returns its length.
    fn finish(mut self) -> io::Result<u64> {
        let hash = self.hasher.finalize();
        self.file.write_all(hash.as_bytes())?;
        self.file.flush()?;
        Ok(self.bytes + HASH as u64)
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
