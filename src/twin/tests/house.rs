//! The gateway without its edges: real decoding, real rules, real engine, and a direct call where MQTT would be.
//!
//! The second implementation of `Transport`. It keeps a log of everything that came in and was decided, in order:
//! equal logs are equal runs.

use crate::config;
use crate::decode::{self, Directory, load_sensor_types};
use crate::dispatch::wire::TaskPost;
use crate::domain::configuration::{Configuration, DispatchPolicy};
use crate::domain::decision::{Delivery, Effect, Fact};
use crate::domain::event::{DeliveryOutcome, Event, Receipt, RegistryChange};
use crate::domain::ids::{ClientId, ConfigurationVersion, CrewId, DeliveryId, JournalId};
use crate::domain::reason::Verdict;
use crate::domain::time::Timestamp;
use crate::domain::uplink::{Ingress, Uplink};
use crate::engine::{Engine, Limits};
use crate::registry::Registry;
use crate::twin::fault::TwinError;
use crate::twin::formats::Message;
use crate::twin::gateway::{BoxFuture, Counts, GatewayPorts, Open};
use crate::twin::municipality::Logins;
use crate::twin::transport::{Heard, Transport};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const JOURNAL: JournalId = JournalId([7; 16]);

pub(super) struct House {
    now: Timestamp,
    engine: Engine,
    directory: Directory,
    connected: BTreeSet<CrewId>,
    pending: BTreeMap<DeliveryId, Delivery>,
    packets: u16,
    pub log: Vec<String>,
    pub counts: Counts,
    /// How many decisions had each verdict, by its name.
    pub verdicts: BTreeMap<String, u64>,
}

impl House {
    /// The shipped rules and sensor types, the demo's calendar, and this registry.
    pub fn new(now: Timestamp, changes: Vec<RegistryChange>) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
        let loaded = config::load(&folder, []).unwrap();
        let types = load_sensor_types(&loaded.sensor_type_files).unwrap();
        let mut registry = Registry::default();
        for change in &changes {
            registry.apply(change);
        }
        let directory =
            Directory::new(decode::Limits::default(), &types, registry.devices.values(), registry.crews.keys());
        let demo = config::load(&folder.join("demo"), []).unwrap();
        let calendars = config::read_calendars(&demo.calendar_files).unwrap();
        let sensor_types = types.iter().map(|(id, spec)| (id.clone(), spec.sensor_type.clone())).collect();
        let mut house = Self {
            now,
            engine: Engine::new(Limits::default()),
            directory,
            connected: BTreeSet::new(),
            pending: BTreeMap::new(),
            packets: 0,
            log: Vec::new(),
            counts: Counts::default(),
            verdicts: BTreeMap::new(),
        };
        house.decide(Event::Configured(Box::new(Configuration {
            version: ConfigurationVersion::default(),
            sensor_types,
            rule_files: loaded.rule_files,
            dispatch: DispatchPolicy::default(),
            calendars: calendars.around(now),
            mandate: crate::domain::configuration::Mandate::default(),
        })));
        house.decide(Event::Registered(changes));
        house.decide(Event::Started);
        assert_eq!(house.verdicts, [("Accepted".to_owned(), 3)].into(), "the gateway refused its registry");
        house
    }

    fn take(&mut self, line: &ClientId, message: &Message) {
        self.packets = self.packets % 1_000 + 1;
        for (connection, duplicate_flag) in
            [(1, false), (2, true)].into_iter().take(1 + usize::from(message.again_with_dup))
        {
            let uplink = Uplink {
                topic: message.topic.as_str().into(),
                payload: message.payload.clone(),
                ingress: Ingress {
                    client: line.clone(),
                    connection,
                    packet: Some(self.packets),
                    duplicate_flag,
                    content: decode::content_hash(&message.topic, &message.payload),
                },
                received_at: self.now,
            };
            self.counts.events += 1;
            let event = decode::read(&self.directory, &uplink);
            let head = &message.payload[..message.payload.len().min(400)];
            self.log.push(format!(
                "{} {line} {} {}",
                self.now.as_micros(),
                message.topic,
                String::from_utf8_lossy(head)
            ));
            self.decide(event);
        }
    }

    fn decide(&mut self, event: Event) {
        let event = self.engine.admit(self.now, event).into_event();
        let decision = self.engine.step(self.now, &event);
        let duplicate = matches!(decision.verdict, Verdict::Duplicate { .. });
        let verdict = if duplicate { "Duplicate".to_owned() } else { format!("{:?}", decision.verdict) };
        self.log.push(format!("  {verdict} {:?}", decision.facts));
        *self.verdicts.entry(verdict).or_default() += 1;
        for fact in &decision.facts {
            self.counts.alarms += u64::from(matches!(fact, Fact::AlarmRaised { .. }));
            self.counts.tasks += u64::from(matches!(fact, Fact::TaskRequested { .. }));
            self.counts.completed += u64::from(matches!(fact, Fact::TaskCompleted { .. }));
            if let Fact::DeliveryEnded { delivery, .. } = fact {
                self.pending.remove(delivery);
            }
        }
        match decision.verdict {
            Verdict::Quarantined(_) => self.counts.quarantined += 1,
            Verdict::Duplicate { .. } => self.counts.duplicates += 1,
            Verdict::Accepted | Verdict::Redacted | Verdict::Refused(_) => {}
        }
        for Effect::Deliver(delivery) in decision.effects {
            self.pending.insert(delivery.id, delivery);
        }
    }

    fn advance(&mut self, to: Timestamp) {
        while let Some(deadline) = self.engine.next_deadline().filter(|deadline| deadline.at <= to) {
            self.now = self.now.max(deadline.at);
            self.decide(Event::Due(deadline));
        }
        self.now = to;
    }

    /// Everything pending goes to the phones that are connected.
    fn deliver(&mut self) -> Vec<Heard> {
        let due: Vec<_> =
            self.pending.values().filter(|delivery| self.connected.contains(&delivery.crew)).cloned().collect();
        due.into_iter()
            .map(|delivery| {
                let payload = serde_json::to_vec(&TaskPost::new(JOURNAL, &delivery)).unwrap();
                let receipt = Receipt { delivery: delivery.id, outcome: DeliveryOutcome::Delivered, at: self.now };
                self.decide(Event::Receipt(receipt));
                self.pending.remove(&delivery.id);
                Heard { crew: delivery.crew, payload: payload.into() }
            })
            .collect()
    }
}

