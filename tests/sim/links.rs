//! Senders and their connections: QoS 1 as MQTT means it. What was not acknowledged is sent again over the next
//! connection, with DUP by those that mark it, as a fresh message by those that do not.

use super::record::{Named, Sent, What};
use rettidig::domain::event::{Event, Quarantined, Reply};
use rettidig::domain::ids::ContentHash;
use rettidig::domain::observation::{Finite, Identity, Observation, Observed, Quality, Value};
use rettidig::domain::reason::QuarantineReason;
use rettidig::domain::time::Timestamp;
use rettidig::domain::uplink::Ingress;
use std::collections::VecDeque;
use std::sync::Arc;

pub struct Link {
    pub name: String,
    /// Repeats carry DUP and their packet id.
    pub marks: bool,
    pub up: bool,
    pub connection: u64,
    pub queue: VecDeque<Queued>,
    /// Nothing on this connection arrives before this.
    pub busy_until: Timestamp,
    next_packet: u16,
}

#[derive(Clone)]
pub struct Queued {
    pub sent: Arc<Sent>,
    pub packet: u16,
    pub duplicate: bool,
    /// It is on its way over the present connection.
    pub under_way: bool,
}

impl Link {
    pub fn new(name: &str, marks: bool) -> Self {
        let queue = VecDeque::new();
        Self {
            name: name.to_owned(),
            marks,
            up: false,
            connection: 0,
            queue,
            busy_until: Timestamp::MIN,
            next_packet: 0,
        }
    }

    pub fn push(&mut self, sent: Arc<Sent>) {
        let packet = self.packet();
        self.queue.push_back(Queued { sent, packet, duplicate: false, under_way: false });
    }

    fn packet(&mut self) -> u16 {
        self.next_packet += 1;
        self.next_packet
    }

    pub fn down(&mut self) {
        self.up = false;
        for index in 0..self.queue.len() {
            if !self.queue[index].under_way {
                continue;
            }
            self.queue[index].under_way = false;
            if self.marks {
                self.queue[index].duplicate = true;
            } else {
                self.queue[index].packet = self.packet();
            }
        }
    }

    pub fn acknowledged(&mut self, packet: u16) {
        self.queue.retain(|queued| queued.packet != packet);
    }
}

/// The event that decoding would make of it.
pub fn event(sent: &Sent, client: &str, connection: u64, packet: Option<(u16, bool)>, now: Timestamp) -> Event {
    let ingress = Ingress {
        client: client.into(),
        connection,
        packet: packet.map(|(packet, _)| packet),
        duplicate_flag: packet.is_some_and(|(_, duplicate)| duplicate),
        content: content(sent),
    };
    match &sent.what {
        What::Value { asset, property, value, identity } => {
            let identity = match identity {
                Named::ByNetwork => Identity::Network(format!("{}", sent.truth).into()),
                Named::ByTime => Identity::DeviceTime(sent.observed_at),
                Named::Not => Identity::Redelivery,
            };
            let value = match *property {
                "tilt" => Value::Boolean(*value > 0.0),
                _ => Value::Number(Finite::new(*value).unwrap()),
            };
            let observation = Observation {
                property: (*property).into(),
                value,
                unit: "".into(),
                quality: Quality::Accepted,
                observed_at: sent.observed_at,
            };
            Event::Observed(Observed {
                device: format!("{asset}-sensor").as_str().into(),
                identity,
                ingress,
                received_at: now,
                clock_ahead: None,
                observations: vec![observation],
                redacted: Vec::new(),
                exercise: sent.exercise,
            })
        }
        What::Reply { crew, task, answer } => Event::Replied(Reply {
            crew: (*crew).into(),
            task: rettidig::domain::ids::TaskId(*task),
            answer: *answer,
            ingress,
            received_at: now,
        }),
        What::Garbage => Event::Quarantined(Quarantined {
            reason: QuarantineReason::Unparsable,
            detail: "nobody can read it".into(),
            topic: "".into(),
            device: None,
            ingress,
            received_at: now,
            head: bytes::Bytes::from_static(b"\xff\xfe"),
            length: 2,
        }),
    }
}

fn content(sent: &Sent) -> ContentHash {
    let timed = matches!(sent.what, What::Value { identity: Named::ByNetwork | Named::ByTime, .. });
    let text = format!("{:?} {:?}", sent.what, timed.then_some((sent.observed_at, sent.truth)));
    let mut hash = [0; 16];
    hash.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..16]);
    ContentHash(hash)
}
