//! The embedded store passes the suite, and the projector brings it up to the journal whatever stands in the way.

use super::conformance::{self, JOURNAL};
use super::projector::{Entry, Ports, Progress, Projector};
use super::*;
use crate::domain::event::Event;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

fn sqlite(folder: &tempfile::TempDir) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::open(&folder.path().join("store.db")).unwrap())
}

#[test]
fn sqlite_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let count = std::cell::Cell::new(0);
    conformance::holds(&|| {
        count.set(count.get() + 1);
        Box::new(SqliteStore::open(&folder.path().join(format!("{}.db", count.get()))).unwrap())
    });
}

#[test]
fn an_opened_store_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    sqlite(&folder).set_aside(JOURNAL, Seq(3), Timestamp::from_micros(1), "x").unwrap();
    assert_eq!(sqlite(&folder).checkpoint(JOURNAL).unwrap(), Some(Seq(3)));
}

#[test]
fn a_file_that_is_no_database_is_refused_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    std::fs::write(&path, "certainly not a database, but long enough to look at").unwrap();
    let Err(error) = SqliteStore::open(&path) else { panic!("opened") };
    assert!(error.to_string().contains("store.db"), "{error}");
}

/// Such a file is named, once, with what can be done.
#[test]
fn a_damaged_file_is_told_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    std::fs::write(&path, "certainly not a database, but long enough to look at".repeat(20)).unwrap();
    for opened in [SqliteStore::open(&path), SqliteStore::open_to_read(&path)] {
        let Err(error) = opened else { panic!("opened") };
        assert!(matches!(error, StoreError::Damaged { .. }) && error.retryable(), "{error:?}");
        let text = format!("{:#}", anyhow::Error::new(error));
        assert_eq!(text.matches("not a database").count(), 1, "{text}");
        assert!(text.contains("store.db") && text.contains("`rettidig store rebuild`"), "{text}");
    }
}

/// What is damaged further behind is found by reading it: by a question, or by the check of the whole file.
#[test]
fn a_file_that_is_damaged_within_is_told_apart_from_one_that_is_busy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let entries: Vec<_> = (1..=5_000).map(|seq| conformance::quarantined(seq, seq)).collect();
    let store = SqliteStore::open(&path).unwrap();
    store.project(JOURNAL, &conformance::projected(&entries)).unwrap();
    store.check().unwrap();
    drop(store);
    // What stands in the log would hide what stands in the file.
    let moved = "PRAGMA wal_checkpoint(TRUNCATE)";
    rusqlite::Connection::open(&path).unwrap().query_row(moved, [], |_| Ok(())).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let behind = bytes.len() / 4;
    bytes[behind..].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    let checked = store.check();
    assert!(matches!(checked, Err(StoreError::Damaged { .. })), "{checked:?}");
    let asked = PageAsked::first(PageAsked::ROWS_MAX);
    let found = [store.quarantine(&asked).map(drop), store.events(&asked).map(drop), store.clear()];
    assert!(found.iter().any(|found| matches!(found, Err(StoreError::Damaged { .. }))), "{found:?}");
}

/// Runs a projector over these entries until everything is projected, and stops it.
#[expect(clippy::needless_pass_by_value, reason = "each caller has one of another kind to give away")]
fn follow(store: Arc<dyn Store>, journal: Vec<Entry>, mut failures: usize) -> Arc<super::projector::Progress> {
    let last = journal.last().map_or(Seq(0), |entry| entry.0);
    let (durable, watching) = watch::channel(Seq(0));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let read = Box::new(move |from: Seq, max: usize| {
        seen.lock().unwrap().push(from);
        if failures > 0 {
            failures -= 1;
            return Err("the disk is away".into());
        }
        Ok(journal.iter().filter(|entry| entry.0 >= from).take(max).cloned().collect())
    });
    let ports = Ports { read, seal: Arc::new(conformance::seal), durable: watching, tending: None, unhurried: None };
    let projector = Projector::new(Arc::clone(&store), JOURNAL, ports);
    let progress = projector.progress();
    let shutdown = CancellationToken::new();
    durable.send(last).unwrap();
    std::thread::scope(|threads| {
        let running = threads.spawn(|| projector.run(&shutdown));
        while progress.behind() > 0 || store.checkpoint(JOURNAL).unwrap() != Some(last) {
            std::thread::sleep(Duration::from_millis(1));
        }
        shutdown.cancel();
        running.join().unwrap().unwrap();
    });
    assert_eq!(asked.lock().unwrap().first(), Some(&Seq(1)));
    progress
}

