//! Packets out of a broker's bytes, and what is known of a PUBLISH that is too long to be read.
//!
//! A broker may pass on 256 MiB in one message, and sends it again until it is acknowledged. Its head is kept and the
//! rest passes by, so that it costs its length in time and nothing else, and what is behind it comes through.
//! Nothing here does I/O. Start with [`Inflow::next`].

use bytes::{Buf, Bytes, BytesMut};
use rumqttc::Packet;
use rumqttc::mqttbytes::Error;

const PUBLISH: u8 = 3;

/// What has arrived whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrived {
    Packet(Packet),
    /// A PUBLISH longer than `packet_bytes_max`; all of it has passed by.
    Oversize(Head),
}

/// What is kept of a PUBLISH that is too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub topic: String,
    pub qos: u8,
    /// 0 where QoS is 0.
    pub packet: u16,
    pub duplicate_flag: bool,
    pub retained: bool,
    /// The payload's first bytes, at most `head_bytes`.
    pub payload: Bytes,
    /// Bytes of the whole payload.
    pub length: u64,
}

/// The unread bytes of one connection.
#[derive(Debug)]
pub(super) struct Inflow {
    pub buffer: BytesMut,
    packet_bytes_max: usize,
    head_bytes: usize,
    skipping: Option<Skipping>,
}

#[derive(Debug)]
struct Skipping {
    bytes_left: usize,
    head: Head,
}

impl Inflow {
    pub fn new(packet_bytes_max: usize, head_bytes: usize) -> Self {
        Self { buffer: BytesMut::new(), packet_bytes_max, head_bytes, skipping: None }
    }

    /// The next thing that is whole; none when more bytes are needed.
    ///
    /// # Errors
    /// When the bytes are no MQTT.
    pub fn next(&mut self) -> Result<Option<Arrived>, Error> {
        if self.skipping.is_some() {
            return Ok(self.skip());
        }
        let Some((header, bytes)) = frame(&self.buffer)? else { return Ok(None) };
        if bytes > self.packet_bytes_max {
            self.skipping = self.oversize(header, bytes)?;
            return Ok(self.skip());
        }
        if self.buffer.len() < bytes {
            self.buffer.reserve(bytes - self.buffer.len());
            return Ok(None);
        }
        Packet::read(&mut self.buffer, self.packet_bytes_max).map(|packet| Some(Arrived::Packet(packet)))
    }

    /// The head of a PUBLISH that is too long, once it is here.
    fn oversize(&self, header: usize, bytes: usize) -> Result<Option<Skipping>, Error> {
        let first = self.buffer[0];
        if first >> 4 != PUBLISH {
            return Err(Error::PayloadSizeLimitExceeded(bytes));
        }
        let qos = (first >> 1) & 0b11;
        let Some(length) = self.buffer.get(header..header + 2) else { return Ok(None) };
        let topic_at = header + 2;
        let packet_at = topic_at + usize::from(u16::from_be_bytes([length[0], length[1]]));
        let payload_at = packet_at + if qos > 0 { 2 } else { 0 };
        if payload_at > bytes {
            return Err(Error::MalformedPacket);
        }
        let head_end = bytes.min(payload_at + self.head_bytes);
        let Some(beginning) = self.buffer.get(..head_end) else { return Ok(None) };
        let topic = std::str::from_utf8(&beginning[topic_at..packet_at]).map_err(|_| Error::TopicNotUtf8)?;
        let head = Head {
            topic: topic.to_owned(),
            qos,
            packet: if qos > 0 { u16::from_be_bytes([beginning[packet_at], beginning[packet_at + 1]]) } else { 0 },
            duplicate_flag: first & 0b1000 != 0,
            retained: first & 1 != 0,
            payload: Bytes::copy_from_slice(&beginning[payload_at..]),
            length: (bytes - payload_at) as u64,
        };
        Ok(Some(Skipping { bytes_left: bytes, head }))
    }

