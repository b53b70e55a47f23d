//! The life of one connection: subscribe, hand messages on, acknowledge what is released, publish, ping, drain.
//!
//! Back-pressure is not reading the socket: while a message waits for its place, or too many are unacknowledged, only
//! writing goes on (acknowledgements, publishes and pings), so that the broker neither disconnects us nor sends more
//! than its own window. A whole group of acknowledgements leaves with one flush. How fast the house decides is thus
//! the only rate limit, and nothing is dropped for it.
//!
//! Start with `Connection::serve`.

use super::acknowledge::{Acknowledge, Ledger};
use super::client::{Client, Incoming, LinkError, Message, Outgoing, Promise};
use super::options::{Options, duration};
use super::publisher::{OpenConnection, Outbound, Window};
use super::seen::Seen;
use super::{Accepting, Link, Oversize, Ports};
use crate::domain::ids::ClientId;
use crate::domain::uplink::{Ingress, Uplink};
use crate::telemetry::intake as meter;
use smol_str::SmolStr;
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use tokio_util::sync::CancellationToken;

/// Publishes written with one flush.
const PUBLISHES_PER_FLUSH: usize = 256;
/// The packet id of the one SUBSCRIBE; above every id the publishing window uses.
const SUBSCRIBE_PACKET: u16 = u16::MAX;

/// What the connection shares with the task that keeps making connections.
pub(super) struct Shared<'a> {
    pub options: &'a Options,
    pub ports: &'a Ports,
    pub client: &'a mut Client,
    pub queue: &'a mut mpsc::Receiver<Outbound>,
    pub stop: &'a CancellationToken,
    pub seen: &'a mut Seen,
    /// Told when publishing becomes possible.
    pub open: &'a OpenConnection,
}

pub(super) struct Connection<'a> {
    shared: Shared<'a>,
    meter: meter::Meter,
    client_id: ClientId,
    /// Its number in the house.
    number: u64,
    /// Its number at the publishers' queue.
    generation: u64,
    session_present: bool,
    ledger: Arc<Ledger>,
    window: Window,
    /// The message that waits for its place in the sequencer's inbox.
    accepting: Option<Accepting>,
    /// Something has arrived since the last ping, or nothing could because we were not reading.
    heard: bool,
    draining: bool,
    released: Vec<u16>,
}

impl<'a> Connection<'a> {
    pub(super) fn new(shared: Shared<'a>, generation: u64, session_present: bool) -> Self {
        let number = (shared.ports.connection_number)();
        let client_id = ClientId::new(&shared.options.name);
        let window = Window::new(shared.options.limits.publish_window_max);
        Self {
            meter: meter::Meter::new(&shared.options.name),
            shared,
            client_id,
            number,
            generation,
            session_present,
            ledger: Arc::default(),
            window,
            accepting: None,
            heard: true,
            draining: false,
            released: Vec::new(),
        }
    }

    /// Serves until the connection is lost, or until it is asked to stop and everything released has been written.
    pub(super) async fn serve(&mut self) -> Result<(), LinkError> {
        let limits = self.shared.options.limits;
        let half_silence = duration(limits.keep_alive) / 2;
        let mut ping = interval_at(Instant::now() + half_silence, half_silence);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut drain_ends = pin!(sleep(duration(limits.drain_for)));
        let mut outbound = Vec::with_capacity(PUBLISHES_PER_FLUSH);
        self.subscribe().await?;
        while !self.drained() {
            let room = self.window.free().min(PUBLISHES_PER_FLUSH);
            let reading = self.reading();
            // In this order: what frees space first, what takes space last.
            tokio::select! { biased;
                () = self.shared.stop.cancelled(), if !self.draining => {
                    self.draining = true;
                    drain_ends.as_mut().reset(Instant::now() + duration(limits.drain_for));
                }
                () = &mut drain_ends, if self.draining => break,
                _ = ping.tick() => self.ping().await?,
                () = placed(&mut self.accepting) => self.accepting = None,
                () = self.ledger.changed() => self.write_out(&mut outbound).await?,
                _ = self.shared.queue.recv_many(&mut outbound, room), if room > 0 => self.write_out(&mut outbound).await?,
                packet = self.shared.client.receive(), if reading => self.receive(packet?)?,
            }
        }
        self.write_out(&mut outbound).await?;
        self.shared.client.send([Outgoing::Disconnect]).await
    }

    fn reading(&self) -> bool {
        self.accepting.is_none() && self.ledger.unacknowledged() < self.shared.options.limits.unacknowledged_max
    }

    /// Asked to stop, and nothing more can come of waiting.
    fn drained(&self) -> bool {
        self.draining && self.ledger.settled() && self.window.is_empty() && self.shared.queue.is_empty()
    }

