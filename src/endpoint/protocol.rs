//! One connection's MQTT state, behind a small wall so that the codec can be exchanged.
//!
//! Whole packets go in, [`Incoming`] in our words comes out; what must be sent is appended to a buffer. The codec keeps
//! packet ids and receive maxima right and answers what breaks the protocol. It is not given the client's CONNECT but a
//! plain one: keep alive, sessions and redelivery are ours (`connection`, `session`), and a topic alias maximum of 0
//! makes it panic. Start with [`Protocol::read`].

use super::greeting::{Greeting, Version};
use super::packets::{self, Answer};
use bytes::{Bytes, BytesMut};
use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{
    ConnectionOptions, GenericConnection, GenericEvent, Version as CodecVersion,
};
use mqtt_protocol_core::mqtt::packet::{GenericPacketTrait, Packet};
use mqtt_protocol_core::mqtt::result_code::{DisconnectReasonCode, MqttError};
use mqtt_protocol_core::mqtt::role;
use smol_str::SmolStr;

/// A packet from the client.
#[derive(Debug)]
pub(super) enum Incoming {
    Publish(Publish),
    /// Our message was acknowledged; `taken` is false when the client's reason code means no.
    Acknowledged {
        packet: u16,
        taken: bool,
    },
    Subscribe {
        packet: u16,
        filters: Vec<(SmolStr, u8)>,
    },
    Unsubscribe {
        packet: u16,
        filters: Vec<SmolStr>,
    },
    /// The client has our PUBREC and will not send this message again (QoS 2).
    Released {
        packet: u16,
    },
    Ping,
    Disconnect {
        publish_will: bool,
        session_expiry_s: Option<u32>,
    },
}

#[derive(Debug)]
pub(super) struct Publish {
    pub topic: SmolStr,
    pub payload: Bytes,
    pub qos: u8,
    /// None for QoS 0.
    pub packet: Option<u16>,
    pub duplicate: bool,
}

/// A message to the client.
#[derive(Clone, Debug)]
pub(super) struct Outgoing<'a> {
    pub topic: &'a str,
    pub payload: &'a [u8],
    /// None for QoS 0.
    pub packet: Option<u16>,
    pub duplicate: bool,
}

/// The client broke the protocol. The answer, if MQTT has one, is in the buffer; the connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Violation;

/// What a v5 client is told when we close; v3.1.1 has no words for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goodbye {
    Malformed,
    ProtocolError,
    CannotAcknowledge,
    ShuttingDown,
    KeepAlive,
    TakenOver,
    TopicName,
    ReceiveMaximum,
    PacketTooLarge,
    Expelled,
    Retain,
    QualityOfService,
    SubscriptionIdentifier,
}

/// What the server tells a v5 client that it accepts; v3.1.1 only learns whether the session is there.
#[derive(Clone, Debug)]
pub(super) struct Welcome {
    pub session_present: bool,
    pub keep_alive_s: Option<u16>,
    pub session_expiry_s: Option<u32>,
    pub client_id: Option<SmolStr>,
}

const DISCONNECT: u8 = 0xe0;

type Connection = GenericConnection<role::Server, u16>;

pub(super) struct Protocol {
    connection: Connection,
    version: Version,
    /// Devices repeat their topic: the same text is not set aside again.
    topic: SmolStr,
}

impl Protocol {
    pub fn new(greeting: &Greeting, packet_bytes_max: usize, receive_maximum: u16) -> Self {
        let mut options = ConnectionOptions::new().maximum_packet_size_recv(packet_bytes_max as u32);
        let codec_version = match greeting.version {
            Version::V3 => CodecVersion::V3_1_1,
            Version::V5 => {
                options = options.receive_maximum(receive_maximum);
                CodecVersion::V5_0
            }
        };
        let mut connection = Connection::with_options(codec_version, options);
        connection.recv(&mut Cursor::new(packets::plain_connect(greeting).as_slice()));
        Self { connection, version: greeting.version, topic: SmolStr::default() }
    }

    pub const fn version(&self) -> Version {
        self.version
    }

    pub fn welcome(&mut self, welcome: &Welcome, out: &mut BytesMut) {
        let connack = packets::connack(self.version, welcome);
        self.send(connack, out);
    }

