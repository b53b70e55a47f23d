//! A small MQTT 3.1.1 client that knows exactly which PUBLISH got its PUBACK: bytes over a socket, nothing hidden.
//!
//! [`Connection`] is one connection; [`Device`] is a conformant QoS 1 sender that survives connections and repeats
//! with DUP and the same packet id what it has no PUBACK for. Every wait has an end.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than anything here takes on a busy machine; reaching it is a failure.
pub const PATIENCE: Duration = Duration::from_secs(60);

const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;

#[derive(Clone, Debug)]
pub struct Login {
    pub client_id: String,
    /// None where everybody is let in.
    pub secret: Option<String>,
    /// Whether the session ends with the connection.
    pub clean: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    Acknowledged(u16),
    Subscribed(u8),
    Message { topic: String, payload: Vec<u8>, packet: Option<u16>, duplicate: bool },
    Pong,
    Other(u8),
}

pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    pub session_present: bool,
}

impl Connection {
    pub fn open(address: SocketAddr, login: &Login) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut connection = Self { stream, buffer: Vec::new(), session_present: false };
        let mut body = text("MQTT");
        let credentials = if login.secret.is_some() { 0xC0 } else { 0 };
        body.extend([4, u8::from(login.clean) << 1 | credentials, 0, 0]);
        body.extend(text(&login.client_id));
        if let Some(secret) = &login.secret {
            body.extend(text(&login.client_id));
            body.extend(text(secret));
        }
        connection.send(1, 0, &body)?;
        match connection.packet()? {
            (2, _, answer) if answer.len() == 2 && answer[1] == 0 => {
                connection.session_present = answer[0] & 1 == 1;
                Ok(connection)
            }
            (kind, _, answer) => {
                Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("packet {kind}: {answer:?}")))
            }
        }
    }

    /// For whoever speaks faster than one packet at a time. Nothing may have come in yet.
    pub fn into_stream(self) -> TcpStream {
        assert!(self.buffer.is_empty(), "something has come in already");
        self.stream
    }

    /// Waits so long for the next packet, and not as long as usual.
    pub fn give_up_after(&mut self, time: Duration) {
        self.stream.set_read_timeout(Some(time)).unwrap();
    }

    /// QoS 1 with a packet id, QoS 0 without.
    pub fn publish(&mut self, packet: Option<u16>, duplicate: bool, topic: &str, payload: &[u8]) -> io::Result<()> {
        let mut body = text(topic);
        body.extend(packet.map(u16::to_be_bytes).into_iter().flatten());
        body.extend(payload);
        self.send(PUBLISH, u8::from(duplicate) << 3 | u8::from(packet.is_some()) << 1, &body)
    }

    /// QoS 1; waits until it is granted. Messages that come before are an error.
    pub fn subscribe(&mut self, filter: &str) -> io::Result<()> {
        let mut body = vec![0, 1];
        body.extend(text(filter));
        body.push(1);
        self.send(8, 2, &body)?;
        match self.next()? {
            Packet::Subscribed(1) => Ok(()),
            other => Err(io::Error::other(format!("the subscription to {filter} was answered with {other:?}"))),
        }
    }

    pub fn acknowledge(&mut self, packet: u16) -> io::Result<()> {
        self.send(PUBACK, 0, &packet.to_be_bytes())
    }

    pub fn next(&mut self) -> io::Result<Packet> {
        let (kind, flags, body) = self.packet()?;
        let number = |at: usize| body.get(at..at + 2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
        let short = || io::Error::other(format!("packet {kind} is too short: {body:?}"));
        Ok(match kind {
            PUBACK => Packet::Acknowledged(number(0).ok_or_else(short)?),
            9 => Packet::Subscribed(*body.get(2).ok_or_else(short)?),
            PUBLISH => {
                let length = usize::from(number(0).ok_or_else(short)?);
                let topic = String::from_utf8_lossy(body.get(2..2 + length).ok_or_else(short)?).into_owned();
                let packet = if flags & 6 == 0 { None } else { Some(number(2 + length).ok_or_else(short)?) };
                let payload = body[2 + length + if packet.is_some() { 2 } else { 0 }..].to_vec();
                Packet::Message { topic, payload, packet, duplicate: flags & 8 != 0 }
            }
            13 => Packet::Pong,
            other => Packet::Other(other),
        })
    }

    /// Publishes with QoS 1 and waits for the PUBACK; nothing else may come before it.
    pub fn publish_acknowledged(&mut self, packet: u16, topic: &str, payload: &[u8]) -> io::Result<()> {
        self.publish(Some(packet), false, topic, payload)?;
        match self.next()? {
            Packet::Acknowledged(acknowledged) if acknowledged == packet => Ok(()),
            other => Err(io::Error::other(format!("packet {packet} was answered with {other:?}"))),
        }
    }

    /// Waits for the answer to a ping: whatever the other side had to say first would come before it.
    pub fn ping(&mut self) -> io::Result<Packet> {
        self.send(12, 0, &[])?;
        self.next()
    }

    pub fn disconnect(mut self) -> io::Result<()> {
        self.send(14, 0, &[])
    }

    pub fn send(&mut self, kind: u8, flags: u8, body: &[u8]) -> io::Result<()> {
        let mut packet = vec![kind << 4 | flags];
        let mut length = body.len();
        loop {
            let digit = (length % 128) as u8;
            length /= 128;
            packet.push(if length > 0 { digit | 0x80 } else { digit });
            if length == 0 {
                break;
            }
        }
        packet.extend(body);
        self.stream.write_all(&packet)
    }

    pub fn packet(&mut self) -> io::Result<(u8, u8, Vec<u8>)> {
        loop {
            if let Some((header, length)) = self.header()
                && self.buffer.len() >= header + length
            {
                let first = self.buffer[0];
                let body = self.buffer[header..header + length].to_vec();
                self.buffer.drain(..header + length);
                return Ok((first >> 4, first & 0xF, body));
            }
            let mut chunk = [0; 16 * 1024];
            let bytes = self.stream.read(&mut chunk)?;
            if bytes == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.buffer.extend(&chunk[..bytes]);
        }
    }

    /// Length of the header and of what follows, once both are here.
    fn header(&self) -> Option<(usize, usize)> {
        let mut length = 0;
        for (at, digit) in self.buffer.iter().skip(1).take(4).enumerate() {
            length |= usize::from(digit & 0x7F) << (7 * at);
            if digit & 0x80 == 0 {
                return Some((at + 2, length));
            }
        }
        None
    }
}

fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a text of MQTT has at most 65535 bytes");
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

/// One message, from its first sending to its PUBACK.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub packet: u16,
    pub topic: String,
    pub payload: Vec<u8>,
    sent: bool,
}

/// A sender that keeps what it has no PUBACK for, and sends it again over the next connection.
pub struct Device {
    pub login: Login,
    connection: Option<Connection>,
    waiting: VecDeque<Outgoing>,
    last_packet: u16,
}

impl Device {
    pub fn new(login: Login) -> Self {
        Self { login, connection: None, waiting: VecDeque::new(), last_packet: 0 }
    }

    pub fn connected(&self) -> bool {
        self.connection.is_some()
    }

    pub fn unacknowledged(&self) -> usize {
        self.waiting.len()
    }

    /// Connects and repeats, in order, what is not acknowledged.
    pub fn connect(&mut self, address: SocketAddr) -> io::Result<()> {
        let mut connection = Connection::open(address, &self.login)?;
        for message in &mut self.waiting {
            connection.publish(Some(message.packet), message.sent, &message.topic, &message.payload)?;
            message.sent = true;
        }
        self.connection = Some(connection);
        Ok(())
    }

    pub fn send(&mut self, topic: &str, payload: Vec<u8>) -> io::Result<()> {
        self.last_packet = self.last_packet % u16::MAX + 1;
        let packet = self.last_packet;
        self.waiting.push_back(Outgoing { packet, topic: topic.to_owned(), payload, sent: true });
        let last = self.waiting.back().expect("one was added");
        let sent = match &mut self.connection {
            Some(connection) => connection.publish(Some(packet), false, &last.topic, &last.payload),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        sent.inspect_err(|_| self.connection = None)
    }

    /// Waits for the next PUBACK and gives the message it is for.
    pub fn acknowledged(&mut self) -> io::Result<Outgoing> {
        let Some(connection) = &mut self.connection else { return Err(io::ErrorKind::NotConnected.into()) };
        let answer = connection.next().inspect_err(|_| self.connection = None)?;
        let Packet::Acknowledged(packet) = answer else {
            return Err(io::Error::other(format!("{} was told {answer:?}", self.login.client_id)));
        };
        let place = self.waiting.iter().position(|message| message.packet == packet);
        let place = place.unwrap_or_else(|| panic!("{}: PUBACK {packet} for nothing sent", self.login.client_id));
        Ok(self.waiting.remove(place).expect("it was just found"))
    }

    pub fn leave(&mut self) {
        if let Some(connection) = self.connection.take() {
            // Everything is acknowledged; a lost farewell loses nothing.
            drop(connection.disconnect());
        }
    }
}
