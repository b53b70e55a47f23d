//! Sensors behind a broker, with the settings that are shipped for it: the answer is the task on the crew's phone.

use crate::bare::Bare;
use crate::broker::Mosquitto;
use crate::endpoint::is_accepted;
use crate::gateway::{Child, Site, bin, crew, device};
use crate::report::{Pressure, Section, cpu_of};
use crate::side::{self, Columns, Outcome, Side};
use crate::town::{BINS, Order, Round, Town, bin_name};
use rettidig::domain::decision::Fact;
use rettidig::domain::time::Timestamp;
use rettidig::journal::Entry;

const ROUNDS: u64 = 3;
const FLAT_OUT: [(&str, Order); 1] = [("flat out", Order { messages: 100_000, rate: None })];
const SCHEDULED: [(&str, Order); 2] = [
    ("10,000/s", Order { messages: 50_000, rate: Some(10_000) }),
    ("30,000/s", Order { messages: 100_000, rate: Some(30_000) }),
];

pub fn run() {
    let what = format!(
        "Mosquitto with `deploy/mosquitto.conf`, 10,000 bins behind one connection, QoS 1. Every tenth message calls for \
         a crew, whose task goes out by the same broker and is answered `completed`; latency is from the moment that \
         message was to be sent until the crew has its task. The floor is the gateway's own client with nothing behind \
         it but a file. Medians of {ROUNDS} rounds."
    );
    let mut section = Section::begin("mosquitto", &what);
    let broker = broker();
    let folder = tempfile::tempdir().unwrap();
    let _bare = Bare::start(broker.port(), folder.path());
    let mut gateway = Behind::start(&broker, |_| {});
    let mut floor = Town::new(broker.port(), "bare/v1");
    for (scenarios, columns) in [(&FLAT_OUT[..], side::FLAT_OUT), (&SCHEDULED[..], side::SCHEDULED)] {
        table(&mut section, &mut gateway, &mut floor, scenarios, &columns);
        section.line("");
    }
    section.line(gateway.end());
    section.write();
}

/// As shipped, but for the place, the door and the logins.
pub fn broker() -> Mosquitto {
    let shipped = include_str!("../../deploy/mosquitto.conf");
    let ours = ["listener", "allow_anonymous", "password_file"];
    let kept = shipped.lines().filter(|line| !line.starts_with('#') && !ours.iter().any(|own| line.starts_with(own)));
    let settings = kept.fold(String::new(), |text, line| text + line + "\n");
    Mosquitto::start_quietly_with(&(settings + "allow_anonymous true\n"))
}

fn table(
    section: &mut Section,
    gateway: &mut Behind,
    floor: &mut Town,
    scenarios: &[(&str, Order)],
    columns: &Columns,
) {
    section.table(&[&["scenario"], columns.names, &["CPU µs/message gateway", "CPU pressure"]].concat());
    for (name, order) in scenarios {
        let (mut floors, mut ours, mut pressure) = (Side::default(), Side::default(), Pressure::default());
        let mut cpu = 0.0;
        for _ in 0..ROUNDS {
            gateway.child.wait_for_history();
            pressure = pressure.worst(Pressure::settled());
            floors.add(whole(floor.load(*order)));
            let before = cpu_of(gateway.child.id());
            ours.add(whole(gateway.load(*order)));
            cpu += cpu_of(gateway.child.id()) - before;
        }
        let each = format!("{:.1}", cpu * 1e6 / (order.messages * ROUNDS) as f64);
        section.row(
            &[vec![(*name).to_owned()], (columns.cells)(&floors, &ours), vec![each, pressure.to_string()]].concat(),
        );
    }
}

/// A round in which each task has come exactly once.
pub fn whole(round: Round) -> Outcome {
    assert_eq!((round.lost, round.doubled), (0, 0), "of {} tasks: lost, doubled", round.called);
    round.outcome
}

/// A gateway that reads from a broker and has no other way in.
pub struct Behind {
    pub site: Site,
    pub child: Child,
    pub town: Town,
    called: u64,
}

impl Behind {
    pub fn start(broker: &Mosquitto, configure: impl FnOnce(&mut Site)) -> Self {
        let mut site = Site::with_broker(broker.port());
        site.change_rules("waste.toml", "held(temperature < 40, '1h')", "temperature < 40");
        configure(&mut site);
        let bins = (0..BINS).map(bin_name).flat_map(|name| [bin(&name), device(&name, "bin-level", &name)]);
        site.furnish(Timestamp::MIN, bins.chain([crew("crew-1", "waste")]).collect(), &[]);
        let mut child = Child::start(&site, &[]);
        child.wait_for_log("broker connected").unwrap_or_else(|log| panic!("no connection to the broker:\n{log}"));
        Self { site, child, town: Town::new(broker.port(), "rettidig/v1"), called: 0 }
    }

    pub fn load(&mut self, order: Order) -> Round {
        let round = self.town.load(order);
        self.called += round.called;
        round
    }

    /// Stops the gateway and says what its journal holds.
    pub fn end(self) -> String {
        // What a broker holds for a gateway that stops would be taken by the next one.
        self.child.wait_for_metric("rettidig_service_events_total{service=\"waste\"}", self.town.sent());
        self.child.stop();
        let asks = |entry: &Entry| entry.decision.facts.iter().any(|fact| matches!(fact, Fact::TaskRequested { .. }));
        assert_eq!(
            (self.site.count(is_accepted), self.site.count(asks)),
            (self.town.sent(), self.called),
            "lost or doubled"
        );
        format!(
            "{} messages sent to the gateway, {} tasks requested: 0 lost, 0 doubled (counted in the journal).",
            self.town.sent(),
            self.called
        )
    }
}
