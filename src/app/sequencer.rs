//! The whole system is one loop: take a batch, decide, journal, sync, release.
//!
//! It runs on a thread of its own and is the only one that touches engine and journal. Nothing it decides is
//! seen by anyone before `sync` has returned; then crews are told and senders are acknowledged.

use super::calendars::SharedCalendars;
use super::clock::Clock;
use super::inbox::{Inbox, Item, Submission, Then};
use super::outbox::{Held, Outbox};
use super::poison::Poison;
use super::self_watch;
use super::snapshots::Snapshots;
use crate::domain::decision::Decision;
use crate::domain::event::Event;
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use crate::journal::{Journal, JournalError};
use crate::telemetry;
use crate::telemetry::sequencer::Meters;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub struct Sequencer {
    pub engine: Engine,
    pub journal: Journal,
    pub clock: Clock,
    pub inbox: Inbox,
    pub outbox: Outbox,
    pub poison: Poison,
    pub snapshots: Snapshots,
    pub calendars: SharedCalendars,
    pub meters: Meters,
    /// A message of this batch has been measured.
    pub measured: bool,
}

/// Why the loop ended.
#[derive(Debug)]
pub enum Ended {
    /// It was told to stop: everything accepted before has been released.
    Drained,
    /// The journal failed. It is never retried: what was not synced was never acknowledged and will come again.
    Journal(JournalError),
}

enum Next {
    Turn,
    Stop,
}

impl Sequencer {
    pub fn run(mut self) -> Ended {
        if let Err(error) = self.begin() {
            return Ended::Journal(error);
        }
        let mut batch = Vec::new();
        while self.inbox.next_batch(&self.clock, self.engine.next_deadline(), self.outbox.owes_note(), &mut batch) {
            match self.turn(batch.drain(..)) {
                Ok(Next::Turn) => {}
                Ok(Next::Stop) => break,
                Err(error) => return Ended::Journal(error),
            }
        }
        if let Err(error) = self.leave_note() {
            return Ended::Journal(error);
        }
        self.snapshots.take_at_end(&self.engine, &self.journal, self.clock.now());
        Ended::Drained
    }

    /// The start comes before every deadline that has passed meanwhile: whoever could not be heard while the gateway
    /// was away is not silent.
    fn begin(&mut self) -> Result<(), JournalError> {
        self.decide(self.clock.now(), Submission::of(Event::Started))?;
        self.sync_and_release()
    }

    /// One turn of the loop.
    fn turn(&mut self, batch: impl Iterator<Item = Item>) -> Result<Next, JournalError> {
        let mut next = Next::Turn;
        self.decide_note()?;
        for item in batch {
            match item {
                Item::Submission(submission) => {
                    let now = self.clock.now();
                    self.fire_deadlines(now)?;
                    self.decide(now, submission)?;
                }
                Item::Wake => self.fire_deadlines(self.clock.now())?,
                Item::Advance { to, done } => {
                    self.advance(to)?;
                    self.outbox.hold_signal(done);
                }
                Item::Ask(question) => question(&self.engine),
                Item::Stop => next = Next::Stop,
            }
        }
        self.sync_and_release()?;
        self.snapshots.take_if_due(&self.engine, &self.journal, self.clock.now());
        Ok(next)
    }

    /// The record that acknowledgements have left comes before whatever follows them.
    fn decide_note(&mut self) -> Result<(), JournalError> {
        match self.outbox.take_note() {
            Some(note) => self.decide(self.clock.now(), Submission::of(note)),
            None => Ok(()),
        }
    }

    /// Nothing follows: without this record the first press after the next start would be taken for a repetition.
    fn leave_note(&mut self) -> Result<(), JournalError> {
        if self.outbox.owes_note() {
            self.decide_note()?;
            self.sync_and_release()?;
        }
        Ok(())
    }

