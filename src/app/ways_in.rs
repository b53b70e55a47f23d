//! The ways in and out for messages, tied to the inbox, the vault and dispatch.
//!
//! Both ways in end in the same function: decode with the present registry, hand in, and give back the right to
//! acknowledge. Topic permissions follow from a login's role and stand here, in one place.

use super::clock::Clock;
use super::desk::Desk;
use super::directory::SharedDirectory;
use super::handle::Handle;
use super::inbox::Then;
use super::presence::Presence;
use crate::config::Settings;
use crate::decode::{self, content_hash};
use crate::dispatch::{self, Channel, NotNow, Post};
use crate::domain::event::Event;
use crate::domain::ids::{ClientId, CrewId};
use crate::domain::reason::QuarantineReason;
use crate::domain::uplink::Uplink;
use crate::endpoint::{self, ClientStatus, Denied, Grant, Login, RefusedMessage, RefusedReason, TopicFilter};
use crate::telemetry::gateway::Decoding;
use crate::telemetry::trace::Trace;
use crate::vault::{ClientRole, Vault};
use crate::{intake, telemetry};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, RwLock};
use tokio::sync::mpsc;

/// What both ways in share.
#[derive(Clone)]
pub(super) struct WaysIn {
    pub handle: Handle,
    pub directory: SharedDirectory,
    pub vault: Vault,
    pub desk: Desk,
    pub clock: Clock,
    /// Connection numbers for brokers, never the same twice: they go on from the time of the start.
    pub numbers: Arc<AtomicU64>,
    pub links: Links,
    pub present: Presence,
    /// A network server speaks for many devices.
    pub gateway_messages_per_s_max: u32,
    pub decoding: Decoding,
}

/// Which brokers are connected, for health.
#[derive(Clone, Default)]
pub(super) struct Links(Arc<RwLock<BTreeMap<SmolStr, Result<(), String>>>>);

/// The ways out, filled once they have started: dispatch is wired before them.
#[derive(Clone, Default)]
pub(super) struct WaysOut {
    endpoint: Arc<OnceLock<endpoint::Handle>>,
    brokers: Arc<OnceLock<BTreeMap<SmolStr, intake::Handle>>>,
}

impl WaysIn {
    pub fn new(
        handle: &Handle,
        directory: &SharedDirectory,
        vault: &Vault,
        dispatch: &mpsc::Sender<dispatch::Inbox>,
        clock: &Clock,
        settings: &Settings,
    ) -> Self {
        Self {
            handle: handle.clone(),
            directory: directory.clone(),
            vault: vault.clone(),
            desk: Desk::new(dispatch.clone(), handle.clone(), settings.limits.deliveries_pending_max as usize),
            clock: clock.clone(),
            numbers: Arc::new(AtomicU64::new(clock.now().as_micros().unsigned_abs())),
            links: Links::default(),
            present: Presence::default(),
            gateway_messages_per_s_max: settings.limits.gateway_messages_per_s_max,
            decoding: Decoding::new(),
        }
    }

    pub fn endpoint_ports(&self) -> endpoint::Ports {
        let (accept, refused, login) = (Arc::new(self.clone()), self.clone(), self.clone());
        let (subscribed, delivered, clock) = (self.clone(), self.clone(), self.clock.clone());
        let present = self.present.clone();
        endpoint::Ports {
            login: Arc::new(move |attempt| login.grant(attempt)),
            accept: Arc::new(move |uplink, acknowledge| {
                let ways = Arc::clone(&accept);
                Box::pin(async move { ways.take(&uplink, Then::Endpoint(acknowledge)).await })
            }),
            refused: Arc::new(move |message, acknowledge| {
                let ways = refused.clone();
                Box::pin(async move {
                    let trace = Trace::arrived("endpoint");
                    ways.handle.receive(ways.set_aside(message), Then::Endpoint(acknowledge), trace).await;
                })
            }),
            subscribed: Arc::new(move |client, filter| subscribed.on_subscribed(client, filter)),
            delivered: Arc::new(move |client, key| delivered.on_delivered(client, key.0)),
            status: Arc::new(move |status| on_status(&present, &status)),
            now: Arc::new(move || clock.now()),
            content_hash,
        }
    }

    pub fn intake_ports(&self, broker: &SmolStr) -> intake::Ports {
        let (accept, numbers, clock) = (Arc::new(self.clone()), Arc::clone(&self.numbers), self.clock.clone());
        let refused = self.clone();
        let (link, handed_over) = (self.clone(), self.clone());
        let (link_name, handed_name) = (broker.clone(), broker.clone());
        intake::Ports {
            accept: Arc::new(move |uplink, acknowledge| {
                let ways = Arc::clone(&accept);
                Box::pin(async move { ways.take(&uplink, Then::Intake(acknowledge)).await })
            }),
            refused: Arc::new(move |message, acknowledge| {
                let ways = refused.clone();
                Box::pin(async move {
                    let trace = Trace::arrived("broker");
                    ways.handle.receive(ways.oversize(&message), Then::Intake(acknowledge), trace).await;
                })
            }),
            link: Arc::new(move |change| link.on_link(&link_name, &change)),
            handed_over: Arc::new(move |key| {
                handed_over.desk.tell(dispatch::Inbox::HandedOver { broker: handed_name.clone(), key });
            }),
            content_hash,
            connection_number: Arc::new(move || numbers.fetch_add(1, Ordering::Relaxed)),
            random: Arc::new(|| getrandom::u64().unwrap_or(0)),
            now: Arc::new(move || clock.now()),
        }
    }

