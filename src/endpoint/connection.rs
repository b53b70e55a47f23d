//! One client being served: a loop that reads, hands on, acknowledges and writes.
//!
//! Whatever the loop waits for, it keeps writing: a client that is held back still gets its acknowledgements. It does
//! not read while a message waits to be accepted, while the client's rate or window is used up, or while the client
//! does not take what is written; keep alive does not run meanwhile. What packets mean stands in `incoming`.
//! Start with [`Connection::run`].

use super::acknowledge::{Acknowledge, Line, Order, Owed};
use super::context::Context;
use super::express::Express;
use super::incoming::Skipping;
use super::pace::Pace;
use super::ports::{BoxFuture, Gone, Grant, LastWill};
use super::presence::Presence;
use super::protocol::{Goodbye, Outgoing, Protocol};
use super::sessions::Seat;
use crate::domain::time::Timestamp;
use crate::telemetry::endpoint::Ended;
use bytes::BytesMut;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep_until, timeout};

/// An idle connection keeps this much for reading; a busy one up to the larger.
pub(super) const CHUNK_BYTES_MIN: usize = 2 * 1024;
const CHUNK_BYTES_MAX: usize = 64 * 1024;
/// With more than this unwritten, nothing is read and no message to the client is added.
const OUT_BYTES_MAX: usize = 256 * 1024;
/// How long a client has for taking our last words.
const FAREWELL_WITHIN: Duration = Duration::from_secs(1);

pub(super) struct Connection<S> {
    pub reader: ReadHalf<S>,
    pub writer: WriteHalf<S>,
    pub inbox: BytesMut,
    pub out: BytesMut,
    /// How much is read at once.
    pub chunk: usize,
    /// Bytes may lie in the TLS layer though `out` is empty.
    pub unflushed: bool,
    pub protocol: Protocol,
    /// Never used twice.
    pub number: u64,
    pub context: Arc<Context>,
    pub grant: Grant,
    pub seat: Seat,
    pub line: Arc<Line>,
    pub owed: Owed<Debt>,
    /// A message that waits to be accepted.
    pub holding: Option<BoxFuture<'static, ()>>,
    /// The rest of a packet that is too long.
    pub skipping: Option<Skipping>,
    pub pace: Pace,
    pub silence_max: Duration,
    pub heard_at: Instant,
    /// When the client last took bytes, or had nothing to take.
    pub progress_at: Instant,
    pub draining_since: Option<Instant>,
    /// How the connection ends once nothing waits to be accepted.
    pub closing: Option<Ending>,
    /// When the bytes in `inbox` arrived.
    pub received_at: Timestamp,
    pub last_will: Option<LastWill>,
    pub presence: Presence,
}

/// A PUBACK that is owed, or for QoS 2 a PUBREC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Debt {
    pub packet: u16,
    pub qos: u8,
    pub permitted: bool,
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// DISCONNECT; `publish_will` when the client wants its will told all the same.
    Disconnected {
        publish_will: bool,
    },
    Lost,
    Silent,
    Stuck,
    TakenOver,
    Expelled,
    Violation,
    Oversize,
    QualityOfService,
    Abandoned,
    ShuttingDown,
}

