//! Open-loop load: when a message is sent follows from its number, never from how the last one fared, so that waiting
//! is measured and not left out. Flat out, a window of messages on the way takes the place of the schedule.

use crate::mqtt::{Connection, Login};
use crate::side::Outcome;
use hdrhistogram::Histogram;
use rettidig::telemetry::stopwatch;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Messages that one connection may have on the way; below the packet ids there are.
const WINDOW: u64 = 2_000;
pub const WRITE_BYTES: usize = 64 * 1024;
const PUBACK_BYTES: usize = 4;
/// Longer than any answer takes; reaching it means that messages are lost.
pub const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug)]
pub struct Order {
    pub connections: u64,
    /// All connections together.
    pub messages: u64,
    /// Messages a second over all connections; none for as many as are taken.
    pub rate: Option<u64>,
    /// After this time nothing more is sent, also when there are messages left.
    pub lasting: Option<Duration>,
    pub values: Values,
}

/// How many values a message brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    One,
    Three,
}

/// When the messages of one sender are to leave.
#[derive(Clone, Copy)]
pub struct Schedule {
    first: Duration,
    /// None flat out.
    between: Option<Duration>,
}

impl Schedule {
    /// Of sender `number` of so many, which together keep to the rate.
    pub fn new(rate: Option<u64>, number: u64, senders: u64) -> Self {
        let between = rate.map(|rate| Duration::from_secs(senders) / rate as u32);
        Self { first: between.unwrap_or_default() * number as u32 / senders as u32, between }
    }

    /// How many are to have been sent by then.
    pub fn due(self, at: Duration) -> u64 {
        self.between.map_or(u64::MAX, |between| {
            let since = at.saturating_sub(self.first);
            (since.as_nanos() / between.as_nanos()) as u64 + u64::from(at >= self.first)
        })
    }

    /// When the n-th is to be sent; flat out, when it is sent.
    pub fn meant(self, n: u64, at: Duration) -> Duration {
        self.between.map_or(at, |between| self.first + between * n as u32)
    }
}

/// One device.
struct Sender {
    name: String,
    /// How many it sends in all; less from when its time is up.
    messages: AtomicU64,
    lasting: Option<Duration>,
    values: Values,
    schedule: Schedule,
    acknowledged: AtomicU64,
    /// When each message on the way was sent or was to be sent, in nanoseconds since the start, by its packet id.
    moments: Vec<AtomicU64>,
}

/// Sends all of it and waits for every acknowledgement. `login` names each connection's sensor.
pub fn run(address: SocketAddr, order: Order, login: impl Fn(u64) -> Login) -> Outcome {
    let each = order.messages / order.connections;
    let senders: Vec<_> = (0..order.connections)
        .map(|number| {
            let login = login(number);
            let sender = Arc::new(Sender {
                name: login.client_id.clone(),
                messages: AtomicU64::new(each),
                lasting: order.lasting,
                values: order.values,
                schedule: Schedule::new(order.rate, number, order.connections),
                acknowledged: AtomicU64::new(0),
                moments: (0..=u16::MAX).map(|_| AtomicU64::new(0)).collect(),
            });
            (sender, Connection::open(address, &login).unwrap().into_stream())
        })
        .collect();
    let clock = stopwatch();
    let running: Vec<_> = senders
        .into_iter()
        .map(|(sender, stream)| {
            let (out, back) = (Arc::clone(&sender), stream.try_clone().unwrap());
            let writer = thread::spawn(move || out.write(stream, &|| clock.elapsed()));
            let waker = writer.thread().clone();
            let reader = thread::spawn(move || sender.read(back, &|| clock.elapsed(), &waker));
            (writer, reader)
        })
        .collect();
    let mut latency = Histogram::new(3).unwrap();
    for (writer, reader) in running {
        writer.join().unwrap();
        latency.add(reader.join().unwrap()).unwrap();
    }
    Outcome { elapsed: clock.elapsed(), messages: latency.len(), latency }
}

