//! The process under test: the real engine, journal and dispatch, in the loop of `app::sequencer`, on one thread.
//!
//! It dies where the journal's fault hook says, and is started again from its folder alone.

use super::record::{Held, Origin, Record};
use rettidig::app::foundation::{Recovered, recover};
use rettidig::dispatch::{self, Channel, Dispatch, NotNow, Ports};
use rettidig::domain::decision::{Effect, Fact};
use rettidig::domain::event::{Event, Quarantined};
use rettidig::domain::ids::{CrewId, JournalId, Seq};
use rettidig::domain::observation::Identity;
use rettidig::domain::reason::QuarantineReason;
use rettidig::domain::time::{Span, Timestamp};
use rettidig::engine::Engine;
use rettidig::journal::fault::{FaultOrder, Step};
use rettidig::journal::{Durability, IMAGE_VERSION, Journal, JournalError, Maintenance, Options, Sealing, write_image};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Messages under way to one crew; beyond, its channel is busy.
const WINDOW: usize = 2;

/// What ends the process, and when: at the n-th of these steps.
#[derive(Clone, Copy, Debug)]
pub struct Doom {
    pub step: Step,
    pub after: u32,
    pub order: FaultOrder,
}

/// What the gateway's surroundings and the test share.
#[derive(Default)]
pub struct Surroundings {
    pub now: Timestamp,
    pub listening: BTreeSet<CrewId>,
    pub broker_up: bool,
    pub under_way: BTreeMap<CrewId, BTreeSet<u64>>,
    pub posts: Vec<(Channel, CrewId, u64, Vec<u8>)>,
    pub resync_wanted: bool,
    pub doom: Option<Doom>,
    pub torn: u64,
}

pub type Shared = Arc<Mutex<Surroundings>>;

/// The process has ended.
#[derive(Debug)]
pub struct Died;

pub struct Gateway {
    pub engine: Engine,
    journal: Journal,
    maintenance: Maintenance,
    desk: Dispatch,
    held: Vec<Held>,
    note: Option<(Seq, Vec<Seq>)>,
    shared: Shared,
}

/// What outlives a process.
pub struct Folder {
    pub path: PathBuf,
    pub shared: Shared,
    pub id: JournalId,
    pub retain_for: Span,
    /// What dispatch may keep; small enough that it is reached.
    pub pending_max: usize,
}

pub fn sealing() -> Sealing {
    let mix = |person: &str, bytes: &[u8]| {
        let mut stream = vec![0; bytes.len()];
        blake3::Hasher::new_derive_key("rettidig simulation")
            .update(person.as_bytes())
            .finalize_xof()
            .fill(&mut stream);
        bytes.iter().zip(stream).map(|(byte, key)| byte ^ key).collect::<Vec<u8>>()
    };
    Sealing {
        seal: Arc::new(move |person, bytes| Ok(mix(person.as_str(), bytes))),
        open: Arc::new(move |person, bytes| Ok(Some(mix(person.as_str(), bytes)))),
    }
}

pub fn options(path: &Path, retain_for: Span) -> Options {
    Options {
        file_bytes_max: 24 * 1024,
        file_age_max: Span::from_hours(6),
        retain_for,
        durability: Durability::None,
        ..Options::new(path)
    }
}

/// A journal that ends because it was told to; any other reason is a failure of the house.
fn died(error: &JournalError) -> Died {
    assert!(matches!(error, JournalError::Crashed { .. } | JournalError::Dead), "the journal failed: {error}");
    Died
}

impl Folder {
    fn options(&self) -> Options {
        let shared = Arc::clone(&self.shared);
        let hook = move |step| {
            let mut shared = shared.lock().unwrap();
            let Some(doom) = shared.doom.as_mut().filter(|doom| doom.step == step) else { return FaultOrder::Go };
            if doom.after > 0 {
                doom.after -= 1;
                return FaultOrder::Go;
            }
            let order = doom.order;
            shared.doom = None;
            shared.torn += u64::from(order == FaultOrder::Torn);
            order
        };
        Options { fault: Some(Arc::new(hook)), ..options(&self.path, self.retain_for) }
    }

