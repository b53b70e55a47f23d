//! Snapshots come back whole or not at all, and a damaged one never hides a good one.

use super::{ID, Keys, at, fill, open, options, try_open};
use crate::domain::ids::{JournalId, Seq};
use crate::domain::time::Span;
use crate::journal::{Journal, JournalError, Options, Section, Snapshot, verify};
use std::fs;
use std::path::{Path, PathBuf};

fn section(person: Option<&str>, bytes: &[u8]) -> Section {
    Section { person: person.map(Into::into), bytes: bytes.to_owned() }
}

fn sections() -> Vec<Section> {
    vec![section(None, b"bins"), section(None, b""), section(Some("person-4711"), b"bed 3")]
}

/// The open ones first.
fn found(snapshot: &Snapshot) -> Vec<Section> {
    let open = (0..snapshot.open_sections()).map(|number| {
        let mut bytes = Vec::new();
        snapshot.read(number, &mut bytes).unwrap();
        Section { person: None, bytes }
    });
    open.chain(snapshot.personal.clone()).collect()
}

fn snapshot_file(folder: &Path, seq: u64) -> PathBuf {
    folder.join(format!("snapshots/{seq:020}.snapshot"))
}

#[test]
fn the_newest_snapshot_comes_back_and_two_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(options(folder.path())).journal;
    fill(&mut journal, 9);
    for seq in [3, 5, 9] {
        journal.save_snapshot(Seq(seq), 7, sections()).unwrap();
    }
    drop(journal);
    let snapshot = open(options(folder.path())).snapshot.unwrap();
    assert_eq!((snapshot.seq, snapshot.version, found(&snapshot)), (Seq(9), 7, sections()));
    assert!(!snapshot_file(folder.path(), 3).exists());
    assert_eq!(verify(folder.path(), |_| {}).unwrap().snapshots, 2);
}

#[test]
fn a_snapshot_is_written_by_another_thread_while_the_journal_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(options(folder.path())).journal;
    fill(&mut journal, 4);
    let writer = journal.snapshot_writer();
    let written = std::thread::spawn(move || writer.write(Seq(4), 1, sections()));
    fill(&mut journal, 4);
    written.join().unwrap().unwrap();
    drop(journal);
    let opened = open(options(folder.path()));
    assert_eq!(opened.snapshot.map(|snapshot| snapshot.seq), Some(Seq(4)));
    assert_eq!(opened.last, Some((Seq(8), at(8))));
}

#[test]
fn a_state_that_is_not_durable_is_no_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(options(folder.path())).journal;
    super::append(&mut journal, 1).unwrap();
    let fault = journal.save_snapshot(Seq(1), 1, sections()).unwrap_err();
    assert!(matches!(fault, JournalError::SnapshotTooEarly { seq: Seq(1), durable: Seq(0) }));
    journal.sync().unwrap();
    journal.save_snapshot(Seq(1), 1, sections()).unwrap();
}

#[test]
fn a_section_about_an_erased_person_is_dropped_and_never_in_the_clear() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::default();
    let reopen = || Journal::open(options(folder.path()), keys.sealing(), || ID).unwrap();
    let mut journal = reopen().journal;
    fill(&mut journal, 1);
    journal.save_snapshot(Seq(1), 1, sections()).unwrap();
    drop(journal);
    let bytes = fs::read(snapshot_file(folder.path(), 1)).unwrap();
    assert!(bytes.windows(4).any(|window| window == b"bins"));
    assert!(!bytes.windows(5).any(|window| window == b"bed 3"));
    keys.erase("person-4711");
    let left = reopen().snapshot.unwrap();
    assert_eq!(found(&left), [section(None, b"bins"), section(None, b"")]);
}

#[test]
fn every_damaged_byte_of_the_newest_falls_back_to_the_older() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(options(folder.path())).journal;
    fill(&mut journal, 2);
    journal.save_snapshot(Seq(1), 1, sections()).unwrap();
    journal.save_snapshot(Seq(2), 1, sections()).unwrap();
    drop(journal);
    let newest = snapshot_file(folder.path(), 2);
    let whole = fs::read(&newest).unwrap();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        fs::write(&newest, damaged).unwrap();
        let opened = open(options(folder.path()));
        assert_eq!(opened.snapshot.map(|snapshot| snapshot.seq), Some(Seq(1)), "byte {at}");
        assert_eq!(opened.unusable_snapshots.len(), 1);
    }
}

#[test]
fn a_damaged_snapshot_does_not_push_out_the_good_one_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(options(folder.path())).journal;
    fill(&mut journal, 3);
    journal.save_snapshot(Seq(1), 1, sections()).unwrap();
    journal.save_snapshot(Seq(2), 1, sections()).unwrap();
    drop(journal);
    fs::write(snapshot_file(folder.path(), 2), b"short").unwrap();
    let mut journal = open(options(folder.path())).journal;
    journal.save_snapshot(Seq(3), 1, sections()).unwrap();
    drop(journal);
    fs::write(snapshot_file(folder.path(), 3), b"short").unwrap();
    assert_eq!(open(options(folder.path())).snapshot.map(|snapshot| snapshot.seq), Some(Seq(1)));
}

#[test]
fn without_a_snapshot_a_pruned_journal_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let small = Options { file_bytes_max: 1, retain_for: Span::ZERO, ..options(folder.path()) };
    let mut journal = open(small.clone()).journal;
    for _ in 0..3 {
        fill(&mut journal, 2);
        journal.switch_file_if_due(at(0)).unwrap();
    }
    journal.save_snapshot(Seq(4), 1, sections()).unwrap();
    journal.save_snapshot(Seq(5), 1, sections()).unwrap();
    assert_eq!(journal.prune(at(100)).unwrap(), 2);
    drop(journal);
    fs::write(snapshot_file(folder.path(), 5), b"short").unwrap();
    assert_eq!(open(small.clone()).snapshot.map(|snapshot| snapshot.seq), Some(Seq(4)));
    fs::write(snapshot_file(folder.path(), 4), b"short").unwrap();
    let fault = try_open(small).err().unwrap();
    assert!(matches!(fault, JournalError::NoSnapshot { first: Seq(5), .. }), "{fault}");
}

#[test]
fn a_lost_journal_is_not_mistaken_for_a_fresh_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(options(folder.path())).journal;
    fill(&mut journal, 2);
    journal.save_snapshot(Seq(2), 1, sections()).unwrap();
    drop(journal);
    for file in fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        fs::remove_file(file).unwrap();
    }
    let fault = try_open(options(folder.path())).err().unwrap();
    assert!(matches!(fault, JournalError::EndsBeforeSnapshot { last: Seq(0), snapshot: Seq(2), .. }), "{fault}");
}

#[test]
fn a_snapshot_of_another_journal_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let mut stranger =
        Journal::open(options(other.path()), Keys::default().sealing(), || JournalId([7; 16])).unwrap().journal;
    fill(&mut stranger, 1);
    stranger.save_snapshot(Seq(1), 1, sections()).unwrap();
    fill(&mut open(options(folder.path())).journal, 1);
    fs::copy(snapshot_file(other.path(), 1), snapshot_file(folder.path(), 1)).unwrap();
    let opened = open(options(folder.path()));
    assert!(opened.snapshot.is_none());
    assert!(opened.unusable_snapshots[0].to_string().contains("it belongs to journal 0707"));
}