    /// Always, also when the session is present: the filters may have changed since, and a broker may have lost them.
    async fn subscribe(&mut self) -> Result<(), LinkError> {
        let filters = self.shared.options.subscribe.clone();
        if filters.is_empty() {
            self.up(Vec::new());
            return Ok(());
        }
        self.shared.client.send([Outgoing::Subscribe { packet: SUBSCRIBE_PACKET, filters }]).await
    }

    fn receive(&mut self, packet: Incoming) -> Result<(), LinkError> {
        match packet {
            Incoming::Message(message) => self.accept(message),
            Incoming::TakenOver(packet) => {
                if let Some(key) = self.window.close(packet) {
                    self.meter.handed_over.increment(1);
                    (self.shared.ports.handed_over)(key);
                }
            }
            Incoming::Subscribed(grants) => self.subscribed(&grants)?,
            Incoming::Pong => {}
        }
        Ok(())
    }

    fn accept(&mut self, message: Message) {
        if self.draining {
            // Not acknowledged, so it waits at the broker for the next start.
            self.meter.left_at_broker.increment(1);
            return;
        }
        let content = (self.shared.ports.content_hash)(&message.topic, &message.payload);
        let known = self.shared.seen.note(content);
        let (packet, acknowledge) = match message.delivery {
            Promise::None => (None, Acknowledge::none()),
            Promise::UntilAcknowledged(packet) => (Some(packet), self.ledger.expect(packet)),
        };
        if message.retained && self.session_present && known {
            // Every subscription repeats it, and a repeat without an identity of its own would count as a second fact.
            self.meter.retained_again.increment(1);
            acknowledge.release();
            return;
        }
        if packet.is_some() { &self.meter.promised } else { &self.meter.unpromised }.increment(1);
        let ingress = Ingress {
            client: self.client_id.clone(),
            connection: self.number,
            packet,
            duplicate_flag: message.duplicate_flag,
            content,
        };
        let uplink = Uplink {
            topic: SmolStr::from(message.topic),
            payload: message.payload,
            ingress,
            received_at: (self.shared.ports.now)(),
        };
        self.accepting = Some(if message.length > uplink.payload.len() as u64 {
            self.meter.oversize.increment(1);
            meter::oversize(&self.shared.options.name, message.length);
            (self.shared.ports.refused)(Oversize { uplink, length: message.length }, acknowledge)
        } else {
            (self.shared.ports.accept)(uplink, acknowledge)
        });
    }

    fn subscribed(&self, grants: &[Option<u8>]) -> Result<(), LinkError> {
        let filters = &self.shared.options.subscribe;
        if grants.len() != filters.len() {
            let text = format!("answered {} filters with {} grants", filters.len(), grants.len());
            return Err(LinkError::Protocol(text));
        }
        let short = filters.iter().zip(grants).filter(|(_, granted)| **granted != Some(1));
        self.up(short.map(|(filter, _)| filter.clone()).collect());
        Ok(())
    }

    fn up(&self, refused: Vec<String>) {
        self.shared.open.set(Some(self.generation));
        meter::up(&self.shared.options.name, self.session_present, &refused);
        (self.shared.ports.link)(Link::Up { session_present: self.session_present, refused });
    }

    /// Writes what may be acknowledged and what is to be published, with one flush.
    async fn write_out(&mut self, outbound: &mut Vec<Outbound>) -> Result<(), LinkError> {
        if self.ledger.withheld() && !self.draining {
            return Err(LinkError::Withheld);
        }
        self.ledger.take_released(&mut self.released);
        self.meter.acknowledged.increment(self.released.len() as u64);
        let mut packets: Vec<_> = self.released.drain(..).map(Outgoing::Acknowledge).collect();
        for message in outbound.drain(..).filter(|message| message.meant_for(self.generation)) {
            // The queue is read only as far as the window is free, so a packet id is there for each.
            if let Some(packet) = self.window.open(message.key) {
                packets.push(Outgoing::Publish { packet, topic: message.topic, payload: message.payload });
            }
        }
        if packets.is_empty() { Ok(()) } else { self.shared.client.send(packets).await }
    }

    async fn ping(&mut self) -> Result<(), LinkError> {
        self.heard |= self.shared.client.take_heard();
        if !self.heard {
            return Err(LinkError::Timeout);
        }
        self.heard = !self.reading();
        self.shared.client.send([Outgoing::Ping]).await
    }
}

/// However the connection ends, also by its task being dropped: what is released from then on is void.
impl Drop for Connection<'_> {
    fn drop(&mut self) {
        self.ledger.close();
    }
}

async fn placed(accepting: &mut Option<Accepting>) {
    match accepting {
        Some(place) => place.as_mut().await,
        None => std::future::pending().await,
    }
}
