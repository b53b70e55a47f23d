//! Effects out: the deliveries that the engine decided and the journal holds, on their way to the crews.
//!
//! It sends what is pending when the crew's client subscribes or a broker connects, in order, never past its expiry,
//! and reports what became of it as receipts. It decides nothing: who is asked next is the engine's business. A
//! delivery may go out twice; its key makes the repeat harmless.
//!
//! Start with `Dispatch::handle`; `pending` is the bookkeeping, `mqtt` the channel, `wire` the message.

pub mod mqtt;
mod pending;
pub mod wire;

#[cfg(test)]
mod tests;

pub use mqtt::{Post, Unsendable};
pub use pending::{Added, Pending, Removed};

use crate::domain::decision::Delivery;
use crate::domain::event::{DeliveryOutcome, Receipt};
use crate::domain::ids::{CrewId, DeliveryId, JournalId};
use crate::domain::time::Timestamp;
use crate::telemetry::dispatch as meter;
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// A way to a crew.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// Our own endpoint, to which the crew's client connects.
    Endpoint,
    /// The external broker of this name.
    Broker(SmolStr),
}

#[derive(Clone, Debug)]
pub struct Options {
    pub journal: JournalId,
    /// Ways to crews that `routes` does not name.
    pub default_route: Vec<Channel>,
    /// Ways to single crews. A delivery goes out on each that is open.
    pub routes: BTreeMap<CrewId, Vec<Channel>>,
    /// Deliveries kept; beyond, the newest of the lowest priority stay with the engine and are asked for when there is
    /// room.
    pub pending_max: usize,
    /// How often expired deliveries are dropped, and a channel that was busy is tried again though nobody answered.
    pub tick_every: Duration,
}

/// What happens to deliveries, in the order in which it is told.
#[derive(Clone, Debug)]
pub enum Inbox {
    /// Durable, and to be sent.
    Released(Vec<Delivery>),
    /// The engine wants these no more.
    Ended(Vec<DeliveryId>),
    /// Everything the engine has pending: after a start, after this inbox was full, and when asked for.
    Resync(Vec<Delivery>),
    /// The crew's client listens on our endpoint, by a subscription or by a session that came back.
    Subscribed(CrewId),
    BrokerConnected(SmolStr),
    /// The crew's own client has acknowledged the message with this key.
    Delivered {
        crew: CrewId,
        key: u64,
    },
    /// The broker has acknowledged the message with this key.
    HandedOver {
        broker: SmolStr,
        key: u64,
    },
    Tick,
}

/// Why a channel did not take a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotNow {
    /// `Inbox::Subscribed` or `Inbox::BrokerConnected` will come.
    NotConnected,
    /// Too much is under way; tried again when something of it is answered.
    Busy,
}

/// Gives a message to a channel. It must not block.
pub type SendPort = dyn Fn(&Channel, &CrewId, &Post) -> Result<(), NotNow> + Send + Sync;

/// Takes the key of a message that a channel was given for a crew. It must not block.
pub type WithdrawPort = dyn Fn(&Channel, &CrewId, u64) + Send + Sync;

/// Completes when the receipt has a place in the sequencer's inbox.
pub type Receiving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What this room needs from the house; `app` fills it in.
#[derive(Clone)]
pub struct Ports {
    pub send: Arc<SendPort>,
    /// The message with this key is wanted no more. A channel that would repeat it on its own forgets it; for one that
    /// has passed it on there is nothing to do.
    pub withdraw: Arc<WithdrawPort>,
    pub receipt: Arc<dyn Fn(Receipt) -> Receiving + Send + Sync>,
    /// Some deliveries found no room and there is room again: answer with `Inbox::Resync`.
    pub resync_wanted: Arc<dyn Fn() + Send + Sync>,
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Options {
    /// Every crew by our own endpoint, with the limits that suit a municipality.
    #[must_use]
    pub fn new(journal: JournalId) -> Self {
        Self {
            journal,
            default_route: vec![Channel::Endpoint],
            routes: BTreeMap::new(),
            pending_max: 100_000,
            tick_every: Duration::from_secs(1),
        }
    }

    fn route(&self, crew: &CrewId) -> &[Channel] {
        self.routes.get(crew).unwrap_or(&self.default_route)
    }
}

/// The desk: one input at a time, nothing waits here.
pub struct Dispatch {
    options: Options,
    ports: Ports,
    pending: Pending,
    /// Crews whose turn on a busy channel comes again, first come first served.
    waiting: BTreeMap<Channel, VecDeque<CrewId>>,
    /// Something found no room, so the engine has more than we do.
    incomplete: bool,
}

impl Dispatch {
    #[must_use]
    pub fn new(options: Options, ports: Ports) -> Self {
        let pending = Pending::new(options.pending_max);
        Self { options, ports, pending, waiting: BTreeMap::new(), incomplete: false }
    }

    /// Works until `stop` is cancelled or nobody can send any more; what is in `inbox` then is still done.
    pub async fn run(mut self, mut inbox: mpsc::Receiver<Inbox>, stop: CancellationToken) {
        let mut tick = interval(self.options.tick_every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let input = tokio::select! { biased;
                input = inbox.recv() => input,
                () = stop.cancelled() => None,
                _ = tick.tick() => Some(Inbox::Tick),
            };
            let Some(input) = input else { return };
            if let Some(receipt) = self.handle(input) {
                (self.ports.receipt)(receipt).await;
            }
        }
    }

