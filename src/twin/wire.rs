//! Real MQTT connections, one for each login, through rumqttc.
//!
//! A connection has a task that polls it, counts acknowledgements and, for a phone, hands messages over before it
//! acknowledges them. A lost connection is an error, not retried: sending again on our own would turn one message
//! into two facts and the counts would no longer depend on the seed alone.

use super::fault::TwinError;
use super::formats::Message;
use super::municipality::{Logins, crew_line};
use super::transport::{Heard, Transport};
use crate::domain::ids::{ClientId, CrewId};
use rumqttc::mqttbytes::v4::Publish;
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, NetworkOptions, Packet, QoS, Request};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// At the wall. A gateway that needs longer to make a batch durable is stuck.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(60);
/// Messages on the way in one connection: well below the receive maximum of the endpoint.
const IN_FLIGHT_MAX: u16 = 100;
/// Requests waiting for their turn in one connection.
const REQUESTS_MAX: usize = 512;
/// Crew messages between two looks at the phones.
const HEARD_MAX: usize = 8_192;
/// Larger than any oversize message that the twin sends.
const PACKET_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The gateway's endpoint, and all connections to it.
pub(crate) struct Wires {
    address: SocketAddr,
    logins: Logins,
    lines: BTreeMap<ClientId, Wire>,
    phones: BTreeMap<CrewId, ClientId>,
    inbox: mpsc::Receiver<Heard>,
    into_inbox: mpsc::Sender<Heard>,
    tasks: TaskTracker,
}

struct Wire {
    client: AsyncClient,
    state: watch::Receiver<State>,
    sent: u64,
    /// Ends the task that polls, and with it the connection, without DISCONNECT.
    _ends_when_dropped: DropGuard,
}

#[derive(Clone, Debug, Default)]
struct State {
    /// Connected, and subscribed if it is a phone.
    ready: bool,
    acknowledged: u64,
    lost: Option<String>,
}

impl Wires {
    pub(crate) fn new(address: SocketAddr, logins: Logins) -> Self {
        let (into_inbox, inbox) = mpsc::channel(HEARD_MAX);
        let (lines, phones) = (BTreeMap::new(), BTreeMap::new());
        Self { address, logins, lines, phones, inbox, into_inbox, tasks: TaskTracker::new() }
    }

    /// Closes every connection and waits until their tasks have ended.
    pub(crate) async fn close(mut self) {
        self.lines.clear();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn event_loop(&self, line: &ClientId, persistent: bool) -> Result<(AsyncClient, EventLoop), TwinError> {
        let password = self.logins.password(line).ok_or_else(|| TwinError::NoSecret(line.clone()))?;
        let host = match self.address.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let mut options = MqttOptions::new(line.as_str(), host, self.address.port());
        options
            .set_credentials(line.as_str(), password)
            .set_clean_session(!persistent)
            .set_manual_acks(true)
            .set_inflight(IN_FLIGHT_MAX)
            .set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
        let (client, mut event_loop) = AsyncClient::new(options, REQUESTS_MAX);
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        event_loop.set_network_options(network);
        Ok((client, event_loop))
    }

    async fn open(&mut self, line: &ClientId, crew: Option<&CrewId>) -> Result<(), TwinError> {
        let (client, event_loop) = self.event_loop(line, crew.is_some())?;
        let (state, watched) = watch::channel(State::default());
        let stop = CancellationToken::new();
        let phone = crew.map(|crew| (crew.clone(), self.into_inbox.clone()));
        self.tasks.spawn(poll(event_loop, client.clone(), phone, state, stop.clone()));
        let mut wire = Wire { client, state: watched, sent: 0, _ends_when_dropped: stop.drop_guard() };
        wire.until(line, |state| state.ready).await?;
        self.lines.insert(line.clone(), wire);
        Ok(())
    }

    async fn all_acknowledged(&mut self, line: &ClientId) -> Result<(), TwinError> {
        let Some(wire) = self.lines.get_mut(line) else { return Ok(()) };
        let sent = wire.sent;
        wire.until(line, |state| state.acknowledged >= sent).await
    }

    /// Sends one message, takes its acknowledgement as lost, comes back with the same session and sends it again
    /// with DUP and the same packet id. rumqttc itself never sets DUP.
    async fn send_twice(&mut self, line: &ClientId, message: &Message) -> Result<(), TwinError> {
        // One session has one connection at a time.
        self.lines.remove(line);
        for dup in [false, true] {
            let (_client, mut event_loop) = self.event_loop(line, true)?;
            let mut publish = Publish::new(&message.topic, QoS::AtLeastOnce, message.payload.to_vec());
            (publish.pkid, publish.dup) = (1, dup);
            let acknowledged = async {
                loop {
                    match event_loop.poll().await? {
                        // Only once connected: what is pending before is dropped with a session that is gone.
                        Event::Incoming(Packet::ConnAck(_)) => {
                            event_loop.pending.push_back(Request::Publish(publish.clone()));
                        }
                        Event::Incoming(Packet::PubAck(_)) => return Ok::<_, rumqttc::ConnectionError>(()),
                        Event::Incoming(_) | Event::Outgoing(_) => {}
                    }
                }
            };
            within(line, acknowledged).await?.map_err(|error| lost(line, error.to_string()))?;
        }
        Ok(())
    }
}

impl Transport for Wires {
    async fn send(&mut self, line: &ClientId, batch: Vec<Message>) -> Result<(), TwinError> {
        for message in batch {
            if message.again_with_dup {
                self.all_acknowledged(line).await?;
                self.send_twice(line, &message).await?;
                continue;
            }
            if !self.lines.contains_key(line) {
                self.open(line, None).await?;
            }
            let Some(wire) = self.lines.get_mut(line) else { continue };
            let handed = wire.client.publish(message.topic, QoS::AtLeastOnce, false, message.payload).await;
            handed.map_err(|error| TwinError::NotSent { line: line.clone(), why: error.to_string() })?;
            wire.sent += 1;
        }
        self.all_acknowledged(line).await
    }