#[test]
fn the_projector_catches_up_in_batches() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder);
    let journal = (1..=9_000).map(|seq| conformance::entry(seq, Event::Started, Vec::new())).collect();
    let progress = follow(store.clone(), journal, 0);
    assert_eq!((progress.behind(), progress.set_aside(), progress.failing()), (0, 0, false));
    assert_eq!(store.events(&PageAsked::first(1)).unwrap().rows[0].seq, Seq(9_000));
}

#[test]
fn a_journal_that_cannot_be_read_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder);
    let journal = vec![conformance::entry(1, Event::Started, Vec::new())];
    let progress = follow(store, journal, 3);
    assert!(!progress.failing());
}

#[test]
fn what_never_fits_is_set_aside_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder);
    let journal =
        (1..=100).map(|seq| conformance::quarantined(seq, if seq % 40 == 0 { u64::MAX } else { seq })).collect();
    let progress = follow(store.clone(), journal, 0);
    assert_eq!(progress.set_aside(), 2);
    let aside = store.set_asides(&PageAsked::first(9)).unwrap().rows;
    assert_eq!(aside.iter().map(|row| row.seq.0).collect::<Vec<_>>(), [80, 40]);
    assert_eq!(aside[0].reason, format!("length {} does not fit the store", u64::MAX));
    assert_eq!(store.quarantine(&PageAsked::first(200)).unwrap().rows.len(), 98);
}

/// Away at first, then there: what the projector meets when a database restarts. Batches of more rows than it manages
/// are never done in time. While somebody holds `frozen`, it does not answer.
pub(crate) struct Flaky {
    inner: Arc<SqliteStore>,
    pub frozen: Mutex<()>,
    failures: Mutex<usize>,
    rows_max: usize,
    /// Rows of each batch it was given, and whether that was one entry.
    batches: Mutex<Vec<(usize, bool)>>,
}

impl Flaky {
    pub fn new(inner: Arc<SqliteStore>, failures: usize, rows_max: usize) -> Arc<Self> {
        let frozen = Mutex::default();
        Arc::new(Self { inner, frozen, failures: Mutex::new(failures), rows_max, batches: Mutex::default() })
    }

    fn thaw(&self) {
        drop(self.frozen.lock().unwrap());
    }

    fn fails(&self) -> Result<(), StoreError> {
        let mut failures = self.failures.lock().unwrap();
        if *failures == 0 {
            return Ok(());
        }
        *failures -= 1;
        Err(StoreError::Busy(rusqlite::Error::InvalidQuery))
    }
}

