//! What a packet from the client means: hand it on, answer it, or end the connection.
//!
//! A message is handed to the house before the next packet is looked at, so that order is kept; when the house makes it
//! wait, the connection waits with it. What is not permitted or too long is handed on as refused, never dropped.
//! Start with [`Connection::take_packets`].

use super::acknowledge::Acknowledge;
use super::connection::{Connection, Debt, Ending};
use super::frames::{self, Frame};
use super::greeting::Version;
use super::options::Limits;
use super::packets::Answer;
use super::permission::{FilterError, TopicFilter};
use super::ports::{BoxFuture, RefusedMessage, RefusedReason};
use super::protocol::{Goodbye, Incoming, Publish};
use crate::domain::uplink::{Ingress, Uplink};
use bytes::{Buf, Bytes};
use smol_str::SmolStr;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// A PUBLISH that is too long, while the rest of it passes by.
pub(super) struct Skipping {
    bytes_left: usize,
    qos: u8,
    message: RefusedMessage,
}

impl<S> Connection<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    /// Deals with the packets at hand, until one has to wait or the last is incomplete.
    ///
    /// # Errors
    /// With the reason, when the connection ends here.
    pub async fn take_packets(&mut self) -> Result<(), Ending> {
        while self.may_take() {
            if self.skipping.is_some() {
                if !self.skip().await {
                    return Ok(());
                }
                continue;
            }
            match frames::first(&self.inbox, self.context.limits.packet_bytes_max) {
                Frame::Incomplete { .. } => return Ok(()),
                Frame::Complete { bytes, .. } => {
                    self.check_window()?;
                    let incoming = self.protocol.read(&self.inbox[..bytes], &mut self.out);
                    self.inbox.advance(bytes);
                    self.take(incoming.map_err(|_| Ending::Violation)?).await?;
                }
                Frame::Oversize { header, bytes } => {
                    if !self.take_oversize(header, bytes).await? {
                        return Ok(());
                    }
                }
                Frame::Malformed => return Err(self.broken(Goodbye::Malformed)),
            }
        }
        Ok(())
    }

    /// Whether the next packet may be looked at.
    pub fn may_take(&self) -> bool {
        let window_open = self.protocol.version() == Version::V5 || self.owed.len() < self.window();
        let staying = self.draining_since.is_none() && self.closing.is_none();
        staying && window_open && self.holding.is_none() && self.pace.closed_until().is_none()
    }

    fn window(&self) -> usize {
        usize::from(self.context.limits.receive_maximum.max(1))
    }

    /// A v5 client knows the receive maximum. The codec counts packet ids; here messages are counted, so that one id
    /// sent many times is no way around it.
    fn check_window(&mut self) -> Result<(), Ending> {
        let first = self.inbox[0];
        let counts = frames::kind(first) == frames::PUBLISH && frames::qos(first) > 0;
        if counts && self.owed.len() >= self.window() {
            return Err(self.broken(Goodbye::ReceiveMaximum));
        }
        Ok(())
    }

    async fn take(&mut self, incoming: Incoming) -> Result<(), Ending> {
        match incoming {
            Incoming::Publish(publish) if publish.qos == 2 && self.protocol.version() == Version::V5 => {
                return self.refuse_quality(publish).await;
            }
            Incoming::Publish(publish) => self.take_message(publish).await,
            Incoming::Released { packet } => self.protocol.complete(packet, &mut self.out),
            Incoming::Acknowledged { packet, taken } => self.take_acknowledgement(packet, taken),
            Incoming::Subscribe { packet, filters } => self.take_subscription(packet, &filters),
            Incoming::Unsubscribe { packet, filters } => {
                let session = &self.seat.session;
                let existed =
                    |text: &SmolStr| TopicFilter::parse(text).is_ok_and(|filter| session.unsubscribe(&filter));
                let existed: Vec<_> = filters.iter().map(existed).collect();
                self.protocol.unsubscribed(packet, &existed, &mut self.out);
            }
            Incoming::Ping => self.protocol.pong(&mut self.out),
            Incoming::Disconnect { publish_will, session_expiry_s } => {
                if let Some(seconds) = session_expiry_s {
                    let asked = Duration::from_secs(seconds.into());
                    // A session that was to end with its connection cannot be kept after all (MQTT 5, 3.14.2.2.2).
                    if self.seat.keep_for.is_zero() && !asked.is_zero() {
                        return Err(self.broken(Goodbye::ProtocolError));
                    }
                    self.seat.keep_for = asked.min(self.context.limits.session_expiry_max);
                }
                return Err(Ending::Disconnected { publish_will });
            }
        }
        Ok(())
    }

    async fn take_message(&mut self, publish: Publish) {
        self.context.meters.received(publish.qos);
        if self.pace.count() {
            self.context.meters.rate_limited.increment(1);
        }
        let permitted = self.grant.publish.iter().any(|filter| filter.matches(&publish.topic));
        let acknowledge = match publish.packet {
            Some(packet) => self.owe(Debt { packet, qos: publish.qos, permitted }),
            None => Acknowledge::none(),
        };
        let ingress = self.ingress(&publish.topic, &publish.payload, publish.packet, publish.duplicate);
        let Publish { topic, payload, .. } = publish;
        let (received_at, context) = (self.received_at, &self.context);
        let future = if permitted {
            (context.ports.accept)(Uplink { topic, payload, ingress, received_at }, acknowledge)
        } else {
            context.meters.refused_topic.increment(1);
            let reason = RefusedReason::TopicNotPermitted;
            let head = Bytes::copy_from_slice(head(&payload, context.limits.head_bytes));
            let length = payload.len() as u64;
            (context.ports.refused)(RefusedMessage { topic, reason, ingress, received_at, length, head }, acknowledge)
        };
        self.hand_over(future).await;
    }

    /// CONNACK said that QoS 2 is not served: MQTT 5 leaves nothing but to disconnect. What was sent becomes a row all
    /// the same, so that somebody sees why a device is not heard.
    async fn refuse_quality(&mut self, publish: Publish) -> Result<(), Ending> {
        let context = &self.context;
        context.meters.received(publish.qos);
        context.meters.refused_quality.increment(1);
        let message = RefusedMessage {
            ingress: self.ingress(&publish.topic, &publish.payload, publish.packet, publish.duplicate),
            topic: publish.topic,
            reason: RefusedReason::QualityOfService,
            received_at: self.received_at,
            length: publish.payload.len() as u64,
            head: Bytes::copy_from_slice(head(&publish.payload, context.limits.head_bytes)),
        };
        let future = (context.ports.refused)(message, Acknowledge::none());
        self.close_after(Ending::QualityOfService, future).await
    }

    /// Hands on what ends the connection; the ending waits until that is taken.
    async fn close_after(&mut self, ending: Ending, future: BoxFuture<'static, ()>) -> Result<(), Ending> {
        self.closing = Some(ending);
        self.hand_over(future).await;
        if self.holding.is_some() { Ok(()) } else { Err(ending) }
    }

    fn ingress(&self, topic: &str, payload: &[u8], packet: Option<u16>, duplicate_flag: bool) -> Ingress {
        Ingress {
            client: self.grant.client.clone(),
            connection: self.number,
            packet,
            duplicate_flag,
            content: (self.context.ports.content_hash)(topic, payload),
        }
    }

    /// Gives a message to the house; if it has to wait, the loop waits for it.
    async fn hand_over(&mut self, mut future: BoxFuture<'static, ()>) {
        let done = poll_fn(|task| Poll::Ready(future.as_mut().poll(task).is_ready())).await;
        if !done {
            self.context.meters.held_back.increment(1);
            self.holding = Some(future);
        }
    }

    fn take_acknowledgement(&mut self, packet: u16, taken: bool) {
        let Some(key) = self.seat.session.finish(self.seat.number, packet) else { return };
        if taken {
            self.context.meters.outgoing_delivered.increment(1);
            (self.context.ports.delivered)(&self.grant.client, key);
        } else {
            self.context.meters.outgoing_declined.increment(1);
        }
    }

    fn take_subscription(&mut self, packet: u16, filters: &[(SmolStr, u8)]) {
        let answers: Vec<_> = filters.iter().map(|(filter, qos)| self.subscribe(filter, *qos)).collect();
        // SUBACK stands in the buffer before dispatch can publish anything.
        self.protocol.subscribed(packet, &answers, &mut self.out);
        for ((filter, _), answer) in filters.iter().zip(&answers) {
            if matches!(answer, Answer::Granted { .. }) {
                (self.context.ports.subscribed)(&self.grant.client, filter);
            }
        }
    }

    fn subscribe(&self, text: &str, qos: u8) -> Answer {
        let filter = match TopicFilter::parse(text) {
            Ok(filter) => filter,
            Err(FilterError::Shared) => return Answer::Shared,
            Err(FilterError::Length | FilterError::ManyLevels | FilterError::OneLevel) => return Answer::InvalidFilter,
        };
        if !self.grant.subscribe.iter().any(|permitted| permitted.covers(&filter)) {
            return Answer::NotPermitted;
        }
        let qos = qos.min(1);
        if self.seat.session.subscribe(filter, qos, self.context.limits.subscriptions_max) {
            Answer::Granted { qos }
        } else {
            Answer::TooMany
        }
    }

    /// Reports a packet that is too long, as soon as its beginning is here. False when more of it must be read first.
    async fn take_oversize(&mut self, header: usize, bytes: usize) -> Result<bool, Ending> {
        let Limits { packet_bytes_max, head_bytes, .. } = self.context.limits;
        let wanted = bytes.min(packet_bytes_max.max(header));
        if self.inbox.len() < wanted {
            return Ok(false);
        }
        self.check_window()?;
        let v5 = self.protocol.version() == Version::V5;
        let first = self.inbox[0];
        let beginning = frames::publish_head(&self.inbox[..wanted], header, v5);
        let publish = beginning.filter(|_| frames::kind(first) == frames::PUBLISH);
        let Some(publish) = publish else { return Err(Ending::Oversize) };
        let payload = &self.inbox[publish.payload_at..wanted];
        let message = RefusedMessage {
            ingress: self.ingress(&publish.topic, payload, publish.packet, publish.duplicate),
            topic: publish.topic,
            reason: RefusedReason::Oversize,
            received_at: self.received_at,
            length: (bytes - publish.payload_at) as u64,
            head: Bytes::copy_from_slice(head(payload, head_bytes)),
        };
        if !v5 {
            self.skipping = Some(Skipping { bytes_left: bytes, qos: frames::qos(first), message });
            return Ok(true);
        }
        // The client was told the limit: this is a protocol error, and MQTT 5 leaves nothing but to disconnect. What
        // it sent becomes a row all the same, before the connection is closed.
        self.context.meters.refused_oversize.increment(1);
        let future = (self.context.ports.refused)(message, Acknowledge::none());
        self.close_after(Ending::Oversize, future).await.map(|()| false)
    }

    /// Lets the rest of a long message pass by; when it is all here, hands it on as refused and owes its PUBACK: v3.1.1
    /// has no other way to stop the client from sending it for ever. False when more must be read first.
    async fn skip(&mut self) -> bool {
        let Some(mut skipping) = self.skipping.take() else { return true };
        let passed = skipping.bytes_left.min(self.inbox.len());
        self.inbox.advance(passed);
        skipping.bytes_left -= passed;
        if skipping.bytes_left > 0 {
            self.skipping = Some(skipping);
            return false;
        }
        let meters = &self.context.meters;
        meters.refused_oversize.increment(1);
        if self.pace.count() {
            meters.rate_limited.increment(1);
        }
        let acknowledge = match skipping.message.ingress.packet {
            Some(packet) => self.owe(Debt { packet, qos: skipping.qos, permitted: true }),
            None => Acknowledge::none(),
        };
        self.hand_over((self.context.ports.refused)(skipping.message, acknowledge)).await;
        true
    }

    fn broken(&mut self, goodbye: Goodbye) -> Ending {
        self.protocol.violation(goodbye, &mut self.out);
        Ending::Violation
    }
}

fn head(payload: &[u8], bytes_max: usize) -> &[u8] {
    payload.get(..bytes_max).unwrap_or(payload)
}
