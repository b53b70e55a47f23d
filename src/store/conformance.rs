//! What every store must do, whatever database is under it. Each check gets an empty store.

use super::projector::{Entry, Sealed};
use super::rows;
use super::{ObservationAsked, Page, PageAsked, Projected, Store, StoreError, StoredHead, StoredValue};
use crate::domain::alarm::{Cause, Priority};
use crate::domain::asset::Device;
use crate::domain::decision::{Decision, Fact, Seen};
use crate::domain::event::{Event, Quarantined, RegistryChange};
use crate::domain::ids::{AlarmId, AssetId, ContentHash, DeliveryId, JournalId, PersonId, Seq, TaskId};
use crate::domain::observation::{Finite, Identity, Observation, Observed, Quality, Value};
use crate::domain::reason::{QuarantineReason, Verdict};
use crate::domain::task::{CancelReason, RejectReason, TaskStage};
use crate::domain::time::Timestamp;
use crate::domain::uplink::Ingress;
use std::collections::BTreeMap;

pub(super) const JOURNAL: JournalId = JournalId([1; 16]);
const RESTORED: JournalId = JournalId([2; 16]);

/// Runs the whole suite.
pub(super) fn holds(fresh: &dyn Fn() -> Box<dyn Store>) {
    the_checkpoint_moves_with_the_rows(&*fresh());
    projecting_twice_is_projecting_once(&*fresh());
    a_refused_batch_leaves_nothing_behind(&*fresh());
    values_come_back_as_they_were(&*fresh());
    values_about_a_person_stay_sealed(&*fresh());
    ranges_include_their_start_and_not_their_end(&*fresh());
    pages_join_into_the_whole_list(&*fresh());
    lives_are_told_from_facts(&*fresh());
    an_alarm_goes_on_under_a_restored_journal(&*fresh());
    quarantine_keeps_its_particulars(&*fresh());
    bytes_about_a_person_stay_sealed(&*fresh());
    a_rebuild_gives_what_was_there(&*fresh(), &*fresh());
}

pub(super) fn entry(seq: u64, event: Event, facts: Vec<Fact>) -> Entry {
    let decision = Decision { seq: Seq(seq), verdict: Verdict::Accepted, subject: None, facts, effects: Vec::new() };
    (Seq(seq), at(seq), event, decision)
}

/// A seal that gives the same bytes for the same value, so that two projections can be compared.
#[expect(clippy::unnecessary_wraps, reason = "the signature of the port")]
pub(super) fn seal(person: &PersonId, value: &[u8]) -> Result<Sealed, String> {
    if person.as_str() == "erased" {
        return Ok(Sealed::Erased);
    }
    Ok(Sealed::Bytes(value.iter().map(|byte| byte ^ 0x5a).collect()))
}

pub(super) fn quarantined(seq: u64, length: u64) -> Entry {
    let event = Event::Quarantined(Quarantined {
        reason: QuarantineReason::Unparsable,
        detail: "læst som tekst ☂".into(),
        topic: "rettidig/v1/up/bænk-9".into(),
        device: None,
        ingress: ingress(),
        received_at: at(seq),
        head: bytes::Bytes::from_static(&[0, 255, 10]),
        length,
    });
    let mut entry = entry(seq, event, Vec::new());
    entry.3.verdict = Verdict::Quarantined(QuarantineReason::Unparsable);
    entry
}

fn at(seq: u64) -> Timestamp {
    Timestamp::from_micros(1_000_000 + seq as i64)
}

fn ingress() -> Ingress {
    let content = ContentHash([0; 16]);
    Ingress { client: "gw".into(), connection: 1, packet: None, duplicate_flag: false, content }
}

fn projected(entries: &[Entry]) -> Vec<Projected> {
    entries.iter().map(|(_, at, event, decision)| rows::project(*at, event, decision, &seal).unwrap()).collect()
}

fn project(store: &dyn Store, entries: &[Entry]) {
    store.project(JOURNAL, &projected(entries)).unwrap();
}

