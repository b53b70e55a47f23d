//! When the engine's state is written down, so that the next start is quick.
//!
//! Taking the image is the only part that the loop waits for; encoding and writing happen on a thread of their own,
//! one snapshot at a time. A snapshot that fails is reported and costs nothing but a longer start.

use crate::domain::ids::Seq;
use crate::domain::time::{Span, Timestamp};
use crate::engine::{Engine, Image};
use crate::journal::{IMAGE_VERSION, Journal, JournalError, SnapshotWriter, write_image};
use crate::telemetry;
use std::thread::JoinHandle;

/// No snapshot for fewer events than this: applying them again is quicker.
const EVENTS_WORTH_A_SNAPSHOT: u64 = 1_000;

pub struct Snapshots {
    every: Span,
    last_at: Timestamp,
    last_seq: Seq,
    writing: Option<JoinHandle<()>>,
}

impl Snapshots {
    #[must_use]
    pub const fn new(every: Span, now: Timestamp, seq: Seq) -> Self {
        Self { every, last_at: now, last_seq: seq, writing: None }
    }

    pub fn take_if_due(&mut self, engine: &Engine, journal: &mut Journal, now: Timestamp) {
        let due = now.since(self.last_at) >= self.every
            && engine.seq().0 - self.last_seq.0 >= EVENTS_WORTH_A_SNAPSHOT
            && self.writing.as_ref().is_none_or(JoinHandle::is_finished);
        if due {
            self.take(engine, journal, now);
        }
    }

    /// The last word of a gateway that stops: waits until it is written.
    pub fn take_at_end(&mut self, engine: &Engine, journal: &mut Journal, now: Timestamp) {
        self.wait();
        if engine.seq() > self.last_seq {
            self.take(engine, journal, now);
            self.wait();
        }
    }

    fn take(&mut self, engine: &Engine, journal: &mut Journal, now: Timestamp) {
        self.last_at = now;
        self.last_seq = engine.seq();
        let image = engine.image();
        let writer = journal.snapshot_writer();
        let thread = std::thread::Builder::new().name("snapshot".to_owned());
        match thread.spawn(move || report(write(&writer, &image), now)) {
            Ok(writing) => self.writing = Some(writing),
            Err(error) => tracing::warn!(%error, "no thread for a snapshot; the next start takes longer"),
        }
    }

    fn wait(&mut self) {
        if let Some(writing) = self.writing.take() {
            // A panic there has been reported by its thread; the journal is whole without the snapshot.
            drop(writing.join());
        }
    }
}

fn write(writer: &SnapshotWriter, image: &Image) -> Result<Seq, JournalError> {
    let seq = image.seq;
    let sections = write_image(image).map_err(|source| JournalError::Unwritable { seq, source })?;
    writer.write(seq, IMAGE_VERSION, sections)?;
    Ok(seq)
}

fn report(written: Result<Seq, JournalError>, taken_at: Timestamp) {
    match written {
        Ok(seq) => {
            telemetry::journal::snapshot_is(seq, taken_at);
            tracing::debug!(%seq, "snapshot written");
        }
        Err(error) => tracing::warn!(%error, "snapshot not written; the next start takes longer"),
    }
}