    pub fn dispatch_ports(&self, out: &WaysOut) -> dispatch::Ports {
        let (send, receipt, clock) = (self.clone(), self.handle.clone(), self.clock.clone());
        let (resync, withdraw, out) = (self.clone(), self.clone(), out.clone());
        let from = out.clone();
        dispatch::Ports {
            send: Arc::new(move |channel, crew, post| send.send(&out, channel, crew, post)),
            withdraw: Arc::new(move |channel, crew, key| withdraw.withdraw(&from, channel, crew, key)),
            receipt: Arc::new(move |receipt_event| {
                let handle = receipt.clone();
                Box::pin(async move { handle.note(Event::Receipt(receipt_event)).await })
            }),
            resync_wanted: Arc::new(move || resync.desk.resync()),
            now: Arc::new(move || clock.now()),
        }
    }

    /// A refused message as the row a person can open.
    fn set_aside(&self, message: RefusedMessage) -> Event {
        let (reason, detail) = match message.reason {
            RefusedReason::Oversize => {
                (QuarantineReason::Oversize, "the packet is larger than limits.payload_bytes_max")
            }
            RefusedReason::TopicNotPermitted => {
                (QuarantineReason::NotPermitted, "the login's role does not allow this topic")
            }
            RefusedReason::QualityOfService => (
                QuarantineReason::NotPermitted,
                "it was sent with QoS 2, which a client of MQTT 5 is told not to use; set the client to QoS 1",
            ),
        };
        let RefusedMessage { topic, ingress, received_at, length, head, .. } = message;
        let beginning = Uplink { topic, payload: head, ingress, received_at };
        Event::Quarantined(decode::set_aside(&self.directory.current(), &beginning, length, reason, detail))
    }

    /// The same of a message from a broker that is too long to be read.
    fn oversize(&self, message: &intake::Oversize) -> Event {
        let detail = "the packet is larger than limits.payload_bytes_max";
        let directory = self.directory.current();
        let reason = QuarantineReason::Oversize;
        Event::Quarantined(decode::set_aside(&directory, &message.uplink, message.length, reason, detail))
    }

    async fn take(&self, uplink: &Uplink, then: Then) {
        let trace = Trace::arrived(if matches!(then, Then::Intake(_)) { "broker" } else { "endpoint" });
        let (stopwatch, arrived) = (telemetry::stopwatch(), telemetry::trace::moment());
        let event = decode::read(&self.directory.current(), uplink);
        self.decoding.took(stopwatch.elapsed());
        trace.decoded(arrived);
        self.handle.receive(event, then, trace).await;
    }

    /// A login by certificate needs no password; any other needs the secret that the vault holds for its name. Who
    /// shows the certificate of one login and the name of another is neither. A certificate that is no login's is
    /// only what lets a client speak to us: its password says who it is.
    fn grant(&self, login: &Login) -> Result<Grant, Denied> {
        if let Some(known) = login.certificate_cn.as_deref().and_then(|name| self.vault.client_by_certificate(name)) {
            if login.username.as_ref().is_some_and(|name| name != known.0.as_str()) {
                telemetry::endpoint::other_login(known.0.as_str());
                return Err(Denied::NotPermitted);
            }
            return self.permissions(known.0, &known.1);
        }
        let (Some(name), Some(password)) = (&login.username, &login.password) else {
            return Err(Denied::WrongCredentials);
        };
        let role = self.vault.check_client(name, password).ok_or(Denied::WrongCredentials)?;
        self.permissions(ClientId::new(name), &role)
    }

    /// What a login may publish and subscribe to, by its role: only what somebody takes and what somebody sends. A
    /// subscription that is granted and never served would be a promise.
    fn permissions(&self, client: ClientId, role: &ClientRole) -> Result<Grant, Denied> {
        let (publish, subscribe): (Vec<String>, Vec<String>) = match role {
            ClientRole::Device(device) => (vec![format!("rettidig/v1/up/{device}")], Vec::new()),
            ClientRole::Gateway => (
                ["rettidig/v1/up/+", "application/+/device/+/event/+", "v3/+/devices/+/up"].map(str::to_owned).into(),
                Vec::new(),
            ),
            ClientRole::Crew(crew) => {
                (vec![format!("rettidig/v1/crew/{crew}/replies")], vec![format!("rettidig/v1/crew/{crew}/tasks")])
            }
            ClientRole::Service => (Vec::new(), Vec::new()),
        };
        let messages_per_s_max = (*role == ClientRole::Gateway).then_some(self.gateway_messages_per_s_max);
        Ok(Grant { client, publish: filters(&publish)?, subscribe: filters(&subscribe)?, messages_per_s_max })
    }