impl Store for Flaky {
    fn checkpoint(&self, journal: JournalId) -> Result<Option<Seq>, StoreError> {
        self.inner.checkpoint(journal)
    }
    fn project(&self, journal: JournalId, entries: &[Projected]) -> Result<(), StoreError> {
        let rows = entries.iter().map(|entry| 1 + entry.rows.len()).sum();
        self.batches.lock().unwrap().push((rows, entries.len() == 1));
        self.thaw();
        self.fails()?;
        if rows > self.rows_max {
            return Err(StoreError::Away { place: "it".to_owned(), reason: "no answer in time".to_owned() });
        }
        self.inner.project(journal, entries)
    }
    fn set_aside(&self, journal: JournalId, seq: Seq, at: Timestamp, reason: &str) -> Result<(), StoreError> {
        self.inner.set_aside(journal, seq, at, reason)
    }
    fn kept_at(&self, journal: JournalId, seq: Seq) -> Result<Option<Timestamp>, StoreError> {
        self.inner.kept_at(journal, seq)
    }
    fn clear(&self) -> Result<(), StoreError> {
        self.inner.clear()
    }
    fn alarms(&self, asked: &PageAsked) -> Result<Page<AlarmLife>, StoreError> {
        self.thaw();
        self.inner.alarms(asked)
    }
    fn tasks(&self, asked: &PageAsked) -> Result<Page<TaskLife>, StoreError> {
        self.inner.tasks(asked)
    }
    fn observations(&self, asked: &ObservationAsked, page: &PageAsked) -> Result<Page<StoredObservation>, StoreError> {
        self.inner.observations(asked, page)
    }
    fn quarantine(&self, asked: &PageAsked) -> Result<Page<QuarantineKept>, StoreError> {
        self.inner.quarantine(asked)
    }
    fn events(&self, asked: &PageAsked) -> Result<Page<LoggedEvent>, StoreError> {
        self.inner.events(asked)
    }
    fn set_asides(&self, asked: &PageAsked) -> Result<Page<SetAside>, StoreError> {
        self.inner.set_asides(asked)
    }
    fn rollups(&self, asked: &RollupAsked, page: &PageAsked) -> Result<Page<Rollup>, StoreError> {
        self.inner.rollups(asked, page)
    }
    fn tend(&self, now: Timestamp, retention: &Retention) -> Result<Tended, StoreError> {
        self.fails()?;
        self.inner.tend(now, retention)
    }
    fn close(&self) {
        self.inner.close();
    }
    fn state(&self) -> Result<State, StoreError> {
        self.inner.state()
    }
    fn rows(
        &self,
        table: &'static Table,
        journal: JournalId,
        after: Option<&[Cell<'static>]>,
        rows_max: usize,
    ) -> Result<Vec<Cells>, StoreError> {
        self.inner.rows(table, journal, after, rows_max)
    }
}

#[test]
fn a_store_that_is_away_makes_the_projector_wait_and_sets_nothing_aside() {
    let folder = tempfile::tempdir().unwrap();
    let inner = sqlite(&folder);
    let store = Flaky::new(Arc::clone(&inner), 2, usize::MAX);
    let progress = follow(store, vec![conformance::quarantined(1, 1)], 0);
    assert_eq!(progress.set_aside(), 0);
    assert_eq!(inner.quarantine(&PageAsked::first(9)).unwrap().rows.len(), 1);
}

/// The projector beside what `look` does with the store's progress.
fn beside(store: Arc<dyn Store>, journal: Vec<Entry>, look: impl FnOnce(&Progress)) {
    let last = journal.last().map_or(Seq(0), |entry| entry.0);
    let (_durable, watching) = watch::channel(last);
    let read = Box::new(move |from: Seq, max| {
        Ok(journal.iter().filter(|entry| entry.0 >= from).take(max).cloned().collect::<Vec<_>>())
    });
    let ports = Ports { read, seal: Arc::new(conformance::seal), durable: watching, tending: None, unhurried: None };
    let projector = Projector::new(store, JOURNAL, ports);
    let progress = projector.progress();
    let shutdown = CancellationToken::new();
    std::thread::scope(|threads| {
        let running = threads.spawn(|| projector.run(&shutdown));
        look(&progress);
        shutdown.cancel();
        running.join().unwrap().unwrap();
    });
}

fn until(what: impl Fn() -> bool) {
    while !what() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A database that is paused does not fail: it says nothing, for as long as its last statement may take.
#[test]
fn a_store_that_does_not_answer_is_failing_until_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let store = Flaky::new(sqlite(&folder), 0, usize::MAX);
    let frozen = store.frozen.lock().unwrap();
    beside(Arc::clone(&store) as Arc<dyn Store>, vec![conformance::quarantined(1, 1)], |progress| {
        until(|| progress.failing());
        drop(frozen);
        until(|| progress.behind() == 0);
        assert!(!progress.failing());
    });
}

/// After a time away there may be much to keep: history is late then, and no longer failing.
#[test]
fn a_store_that_is_back_is_catching_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = Flaky::new(sqlite(&folder), 1, usize::MAX);
    let journal = (1..=2_000).map(|seq| values(seq, 99)).collect();
    beside(Arc::clone(&store) as Arc<dyn Store>, journal, |progress| {
        until(|| progress.projected() > Seq(0));
        let frozen = store.frozen.lock().unwrap();
        assert!(progress.behind() > 0 && !progress.failing());
        drop(frozen);
        until(|| progress.behind() == 0);
    });
}

fn values(seq: u64, count: usize) -> Entry {
    let value = |n| ("fill", crate::domain::observation::Value::Boolean(true), n as i64);
    conformance::observed(seq, "dev-1", (0..count).map(value).collect())
}

/// A message may bring many values: what counts is the rows of a transaction, and an entry is never cut in two.
#[test]
fn a_transaction_has_so_many_rows_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let inner = sqlite(&folder);
    let store = Flaky::new(Arc::clone(&inner), 0, usize::MAX);
    let journal: Vec<_> = (1..=300).map(|seq| values(seq, if seq == 150 { 9_000 } else { 255 })).collect();
    let rows: usize = journal.len() + 299 * 255 + 9_000;
    follow(store.clone(), journal, 0);
    let batches = store.batches.lock().unwrap();
    assert_eq!(batches.iter().map(|(rows, _)| rows).sum::<usize>(), rows);
    assert!(batches.iter().all(|(rows, alone)| *rows <= 8_192 || *alone), "{batches:?}");
    assert!(batches.iter().filter(|(rows, _)| *rows == 8_192).count() >= 5, "{batches:?}");
    assert_eq!(inner.events(&PageAsked::first(1_000)).unwrap().rows.len(), 300);
}

