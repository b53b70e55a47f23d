//! What only a paused clock or a counted stream can show: time limits, writes in one piece, bytes that are no MQTT.
//!
//! The client side is an in-memory pipe. Everything a real socket can show stands in `tests/endpoint`.

use super::acknowledge::Acknowledge;
use super::context::Context;
use super::login::{Caller, converse};
use super::options::Limits;
use super::permission::TopicFilter;
use super::ports::{ClientStatus, DeliveryKey, Denied, Gone, Grant, Login, Ports, RefusedMessage};
use super::sessions::Sessions;
use crate::domain::ids::ContentHash;
use crate::domain::time::Timestamp;
use crate::domain::uplink::Uplink;
use crate::telemetry::endpoint::Meters;
use bytes::Bytes;
use proptest::prelude::*;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context as Task, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

struct Room {
    context: Arc<Context>,
    uplinks: mpsc::Receiver<(Uplink, Acknowledge)>,
    refused: mpsc::Receiver<(RefusedMessage, Acknowledge)>,
    statuses: mpsc::Receiver<ClientStatus>,
    tasks: TaskTracker,
}

fn room(limits: Limits, inbox: usize) -> Room {
    let (accepted, uplinks) = mpsc::channel(inbox);
    let (refusing, refused) = mpsc::channel(inbox);
    let (telling, statuses) = mpsc::channel(1_000);
    let ports = Ports {
        login: Arc::new(|login: &Login| {
            if login.password.as_deref() != Some(b"secret") {
                return Err(Denied::WrongCredentials);
            }
            let all = vec![TopicFilter::parse("t/#").unwrap()];
            Ok(Grant {
                client: login.username.as_deref().unwrap().into(),
                publish: all.clone(),
                subscribe: all,
                messages_per_s_max: None,
            })
        }),
        accept: Arc::new(move |uplink, acknowledge| {
            let accepted = accepted.clone();
            Box::pin(async move { accepted.send((uplink, acknowledge)).await.unwrap_or_default() })
        }),
        refused: Arc::new(move |message, acknowledge| {
            let refusing = refusing.clone();
            Box::pin(async move { refusing.send((message, acknowledge)).await.unwrap_or_default() })
        }),
        subscribed: Arc::new(|_, _| {}),
        delivered: Arc::new(|_, _| {}),
        status: Arc::new(move |status| telling.try_send(status).unwrap_or_default()),
        now: Arc::new(|| Timestamp::from_micros(1)),
        content_hash: |_, _| ContentHash([0; 16]),
    };
    let context = Arc::new(Context {
        ports,
        meters: Meters::new(),
        sessions: Arc::new(Sessions::new(limits.sessions_max)),
        tls: None,
        shutdown: CancellationToken::new(),
        belfry: Arc::default(),
        greetings: Arc::new(Semaphore::new(limits.greetings_max)),
        connections: Arc::new(Semaphore::new(limits.connections_max)),
        numbers: AtomicU64::new(0),
        limits,
    });
    let (belfry, shutdown) = (Arc::clone(&context.belfry), context.shutdown.clone());
    TaskTracker::new().spawn(async move { belfry.attend(shutdown).await });
    Room { context, uplinks, refused, statuses, tasks: TaskTracker::new() }
}

impl Room {
    fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(&self, stream: S) -> JoinHandle<()> {
        let greeting = Arc::clone(&self.context.greetings).try_acquire_owned().unwrap();
        let caller = Caller { peer: ([127, 0, 0, 1], 9).into(), over_tls: false, plain: None, _greeting: greeting };
        let deadline = Instant::now() + self.context.limits.connect_within;
        self.tasks.spawn(converse(stream, caller, None, deadline, Arc::clone(&self.context)))
    }

    /// A pipe that holds `bytes` in each direction, its other end served.
    fn pipe(&self, bytes: usize) -> DuplexStream {
        let (ours, theirs) = duplex(bytes);
        self.serve(theirs);
        ours
    }

