//! What is appended is read back: over batches, file borders and restarts, beside a writer, until it is pruned.

use super::samples;
use super::{ID, Keys, append, at, decision, fill, open, options, try_open};
use crate::domain::decision::Decision;
use crate::domain::event::Event;
use crate::domain::ids::{JournalId, PersonId, Seq};
use crate::domain::time::Span;
use crate::journal::{Durability, Journal, JournalError, Options, Reader, Section, verify};
use proptest::prelude::*;
use std::fs;
use std::path::Path;

fn reader(folder: &Path) -> Reader {
    Reader::open(folder, Keys::default().sealing()).unwrap()
}

fn journal_files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".journal"));
    names.sort();
    names
}

#[test]
fn a_fresh_journal_is_empty_and_keeps_its_id() {
    let folder = tempfile::tempdir().unwrap();
    let full = Options { durability: Durability::Full, ..options(folder.path()) };
    let opened = open(full.clone());
    assert_eq!((opened.journal.id(), opened.last), (ID, None));
    assert_eq!(opened.journal.next_seq(), Seq(1));
    drop(opened);
    let again = Journal::open(full, Keys::default().sealing(), || panic!("it has an id")).unwrap();
    assert_eq!(again.journal.id(), ID);
    assert_eq!(verify(folder.path(), |_| {}).unwrap().entries, 0);
}

#[test]
fn only_what_is_synced_is_there_for_others() {
    let folder = tempfile::tempdir().unwrap();
    let full = Options { durability: Durability::Full, ..options(folder.path()) };
    let mut journal = open(full).journal;
    let mut reader = reader(folder.path());
    append(&mut journal, 3).unwrap();
    assert_eq!(reader.read(Seq(1), 10).unwrap(), []);
    assert_eq!(journal.sync().unwrap(), Some(Seq(3)));
    assert_eq!(reader.read(Seq(1), 10).unwrap().len(), 3);
    assert_eq!(journal.sync().unwrap(), None);
    append(&mut journal, 1).unwrap();
    assert_eq!(reader.read(Seq(4), 10).unwrap(), []);
}

#[test]
fn a_wrong_seq_is_refused_and_ends_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(options(folder.path())).journal;
    let fault = journal.append(at(1), &Event::Started, &decision(2)).unwrap_err();
    assert!(matches!(fault, JournalError::OutOfOrder { expected: Seq(1), found: Seq(2) }));
    assert!(matches!(journal.sync(), Err(JournalError::Dead)));
}

#[test]
fn a_file_is_followed_by_the_next_between_batches_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(Options { file_bytes_max: 1, ..options(folder.path()) }).journal;
    assert!(!journal.switch_file_if_due(at(0)).unwrap(), "an empty file is not followed by another");
    append(&mut journal, 2).unwrap();
    assert!(!journal.switch_file_if_due(at(0)).unwrap(), "a batch is never torn apart");
    journal.sync().unwrap();
    assert!(journal.switch_file_if_due(at(0)).unwrap());
    fill(&mut journal, 2);
    let names = ["00000000000000000001.journal", "00000000000000000003.journal"];
    assert_eq!(journal_files(folder.path()), names);
    assert_eq!(reader(folder.path()).read(Seq(1), 10).unwrap().len(), 4);
}

#[test]
fn an_old_file_is_followed_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(Options { file_age_max: Span::from_hours(24), ..options(folder.path()) }).journal;
    fill(&mut journal, 1);
    assert!(!journal.switch_file_if_due(at(86_400)).unwrap());
    assert!(journal.switch_file_if_due(at(86_401)).unwrap());
}

#[test]
fn the_end_is_known_in_an_empty_file_after_a_switch() {
    let folder = tempfile::tempdir().unwrap();
    let small = Options { file_bytes_max: 1, ..options(folder.path()) };
    let mut journal = open(small.clone()).journal;
    fill(&mut journal, 5);
    assert!(journal.switch_file_if_due(at(9)).unwrap());
    drop(journal);
    let opened = open(small);
    assert_eq!(opened.last, Some((Seq(5), at(5))));
}

#[test]
fn a_checkpoint_moves_the_log_and_close_leaves_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(Options { file_bytes_max: 1, ..options(folder.path()) }).journal;
    fill(&mut journal, 100);
    let mut maintenance = journal.maintenance();
    let done = maintenance.checkpoint().unwrap();
    assert!(done.log_pages > 0);
    assert_eq!(done.moved_pages, done.log_pages);
    journal.switch_file_if_due(at(0)).unwrap();
    fill(&mut journal, 100);
    maintenance.checkpoint().unwrap();
    assert!(!folder.path().join("00000000000000000001.journal-wal").exists());
    drop(maintenance);
    journal.close().unwrap();
    assert!(!folder.path().join("00000000000000000101.journal-wal").exists());
    assert_eq!(verify(folder.path(), |_| {}).unwrap().entries, 200);
}

