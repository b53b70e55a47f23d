//! What people see, as text.

use crate::domain::alarm::Priority;
use crate::domain::ids::{AssetId, CrewId, TaskId};
use crate::domain::task::{TaskStage, TaskStatus};
use crate::domain::time::{Span, Timestamp};
use crate::twin::civil::Civil;
use crate::twin::gateway::{Counts, Latency, Open, OpenTask, Page, Speed};
use crate::twin::municipality::STARTS_AT;
use crate::twin::notes::Notes;
use crate::twin::report::Report;
use crate::twin::screen::draw;
use crate::twin::watch::{Display, Picture, Watch};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::time::Duration;

fn counts() -> Counts {
    Counts {
        events: 2_466,
        alarms: 31,
        tasks: 28,
        completed: 12,
        quarantined: 9,
        duplicates: 3,
        ledger_balanced: true,
        latency: Latency { p50_ms: 1.24, p99_ms: 3.08 },
    }
}

fn open_task(number: u64, priority: Priority, crew: Option<&str>) -> OpenTask {
    let stage = if crew.is_some() { TaskStage::EnRoute } else { TaskStage::Waiting };
    OpenTask {
        task: TaskId(number),
        kind: "empty-bin".into(),
        priority,
        status: TaskStatus::Accepted,
        stage: Some(stage),
        crew: crew.map(CrewId::from),
        asset: AssetId::new("bin-042"),
        requested_at: STARTS_AT + Span::from_mins(number as i64),
    }
}

fn picture<'a>(notes: &'a Notes, misbehaving: &'a [String], page: &'a Page, now: Timestamp) -> Picture<'a> {
    let tasks = vec![open_task(3, Priority::P1, Some("pleje-1")), open_task(17, Priority::P3, None)];
    Picture {
        title: "Fjordby Kommune, simulated: 250 bins, 40 beds, 6 crews",
        seed: 42,
        speed: Speed::DEFAULT,
        now,
        ends_at: Some(STARTS_AT + Span::from_hours(10)),
        wall: Duration::from_secs(6),
        counts: counts(),
        open: Open { alarms: [1, 0, 14, 2], tasks, tasks_open: 2 },
        notes,
        misbehaving,
        page: Some(page),
    }
}

fn page() -> Page {
    Page { address: "http://127.0.0.1:8080/".into(), logins: vec!["operator, password: one two three".into()] }
}

#[test]
fn one_screen_holds_everything() {
    let mut notes = Notes::default();
    notes.say(STARTS_AT + Span::from_mins(59), "affald-1 accepts task 17".into());
    notes.say(STARTS_AT + Span::from_mins(60), "the resident of bed-03 presses for help".into());
    let misbehaving = vec!["bin-010-level sends half messages".to_owned()];
    let page = page();
    let picture = picture(&notes, &misbehaving, &page, STARTS_AT + Span::from_hours(1));
    let mut terminal = Terminal::new(TestBackend::new(100, 30)).unwrap();
    terminal.draw(|frame| draw(frame, &picture, &Civil::danish(), 411.0)).unwrap();
    insta::assert_snapshot!(terminal.backend());
}

#[test]
fn a_small_terminal_does_no_harm() {
    let (notes, page) = (Notes::default(), page());
    for (width, height) in [(1, 1), (10, 3), (40, 8)] {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let picture = picture(&notes, &[], &page, STARTS_AT);
        terminal.draw(|frame| draw(frame, &picture, &Civil::danish(), 0.0)).unwrap();
    }
}

#[test]
fn plain_lines_come_each_simulated_hour() {
    let (notes, page) = (Notes::default(), page());
    let mut out = Vec::new();
    let mut watch = Watch::new(Display::Lines, &mut out).unwrap();
    for minutes in [0, 30, 60, 61] {
        let now = STARTS_AT + Span::from_mins(minutes);
        if watch.due(now, Duration::ZERO) {
            watch.show(&picture(&notes, &[], &page, now)).unwrap();
        }
    }
    drop(watch);
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

fn report() -> Report {
    Report {
        seed: 42,
        speed: Speed::DEFAULT,
        simulated: Span::from_hours(10),
        wall: Duration::from_millis(61_250),
        behind: Duration::from_millis(1_250),
        ended_early: false,
        sent: 2_470,
        counts: counts(),
        containers: Vec::new(),
        row_faults: Vec::new(),
    }
}

#[test]
fn a_report_is_one_object_for_scripts() {
    let mut out = Vec::new();
    report().write_json(&mut out).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

#[test]
fn a_report_says_when_the_machine_was_too_slow() {
    let mut out = Vec::new();
    report().write_lines(&mut out).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}
