//! The lockstep and its scenes against the gateway without its edges, the wires against the real endpoint, the screen as text.

mod house;
mod screen;
mod wires;

use super::crews::Crews;
use super::gateway::Counts;
use super::lockstep::Lockstep;
use super::municipality::{DEFAULT_SEED, LoginRole, Logins, STARTS_AT, crews, municipality};
use super::notes::Notes;
use super::recording::Recording;
use super::run::{DEMO_STRIDE, PLAY_STRIDE};
use super::scene::Scene;
use super::spoil::Limits;
use super::temper::Manner;
use super::town::Town;
use crate::config;
use crate::decode;
use crate::domain::event::RegistryChange;
use crate::domain::time::{Span, Timestamp};
use crate::registry::{self, Kind};
use house::{Direct, House, Shared, locked, ports};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn lockstep<S: Scene>(scene: S, crews: Crews, house: House, from: Timestamp, until: Timestamp) -> Lockstep<Direct, S> {
    let house = Shared::new(house.into());
    Lockstep {
        ports: ports(&house),
        transport: Direct(house),
        scene,
        crews,
        notes: Notes::default(),
        starts_at: from,
        now: from,
        ends_at: Some(until),
        stride: DEMO_STRIDE,
        sent: 0,
    }
}

/// What a day of so many hours came to.
#[derive(Debug, PartialEq)]
struct Day {
    log: Vec<String>,
    counts: Counts,
    verdicts: BTreeMap<String, u64>,
}

async fn a_day(seed: u64, hours: i64) -> Day {
    let municipality = municipality(seed);
    let house = House::new(STARTS_AT, municipality.changes());
    let limits = Limits { payload_bytes_max: decode::Limits::default().payload_bytes_max };
    let town = Town::new(&municipality, limits);
    let crews = Crews::new(seed, Manner::Human, &crews());
    let mut lockstep = lockstep(town, crews, house, STARTS_AT, STARTS_AT + Span::from_hours(hours));
    lockstep.muster().await.unwrap();
    while lockstep.step().await.unwrap() {}
    let house = locked(&lockstep.transport.0);
    Day { log: house.log.clone(), counts: house.counts.clone(), verdicts: house.verdicts.clone() }
}

#[tokio::test]
async fn the_same_seed_is_the_same_day_to_the_last_byte() {
    let day = a_day(42, 3).await;
    assert!(a_day(42, 3).await == day, "two runs of one seed differ");
    assert!(a_day(43, 3).await.log != day.log, "two seeds give the same day");
}

#[tokio::test]
async fn a_working_day_shows_everything_that_a_demo_must_show() {
    let day = a_day(42, 10).await;
    let Counts { events, alarms, tasks, completed, quarantined, duplicates, .. } = day.counts;
    assert!(events < 30_000, "{events} messages are too many for a minute at the wall");
    assert!(alarms > 50 && tasks > 50 && completed > tasks / 2, "{:?}", day.counts);
    assert!(quarantined > 10 && duplicates > 5, "{:?}", day.counts);
    let quarantined =
        ["Unparsable", "Oversize", "OutOfRange", "UnknownDevice"].map(|why| format!("Quarantined({why})"));
    let refused = "Refused(NotOfferedToThisCrew)".to_owned();
    let mut expected: BTreeSet<_> = ["Accepted", "Duplicate", "Redacted"].map(str::to_owned).into();
    expected.extend(quarantined.into_iter().chain([refused]));
    assert_eq!(day.verdicts.keys().cloned().collect::<BTreeSet<_>>(), expected);
    let rules = [
        "bin-overflow-before-service",
        "bin-fire",
        "bin-tilted",
        "bed-help-button",
        "bed-position-soon",
        "bed-position-due",
        "bed-device-silent",
    ];
    let facts =
        ["OfferExpired", "TaskRejected", "TaskWaiting", "DeviceSilent", "DeviceClockAhead", "lost ", "Verified"];
    for sign in rules.into_iter().chain(facts) {
        assert!(day.log.iter().any(|entry| entry.contains(sign)), "{sign} never happened");
    }
}