    fn on_subscribed(&self, client: &ClientId, _filter: &str) {
        if let Some(crew) = self.crew_of(client) {
            self.present.arrived(client, &crew);
            self.desk.tell(dispatch::Inbox::Subscribed(crew));
        }
    }

    fn crew_of(&self, client: &ClientId) -> Option<CrewId> {
        match self.vault.client_role(client)? {
            ClientRole::Crew(crew) => Some(crew),
            ClientRole::Device(_) | ClientRole::Gateway | ClientRole::Service => None,
        }
    }

    fn on_delivered(&self, client: &ClientId, key: u64) {
        if let Some(crew) = self.present.crew(client) {
            self.desk.tell(dispatch::Inbox::Delivered { crew, key });
        }
    }

    fn on_link(&self, broker: &SmolStr, change: &intake::Link) {
        match change {
            intake::Link::Up { .. } => {
                self.links.set(broker, Ok(()));
                self.desk.tell(dispatch::Inbox::BrokerConnected(broker.clone()));
            }
            intake::Link::Down { reason } => {
                self.links.set(broker, Err(reason.clone()));
            }
            intake::Link::Stopped => self.links.set(broker, Err("stopped".to_owned())),
        }
    }

    /// From sessions of phones that are away: they must not be told of it when they come back. What a broker keeps
    /// cannot be taken back.
    fn withdraw(&self, out: &WaysOut, channel: &Channel, crew: &CrewId, key: u64) {
        let (Channel::Endpoint, Some(endpoint)) = (channel, out.endpoint.get()) else { return };
        for login in self.vault.clients() {
            if login.role == ClientRole::Crew(crew.clone()) && !endpoint.withdraw(&login.id, endpoint::DeliveryKey(key))
            {
                tracing::debug!(client = %login.id, "nothing to take back");
            }
        }
    }

    fn send(&self, out: &WaysOut, channel: &Channel, crew: &CrewId, post: &Post) -> Result<(), NotNow> {
        match channel {
            Channel::Endpoint => {
                let endpoint = out.endpoint.get().ok_or(NotNow::NotConnected)?;
                let mut answer = Err(NotNow::NotConnected);
                for client in self.present.clients(crew) {
                    let key = endpoint::DeliveryKey(post.key);
                    match endpoint.publish(&client, &post.topic, post.payload.clone(), key) {
                        Ok(_) => answer = Ok(()),
                        Err(endpoint::PublishError::Full { .. }) if answer.is_err() => answer = Err(NotNow::Busy),
                        Err(error) => tracing::debug!(%client, %error, "not sent"),
                    }
                }
                answer
            }
            Channel::Broker(name) => {
                let broker = out.brokers.get().and_then(|brokers| brokers.get(name)).ok_or(NotNow::NotConnected)?;
                broker.publish(&post.topic, post.payload.clone(), post.key).map_err(|error| match error {
                    intake::PublishError::QueueFull => NotNow::Busy,
                    other @ (intake::PublishError::NotConnected
                    | intake::PublishError::InvalidTopic(_)
                    | intake::PublishError::TooLarge { .. }) => {
                        tracing::debug!(broker = %name, error = %other, "not sent");
                        NotNow::NotConnected
                    }
                })
            }
        }
    }
}

impl Links {
    fn set(&self, broker: &SmolStr, state: Result<(), String>) {
        self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner).insert(broker.clone(), state);
    }

    pub fn all(&self) -> BTreeMap<SmolStr, Result<(), String>> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl WaysOut {
    pub fn open_endpoint(&self, handle: endpoint::Handle) {
        // Set once, by the start.
        drop(self.endpoint.set(handle));
    }

    pub fn open_brokers(&self, brokers: BTreeMap<SmolStr, intake::Handle>) {
        drop(self.brokers.set(brokers));
    }

    pub fn endpoint(&self) -> Option<&endpoint::Handle> {
        self.endpoint.get()
    }

    pub fn brokers(&self) -> impl Iterator<Item = &intake::Handle> {
        self.brokers.get().into_iter().flat_map(BTreeMap::values)
    }
}

fn filters(texts: &[String]) -> Result<Vec<TopicFilter>, Denied> {
    texts.iter().map(|text| TopicFilter::parse(text).map_err(|_| Denied::NotPermitted)).collect()
}

fn on_status(present: &Presence, status: &ClientStatus) {
    match status {
        ClientStatus::Connected { client, resumed } => tracing::debug!(%client, resumed, "client connected"),
        ClientStatus::Gone { client, why, .. } => {
            present.left(client);
            tracing::debug!(%client, ?why, "client gone");
        }
    }
}
