//! The same two ways in with PostgreSQL as the store, on the same processors: history keeps up, or the table says how
//! far behind it fell.

use crate::bare::Bare;
use crate::endpoint::{CONNECTIONS, Endpoint, load_floor, order, site_with};
use crate::floor;
use crate::gateway::{Child, Site};
use crate::load::{Order, Values};
use crate::mosquitto::{Behind, broker, whole};
use crate::postgres::Cluster;
use crate::report::{Pressure, Section};
use crate::side::{Columns, FLAT_OUT, Outcome, SCHEDULED, Side};
use crate::town::{self, Town};
use crate::watch::Watch;
use rettidig::telemetry::stopwatch;

const RATE: u64 = 35_000;
const SECONDS: u64 = 30;
/// The floor keeps no history, so that nothing piles up in it.
const FLOOR_SECONDS: u64 = 5;
const FLAT_OUT_MESSAGES: u64 = 200_000;

pub fn run() {
    let what = format!(
        "PostgreSQL with its usual durability and 256 MB of shared buffers, in a folder of its own. {RATE} messages a \
         second for {SECONDS} seconds, then {FLAT_OUT_MESSAGES} flat out, one round each, each with an empty data \
         folder. A message becomes a row in the log of events and one for each of its values. *Behind* is the most \
         journal entries that history had still to keep, looked at each second; *kept after* how long after the last \
         answer it held them all. The floor keeps no history."
    );
    let mut section = Section::begin("history", &what);
    let cluster = cluster();
    let steady = |connections, values| (Order { values, ..whole_order(connections, Some(RATE)) }, SCHEDULED);
    let scenarios = [
        ("own endpoint, 50 connections, one value", steady(CONNECTIONS, Values::One)),
        ("own endpoint, one connection, one value", steady(1, Values::One)),
        ("own endpoint, one connection, three values", steady(1, Values::Three)),
        ("own endpoint, 50 connections, three values", steady(CONNECTIONS, Values::Three)),
        ("own endpoint, 50 connections, three values", (whole_order(CONNECTIONS, None), FLAT_OUT)),
    ];
    through_endpoint(&mut section, &cluster, &scenarios);
    through_mosquitto(&mut section, &cluster, &[(Some(RATE), SCHEDULED), (None, FLAT_OUT)]);
    section.write();
}

fn whole_order(connections: u64, rate: Option<u64>) -> Order {
    order(connections, messages(rate, SECONDS), rate)
}

fn through_endpoint(section: &mut Section, cluster: &Cluster, scenarios: &[(&'static str, (Order, Columns))]) {
    let folder = tempfile::tempdir().unwrap();
    let bare = floor::start(folder.path());
    for (way, (order, columns)) in scenarios {
        let mut gateway = Endpoint::start(site_with(|site| keep_in(site, cluster)));
        let line = Line { way, pressure: Pressure::settled(), columns };
        let floor = load_floor(bare, Order { messages: messages(order.rate, FLOOR_SECONDS), ..*order });
        let watch = Watch::start(&gateway.child);
        let ours = gateway.load(*order);
        line.write(section, floor, ours, &gateway.child, watch);
        section.line(format!("{}\n", gateway.end()));
    }
}

fn through_mosquitto(section: &mut Section, cluster: &Cluster, scenarios: &[(Option<u64>, Columns)]) {
    let folder = tempfile::tempdir().unwrap();
    let broker = broker();
    let _bare = Bare::start(broker.port(), folder.path());
    let mut floor = Town::new(broker.port(), "bare/v1");
    for (rate, columns) in scenarios {
        let mut gateway = Behind::start(&broker, |site| keep_in(site, cluster));
        let line = Line { way: "Mosquitto, 10,000 bins, three values", pressure: Pressure::settled(), columns };
        let floor = whole(floor.load(town::Order { messages: messages(*rate, FLOOR_SECONDS), rate: *rate }));
        let watch = Watch::start(&gateway.child);
        let ours = gateway.load(town::Order { messages: messages(*rate, SECONDS), rate: *rate });
        line.write(section, floor, whole(ours), &gateway.child, watch);
        section.line(format!("{}\n", gateway.end()));
    }
}

fn messages(rate: Option<u64>, seconds: u64) -> u64 {
    rate.map_or(FLAT_OUT_MESSAGES, |rate| rate * seconds)
}

pub fn cluster() -> Cluster {
    Cluster::start(&["fsync=on", "full_page_writes=on", "shared_buffers=256MB", "max_wal_size=2GB"])
}

pub fn keep_in(site: &mut Site, cluster: &Cluster) {
    site.set("STORE__URL", &cluster.url(&cluster.database()));
}

struct Line<'a> {
    way: &'static str,
    pressure: Pressure,
    columns: &'a Columns,
}

impl Line<'_> {
    /// Waits until history is kept.
    fn write(self, section: &mut Section, floor: Outcome, ours: Outcome, child: &Child, watch: Watch) {
        let clock = stopwatch();
        child.wait_for_history();
        let after = clock.elapsed().as_secs_f64();
        let seen = watch.end();
        section.table(&[&["way in"], self.columns.names, &["behind", "kept after", "CPU pressure"]].concat());
        let cells = (self.columns.cells)(&Side::of(floor), &Side::of(ours));
        let history = vec![seen.behind.to_string(), format!("{after:.1} s"), self.pressure.to_string()];
        section.row(&[vec![self.way.to_owned()], cells, history].concat());
        section.line("");
    }
}