pub(super) type Shared = Arc<Mutex<House>>;

pub(super) struct Direct(pub Shared);

impl Transport for Direct {
    async fn send(&mut self, line: &ClientId, batch: Vec<Message>) -> Result<(), TwinError> {
        let mut house = locked(&self.0);
        for message in &batch {
            house.take(line, message);
        }
        Ok(())
    }

    async fn connect_crew(&mut self, crew: &CrewId) -> Result<(), TwinError> {
        assert!(locked(&self.0).connected.insert(crew.clone()), "{crew} was connected already");
        Ok(())
    }

    fn lose_crew(&mut self, crew: &CrewId) {
        let mut house = locked(&self.0);
        assert!(house.connected.remove(crew), "{crew} was not connected");
        house.log.push(format!("lost {crew}"));
    }

    fn heard(&mut self) -> Result<Vec<Heard>, TwinError> {
        Ok(locked(&self.0).deliver())
    }
}

pub(super) fn locked(house: &Shared) -> std::sync::MutexGuard<'_, House> {
    house.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ready() -> BoxFuture<'static, ()> {
    Box::pin(async {})
}

pub(super) fn ports(house: &Shared) -> GatewayPorts {
    let (moved, counted) = (Arc::clone(house), Arc::clone(house));
    GatewayPorts {
        address: ([127, 0, 0, 1], 1).into(),
        logins: Logins::default(),
        payload_bytes_max: decode::Limits::default().payload_bytes_max,
        advance: Arc::new(move |to| {
            locked(&moved).advance(to);
            ready()
        }),
        settled: Arc::new(ready),
        report: Arc::new(move || locked(&counted).counts.clone()),
        open: Arc::new(Open::default),
        wall: Arc::new(|| Duration::ZERO),
        page: None,
        stop: CancellationToken::new(),
    }
}