fn placed(seq: u64, device: &str, asset: &str) -> Entry {
    let device =
        Device { id: device.into(), sensor_type: "em400".into(), asset: asset.into(), mounting: BTreeMap::new() };
    entry(seq, Event::Registered(vec![RegistryChange::PutDevice(device)]), Vec::new())
}

fn observed(seq: u64, device: &str, values: Vec<(&str, Value, i64)>) -> Entry {
    let observations = values
        .into_iter()
        .map(|(property, value, observed_at)| Observation {
            property: property.into(),
            value,
            unit: "%".into(),
            quality: Quality::Accepted,
            observed_at: Timestamp::from_micros(observed_at),
        })
        .collect();
    let event = Event::Observed(Observed {
        device: device.into(),
        identity: Identity::Redelivery,
        ingress: ingress(),
        received_at: at(seq),
        clock_ahead: None,
        observations,
        redacted: Vec::new(),
        exercise: false,
    });
    entry(seq, event, Vec::new())
}

fn number(value: f64) -> Value {
    Value::Number(Finite::new(value).unwrap())
}

fn raised(alarm: u64) -> Fact {
    let cause =
        Cause { device: Some("dev-1".into()), observed_at: Timestamp::from_micros(3), event: Seq(1), exercise: true };
    Fact::AlarmRaised {
        alarm: AlarmId(alarm),
        rule: "bin-full".into(),
        asset: "bin-1".into(),
        priority: Priority::P2,
        cause,
    }
}

fn requested(task: u64, alarm: u64) -> Fact {
    Fact::TaskRequested { task: TaskId(task), alarm: AlarmId(alarm), kind: "empty-bin".into(), skill: "waste".into() }
}

fn fill(from: i64, until: i64) -> ObservationAsked {
    ObservationAsked {
        asset: AssetId::new("bin-1"),
        property: "fill".into(),
        from: Timestamp::from_micros(from),
        until: Timestamp::from_micros(until),
    }
}

/// Walks a list to its end in pages of `rows`, as a caller would: the cursor goes through its text form.
fn walk<T>(rows: usize, page: impl Fn(&PageAsked) -> Result<Page<T>, StoreError>) -> Vec<T> {
    let mut asked = PageAsked::first(rows);
    let mut all = Vec::new();
    loop {
        let Page { rows: mut found, next } = page(&asked).unwrap();
        assert!(found.len() <= rows);
        all.append(&mut found);
        let Some(next) = next else { return all };
        asked.after = Some(next.to_string().parse().unwrap());
    }
}

fn the_checkpoint_moves_with_the_rows(store: &dyn Store) {
    assert_eq!(store.checkpoint(JOURNAL).unwrap(), None);
    project(store, &[entry(4, Event::Started, Vec::new()), entry(5, Event::Started, Vec::new())]);
    assert_eq!(store.checkpoint(JOURNAL).unwrap(), Some(Seq(5)));
    assert_eq!(store.checkpoint(RESTORED).unwrap(), None);
    store.set_aside(JOURNAL, Seq(6), at(6), "too long").unwrap();
    assert_eq!(store.checkpoint(JOURNAL).unwrap(), Some(Seq(6)));
    let aside = store.set_asides(&PageAsked::first(9)).unwrap().rows;
    assert_eq!(aside.iter().map(|row| (row.seq, row.reason.as_str())).collect::<Vec<_>>(), [(Seq(6), "too long")]);
}

fn projecting_twice_is_projecting_once(store: &dyn Store) {
    let offered = Fact::TaskOffered {
        task: TaskId(1),
        crew: "c".into(),
        expires_at: at(9),
        delivery: DeliveryId { seq: Seq(1), n: 0 },
    };
    let entries = [entry(1, Event::Started, vec![raised(1), requested(1, 1), offered]), quarantined(2, 3)];
    project(store, &entries);
    project(store, &entries);
    assert_eq!(store.tasks(&PageAsked::first(9)).unwrap().rows[0].offers, 1);
    assert_eq!(store.quarantine(&PageAsked::first(9)).unwrap().rows.len(), 1);
    assert_eq!(store.events(&PageAsked::first(9)).unwrap().rows.len(), 2);
}

