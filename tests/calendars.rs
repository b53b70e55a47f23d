//! Calendars over the years: a gateway that runs on never comes to the end of its tables, and replay needs no calendar.
#![allow(clippy::allow_attributes, reason = "the shared support files allow what one binary does not use")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing test may panic")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test picks what it looks for")]

#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/mqtt.rs"]
mod mqtt;

use gateway::{Inside, Site};
use rettidig::app::clock::Clock;
use rettidig::domain::calendar::Calendars;
use rettidig::domain::event::{Deadline, DeadlineReason, Event};
use rettidig::domain::reason::Verdict;
use rettidig::domain::time::{Span, Timestamp};
use rettidig::engine::{Engine, Limits};
use std::fs;

/// 1 March 2026, noon UTC.
const NOON: Timestamp = Timestamp::from_micros(1_772_366_400_000_000);

const fn days(days: i64) -> Span {
    Span::from_hours(24 * days)
}

fn calendars(inside: &Inside) -> Calendars {
    inside.look(|engine| engine.calendars().unwrap().clone())
}

fn asked_for(event: &Event) -> bool {
    matches!(event, Event::Due(Deadline { why: DeadlineReason::CalendarsEnd, .. }))
}

#[test]
fn three_years_go_by_and_the_tables_always_reach_on() {
    let site = Site::with_endpoint();
    let inside = Inside::start(&site, Clock::scaled(NOON));
    assert_eq!(calendars(&inside).covers.until, NOON + days(400));
    for _ in 0..110 {
        inside.advance(days(10));
        let now = inside.gateway().clock.now();
        let known = calendars(&inside);
        assert!(known.covers(now - days(30)) && known.covers(now + days(190)), "{:?} at {now:?}", known.covers);
        assert!(known.next_service("bins", now).is_some_and(|next| next <= now + days(6)));
    }
    let last = calendars(&inside);
    inside.stop();

    let (_, entries) = site.journal();
    let asked: Vec<usize> = (0..entries.len()).filter(|at| asked_for(&entries[*at].event)).collect();
    assert_eq!(asked.len(), 5, "every 200 days");
    for at in asked {
        let (due, next) = (&entries[at], &entries[at + 1]);
        assert!(matches!(next.event, Event::Expanded { .. }) && next.decision.verdict == Verdict::Accepted);
        assert_eq!(due.at, next.at);
    }
    // The records alone give the same tables.
    let mut engine = Engine::new(Limits::default());
    for entry in &entries {
        engine.apply(entry.at, &entry.event, &entry.decision);
    }
    assert_eq!(engine.calendars(), Some(&last));
}

#[test]
fn a_gateway_that_was_away_for_two_years_knows_today_when_it_starts() {
    let site = Site::with_endpoint();
    Inside::start(&site, Clock::scaled(NOON)).stop();
    let later = NOON + days(730);
    let inside = Inside::start(&site, Clock::scaled(later));
    assert!(calendars(&inside).covers(later), "{:?}", calendars(&inside).covers);
    inside.stop();
}

#[test]
fn the_same_files_are_no_event_at_a_start_and_a_changed_calendar_is_one() {
    let site = Site::with_endpoint();
    let configured = || site.count(|entry| matches!(entry.event, Event::Configured(_)));
    for start in 1..3 {
        Inside::start(&site, Clock::scaled(NOON + days(start))).stop();
        assert_eq!(configured(), 1);
    }
    let path = site.config().join("calendars/standard.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("name = \"night\"", "name = \"nights\"")).unwrap();
    let inside = Inside::start(&site, Clock::scaled(NOON + days(3)));
    let known = calendars(&inside);
    assert_eq!((known.in_shift("night", NOON), known.in_shift("nights", NOON)), (None, Some(false)));
    inside.stop();
    assert_eq!(configured(), 2);
}
