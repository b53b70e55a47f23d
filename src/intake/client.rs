//! The seam to rumqttc: connect, receive one packet, send a group of packets with one flush.
//!
//! rumqttc opens the connection and speaks the wire format; its own request channel, outgoing window and pings are
//! not used, because they cost a flush per acknowledgement and would repeat an expired message after a reconnect.
//! This is the only file that names rumqttc, so a fork can take its place by changing this file alone.

use super::options::{Options, duration};
use bytes::Bytes;
use rumqttc::{
    ConnectReturnCode, ConnectionError, EventLoop, MqttOptions, Packet, PubAck, Publish, QoS, StateError, Subscribe,
    SubscribeFilter, SubscribeReasonCode, TlsConfiguration, Transport, mqttbytes,
};
use rustls::ClientConfig;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// One MQTT 3.1.1 connection to a broker, open or not.
pub(super) struct Client {
    event_loop: EventLoop,
    answer_within: Duration,
    packet_bytes_max: usize,
}

/// Whether the broker remembers this client when it is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Session {
    Persistent,
    Clean,
}

/// A message from the broker, or its answer to one of ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    Message(Message),
    /// The broker has taken over the message with this packet id.
    TakenOver(u16),
    /// Per filter the granted QoS, or none where it was refused.
    Subscribed(Vec<Option<u8>>),
    Pong,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub topic: String,
    pub payload: Bytes,
    pub delivery: Promise,
    pub duplicate_flag: bool,
    /// From before the subscription.
    pub retained: bool,
}

/// The QoS of a message and what identifies it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// QoS 0.
    None,
    /// QoS 1 with this packet id: repeated until acknowledged.
    UntilAcknowledged(u16),
}

#[derive(Clone, Debug)]
pub(super) enum Outgoing {
    Subscribe { packet: u16, filters: Vec<String> },
    Acknowledge(u16),
    Publish { packet: u16, topic: String, payload: Bytes },
    Ping,
    Disconnect,
}

/// Why a connection to a broker could not be made, or ended.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("cannot reach the broker: {0}")]
    Unreachable(#[source] io::Error),
    #[error("the broker did not answer in time")]
    Timeout,
    #[error("TLS with the broker failed: {0}")]
    Tls(String),
    #[error("the broker refused the connection: {0}")]
    Refused(&'static str),
    #[error("the broker closed the connection")]
    Closed,
    #[error("a message of {0} bytes is larger than packet_bytes_max allows")]
    TooLarge(usize),
    #[error("the broker did not keep to the protocol: {0}")]
    Protocol(String),
    #[error("an acknowledgement was withheld; the broker will repeat the message")]
    Withheld,
}

impl LinkError {
    /// Whether another attempt may succeed without anyone changing a setting. The connection is tried again in any
    /// case, since the setting may be the broker's.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Timeout | Self::Closed | Self::Protocol(_) | Self::Withheld => true,
            Self::Tls(_) | Self::Refused(_) | Self::TooLarge(_) => false,
        }
    }

    /// For a metric label: a closed list.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Timeout => "timeout",
            Self::Tls(_) => "tls",
            Self::Refused(_) => "refused",
            Self::Closed => "closed",
            Self::TooLarge(_) => "too_large",
            Self::Protocol(_) => "protocol",
            Self::Withheld => "withheld",
        }
    }
}

impl Client {
    pub(super) fn new(options: &Options, client_id: &str, session: Session) -> Self {
        let answer_within = duration(options.limits.answer_within);
        // rumqttc joins host and port with a colon, so an IPv6 address needs its brackets.
        let bare_ipv6 = options.host.contains(':') && !options.host.starts_with('[') && options.tls.is_none();
        let host = if bare_ipv6 { format!("[{}]", options.host) } else { options.host.clone() };
        let mut mqtt = MqttOptions::new(client_id, host, options.port);
        mqtt.set_clean_session(session == Session::Clean)
            .set_keep_alive(duration(options.limits.keep_alive))
            .set_max_packet_size(options.limits.packet_bytes_max, options.limits.packet_bytes_max)
            .set_manual_acks(true)
            .set_inflight(1);
        if let Some(login) = &options.credentials {
            mqtt.set_credentials(&login.username, &login.password);
        }
        let mut event_loop = EventLoop::new(mqtt, 1);
        event_loop.network_options.set_tcp_nodelay(true);
        event_loop.network_options.set_connection_timeout(answer_within.as_secs().max(1));
        Self { event_loop, answer_within, packet_bytes_max: options.limits.packet_bytes_max }
    }

    /// From the next connection on.
    pub(super) fn use_tls(&mut self, tls: Arc<ClientConfig>) {
        self.event_loop.mqtt_options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
    }

    /// The largest packet read, from the next connection on.
    pub(super) fn read_at_most(&mut self, bytes: usize) {
        let outgoing = self.packet_bytes_max;
        self.event_loop.mqtt_options.set_max_packet_size(bytes, outgoing);
    }

    /// Opens a connection, closing one that is open. True when the broker remembers our session.
    pub(super) async fn connect(&mut self) -> Result<bool, LinkError> {
        self.close();
        let event = self.event_loop.poll().await?;
        if let rumqttc::Event::Incoming(Packet::ConnAck(answer)) = event {
            return Ok(answer.session_present);
        }
        Err(LinkError::Protocol(format!("answered CONNECT with {event:?}")))
    }

