//! The board shows what the facts say, and a reader who resumes ends where a reader who never left is.

use super::*;
use crate::domain::alarm::{Cause, Priority};
use crate::domain::decision::{Fact, Seen};
use crate::domain::event::Quarantined;
use crate::domain::ids::{AccountId, AlarmId, ContentHash, CrewId, DeliveryId, Skill, TaskId};
use crate::domain::reason::Verdict;
use crate::domain::task::{CancelReason, RejectReason, TaskStage, TaskStatus};
use crate::domain::uplink::Ingress;
use proptest::prelude::*;

const JOURNAL: JournalId = JournalId([7; 16]);

fn empty(limits: Limits) -> Board {
    let initial = Initial {
        journal: JOURNAL,
        seq: Seq(10),
        at: Timestamp::from_micros(10),
        alarms: Vec::new(),
        tasks: Vec::new(),
        devices_silent: Vec::new(),
        quarantined: BTreeMap::new(),
    };
    Board::with_limits(initial, limits)
}

fn raised(alarm: u64) -> Fact {
    Fact::AlarmRaised {
        alarm: AlarmId(alarm),
        rule: "bin-full".into(),
        asset: "bin-7".into(),
        priority: Priority::P3,
        cause: cause(),
    }
}

fn cause() -> Cause {
    Cause {
        device: Some("dev-7".into()),
        observed_at: Timestamp::from_micros(5),
        event: Seq(9),
        exercise: false,
        rule_version: None,
        late: None,
    }
}

fn requested(task: u64, alarm: u64) -> Fact {
    Fact::TaskRequested {
        task: TaskId(task),
        alarm: AlarmId(alarm),
        kind: "empty-bin".into(),
        skill: Skill::new("waste"),
    }
}

fn decided(seq: u64, facts: Vec<Fact>) -> (Timestamp, Event, Decision) {
    let decision = Decision { seq: Seq(seq), verdict: Verdict::Accepted, subject: None, facts, effects: Vec::new() };
    (Timestamp::from_micros(seq as i64 * 1_000), Event::Started, decision)
}

fn quarantined(seq: u64) -> (Timestamp, Event, Decision) {
    let (at, _, mut decision) = decided(seq, Vec::new());
    decision.verdict = Verdict::Quarantined(QuarantineReason::Unparsable);
    let event = Event::Quarantined(Quarantined {
        reason: QuarantineReason::Unparsable,
        detail: "expected a number at byte 4".into(),
        topic: "rettidig/v1/up/bin-9".into(),
        device: Some("bin-9".into()),
        ingress: Ingress {
            client: "gw".into(),
            connection: 1,
            packet: Some(1),
            duplicate_flag: false,
            content: ContentHash([0; 16]),
        },
        received_at: at,
        head: bytes::Bytes::from_static(b"{\"x\""),
        length: 4,
    });
    (at, event, decision)
}

fn apply(board: &Board, batch: &[(Timestamp, Event, Decision)]) {
    board.apply(batch.iter().map(|(at, event, decision)| (*at, event, decision)));
}

#[test]
fn an_alarm_lives_through_its_facts() {
    let board = empty(Limits::default());
    apply(&board, &[decided(11, vec![raised(1)])]);
    assert_eq!(board.view().counts.alarms_open, [0, 0, 1, 0]);
    assert_eq!(board.view().counts.alarms_unacknowledged, 1);
    let by = Seen::Account(AccountId::new("anna"));
    apply(&board, &[decided(12, vec![Fact::Acknowledged { alarm: AlarmId(1), by }])]);
    apply(&board, &[decided(13, vec![Fact::ReturnedToNormal { alarm: AlarmId(1), observed_at: None }])]);
    let back = Fact::AlarmReactivated { alarm: AlarmId(1), cause: Cause { event: Seq(14), ..cause() } };
    apply(&board, &[decided(14, vec![back])]);
    let view = board.view();
    let row = &view.alarms[&AlarmId(1)];
    assert!(row.alarm.active && !row.alarm.acknowledged, "what holds again has to be seen again");
    assert_eq!((row.acknowledged_by.as_ref(), row.normal_at, row.alarm.cause.event), (None, None, Seq(14)));
    apply(&board, &[decided(15, vec![Fact::AlarmClosed { alarm: AlarmId(1) }])]);
    let view = board.view();
    assert_eq!(view.alarms[&AlarmId(1)].closed_at, Some(Timestamp::from_micros(15_000)));
    assert_eq!((view.counts.alarms_open, view.counts.alarms_unacknowledged, view.seq), ([0; 4], 0, Seq(15)));
}

