//! The live stream: what changes, as it changes, to every screen (Server-Sent Events).
//!
//! The id of each event is the seq it leads to. A screen that comes back with the last id it saw gets the difference,
//! or a `reset` with the whole view in pieces when it was away too long. Nothing is queued per client: the next event
//! is computed from the newest view when the client's socket has room, so a slow screen skips what it missed.

use super::Shared;
use super::access::Reader;
use super::ports::SessionToken;
use super::problem::Problem;
use super::requests::Asked;
use super::wire::{ChangesWire, NumbersWire, ResetWire, StoreWire};
use crate::board::{Difference, Ledger, Place, View};
use crate::domain::ids::{JournalId, Seq};
use crate::telemetry;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};

const RECONNECT_AFTER: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
pub(super) struct StreamAsked {
    /// The journal that the last id belongs to, as its `reset` named it.
    journal: Option<String>,
}

/// `GET /api/v1/stream`
pub(super) async fn stream(
    State(console): State<Shared>,
    Reader { token }: Reader,
    Asked(asked): Asked<StreamAsked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let slot = console.stream_slot().ok_or_else(|| Problem::busy("all live streams are taken"))?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok()).map(Seq);
    let watching = Watching::new(console, token, last, asked.journal.as_deref(), slot);
    let events = stream::unfold(watching, |mut watching| async move {
        let event = watching.next().await?;
        Some((Ok::<_, Infallible>(event), watching))
    });
    Ok(Sse::new(events).into_response())
}

struct Watching {
    console: Shared,
    token: SessionToken,
    phase: Phase,
    journal: JournalId,
    ledger: Ledger,
    /// As this client was told.
    store: StoreWire,
    published: watch::Receiver<Seq>,
    heartbeat: Interval,
    pace: Interval,
    session_check: Interval,
    first: bool,
    slot: Option<OwnedSemaphorePermit>,
}

enum Phase {
    /// Sending the whole of one view, piece by piece.
    Resetting {
        view: Arc<View>,
        place: Place,
        part: usize,
        parts: usize,
    },
    /// The client has everything up to here.
    Following {
        seen: Seq,
    },
    Ended,
}

impl Watching {
    fn new(
        console: Shared,
        token: SessionToken,
        last: Option<Seq>,
        journal: Option<&str>,
        slot: OwnedSemaphorePermit,
    ) -> Self {
        let published = console.ports.board.changes();
        let view = console.ports.board.view();
        let options = &console.options;
        let ours = journal.is_none_or(|journal| journal == view.journal.to_string());
        let resumes = last.filter(|_| ours);
        Self {
            phase: resumes.map_or_else(|| reset(&view, options.part_rows_max), |seen| Phase::Following { seen }),
            journal: view.journal,
            ledger: view.ledger,
            store: StoreWire::new(&console.ports.progress),
            published,
            heartbeat: every(options.heartbeat),
            pace: every(options.pace),
            session_check: every(options.session_check),
            first: true,
            slot: Some(slot),
            token,
            console,
        }
    }

    /// The next thing to tell this client; `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            match &mut self.phase {
                Phase::Resetting { .. } => return Some(self.next_piece()),
                Phase::Following { seen } => {
                    let seen = *seen;
                    self.published.mark_unchanged();
                    if let Some(event) = self.difference(seen) {
                        return Some(event);
                    }
                    if matches!(self.phase, Phase::Following { .. }) {
                        match self.wait().await {
                            Woken::Published => {}
                            Woken::Say(event) => return Some(event),
                            Woken::SignedOut => {
                                self.phase = Phase::Ended;
                                return Some(named("signed-out", &()));
                            }
                            Woken::Shutdown => return None,
                        }
                    }
                }
                Phase::Ended => return None,
            }
        }
    }

    fn next_piece(&mut self) -> Event {
        let rows_max = self.console.options.part_rows_max;
        self.store = StoreWire::new(&self.console.ports.progress);
        let Phase::Resetting { view, place, part, parts } = &mut self.phase else { return beat() };
        let piece = ResetWire::new(view, &view.part(place, rows_max), *part, *parts, self.store);
        let mut event = named("reset", &piece);
        if std::mem::take(&mut self.first) {
            event = event.retry(RECONNECT_AFTER);
        }
        *part += 1;
        if let Some(seen) = piece.seq() {
            self.phase = Phase::Following { seen };
            event = event.id(seen.to_string());
        }
        event
    }

    /// What is published beyond `seen`. A reset changes the phase instead.
    fn difference(&mut self, seen: Seq) -> Option<Event> {
        let view = self.console.ports.board.view();
        if view.seq == seen {
            return None;
        }
        match view.changes_since(self.journal, seen, self.console.options.changes_max) {
            Difference::Nothing => {
                self.phase = Phase::Following { seen: view.seq };
                None
            }
            Difference::Changes(changes) => {
                self.phase = Phase::Following { seen: view.seq };
                self.ledger = view.ledger;
                self.store = StoreWire::new(&self.console.ports.progress);
                self.heartbeat.reset();
                Some(named("changes", &ChangesWire::new(&view, &changes, self.store)).id(view.seq.to_string()))
            }
            Difference::Reset => {
                telemetry::console::stream_reset();
                self.phase = reset(&view, self.console.options.part_rows_max);
                None
            }
        }
    }

    async fn wait(&mut self) -> Woken {
        tokio::select! {
            biased;
            () = self.console.shutdown.cancelled() => Woken::Shutdown,
            _ = self.session_check.tick() => match (self.console.ports.session)(self.token.clone()).await {
                Ok(Some(account)) if account.reads() => Woken::Published,
                // A vault that cannot answer has not said no.
                Err(_) => Woken::Published,
                Ok(_) => Woken::SignedOut,
            },
            changed = self.published.changed() => match changed {
                Ok(()) => {
                    self.pace.tick().await;
                    Woken::Published
                }
                Err(_) => Woken::Shutdown,
            },
            _ = self.heartbeat.tick() => {
                let (view, store) = (self.console.ports.board.view(), StoreWire::new(&self.console.ports.progress));
                if view.ledger == self.ledger && store.looks_like(self.store) {
                    return Woken::Say(beat());
                }
                (self.ledger, self.store) = (view.ledger, store);
                Woken::Say(named("numbers", &NumbersWire::new(&view, store)))
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        drop(self.slot.take());
        let taken = self.console.options.streams_max - self.console.streams.available_permits();
        telemetry::console::streams(taken);
    }
}

enum Woken {
    Published,
    Say(Event),
    SignedOut,
    Shutdown,
}

fn reset(view: &Arc<View>, rows_max: usize) -> Phase {
    Phase::Resetting { view: Arc::clone(view), place: Place::default(), part: 1, parts: view.parts(rows_max) }
}

/// A line that carries nothing but life.
fn beat() -> Event {
    Event::default().comment("alive")
}

fn named(name: &str, data: &impl Serialize) -> Event {
    let event = Event::default().event(name);
    event.json_data(data).unwrap_or_else(|error| {
        tracing::error!(%error, name, "an event of the live stream cannot be written");
        Event::default().comment("unwritable")
    })
}

/// Ticks at once and then no closer than `period`, also after a pause.
fn every(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