    /// A v5 client, logged in; the CONNACK is read.
    async fn client(&self, keep_alive_s: u8) -> DuplexStream {
        let mut client = self.pipe(64 * 1024);
        client.write_all(&connect(keep_alive_s, "secret")).await.unwrap();
        let connack = read_packet(&mut client).await;
        assert_eq!((connack[0], connack[3]), (0x20, 0), "{connack:x?}");
        client
    }

    async fn gone(&mut self) -> Gone {
        loop {
            if let ClientStatus::Gone { why, .. } = self.statuses.recv().await.unwrap() {
                return why;
            }
        }
    }
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    assert!(body.len() < 128);
    [&[first, body.len() as u8], body].concat()
}

/// A v5 CONNECT of the user "u", keeping its session for a minute.
fn connect(keep_alive_s: u8, password: &str) -> Vec<u8> {
    let start =
        [0, 4, b'M', b'Q', b'T', b'T', 5, 0b1100_0000, 0, keep_alive_s, 5, 0x11, 0, 0, 0, 60, 0, 1, b'u', 0, 1, b'u'];
    packet(0x10, &[&start[..], &[0, password.len() as u8], password.as_bytes()].concat())
}

fn publish(id: u8) -> Vec<u8> {
    packet(0x32, &[0, 3, b't', b'/', b'a', 0, id, 0, id])
}

async fn read_packet(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut packet = vec![0; 2];
    stream.read_exact(&mut packet).await.unwrap();
    assert!(packet[1] < 128);
    packet.resize(2 + usize::from(packet[1]), 0);
    stream.read_exact(&mut packet[2..]).await.unwrap();
    packet
}

async fn read_to_end(stream: &mut DuplexStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    bytes
}

