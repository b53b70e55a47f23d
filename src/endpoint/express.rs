//! PUBACKs that leave from the thread that releases them, without waking their connection.
//!
//! Waking a connection only to let it write four bytes costs a change of thread, which is a large part of what a sensor
//! waits when little else is going on. Where the socket is a plain one and the connection has nothing to write itself,
//! whoever releases a message writes its PUBACK, in the order in which the messages came and never by waiting. The
//! connection learns what has left when it wakes for another reason. In every other case it is woken and writes itself:
//! over TLS, for QoS 2 and for refusals, while bytes of its own are under way, when the socket is full, and while it
//! waits for room rather than for packets. Start with [`Express::send`].

use crate::telemetry::endpoint::Meters;
use metrics::Counter;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// PUBACKs in one write; more are the connection's affair.
const SENT_AT_ONCE: usize = 64;
const PUBACK_BYTES: usize = 4;

/// A socket that its connection reads and writes, and that [`Express`] writes too.
#[derive(Debug)]
pub(super) struct Plain(Arc<TcpStream>);

pub(super) struct Express {
    desk: Mutex<Desk>,
    acknowledged: Counter,
    sent_bytes: Counter,
}

/// What both sides agree on.
pub(super) struct Desk {
    socket: Option<Arc<TcpStream>>,
    /// Packet ids of the messages whose answer has not left, oldest first; none where the answer is no plain PUBACK.
    waiting: VecDeque<Option<u16>>,
    /// Messages released from here on are the connection's affair: the slot of the oldest in `waiting`.
    next: u32,
    slots: u32,
    /// Answers that have left and that the connection has not heard of.
    left: usize,
    /// What the socket did not take of a PUBACK; it goes before anything else.
    rest: Vec<u8>,
    /// The connection has bytes to write: nothing may come between them.
    writing: bool,
    /// The connection wants to know of every answer that leaves.
    attentive: bool,
}

/// What became of an attempt to send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sent {
    answers: usize,
    bytes: usize,
    /// Nothing is left for the connection to do.
    done: bool,
}

impl Plain {
    pub fn new(socket: TcpStream) -> (Self, Arc<TcpStream>) {
        let socket = Arc::new(socket);
        (Self(Arc::clone(&socket)), socket)
    }
}

impl AsyncRead for Plain {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(context))?;
            match self.0.try_read_buf(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }
}

impl AsyncWrite for Plain {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(context))?;
            match self.0.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(rustix::net::shutdown(&self.0, rustix::net::Shutdown::Write).map_err(io::Error::from))
    }
}

impl Express {
    /// For a connection with so many slots, which starts with bytes of its own to write.
    pub fn new(socket: Arc<TcpStream>, slots: u32, meters: &Meters) -> Self {
        let desk = Desk {
            socket: Some(socket),
            waiting: VecDeque::new(),
            next: 0,
            slots,
            left: 0,
            rest: Vec::new(),
            writing: true,
            attentive: true,
        };
        let (acknowledged, sent_bytes) = (meters.acknowledged.clone(), meters.sent_bytes.clone());
        Self { desk: Mutex::new(desk), acknowledged, sent_bytes }
    }

    /// Writes the PUBACKs of the oldest messages as far as they are released; false when the connection has something
    /// to do. Never waits: when the connection is at its desk this moment, it is the one to do it.
    pub fn send(&self, released: impl Fn(u32) -> bool) -> bool {
        let Ok(mut desk) = self.desk.try_lock() else { return false };
        let sent = desk.send(released);
        drop(desk);
        if sent.answers > 0 {
            self.acknowledged.increment(sent.answers as u64);
            self.sent_bytes.increment(sent.bytes as u64);
        }
        sent.done
    }

