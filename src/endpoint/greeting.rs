//! CONNECT, in our words, and the CONNACK that turns a client away.
//!
//! Read by the codec's packet parser alone, before any connection state exists. Whether the login is right is decided
//! elsewhere. Start with [`Greeting::read`].

use super::ports::LastWill;
use bytes::Bytes;
use mqtt_protocol_core::mqtt::packet::{Property, Qos, v3_1_1, v5_0};
use smol_str::SmolStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V3,
    V5,
}

/// What a client asked for when it connected.
pub(super) struct Greeting {
    pub version: Version,
    pub client_id: SmolStr,
    /// Begin without the earlier session.
    pub clean: bool,
    /// Seconds that the session shall outlive the connection; `u32::MAX` for ever.
    pub session_expiry_s: u32,
    /// Seconds; 0 for none.
    pub keep_alive_s: u16,
    /// QoS 1 messages the client takes at once.
    pub receive_maximum: u16,
    /// The longest packet the client takes.
    pub packet_bytes_max: Option<u32>,
    pub username: Option<SmolStr>,
    pub password: Option<Bytes>,
    pub will: Option<LastWill>,
}

/// Why a client is not served, as MQTT says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Malformed,
    Version,
    ClientId,
    WrongCredentials,
    NotPermitted,
    Unavailable,
    Busy,
    AuthenticationMethod,
    Quota,
    Retain,
    QualityOfService,
}

/// A first packet that cannot be served, and the bytes that say so; empty when MQTT has no answer to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unserved {
    pub answer: Vec<u8>,
}

impl Greeting {
    /// Reads a whole CONNECT packet, whose fixed header is `header` bytes long.
    ///
    /// # Errors
    /// With the answer to give, when this is no CONNECT that the endpoint serves.
    pub fn read(packet: &[u8], header: usize) -> Result<Self, Unserved> {
        let body = packet.get(header..).unwrap_or_default();
        let version = match (packet.first().map_or(0, |byte| byte >> 4), body.first_chunk::<7>()) {
            (1, Some([0, 4, b'M', b'Q', b'T', b'T', 4])) => Version::V3,
            (1, Some([0, 4, b'M', b'Q', b'T', b'T', 5])) => Version::V5,
            (1, Some([0, 4, b'M', b'Q', b'T', b'T', _] | [0, 6, b'M', b'Q', b'I', b's', b'd'])) => {
                return Err(unserved(Version::V3, Refusal::Version));
            }
            _ => return Err(Unserved { answer: Vec::new() }),
        };
        if !body.get(7).is_some_and(|flags| connect_flags_are_legal(*flags)) {
            return Err(unserved(version, Refusal::Malformed));
        }
        let greeting = match version {
            Version::V3 => Self::read_v3(body),
            Version::V5 => Self::read_v5(body),
        }
        .map_err(|refusal| unserved(version, refusal))?;
        if greeting.client_id.is_empty() && version == Version::V3 && !greeting.clean {
            return Err(unserved(version, Refusal::ClientId));
        }
        Ok(greeting)
    }

    fn read_v3(body: &[u8]) -> Result<Self, Refusal> {
        let (connect, used) = v3_1_1::Connect::parse(body).map_err(|_| Refusal::Malformed)?;
        if used != body.len() {
            return Err(Refusal::Malformed);
        }
        Ok(Self {
            version: Version::V3,
            client_id: connect.client_id().into(),
            clean: connect.clean_session(),
            session_expiry_s: if connect.clean_session() { 0 } else { u32::MAX },
            keep_alive_s: connect.keep_alive(),
            receive_maximum: u16::MAX,
            packet_bytes_max: None,
            username: connect.user_name().map(SmolStr::new),
            password: connect.password().map(Bytes::copy_from_slice),
            will: will(connect.will_topic(), connect.will_payload()),
        })
    }

    fn read_v5(body: &[u8]) -> Result<Self, Refusal> {
        let (connect, used) = v5_0::Connect::parse(body).map_err(|_| Refusal::Malformed)?;
        if used != body.len() {
            return Err(Refusal::Malformed);
        }
        // CONNACK says that these are not available; a client that asks all the same must be refused (MQTT 5, 3.2.2.3).
        if connect.will_flag() && connect.will_qos() == Qos::ExactlyOnce {
            return Err(Refusal::QualityOfService);
        }
        if connect.will_flag() && connect.will_retain() {
            return Err(Refusal::Retain);
        }
        let mut greeting = Self {
            version: Version::V5,
            client_id: connect.client_id().into(),
            clean: connect.clean_start(),
            session_expiry_s: 0,
            keep_alive_s: connect.keep_alive(),
            receive_maximum: u16::MAX,
            packet_bytes_max: None,
            username: connect.user_name().map(SmolStr::new),
            password: connect.password().map(Bytes::copy_from_slice),
            will: will(connect.will_topic(), connect.will_payload()),
        };
        for property in connect.props() {
            if let Property::SessionExpiryInterval(seconds) = property {
                greeting.session_expiry_s = seconds.val();
            } else if let Property::ReceiveMaximum(messages) = property {
                greeting.receive_maximum = messages.val();
            } else if let Property::MaximumPacketSize(bytes) = property {
                greeting.packet_bytes_max = Some(bytes.val());
            } else if matches!(property, Property::AuthenticationMethod(_)) {
                return Err(Refusal::AuthenticationMethod);
            }
        }
        Ok(greeting)
    }
}

