//! Load from conformant devices, and the audit of what became of it.
//!
//! Every message is unlike any other, so that its content names it in the journal. A device sends what a bin sensor
//! sends, in turns hot and cold: each hot message after a cold one is one incident, and one task.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use super::gateway::Site;
use super::mqtt::{Device, Login, PATIENCE};
use rettidig::decode::content_hash;
use rettidig::domain::decision::Fact;
use rettidig::domain::event::Event;
use rettidig::domain::ids::ContentHash;
use rettidig::domain::reason::Verdict;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Messages that a device may have on the way.
pub const WINDOW: usize = 40;

/// Where the devices find the gateway, and how long they go on.
#[derive(Clone, Default)]
pub struct Target(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug, Default)]
struct State {
    address: Option<SocketAddr>,
    /// Grows with every change of the address.
    generation: u64,
    acknowledged: u64,
    /// Messages that all devices together may still send; none means as many as they like.
    budget: Option<u64>,
    /// Nothing fresh is sent; what is on the way is brought home.
    draining: bool,
    gone: usize,
}

impl Target {
    pub fn set(&self, address: Option<SocketAddr>) {
        let mut state = self.state();
        state.address = address;
        state.generation += 1;
        drop(state);
        self.0.1.notify_all();
    }

    /// Lets the devices send so many more: what takes messages from them is faster than what is tested.
    pub fn allow(&self, messages: u64) {
        let mut state = self.state();
        state.budget = Some(state.budget.unwrap_or(0) + messages);
        drop(state);
        self.0.1.notify_all();
    }