    /// Starts a process. What it found durable is the last record.
    pub fn start(&self) -> Result<(Gateway, Seq), Died> {
        let opened = Journal::open(self.options(), sealing(), || self.id).map_err(|error| died(&error))?;
        let last = opened.last.map_or(Seq(0), |(seq, _)| seq);
        let Recovered { journal, engine, .. } = recover(&self.path, &sealing(), opened).unwrap();
        assert_eq!(journal.id(), self.id);
        assert_eq!(engine.broken_invariants(), Vec::<String>::new(), "after recovery");
        let mut desk = Dispatch::new(self.desk_options(), self.ports());
        let pending = engine.pending_deliveries().cloned().collect();
        assert!(desk.handle(dispatch::Inbox::Resync(pending)).is_none());
        let maintenance = journal.maintenance();
        let shared = Arc::clone(&self.shared);
        Ok((Gateway { engine, journal, maintenance, desk, held: Vec::new(), note: None, shared }, last))
    }

    fn desk_options(&self) -> dispatch::Options {
        let by_broker = vec![Channel::Broker(super::town::BROKER.into())];
        dispatch::Options {
            routes: BTreeMap::from([(CrewId::new(super::town::BY_BROKER), by_broker)]),
            pending_max: self.pending_max,
            ..dispatch::Options::new(self.id)
        }
    }

    fn ports(&self) -> Ports {
        let [sending, withdrawing, asking, telling] = [0; 4].map(|_| Arc::clone(&self.shared));
        Ports {
            send: Arc::new(move |channel, crew, post| {
                let mut shared = sending.lock().unwrap();
                let open = match channel {
                    Channel::Endpoint => shared.listening.contains(crew),
                    Channel::Broker(_) => shared.broker_up,
                };
                if !open {
                    return Err(NotNow::NotConnected);
                }
                let under_way = shared.under_way.entry(crew.clone()).or_default();
                if under_way.len() >= WINDOW && !under_way.contains(&post.key) {
                    return Err(NotNow::Busy);
                }
                under_way.insert(post.key);
                assert_eq!(post.topic, format!("rettidig/v1/crew/{crew}/tasks"));
                shared.posts.push((channel.clone(), crew.clone(), post.key, post.payload.to_vec()));
                Ok(())
            }),
            withdraw: Arc::new(move |_, crew, key| {
                if let Some(under_way) = withdrawing.lock().unwrap().under_way.get_mut(crew) {
                    under_way.remove(&key);
                }
            }),
            receipt: Arc::new(|_| Box::pin(async {})),
            resync_wanted: Arc::new(move || asking.lock().unwrap().resync_wanted = true),
            now: Arc::new(move || telling.lock().unwrap().now),
        }
    }
}

impl Gateway {
    /// One turn of the loop: everything in `batch` is decided and made durable, or the process is dead.
    pub fn turn(&mut self, now: Timestamp, batch: Vec<(Event, Origin)>) -> Result<Vec<Record>, Died> {
        if let Some((through, undelivered)) = self.note.take() {
            self.decide(now, Event::Released { through, undelivered }, Origin::House)?;
        }
        let starts = matches!(batch.first(), Some((Event::Started, _)));
        for (event, origin) in batch {
            if !starts {
                self.fire_deadlines(now)?;
            }
            self.decide(now, event, origin)?;
        }
        self.fire_deadlines(now)?;
        self.journal.sync().map_err(|error| died(&error))?;
        let held = std::mem::take(&mut self.held);
        self.tell_dispatch(&held);
        if let Err(error) = self.journal.switch_file_if_due(now) {
            self.held = held;
            return Err(died(&error));
        }
        Ok(held.into_iter().map(|held| held.record).collect())
    }

    fn fire_deadlines(&mut self, now: Timestamp) -> Result<(), Died> {
        while let Some(deadline) = self.engine.next_deadline().filter(|deadline| deadline.at <= now) {
            self.decide(now, Event::Due(deadline), Origin::House)?;
        }
        Ok(())
    }

