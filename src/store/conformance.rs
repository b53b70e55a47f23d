//! What every store must do, whatever database is under it. Each check gets an empty store.

use super::projector::{Entry, Sealed};
use super::rows;
use super::{
    Bucket, ObservationAsked, Page, PageAsked, Projected, Retention, RollupAsked, Scope, Store, StoreError, StoredHead,
    StoredValue, compare,
};
use crate::domain::alarm::{Cause, Priority};
use crate::domain::asset::Device;
use crate::domain::decision::{Decision, Fact, Seen};
use crate::domain::event::{Event, Quarantined, RegistryChange};
use crate::domain::ids::{AlarmId, AssetId, ContentHash, DeliveryId, JournalId, PersonId, Seq, TaskId};
use crate::domain::observation::{Finite, Identity, Observation, Observed, Quality, Value};
use crate::domain::reason::{QuarantineReason, Verdict};
use crate::domain::task::{CancelReason, RejectReason, TaskStage};
use crate::domain::time::{Span, Timestamp};
use crate::domain::uplink::Ingress;
use std::collections::BTreeMap;

pub(crate) const JOURNAL: JournalId = JournalId([1; 16]);
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
    two_gateways_keep_their_alarms_apart(&*fresh());
    quarantine_keeps_its_particulars(&*fresh());
    bytes_about_a_person_stay_sealed(&*fresh());
    every_number_and_text_comes_back(&*fresh());
    hours_and_days_are_rolled_up(&*fresh());
    roll_ups_do_not_depend_on_batches(&*fresh(), &*fresh());
    what_is_old_enough_goes(&*fresh());
    differences_are_found(&*fresh(), &*fresh());
    a_rebuild_gives_what_was_there(&*fresh(), &*fresh());
    names_of_every_alphabet_are_compared(&*fresh(), &*fresh());
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

pub(crate) fn projected(entries: &[Entry]) -> Vec<Projected> {
    entries.iter().map(|(_, at, event, decision)| rows::project(*at, event, decision, &seal).unwrap()).collect()
}

fn project(store: &dyn Store, entries: &[Entry]) {
    store.project(JOURNAL, &projected(entries)).unwrap();
}

pub(crate) fn placed(seq: u64, device: &str, asset: &str) -> Entry {
    let device =
        Device { id: device.into(), sensor_type: "em400".into(), asset: asset.into(), mounting: BTreeMap::new() };
    entry(seq, Event::Registered(vec![RegistryChange::PutDevice(device)]), Vec::new())
}