#[tokio::test]
async fn recorded_containers_end_with_tasks_that_are_done() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/prague-bins");
    let recording = Recording::open(&folder).unwrap();
    assert_eq!(recording.faults(), []);
    let (from, until) = (recording.starts_at(), recording.ends_at());
    let rows: u64 = recording.containers().iter().map(|container| container.rows).sum();
    let crews = Crews::new(42, Manner::Reliable, &Recording::crews());
    let house = House::new(from, recording.changes());
    let mut lockstep = Lockstep { stride: PLAY_STRIDE, ..lockstep(recording, crews, house, from, until) };
    lockstep.muster().await.unwrap();
    while lockstep.step().await.unwrap() {}
    let house = locked(&lockstep.transport.0);
    assert_eq!(house.log.iter().filter(|entry| entry.contains("hub-recording")).count() as u64, rows);
    for container in lockstep.scene.containers() {
        assert!(!container.tasks.is_empty(), "{container}");
        // What is asked for at the very end of the recording is not done within it.
        assert!(container.done + 1 >= container.tasks.len() as u64, "{container}");
    }
    assert!(house.counts.completed > 0);
}

#[test]
fn the_registry_holds_what_refers_to_what_it_holds() {
    let municipality = municipality(42);
    assert_eq!(municipality, super::municipality(42));
    let changes = municipality.changes();
    let mut people = BTreeSet::new();
    let mut assets = BTreeSet::new();
    let mut devices = BTreeSet::new();
    for change in &changes {
        match change {
            RegistryChange::PutPerson(person) => assert!(people.insert(person.id.clone())),
            RegistryChange::PutAsset(asset) => {
                assert!(asset.person.as_ref().is_none_or(|person| people.contains(person)));
                assert!(assets.insert(asset.id.clone()));
            }
            RegistryChange::PutDevice(device) => {
                assert!(assets.contains(&device.asset));
                assert!(devices.insert(device.id.clone()));
            }
            RegistryChange::PutCrew(_) => {}
            other @ (RegistryChange::RemoveAsset(_)
            | RegistryChange::RemoveDevice(_)
            | RegistryChange::RemoveCrew(_)
            | RegistryChange::RemovePerson(_)) => panic!("{other:?}"),
        }
    }
    assert_eq!((people.len(), assets.len(), devices.len()), (40, 290, 310));
}

/// `RETTIDIG_WRITE_DEMO=1` writes the files instead of comparing them.
#[test]
fn the_demo_folder_shows_what_the_default_seed_registers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/demo");
    let municipality = municipality(DEFAULT_SEED);
    let mut read_back = Vec::new();
    for (name, text) in municipality.registry_files() {
        if std::env::var_os("RETTIDIG_WRITE_DEMO").is_some() {
            std::fs::write(folder.join(name), &text).unwrap();
        }
        assert!(std::fs::read_to_string(folder.join(name)).unwrap() == text, "{name} shows another municipality");
        let kind = Kind::ALL.into_iter().find(|kind| name.starts_with(kind.as_str())).unwrap();
        let import = registry::read(name, text.as_bytes(), kind).unwrap();
        read_back.extend(import.changes().cloned());
    }
    let mut changes = municipality.changes();
    let order = |change: &RegistryChange| format!("{change:?}");
    read_back.sort_by_key(order);
    changes.sort_by_key(order);
    assert!(read_back == changes, "an import of the files is not what the demo registers");
}

#[test]
fn the_settings_of_the_demo_have_no_fault() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/demo");
    let settings = config::load(&folder, []).unwrap().settings;
    assert_eq!(settings.endpoint.listen.iter().map(std::net::SocketAddr::port).collect::<Vec<_>>(), [0]);
}

#[test]
fn two_in_a_hundred_devices_misbehave_and_each_has_its_login() {
    let municipality = municipality(42);
    let misbehaving = municipality.bins.iter().filter_map(|bin| bin.misbehaves).count()
        + municipality.beds.iter().filter_map(|bed| bed.misbehaves).count();
    assert_eq!(misbehaving, 7);
    let needed = municipality.logins_needed();
    let names: BTreeSet<_> = needed.iter().map(|login| &login.client).collect();
    assert_eq!(names.len(), needed.len(), "two logins have the same name");
    let crews = needed.iter().filter(|login| matches!(login.role, LoginRole::Crew(_))).count();
    let modems = needed.iter().filter(|login| matches!(login.role, LoginRole::Device(_))).count();
    assert_eq!((crews, modems), (6, 10));
    assert_eq!(Logins::new(&needed, BTreeMap::new()).unwrap_err(), needed[0].client);
}
