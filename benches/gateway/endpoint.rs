//! Sensors that are connected to the gateway itself: their PUBACK is the answer.

use crate::floor;
use crate::gateway::{Child, Site, bin, device};
use crate::load::{self, Order, Values};
use crate::mqtt::Login;
use crate::report::{Pressure, Section, cpu_of};
use crate::side::{self, Columns, Outcome, Side};
use rettidig::domain::event::Event;
use rettidig::domain::reason::Verdict;
use rettidig::domain::time::Timestamp;
use rettidig::journal::Entry;
use rettidig::vault::ClientRole;
use std::net::SocketAddr;

const ROUNDS: u64 = 3;
pub const CONNECTIONS: u64 = 50;
const FLAT_OUT: [(&str, Order); 2] = [
    ("one connection, flat out", order(1, 200_000, None)),
    ("50 connections, flat out", order(CONNECTIONS, 200_000, None)),
];
const SCHEDULED: [(&str, Order); 3] = [
    ("one connection, 10,000/s", order(1, 50_000, Some(10_000))),
    ("50 connections, 10,000/s", order(CONNECTIONS, 50_000, Some(10_000))),
    ("50 connections, 50,000/s", order(CONNECTIONS, 150_000, Some(50_000))),
];

pub const fn order(connections: u64, messages: u64, rate: Option<u64>) -> Order {
    Order { connections, messages, rate, lasting: None, values: Values::Three }
}

pub fn run() {
    let what = format!(
        "QoS 1, about 100 bytes, three values; the answer is the PUBACK, and nothing is published on either side. \
         Medians of {ROUNDS} rounds; each table begins with an empty data folder. The gateway's processor time is that \
         of the load and, apart, what it took afterwards until SQLite held the history too."
    );
    let mut section = Section::begin("endpoint", &what);
    let folder = tempfile::tempdir().unwrap();
    let bare = floor::start(folder.path());
    for (scenarios, columns) in [(&FLAT_OUT[..], side::FLAT_OUT), (&SCHEDULED[..], side::SCHEDULED)] {
        let mut endpoint = Endpoint::start(site());
        endpoint.table(&mut section, bare, scenarios, &columns);
        section.line(format!("\n{}\n", endpoint.end()));
    }
    section.write();
}

/// A gateway with fifty bins, each with a login of its own.
pub struct Endpoint {
    site: Site,
    pub child: Child,
    pub sent: u64,
}

impl Endpoint {
    pub fn start(site: Site) -> Self {
        let child = Child::start(&site, &[]);
        Self { site, child, sent: 0 }
    }

    pub fn load(&mut self, order: Order) -> Outcome {
        let address = self.child.mqtt.expect("it listens");
        let outcome = load::run(address, order, |number| self.site.login(&name(number)));
        self.sent += outcome.messages;
        outcome
    }

    fn table(&mut self, section: &mut Section, bare: SocketAddr, scenarios: &[(&str, Order)], columns: &Columns) {
        let cpu = ["CPU µs/message gateway", "history after", "generator", "CPU pressure"];
        section.table(&[&["scenario"], columns.names, &cpu].concat());
        for (name, order) in scenarios {
            let (mut floors, mut ours, mut pressure) = (Side::default(), Side::default(), Pressure::default());
            let [mut gateway, mut history, mut generator] = [0.0; 3];
            for _ in 0..ROUNDS {
                pressure = pressure.worst(Pressure::settled());
                floors.add(load_floor(bare, *order));
                let before = (cpu_of(self.child.id()), cpu_of(std::process::id()));
                ours.add(self.load(*order));
                let after = cpu_of(self.child.id());
                gateway += after - before.0;
                generator += cpu_of(std::process::id()) - before.1;
                self.child.wait_for_history();
                history += cpu_of(self.child.id()) - after;
            }
            let each = |cpu: f64| format!("{:.1}", cpu * 1e6 / (order.messages * ROUNDS) as f64);
            let cpu = vec![each(gateway), each(history), each(generator), pressure.to_string()];
            section.row(&[vec![(*name).to_owned()], (columns.cells)(&floors, &ours), cpu].concat());
        }
    }

    /// Stops the gateway and gives its folder back.
    pub fn stop(self) -> Site {
        self.child.stop();
        self.site
    }

    /// As a power cut would, but for the disk; gives the folder back.
    pub fn kill(self) -> Site {
        self.child.kill();
        self.site
    }

    /// Stops the gateway and says what its journal holds.
    pub fn end(self) -> String {
        let sent = self.sent;
        counted(&self.stop(), sent)
    }
}

/// What a journal holds of the messages that were acknowledged.
pub fn counted(site: &Site, acknowledged: u64) -> String {
    assert_eq!(site.count(is_accepted), acknowledged, "lost or doubled");
    format!("{acknowledged} messages acknowledged by the gateway: 0 lost, 0 doubled (counted in the journal).")
}

/// The folder of such a gateway.
pub fn site() -> Site {
    site_with(|_| {})
}

pub fn site_with(configure: impl FnOnce(&mut Site)) -> Site {
    let mut site = Site::with_endpoint();
    configure(&mut site);
    // What one login may send protects a gateway; here it would be what is measured.
    site.set("LIMITS__MESSAGES_PER_S_MAX", "10000000");
    let names: Vec<_> = (0..CONNECTIONS).map(name).collect();
    let registry = names.iter().flat_map(|name| [bin(name), device(name, "bin-level", name)]).collect();
    let role = |name: &String| ClientRole::Device(name.as_str().into());
    let logins: Vec<_> = names.iter().map(|name| (name.as_str(), role(name))).collect();
    site.furnish(Timestamp::MIN, registry, &logins);
    site
}

/// The bare loop lets everybody in.
pub fn load_floor(bare: SocketAddr, order: Order) -> Outcome {
    load::run(bare, order, |number| Login { client_id: name(number), secret: None, clean: false })
}

pub fn is_accepted(entry: &Entry) -> bool {
    matches!(entry.event, Event::Observed(_)) && entry.decision.verdict == Verdict::Accepted
}

pub fn name(number: u64) -> String {
    format!("bin-{number}")
}