pub(crate) fn observed(seq: u64, device: &str, values: Vec<(&str, Value, i64)>) -> Entry {
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
    let (device, observed_at, event) = (Some("dev-1".into()), Timestamp::from_micros(3), Seq(1));
    let cause = Cause { device, observed_at, event, exercise: true, rule_version: None, late: None };
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
    assert_eq!((store.checkpoint(RESTORED).unwrap(), store.kept_at(RESTORED, Seq(5)).unwrap()), (None, None));
    store.set_aside(JOURNAL, Seq(6), at(6), "too long").unwrap();
    assert_eq!(store.checkpoint(JOURNAL).unwrap(), Some(Seq(6)));
    let aside = store.set_asides(&PageAsked::first(9)).unwrap().rows;
    assert_eq!(aside.iter().map(|row| (row.seq, row.reason.as_str())).collect::<Vec<_>>(), [(Seq(6), "too long")]);
    let moments = [3, 4, 6, 7].map(|seq| store.kept_at(JOURNAL, Seq(seq)).unwrap());
    assert_eq!(moments, [None, Some(at(4)), Some(at(6)), None]);
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
    let (alarm, task, observed_at) = (AlarmId(1), TaskId(1), None);
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
        entry(6, Event::Started, vec![Fact::ReturnedToNormal { alarm, observed_at }, Fact::AlarmClosed { alarm }]),
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

/// Both count from one: what one says of its alarms and tasks is never said of the other's.
fn two_gateways_keep_their_alarms_apart(store: &dyn Store) {
    let raise = [entry(1, Event::Started, vec![raised(1), requested(1, 1)])];
    project(store, &raise);
    store.project(RESTORED, &projected(&raise)).unwrap();
    let done = vec![Fact::AlarmClosed { alarm: AlarmId(1) }, Fact::TaskCompleted { task: TaskId(1) }];
    project(store, &[entry(2, Event::Started, done)]);
    // Newest first, and at the same moment the journal that was seen later.
    let closed: Vec<_> = store.alarms(&PageAsked::first(9)).unwrap().rows.iter().map(|row| row.closed_at).collect();
    assert_eq!(closed, [None, Some(at(2))]);
    let tasks = store.tasks(&PageAsked::first(9)).unwrap().rows;
    assert_eq!(tasks.iter().map(|row| row.status.as_str()).collect::<Vec<_>>(), ["requested", "completed"]);
    assert_eq!((store.checkpoint(JOURNAL).unwrap(), store.checkpoint(RESTORED).unwrap()), (Some(Seq(2)), Some(Seq(1))));
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

/// NaN and infinities cannot be made into a value at all; everything else comes back bit for bit, but for the sign of
/// zero, which SQLite does not keep.
fn every_number_and_text_comes_back(store: &dyn Store) {
    assert!([f64::NAN, f64::INFINITY, f64::NEG_INFINITY].into_iter().all(|number| Finite::new(number).is_none()));
    let numbers = [f64::MIN, f64::MAX, f64::MIN_POSITIVE, f64::from_bits(1), 0.1 + 0.2, 9_007_199_254_740_993.0];
    let texts =
        ["", " ", "null", "NULL", "\\N", "blåbær ☂ \u{1F6AE}", "\0", "\u{1a}0\u{1a}", "e\u{301}", "a\r\n\tb", "'\";--"];
    let values: Vec<_> = numbers.map(number).into_iter().chain(texts.map(|text| Value::Text(text.into()))).collect();
    let values = (0_i64..).zip(values).map(|(at, value)| ("fill", value, at)).collect();
    let mut strange = quarantined(3, i64::MAX.cast_unsigned());
    if let Event::Quarantined(message) = &mut strange.2 {
        message.topic = "up/\0/\u{1a}".into();
    }
    project(store, &[placed(1, "dev\0", "bin-1"), observed(2, "dev\0", values), strange]);
    let rows = store.observations(&fill(0, 99), &PageAsked::first(99)).unwrap().rows;
    for (row, number) in rows.iter().zip(numbers) {
        assert!(matches!(row.value, StoredValue::Number(kept) if kept.to_bits() == number.to_bits()), "{row:?}");
    }
    let kept: Vec<_> = rows[numbers.len()..].iter().map(|row| row.value.clone()).collect();
    assert_eq!(kept, texts.map(|text| StoredValue::Text(text.to_owned())));
    assert_eq!(rows[0].device.as_str(), "dev\0");
    let quarantined = &store.quarantine(&PageAsked::first(9)).unwrap().rows[0];
    assert_eq!((quarantined.topic.as_str(), quarantined.length), ("up/\0/\u{1a}", i64::MAX.cast_unsigned()));
}

const HOUR: i64 = 3_600_000_000;

fn rolled_up(store: &dyn Store, bucket: Bucket, from: i64, until: i64, rows: usize) -> Vec<(i64, u64, f64, f64, f64)> {
    let asked = RollupAsked {
        asset: "bin-1".into(),
        property: "fill".into(),
        from: Timestamp::from_micros(from),
        until: Timestamp::from_micros(until),
        bucket,
    };
    let found = walk(rows, |page| store.rollups(&asked, page));
    found.iter().map(|row| (row.start_at.as_micros() / HOUR, row.count, row.min, row.max, row.mean)).collect()
}

fn hours_and_days_are_rolled_up(store: &dyn Store) {
    let values = [(-1, 7.0), (0, 1.0), (HOUR - 1, 4.0), (HOUR, 10.0), (25 * HOUR, -2.0), (49 * HOUR, 8.0)];
    let numbers = values.map(|(at, value)| ("fill", number(value), at)).to_vec();
    let others =
        vec![("fill", Value::Boolean(true), 1), ("fill", Value::Text("9".into()), 1), ("mass", number(9.0), 1)];
    let (mut drill, mut about) =
        (observed(4, "dev-1", vec![("fill", number(99.0), 1)]), observed(5, "dev-1", Vec::new()));
    if let Event::Observed(observed) = &mut drill.2 {
        observed.exercise = true;
    }
    if let Event::Observed(observed) = &mut about.2 {
        let rejected = |quality| Observation {
            property: "fill".into(),
            value: number(77.0),
            unit: "%".into(),
            quality,
            observed_at: Timestamp::from_micros(1),
        };
        observed.observations = vec![rejected(Quality::RejectedCertain), rejected(Quality::RejectedProbable)];
    }
    let mut personal = observed(6, "dev-1", vec![("fill", number(66.0), 1)]);
    personal.3.subject = Some(PersonId::new("p-77"));
    let stray = observed(7, "stray", vec![("fill", number(55.0), 1)]);
    project(store, &[placed(1, "dev-1", "bin-1"), observed(2, "dev-1", numbers), observed(3, "dev-1", others)]);
    project(store, &[drill, about, personal, stray]);
    for rows in [1, 2, 100] {
        let hours = rolled_up(store, Bucket::Hour, -HOUR, 99 * HOUR, rows);
        let expected = [(-1, 1, 7.0, 7.0, 7.0), (0, 2, 1.0, 4.0, 2.5), (1, 1, 10.0, 10.0, 10.0)];
        assert_eq!(hours[..3], expected);
        assert_eq!(hours[3..], [(25, 1, -2.0, -2.0, -2.0), (49, 1, 8.0, 8.0, 8.0)]);
        let days = rolled_up(store, Bucket::Day, -24 * HOUR, 99 * HOUR, rows);
        let expected = [(-24, 1, 7.0, 7.0, 7.0), (0, 3, 1.0, 10.0, 5.0), (24, 1, -2.0, -2.0, -2.0)];
        assert_eq!((&days[..3], &days[3..]), (&expected[..], &[(48, 1, 8.0, 8.0, 8.0)][..]));
    }
    assert_eq!(rolled_up(store, Bucket::Hour, 1, HOUR + 1, 9).len(), 1, "a bucket counts when it starts in the range");
    assert!(rolled_up(store, Bucket::Day, 1, 24 * HOUR, 9).is_empty());
    assert!(rolled_up(store, Bucket::Hour, i64::MIN, i64::MAX, 9).len() == 5);
}

/// Addition of floating-point numbers depends on its order: one batch or many must give the same bits.
fn roll_ups_do_not_depend_on_batches(many: &dyn Store, one: &dyn Store) {
    let value = |n: u64| ("fill", number(0.1 * n as f64 + 1e9 / (n as f64 + 0.7)), (n % 3) as i64 * HOUR);
    let entries: Vec<_> = [placed(1, "dev-1", "bin-1")]
        .into_iter()
        .chain((2..200).map(|n| observed(n, "dev-1", vec![value(n)])))
        .collect();
    entries.chunks(7).for_each(|chunk| project(many, chunk));
    project(one, &entries);
    let bits = |store: &dyn Store| {
        let hours = rolled_up(store, Bucket::Hour, 0, 9 * HOUR, 9);
        hours.into_iter().map(|(at, count, _, _, mean)| (at, count, mean.to_bits())).collect::<Vec<_>>()
    };
    assert_eq!(bits(many), bits(one));
    assert_eq!(bits(one).len(), 3);
}

fn what_is_old_enough_goes(store: &dyn Store) {
    let day = |day: i64| Timestamp::from_micros(1_700_000_000_000_000 + day * 24 * HOUR);
    let moved = |mut entry: Entry, at: Timestamp| {
        if let Event::Observed(observed) = &mut entry.2 {
            for observation in &mut observed.observations {
                observation.observed_at = at;
            }
        }
        if let Event::Quarantined(message) = &mut entry.2 {
            message.received_at = at;
        }
        entry.1 = at;
        entry
    };
    let value = || vec![("fill", number(1.0), 0)];
    let close = |alarm| vec![Fact::AlarmClosed { alarm: AlarmId(alarm) }];
    let ancient = observed(2, "dev-1", vec![("fill", number(1.0), i64::MIN)]);
    let entries = [
        placed(1, "dev-1", "bin-1"),
        ancient,
        moved(observed(3, "dev-1", value()), day(-100)),
        moved(quarantined(4, 1), day(-100)),
        moved(entry(5, Event::Started, vec![raised(1), raised(2), raised(3)]), day(-1_000)),
        moved(entry(6, Event::Started, close(1)), day(-999)),
        moved(entry(7, Event::Started, close(2)), day(-1)),
        moved(observed(8, "dev-1", value()), day(-1)),
    ];
    project(store, &entries);
    let days = |days: i64| Span::from_hours(days * 24);
    let retention = Retention { retain_for: days(62), summaries_for: days(400) };
    store.tend(day(0), &retention).unwrap();
    store.tend(day(0), &retention).unwrap();
    let kept = store.observations(&fill(i64::MIN, i64::MAX), &PageAsked::first(9)).unwrap().rows;
    assert_eq!(kept.iter().map(|row| row.observed_at).collect::<Vec<_>>(), [day(-1)]);
    assert!(store.quarantine(&PageAsked::first(9)).unwrap().rows.is_empty());
    let logged: Vec<_> = store.events(&PageAsked::first(9)).unwrap().rows.iter().map(|row| row.seq.0).collect();
    assert_eq!(logged, [8, 7]);
    let alarms: Vec<_> = store.alarms(&PageAsked::first(9)).unwrap().rows.iter().map(|row| row.alarm.0).collect();
    assert_eq!(alarms, [3, 2], "an alarm that is open is never old");
    assert_eq!(
        rolled_up(store, Bucket::Hour, i64::MIN, i64::MAX, 9).len(),
        2,
        "roll-ups outlive what they are made of"
    );
    assert_eq!(store.checkpoint(JOURNAL).unwrap(), Some(Seq(8)));
    // A clock that is nowhere near removes nothing and fails at nothing.
    for nowhere in [Timestamp::MIN, Timestamp::from_micros(i64::MAX), Timestamp::from_micros(0)] {
        store.tend(nowhere, &retention).unwrap();
    }
    assert_eq!(store.observations(&fill(i64::MIN, i64::MAX), &PageAsked::first(9)).unwrap().rows.len(), 1);
    // What comes late for a month that has gone is kept, and goes with the next look at a later month.
    project(store, &[moved(observed(9, "dev-1", value()), day(-100))]);
    store.tend(day(32), &retention).unwrap();
    assert_eq!(store.observations(&fill(i64::MIN, i64::MAX), &PageAsked::first(9)).unwrap().rows.len(), 1);
    // Filled again, what is old goes again.
    store.clear().unwrap();
    project(store, &entries);
    store.tend(day(32), &retention).unwrap();
    assert_eq!(store.observations(&fill(i64::MIN, i64::MAX), &PageAsked::first(9)).unwrap().rows.len(), 1);
}

fn scope(open: &super::Open<'_>, found: impl FnOnce(&Scope<'_>)) {
    let retention = Retention { retain_for: Span::from_hours(1), summaries_for: Span::from_hours(1) };
    let cutoff = retention.cutoff(Timestamp::from_micros(0));
    found(&Scope { journal: JOURNAL, first: Seq(1), cutoff, other_journals: false, open });
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of the port")]
fn opened(_: &PersonId, sealed: &[u8]) -> Option<Vec<u8>> {
    Some(sealed.iter().map(|byte| byte ^ 0x5a).collect())
}

fn differences_are_found(live: &dyn Store, rebuilt: &dyn Store) {
    let value = |value| vec![("fill", number(value), 5)];
    let mut about = observed(3, "dev-1", value(41.5));
    about.3.subject = Some(PersonId::new("p-77"));
    let common = [placed(1, "dev-1", "bin-1"), entry(2, Event::Started, vec![raised(1)]), about];
    project(live, &common);
    project(live, &[observed(4, "dev-1", value(1.0)), observed(5, "dev-1", value(2.0))]);
    project(rebuilt, &common);
    project(rebuilt, &[observed(4, "dev-1", value(1.0 + f64::EPSILON)), observed(6, "dev-1", value(2.0))]);
    scope(&opened, |scope| {
        let found = compare(live, rebuilt, scope).unwrap();
        let of = |table: &str| found.iter().find(|found| found.table == table).unwrap();
        assert_eq!((of("alarm").differences, of("alarm").live, of("device").differences), (0, 1, 0));
        assert_eq!((of("observation").live, of("observation").rebuilt, of("observation").differences), (3, 3, 3));
        let told: Vec<_> = of("observation").shown.iter().map(|one| (one.row.as_str(), one.what.as_str())).collect();
        let expected = [("seq 4, n 0", "value_number"), ("seq 5, n 0", "only live"), ("seq 6, n 0", "only rebuilt")];
        assert_eq!(told, expected);
        assert_eq!(of("rollup_hour").shown[0].what, "min");
    });
    let erased = |_: &PersonId, _: &[u8]| None;
    scope(&erased, |scope| {
        let found = compare(live, live, scope).unwrap();
        assert_eq!(found.iter().map(|found| found.differences).sum::<u64>(), 0, "{found:?}");
    });
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
    scope(&opened, |scope| {
        let found = compare(live, rebuilt, scope).unwrap();
        assert_eq!(found.iter().map(|found| found.differences + found.erased).sum::<u64>(), 0, "{found:?}");
        assert_eq!(found.iter().map(|found| found.live).collect::<Vec<_>>(), [6, 1, 2, 1, 1, 0, 0, 2]);
    });
}

/// Rows are compared in the order of their keys: one name that only one store has must not shift all others.
fn names_of_every_alphabet_are_compared(live: &dyn Store, rebuilt: &dyn Store) {
    let names = ["Ærø", "a", "a-b", "a_b", "aa", "aB", "Zebra", "zebra", "ø", "e\u{301}", "\u{1F6AE}", "\u{ffff}"];
    let entries: Vec<_> = (1..).zip(names).map(|(seq, name)| placed(seq, name, name)).collect();
    let value = || vec![("fill", number(1.0), 5)];
    let observed: Vec<_> = (20..).zip(names).map(|(seq, name)| observed(seq, name, value())).collect();
    for (n, name) in names.iter().enumerate() {
        live.clear().unwrap();
        rebuilt.clear().unwrap();
        project(live, &entries);
        project(live, &observed);
        let others: Vec<_> = entries.iter().filter(|entry| entry.0 != Seq(n as u64 + 1)).cloned().collect();
        project(rebuilt, &others);
        project(rebuilt, &observed);
        scope(&opened, |scope| {
            let found = compare(live, rebuilt, scope).unwrap();
            for table in found.iter().filter(|found| ["device", "rollup_hour"].contains(&found.table)) {
                assert_eq!((table.differences, table.live, table.rebuilt), (1, 12, 11), "{name:?}: {table:?}");
            }
        });
    }
}