    /// Deadlines that have passed come before whatever arrives after them.
    fn fire_deadlines(&mut self, now: Timestamp) -> Result<(), JournalError> {
        while let Some(deadline) = self.engine.next_deadline().filter(|deadline| deadline.at <= now) {
            self.decide(now, Submission::of(Event::Due(deadline)))?;
            if self.outbox.is_full() {
                self.sync_and_release()?;
            }
        }
        Ok(())
    }

    /// Scaled time moves through every deadline on the way, so that each fires at its own moment.
    fn advance(&mut self, to: Timestamp) -> Result<(), JournalError> {
        while let Some(deadline) = self.engine.next_deadline().filter(|deadline| deadline.at <= to) {
            self.clock.advance(deadline.at);
            self.fire_deadlines(self.clock.now())?;
        }
        self.clock.advance(to);
        Ok(())
    }

    fn decide(&mut self, now: Timestamp, submission: Submission) -> Result<(), JournalError> {
        let Submission { event, then, received, mut trace } = submission;
        let begun = telemetry::trace::moment();
        let poisoned = self.poison.is_poison(&event);
        let (event, decision) = if poisoned {
            let event = Poison::row(event);
            let decision = self.engine.skip(now, &event);
            (event, decision)
        } else {
            // One message of each batch is measured: reading the clock for each would cost a tenth of what it measures.
            let stopwatch = received.filter(|_| !self.measured).map(|_| telemetry::stopwatch());
            let event = self.engine.admit(now, event).into_event();
            let decision = self.step(now, &event);
            if let Some(stopwatch) = stopwatch {
                self.meters.concluded(stopwatch.elapsed());
                self.measured = true;
            }
            (event, decision)
        };
        self.journal.append(now, &event, &decision)?;
        trace.decided(begun, &decision);
        let expanded = self.calendars.follow(now, &event);
        self.outbox.hold(Held { at: now, event, decision, then, received, trace });
        if let Some(expanded) = expanded {
            return self.decide(now, Submission::of(expanded));
        }
        if poisoned && self.engine.inventory().device(&self_watch::device()).is_some() {
            return self.decide(now, Submission::of(self_watch::poisoned(now)));
        }
        Ok(())
    }

    /// The engine decides. When it cannot, that is our bug: the event is noted and the process ends, because
    /// nothing that follows from a broken state can be trusted.
    fn step(&mut self, now: Timestamp, event: &Event) -> Decision {
        let engine = &mut self.engine;
        match catch_unwind(AssertUnwindSafe(|| {
            super::faults::maybe_abort(event);
            engine.step(now, event)
        })) {
            Ok(decision) => decision,
            Err(panic) => self.abort(event, panic.as_ref()),
        }
    }

    fn abort(&self, event: &Event, panic: &(dyn std::any::Any + Send)) -> ! {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        match self.poison.note(event, text) {
            Ok(note) => tracing::error!(note = %note.display(), "the engine aborted; the event is noted"),
            Err(error) => tracing::error!(%error, "the engine aborted; the event could not be noted"),
        }
        std::process::abort();
    }

    fn sync_and_release(&mut self) -> Result<(), JournalError> {
        let (stopwatch, begun) = (telemetry::stopwatch(), telemetry::trace::moment());
        let durable = self.journal.sync()?;
        self.measured = false;
        self.outbox.synced(begun, telemetry::trace::moment());
        self.meters.synced(stopwatch.elapsed(), self.outbox.len(), self.engine.held_back());
        super::faults::maybe_end_before_release(self.outbox.events());
        self.outbox.release(&self.engine, durable);
        self.journal.switch_file_if_due(self.clock.now())?;
        self.journal.fold_in_if_ready()?;
        Ok(())
    }
}

impl Then {
    /// Whether somebody outside waits for an acknowledgement.
    #[must_use]
    pub const fn counts(&self) -> bool {
        matches!(self, Self::Endpoint(_) | Self::Intake(_))
    }
}
