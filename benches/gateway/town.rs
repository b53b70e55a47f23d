//! Load as a town makes it: many bins behind one broker, and a crew that is told and answers.
//!
//! A broker acknowledges from memory, so an answer is what a person would see: the task that arrives on the crew's
//! phone. Every tenth message says that a bin has become hot; latency is from the moment it was to be sent until its
//! task is there, and each must come back exactly once. The bin stays hot for a while: a task for what has gone by
//! itself is withdrawn before anybody hears of it, as it should be. Between two rounds less than a minute may pass: what
//! is still hot then is asked for again, as it should be too.

use crate::load::{PATIENCE, Schedule, WRITE_BYTES, packet, publish, report};
use crate::mqtt::{Connection, Login, Packet};
use crate::side::Outcome;
use hdrhistogram::Histogram;
use rettidig::telemetry::stopwatch;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

pub const BINS: u64 = 10_000;
/// Messages of a bin from one time it becomes hot to the next, and how many of them are hot.
const ONE_IN: u64 = 10;
const HOT: u64 = 5;
/// Tasks that may be on the way: flat out, and on a schedule, where they are held back only so that no bin is cold again
/// before its task has come.
const WINDOW: u64 = 400;
const WINDOW_MAX: u64 = 4_000;
/// No task for so long: the rest is lost.
const SILENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug)]
pub struct Order {
    pub messages: u64,
    /// Messages a second; none for as many as come back.
    pub rate: Option<u64>,
}

/// Who is asked: the same broker, under topics of its own.
#[derive(Clone)]
pub struct Town {
    broker: SocketAddr,
    /// Such as `rettidig/v1`.
    prefix: &'static str,
    /// Goes on from round to round, so that no two messages are alike.
    sent: u64,
}

/// What became of one round's messages that called for a crew.
pub struct Round {
    pub outcome: Outcome,
    pub called: u64,
    pub lost: u64,
    pub doubled: u64,
}

/// What a crew reads in a task.
#[derive(Deserialize, Serialize)]
pub struct Post<'a> {
    pub notice: Cow<'a, str>,
    pub task: u64,
    pub asset: Cow<'a, str>,
}

struct Shared {
    /// When the messages of each bin whose tasks have not come were to be sent, since the start.
    moments: Vec<Mutex<VecDeque<Duration>>>,
    back: AtomicU64,
}

impl Shared {
    fn of(&self, bin: u64) -> MutexGuard<'_, VecDeque<Duration>> {
        self.moments[bin as usize].lock().unwrap()
    }
}

pub fn bin_name(number: u64) -> String {
    format!("bin-{number}")
}

/// Where in its turn of ten a bin is with the n-th message of all, when it has begun one; bins take turns.
const fn phase(n: u64) -> Option<u64> {
    let (round, bin) = (n / BINS, n % BINS);
    let phase = (round + bin) % ONE_IN;
    if round >= phase { Some(phase) } else { None }
}

/// Whether this message says that a bin has become hot.
const fn calls(n: u64) -> bool {
    matches!(phase(n), Some(0))
}

/// 80 and more where it calls, so that a bare loop sees it too; 60 and more while it stays hot.
fn degrees(n: u64) -> u64 {
    match phase(n) {
        Some(0) => 80,
        Some(1..HOT) => 60,
        _ => 0,
    }
}

impl Town {
    pub fn new(port: u16, prefix: &'static str) -> Self {
        Self { broker: SocketAddr::from(([127, 0, 0, 1], port)), prefix, sent: 0 }
    }

    pub fn sent(&self) -> u64 {
        self.sent
    }

    pub fn load(&mut self, order: Order) -> Round {
        let numbers = self.sent..self.sent + order.messages;
        self.sent += order.messages;
        let called = numbers.clone().filter(|n| calls(*n)).count() as u64;
        let moments = (0..BINS).map(|_| Mutex::default()).collect();
        let shared = Arc::new(Shared { moments, back: AtomicU64::new(0) });
        let mut crew = Connection::open(self.broker, &visitor(self.prefix, "crew")).unwrap();
        crew.subscribe(&format!("{}/crew/crew-1/tasks", self.prefix)).unwrap();
        let sensors = Connection::open(self.broker, &visitor(self.prefix, "sensors")).unwrap().into_stream();
        let clock = stopwatch();
        let (prefix, theirs, out) = (self.prefix, Arc::clone(&shared), sensors.try_clone().unwrap());
        let writer = thread::spawn(move || write(&theirs, out, prefix, numbers, order.rate, &|| clock.elapsed()));
        let waker = writer.thread().clone();
        let acknowledged = thread::spawn(move || read_acknowledgements(sensors, order.messages));
        let (latency, doubled, elapsed) = listen(&shared, crew, prefix, called, &|| clock.elapsed(), &waker);
        writer.join().unwrap();
        acknowledged.join().unwrap();
        let outcome = Outcome { elapsed, messages: order.messages, latency };
        Round { lost: called - outcome.latency.len(), outcome, called, doubled }
    }
}