fn a_refused_batch_leaves_nothing_behind(store: &dyn Store) {
    let error = store.project(JOURNAL, &projected(&[quarantined(1, 3), quarantined(2, u64::MAX)])).unwrap_err();
    assert!(!error.retryable(), "{error}");
    assert_eq!(store.checkpoint(JOURNAL).unwrap().unwrap_or_default(), Seq(0));
    assert!(store.quarantine(&PageAsked::first(9)).unwrap().rows.is_empty());
    assert!(store.events(&PageAsked::first(9)).unwrap().rows.is_empty());
}

fn values_come_back_as_they_were(store: &dyn Store) {
    let text = "blåbærgrød \u{1F6AE} \u{0} ende";
    let values = vec![
        ("fill", number(0.1 + 0.2), i64::MIN),
        ("fill", Value::Boolean(false), 0),
        ("fill", Value::Text(text.into()), i64::MAX - 1),
    ];
    project(store, &[placed(1, "dev-1", "bin-1"), observed(2, "dev-1", values), observed(3, "stray", vec![])]);
    let rows = store.observations(&fill(i64::MIN, i64::MAX), &PageAsked::first(9)).unwrap().rows;
    let values: Vec<_> = rows.iter().map(|row| (row.observed_at.as_micros(), row.value.clone())).collect();
    assert_eq!(values[0], (i64::MIN, StoredValue::Number(0.1 + 0.2)));
    assert_eq!(values[1], (0, StoredValue::Boolean(false)));
    assert_eq!(values[2], (i64::MAX - 1, StoredValue::Text(text.to_owned())));
    assert_eq!((rows[0].quality, rows[0].unit.as_str(), rows[0].received_at), (4, "%", at(2)));
}

