//! When the engine's state is written down, so that the next start is quick.
//!
//! The loop does not wait for it: a thread of its own goes from the newest snapshot through the journal, as the next
//! start would, and writes down where it arrives. Only at the end of a run, and after that way has failed, is the
//! state taken from the engine itself. A snapshot that fails is reported and costs nothing but a longer start.

use super::foundation::follow;
use super::history::step_aside;
use crate::domain::ids::Seq;
use crate::domain::time::{Span, Timestamp};
use crate::engine::{Engine, Image};
use crate::journal::{IMAGE_VERSION, Journal, JournalError, SnapshotWriter, write_image};
use crate::telemetry;
use anyhow::Context as _;
use std::error::Error;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

/// No snapshot for fewer events than this: applying them again is quicker.
const EVENTS_WORTH_A_SNAPSHOT: u64 = 1_000;
/// So many events need not wait for the usual time: applying them would be what a start takes longest for.
const EVENTS_MANY: u64 = 100_000;
/// Between two snapshots, however much happens.
const EVERY_AT_LEAST: Span = Span::from_mins(1);

pub struct Snapshots {
    every: Span,
    last_at: Timestamp,
    last_seq: Seq,
    /// Says whether there is a new snapshot. The loop never waits for the thread itself, which ends at its own pace.
    making: Option<Receiver<bool>>,
}

impl Snapshots {
    #[must_use]
    pub const fn new(every: Span, now: Timestamp, seq: Seq) -> Self {
        Self { every, last_at: now, last_seq: seq, making: None }
    }

    /// Between two batches: everything the engine knows is durable.
    pub fn take_if_due(&mut self, engine: &Engine, journal: &Journal, now: Timestamp) {
        let (since, events) = (now.since(self.last_at), engine.seq().0 - self.last_seq.0);
        let usual = since >= self.every && events >= EVENTS_WORTH_A_SNAPSHOT;
        let busy = since >= self.every.min(EVERY_AT_LEAST) && events >= EVENTS_MANY;
        if !(usual || busy) {
            return;
        }
        let made = match self.making.as_ref().map(Receiver::try_recv) {
            Some(Err(TryRecvError::Empty)) => return,
            Some(Ok(made)) => made,
            // A panic there has been reported by its thread; the journal is whole without the snapshot.
            Some(Err(TryRecvError::Disconnected)) => false,
            None => true,
        };
        self.making = None;
        let stopwatch = telemetry::stopwatch();
        if made {
            self.make_from_journal(engine, journal, now);
        } else {
            self.take(engine, journal, now);
        }
        telemetry::journal::snapshot_taken(stopwatch.elapsed());
    }

    /// The last word of a gateway that stops: waits until it is written.
    pub fn take_at_end(&mut self, engine: &Engine, journal: &Journal, now: Timestamp) {
        let made = self.wait();
        if engine.seq() > self.last_seq || !made {
            self.take(engine, journal, now);
            self.wait();
        }
    }

    fn make_from_journal(&mut self, engine: &Engine, journal: &Journal, now: Timestamp) {
        let (writer, through) = (journal.snapshot_writer(), engine.seq());
        self.start(through, now, move || {
            step_aside();
            image_of(&writer, through).and_then(|image| Ok(write(&writer, &image)?))
        });
    }

    /// The loop waits while the state is copied.
    fn take(&mut self, engine: &Engine, journal: &Journal, now: Timestamp) {
        let (writer, image) = (journal.snapshot_writer(), engine.image());
        self.start(image.seq, now, move || Ok(write(&writer, &image)?));
    }

    fn start(&mut self, seq: Seq, now: Timestamp, make: impl FnOnce() -> anyhow::Result<Seq> + Send + 'static) {
        self.last_at = now;
        self.last_seq = seq;
        let thread = std::thread::Builder::new().name("snapshot".to_owned());
        let (tell, told) = sync_channel(1);
        // At the end of the run nobody may be listening any more.
        match thread.spawn(move || tell.send(report(&make(), now)).unwrap_or_default()) {
            Ok(_) => self.making = Some(told),
            Err(error) => tracing::warn!(%error, "no thread for a snapshot; the next start takes longer"),
        }
    }

    /// Whether there is none that failed.
    fn wait(&mut self) -> bool {
        self.making.take().is_none_or(|making| making.recv().unwrap_or(false))
    }
}

/// The state after record `through`, from what is on disk.
fn image_of(writer: &SnapshotWriter, through: Seq) -> anyhow::Result<Image> {
    let newest = writer.newest().context("read the newest snapshot")?;
    let (engine, _) = follow(newest, through, 0, || writer.reader())?;
    Ok(engine.image())
}

fn write(writer: &SnapshotWriter, image: &Image) -> Result<Seq, JournalError> {
    let seq = image.seq;
    let sections = write_image(image).map_err(|source| JournalError::Unwritable { seq, source })?;
    writer.write(seq, IMAGE_VERSION, sections)?;
    Ok(seq)
}

fn report(made: &anyhow::Result<Seq>, taken_at: Timestamp) -> bool {
    match made {
        Ok(seq) => {
            telemetry::journal::snapshot_is(*seq, taken_at);
            tracing::debug!(%seq, "snapshot written");
        }
        Err(error) => {
            let error: &dyn Error = error.as_ref();
            tracing::warn!(error, "snapshot not written; the next start takes longer");
        }
    }
    made.is_ok()
}