    async fn connect_crew(&mut self, crew: &CrewId) -> Result<(), TwinError> {
        let line = crew_line(crew);
        self.phones.insert(crew.clone(), line.clone());
        self.open(&line, Some(crew)).await
    }

    fn lose_crew(&mut self, crew: &CrewId) {
        if let Some(line) = self.phones.remove(crew) {
            self.lines.remove(&line);
        }
    }

    fn heard(&mut self) -> Result<Vec<Heard>, TwinError> {
        for line in self.phones.values() {
            let state = self.lines.get(line).map(|wire| wire.state.borrow().lost.clone());
            if let Some(Some(why)) = state {
                return Err(lost(line, why));
            }
        }
        let mut all = Vec::new();
        while let Ok(heard) = self.inbox.try_recv() {
            all.push(heard);
        }
        Ok(all)
    }
}

impl Wire {
    /// Waits until the connection is as wanted.
    async fn until(&mut self, line: &ClientId, wanted: impl Fn(&State) -> bool) -> Result<(), TwinError> {
        let reached = self.state.wait_for(|state| wanted(state) || state.lost.is_some());
        let why = match within(line, reached).await? {
            Ok(state) if wanted(&state) => return Ok(()),
            Ok(state) => state.lost.clone().unwrap_or_default(),
            Err(_) => "its task has ended".to_owned(),
        };
        Err(lost(line, why))
    }
}

async fn within<T>(line: &ClientId, work: impl Future<Output = T>) -> Result<T, TwinError> {
    tokio::time::timeout(ACKNOWLEDGED_WITHIN, work)
        .await
        .map_err(|_| TwinError::NotAcknowledged { line: line.clone(), seconds: ACKNOWLEDGED_WITHIN.as_secs() })
}

fn lost(line: &ClientId, why: String) -> TwinError {
    TwinError::Lost { line: line.clone(), why }
}

/// Polls one connection until it is stopped or lost.
async fn poll(
    mut event_loop: EventLoop,
    client: AsyncClient,
    phone: Option<(CrewId, mpsc::Sender<Heard>)>,
    state: watch::Sender<State>,
    stop: CancellationToken,
) {
    loop {
        let event = tokio::select! {
            () = stop.cancelled() => return,
            event = event_loop.poll() => event,
        };
        let handled = match event {
            Ok(Event::Incoming(packet)) => receive(packet, &client, phone.as_ref(), &state),
            Ok(Event::Outgoing(_)) => Ok(()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(why) = handled {
            state.send_modify(|state| state.lost = Some(why));
            return;
        }
    }
}

fn receive(
    packet: Packet,
    client: &AsyncClient,
    phone: Option<&(CrewId, mpsc::Sender<Heard>)>,
    state: &watch::Sender<State>,
) -> Result<(), String> {
    if let Packet::PubAck(_) = packet {
        state.send_modify(|state| state.acknowledged += 1);
    } else if let Packet::ConnAck(_) = packet {
        match phone {
            Some((crew, _)) => {
                let topic = format!("rettidig/v1/crew/{crew}/tasks");
                client.try_subscribe(topic, QoS::AtLeastOnce).map_err(|error| error.to_string())?;
            }
            None => state.send_modify(|state| state.ready = true),
        }
    } else if let Packet::SubAck(_) = packet {
        state.send_modify(|state| state.ready = true);
    } else if let (Packet::Publish(publish), Some((crew, into_inbox))) = (packet, phone) {
        let heard = Heard { crew: crew.clone(), payload: publish.payload.clone() };
        into_inbox.try_send(heard).map_err(|_| format!("more than {HEARD_MAX} messages waiting on the phones"))?;
        // Acknowledged only when it is here: a gateway at rest means that every phone has everything.
        client.try_ack(&publish).map_err(|error| error.to_string())?;
    }
    Ok(())
}