impl Sender {
    fn write(&self, mut stream: TcpStream, now: &dyn Fn() -> Duration) {
        let topic = format!("rettidig/v1/up/{}", self.name);
        let mut buffer = Vec::with_capacity(WRITE_BYTES + 256);
        let mut sent = 0;
        while sent < self.messages.load(Ordering::Acquire) {
            let at = now();
            if self.lasting.is_some_and(|lasting| at >= lasting) {
                // One more, whose acknowledgement tells the reader.
                self.messages.fetch_min(sent + 1, Ordering::AcqRel);
            }
            let acknowledged = self.acknowledged.load(Ordering::Acquire);
            let may = self.messages.load(Ordering::Acquire).min(acknowledged + WINDOW);
            let due = self.schedule.due(at);
            buffer.clear();
            while sent < may.min(due) && buffer.len() < WRITE_BYTES {
                let meant = self.schedule.meant(sent, at);
                self.moments[packet(sent)].store(meant.as_nanos() as u64, Ordering::Release);
                let payload = match self.values {
                    Values::One => format!("{{{}}}", temperature(sent, 0)),
                    Values::Three => report(sent, 0),
                };
                publish(&mut buffer, &topic, packet(sent) as u16, payload.as_bytes());
                sent += 1;
            }
            if !buffer.is_empty() {
                stream.write_all(&buffer).unwrap();
            } else if sent >= may {
                thread::park_timeout(PATIENCE);
            } else {
                thread::sleep(self.schedule.meant(sent, at).saturating_sub(now()));
            }
        }
    }

    fn read(&self, mut stream: TcpStream, now: &dyn Fn() -> Duration, waker: &thread::Thread) -> Histogram<u64> {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut latency = Histogram::new(3).unwrap();
        let mut chunk = vec![0; WRITE_BYTES];
        let mut held = 0;
        while latency.len() < self.messages.load(Ordering::Acquire) {
            let bytes = stream.read(&mut chunk[held..]).expect("an acknowledgement in time");
            assert!(bytes > 0, "the connection of {} was closed", self.name);
            let at = now().as_nanos() as u64;
            let whole = (held + bytes) / PUBACK_BYTES * PUBACK_BYTES;
            for puback in chunk[..whole].chunks_exact(PUBACK_BYTES) {
                assert_eq!(puback[0] >> 4, 4, "something else than an acknowledgement: {puback:?}");
                let moment = &self.moments[usize::from(u16::from_be_bytes([puback[2], puback[3]]))];
                let meant = moment.swap(u64::MAX, Ordering::AcqRel);
                assert_ne!(meant, u64::MAX, "a message was acknowledged twice");
                latency.record(at.saturating_sub(meant)).unwrap();
            }
            chunk.copy_within(whole..held + bytes, 0);
            held = held + bytes - whole;
            self.acknowledged.store(latency.len(), Ordering::Release);
            waker.unpark();
        }
        latency
    }
}

/// Packet ids begin again at 1 and leave out 0.
pub const fn packet(number: u64) -> usize {
    (number % 65_535) as usize + 1
}

/// A bin's report, as it says the n-th time, from so many degrees; no two of one sender are alike.
pub fn report(n: u64, degrees: u64) -> String {
    format!("{{{},\"fill\":0.42,\"battery\":97}}", temperature(n, degrees))
}

fn temperature(n: u64, degrees: u64) -> String {
    let (whole, part) = (degrees + n / 1_000_000 % 20, n % 1_000_000);
    format!("\"temperature\":{whole}.{part:06}")
}

/// A PUBLISH with QoS 1.
pub fn publish(buffer: &mut Vec<u8>, topic: &str, packet: u16, payload: &[u8]) {
    let length = 2 + topic.len() + 2 + payload.len();
    assert!(length < 128, "one byte of length is enough");
    buffer.extend([0x32, length as u8, 0, topic.len() as u8]);
    buffer.extend(topic.as_bytes());
    buffer.extend(packet.to_be_bytes());
    buffer.extend(payload);
}