    /// Reads one whole packet.
    ///
    /// # Errors
    /// When it breaks the protocol, or asks for what CONNACK said is not available.
    pub fn read(&mut self, packet: &[u8], out: &mut BytesMut) -> Result<Incoming, Violation> {
        let mut received = None;
        let mut broken = false;
        for event in self.connection.recv(&mut Cursor::new(packet)) {
            match event {
                GenericEvent::NotifyPacketReceived(packet) => received = Some(packet),
                GenericEvent::RequestSendPacket { packet, .. } => append(&packet, out),
                GenericEvent::RequestClose | GenericEvent::NotifyError(_) => broken = true,
                GenericEvent::NotifyPacketIdReleased(_)
                | GenericEvent::RequestTimerReset { .. }
                | GenericEvent::RequestTimerCancel(_) => {}
            }
        }
        // The codec would answer the repetition of a message by itself, before the message is durable.
        self.connection.restore_qos2_publish_handled(<_>::default());
        match received {
            Some(packet) if !broken => {
                packets::incoming(packet, &mut self.topic).map_err(|goodbye| self.violation(goodbye, out))
            }
            Some(_) | None => Err(Violation),
        }
    }

    /// Ends the conversation because of what the client did.
    pub fn violation(&mut self, goodbye: Goodbye, out: &mut BytesMut) -> Violation {
        self.goodbye(goodbye, out);
        Violation
    }

    /// A durable message, with PUBACK or, for QoS 2, PUBREC.
    pub fn acknowledge(&mut self, packet: u16, qos: u8, permitted: bool, out: &mut BytesMut) {
        let answer = if qos == 2 { packets::pubrec(packet) } else { packets::puback(self.version, packet, permitted) };
        self.send(answer, out);
    }

    /// The end of QoS 2. Also for a packet id that is not known any more: the client waits for it.
    pub fn complete(&mut self, packet: u16, out: &mut BytesMut) {
        self.send(packets::pubcomp(packet), out);
    }

    /// Whether the message fits; one that does not is not sent.
    pub fn publish(&mut self, message: &Outgoing<'_>, out: &mut BytesMut) -> bool {
        if let Some(packet) = message.packet {
            // It is registered already when the client has not acknowledged it on this connection.
            if self.connection.register_packet_id(packet).is_err() {
                return false;
            }
        }
        match packets::publish(self.version, message) {
            Ok(publish) => self.send(Ok(publish), out),
            Err(_) => false,
        }
    }

    pub fn subscribed(&mut self, packet: u16, answers: &[Answer], out: &mut BytesMut) {
        self.send(packets::suback(self.version, packet, answers), out);
    }

    /// `existed` tells, filter by filter, whether there was such a subscription.
    pub fn unsubscribed(&mut self, packet: u16, existed: &[bool], out: &mut BytesMut) {
        self.send(packets::unsuback(self.version, packet, existed), out);
    }

    pub fn pong(&mut self, out: &mut BytesMut) {
        self.send(Ok(packets::pingresp(self.version)), out);
    }

    pub fn goodbye(&mut self, goodbye: Goodbye, out: &mut BytesMut) {
        if self.version == Version::V5 {
            self.send(packets::disconnect(goodbye.reason_code()), out);
        }
    }

    fn send(&mut self, packet: Result<Packet, MqttError>, out: &mut BytesMut) -> bool {
        let Ok(packet) = packet else { return false };
        let mut sent = false;
        for event in self.connection.send(packet) {
            if let GenericEvent::RequestSendPacket { packet, .. } = event {
                append(&packet, out);
                sent = true;
            }
        }
        sent
    }
}

impl Goodbye {
    const fn reason_code(self) -> DisconnectReasonCode {
        match self {
            Self::Malformed => DisconnectReasonCode::MalformedPacket,
            Self::ProtocolError => DisconnectReasonCode::ProtocolError,
            Self::CannotAcknowledge => DisconnectReasonCode::ImplementationSpecificError,
            Self::ShuttingDown => DisconnectReasonCode::ServerShuttingDown,
            Self::KeepAlive => DisconnectReasonCode::KeepAliveTimeout,
            Self::TakenOver => DisconnectReasonCode::SessionTakenOver,
            Self::TopicName => DisconnectReasonCode::TopicNameInvalid,
            Self::ReceiveMaximum => DisconnectReasonCode::ReceiveMaximumExceeded,
            Self::PacketTooLarge => DisconnectReasonCode::PacketTooLarge,
            Self::Expelled => DisconnectReasonCode::AdministrativeAction,
            Self::Retain => DisconnectReasonCode::RetainNotSupported,
            Self::QualityOfService => DisconnectReasonCode::QosNotSupported,
            Self::SubscriptionIdentifier => DisconnectReasonCode::SubscriptionIdentifiersNotSupported,
        }
    }
}

fn append(packet: &Packet, out: &mut BytesMut) {
    let begin = out.len();
    for part in packet.to_buffers() {
        out.extend_from_slice(&part);
    }
    // MQTT 5 lets DISCONNECT leave out an empty property list; rumqttc 0.25 cannot read it without.
    if let [DISCONNECT, 1, reason] = out[begin..] {
        out.truncate(begin);
        out.extend_from_slice(&[DISCONNECT, 2, reason, 0]);
    }
}
