//! A large state, made by the ways there are: the registry, and one message from each device.

use crate::endpoint::{self, CONNECTIONS};
use crate::gateway::{Site, bin, device};
use rettidig::domain::decision::Fact;
use rettidig::domain::event::Event;
use rettidig::domain::ids::ContentHash;
use rettidig::domain::observation::{Finite, Identity, Observation, Observed, Quality, Value};
use rettidig::domain::time::Timestamp;
use rettidig::domain::uplink::Ingress;
use std::fmt::Write as _;
use std::fs;

pub const ASSETS: u64 = 100_000;
/// Each begins a delay for each asset; with the one that waits for the silence of its device, that makes ten timers.
const RULES: u64 = 9;
pub const TIMERS: u64 = ASSETS * (RULES + 1);
const CHANGES_AT_ONCE: u64 = 10_000;

/// A hundred thousand bins, the first of which have logins, and a million timers.
pub fn site() -> Site {
    let site = endpoint::site_with(|site| fs::write(site.config().join("rules/delays.toml"), rules()).unwrap());
    let numbers: Vec<_> = (CONNECTIONS..ASSETS).collect();
    let registered = numbers.chunks(CHANGES_AT_ONCE as usize).map(|numbers| {
        let names = numbers.iter().map(|number| endpoint::name(*number));
        Event::Registered(names.flat_map(|name| [bin(&name), device(&name, "bin-level", &name)]).collect())
    });
    let mut delays = 0;
    site.decide(registered.chain((0..ASSETS).map(heard)), |decision| {
        delays += decision.facts.iter().filter(|fact| matches!(fact, Fact::DelayStarted { .. })).count() as u64;
    });
    assert_eq!(delays + ASSETS, TIMERS, "delays and devices");
    site
}

/// Nothing comes of them for a week.
fn rules() -> String {
    (0..RULES).fold(String::new(), |mut text, rule| {
        let said = ["cause", "consequence", "response"].map(|what| format!("{what} = {{ en = \"-\", da = \"-\" }}"));
        write!(
            text,
            "[[rule]]\nid = \"delay-{rule}\"\napplies_to = \"bin\"\nwhen = \"fill >= 0.0{rule}\"\nnormal_when = \"fill < \
             0\"\non_delay = \"7d\"\npriority = 4\nowner = \"nobody\"\nrespond_within = \"30d\"\n{}\n\n",
            said.join("\n")
        )
        .unwrap();
        text
    })
}

/// A tenth full: every delay begins, and nobody is called by the shipped rules.
fn heard(number: u64) -> Event {
    let now = Timestamp::from_micros(0);
    let mut content = [0; 16];
    content[..8].copy_from_slice(&number.to_be_bytes());
    Event::Observed(Observed {
        device: endpoint::name(number).as_str().into(),
        identity: Identity::Redelivery,
        ingress: Ingress {
            client: "city".into(),
            connection: 1,
            packet: Some(1),
            duplicate_flag: false,
            content: ContentHash(content),
        },
        received_at: now,
        clock_ahead: None,
        observations: vec![Observation {
            property: "fill".into(),
            value: Value::Number(Finite::new(0.1).unwrap()),
            unit: "1".into(),
            quality: Quality::Accepted,
            observed_at: now,
        }],
        redacted: Vec::new(),
        exercise: false,
    })
}
