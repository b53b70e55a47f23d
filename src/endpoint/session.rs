//! One client's session: what it subscribed to, and the messages it has not acknowledged.
//!
//! A session outlives its connections within this process. It does not outlive the gateway: after a restart there is no
//! session, the client subscribes again, and dispatch publishes again what is pending. Messages are taken only while
//! the client is connected; what waits longer is dispatch's to keep. Start with [`Session::offer`].

use super::acknowledge::Line;
use super::permission::TopicFilter;
use super::ports::DeliveryKey;
use crate::domain::ids::ClientId;
use bytes::Bytes;
use smol_str::SmolStr;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What became of a message that was handed to the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handed {
    /// It goes out with QoS 1; `Ports::delivered` follows when the client acknowledges it, over reconnections too.
    Taken,
    /// A message with this key is already held and not yet acknowledged; nothing was added.
    Held,
    /// The client asked for QoS 0: the message goes out once and nothing will ever be heard of it.
    Unconfirmed,
}

/// Why a message was not taken. The caller keeps it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    #[error("client \"{0}\" is not connected")]
    NotConnected(ClientId),
    #[error("client \"{client}\" has not subscribed to \"{topic}\"")]
    NotSubscribed { client: ClientId, topic: SmolStr },
    #[error("client \"{client}\" has {held} messages that it has not acknowledged")]
    Full { client: ClientId, held: usize },
    #[error("a packet of {bytes} bytes is more than client \"{client}\" takes ({bytes_max})")]
    TooLarge { client: ClientId, bytes: usize, bytes_max: usize },
    #[error("\"{0}\" is no topic to publish on")]
    InvalidTopic(SmolStr),
}

impl PublishError {
    /// Whether the same message may be taken later.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        match self {
            Self::NotConnected(_) | Self::NotSubscribed { .. } | Self::Full { .. } => true,
            Self::TooLarge { .. } | Self::InvalidTopic(_) => false,
        }
    }
}

/// How much one connection of the session takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capacity {
    pub packet_bytes_max: usize,
    pub in_flight_max: usize,
}

/// A message to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ToSend {
    pub topic: SmolStr,
    pub payload: Bytes,
    pub packet: Option<u16>,
    pub duplicate: bool,
}

#[derive(Debug)]
pub(super) struct Session {
    pub client: ClientId,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    subscriptions: BTreeMap<TopicFilter, u8>,
    /// In the order of publishing; the first `in_flight` of them are written on the present connection.
    outgoing: VecDeque<Message>,
    in_flight: usize,
    last_packet: u16,
    /// Counts connections; what belongs to an earlier one is ignored.
    seat: u64,
    connection: Option<Place>,
    /// When a session without connection is forgotten.
    ends_at: Option<Instant>,
}

/// Who sits in the session at present.
#[derive(Debug)]
struct Place {
    line: Arc<Line>,
    /// The MQTT client identifier.
    name: SmolStr,
    capacity: Capacity,
}

#[derive(Debug)]
struct Message {
    key: DeliveryKey,
    topic: SmolStr,
    payload: Bytes,
    qos: u8,
    /// Given when it is first written; kept when it is written again.
    packet: Option<u16>,
}

impl Session {
    pub fn new(client: ClientId) -> Self {
        Self { client, state: Mutex::new(State::default()) }
    }

    /// Takes a message for the connected client and wakes its connection.
    pub fn offer(
        &self,
        topic: &str,
        payload: Bytes,
        key: DeliveryKey,
        outgoing_max: usize,
    ) -> Result<Handed, PublishError> {
        let mut state = self.state();
        let State { connection: Some(Place { line, capacity, .. }), subscriptions, outgoing, .. } = &mut *state else {
            return Err(PublishError::NotConnected(self.client.clone()));
        };
        let granted = subscriptions.iter().filter(|(filter, _)| filter.matches(topic)).map(|(_, qos)| *qos).max();
        let Some(qos) = granted else {
            return Err(PublishError::NotSubscribed { client: self.client.clone(), topic: topic.into() });
        };
        if outgoing.iter().any(|message| message.key == key) {
            return Ok(Handed::Held);
        }
        let bytes = packet_bytes(topic, &payload);
        if bytes > capacity.packet_bytes_max {
            let bytes_max = capacity.packet_bytes_max;
            return Err(PublishError::TooLarge { client: self.client.clone(), bytes, bytes_max });
        }
        if outgoing.len() >= outgoing_max {
            return Err(PublishError::Full { client: self.client.clone(), held: outgoing.len() });
        }
        outgoing.push_back(Message { key, topic: topic.into(), payload, qos, packet: None });
        line.ring();
        Ok(if qos == 0 { Handed::Unconfirmed } else { Handed::Taken })
    }

