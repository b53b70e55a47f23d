//! The codec's packets for our words, and our words for the codec's packets, in both versions.
//!
//! Nothing is remembered here except the last topic. What the codec lets pass though MQTT forbids it is refused here:
//! wildcards in a topic, packet id 0, and what CONNACK says is not available.

use super::greeting::{Greeting, Version};
use super::protocol::{Goodbye, Incoming, Outgoing, Publish, Welcome};
use bytes::Bytes;
use mqtt_protocol_core::mqtt::common::ArcPayload;
use mqtt_protocol_core::mqtt::packet::{
    AssignedClientIdentifier, GenericPacket, MaximumPacketSize, MaximumQos, Packet, Property, Qos, ReceiveMaximum,
    RetainAvailable, ServerKeepAlive, SessionExpiryInterval, SharedSubscriptionAvailable, SubEntry,
    SubscriptionIdentifierAvailable, v3_1_1, v5_0,
};
use mqtt_protocol_core::mqtt::result_code::{
    ConnectReasonCode, ConnectReturnCode, DisconnectReasonCode, MqttError, PubackReasonCode, SubackReasonCode,
    SubackReturnCode, UnsubackReasonCode,
};
use smol_str::SmolStr;

/// The answer to one filter of a SUBSCRIBE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Granted { qos: u8 },
    NotPermitted,
    InvalidFilter,
    Shared,
    TooMany,
}

/// A CONNECT with nothing in it but what the codec's state needs: how much the client takes.
pub(super) fn plain_connect(greeting: &Greeting) -> Vec<u8> {
    match greeting.version {
        Version::V3 => v3_1_1::Connect::builder()
            .clean_session(true)
            .build()
            .map(|connect| connect.to_continuous_buffer())
            .unwrap_or_default(),
        Version::V5 => {
            let mut properties: Vec<Property> = Vec::new();
            properties.extend(ReceiveMaximum::new(greeting.receive_maximum).ok().map(Into::into));
            let bytes = greeting.packet_bytes_max.and_then(|bytes| MaximumPacketSize::new(bytes).ok());
            properties.extend(bytes.map(Property::from));
            v5_0::Connect::builder()
                .clean_start(true)
                .props(properties)
                .build()
                .map(|connect| connect.to_continuous_buffer())
                .unwrap_or_default()
        }
    }
}

pub(super) fn connack(version: Version, welcome: &Welcome) -> Result<Packet, MqttError> {
    if version == Version::V3 {
        let connack = v3_1_1::Connack::builder()
            .session_present(welcome.session_present)
            .return_code(ConnectReturnCode::Accepted)
            .build()?;
        return Ok(connack.into());
    }
    // The codec adds receive maximum and maximum packet size.
    let mut properties: Vec<Property> = vec![
        MaximumQos::new(1)?.into(),
        RetainAvailable::new(0)?.into(),
        SubscriptionIdentifierAvailable::new(0)?.into(),
        SharedSubscriptionAvailable::new(0)?.into(),
    ];
    if let Some(seconds) = welcome.keep_alive_s {
        properties.push(ServerKeepAlive::new(seconds)?.into());
    }
    if let Some(seconds) = welcome.session_expiry_s {
        properties.push(SessionExpiryInterval::new(seconds)?.into());
    }
    if let Some(client_id) = &welcome.client_id {
        properties.push(AssignedClientIdentifier::new(client_id.as_str())?.into());
    }
    let connack = v5_0::Connack::builder()
        .session_present(welcome.session_present)
        .reason_code(ConnectReasonCode::Success)
        .props(properties)
        .build()?;
    Ok(connack.into())
}

