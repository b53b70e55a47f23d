//! What is decided but not yet durable, and what happens the moment it is.
//!
//! Holding is free of consequences. Releasing tells the world, in this order: the board shows it, dispatch sends
//! it, callers get their answers, senders their acknowledgements, the store may fetch it.

use super::directory::SharedDirectory;
use super::inbox::{Answer, Then};
use super::ledger::{Counts, Ledger};
use super::tally::Tally;
use super::usage::Usage;
use crate::board::{self, Board};
use crate::dispatch;
use crate::domain::decision::{Decision, Delivery, Effect, Fact};
use crate::domain::event::Event;
use crate::domain::ids::{DeliveryId, Seq};
use crate::domain::observation::Identity;
use crate::domain::reason::Verdict;
use crate::domain::time::Timestamp;
use crate::endpoint;
use crate::engine::Engine;
use crate::telemetry::sequencer::Meters;
use crate::telemetry::trace::{Moment, Trace};
use crate::telemetry::{self, Stopwatch};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

pub struct Outbox {
    held: Vec<Held>,
    signals: Vec<oneshot::Sender<()>>,
    batch_max: usize,
    /// Acknowledgements have left since the last note about it.
    note: Option<Note>,
    /// Dispatch had no room: it is handed everything that is pending as soon as it has.
    dispatch_missed: bool,
    world: World,
}

/// Everyone who is told.
pub struct World {
    pub board: Arc<Board>,
    pub dispatch: mpsc::Sender<dispatch::Inbox>,
    pub directory: SharedDirectory,
    pub durable: watch::Sender<Seq>,
    pub ledger: Arc<Ledger>,
    pub tally: Arc<Tally>,
    pub usage: Usage,
    pub meters: Meters,
}

/// One decision, and what is owed to whoever brought its event.
pub struct Held {
    pub at: Timestamp,
    pub event: Event,
    pub decision: Decision,
    pub then: Then,
    pub received: Option<Stopwatch>,
    pub trace: Trace,
}

#[derive(Default)]
struct Note {
    through: Seq,
    undelivered: Vec<Seq>,
}

impl Outbox {
    #[must_use]
    pub const fn new(world: World, batch_max: usize) -> Self {
        Self { held: Vec::new(), signals: Vec::new(), batch_max, note: None, dispatch_missed: false, world }
    }

    pub fn hold(&mut self, held: Held) {
        self.held.push(held);
    }

    /// What is held has become durable between these moments.
    pub fn synced(&mut self, from: Moment, to: Moment) {
        for held in &mut self.held {
            held.trace.synced(from, to);
        }
    }

    /// Somebody wants to know when everything held up to here has been released.
    pub fn hold_signal(&mut self, done: oneshot::Sender<()>) {
        self.signals.push(done);
    }

    #[must_use]
    pub fn is_full(&self) -> bool {
        self.held.len() >= self.batch_max
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// What is held, in the order of decision.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.held.iter().map(|held| &held.event)
    }

    #[must_use]
    pub const fn owes_note(&self) -> bool {
        self.note.is_some()
    }

    /// The record that acknowledgements have left, if any have that a later message could be compared with.
    pub fn take_note(&mut self) -> Option<Event> {
        self.note.take().map(|note| Event::Released { through: note.through, undelivered: note.undelivered })
    }

    /// Everything held is durable: the world is told.
    pub fn release(&mut self, engine: &Engine, durable: Option<Seq>) {
        let mut held = std::mem::take(&mut self.held);
        if !held.is_empty() {
            let begun = telemetry::trace::moment();
            let counted = || held.iter().filter(|held| held.then.counts()).map(|held| held.decision.verdict);
            // Before the view, so that whoever is woken by it finds the books as they stand with it.
            self.world.board.set_ledger(on_the_board(&self.world.ledger.after(counted())));
            self.world.board.apply(held.iter().map(|held| (held.at, &held.event, &held.decision)));
            let registry_changed = self.refresh_directory(engine, &held);
            self.dispatch(engine, &held);
            self.world.ledger.settled(counted());
            for held in &held {
                self.world.tally.count(&held.decision);
                self.world.usage.count(engine, held.at, &held.event, &held.decision);
            }
            if registry_changed {
                self.world.usage.count_devices(engine);
            }
            let released = telemetry::stopwatch();
            self.world.tally.took(held.iter().filter_map(|held| held.received.map(|since| released.since(since))));
            let mut acknowledgements = Vec::with_capacity(held.len());
            let mut traces = Vec::with_capacity(held.len());
            for held in held.drain(..) {
                traces.push(self.answer(held, released, &mut acknowledgements));
            }
            endpoint::Acknowledge::release_all(&mut acknowledgements);
            // Whoever is woken by it works beside those who wait, and must not come before them.
            if let Some(seq) = durable {
                self.world.durable.send_replace(seq);
            }
            for trace in traces {
                trace.released(begun);
            }
        }
        // The room is kept for the next batch.
        self.held = held;
        for signal in self.signals.drain(..) {
            // Whoever asked may have gone; nothing depends on it.
            signal.send(()).ok();
        }
    }

