//! Node-RED and the gateway on the same broker, with the same generator, in turns.

use crate::broker::Mosquitto;
use crate::gateway::Site;
use crate::history::{cluster, keep_in};
use crate::mosquitto::{Behind, broker};
use crate::node_red::NodeRed;
use crate::postgres::Cluster;
use crate::report::{Pressure, Section, resident_mib};
use crate::side::Side;
use crate::town::{Order, Town};
use std::thread;
use std::time::Duration;

const ROUNDS: usize = 3;
/// All of them can take this.
const SCHEDULED: Order = Order { messages: 20_000, rate: Some(4_000) };
const KILLED: Order = Order { messages: 24_000, rate: Some(4_000) };
const KILLED_AFTER: Duration = Duration::from_secs(2);

/// Whoever is measured.
trait Peer {
    fn town(&mut self) -> &mut Town;
    fn process(&self) -> u32;
    fn kill_and_start(&mut self, broker: &Mosquitto);
    /// Waits until nothing is left to do of what was sent.
    fn settle(&self) {}
}

struct Red {
    town: Town,
    node_red: NodeRed,
}

impl Peer for Red {
    fn town(&mut self) -> &mut Town {
        &mut self.town
    }

    fn process(&self) -> u32 {
        self.node_red.id()
    }

    fn kill_and_start(&mut self, broker: &Mosquitto) {
        self.node_red.kill_and_start(broker);
    }
}

impl Peer for Behind {
    fn town(&mut self) -> &mut Town {
        &mut self.town
    }

    fn process(&self) -> u32 {
        self.child.id()
    }

    fn kill_and_start(&mut self, _: &Mosquitto) {
        self.child.kill_and_start(&self.site);
    }

    fn settle(&self) {
        self.child.wait_for_history();
    }
}

pub fn run() {
    let what = format!(
        "Node-RED 4.1.8: MQTT in, a function with a threshold, MQTT out, and with PostgreSQL one insert for each message \
         by a pool of ten connections. Same Mosquitto, same generator and same answers as in *Through Mosquitto*; \
         medians of {ROUNDS} rounds in turns. Then each is killed with `kill -9` under 4,000 messages a second and \
         started again at once: *lost* are tasks that never came, *repeated* those that came twice."
    );
    let mut section = Section::begin("peers", &what);
    let cluster = cluster();
    section.table(&[
        "",
        "durable",
        "flat out /s",
        "4,000/s p50/p99 ms",
        "RAM MiB",
        "lost, repeated of",
        "CPU pressure",
    ]);
    for store in [None, Some(&cluster)] {
        with(&mut section, store);
    }
    section.write();
}

fn with(section: &mut Section, store: Option<&Cluster>) {
    let broker = broker();
    let red = Red { town: Town::new(broker.port(), "node-red/v1"), node_red: NodeRed::start(&broker, store) };
    let configure = |site: &mut Site| store.into_iter().for_each(|cluster| keep_in(site, cluster));
    let gateway = Behind::start(&broker, configure);
    let suffix = if store.is_some() { " and PostgreSQL" } else { "" };
    let mut peers: [(&str, &str, Box<dyn Peer>); 2] =
        [("Node-RED", "no", Box::new(red)), ("Rettidig", "yes", Box::new(gateway))];
    let flat_out = Order { messages: if store.is_some() { 50_000 } else { 200_000 }, rate: None };
    let mut sides = [(); 2].map(|()| (Side::default(), Side::default()));
    let mut pressure = Pressure::default();
    for _ in 0..ROUNDS {
        for ((_, _, peer), (fast, steady)) in peers.iter_mut().zip(&mut sides) {
            peer.settle();
            pressure = pressure.worst(Pressure::settled());
            fast.add(peer.town().load(flat_out).outcome);
            peer.settle();
            steady.add(peer.town().load(SCHEDULED).outcome);
        }
    }
    for ((name, durable, peer), (fast, steady)) in peers.iter_mut().zip(&sides) {
        let mib = resident_mib(peer.process());
        let lost = killed(peer.as_mut(), &broker);
        let latency = format!("{:.2}/{:.2}", steady.ms(0.5), steady.ms(0.99));
        let flat_out = format!("{:.0}", fast.per_second());
        let cells = [format!("{name}{suffix}"), (*durable).to_owned(), flat_out, latency, mib.to_string(), lost];
        section.row(&[&cells[..], &[pressure.to_string()]].concat());
    }
}

fn killed(peer: &mut dyn Peer, broker: &Mosquitto) -> String {
    peer.settle();
    let mut town = peer.town().clone();
    let load = thread::spawn(move || {
        let round = town.load(KILLED);
        (round, town)
    });
    thread::sleep(KILLED_AFTER);
    peer.kill_and_start(broker);
    let (round, town) = load.join().unwrap();
    *peer.town() = town;
    format!("{}, {} of {}", round.lost, round.doubled, round.called)
}