/// Reads a packet; `last_topic` is reused when the topic is the same again.
///
/// # Errors
/// With the reason to give, when the packet is one that this endpoint does not serve.
pub(super) fn incoming(packet: Packet, last_topic: &mut SmolStr) -> Result<Incoming, Goodbye> {
    match packet {
        GenericPacket::V3_1_1Publish(publish) => {
            // 3.1.1 has no way to refuse a retained message: it is taken as an ordinary one.
            check_publish(publish.topic_name(), publish.packet_id())?;
            Ok(Incoming::Publish(Publish {
                topic: topic(publish.topic_name(), last_topic),
                payload: payload(publish.payload()),
                qos: publish.qos() as u8,
                packet: publish.packet_id(),
                duplicate: publish.dup(),
            }))
        }
        GenericPacket::V5_0Publish(publish) => {
            check_publish(publish.topic_name(), publish.packet_id())?;
            if publish.retain() {
                return Err(Goodbye::Retain);
            }
            Ok(Incoming::Publish(Publish {
                topic: topic(publish.topic_name(), last_topic),
                payload: payload(publish.payload()),
                qos: publish.qos() as u8,
                packet: publish.packet_id(),
                duplicate: publish.dup(),
            }))
        }
        GenericPacket::V3_1_1Puback(puback) => Ok(Incoming::Acknowledged { packet: puback.packet_id(), taken: true }),
        GenericPacket::V5_0Puback(puback) => {
            let taken = puback.reason_code().is_none_or(|reason| (reason as u8) < 0x80);
            Ok(Incoming::Acknowledged { packet: puback.packet_id(), taken })
        }
        GenericPacket::V3_1_1Subscribe(subscribe) => subscription(subscribe.packet_id(), subscribe.entries()),
        GenericPacket::V5_0Subscribe(subscribe) => {
            if subscribe.props().iter().any(|property| matches!(property, Property::SubscriptionIdentifier(_))) {
                return Err(Goodbye::SubscriptionIdentifier);
            }
            subscription(subscribe.packet_id(), subscribe.entries())
        }
        GenericPacket::V3_1_1Unsubscribe(unsubscribe) => {
            let filters = unsubscribe.entries().iter().map(|filter| SmolStr::new(filter.as_str())).collect();
            end_of_subscription(unsubscribe.packet_id(), filters)
        }
        GenericPacket::V5_0Unsubscribe(unsubscribe) => {
            let filters = unsubscribe.entries().iter().map(|filter| SmolStr::new(filter.as_str())).collect();
            end_of_subscription(unsubscribe.packet_id(), filters)
        }
        GenericPacket::V3_1_1Pubrel(pubrel) => Ok(Incoming::Released { packet: pubrel.packet_id() }),
        GenericPacket::V3_1_1Pingreq(_) | GenericPacket::V5_0Pingreq(_) => Ok(Incoming::Ping),
        GenericPacket::V3_1_1Disconnect(_) => Ok(Incoming::Disconnect { publish_will: false, session_expiry_s: None }),
        GenericPacket::V5_0Disconnect(disconnect) => Ok(leave(&disconnect)),
        // A second CONNECT, the steps of QoS 2 that are not a v3.1.1 sender's, enhanced authentication and what only a server sends.
        GenericPacket::V3_1_1Connect(_)
        | GenericPacket::V3_1_1Connack(_)
        | GenericPacket::V3_1_1Suback(_)
        | GenericPacket::V3_1_1Unsuback(_)
        | GenericPacket::V3_1_1Pubrec(_)
        | GenericPacket::V3_1_1Pubcomp(_)
        | GenericPacket::V3_1_1Pingresp(_)
        | GenericPacket::V5_0Connect(_)
        | GenericPacket::V5_0Connack(_)
        | GenericPacket::V5_0Suback(_)
        | GenericPacket::V5_0Unsuback(_)
        | GenericPacket::V5_0Pubrec(_)
        | GenericPacket::V5_0Pubrel(_)
        | GenericPacket::V5_0Pubcomp(_)
        | GenericPacket::V5_0Pingresp(_)
        | GenericPacket::V5_0Auth(_) => Err(Goodbye::ProtocolError),
    }
}

fn leave(disconnect: &v5_0::Disconnect) -> Incoming {
    let mut session_expiry_s = None;
    for property in disconnect.props().iter().flatten() {
        if let Property::SessionExpiryInterval(seconds) = property {
            session_expiry_s = Some(seconds.val());
        }
    }
    let reason = disconnect.reason_code().unwrap_or(DisconnectReasonCode::NormalDisconnection);
    Incoming::Disconnect { publish_will: reason != DisconnectReasonCode::NormalDisconnection, session_expiry_s }
}

fn check_publish(topic: &str, packet: Option<u16>) -> Result<(), Goodbye> {
    if packet == Some(0) {
        return Err(Goodbye::ProtocolError);
    }
    if topic.is_empty() || topic.bytes().any(|byte| matches!(byte, 0 | b'+' | b'#')) {
        return Err(Goodbye::TopicName);
    }
    Ok(())
}

fn subscription(packet: u16, entries: &[SubEntry]) -> Result<Incoming, Goodbye> {
    let filters = entries.iter().map(|entry| (SmolStr::new(entry.topic_filter()), entry.sub_opts().qos() as u8));
    if packet == 0 {
        return Err(Goodbye::ProtocolError);
    }
    Ok(Incoming::Subscribe { packet, filters: filters.collect() })
}

fn end_of_subscription(packet: u16, filters: Vec<SmolStr>) -> Result<Incoming, Goodbye> {
    if packet == 0 { Err(Goodbye::ProtocolError) } else { Ok(Incoming::Unsubscribe { packet, filters }) }
}

fn topic(text: &str, last: &mut SmolStr) -> SmolStr {
    if last != text {
        *last = SmolStr::new(text);
    }
    last.clone()
}