    /// Takes back the message with this key unless it has been written on the present connection: it is not wanted any
    /// more, and a client that comes back must not be told.
    pub fn withdraw(&self, key: DeliveryKey) -> bool {
        let mut state = self.state();
        let in_flight = state.in_flight;
        let at = state.outgoing.iter().skip(in_flight).position(|message| message.key == key);
        at.and_then(|at| state.outgoing.remove(in_flight + at)).is_some()
    }

    /// The next message to write on this connection, if its window has room. A message written on an earlier
    /// connection comes first and is marked as a duplicate.
    pub fn next_to_send(&self, seat: u64) -> Option<ToSend> {
        let mut state = self.state();
        let window = state.connection.as_ref()?.capacity.in_flight_max;
        let at = state.in_flight;
        if state.seat != seat || at >= window || at >= state.outgoing.len() {
            return None;
        }
        if state.outgoing[at].qos == 0 {
            let message = state.outgoing.remove(at)?;
            return Some(ToSend { topic: message.topic, payload: message.payload, packet: None, duplicate: false });
        }
        let duplicate = state.outgoing[at].packet.is_some();
        let packet = state.outgoing[at].packet.unwrap_or_else(|| state.free_packet());
        state.last_packet = if duplicate { state.last_packet } else { packet };
        state.in_flight += 1;
        let message = &mut state.outgoing[at];
        message.packet = Some(packet);
        let (topic, payload) = (message.topic.clone(), message.payload.clone());
        Some(ToSend { topic, payload, packet: Some(packet), duplicate })
    }

    /// Takes out the message that was written with this packet id: it is acknowledged, or cannot be sent at all.
    pub fn finish(&self, seat: u64, packet: u16) -> Option<DeliveryKey> {
        let mut state = self.state();
        let at = state.outgoing.iter().take(state.in_flight).position(|message| message.packet == Some(packet))?;
        if state.seat != seat {
            return None;
        }
        state.in_flight -= 1;
        state.outgoing.remove(at).map(|message| message.key)
    }

    /// Whether there was room for the subscription; the same filter again replaces the earlier one.
    pub fn subscribe(&self, filter: TopicFilter, qos: u8, subscriptions_max: usize) -> bool {
        let mut state = self.state();
        if !state.subscriptions.contains_key(&filter) && state.subscriptions.len() >= subscriptions_max {
            return false;
        }
        state.subscriptions.insert(filter, qos);
        true
    }

    /// Whether there was such a subscription.
    pub fn unsubscribe(&self, filter: &TopicFilter) -> bool {
        self.state().subscriptions.remove(filter).is_some()
    }

    pub fn filters(&self) -> Vec<TopicFilter> {
        self.state().subscriptions.keys().cloned().collect()
    }

    /// Gives the session to a connection and returns its number, and line and name of the one that had it.
    pub fn sit_down(&self, line: Arc<Line>, name: SmolStr, capacity: Capacity) -> (u64, Option<(Arc<Line>, SmolStr)>) {
        let mut state = self.state();
        state.seat += 1;
        state.in_flight = 0;
        state.ends_at = None;
        let earlier = state.connection.replace(Place { line, name, capacity }).map(|place| (place.line, place.name));
        (state.seat, earlier)
    }

    /// The connection with this number has ended. Whether the session was still its own.
    pub fn stand_up(&self, seat: u64, ends_at: Instant) -> bool {
        let mut state = self.state();
        if state.seat != seat {
            return false;
        }
        state.connection = None;
        state.in_flight = 0;
        state.ends_at = Some(ends_at);
        // QoS 0 is promised nothing.
        state.outgoing.retain(|message| message.qos > 0);
        true
    }

    /// Forgets subscriptions and messages.
    pub fn clear(&self) {
        let mut state = self.state();
        state.subscriptions.clear();
        state.outgoing.clear();
        state.in_flight = 0;
    }

    /// Messages it has not acknowledged.
    pub fn outgoing(&self) -> usize {
        self.state().outgoing.len()
    }

    pub fn has_ended(&self, now: Instant) -> bool {
        let state = self.state();
        state.connection.is_none() && state.ends_at.is_some_and(|ends_at| ends_at <= now)
    }