impl<S> Connection<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    /// Serves the client until one of the two leaves.
    pub async fn run(mut self) {
        let ending = self.serve().await;
        self.leave(ending).await;
    }

    async fn serve(&mut self) -> Ending {
        let context = Arc::clone(&self.context);
        let mut alarm = pin!(sleep_until(Instant::now() + self.silence_max));
        loop {
            let now = Instant::now();
            self.pace.look_at(now);
            if self.out.is_empty() && !self.unflushed {
                // Nothing was owed while it was quiet: the time to take what follows begins here.
                self.progress_at = now;
            }
            self.write_acknowledgements();
            if let Some(ending) = self.told_to_leave() {
                return ending;
            }
            if let Err(ending) = self.take_packets().await {
                return ending;
            }
            // After the packets: an acknowledgement among them may have opened the window.
            self.write_messages();
            let reading = self.may_read();
            if !reading {
                // A client that we hold back is not silent.
                self.heard_at = now;
            }
            if let Some(ending) = self.overdue(now) {
                return ending;
            }
            let wake_at = self.wake_at();
            if wake_at < alarm.deadline() || alarm.is_elapsed() {
                alarm.as_mut().reset(wake_at);
            }
            self.settle(!reading || self.draining_since.is_some());
            let Self { reader, writer, inbox, out, unflushed, line, holding, .. } = self;
            tokio::select! {
                biased;
                () = context.shutdown.cancelled(), if self.draining_since.is_none() => self.draining_since = Some(now),
                written = write_some(writer, out, unflushed), if !out.is_empty() || *unflushed => match written {
                    Ok(bytes) => self.wrote(bytes, Instant::now()),
                    Err(_) => return Ending::Lost,
                },
                () = line.rung() => {}
                () = accepted(holding), if holding.is_some() => self.holding = None,
                read = read_some(reader, inbox, self.chunk), if reading => match read {
                    Ok(0) | Err(_) => return Ending::Lost,
                    Ok(bytes) => self.heard(bytes),
                },
                () = &mut alarm => {}
            }
        }
    }

    /// Takes a debt in; the message is acknowledged by what is given back.
    pub fn owe(&mut self, debt: Debt) -> Acknowledge {
        if let Some(express) = self.line.express() {
            express.desk().push((debt.qos == 1 && debt.permitted).then_some(debt.packet));
        }
        self.owed.push(debt)
    }

    /// Writes the PUBACKs that have been released, in the order in which the messages came. Those that have left
    /// already are only taken note of.
    fn write_acknowledgements(&mut self) {
        let Self { line, owed, protocol, out, unflushed, .. } = self;
        let mut desk = line.express().map(Express::desk);
        let mut written = 0;
        while let Some(debt) = owed.next_released() {
            let before = out.len();
            protocol.acknowledge(debt.packet, debt.qos, debt.permitted, out);
            if desk.as_mut().is_some_and(|desk| desk.collect()) {
                out.truncate(before);
            } else {
                written += 1;
            }
        }
        if let Some(mut desk) = desk {
            let writing = !out.is_empty() || *unflushed;
            prepend(out, &desk.settle(writing, true));
        }
        if written > 0 {
            self.context.meters.acknowledged.increment(written);
        }
    }

    /// Before it waits: may PUBACKs leave meanwhile without a word to it?
    fn settle(&mut self, attentive: bool) {
        let Self { line, out, unflushed, .. } = self;
        if let Some(express) = line.express() {
            let writing = !out.is_empty() || *unflushed;
            prepend(out, &express.desk().settle(writing, attentive));
        }
    }

    /// Writes messages to the client as far as its window reaches.
    fn write_messages(&mut self) {
        while self.out.len() < OUT_BYTES_MAX && self.draining_since.is_none() {
            let Some(message) = self.seat.session.next_to_send(self.seat.number) else { return };
            let outgoing = Outgoing {
                topic: &message.topic,
                payload: &message.payload,
                packet: message.packet,
                duplicate: message.duplicate,
            };
            let meters = &self.context.meters;
            if self.protocol.publish(&outgoing, &mut self.out) {
                if message.duplicate { &meters.outgoing_again } else { &meters.outgoing_sent }.increment(1);
            } else if let Some(packet) = message.packet {
                // The session was resumed by a client that takes less than before: it can never be sent.
                self.seat.session.finish(self.seat.number, packet);
                meters.outgoing_declined.increment(1);
            }
        }
    }

    fn told_to_leave(&self) -> Option<Ending> {
        match self.line.order() {
            Order::TakenOver => return Some(Ending::TakenOver),
            Order::Expelled => return Some(Ending::Expelled),
            Order::Serve => {}
        }
        if self.line.abandoned() {
            return Some(Ending::Abandoned);
        }
        if self.holding.is_some() {
            return None;
        }
        let drained = self.draining_since.is_some() && self.owed.len() == 0;
        self.closing.or(drained.then_some(Ending::ShuttingDown))
    }

    /// Whether more bytes are wanted: everything at hand is dealt with, and the client takes what is written.
    fn may_read(&self) -> bool {
        self.may_take() && self.out.len() < OUT_BYTES_MAX
    }

    fn overdue(&self, now: Instant) -> Option<Ending> {
        let limits = &self.context.limits;
        if now >= self.heard_at + self.silence_max {
            return Some(Ending::Silent);
        }
        if now >= self.progress_at + limits.write_within {
            return Some(Ending::Stuck);
        }
        let drained = self.draining_since.is_some_and(|since| now >= since + limits.drain_within);
        drained.then_some(Ending::ShuttingDown)
    }

    /// The next moment at which time alone changes something.
    fn wake_at(&self) -> Instant {
        let limits = &self.context.limits;
        let unwritten = !self.out.is_empty() || self.unflushed;
        [
            unwritten.then(|| self.progress_at + limits.write_within),
            self.pace.closed_until(),
            self.draining_since.map(|since| since + limits.drain_within),
        ]
        .into_iter()
        .flatten()
        .fold(self.heard_at + self.silence_max, Instant::min)
    }

    fn wrote(&mut self, bytes: usize, now: Instant) {
        self.progress_at = now;
        self.context.meters.sent_bytes.increment(bytes as u64);
    }

    /// Bytes have arrived. The next read is larger if they filled this one.
    fn heard(&mut self, bytes: usize) {
        self.heard_at = Instant::now();
        self.received_at = (self.context.ports.now)();
        self.context.meters.received_bytes.increment(bytes as u64);
        if bytes >= self.chunk {
            self.chunk = (self.chunk * 4).min(CHUNK_BYTES_MAX);
        } else if bytes < self.chunk / 16 {
            self.chunk = CHUNK_BYTES_MIN;
        }
    }

    /// Says goodbye, gives up the session and tells the house.
    async fn leave(mut self, ending: Ending) {
        let meters = &self.context.meters;
        meters.ended(ending.metered());
        if matches!(ending, Ending::Violation | Ending::Oversize | Ending::QualityOfService) {
            meters.misbehaved(self.grant.client.as_str(), ending.metered());
        }
        tracing::debug!(client = %self.grant.client, reason = ending.metered().as_str(), "connection ended");
        if let Some(express) = self.line.express() {
            prepend(&mut self.out, &express.desk().leave());
        }
        if let Some(goodbye) = ending.goodbye() {
            self.protocol.goodbye(goodbye, &mut self.out);
        }
        let last_will = self.last_will.take().filter(|_| ending.tells_will());
        let Self { reader, writer, mut out, seat, holding, owed, presence, .. } = self;
        drop((holding, owed, seat));
        presence.end(ending.told(), last_will);
        if ending != Ending::Lost {
            // A client that does not listen has only itself to blame.
            drop(timeout(FAREWELL_WITHIN, farewell(reader, writer, &mut out)).await);
        }
    }
}