    /// Takes one message from the budget.
    fn spend(&self) -> bool {
        let mut state = self.state();
        match &mut state.budget {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    /// A device with nothing on the way waits for leave to send.
    fn wait_for_leave(&self) {
        self.wait("leave to send", |state| state.budget != Some(0) || state.draining);
    }

    pub fn drain(&self) {
        self.state().draining = true;
        self.0.1.notify_all();
    }

    pub fn acknowledged(&self) -> u64 {
        self.state().acknowledged
    }

    /// Waits until the devices hold this many acknowledgements.
    pub fn wait_for(&self, acknowledged: u64) {
        self.wait("so many acknowledgements", |state| state.acknowledged >= acknowledged || state.gone > 0);
        assert_eq!(self.state().gone, 0, "a device has given up");
    }

    /// The next address after this generation.
    fn next(&self, known: u64) -> (u64, SocketAddr) {
        self.wait("an address to connect to", |state| state.generation > known && state.address.is_some());
        let state = self.state();
        if let Some(address) = state.address {
            return (state.generation, address);
        }
        // It has gone again meanwhile.
        let generation = state.generation;
        drop(state);
        self.next(generation)
    }

    fn wait(&self, what: &str, is_so: impl Fn(&State) -> bool) {
        let waited = self.0.1.wait_timeout_while(self.state(), PATIENCE, |state| !is_so(state));
        let (state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        let so_far = format!("{:?}", *state);
        drop(state);
        assert!(!waited.timed_out(), "waited in vain for {what}: {so_far}");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a device has sent, each with the number of acknowledgements it holds for it.
pub struct Sent(pub Vec<(String, Vec<u8>)>);

/// Which messages a device sends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Nothing but values: only MQTT tells a repetition.
    Bare,
    /// With the message's own name.
    Named,
    /// Long and unreadable: each is quarantined, and fills the journal.
    Garbage,
}

impl Style {
    fn payload(self, device: &str, n: u64) -> Vec<u8> {
        // Hot and cold in turns, and no two alike.
        let temperature = if n % 8 == 4 { 61.0 } else { 11.0 } + n as f64 / 1_000_000.0;
        match self {
            Self::Bare => format!("{{\"temperature\":{temperature}}}").into_bytes(),
            Self::Named => format!("{{\"temperature\":{temperature},\"id\":\"{device}/{n}\"}}").into_bytes(),
            Self::Garbage => format!("{device}/{n} {}", "x".repeat(4_000)).into_bytes(),
        }
    }

    pub const fn is_hot(self, n: u64) -> bool {
        n % 8 == 4 && !matches!(self, Self::Garbage)
    }
}

pub struct Sender {
    thread: JoinHandle<Sent>,
}

impl Sender {
    /// A device that sends until the target drains, but at most `messages_max`, and ends when it holds an
    /// acknowledgement for everything.
    pub fn start(device: &str, login: Login, style: Style, messages_max: u64, target: &Target) -> Self {
        let (device, target) = (device.to_owned(), target.clone());
        let thread = std::thread::spawn(move || {
            let _gone = Gone(target.clone());
            send(&device, login, style, messages_max, &target)
        });
        Self { thread }
    }

    pub fn join(self) -> Sent {
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Tells whoever waits for acknowledgements when a device has failed.
struct Gone(Target);

impl Drop for Gone {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.state().gone += 1;
            self.0.0.1.notify_all();
        }
    }
}

fn send(name: &str, login: Login, style: Style, messages_max: u64, target: &Target) -> Sent {
    let topic = format!("rettidig/v1/up/{name}");
    let mut device = Device::new(login);
    let (mut sent, mut generation) = (Vec::new(), 0);
    loop {
        if !device.connected() {
            let (found, address) = target.next(generation);
            // A gateway that has just gone refuses, or goes in the middle: the next address is waited for.
            generation = found;
            drop(device.connect(address));
            continue;
        }
        let draining = target.state().draining || sent.len() as u64 >= messages_max;
        if draining && device.unacknowledged() == 0 {
            device.leave();
            return Sent(sent);
        }
        while !draining
            && device.connected()
            && device.unacknowledged() < WINDOW
            && (sent.len() as u64) < messages_max
            && target.spend()
        {
            let payload = style.payload(name, sent.len() as u64);
            sent.push((topic.clone(), payload.clone()));
            // When it fails, the message waits for the next connection.
            drop(device.send(&topic, payload));
        }
        if device.unacknowledged() == 0 {
            target.wait_for_leave();
        } else if device.connected() && device.acknowledged().is_ok() {
            target.state().acknowledged += 1;
            target.0.1.notify_all();
        }
    }
}

/// What the journal says about messages whose acknowledgement a device holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Audit {
    pub messages: usize,
    /// Not in the journal.
    pub lost: usize,
    /// Taken for two facts.
    pub doubled: usize,
    pub incidents: usize,
    /// Incidents without a task.
    pub missed_tasks: usize,
    /// Tasks beyond one for each incident.
    pub duplicate_tasks: usize,
    pub journal_files: u64,
    pub snapshots: u64,
}

pub fn audit(site: &Site, sent: &[(Style, Sent)]) -> Audit {
    let (verified, entries) = site.journal();
    let mut taken: BTreeMap<ContentHash, usize> = BTreeMap::new();
    let mut tasks: BTreeMap<ContentHash, usize> = BTreeMap::new();
    let mut audit = Audit { journal_files: verified.files, snapshots: verified.snapshots, ..Audit::default() };
    for entry in &entries {
        let content = match &entry.event {
            Event::Observed(observed) => observed.ingress.content,
            Event::Quarantined(quarantined) => quarantined.ingress.content,
            _ => continue,
        };
        if matches!(entry.decision.verdict, Verdict::Accepted | Verdict::Quarantined(_)) {
            *taken.entry(content).or_default() += 1;
        }
        let requested = entry.decision.facts.iter().filter(|fact| matches!(fact, Fact::TaskRequested { .. })).count();
        *tasks.entry(content).or_default() += requested;
    }
    for (style, Sent(messages)) in sent {
        for (n, (topic, payload)) in messages.iter().enumerate() {
            let content = content_hash(topic, payload);
            audit.messages += 1;
            match taken.get(&content).copied().unwrap_or(0) {
                0 => audit.lost += 1,
                1 => {}
                _ => audit.doubled += 1,
            }
            let tasks = tasks.remove(&content).unwrap_or(0);
            let incident = usize::from(style.is_hot(n as u64));
            audit.incidents += incident;
            audit.missed_tasks += incident.saturating_sub(tasks);
            audit.duplicate_tasks += tasks.saturating_sub(incident);
        }
    }
    audit
}