#[test]
fn a_long_log_starts_over_though_the_writer_never_rests() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(options(folder.path())).journal;
    let mut maintenance = journal.maintenance();
    let log = folder.path().join("00000000000000000001.journal-wal");
    let fill_pages = |journal: &mut Journal, pages: u64| (0..pages).for_each(|_| fill(journal, 1));
    fill_pages(&mut journal, 17_000);
    // What a batch in flight does: the checkpoint cannot reach the end of the log.
    let early = rusqlite::Connection::open(folder.path().join("00000000000000000001.journal")).unwrap();
    early.execute_batch("BEGIN; SELECT count(*) FROM entry;").unwrap();
    fill(&mut journal, 1);
    assert!(!journal.fold_in_if_ready().unwrap(), "nobody has said so");
    let done = maintenance.checkpoint().unwrap();
    assert!(done.moved_pages < done.log_pages);
    drop(early);
    append(&mut journal, 1).unwrap();
    assert!(!journal.fold_in_if_ready().unwrap(), "never within a batch");
    journal.sync().unwrap();
    assert!(journal.fold_in_if_ready().unwrap());
    let length = fs::metadata(&log).unwrap().len();
    fill_pages(&mut journal, 3_000);
    assert_eq!(fs::metadata(&log).unwrap().len(), length, "the log did not start over");
    drop((journal, maintenance));
    assert_eq!(verify(folder.path(), |_| {}).unwrap().entries, 20_002);
}

#[test]
fn a_file_that_was_full_before_a_restart_is_full_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let large = Options { file_bytes_max: 60_000, ..options(folder.path()) };
    let mut journal = open(large.clone()).journal;
    fill(&mut journal, 1_000);
    drop(journal);
    assert!(open(large).journal.switch_file_if_due(at(0)).unwrap(), "also while its records are in the log only");
}

#[test]
fn reader_and_maintenance_run_beside_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let small = Options { file_bytes_max: 2_000, retain_for: Span::from_secs(100), ..options(folder.path()) };
    let mut journal = open(small).journal;
    let mut maintenance = journal.maintenance();
    let mut reader = reader(folder.path());
    let last = 3_000;
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            while journal.next_seq() <= Seq(last) {
                fill(&mut journal, 30);
                journal.switch_file_if_due(at(0)).unwrap();
            }
        });
        let reading = scope.spawn(move || {
            let mut next = Seq(1);
            loop {
                let written = writing.is_finished();
                let entries = reader.read(next, 100).unwrap();
                assert!(entries.iter().zip(next.0..).all(|(entry, seq)| entry.seq == Seq(seq)));
                if written && entries.is_empty() {
                    return next;
                }
                next = entries.last().map_or(next, |entry| entry.seq.next());
                std::thread::yield_now();
            }
        });
        while !reading.is_finished() {
            maintenance.checkpoint().unwrap();
            maintenance.prune(at(1_000_000)).unwrap();
        }
        assert_eq!(reading.join().unwrap(), Seq(last + 1));
    });
    maintenance.checkpoint().unwrap();
    drop((journal, maintenance));
    assert_eq!(verify(folder.path(), |_| {}).unwrap().entries, last);
}

#[test]
fn pruning_keeps_what_two_snapshots_and_the_retention_need() {
    let folder = tempfile::tempdir().unwrap();
    let small = Options { file_bytes_max: 1, retain_for: Span::from_secs(100), ..options(folder.path()) };
    let mut journal = open(small.clone()).journal;
    for _ in 0..4 {
        fill(&mut journal, 10);
        journal.switch_file_if_due(at(0)).unwrap();
    }
    let later = at(1_000);
    assert_eq!(journal.prune(later).unwrap(), 0, "without snapshots all files are needed");
    journal.save_snapshot(Seq(25), 1, Vec::new()).unwrap();
    assert_eq!(journal.prune(later).unwrap(), 0, "one snapshot may be damaged");
    journal.save_snapshot(Seq(35), 1, Vec::new()).unwrap();
    assert_eq!(journal.prune(at(100)).unwrap(), 0, "the files are young");
    assert_eq!(journal.prune(later).unwrap(), 2);
    let left = ["00000000000000000021.journal", "00000000000000000031.journal", "00000000000000000041.journal"];
    assert_eq!(journal_files(folder.path()), left);
    let fault = reader(folder.path()).read(Seq(20), 1).unwrap_err();
    assert!(matches!(fault, JournalError::Pruned { asked: Seq(20), first: Seq(21), .. }), "{fault}");
    assert_eq!(verify(folder.path(), |_| {}).unwrap().first, Seq(21));
    drop(journal);
    assert_eq!(open(small).last, Some((Seq(40), at(40))));
}