fn visitor(prefix: &str, name: &str) -> Login {
    Login { client_id: format!("{}-{name}", prefix.replace('/', "-")), secret: None, clean: true }
}

fn write(
    shared: &Shared,
    mut stream: TcpStream,
    prefix: &str,
    numbers: std::ops::Range<u64>,
    rate: Option<u64>,
    now: &dyn Fn() -> Duration,
) {
    let schedule = Schedule::new(rate, 0, 1);
    let (first, messages) = (numbers.start, numbers.end - numbers.start);
    let mut buffer = Vec::with_capacity(WRITE_BYTES + 256);
    let (mut sent, mut last) = (0, Duration::ZERO);
    while sent < messages {
        let at = now();
        // Lost tasks never open the window again: then the rest is sent all the same, and the loss is counted.
        let given_up = at > last + SILENCE / 2;
        let window = if rate.is_some() { WINDOW_MAX } else { WINDOW };
        let window = (shared.back.load(Ordering::Acquire) + window) * ONE_IN;
        let may = if given_up { messages } else { window.min(messages) };
        let due = schedule.due(at).min(may);
        buffer.clear();
        while sent < due && buffer.len() < WRITE_BYTES {
            let n = first + sent;
            if calls(n) {
                shared.of(n % BINS).push_back(schedule.meant(sent, at));
            }
            let topic = format!("{prefix}/up/{}", bin_name(n % BINS));
            publish(&mut buffer, &topic, packet(sent) as u16, report(n, degrees(n)).as_bytes());
            sent += 1;
        }
        if !buffer.is_empty() {
            last = at;
            stream.write_all(&buffer).unwrap();
        } else if sent >= may {
            thread::park_timeout(SILENCE / 2);
        } else {
            thread::sleep(schedule.meant(sent, at).saturating_sub(now()));
        }
    }
}

/// The broker's own, from memory: only that they come.
fn read_acknowledgements(mut stream: TcpStream, messages: u64) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut left, mut chunk) = (messages * 4, vec![0; WRITE_BYTES]);
    while left > 0 {
        let bytes = stream.read(&mut chunk).expect("the broker's acknowledgements") as u64;
        assert!(bytes > 0, "the broker has closed the connection");
        left -= bytes;
    }
}

/// The crew: takes every task, says that it is done, and notes how late it came; and when the last one did.
fn listen(
    shared: &Shared,
    mut crew: Connection,
    prefix: &str,
    called: u64,
    now: &dyn Fn() -> Duration,
    waker: &thread::Thread,
) -> (Histogram<u64>, u64, Duration) {
    let replies = format!("{prefix}/crew/crew-1/replies");
    let (mut latency, mut doubled, mut answered, mut last) = (Histogram::new(3).unwrap(), 0, 0, Duration::ZERO);
    crew.give_up_after(SILENCE);
    while latency.len() < called {
        let Ok(packet_in) = crew.next() else { break };
        let Packet::Message { payload, packet: Some(id), .. } = packet_in else { continue };
        crew.acknowledge(id).unwrap();
        let post: Post = serde_json::from_slice::<Post>(&payload).unwrap();
        if post.notice != "offered" {
            continue;
        }
        let meant = shared.of(post.asset.trim_start_matches("bin-").parse().unwrap()).pop_front();
        last = now();
        match meant {
            Some(meant) => latency.record(last.saturating_sub(meant).as_nanos() as u64).unwrap(),
            None => doubled += 1,
        }
        let answer = format!("{{\"task\":{},\"answer\":\"completed\"}}", post.task);
        crew.publish(Some(packet(answered) as u16), false, &replies, answer.as_bytes()).unwrap();
        answered += 1;
        shared.back.fetch_add(1, Ordering::AcqRel);
        waker.unpark();
    }
    (latency, doubled, last)
}
