//! Calendars inside the engine: put in force with a configuration, asked for before they end, expanded by an event.

use super::script::configuration;
use super::{Engine, Limits};
use crate::domain::asset::Asset;
use crate::domain::calendar::{Calendars, Day, DayKind, ROUTE_ATTRIBUTE, Route, Shift, Weekday, Window};
use crate::domain::configuration::Configuration;
use crate::domain::event::{Deadline, DeadlineReason, Event, RegistryChange};
use crate::domain::ids::{AssetId, ConfigurationVersion};
use crate::domain::observation::Value;
use crate::domain::reason::{Refusal, Verdict};
use crate::domain::time::Timestamp;
use std::collections::BTreeMap;

const fn day(number: i64) -> Timestamp {
    Timestamp::from_micros(number * 86_400_000_000)
}

/// Tables for ten days: a shift every other day, a service on each.
fn tables(first: i64) -> Calendars {
    let days = first..first + 10;
    let kind = DayKind::Workday;
    Calendars {
        covers: Window { from: day(days.start), until: day(days.end) },
        renew_at: day(days.end - 4),
        time_zone: "UTC".into(),
        days: days
            .clone()
            .map(|number| Day { from: day(number), weekday: Weekday::Monday, kind, name: None })
            .collect(),
        shifts: vec![Shift {
            name: "odd".into(),
            windows: days
                .clone()
                .filter(|number| number % 2 == 1)
                .map(|number| Window { from: day(number), until: day(number + 1) })
                .collect(),
        }],
        routes: vec![
            Route { name: "daily".into(), services: days.clone().map(day).collect() },
            Route { name: "never".into(), services: Vec::new() },
        ],
        default_routes: BTreeMap::from([("bin".into(), "daily".into())]),
    }
}

fn configured(calendars: Calendars) -> Event {
    Event::Configured(Box::new(Configuration { calendars, ..configuration() }))
}

fn expanded(calendars: Calendars) -> Event {
    Event::Expanded { version: configuration().version, calendars: Box::new(calendars) }
}

/// Two engines, one deciding and one taking the record on, which must stay alike; and a third one restored.
struct Engines {
    deciding: Engine,
    following: Engine,
}

impl Engines {
    fn new() -> Self {
        Self { deciding: Engine::new(Limits::default()), following: Engine::new(Limits::default()) }
    }

    fn step(&mut self, now: Timestamp, event: &Event) -> Verdict {
        let decision = self.deciding.step(now, event);
        self.following.apply(now, event, &decision);
        let image = self.deciding.image();
        assert_eq!(self.following.image(), image);
        let mut restored = Engine::restore(Limits::default(), image);
        let deadline = self.deciding.next_deadline();
        assert_eq!(self.following.next_deadline(), deadline);
        assert_eq!(restored.next_deadline(), deadline);
        assert_eq!(self.deciding.broken_invariants(), Vec::<String>::new());
        decision.verdict
    }

    fn due(&mut self) -> Deadline {
        self.deciding.next_deadline().expect("something is waited for")
    }
}

#[test]
fn the_end_of_the_tables_is_a_deadline_and_asked_for_until_they_are_expanded() {
    let mut engines = Engines::new();
    assert_eq!(engines.step(day(0), &configured(tables(0))), Verdict::Accepted);
    assert_eq!(engines.due(), Deadline { at: day(6), why: DeadlineReason::CalendarsEnd });

    // Nobody expands them: the next day they are asked for again.
    let due = engines.due();
    engines.step(day(6), &Event::Due(due));
    assert_eq!(engines.due(), Deadline { at: day(7), why: DeadlineReason::CalendarsEnd });

    assert_eq!(engines.step(day(6), &expanded(tables(5))), Verdict::Accepted);
    assert_eq!(engines.due(), Deadline { at: day(11), why: DeadlineReason::CalendarsEnd });
    let calendars = engines.deciding.calendars().unwrap();
    assert_eq!((calendars.in_shift("odd", day(13)), calendars.in_shift("odd", day(3))), (Some(true), None));
}

#[test]
fn tables_of_another_configuration_change_nothing() {
    let mut engines = Engines::new();
    engines.step(day(0), &configured(tables(0)));
    let refused = Verdict::Refused(Refusal::InvalidConfiguration);
    let version = ConfigurationVersion([9; 16]);
    let foreign = Event::Expanded { version, calendars: Box::new(tables(5)) };
    assert_eq!(engines.step(day(1), &foreign), refused);
    let mut other = tables(5);
    other.shifts[0].name = "even".into();
    assert_eq!(engines.step(day(1), &expanded(other)), refused);
    let mut disorder = tables(5);
    disorder.days.reverse();
    assert_eq!(engines.step(day(1), &expanded(disorder.clone())), refused);
    assert_eq!(engines.step(day(1), &configured(disorder)), refused);
    assert_eq!(engines.deciding.calendars(), Some(&tables(0)));
}

#[test]
fn a_configuration_brings_its_own_tables_and_without_any_nothing_is_waited_for() {
    let mut engines = Engines::new();
    engines.step(day(0), &configured(tables(0)));
    engines.step(day(1), &configured(tables(-3)));
    assert_eq!(engines.due().at, day(3), "sooner than before");
    engines.step(day(1), &configured(tables(1)));
    assert_eq!(engines.due().at, day(7), "later than before");
    engines.step(day(1), &configured(Calendars::default()));
    assert_eq!(engines.deciding.next_deadline(), None);
}

#[test]
fn the_next_service_is_that_of_the_assets_route() {
    let mut engines = Engines::new();
    engines.step(day(0), &configured(tables(0)));
    let bin = |id: &str, route: Option<&str>| {
        RegistryChange::PutAsset(Asset {
            id: id.into(),
            kind: "bin".into(),
            area: None,
            position: None,
            person: None,
            attributes: route.map(|name| (ROUTE_ATTRIBUTE.into(), Value::Text(name.into()))).into_iter().collect(),
        })
    };
    engines.step(day(0), &Event::Registered(vec![bin("bin-1", None), bin("bin-2", Some("never"))]));
    let next = |id: &str| engines.deciding.next_service(&AssetId::new(id), day(3));
    assert_eq!((next("bin-1"), next("bin-2"), next("bin-3")), (Some(day(4)), None, None));
}