#[test]
fn files_of_two_journals_in_one_folder_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let small = |folder: &Path| Options { file_bytes_max: 1, ..options(folder) };
    fill(&mut open(small(folder.path())).journal, 3);
    let strangers = JournalId([7; 16]);
    let mut stranger = Journal::open(small(other.path()), Keys::default().sealing(), || strangers).unwrap().journal;
    fill(&mut stranger, 3);
    stranger.switch_file_if_due(at(9)).unwrap();
    stranger.close().unwrap();
    let second = "00000000000000000004.journal";
    fs::copy(other.path().join(second), folder.path().join(second)).unwrap();
    let fault = try_open(options(folder.path())).err().unwrap();
    assert!(fault.to_string().contains("keep one journal per folder"), "{fault}");
    assert!(matches!(verify(folder.path(), |_| {}), Err(JournalError::Foreign { .. })));
}

#[test]
fn an_erased_person_leaves_a_readable_journal() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::default();
    let mut journal = Journal::open(options(folder.path()), keys.sealing(), || ID).unwrap().journal;
    let (_, event, _) = samples::all().into_iter().find(|(name, ..)| name == "observed").unwrap();
    let subject = Some(PersonId::new("person-4711"));
    journal.append(at(1), &event, &Decision { subject, ..decision(1) }).unwrap();
    journal.append(at(2), &event, &decision(2)).unwrap();
    journal.sync().unwrap();
    let mut reader = Reader::open(folder.path(), keys.sealing()).unwrap();
    assert_eq!(reader.read(Seq(1), 1).unwrap()[0].event, event);
    keys.erase("person-4711");
    let read = reader.read(Seq(1), 2).unwrap();
    assert_eq!(read[0].event, Event::Erased { person: "person-4711".into() });
    assert_eq!(read[1].event, event);
    assert_eq!(verify(folder.path(), |_| {}).unwrap().entries, 2);
}

/// What to do next with a journal.
#[derive(Clone, Debug)]
enum Move {
    Append(usize),
    Sync,
    Switch,
    Checkpoint,
    Snapshot,
    Reopen,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        6 => (0_usize..1_000).prop_map(Move::Append),
        3 => Just(Move::Sync),
        1 => Just(Move::Switch),
        1 => Just(Move::Checkpoint),
        1 => Just(Move::Snapshot),
        1 => Just(Move::Reopen),
    ];
    proptest::collection::vec(one, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn whatever_is_synced_reads_back_in_order(moves in moves()) {
        let folder = tempfile::tempdir().unwrap();
        let small = Options { file_bytes_max: 200, ..options(folder.path()) };
        let samples = samples::all();
        let mut journal = open(small.clone()).journal;
        let (mut written, mut synced) = (Vec::new(), 0);
        for next in moves {
            match next {
                Move::Append(sample) => {
                    let (_, event, decision) = samples[sample % samples.len()].clone();
                    let decision = Decision { seq: journal.next_seq(), ..decision };
                    let moment = at(written.len() as i64);
                    journal.append(moment, &event, &decision).unwrap();
                    written.push((moment, event, decision));
                }
                Move::Sync => {
                    journal.sync().unwrap();
                    synced = written.len();
                }
                Move::Switch => {
                    journal.switch_file_if_due(at(1_000)).unwrap();
                }
                Move::Checkpoint => {
                    journal.maintenance().checkpoint().unwrap();
                }
                Move::Snapshot => {
                    let section = Section { person: None, bytes: vec![1] };
                    journal.save_snapshot(Seq(synced as u64), 1, vec![section]).unwrap();
                }
                Move::Reopen => {
                    drop(journal);
                    written.truncate(synced);
                    let opened = open(small.clone());
                    prop_assert_eq!(opened.last.map(|(seq, _)| seq.0), (synced > 0).then_some(synced as u64));
                    journal = opened.journal;
                }
            }
        }
        let read = reader(folder.path()).read(Seq(1), 1_000).unwrap();
        let read: Vec<_> = read.into_iter().map(|entry| (entry.at, entry.event, entry.decision)).collect();
        prop_assert_eq!(&read[..], &written[..synced]);
        prop_assert_eq!(verify(folder.path(), |_| {}).unwrap().entries, synced as u64);
    }
}

#[test]
fn a_log_has_its_whole_length_before_anything_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let durable = || Options { durability: Durability::Full, ..options(folder.path()) };
    let log = folder.path().join("00000000000000000001.journal-wal");
    let length = || fs::metadata(&log).unwrap().len();
    let mut opened = open(durable());
    let whole = length();
    assert!(whole >= 64 << 20, "{whole}");
    fill(&mut opened.journal, 1_000);
    assert_eq!(length(), whole, "a commit writes over what is there");
    // As at the end of the process: nothing is folded in.
    drop(opened);
    let opened = open(durable());
    assert_eq!(opened.last.map(|(seq, _)| seq), Some(Seq(1_000)));
    assert_eq!(length(), whole, "there was room already");
}
