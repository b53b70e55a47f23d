//! The process ends at every step, before and inside it, and the power goes: recovery is exact each time.
//!
//! Exact means: everything a sync reported is there, in order, with nothing invented behind it; what was appended
//! after it is there as a whole prefix or not at all; and the journal takes records again.

use super::{at, decision, fill, open, options, try_open};
use crate::domain::event::Event;
use crate::domain::ids::Seq;
use crate::journal::fault::{FaultHook, FaultOrder, Step, tear};
use crate::journal::{Journal, JournalError, Options, Section, verify};
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Orders `order` at the n-th step and counts all of them.
fn nth(n: usize, order: FaultOrder) -> (FaultHook, Arc<AtomicUsize>) {
    let steps = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&steps);
    let hook = move |_: Step| if steps.fetch_add(1, Ordering::SeqCst) == n { order } else { FaultOrder::Go };
    (Arc::new(hook), counted)
}

/// What a run was told before it ended.
#[derive(Default)]
struct Told {
    durable: u64,
    appended: u64,
    snapshot: u64,
}

/// A run with everything in it: batches, two file switches, snapshots, a checkpoint, pruning.
fn run(folder: &Path, hook: FaultHook, told: &mut Told) -> Result<(), JournalError> {
    let small = Options { file_bytes_max: 1, fault: Some(hook), ..options(folder) };
    let opened = try_open(small)?;
    let mut journal = opened.journal;
    for batch in 0..4_u64 {
        for _ in 0..3 {
            let seq = journal.next_seq();
            told.appended = seq.0;
            journal.append(at(seq.0.cast_signed()), &Event::Started, &decision(seq.0))?;
        }
        if let Some(seq) = journal.sync()? {
            told.durable = seq.0;
        }
        if batch == 1 {
            journal.maintenance().checkpoint()?;
        }
        if batch != 0 {
            let section = Section { person: None, bytes: batch.to_be_bytes().to_vec() };
            journal.save_snapshot(Seq(told.durable), 1, vec![section])?;
            told.snapshot = told.durable;
        }
        journal.switch_file_if_due(at(0))?;
    }
    journal.prune(at(1_000_000_000)).map(|_| ())
}

fn recovers(folder: &Path, told: &Told, what: &str) {
    let opened = try_open(options(folder)).unwrap_or_else(|fault| panic!("{what}: {fault}"));
    let last = opened.last.map_or(0, |(seq, _)| seq.0);
    assert!((told.durable..=told.appended).contains(&last), "{what}: durable {}, found {last}", told.durable);
    let snapshot = opened.snapshot.map_or(0, |snapshot| snapshot.seq.0);
    assert!((told.snapshot..=told.durable).contains(&snapshot), "{what}: snapshot {snapshot}");
    let mut journal = opened.journal;
    fill(&mut journal, 2);
    drop(journal);
    let verified = verify(folder, |_| {}).unwrap_or_else(|fault| panic!("{what}: {fault}"));
    assert_eq!(verified.last, Seq(last + 2), "{what}");
    assert!(
        std::fs::read_dir(folder)
            .unwrap()
            .all(|entry| { !entry.unwrap().file_name().to_string_lossy().contains(".new") })
    );
}

#[test]
fn recovery_is_exact_after_an_end_at_every_step() {
    let (hook, counted) = nth(usize::MAX, FaultOrder::Go);
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), hook, &mut Told::default()).unwrap();
    let steps = counted.load(Ordering::SeqCst);
    assert!(steps > 30, "{steps}");
    for order in [FaultOrder::Crash, FaultOrder::Torn] {
        for n in 0..steps {
            let (hook, _) = nth(n, order);
            let folder = tempfile::tempdir().unwrap();
            let mut told = Told::default();
            let ended = run(folder.path(), hook, &mut told);
            assert!(matches!(ended, Err(JournalError::Crashed { .. })), "step {n}: {ended:?}");
            recovers(folder.path(), &told, &format!("{order:?} at step {n}"));
        }
    }
}

#[test]
fn a_journal_that_crashed_takes_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let hook: FaultHook = Arc::new(|step| if step == Step::Commit { FaultOrder::Torn } else { FaultOrder::Go });
    let mut journal = open(Options { fault: Some(hook), ..options(folder.path()) }).journal;
    journal.append(at(1), &Event::Started, &decision(1)).unwrap();
    assert!(matches!(journal.sync(), Err(JournalError::Crashed { step: Step::Commit })));
    assert!(matches!(journal.sync(), Err(JournalError::Dead)));
    assert!(matches!(journal.append(at(1), &Event::Started, &decision(2)), Err(JournalError::Dead)));
    assert!(matches!(journal.save_snapshot(Seq(0), 1, Vec::new()), Err(JournalError::Dead)));
}

fn committed_but_never_reported(folder: &Path, durable: u64, lost: u64) {
    let commits = AtomicUsize::new(0);
    let hook: FaultHook = Arc::new(move |step| {
        let later_commit = step == Step::Commit && commits.fetch_add(1, Ordering::SeqCst) > 0;
        if later_commit { FaultOrder::Torn } else { FaultOrder::Go }
    });
    let mut journal: Journal = open(Options { fault: Some(hook), ..options(folder) }).journal;
    fill(&mut journal, durable);
    super::append(&mut journal, lost).unwrap();
    journal.sync().unwrap_err();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_torn_log_loses_only_what_was_never_reported(
        durable in 1_u64..200,
        lost in 1_u64..200,
        noise in proptest::collection::vec(any::<u8>(), 1..40),
    ) {
        let folder = tempfile::tempdir().unwrap();
        committed_but_never_reported(folder.path(), durable, lost);
        let at_risk = tear(folder.path(), Seq(durable), &noise).unwrap();
        prop_assert!(at_risk > 0);
        let told = Told { durable, appended: durable, snapshot: 0 };
        recovers(folder.path(), &told, "torn");
    }
}

#[test]
fn without_a_tear_what_reached_the_log_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    committed_but_never_reported(folder.path(), 5, 5);
    assert_eq!(open(options(folder.path())).last, Some((Seq(10), at(10))));
}

#[test]
fn nothing_is_torn_when_everything_was_reported() {
    let folder = tempfile::tempdir().unwrap();
    fill(&mut open(options(folder.path())).journal, 5);
    assert_eq!(tear(folder.path(), Seq(5), &[1, 2, 3]).unwrap(), 0);
    assert_eq!(open(options(folder.path())).last, Some((Seq(5), at(5))));
}