#[test]
fn a_task_lives_through_its_facts() {
    let board = empty(Limits::default());
    let (task, crew) = (TaskId(4), CrewId::new("waste-1"));
    let delivery = DeliveryId { seq: Seq(11), n: 0 };
    let offered = Fact::TaskOffered { task, crew: crew.clone(), expires_at: Timestamp::from_micros(99), delivery };
    apply(&board, &[decided(11, vec![raised(1), requested(4, 1), offered])]);
    let stands = |status, stage, held: bool| {
        let row = Arc::clone(&board.view().tasks[&task]);
        assert_eq!((row.task.status, row.task.stage), (status, stage));
        assert_eq!(row.task.crew.is_some(), held);
    };
    stands(TaskStatus::Requested, Some(TaskStage::Offered), true);
    let no = Fact::TaskRejected { task, crew: crew.clone(), reason: RejectReason::Busy };
    apply(&board, &[decided(12, vec![no])]);
    stands(TaskStatus::Requested, None, false);
    assert_eq!(board.view().tasks[&task].rejected, Some(RejectReason::Busy));
    apply(&board, &[decided(13, vec![Fact::TaskWaiting { task, retry_at: Timestamp::from_micros(9) }])]);
    stands(TaskStatus::Requested, Some(TaskStage::Waiting), false);
    apply(&board, &[decided(14, vec![Fact::TaskAccepted { task, crew }])]);
    stands(TaskStatus::Accepted, None, true);
    apply(&board, &[decided(15, vec![Fact::TaskStage { task, stage: TaskStage::EnRoute }])]);
    stands(TaskStatus::InProgress, Some(TaskStage::EnRoute), true);
    assert_eq!(board.view().counts.tasks_open, 1);
    let withdrawn = Fact::TaskCancelled { task, reason: CancelReason::SolvedBeforeArrival };
    apply(&board, &[decided(16, vec![withdrawn])]);
    stands(TaskStatus::Cancelled, None, true);
    assert_eq!(board.view().counts.tasks_open, 0);
}

#[test]
fn what_is_kept_beside_the_open_rows_is_bounded() {
    let limits = Limits { closed_alarms_max: 2, ended_tasks_max: 1, quarantine_rows_max: 3, ..Limits::default() };
    let board = empty(limits);
    for n in 1..=5 {
        let (alarm, task) = (AlarmId(n), TaskId(n));
        let facts = vec![raised(n), requested(n, n), Fact::TaskCompleted { task }, Fact::AlarmClosed { alarm }];
        apply(&board, &[decided(10 + n * 2, facts), quarantined(11 + n * 2)]);
    }
    let view = board.view();
    assert_eq!(view.alarms.keys().copied().collect::<Vec<_>>(), [AlarmId(4), AlarmId(5)]);
    assert_eq!(view.tasks.keys().copied().collect::<Vec<_>>(), [TaskId(5)]);
    assert_eq!(view.quarantine.len(), 3);
    assert_eq!(view.counts.quarantined.iter().sum::<u64>(), 5);
    assert_eq!(view.quarantine.last().map(|row| row.topic.as_str()), Some("rettidig/v1/up/bin-9"));
}

#[test]
fn a_reader_too_far_behind_or_of_another_journal_starts_again() {
    let board = empty(Limits { batches_max: 2, ..Limits::default() });
    for n in 1..=4 {
        apply(&board, &[decided(10 + n, vec![raised(n)])]);
    }
    let view = board.view();
    let ask = |journal, seq| view.changes_since(journal, Seq(seq), 100);
    assert_eq!(ask(JOURNAL, 14), Difference::Nothing);
    assert!(matches!(ask(JOURNAL, 12), Difference::Changes(changes) if changes.alarms.len() == 2));
    assert_eq!(ask(JOURNAL, 11), Difference::Reset);
    assert_eq!(ask(JOURNAL, 15), Difference::Reset);
    assert_eq!(ask(JournalId([8; 16]), 14), Difference::Reset);
    assert_eq!(view.changes_since(JOURNAL, Seq(12), 1), Difference::Reset);
}

