//! A client that sends and expects bytes.

use crate::gateway::{Gateway, within};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct Wire(TcpStream);

#[derive(Clone)]
pub struct Connect {
    pub level: u8,
    pub name: String,
    pub password: &'static str,
    pub clean: bool,
    pub keep_alive_s: u16,
    pub properties: Vec<u8>,
    pub will: Option<(&'static str, &'static [u8])>,
    /// Extra connect flags.
    pub flags: u8,
}

pub fn v3(name: &str) -> Connect {
    Connect {
        level: 4,
        name: name.to_owned(),
        password: "secret",
        clean: true,
        keep_alive_s: 0,
        properties: vec![],
        will: None,
        flags: 0,
    }
}

pub fn v5(name: &str) -> Connect {
    Connect { level: 5, ..v3(name) }
}

impl Connect {
    /// Keeps the session: for ever in v3.1.1, for an hour in v5.
    pub fn persistent(mut self) -> Self {
        self.clean = false;
        if self.level == 5 {
            self.properties.extend([0x11, 0, 0, 0x0e, 0x10]);
        }
        self
    }

    pub fn property(mut self, bytes: &[u8]) -> Self {
        self.properties.extend(bytes);
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut flags = 0b1100_0000 | self.flags | u8::from(self.clean) << 1;
        let mut tail = text(&self.name);
        if let Some((topic, payload)) = self.will {
            flags |= 0b100;
            if self.level == 5 {
                tail.push(0);
            }
            tail.extend(text(topic));
            tail.extend((payload.len() as u16).to_be_bytes());
            tail.extend(payload);
        }
        tail.extend(text(&self.name));
        tail.extend(text(self.password));
        let mut body = text("MQTT");
        body.extend([self.level, flags]);
        body.extend(self.keep_alive_s.to_be_bytes());
        if self.level == 5 {
            body.push(self.properties.len() as u8);
            body.extend(&self.properties);
        }
        body.extend(tail);
        packet(0x10, &body)
    }
}

pub fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
}

pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut rest = body.len();
    loop {
        let more = if rest >= 128 { 0x80 } else { 0 };
        packet.push((rest % 128) as u8 | more);
        rest /= 128;
        if rest == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}

/// A PUBLISH of a v3.1.1 client with QoS 1.
pub fn publish3(topic: &str, id: u16, payload: &[u8]) -> Vec<u8> {
    packet(0x32, &[&text(topic)[..], &id.to_be_bytes(), payload].concat())
}

/// A PUBLISH of a v5 client with QoS 1 and no properties.
pub fn publish5(topic: &str, id: u16, payload: &[u8]) -> Vec<u8> {
    packet(0x32, &[&text(topic)[..], &id.to_be_bytes(), &[0], payload].concat())
}

pub fn puback(id: u16) -> Vec<u8> {
    packet(0x40, &id.to_be_bytes())
}

pub fn subscribe3(id: u16, filter: &str, qos: u8) -> Vec<u8> {
    packet(0x82, &[&id.to_be_bytes()[..], &text(filter), &[qos]].concat())
}

pub fn subscribe5(id: u16, filter: &str, qos: u8) -> Vec<u8> {
    packet(0x82, &[&id.to_be_bytes()[..], &[0], &text(filter), &[qos]].concat())
}

pub const PING: &[u8] = &[0xc0, 0];
pub const PONG: &[u8] = &[0xd0, 0];

impl Wire {
    pub async fn open(address: SocketAddr) -> Self {
        Self(within(TcpStream::connect(address)).await.unwrap())
    }

    /// Connects and returns the CONNACK.
    pub async fn greet(gateway: &Gateway, connect: &Connect) -> (Self, Vec<u8>) {
        let mut wire = Self::open(gateway.address()).await;
        wire.send(&connect.bytes()).await;
        let connack = wire.packet().await;
        (wire, connack)
    }

    /// Connects, and is accepted.
    pub async fn connect(gateway: &Gateway, connect: &Connect) -> Self {
        let (wire, connack) = Self::greet(gateway, connect).await;
        assert_eq!((connack[0], connack[3]), (0x20, 0), "{connack:x?}");
        wire
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        within(self.0.write_all(bytes)).await.unwrap();
    }

    pub async fn packet(&mut self) -> Vec<u8> {
        let mut packet = vec![0; 2];
        within(self.0.read_exact(&mut packet)).await.unwrap();
        assert!(packet[1] < 128, "short packets only");
        packet.resize(2 + usize::from(packet[1]), 0);
        within(self.0.read_exact(&mut packet[2..])).await.unwrap();
        packet
    }

    pub async fn expect(&mut self, packet: &[u8]) {
        assert_eq!(self.packet().await, packet);
    }

    /// Nothing but the answer to this PING is on its way: whatever was sent before has been dealt with.
    pub async fn expect_nothing(&mut self) {
        self.send(PING).await;
        self.expect(PONG).await;
    }

    /// Everything that still comes, until the endpoint closes.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        within(self.0.read_to_end(&mut rest)).await.unwrap();
        rest
    }
}