    pub fn desk(&self) -> MutexGuard<'_, Desk> {
        // Every change is a few assignments that cannot panic half-way.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    fn send(&mut self, released: impl Fn(u32) -> bool) -> Sent {
        let Some(socket) = self.socket.as_ref().filter(|_| !self.writing) else { return Sent::default() };
        let (mut bytes, mut count) = ([0; SENT_AT_ONCE * PUBACK_BYTES], 0);
        let chunks = bytes.chunks_exact_mut(PUBACK_BYTES);
        for ((chunk, packet), slot) in chunks.zip(&self.waiting).zip(self.next..) {
            let Some(packet) = packet.filter(|_| released(slot % self.slots)) else { break };
            let [high, low] = packet.to_be_bytes();
            chunk.copy_from_slice(&[0x40, 2, high, low]);
            count += 1;
        }
        // Of many the connection would have to write the rest.
        let more = count == SENT_AT_ONCE && self.waiting.len() > count;
        if count == 0 || more {
            return Sent::default();
        }
        let bytes = &bytes[..count * PUBACK_BYTES];
        // A socket that is full or broken is the connection's affair.
        let Ok(taken) = socket.try_write(bytes) else { return Sent::default() };
        let answers = taken.div_ceil(PUBACK_BYTES);
        self.rest.extend_from_slice(&bytes[taken..answers * PUBACK_BYTES]);
        self.writing = !self.rest.is_empty();
        self.waiting.drain(..answers);
        self.next = (self.next + answers as u32) % self.slots;
        self.left += answers;
        let more = !self.waiting.is_empty() && released(self.next);
        Sent { answers, bytes: taken, done: !more && !self.writing && !self.attentive }
    }

    /// A message has come in; `packet` when a plain PUBACK answers it.
    pub fn push(&mut self, packet: Option<u16>) {
        self.waiting.push_back(packet);
    }

    /// The connection has collected its oldest message. Whether the answer to it has left.
    pub fn collect(&mut self) -> bool {
        if self.left > 0 {
            self.left -= 1;
            return true;
        }
        self.waiting.pop_front();
        self.next = (self.next + 1) % self.slots;
        false
    }

    /// The connection says whether it is writing and whether it must hear of every answer. Gives what is to be
    /// written before anything else; then it is writing.
    pub fn settle(&mut self, writing: bool, attentive: bool) -> Vec<u8> {
        self.attentive = attentive;
        let rest = std::mem::take(&mut self.rest);
        self.writing = writing || !rest.is_empty();
        rest
    }

    /// The connection ends: from here on the socket is its alone.
    pub fn leave(&mut self) -> Vec<u8> {
        self.socket = None;
        std::mem::take(&mut self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::super::acknowledge::{Acknowledge, Line, Owed};
    use super::*;
    use proptest::prelude::*;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    /// Our side of a socket, and the client's.
    async fn sockets() -> (Arc<TcpStream>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (ours, _) = listener.accept().await.unwrap();
        ours.writable().await.unwrap();
        (Arc::new(ours), client)
    }

    /// A connection of which only the desk is there.
    struct Desked {
        line: Arc<Line>,
        owed: Owed<u16>,
        client: TcpStream,
        socket: Arc<TcpStream>,
    }

    impl Desked {
        async fn new(slots: u16) -> Self {
            let (socket, client) = sockets().await;
            let line = Arc::new(Line::new(slots).by(Arc::clone(&socket), &Meters::new()));
            let owed = Owed::new(Arc::clone(&line));
            Self { line, owed, client, socket }
        }

        fn desk(&self) -> MutexGuard<'_, Desk> {
            self.line.express().unwrap().desk()
        }

        fn owe(&mut self, packet: u16, plain: bool) -> Acknowledge {
            self.desk().push(plain.then_some(packet));
            self.owed.push(packet)
        }

        /// What the connection does when it wakes: it writes what has not left, and goes back to its wait.
        async fn wake(&mut self, attentive: bool) {
            let mut out = Vec::new();
            {
                let line = Arc::clone(&self.line);
                let mut desk = line.express().unwrap().desk();
                while let Some(packet) = self.owed.next_released() {
                    if !desk.collect() {
                        out.extend([0x40, 2]);
                        out.extend(packet.to_be_bytes());
                    }
                }
                let mut rest = desk.settle(true, attentive);
                rest.append(&mut out);
                out = rest;
            }
            let mut at = 0;
            while at < out.len() {
                self.socket.writable().await.unwrap();
                at += self.socket.try_write(&out[at..]).unwrap_or(0);
            }
            assert!(self.desk().settle(false, attentive).is_empty(), "somebody else has written meanwhile");
        }

        async fn read(&mut self, answers: usize) -> Vec<u16> {
            let mut bytes = vec![0; answers * PUBACK_BYTES];
            self.client.read_exact(&mut bytes).await.unwrap();
            bytes.chunks_exact(PUBACK_BYTES).map(|puback| u16::from_be_bytes([puback[2], puback[3]])).collect()
        }

        async fn rung(&self) -> bool {
            tokio::time::timeout(std::time::Duration::ZERO, self.line.rung()).await.is_ok()
        }
    }

    #[tokio::test]
    async fn an_answer_leaves_without_a_ring_when_the_connection_is_free() {
        let mut connection = Desked::new(8).await;
        let first = connection.owe(1, true);
        first.release();
        assert!(connection.rung().await, "it has its CONNACK to write yet");
        connection.wake(false).await;
        let [second, third] = [connection.owe(2, true), connection.owe(3, true)];
        third.release();
        assert!(connection.rung().await, "out of turn");
        second.release();
        assert_eq!(connection.read(3).await, vec![1, 2, 3]);
        assert!(!connection.rung().await);
        assert_eq!(connection.owed.next_released(), Some(2), "it learns of it later");
    }

    #[tokio::test]
    async fn the_connection_is_rung_for_what_only_it_can_answer_and_when_it_waits_for_room() {
        let mut connection = Desked::new(8).await;
        connection.wake(false).await;
        let mut batch = vec![connection.owe(1, true), connection.owe(2, false)];
        Acknowledge::release_all(&mut batch);
        assert_eq!(connection.read(1).await, vec![1]);
        assert!(connection.rung().await, "the second is no plain PUBACK");
        connection.wake(true).await;
        assert_eq!(connection.read(1).await, vec![2]);
        connection.owe(3, true).release();
        assert_eq!(connection.read(1).await, vec![3]);
        assert!(connection.rung().await, "it wants to hear of every answer");
    }

    #[tokio::test]
    async fn a_socket_that_is_full_is_left_to_the_connection() {
        let mut connection = Desked::new(u16::MAX).await;
        connection.wake(false).await;
        rustix::net::sockopt::set_socket_send_buffer_size(&connection.socket, 4_096).unwrap();
        rustix::net::sockopt::set_socket_recv_buffer_size(&connection.client, 4_096).unwrap();
        let (mut owed, mut rang) = (0_u16, false);
        // The client reads nothing until both buffers are full.
        while !rang && owed < 60_000 {
            connection.owe(owed, true).release();
            owed += 1;
            rang = connection.rung().await;
        }
        assert!(rang, "{owed} answers were taken");
        let client = std::mem::replace(&mut connection.client, sockets().await.1);
        let reading = async move {
            let (mut client, mut bytes) = (client, vec![0; usize::from(owed) * PUBACK_BYTES]);
            client.read_exact(&mut bytes).await.unwrap();
            bytes
                .chunks_exact(PUBACK_BYTES)
                .map(|puback| u16::from_be_bytes([puback[2], puback[3]]))
                .collect::<Vec<_>>()
        };
        let (answers, ()) = tokio::join!(reading, connection.wake(false));
        assert_eq!(answers, (0..owed).collect::<Vec<_>>());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn answers_leave_in_order_whoever_sends_them(
            slots in 1_u16..150,
            steps in prop::collection::vec((0_u8..8, any::<prop::sample::Index>(), any::<bool>()), 1..400),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut connection = Desked::new(slots).await;
                let (mut held, mut next) = (Vec::new(), 0_u16);
                for (step, pick, flag) in steps {
                    match step {
                        0..=3 if connection.owed.len() < usize::from(slots) => {
                            held.push(connection.owe(next, flag || step > 0));
                            next += 1;
                        }
                        4..=6 if !held.is_empty() => held.swap_remove(pick.index(held.len())).release(),
                        _ => connection.wake(flag).await,
                    }
                }
                Acknowledge::release_all(&mut held);
                connection.wake(false).await;
                assert_eq!(connection.read(usize::from(next)).await, (0..next).collect::<Vec<_>>());
                assert_eq!(connection.owed.len(), 0);
            });
        }
    }
}