    /// Does what one input asks for, and says what is to be reported to the engine.
    pub fn handle(&mut self, input: Inbox) -> Option<Receipt> {
        let now = (self.ports.now)();
        let receipt = match input {
            Inbox::Released(deliveries) => {
                self.keep_and_send(deliveries, now);
                None
            }
            Inbox::Resync(deliveries) => {
                self.incomplete = false;
                let removed = self.pending.keep_only(&deliveries.iter().map(|delivery| delivery.id).collect());
                self.withdraw(&removed);
                self.keep_and_send(deliveries, now);
                None
            }
            Inbox::Ended(ids) => {
                let ended: Vec<_> = ids.into_iter().filter_map(|id| self.pending.end(id)).collect();
                self.withdraw(&ended);
                None
            }
            Inbox::Subscribed(crew) => {
                self.connected(&crew, &Channel::Endpoint, now);
                None
            }
            Inbox::BrokerConnected(broker) => {
                let channel = Channel::Broker(broker);
                for crew in self.pending.crews().cloned().collect::<Vec<_>>() {
                    self.connected(&crew, &channel, now);
                }
                None
            }
            Inbox::Delivered { crew, key } => self.delivered(&crew, mqtt::delivery_of(key), now),
            Inbox::HandedOver { broker, key } => self.handed_over(broker, mqtt::delivery_of(key), now),
            Inbox::Tick => {
                let late = self.pending.drop_expired(now);
                meter::expired(late.len());
                self.withdraw(&late);
                for channel in self.waiting.keys().cloned().collect::<Vec<_>>() {
                    self.resume(&channel, now);
                }
                None
            }
        };
        self.ask_for_the_rest();
        meter::pending(self.pending.len());
        receipt
    }

    #[must_use]
    pub fn pending(&self) -> &Pending {
        &self.pending
    }

    fn keep_and_send(&mut self, deliveries: Vec<Delivery>, now: Timestamp) {
        let mut crews = BTreeSet::new();
        for delivery in deliveries {
            let crew = delivery.crew.clone();
            match self.pending.add(delivery, now) {
                Added::Kept => {
                    crews.insert(crew);
                }
                Added::KeptInstead(given_up) => {
                    crews.insert(crew);
                    self.incomplete = true;
                    meter::no_room();
                    self.withdraw(&[*given_up]);
                }
                Added::Known => {}
                Added::Expired => meter::expired(1),
                Added::NoRoom => {
                    self.incomplete = true;
                    meter::no_room();
                }
            }
        }
        for crew in crews {
            for channel in self.options.route(&crew).to_vec() {
                self.send_waiting(&crew, &channel, now);
            }
        }
    }

    /// The crew can be reached on this channel again: what it has not answered goes out once more.
    fn connected(&mut self, crew: &CrewId, channel: &Channel, now: Timestamp) {
        if self.options.route(crew).contains(channel) {
            self.pending.reopen(crew, channel);
            self.send_waiting(crew, channel, now);
        }
    }

    fn delivered(&mut self, crew: &CrewId, id: DeliveryId, now: Timestamp) -> Option<Receipt> {
        let first = self.pending.delivered(id, crew);
        self.send_waiting(crew, &Channel::Endpoint, now);
        first.then(|| receipt(id, DeliveryOutcome::Delivered, now))
    }

    fn handed_over(&mut self, broker: SmolStr, id: DeliveryId, now: Timestamp) -> Option<Receipt> {
        let channel = Channel::Broker(broker);
        let first = self.pending.handed_over(id, &channel);
        self.resume(&channel, now);
        first.then(|| receipt(id, DeliveryOutcome::HandedOver, now))
    }

    /// Tries the crews that found the channel busy. On our endpoint each has a connection of its own; a broker's
    /// connection is shared, so there the first that finds it busy again speaks for the rest.
    fn resume(&mut self, channel: &Channel, now: Timestamp) {
        let mut turn = self.waiting.remove(channel).unwrap_or_default();
        while let Some(crew) = turn.pop_front() {
            let busy = self.send_waiting(&crew, channel, now);
            if busy && *channel != Channel::Endpoint {
                self.waiting.entry(channel.clone()).or_default().append(&mut turn);
            }
        }
    }

    /// Sends what the crew waits for on this channel, in order, until the channel takes no more. True when it stopped
    /// because the channel was busy.
    fn send_waiting(&mut self, crew: &CrewId, channel: &Channel, now: Timestamp) -> bool {
        let mut after = None;
        while let Some(delivery) = self.pending.next(crew, channel, after, now) {
            let id = delivery.id;
            after = Some(id);
            let post = match Post::new(self.options.journal, delivery) {
                Ok(post) => post,
                Err(error) => {
                    meter::unsendable(id, &error.to_string());
                    self.pending.end(id);
                    continue;
                }
            };
            match (self.ports.send)(channel, crew, &post) {
                Ok(()) => {
                    self.pending.sent(id, channel);
                    meter::sent(channel.label());
                }
                Err(NotNow::NotConnected) => return false,
                Err(NotNow::Busy) => {
                    let waiting = self.waiting.entry(channel.clone()).or_default();
                    if !waiting.contains(crew) {
                        waiting.push_back(crew.clone());
                    }
                    return true;
                }
            }
        }
        false
    }

    /// A client that comes back later shall not get what its channel still holds.
    fn withdraw(&self, removed: &[Removed]) {
        meter::ended(removed.len());
        for Removed { delivery, unanswered } in removed {
            if let Some(key) = mqtt::key(delivery.id) {
                for channel in unanswered {
                    (self.ports.withdraw)(channel, &delivery.crew, key);
                }
            }
        }
    }

    fn ask_for_the_rest(&mut self) {
        if self.incomplete && self.pending.has_room_again() {
            self.incomplete = false;
            (self.ports.resync_wanted)();
        }
    }
}

impl Channel {
    const fn label(&self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Broker(_) => "broker",
        }
    }
}

const fn receipt(delivery: DeliveryId, outcome: DeliveryOutcome, at: Timestamp) -> Receipt {
    Receipt { delivery, outcome, at }
}