impl Refusal {
    /// The CONNACK that says so.
    pub fn connack(self, version: Version) -> Vec<u8> {
        match version {
            Version::V3 => vec![0x20, 2, 0, self.return_code()],
            Version::V5 => vec![0x20, 3, 0, self.reason_code(), 0],
        }
    }

    /// MQTT 3.1.1, table 3.1; what it has no word for is *server unavailable*.
    const fn return_code(self) -> u8 {
        match self {
            Self::Version => 1,
            Self::ClientId => 2,
            Self::WrongCredentials => 4,
            Self::NotPermitted | Self::AuthenticationMethod => 5,
            Self::Malformed | Self::Unavailable | Self::Busy | Self::Quota | Self::Retain | Self::QualityOfService => 3,
        }
    }

    /// MQTT 5, table 3-1.
    const fn reason_code(self) -> u8 {
        match self {
            Self::Malformed => 0x81,
            Self::Version => 0x84,
            Self::ClientId => 0x85,
            Self::WrongCredentials => 0x86,
            Self::NotPermitted => 0x87,
            Self::Unavailable => 0x88,
            Self::Busy => 0x89,
            Self::AuthenticationMethod => 0x8c,
            Self::Quota => 0x97,
            Self::Retain => 0x9a,
            Self::QualityOfService => 0x9b,
        }
    }
}

/// MQTT 3.1.1 forbids an answer to a malformed CONNECT; the connection is just closed.
fn unserved(version: Version, refusal: Refusal) -> Unserved {
    let silent = version == Version::V3 && refusal == Refusal::Malformed;
    Unserved { answer: if silent { Vec::new() } else { refusal.connack(version) } }
}

fn will(topic: Option<&str>, payload: Option<&[u8]>) -> Option<LastWill> {
    let payload = Bytes::copy_from_slice(payload.unwrap_or_default());
    topic.map(|topic| LastWill { topic: SmolStr::new(topic), payload })
}

/// The codec does not look at the reserved bit, nor at the bits of a will that is not there.
const fn connect_flags_are_legal(flags: u8) -> bool {
    let (reserved, will, qos, retain) = (flags & 1, flags & 0b100, (flags >> 3) & 0b11, flags & 0b10_0000);
    reserved == 0 && qos < 3 && (will != 0 || (qos == 0 && retain == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const V3: &[u8] = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01d";

    fn with(at: usize, byte: u8) -> Vec<u8> {
        let mut packet = V3.to_vec();
        packet[at] = byte;
        packet
    }

    #[test]
    fn a_plain_connect_is_read() {
        let greeting = Greeting::read(V3, 2).unwrap_or_else(|_| panic!("refused"));
        assert_eq!((greeting.client_id.as_str(), greeting.clean, greeting.keep_alive_s), ("d", true, 60));
        assert_eq!((greeting.username, greeting.session_expiry_s), (None, 0));
    }

    #[test]
    fn what_is_not_served_gets_the_answer_mqtt_has_for_it() {
        let answer = |packet: &[u8]| Greeting::read(packet, 2).err().map(|unserved| unserved.answer);
        assert_eq!(answer(&with(8, 6)), Some(vec![0x20, 2, 0, 1]), "version of the future");
        assert_eq!(answer(b"\x10\x10\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x02dd"), Some(vec![0x20, 2, 0, 1]), "3.1");
        assert_eq!(answer(&with(0, 0xc0)), Some(vec![]), "not a CONNECT");
        assert_eq!(answer(&with(4, b'X')), Some(vec![]), "not MQTT");
        assert_eq!(answer(&with(9, 3)), Some(vec![]), "reserved flag");
        assert_eq!(answer(b"\x10\x0c\x00\x04MQTT\x04\x00\x00\x3c\x00\x00"), Some(vec![0x20, 2, 0, 2]), "no id to keep");
        assert_eq!(answer(b"\x10\x0d\x00\x04MQTT\x05\x03\x00\x3c\x00\x00\x00"), Some(vec![0x20, 3, 0, 0x81, 0]));
        assert_eq!(answer(&[]), Some(vec![]));
    }

    #[test]
    fn a_topic_alias_maximum_of_zero_is_nothing_special() {
        // The codec's connection state would panic on it; its parser does not.
        let greeting = Greeting::read(b"\x10\x11\x00\x04MQTT\x05\x02\x00\x3c\x03\x22\x00\x00\x00\x01d", 2);
        assert_eq!(greeting.map(|greeting| greeting.client_id).ok().as_deref(), Some("d"));
    }
}
