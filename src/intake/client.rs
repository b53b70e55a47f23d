//! The gateway as a client of one broker: connect, receive one packet, send a group of packets with one flush.
//!
//! Packets are rumqttc's, put into our words here and nowhere else; `wire` carries them and `inflow` finds them in the
//! bytes. No other file names rumqttc, so a fork can take its place by changing these three alone.

use super::inflow::{Arrived, Head};
use super::options::{Options, duration};
use super::wire::Wire;
use bytes::Bytes;
use rumqttc::{
    Connect, ConnectReturnCode, Packet, PubAck, Publish, QoS, Subscribe, SubscribeFilter, SubscribeReasonCode,
    mqttbytes,
};
use rustls::ClientConfig;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// One MQTT 3.1.1 connection to a broker, open or not.
pub(super) struct Client {
    options: Options,
    connect: Connect,
    tls: Option<Arc<ClientConfig>>,
    answer_within: Duration,
    wire: Option<Wire>,
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
    /// All of it, or the first bytes of one that is too long.
    pub payload: Bytes,
    /// Bytes of the whole payload.
    pub length: u64,
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
            Self::Tls(_) | Self::Refused(_) => false,
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
            Self::Protocol(_) => "protocol",
            Self::Withheld => "withheld",
        }
    }
}

impl Client {
    pub(super) fn new(options: &Options, client_id: &str, session: Session) -> Self {
        let mut connect = Connect::new(client_id);
        connect.clean_session = session == Session::Clean;
        connect.keep_alive = u16::try_from(duration(options.limits.keep_alive).as_secs()).unwrap_or(u16::MAX);
        if let Some(login) = &options.credentials {
            connect.set_login(&login.username, &login.password);
        }
        let answer_within = duration(options.limits.answer_within);
        Self { options: options.clone(), connect, tls: None, answer_within, wire: None }
    }

    /// From the next connection on.
    pub(super) fn use_tls(&mut self, tls: Arc<ClientConfig>) {
        self.tls = Some(tls);
    }

    /// Opens a connection, closing one that is open. True when the broker remembers our session.
    pub(super) async fn connect(&mut self) -> Result<bool, LinkError> {
        self.close();
        let open = Wire::open(&self.options, self.tls.as_ref(), self.connect.clone());
        let (wire, answer) = timeout(self.answer_within, open).await.map_err(|_| LinkError::Timeout)??;
        if answer.code != ConnectReturnCode::Success {
            return Err(LinkError::Refused(refusal(answer.code)));
        }
        self.wire = Some(wire);
        Ok(answer.session_present)
    }

    /// The next packet. May be dropped while waiting without losing any.
    pub(super) async fn receive(&mut self) -> Result<Incoming, LinkError> {
        match self.wire.as_mut().ok_or(LinkError::Closed)?.receive().await? {
            Arrived::Packet(packet) => read(packet),
            Arrived::Oversize(head) => oversize(head).map(Incoming::Message),
        }
    }

    /// Whether anything has arrived since this was last asked, if only a part of a packet.
    pub(super) fn take_heard(&mut self) -> bool {
        self.wire.as_mut().is_some_and(Wire::take_heard)
    }

    /// Writes all packets with one flush. Must not be dropped half-way; it ends by itself within `answer_within`.
    pub(super) async fn send(&mut self, packets: impl IntoIterator<Item = Outgoing>) -> Result<(), LinkError> {
        let wire = self.wire.as_mut().ok_or(LinkError::Closed)?;
        let written = wire.send(packets.into_iter().map(write));
        timeout(self.answer_within, written).await.map_err(|_| LinkError::Timeout)?
    }

    pub(super) fn close(&mut self) {
        self.wire = None;
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
    Ok(Message {
        delivery: promise(publish.qos as u8, publish.pkid, &publish.topic)?,
        topic: publish.topic,
        length: publish.payload.len() as u64,
        payload: publish.payload,
        duplicate_flag: publish.dup,
        retained: publish.retain,
    })
}

fn oversize(head: Head) -> Result<Message, LinkError> {
    Ok(Message {
        delivery: promise(head.qos, head.packet, &head.topic)?,
        topic: head.topic,
        length: head.length,
        payload: head.payload,
        duplicate_flag: head.duplicate_flag,
        retained: head.retained,
    })
}

fn promise(qos: u8, packet: u16, topic: &str) -> Result<Promise, LinkError> {
    match qos {
        0 => Ok(Promise::None),
        1 => Ok(Promise::UntilAcknowledged(packet)),
        // Nothing is subscribed with QoS 2, so a broker has no reason to use it.
        _ => Err(LinkError::Protocol(format!("sent QoS {qos} on {topic:?}"))),
    }
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

impl From<mqttbytes::Error> for LinkError {
    fn from(error: mqttbytes::Error) -> Self {
        Self::Protocol(error.to_string())
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