    /// Decoding must know what is registered before anybody is told that it is.
    fn refresh_directory(&mut self, engine: &Engine, held: &[Held]) -> bool {
        let changed = held.iter().any(|held| {
            held.decision.verdict == Verdict::Accepted
                && matches!(held.event, Event::Registered(_) | Event::Configured(_))
        });
        if changed {
            self.world.directory.refresh(engine);
            self.world.usage.refresh(engine);
        }
        changed
    }

    fn dispatch(&mut self, engine: &Engine, held: &[Held]) {
        let mut ended: Vec<DeliveryId> = Vec::new();
        let mut released: Vec<Delivery> = Vec::new();
        for held in held {
            ended.extend(held.decision.facts.iter().filter_map(ended_delivery));
            released.extend(held.decision.effects.iter().map(|Effect::Deliver(delivery)| delivery.clone()));
        }
        released.retain(|delivery| !ended.contains(&delivery.id));
        if self.dispatch_missed {
            self.dispatch_missed = false;
            let pending = engine.pending_deliveries().cloned().collect();
            self.hand_to_dispatch(dispatch::Inbox::Resync(pending));
            return;
        }
        if !ended.is_empty() {
            self.hand_to_dispatch(dispatch::Inbox::Ended(ended));
        }
        if !released.is_empty() {
            self.hand_to_dispatch(dispatch::Inbox::Released(released));
        }
    }

    /// A full desk loses nothing: what is pending is engine state, and is handed over whole when there is room.
    fn hand_to_dispatch(&mut self, input: dispatch::Inbox) {
        if self.world.dispatch.try_send(input).is_err() {
            self.dispatch_missed = true;
            telemetry::sequencer::dispatch_full();
        }
    }

    fn answer(&mut self, held: Held, released: Stopwatch, acknowledgements: &mut Vec<endpoint::Acknowledge>) -> Trace {
        let Held { event, decision, then, received, trace, .. } = held;
        self.world.meters.decided(&decision, received.map(|received| released.since(received)));
        let seq = decision.seq;
        match then {
            Then::Nothing => {}
            Then::Answer(caller) => {
                // A caller that has gone finds its change on the board.
                caller.send(Answer { seq, verdict: decision.verdict }).ok();
            }
            Then::Endpoint(acknowledge) => {
                self.note_release(&event, seq, acknowledge.deliverable());
                acknowledgements.push(acknowledge);
            }
            Then::Intake(acknowledge) => {
                let left = acknowledge.release();
                self.note_release(&event, seq, left);
            }
        }
        trace
    }

    /// Only messages without an identity of their own are compared with what was acknowledged.
    fn note_release(&mut self, event: &Event, seq: Seq, left: bool) {
        let compared = match event {
            Event::Observed(observed) => observed.identity == Identity::Redelivery && observed.ingress.packet.is_some(),
            Event::Quarantined(quarantined) => quarantined.ingress.packet.is_some(),
            Event::Replied(reply) => reply.ingress.packet.is_some(),
            Event::Receipt(_)
            | Event::Commanded(_)
            | Event::Registered(_)
            | Event::Configured(_)
            | Event::Due(_)
            | Event::Started
            | Event::Released { .. }
            | Event::Erased { .. }
            | Event::Expanded { .. } => false,
        };
        if !compared {
            return;
        }
        let note = self.note.get_or_insert_default();
        note.through = note.through.max(seq);
        if !left {
            note.undelivered.push(seq);
        }
    }
}

fn on_the_board(counts: &Counts) -> board::Ledger {
    board::Ledger {
        received: counts.received,
        decided: counts.decided,
        redacted: counts.redacted,
        quarantined: counts.quarantined_total(),
        duplicate: counts.duplicates,
        refused: counts.refused,
        in_flight: counts.in_flight,
    }
}

const fn ended_delivery(fact: &Fact) -> Option<DeliveryId> {
    if let Fact::DeliveryEnded { delivery, .. } = fact { Some(*delivery) } else { None }
}
