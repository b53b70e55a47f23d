//! Where one MQTT packet ends and the next begins.
//!
//! The codec is only given whole packets of a permitted size, so that nobody can make it set memory aside by announcing
//! a length. Of a PUBLISH that is too long the beginning is read here, so that it can be reported with its topic and
//! first bytes. Start with [`first`].

use smol_str::SmolStr;

pub(super) const PUBLISH: u8 = 3;

/// What stands at the front of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// More bytes are needed: so many in all, as far as can be told.
    Incomplete { bytes: usize },
    /// A packet of so many bytes, its fixed header among them.
    Complete { header: usize, bytes: usize },
    /// A packet longer than is permitted.
    Oversize { header: usize, bytes: usize },
    /// These bytes are no MQTT.
    Malformed,
}

/// The beginning of a PUBLISH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PublishHead {
    pub topic: SmolStr,
    pub packet: Option<u16>,
    pub duplicate: bool,
    /// Where the payload begins, counted from the first byte of the packet.
    pub payload_at: usize,
}

/// Looks at the front of `buffer`.
pub(super) fn first(buffer: &[u8], packet_bytes_max: usize) -> Frame {
    let Some(&[kind, ..]) = buffer.first_chunk::<1>() else { return Frame::Incomplete { bytes: 2 } };
    if !flags_are_legal(kind) {
        return Frame::Malformed;
    }
    match length(&buffer[1..]) {
        Length::Known { value, used } => {
            let (header, bytes) = (1 + used, 1 + used + value);
            if bytes > packet_bytes_max {
                Frame::Oversize { header, bytes }
            } else if buffer.len() < bytes {
                Frame::Incomplete { bytes }
            } else {
                Frame::Complete { header, bytes }
            }
        }
        Length::Incomplete => Frame::Incomplete { bytes: buffer.len() + 1 },
        Length::Malformed => Frame::Malformed,
    }
}

pub(super) const fn kind(first_byte: u8) -> u8 {
    first_byte >> 4
}

/// The quality of service of a PUBLISH, from its first byte.
pub(super) const fn qos(first_byte: u8) -> u8 {
    (first_byte >> 1) & 0b11
}

/// Reads the beginning of a PUBLISH from its first bytes; `header` is the length of its fixed header.
/// None when they do not hold a whole topic, packet id and property list.
pub(super) fn publish_head(packet: &[u8], header: usize, with_properties: bool) -> Option<PublishHead> {
    let (fixed, rest) = packet.split_at_checked(header)?;
    let first_byte = *fixed.first()?;
    let (topic_bytes, rest) = rest.split_first_chunk::<2>()?;
    let (topic, mut rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*topic_bytes)))?;
    let topic = SmolStr::new(std::str::from_utf8(topic).ok()?);
    let mut id = None;
    if qos(first_byte) > 0 {
        let (bytes, after) = rest.split_first_chunk::<2>()?;
        id = Some(u16::from_be_bytes(*bytes));
        rest = after;
    }
    if with_properties {
        let Length::Known { value, used } = length(rest) else { return None };
        rest = rest.split_at_checked(used + value)?.1;
    }
    let duplicate = first_byte & 0b1000 != 0;
    Some(PublishHead { topic, packet: id, duplicate, payload_at: packet.len() - rest.len() })
}

/// Flags are fixed for each kind of packet, except for PUBLISH (MQTT 2.1.3).
const fn flags_are_legal(first_byte: u8) -> bool {
    let flags = first_byte & 0b1111;
    match kind(first_byte) {
        0 => false,
        PUBLISH => qos(first_byte) < 3,
        6 | 8 | 10 => flags == 0b0010,
        _ => flags == 0,
    }
}

enum Length {
    Known { value: usize, used: usize },
    Incomplete,
    Malformed,
}

/// A variable byte integer: seven bits a byte, at most four bytes.
fn length(bytes: &[u8]) -> Length {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Length::Known { value, used: at + 1 };
        }
    }
    if bytes.len() < 4 { Length::Incomplete } else { Length::Malformed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_found_by_its_length() {
        assert_eq!(first(&[], 100), Frame::Incomplete { bytes: 2 });
        assert_eq!(first(&[0xc0], 100), Frame::Incomplete { bytes: 2 });
        assert_eq!(first(&[0xc0, 0, 0x30], 100), Frame::Complete { header: 2, bytes: 2 });
        assert_eq!(first(&[0x30, 5, 0, 1], 100), Frame::Incomplete { bytes: 7 });
        assert_eq!(first(&[0x30, 0x80], 100), Frame::Incomplete { bytes: 3 });
        assert_eq!(first(&[0x30, 0x80, 1], 100), Frame::Oversize { header: 3, bytes: 131 });
        assert_eq!(first(&[0x30, 0xff, 0xff, 0xff, 0x7f], 100), Frame::Oversize { header: 5, bytes: 268_435_460 });
    }

    #[test]
    fn what_no_packet_may_look_like_is_malformed() {
        for bytes in
            [&[0x00, 0][..], &[0x36, 0], &[0x80, 2], &[0x62 | 1, 2], &[0xc1, 0], &[0x30, 0xff, 0xff, 0xff, 0xff]]
        {
            assert_eq!(first(bytes, 100), Frame::Malformed, "{bytes:x?}");
        }
    }

    #[test]
    fn the_head_of_a_publish_is_read_without_its_end() {
        let packet = [0x3a, 0xff, 0x7f, 0, 3, b'a', b'/', b'b', 0, 9, 2, 1, 1, b'x', b'y'];
        let head = publish_head(&packet, 3, true).unwrap();
        assert_eq!(head, PublishHead { topic: "a/b".into(), packet: Some(9), duplicate: true, payload_at: 13 });
        assert_eq!(publish_head(&packet, 3, false).unwrap().payload_at, 10);
        assert_eq!(publish_head(&[0x30, 9, 0, 1, b'a', b'!'], 2, false).unwrap().packet, None);
        for cut in 0..13 {
            assert_eq!(publish_head(&packet[..cut], 3, true), None, "{cut}");
        }
    }
}