#[tokio::test(start_paused = true)]
async fn silence_of_one_and_a_half_keep_alives_ends_the_connection() {
    let mut room = room(Limits::default(), 10);
    let mut client = room.client(10).await;
    let start = Instant::now();
    tokio::time::sleep(Duration::from_secs(14)).await;
    client.write_all(&[0xc0, 0]).await.unwrap();
    assert_eq!(read_packet(&mut client).await, [0xd0, 0]);
    assert_eq!(read_to_end(&mut client).await, [0xe0, 2, 0x8d, 0], "keep alive timeout");
    assert_eq!(start.elapsed().as_secs(), 14 + 15);
    assert_eq!(room.gone().await, Gone::Silent);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_we_hold_back_is_not_silent() {
    let mut room = room(Limits::default(), 1);
    let mut client = room.client(10).await;
    client.write_all(&[publish(1), publish(2), publish(3), vec![0xc0, 0]].concat()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1_000)).await;
    let (first, acknowledge) = room.uplinks.recv().await.unwrap();
    assert_eq!(first.ingress.packet, Some(1));
    acknowledge.release();
    assert_eq!(read_packet(&mut client).await, [0x40, 2, 0, 1], "written although the connection waits to hand on");
    for id in 2..=3 {
        room.uplinks.recv().await.unwrap().1.release();
        let answer = read_packet(&mut client).await;
        let answer = if answer == [0xd0, 0] { read_packet(&mut client).await } else { answer };
        assert_eq!(answer, [0x40, 2, 0, id]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_over_its_rate_is_read_again_in_the_next_second() {
    let limits = Limits { messages_per_s_max: 2, ..Limits::default() };
    let mut room = room(limits, 10);
    let mut client = room.client(10).await;
    let start = Instant::now();
    let all: Vec<u8> = (1..=5).flat_map(publish).collect();
    client.write_all(&all).await.unwrap();
    let mut seconds = Vec::new();
    for _ in 1..=5 {
        room.uplinks.recv().await.unwrap().1.release();
        seconds.push(start.elapsed().as_secs());
    }
    assert_eq!(seconds, [0, 0, 1, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_was_quiet_for_long_gets_its_answer() {
    let room = room(Limits::default(), 10);
    let mut client = room.client(250).await;
    for _ in 0..3 {
        tokio::time::sleep(room.context.limits.write_within * 4).await;
        client.write_all(&[0xc0, 0]).await.unwrap();
        assert_eq!(read_packet(&mut client).await, [0xd0, 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stranger_has_only_so_long() {
    let room = room(Limits::default(), 10);
    let start = Instant::now();
    let mut stranger = room.pipe(100);
    stranger.write_all(&connect(10, "secret")[..9]).await.unwrap();
    assert_eq!(read_to_end(&mut stranger).await, b"");
    assert_eq!(start.elapsed(), room.context.limits.connect_within);
    assert_eq!(room.context.greetings.available_permits(), room.context.limits.greetings_max);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_login_waits_for_its_answer() {
    let room = room(Limits::default(), 10);
    let start = Instant::now();
    let mut stranger = room.pipe(100);
    stranger.write_all(&connect(10, "guess")).await.unwrap();
    assert_eq!(read_to_end(&mut stranger).await, [0x20, 3, 0, 0x86, 0]);
    assert_eq!(start.elapsed(), room.context.limits.login_delay);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_no_bytes_is_given_up() {
    let mut room = room(Limits::default(), 10);
    let mut client = room.pipe(100);
    client.write_all(&connect(0, "secret")).await.unwrap();
    let connack = read_packet(&mut client).await;
    assert_eq!(connack[3], 0);
    client.write_all(&packet(0x82, &[0, 1, 0, 0, 3, b't', b'/', b'#', 1])).await.unwrap();
    assert_eq!(read_packet(&mut client).await, [0x90, 4, 0, 1, 0, 1]);
    let session = room.context.sessions.get(&"u".into()).unwrap();
    let start = Instant::now();
    session.offer("t/big", Bytes::from(vec![0; 1_000]), DeliveryKey(1), 10).unwrap();
    assert_eq!(room.gone().await, Gone::Lost);
    assert_eq!(start.elapsed(), room.context.limits.write_within);
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn drain_waits_for_releases_and_then_no_longer() {
    let mut room = room(Limits::default(), 10);
    let mut client = room.client(10).await;
    client.write_all(&[publish(1), publish(2)].concat()).await.unwrap();
    let (_, first) = room.uplinks.recv().await.unwrap();
    let (_, second) = room.uplinks.recv().await.unwrap();
    let start = Instant::now();
    room.context.shutdown.cancel();
    tokio::time::sleep(Duration::from_secs(2)).await;
    first.release();
    assert_eq!(read_packet(&mut client).await, [0x40, 2, 0, 1]);
    assert_eq!(read_to_end(&mut client).await, [0xe0, 2, 0x8b, 0], "server shutting down");
    assert_eq!(start.elapsed(), room.context.limits.drain_within);
    assert!(!second.deliverable());
    assert_eq!(room.gone().await, Gone::Closed);
    drop(client);
    room.tasks.close();
    room.tasks.wait().await;
}

#[tokio::test(start_paused = true)]
async fn a_session_is_forgotten_when_its_minute_is_over() {
    let room = room(Limits::default(), 10);
    for (away_s, present) in [(59, 1), (61, 0)] {
        let mut client = room.client(10).await;
        client.write_all(&[0xe0, 0]).await.unwrap();
        assert_eq!(read_to_end(&mut client).await, b"");
        tokio::time::sleep(Duration::from_secs(away_s)).await;
        let mut client = room.pipe(1_000);
        client.write_all(&connect(10, "secret")).await.unwrap();
        assert_eq!(read_packet(&mut client).await[2], present, "{away_s} s");
        client.write_all(&[0xe0, 0]).await.unwrap();
        assert_eq!(read_to_end(&mut client).await, b"");
    }
}

/// Counts the writes that reach the socket.
struct Counted {
    stream: DuplexStream,
    writes: Arc<AtomicUsize>,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Task<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(task, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Task<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_write(task, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(task)
    }
}

#[tokio::test]
async fn the_acknowledgements_of_a_batch_leave_in_one_write() {
    let mut room = room(Limits::default(), 1_000);
    let (mut client, theirs) = duplex(64 * 1024);
    let writes = Arc::new(AtomicUsize::new(0));
    room.serve(Counted { stream: theirs, writes: Arc::clone(&writes) });
    client.write_all(&connect(0, "secret")).await.unwrap();
    read_packet(&mut client).await;
    let all: Vec<u8> = (1..=250).flat_map(publish).collect();
    client.write_all(&all).await.unwrap();
    let mut batch = Vec::new();
    for _ in 1..=250 {
        batch.push(room.uplinks.recv().await.unwrap().1);
    }
    assert_eq!(writes.load(Ordering::Relaxed), 1, "CONNACK");
    batch.reverse();
    Acknowledge::release_all(&mut batch);
    for id in 1..=250 {
        assert_eq!(read_packet(&mut client).await, [0x40, 2, 0, id], "in the order of arrival");
    }
    assert_eq!(writes.load(Ordering::Relaxed), 2, "and all PUBACKs");
}

/// Runs a client that sends `bytes` and hangs up; returns only if the endpoint has let go of it.
fn survive(logged_in: bool, bytes: Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let length = bytes.len();
    runtime.block_on(async move {
        let limits = Limits { packet_bytes_max: 400, receive_maximum: 3, ..Limits::default() };
        let mut room = room(limits, 1_000);
        let (mut client, theirs) = duplex(64 * 1024);
        let served = room.serve(theirs);
        if logged_in {
            client.write_all(&connect(10, "secret")).await.unwrap();
            assert_eq!(read_packet(&mut client).await[3], 0);
        }
        client.write_all(&bytes).await.unwrap_or_default();
        client.shutdown().await.unwrap_or_default();
        let (mut accepted, mut reply) = (0, Vec::new());
        loop {
            tokio::select! {
                Some((_, acknowledge)) = room.uplinks.recv() => { accepted += 1; acknowledge.release(); }
                Some((_, acknowledge)) = room.refused.recv() => acknowledge.release(),
                read = client.read_to_end(&mut reply) => { read.unwrap(); break; }
            }
        }
        drop(client);
        served.await.expect("the task did not panic");
        assert!(accepted <= length / 2, "more messages than bytes can hold");
        if logged_in {
            let why = room.gone().await;
            assert!(matches!(why, Gone::Disconnected | Gone::Lost | Gone::Misbehaved), "{why:?}");
        }
        assert_eq!(room.context.connections.available_permits(), room.context.limits.connections_max);
    });
}

fn mqtt_like() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        publish(1),
        packet(0x82, &[0, 1, 0, 0, 3, b't', b'/', b'#', 1]),
        packet(0xa2, &[0, 1, 0, 0, 3, b't', b'/', b'#']),
        packet(0x40, &[0, 1]),
        packet(0x62, &[0, 1]),
        packet(0xe0, &[4, 5, 0x11, 0, 0, 0, 9]),
        vec![0xc0, 0],
        connect(10, "secret"),
    ]);
    let damaged = (known, any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut packet, at, byte)| {
        let at = at.index(packet.len());
        packet[at] = byte;
        packet
    });
    let noise = prop::collection::vec(any::<u8>(), 0..40);
    prop::collection::vec(prop_oneof![3 => damaged, 1 => noise], 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_first_bytes_can_hold_or_break_a_connection(bytes in mqtt_like()) {
        survive(false, bytes);
    }

    #[test]
    fn no_bytes_of_a_client_can_hold_or_break_a_connection(bytes in mqtt_like()) {
        survive(true, bytes);
    }
}