    fn skip(&mut self) -> Option<Arrived> {
        let skipping = self.skipping.as_mut()?;
        let passed = skipping.bytes_left.min(self.buffer.len());
        self.buffer.advance(passed);
        skipping.bytes_left -= passed;
        if skipping.bytes_left > 0 {
            return None;
        }
        self.skipping.take().map(|skipping| Arrived::Oversize(skipping.head))
    }
}

/// The lengths of the first packet's header and of the whole packet, once they are here.
fn frame(buffer: &[u8]) -> Result<Option<(usize, usize)>, Error> {
    let mut length = 0;
    for (at, byte) in buffer.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((at + 2, at + 2 + length)));
        }
    }
    if buffer.len() < 5 { Ok(None) } else { Err(Error::MalformedRemainingLength) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn publish(first: u8, topic: &str, packet: Option<u16>, payload: &[u8]) -> Vec<u8> {
        let body = [
            &(topic.len() as u16).to_be_bytes()[..],
            topic.as_bytes(),
            &packet.map(|packet| packet.to_be_bytes().to_vec()).unwrap_or_default(),
            payload,
        ]
        .concat();
        let mut bytes = vec![first];
        let mut rest = body.len();
        loop {
            bytes.push((rest % 128) as u8 | if rest >= 128 { 0x80 } else { 0 });
            rest /= 128;
            if rest == 0 {
                break;
            }
        }
        bytes.extend(body);
        bytes
    }

    /// Everything that these bytes hold, given in pieces of this size.
    fn all(bytes: &[u8], piece: usize) -> Result<Vec<Arrived>, Error> {
        let (mut inflow, mut found) = (Inflow::new(100, 4), Vec::new());
        for part in bytes.chunks(piece) {
            inflow.buffer.extend_from_slice(part);
            while let Some(arrived) = inflow.next()? {
                found.push(arrived);
            }
            assert!(inflow.buffer.len() <= 300, "the rest of a long message is not kept");
        }
        Ok(found)
    }

    #[test]
    fn a_long_message_passes_by_and_its_head_is_kept() {
        let long = publish(0x3b, "up/bin-7", Some(9), &vec![b'x'; 5_000]);
        let bytes = [&[0xd0, 0][..], &long, &publish(0x32, "up/bin-7", Some(10), b"after"), &[0xd0, 0]].concat();
        let head = Head {
            topic: "up/bin-7".to_owned(),
            qos: 1,
            packet: 9,
            duplicate_flag: true,
            retained: true,
            payload: Bytes::from_static(b"xxxx"),
            length: 5_000,
        };
        for piece in [1, 2, 7, 99] {
            let found = all(&bytes, piece).unwrap();
            assert_eq!(found.len(), 4, "{piece}");
            assert_eq!((&found[0], &found[3]), (&Arrived::Packet(Packet::PingResp), &found[0]));
            assert_eq!(found[1], Arrived::Oversize(head.clone()));
            assert!(matches!(&found[2], Arrived::Packet(Packet::Publish(after)) if after.payload == "after"));
        }
    }

    #[test]
    fn what_is_long_and_no_message_is_refused() {
        assert!(all(&[0x90, 0xff, 0x7f, 0, 1], 5).is_err(), "a SUBACK");
        assert!(all(&[0x30, 0xff, 0xff, 0xff, 0xff, 1], 6).is_err(), "a length of five bytes");
        assert!(all(&[0x30, 0x80, 1, 0xff, 0xff], 5).is_err(), "a topic longer than its packet");
    }

    proptest! {
        #[test]
        fn no_bytes_can_panic_it(bytes in prop::collection::vec(any::<u8>(), 0..400), piece in 1usize..50) {
            let mut inflow = Inflow::new(100, 4);
            for part in bytes.chunks(piece) {
                inflow.buffer.extend_from_slice(part);
                while matches!(inflow.next(), Ok(Some(_))) {}
            }
        }
    }
}