impl Ending {
    /// What a v5 client is told; after a violation the codec has already said it.
    const fn goodbye(self) -> Option<Goodbye> {
        match self {
            Self::Silent => Some(Goodbye::KeepAlive),
            Self::TakenOver => Some(Goodbye::TakenOver),
            Self::Expelled => Some(Goodbye::Expelled),
            Self::Oversize => Some(Goodbye::PacketTooLarge),
            Self::QualityOfService => Some(Goodbye::QualityOfService),
            Self::Abandoned => Some(Goodbye::CannotAcknowledge),
            Self::ShuttingDown => Some(Goodbye::ShuttingDown),
            Self::Disconnected { .. } | Self::Lost | Self::Stuck | Self::Violation => None,
        }
    }

    /// What the house is told. Of a take-over the connection that took over has told it already.
    const fn told(self) -> Option<Gone> {
        match self {
            Self::Disconnected { .. } => Some(Gone::Disconnected),
            Self::Lost | Self::Stuck => Some(Gone::Lost),
            Self::Silent => Some(Gone::Silent),
            Self::TakenOver => None,
            Self::Expelled => Some(Gone::Expelled),
            Self::Violation | Self::Oversize | Self::QualityOfService => Some(Gone::Misbehaved),
            Self::Abandoned | Self::ShuttingDown => Some(Gone::Closed),
        }
    }

    /// Whether the device is gone against its will, rather than because it or we chose so.
    const fn tells_will(self) -> bool {
        match self {
            Self::Disconnected { publish_will } => publish_will,
            Self::Lost | Self::Stuck | Self::Silent | Self::Violation | Self::Oversize | Self::QualityOfService => true,
            Self::TakenOver | Self::Expelled | Self::Abandoned | Self::ShuttingDown => false,
        }
    }

    const fn metered(self) -> Ended {
        match self {
            Self::Disconnected { .. } => Ended::Disconnected,
            Self::Lost => Ended::Lost,
            Self::Silent => Ended::Silent,
            Self::Stuck => Ended::Stuck,
            Self::TakenOver => Ended::TakenOver,
            Self::Expelled => Ended::Expelled,
            Self::Violation => Ended::Violation,
            Self::Oversize => Ended::Oversize,
            Self::QualityOfService => Ended::QualityOfService,
            Self::Abandoned => Ended::Abandoned,
            Self::ShuttingDown => Ended::ShuttingDown,
        }
    }
}

/// What another has begun to write goes first.
fn prepend(out: &mut BytesMut, rest: &[u8]) {
    if !rest.is_empty() {
        let after = std::mem::replace(out, BytesMut::from(rest));
        out.extend_from_slice(&after);
    }
}

/// Writes as much as goes at once; when all is written, pushes it through the TLS layer too.
/// May be dropped while it waits: what is still to be done stands in `out` and `unflushed`.
async fn write_some<W>(writer: &mut W, out: &mut BytesMut, unflushed: &mut bool) -> io::Result<usize>
where
    W: AsyncWrite + Unpin,
{
    let mut written = 0;
    if !out.is_empty() {
        *unflushed = true;
        written = writer.write_buf(out).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
    }
    if out.is_empty() {
        writer.flush().await?;
        *unflushed = false;
        // An idle connection gives back what a burst needed.
        if out.capacity() > CHUNK_BYTES_MIN {
            *out = BytesMut::new();
        }
    }
    Ok(written)
}

async fn read_some<R>(reader: &mut R, inbox: &mut BytesMut, chunk: usize) -> io::Result<usize>
where
    R: AsyncRead + Unpin,
{
    if inbox.is_empty() && inbox.capacity() > chunk * 4 {
        *inbox = BytesMut::new();
    }
    inbox.reserve(chunk);
    reader.read_buf(inbox).await
}

async fn accepted(holding: &mut Option<BoxFuture<'static, ()>>) {
    if let Some(future) = holding {
        future.await;
    }
}

/// Writes the last bytes, closes our side and waits for the client to close its own: closing with bytes unread would
/// reset the connection, and the client might never see why.
async fn farewell<R, W>(mut reader: R, mut writer: W, out: &mut BytesMut) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    writer.write_all_buf(out).await?;
    writer.shutdown().await?;
    let mut unread = [0_u8; 4 * 1024];
    while reader.read(&mut unread).await? > 0 {}
    Ok(())
}