#[test]
fn the_whole_view_comes_in_bounded_pieces() {
    let board = empty(Limits::default());
    let mut facts: Vec<_> = (1..=7).flat_map(|n| [raised(n), requested(n, n)]).collect();
    facts.extend(["b", "a", "d", "c"].map(|device| Fact::DeviceSilent { device: device.into() }));
    facts.push(Fact::DeviceHeard { device: "d".into() });
    apply(&board, &[decided(11, facts)]);
    let view = board.view();
    assert_eq!((view.parts(3), view.parts(2)), (3, 4));
    let (mut place, mut alarms, mut devices) = (Place::default(), Vec::new(), Vec::new());
    for _ in 0..view.parts(2) {
        let part = view.part(&mut place, 2);
        assert!(part.alarms.len() <= 2 && part.tasks.len() <= 2 && part.devices_silent.len() <= 2);
        alarms.extend(part.alarms.iter().map(|row| row.alarm.id.0));
        devices.extend(part.devices_silent);
    }
    assert_eq!(alarms, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(devices, ["a", "b", "c"].map(DeviceId::from));
}

#[test]
fn the_writer_does_not_touch_a_view_that_is_being_read() {
    let board = empty(Limits::default());
    let before = board.view();
    let mut changes = board.changes();
    apply(&board, &[decided(11, vec![raised(1)])]);
    assert!(before.alarms.is_empty());
    assert!(changes.has_changed().unwrap());
    assert_eq!(*changes.borrow_and_update(), Seq(11));
}

#[test]
fn bytes_about_a_person_are_not_shown() {
    let board = empty(Limits::default());
    let (open, mut closed) = (quarantined(11), quarantined(12));
    closed.2.subject = Some("person-1".into());
    apply(&board, &[open, closed]);
    let view = board.view();
    let shown: Vec<_> = view.quarantine.iter().map(|row| (row.personal, row.head.len(), row.length)).collect();
    assert_eq!(shown, [(false, 4, 4), (true, 0, 4)]);
}

#[test]
fn the_ledger_travels_beside_the_seq() {
    let board = empty(Limits::default());
    let ledger =
        Ledger { received: 10, decided: 6, redacted: 0, quarantined: 2, duplicate: 1, refused: 0, in_flight: 1 };
    board.set_ledger(ledger);
    assert!(board.view().ledger.balanced());
    assert_eq!(board.view().seq, Seq(10));
    assert!(!Ledger { received: 11, ..ledger }.balanced());
    assert!(Ledger { received: 13, redacted: 2, refused: 1, ..ledger }.balanced());
}

/// A screen that only ever sees differences.
#[derive(Default)]
struct Screen {
    alarms: BTreeMap<AlarmId, AlarmRow>,
    tasks: BTreeMap<TaskId, TaskRow>,
}

impl Screen {
    fn take(&mut self, changes: &Changes) {
        self.alarms.extend(changes.alarms.iter().map(|row| (row.alarm.id, AlarmRow::clone(row))));
        self.tasks.extend(changes.tasks.iter().map(|row| (row.task.id, TaskRow::clone(row))));
        changes.alarms_gone.iter().for_each(|id| drop(self.alarms.remove(id)));
        changes.tasks_gone.iter().for_each(|id| drop(self.tasks.remove(id)));
    }

    fn of(view: &View) -> Self {
        Self {
            alarms: view.alarms.iter().map(|(id, row)| (*id, AlarmRow::clone(row))).collect(),
            tasks: view.tasks.iter().map(|(id, row)| (*id, TaskRow::clone(row))).collect(),
        }
    }
}

/// Facts that an engine could state: numbers are given once, in order.
fn any_fact() -> impl Strategy<Value = fn(u64) -> Fact> {
    prop::sample::select(vec![
        (|n| raised(n)) as fn(u64) -> Fact,
        |n| requested(n, n - n % 3),
        |n| Fact::ReturnedToNormal { alarm: AlarmId(n - n % 5), observed_at: None },
        |n| Fact::AlarmClosed { alarm: AlarmId(n - n % 5) },
        |n| Fact::TaskAccepted { task: TaskId(n - n % 5), crew: "c".into() },
        |n| Fact::TaskCompleted { task: TaskId(n - n % 5) },
    ])
}

proptest! {
    /// Whatever happens and whenever a screen looks, the differences lead to the view.
    #[test]
    fn differences_lead_to_the_view(batches in prop::collection::vec((prop::collection::vec(any_fact(), 0..8), any::<bool>()), 1..40)) {
        let limits = Limits { closed_alarms_max: 1, ended_tasks_max: 1, batches_max: 4, ..Limits::default() };
        let board = empty(limits);
        let (mut screen, mut seen) = (Screen::default(), Seq(10));
        let mut count = 0;
        for (n, (facts, looks)) in batches.into_iter().enumerate() {
            let facts = facts.into_iter().map(|fact| { count += 1; fact(count) }).collect();
            apply(&board, &[decided(11 + n as u64, facts)]);
            if !looks {
                continue;
            }
            let view = board.view();
            match view.changes_since(JOURNAL, seen, 1_000) {
                Difference::Nothing => {}
                Difference::Changes(changes) => screen.take(&changes),
                Difference::Reset => screen = Screen::of(&view),
            }
            seen = view.seq;
            let whole = Screen::of(&view);
            prop_assert_eq!(&screen.alarms, &whole.alarms);
            prop_assert_eq!(&screen.tasks, &whole.tasks);
            let open = view.alarms.values().filter(|row| row.closed_at.is_none()).count() as u64;
            prop_assert_eq!(view.counts.alarms_open.iter().sum::<u64>(), open);
        }
    }
}