/// A slow database that never finishes a full batch in time is given smaller ones, and is full in the end.
#[test]
fn a_store_that_is_too_slow_for_a_batch_gets_smaller_ones() {
    let folder = tempfile::tempdir().unwrap();
    let inner = sqlite(&folder);
    let store = Flaky::new(Arc::clone(&inner), 0, 2_000);
    let progress = follow(store.clone(), (1..=100).map(|seq| values(seq, 99)).collect(), 0);
    assert_eq!((progress.set_aside(), inner.events(&PageAsked::first(1_000)).unwrap().rows.len()), (0, 100));
    assert!(store.batches.lock().unwrap().iter().any(|(rows, _)| *rows > 2_000));
}

/// A data folder was put back from a copy: its next events are not those that history holds under their numbers.
#[test]
fn a_store_that_is_ahead_of_its_journal_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder);
    let past: Vec<_> = (1..=9).map(|seq| conformance::quarantined(seq, seq)).collect();
    store.project(JOURNAL, &conformance::projected(&past)).unwrap();
    let (durable, watching) = watch::channel(Seq(5));
    let read = Box::new(|_, _| -> Result<Vec<Entry>, _> { panic!("it is not even asked") });
    let ports = Ports { read, seal: Arc::new(conformance::seal), durable: watching, tending: None, unhurried: None };
    let projector = Projector::new(store.clone(), JOURNAL, ports);
    let progress = projector.progress();
    let shutdown = CancellationToken::new();
    std::thread::scope(|threads| {
        let running = threads.spawn(|| projector.run(&shutdown));
        // It goes on past the end of history, and still nothing is added.
        durable.send(Seq(20)).unwrap();
        while !progress.failing() {
            std::thread::sleep(Duration::from_millis(1));
        }
        shutdown.cancel();
        running.join().unwrap().unwrap();
    });
    assert_eq!(store.checkpoint(JOURNAL).unwrap(), Some(Seq(9)));
}

/// The next start on that copy, which has grown past the end of history since; or a start where nothing is wrong.
fn starts_again(store: Arc<SqliteStore>, journal: Vec<Entry>) -> Arc<super::projector::Progress> {
    let last = journal.last().map_or(Seq(0), |entry| entry.0);
    let (durable, watching) = watch::channel(last);
    let read = Box::new(move |from: Seq, max: usize| {
        Ok(journal.iter().filter(|entry| entry.0 >= from).take(max).cloned().collect())
    });
    let ports = Ports { read, seal: Arc::new(conformance::seal), durable: watching, tending: None, unhurried: None };
    let projector = Projector::new(store, JOURNAL, ports);
    let progress = projector.progress();
    let shutdown = CancellationToken::new();
    std::thread::scope(|threads| {
        let running = threads.spawn(|| projector.run(&shutdown));
        while !progress.failing() && progress.projected() < last {
            std::thread::sleep(Duration::from_millis(1));
        }
        shutdown.cancel();
        running.join().unwrap().unwrap();
    });
    drop(durable);
    progress
}

#[test]
fn a_store_of_another_past_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder);
    let past: Vec<_> = (1..=9).map(|seq| conformance::quarantined(seq, seq)).collect();
    store.project(JOURNAL, &conformance::projected(&past)).unwrap();
    // The first five are the same; what came after them came at other moments.
    let mut other: Vec<_> = (1..=20).map(|seq| conformance::quarantined(seq, seq)).collect();
    for entry in &mut other[5..] {
        entry.1 = Timestamp::from_micros(entry.1.as_micros() + 1);
    }
    assert!(starts_again(store.clone(), other.clone()).failing());
    assert_eq!(store.checkpoint(JOURNAL).unwrap(), Some(Seq(9)));
    assert_eq!(store.events(&PageAsked::first(99)).unwrap().rows.len(), 9, "nothing is mixed");
    // The journal no longer holds that event: there is nothing to compare.
    let pruned = other.split_off(9);
    assert!(!starts_again(store.clone(), pruned).failing());
    assert_eq!(store.checkpoint(JOURNAL).unwrap(), Some(Seq(20)));
}

#[test]
fn a_store_of_the_same_past_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder);
    let journal: Vec<_> = (1..=20).map(|seq| conformance::quarantined(seq, seq)).collect();
    store.project(JOURNAL, &conformance::projected(&journal[..8])).unwrap();
    store.set_aside(JOURNAL, Seq(9), journal[8].1, "too long").unwrap();
    assert!(!starts_again(store.clone(), journal).failing());
    assert_eq!(store.checkpoint(JOURNAL).unwrap(), Some(Seq(20)));
}