    pub fn line(&self) -> Option<Arc<Line>> {
        self.state().connection.as_ref().map(|place| Arc::clone(&place.line))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is a few assignments that cannot panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The next packet id that no held message has; there are far fewer messages than ids.
    fn free_packet(&self) -> u16 {
        let mut packet = self.last_packet;
        loop {
            packet = packet.checked_add(1).unwrap_or(1);
            if self.outgoing.iter().all(|message| message.packet != Some(packet)) {
                return packet;
            }
        }
    }
}

/// The time at which a session without connection is forgotten.
pub(super) fn ends_at(now: Instant, expiry: Duration) -> Instant {
    now.checked_add(expiry).unwrap_or(now)
}

/// The longest form of a PUBLISH: five bytes of header, topic, packet id, an empty property list.
const fn packet_bytes(topic: &str, payload: &Bytes) -> usize {
    5 + 2 + topic.len() + 2 + 1 + payload.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPACITY: Capacity = Capacity { packet_bytes_max: 100, in_flight_max: 2 };

    fn connected(qos: u8) -> (Session, u64) {
        let session = Session::new("crew-7".into());
        let (seat, earlier) = session.sit_down(Arc::new(Line::new(1)), SmolStr::default(), CAPACITY);
        assert!(earlier.is_none());
        assert!(session.subscribe(TopicFilter::parse("tasks/#").unwrap(), qos, 1));
        (session, seat)
    }

    fn offer(session: &Session, key: u64) -> Result<Handed, PublishError> {
        session.offer("tasks/1", Bytes::from_static(b"go"), DeliveryKey(key), 3)
    }

    fn packets(session: &Session, seat: u64) -> Vec<(Option<u16>, bool)> {
        std::iter::from_fn(|| session.next_to_send(seat)).map(|message| (message.packet, message.duplicate)).collect()
    }

    #[test]
    fn the_window_opens_as_messages_are_acknowledged() {
        let (session, seat) = connected(1);
        for key in 1..=3 {
            assert_eq!(offer(&session, key), Ok(Handed::Taken));
        }
        assert_eq!(offer(&session, 2), Ok(Handed::Held));
        assert_eq!(offer(&session, 4), Err(PublishError::Full { client: "crew-7".into(), held: 3 }));
        assert_eq!(packets(&session, seat), vec![(Some(1), false), (Some(2), false)]);
        assert_eq!(session.finish(seat, 2), Some(DeliveryKey(2)));
        assert_eq!(session.finish(seat, 2), None);
        assert_eq!(packets(&session, seat), vec![(Some(3), false)]);
        assert_eq!(session.finish(seat, 1), Some(DeliveryKey(1)));
        assert_eq!(session.finish(seat, 3), Some(DeliveryKey(3)));
    }

    #[test]
    fn unacknowledged_messages_are_sent_again_as_duplicates_in_their_order() {
        let (session, first) = connected(1);
        for key in 1..=3 {
            offer(&session, key).unwrap();
        }
        assert_eq!(packets(&session, first), vec![(Some(1), false), (Some(2), false)]);
        assert!(session.stand_up(first, Instant::now()));
        assert_eq!(offer(&session, 4), Err(PublishError::NotConnected("crew-7".into())));

        let (second, _) = session.sit_down(Arc::new(Line::new(1)), SmolStr::default(), CAPACITY);
        assert_eq!(session.finish(first, 1), None, "an acknowledgement of the earlier connection");
        assert_eq!(packets(&session, second), vec![(Some(1), true), (Some(2), true)]);
        assert_eq!(packets(&session, first), vec![]);
        session.finish(second, 1);
        assert_eq!(packets(&session, second), vec![(Some(3), false)], "never written before");
    }

    #[test]
    fn packet_ids_go_round_past_those_in_use() {
        let (session, seat) = connected(1);
        session.state().last_packet = u16::MAX - 1;
        offer(&session, 1).unwrap();
        offer(&session, 2).unwrap();
        assert_eq!(packets(&session, seat), vec![(Some(u16::MAX), false), (Some(1), false)]);
        session.finish(seat, 1);
        session.state().last_packet = u16::MAX - 1;
        offer(&session, 3).unwrap();
        assert_eq!(packets(&session, seat), vec![(Some(1), false)]);
    }

    #[test]
    fn qos_0_is_written_once_and_forgotten() {
        let (session, seat) = connected(0);
        assert_eq!(offer(&session, 1), Ok(Handed::Unconfirmed));
        assert_eq!(packets(&session, seat), vec![(None, false)]);
        assert_eq!(offer(&session, 2), Ok(Handed::Unconfirmed));
        session.stand_up(seat, Instant::now());
        let (seat, _) = session.sit_down(Arc::new(Line::new(1)), SmolStr::default(), CAPACITY);
        assert_eq!(packets(&session, seat), vec![]);
    }

    #[test]
    fn what_can_never_be_taken_is_told_from_what_can_be_taken_later() {
        let (session, _) = connected(1);
        let elsewhere = session.offer("other", Bytes::new(), DeliveryKey(1), 3).unwrap_err();
        assert!(matches!(elsewhere, PublishError::NotSubscribed { .. }) && elsewhere.retryable());
        let large = session.offer("tasks/1", Bytes::from(vec![0; 90]), DeliveryKey(1), 3).unwrap_err();
        assert!(matches!(large, PublishError::TooLarge { bytes: 107, .. }) && !large.retryable());
        assert!(!session.subscribe(TopicFilter::parse("more").unwrap(), 1, 1));
        assert!(session.subscribe(TopicFilter::parse("tasks/#").unwrap(), 0, 1));
    }
}