fn values_about_a_person_stay_sealed(store: &dyn Store) {
    let mut about = observed(2, "dev-1", vec![("fill", number(41.5), 10)]);
    about.3.subject = Some(PersonId::new("p-77"));
    let mut gone = observed(3, "dev-1", vec![("fill", number(42.5), 20)]);
    gone.3.subject = Some(PersonId::new("erased"));
    project(store, &[placed(1, "dev-1", "bin-1"), about, gone]);
    let rows = store.observations(&fill(0, 99), &PageAsked::first(9)).unwrap().rows;
    let StoredValue::Sealed { person, sealed } = &rows[0].value else { panic!("open: {:?}", rows[0]) };
    assert_eq!(person.as_str(), "p-77");
    assert!(!String::from_utf8_lossy(sealed).contains("41.5"));
    assert_eq!(sealed.iter().map(|byte| byte ^ 0x5a).collect::<Vec<_>>(), br#"{"number":41.5}"#);
    assert_eq!(rows[1].value, StoredValue::Erased { person: PersonId::new("erased") });
}

fn ranges_include_their_start_and_not_their_end(store: &dyn Store) {
    let values = [10, 20, 30].map(|at| ("fill", number(at as f64), at)).to_vec();
    let other = vec![("temperature", number(1.0), 20)];
    project(store, &[placed(1, "dev-1", "bin-1"), observed(2, "dev-1", values), observed(3, "dev-1", other)]);
    let times = |from, until| {
        let rows = store.observations(&fill(from, until), &PageAsked::first(9)).unwrap().rows;
        rows.iter().map(|row| row.observed_at.as_micros()).collect::<Vec<_>>()
    };
    assert_eq!(times(10, 30), [10, 20]);
    assert_eq!(times(11, 31), [20, 30]);
    assert_eq!(times(30, 10), [0_i64; 0]);
}

fn pages_join_into_the_whole_list(store: &dyn Store) {
    // Every second alarm is raised at the same moment as the one before: the cursor must tell them apart.
    let entries: Vec<_> =
        (0..10_u64).map(|n| entry(n + 1, Event::Started, vec![raised(n * 2 + 1), raised(n * 2 + 2)])).collect();
    project(store, &entries);
    let same_time = |n: u64| vec![("fill", number(n as f64), 7), ("fill", number(n as f64), 7)];
    project(store, &[placed(20, "dev-1", "bin-1")]);
    project(store, &(21..30).map(|n| observed(n, "dev-1", same_time(n))).collect::<Vec<_>>());
    for rows in [1, 3, 7, 100] {
        let alarms: Vec<_> = walk(rows, |asked| store.alarms(asked)).iter().map(|row| row.alarm.0).collect();
        assert_eq!(alarms, (1..=20).rev().collect::<Vec<_>>());
        assert_eq!(walk(rows, |asked| store.observations(&fill(7, 8), asked)).len(), 18);
        let events: Vec<_> = walk(rows, |asked| store.events(asked)).iter().map(|row| row.seq.0).collect();
        assert_eq!(events, (1..=10).chain(20..30).rev().collect::<Vec<_>>());
    }
    let asked = PageAsked { asset: Some("elsewhere".into()), ..PageAsked::first(5) };
    assert!(store.alarms(&asked).unwrap().rows.is_empty());
    assert!(matches!("1.2.x.4".parse::<super::Cursor>(), Err(StoreError::Cursor(_))));
}

fn lives_are_told_from_facts(store: &dyn Store) {
    let (alarm, task) = (AlarmId(1), TaskId(1));
    let delivery = DeliveryId { seq: Seq(1), n: 0 };
    let offered = Fact::TaskOffered { task, crew: "c-1".into(), expires_at: at(9), delivery };
    project(store, &[entry(1, Event::Started, vec![raised(1), requested(1, 1), offered])]);
    let open = &store.alarms(&PageAsked::first(1)).unwrap().rows[0];
    assert_eq!((open.raised_at, open.normal_at, open.acknowledged_at, open.closed_at), (at(1), None, None, None));
    assert_eq!((open.priority, open.exercise, open.device.clone()), (2, true, Some("dev-1".into())));
    let life = [
        entry(3, Event::Started, vec![Fact::TaskAccepted { task, crew: "c-1".into() }]),
        entry(4, Event::Started, vec![Fact::Acknowledged { alarm, by: Seen::Crew("c-1".into()) }]),
        entry(5, Event::Started, vec![Fact::TaskStage { task, stage: TaskStage::OnSite }]),
        entry(6, Event::Started, vec![Fact::ReturnedToNormal { alarm }, Fact::AlarmClosed { alarm }]),
        entry(7, Event::Started, vec![Fact::TaskCancelled { task, reason: CancelReason::SolvedBeforeArrival }]),
    ];
    let no = Fact::TaskRejected { task, crew: "c-1".into(), reason: RejectReason::Busy };
    project(store, &[entry(2, Event::Started, vec![no])]);
    let refused = &store.tasks(&PageAsked::first(1)).unwrap().rows[0];
    assert_eq!((refused.status.as_str(), refused.stage.as_deref(), refused.rejections), ("requested", None, 1));
    project(store, &life[..3]);
    assert_eq!(store.tasks(&PageAsked::first(1)).unwrap().rows[0].status, "in-progress");
    project(store, &life[3..]);
    let closed = &store.alarms(&PageAsked::first(1)).unwrap().rows[0];
    assert_eq!(closed.acknowledged_by.as_deref(), Some("crew:c-1"));
    assert_eq!((closed.acknowledged_at, closed.normal_at, closed.closed_at), (Some(at(4)), Some(at(6)), Some(at(6))));
    let task = &store.tasks(&PageAsked::first(1)).unwrap().rows[0];
    assert_eq!((task.status.as_str(), task.stage.as_deref()), ("cancelled", Some("on-site")));
    assert_eq!(task.cancel_reason.as_deref(), Some("solved-before-arrival"));
    assert_eq!(
        (task.asset.as_ref().map(AssetId::as_str), task.priority, task.exercise),
        (Some("bin-1"), Some(2), true)
    );
    assert_eq!((task.accepted_at, task.ended_at), (Some(at(3)), Some(at(7))));
}

fn an_alarm_goes_on_under_a_restored_journal(store: &dyn Store) {
    project(store, &[entry(5, Event::Started, vec![raised(1)])]);
    let closing = [entry(4, Event::Started, vec![Fact::AlarmClosed { alarm: AlarmId(1) }, requested(9, 77)])];
    store.project(RESTORED, &projected(&closing)).unwrap();
    assert_eq!(store.checkpoint(JOURNAL).unwrap(), Some(Seq(5)));
    assert_eq!(store.checkpoint(RESTORED).unwrap(), Some(Seq(4)));
    assert_eq!(store.alarms(&PageAsked::first(9)).unwrap().rows[0].closed_at, Some(at(4)));
    let orphan = &store.tasks(&PageAsked::first(9)).unwrap().rows[0];
    assert_eq!((orphan.asset.clone(), orphan.priority), (None, None));
}

fn quarantine_keeps_its_particulars(store: &dyn Store) {
    project(store, &[quarantined(1, 70_000)]);
    let row = &store.quarantine(&PageAsked::first(9)).unwrap().rows[0];
    assert_eq!((row.seq, row.reason.as_str(), row.length), (Seq(1), "unparsable", 70_000));
    assert_eq!((row.topic.as_str(), row.detail.as_str()), ("rettidig/v1/up/bænk-9", "læst som tekst ☂"));
    assert_eq!((&row.head, row.device.as_ref()), (&StoredHead::Open(vec![0, 255, 10]), None));
    let logged = &store.events(&PageAsked::first(9)).unwrap().rows[0];
    assert_eq!((logged.kind.as_str(), logged.verdict.as_str()), ("quarantined", "quarantined:unparsable"));
}

fn bytes_about_a_person_stay_sealed(store: &dyn Store) {
    let (mut about, mut gone) = (quarantined(1, 3), quarantined(2, 3));
    about.3.subject = Some(PersonId::new("p-77"));
    gone.3.subject = Some(PersonId::new("erased"));
    project(store, &[about, gone]);
    let rows = store.quarantine(&PageAsked::first(9)).unwrap().rows;
    assert_eq!(rows[0].head, StoredHead::Erased { person: PersonId::new("erased") });
    let sealed = [0, 255, 10].map(|byte: u8| byte ^ 0x5a).to_vec();
    assert_eq!(rows[1].head, StoredHead::Sealed { person: PersonId::new("p-77"), sealed });
}

fn a_rebuild_gives_what_was_there(live: &dyn Store, rebuilt: &dyn Store) {
    let entries = [
        placed(1, "dev-1", "bin-1"),
        observed(2, "dev-1", vec![("fill", number(1.0), 5)]),
        placed(3, "dev-1", "bin-2"),
        observed(4, "dev-1", vec![("fill", number(2.0), 6)]),
        entry(5, Event::Started, vec![raised(1), requested(1, 1)]),
        entry(7, Event::Started, vec![Fact::AlarmClosed { alarm: AlarmId(1) }]),
        quarantined(7, 9),
    ];
    for entry in &entries {
        project(live, std::slice::from_ref(entry));
    }
    project(rebuilt, &[quarantined(1, 1), entry(2, Event::Started, vec![raised(8)])]);
    rebuilt.clear().unwrap();
    assert_eq!(rebuilt.checkpoint(JOURNAL).unwrap(), None);
    project(rebuilt, &entries);
    let told = |store: &dyn Store| {
        let all = PageAsked::first(100);
        let moved = ObservationAsked { asset: "bin-2".into(), ..fill(0, 99) };
        format!(
            "{:?}{:?}{:?}{:?}{:?}{:?}",
            store.alarms(&all).unwrap(),
            store.tasks(&all).unwrap(),
            store.quarantine(&all).unwrap(),
            store.events(&all).unwrap(),
            store.observations(&fill(0, 99), &all).unwrap(),
            store.observations(&moved, &all).unwrap(),
        )
    };
    assert_eq!(told(live), told(rebuilt));
    assert!(told(live).contains("Number(2.0)"));
}