/// The payload stays where the codec put it; it is not copied again.
fn payload(payload: &ArcPayload) -> Bytes {
    struct Kept(ArcPayload);

    impl AsRef<[u8]> for Kept {
        fn as_ref(&self) -> &[u8] {
            self.0.as_slice()
        }
    }

    if payload.is_empty() { Bytes::new() } else { Bytes::from_owner(Kept(payload.clone())) }
}

pub(super) fn puback(version: Version, packet: u16, permitted: bool) -> Result<Packet, MqttError> {
    match version {
        Version::V3 => Ok(v3_1_1::Puback::builder().packet_id(packet).build()?.into()),
        Version::V5 if permitted => Ok(v5_0::Puback::builder().packet_id(packet).build()?.into()),
        Version::V5 => {
            let puback = v5_0::Puback::builder().packet_id(packet).reason_code(PubackReasonCode::NotAuthorized);
            Ok(puback.build()?.into())
        }
    }
}

/// v3.1.1 only, as are all steps of QoS 2.
pub(super) fn pubrec(packet: u16) -> Result<Packet, MqttError> {
    Ok(v3_1_1::Pubrec::builder().packet_id(packet).build()?.into())
}

pub(super) fn pubcomp(packet: u16) -> Result<Packet, MqttError> {
    Ok(v3_1_1::Pubcomp::builder().packet_id(packet).build()?.into())
}

pub(super) fn publish(version: Version, message: &Outgoing<'_>) -> Result<Packet, MqttError> {
    let qos = if message.packet.is_some() { Qos::AtLeastOnce } else { Qos::AtMostOnce };
    match version {
        Version::V3 => {
            let mut builder = v3_1_1::Publish::builder()
                .topic_name(message.topic)?
                .qos(qos)
                .dup(message.duplicate)
                .payload(message.payload);
            if let Some(packet) = message.packet {
                builder = builder.packet_id(packet);
            }
            Ok(builder.build()?.into())
        }
        Version::V5 => {
            let mut builder = v5_0::Publish::builder()
                .topic_name(message.topic)?
                .qos(qos)
                .dup(message.duplicate)
                .payload(message.payload);
            if let Some(packet) = message.packet {
                builder = builder.packet_id(packet);
            }
            Ok(builder.build()?.into())
        }
    }
}

pub(super) fn suback(version: Version, packet: u16, answers: &[Answer]) -> Result<Packet, MqttError> {
    match version {
        Version::V3 => {
            let codes = answers.iter().map(|answer| match answer {
                Answer::Granted { qos: 0 } => SubackReturnCode::SuccessMaximumQos0,
                Answer::Granted { .. } => SubackReturnCode::SuccessMaximumQos1,
                Answer::NotPermitted | Answer::InvalidFilter | Answer::Shared | Answer::TooMany => {
                    SubackReturnCode::Failure
                }
            });
            Ok(v3_1_1::Suback::builder().packet_id(packet).return_codes(codes.collect()).build()?.into())
        }
        Version::V5 => {
            let codes = answers.iter().map(|answer| match answer {
                Answer::Granted { qos: 0 } => SubackReasonCode::GrantedQos0,
                Answer::Granted { .. } => SubackReasonCode::GrantedQos1,
                Answer::NotPermitted => SubackReasonCode::NotAuthorized,
                Answer::InvalidFilter => SubackReasonCode::TopicFilterInvalid,
                Answer::Shared => SubackReasonCode::SharedSubscriptionsNotSupported,
                Answer::TooMany => SubackReasonCode::QuotaExceeded,
            });
            Ok(v5_0::Suback::builder().packet_id(packet).reason_codes(codes.collect()).build()?.into())
        }
    }
}

pub(super) fn unsuback(version: Version, packet: u16, existed: &[bool]) -> Result<Packet, MqttError> {
    match version {
        Version::V3 => Ok(v3_1_1::Unsuback::builder().packet_id(packet).build()?.into()),
        Version::V5 => {
            let codes = existed.iter().map(|existed| match existed {
                true => UnsubackReasonCode::Success,
                false => UnsubackReasonCode::NoSubscriptionExisted,
            });
            Ok(v5_0::Unsuback::builder().packet_id(packet).reason_codes(codes.collect()).build()?.into())
        }
    }
}

pub(super) fn pingresp(version: Version) -> Packet {
    match version {
        Version::V3 => v3_1_1::Pingresp::new().into(),
        Version::V5 => v5_0::Pingresp::new().into(),
    }
}

pub(super) fn disconnect(reason: DisconnectReasonCode) -> Result<Packet, MqttError> {
    Ok(v5_0::Disconnect::builder().reason_code(reason).build()?.into())
}