    fn decide(&mut self, now: Timestamp, event: Event, origin: Origin) -> Result<(), Died> {
        let (event, decision) = match &origin {
            Origin::Message(sent) if sent.poison && sent.aborted() => return Err(Died),
            Origin::Message(sent) if sent.poison => {
                let event = set_aside(event);
                let decision = self.engine.skip(now, &event);
                (event, decision)
            }
            Origin::Message(_) | Origin::Operator(_) | Origin::House => {
                let event = self.engine.admit(now, event).into_event();
                let decision = self.engine.step(now, &event);
                (event, decision)
            }
        };
        assert_eq!(self.engine.broken_invariants(), Vec::<String>::new(), "after {event:?}");
        self.held.push(Held { record: Record { at: now, event, decision, origin } });
        let record = &self.held[self.held.len() - 1].record;
        self.journal.append(now, &record.event, &record.decision).map_err(|error| died(&error))
    }

    fn tell_dispatch(&mut self, held: &[Held]) {
        let mut ended = Vec::new();
        let mut released = Vec::new();
        for Held { record } in held {
            for fact in &record.decision.facts {
                if let Fact::DeliveryEnded { delivery, .. } = fact {
                    ended.push(*delivery);
                }
            }
            released.extend(record.decision.effects.iter().map(|Effect::Deliver(delivery)| delivery.clone()));
        }
        released.retain(|delivery| !ended.contains(&delivery.id));
        for input in [dispatch::Inbox::Ended(ended), dispatch::Inbox::Released(released)] {
            assert!(self.desk.handle(input).is_none());
        }
        let wanted = std::mem::take(&mut self.shared.lock().unwrap().resync_wanted);
        if wanted {
            let pending = self.engine.pending_deliveries().cloned().collect();
            assert!(self.desk.handle(dispatch::Inbox::Resync(pending)).is_none());
        }
    }

    /// Tells dispatch what has happened outside; a receipt is an event.
    pub fn dispatch(&mut self, input: dispatch::Inbox) -> Option<Event> {
        self.desk.handle(input).map(Event::Receipt)
    }

    /// An acknowledgement has left, or found its connection gone.
    pub fn acknowledged(&mut self, record: &Record, left: bool) {
        let ingress = match &record.event {
            Event::Observed(observed) if observed.identity == Identity::Redelivery => &observed.ingress,
            Event::Quarantined(quarantined) => &quarantined.ingress,
            Event::Replied(reply) => &reply.ingress,
            _ => return,
        };
        if ingress.packet.is_none() {
            return;
        }
        let (through, undelivered) = self.note.get_or_insert_default();
        *through = (*through).max(record.decision.seq);
        if !left {
            undelivered.push(record.decision.seq);
        }
    }

    pub fn owes_note(&self) -> bool {
        self.note.is_some()
    }

    pub fn snapshot(&mut self) -> Result<(), Died> {
        let image = self.engine.image();
        let sections = write_image(&image).unwrap();
        self.journal.save_snapshot(image.seq, IMAGE_VERSION, sections).map_err(|error| died(&error))
    }

    pub fn maintain(&mut self, now: Timestamp) -> Result<(), Died> {
        self.maintenance.checkpoint().map_err(|error| died(&error))?;
        self.maintenance.prune(now).map_err(|error| died(&error)).map(|_| ())
    }

    /// The process ends here and now; what it had decided and not yet told anyone is handed over for comparison.
    pub fn kill(self) -> Vec<Record> {
        self.held.into_iter().map(|held| held.record).collect()
    }
}

/// As the sequencer does it with an event that has aborted the engine twice.
fn set_aside(event: Event) -> Event {
    let Event::Observed(observed) = event else { return event };
    Event::Quarantined(Quarantined {
        reason: QuarantineReason::Poison,
        detail: "it aborted the engine twice".into(),
        topic: "".into(),
        device: Some(observed.device),
        ingress: observed.ingress,
        received_at: observed.received_at,
        head: bytes::Bytes::new(),
        length: 0,
    })
}