    /// The next packet. May be dropped while waiting without losing any.
    pub(super) async fn receive(&mut self) -> Result<Incoming, LinkError> {
        let network = self.event_loop.network.as_mut().ok_or(LinkError::Closed)?;
        read(network.read().await?)
    }

    /// Writes all packets with one flush. Must not be dropped half-way; it ends by itself within `answer_within`.
    pub(super) async fn send(&mut self, packets: impl IntoIterator<Item = Outgoing>) -> Result<(), LinkError> {
        let network = self.event_loop.network.as_mut().ok_or(LinkError::Closed)?;
        let written = async {
            for packet in packets {
                network.write(write(packet)).await?;
            }
            network.flush().await
        };
        timeout(self.answer_within, written).await.map_err(|_| LinkError::Timeout)?.map_err(LinkError::from)
    }

    pub(super) fn close(&mut self) {
        self.event_loop.network = None;
    }
}

fn read(packet: Packet) -> Result<Incoming, LinkError> {
    match packet {
        Packet::Publish(publish) => message(publish).map(Incoming::Message),
        Packet::PubAck(answer) => Ok(Incoming::TakenOver(answer.pkid)),
        Packet::SubAck(answer) => Ok(Incoming::Subscribed(answer.return_codes.into_iter().map(granted).collect())),
        Packet::PingResp => Ok(Incoming::Pong),
        other @ (Packet::Connect(_)
        | Packet::ConnAck(_)
        | Packet::PubRec(_)
        | Packet::PubRel(_)
        | Packet::PubComp(_)
        | Packet::Subscribe(_)
        | Packet::Unsubscribe(_)
        | Packet::UnsubAck(_)
        | Packet::PingReq
        | Packet::Disconnect) => Err(LinkError::Protocol(format!("sent {other:?}, which nobody asked for"))),
    }
}

fn message(publish: Publish) -> Result<Message, LinkError> {
    let delivery = match publish.qos {
        QoS::AtMostOnce => Promise::None,
        QoS::AtLeastOnce => Promise::UntilAcknowledged(publish.pkid),
        // Nothing is subscribed with QoS 2, so a broker has no reason to use it.
        QoS::ExactlyOnce => return Err(LinkError::Protocol(format!("sent QoS 2 on {:?}", publish.topic))),
    };
    Ok(Message {
        topic: publish.topic,
        payload: publish.payload,
        delivery,
        duplicate_flag: publish.dup,
        retained: publish.retain,
    })
}

const fn granted(code: SubscribeReasonCode) -> Option<u8> {
    match code {
        SubscribeReasonCode::Success(qos) => Some(qos as u8),
        SubscribeReasonCode::Failure => None,
    }
}

fn write(packet: Outgoing) -> Packet {
    match packet {
        Outgoing::Subscribe { packet, filters } => {
            let filters = filters.into_iter().map(|filter| SubscribeFilter::new(filter, QoS::AtLeastOnce));
            let mut subscribe = Subscribe::new_many(filters);
            subscribe.pkid = packet;
            Packet::Subscribe(subscribe)
        }
        Outgoing::Acknowledge(packet) => Packet::PubAck(PubAck::new(packet)),
        Outgoing::Publish { packet, topic, payload } => {
            let mut publish = Publish::from_bytes(topic, QoS::AtLeastOnce, payload);
            publish.pkid = packet;
            Packet::Publish(publish)
        }
        Outgoing::Ping => Packet::PingReq,
        Outgoing::Disconnect => Packet::Disconnect,
    }
}

impl From<ConnectionError> for LinkError {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::MqttState(error) => error.into(),
            ConnectionError::NetworkTimeout | ConnectionError::FlushTimeout => Self::Timeout,
            ConnectionError::Tls(error) => Self::Tls(error.to_string()),
            ConnectionError::Io(error) => Self::Unreachable(error),
            ConnectionError::ConnectionRefused(code) => Self::Refused(refusal(code)),
            ConnectionError::NotConnAck(packet) => Self::Protocol(format!("answered CONNECT with {packet:?}")),
            ConnectionError::RequestsDone => Self::Closed,
        }
    }
}

impl From<StateError> for LinkError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Io(error) | StateError::Deserialization(mqttbytes::Error::Io(error)) => {
                if error.kind() == io::ErrorKind::InvalidData { Self::Tls(error.to_string()) } else { Self::Closed }
            }
            StateError::Deserialization(mqttbytes::Error::PayloadSizeLimitExceeded(bytes)) => Self::TooLarge(bytes),
            StateError::ConnectionAborted => Self::Closed,
            other @ (StateError::InvalidState
            | StateError::Unsolicited(_)
            | StateError::AwaitPingResp
            | StateError::WrongPacket
            | StateError::CollisionTimeout
            | StateError::EmptySubscription
            | StateError::Deserialization(_)) => Self::Protocol(other.to_string()),
        }
    }
}

const fn refusal(code: ConnectReturnCode) -> &'static str {
    match code {
        ConnectReturnCode::Success => "without a reason",
        ConnectReturnCode::RefusedProtocolVersion => "it does not speak MQTT 3.1.1",
        ConnectReturnCode::BadClientId => "it does not accept this client id",
        ConnectReturnCode::ServiceUnavailable => "it is not available",
        ConnectReturnCode::BadUserNamePassword => "wrong user name or password",
        ConnectReturnCode::NotAuthorized => "not authorised",
    }
}
