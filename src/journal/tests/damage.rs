//! Damage is found and named: every bit of every record, every link, every file.

use super::{Keys, at, fill, open, options, try_open};
use crate::domain::ids::Seq;
use crate::journal::{JournalError, Options, Part, Reader, verify};
use proptest::prelude::*;
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};

const RECORDS: u64 = 12;

/// Two files of six records each, closed.
fn journal(folder: &Path) -> [PathBuf; 2] {
    let mut journal = open(Options { file_bytes_max: 1, ..options(folder) }).journal;
    fill(&mut journal, RECORDS / 2);
    journal.switch_file_if_due(at(0)).unwrap();
    fill(&mut journal, RECORDS / 2);
    journal.close().unwrap();
    [folder.join("00000000000000000001.journal"), folder.join("00000000000000000007.journal")]
}

fn change(file: &Path, sql: &str) {
    let connection = Connection::open(file).unwrap();
    assert!(connection.execute(sql, []).unwrap() > 0, "{sql}");
}

fn flip(file: &Path, column: &str, seq: u64, bit: usize) {
    let connection = Connection::open(file).unwrap();
    let query = format!("SELECT {column} FROM entry WHERE seq = {seq}");
    if column == "record" || column == "chain" {
        let mut bytes: Vec<u8> = connection.query_row(&query, [], |row| row.get(0)).unwrap();
        let bit = bit % (bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        connection.execute(&format!("UPDATE entry SET {column} = ? WHERE seq = {seq}"), [bytes]).unwrap();
    } else {
        let number: i64 = connection.query_row(&query, [], |row| row.get(0)).unwrap();
        let width = if column == "crc32c" { 32 } else { 62 };
        let changed = number ^ (1 << (bit % width));
        connection.execute(&format!("UPDATE entry SET {column} = ? WHERE seq = {seq}"), [changed]).unwrap();
    }
}

fn verified(folder: &Path) -> Result<u64, JournalError> {
    verify(folder, |_| {}).map(|verified| verified.entries)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_flipped_bit_of_a_record_is_found_and_named(
        seq in 1..=RECORDS,
        column in prop_oneof![Just("record"), Just("chain"), Just("crc32c"), Just("at")],
        bit in 0_usize..2_000,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let files = journal(folder.path());
        let file = &files[usize::from(seq > RECORDS / 2)];
        flip(file, column, seq, bit);
        let fault = verified(folder.path()).unwrap_err();
        let expected = if column == "chain" || column == "at" { Part::Chain } else { Part::Checksum };
        let JournalError::Damaged { file: named, seq: found, part } = &fault else { panic!("{fault}") };
        prop_assert_eq!((named, *found, *part), (file, Seq(seq), expected));
    }

    #[test]
    fn any_flipped_bit_of_a_file_is_found_or_changes_nothing(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let folder = tempfile::tempdir().unwrap();
        let files = journal(folder.path());
        let mut bytes = fs::read(&files[0]).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        fs::write(&files[0], bytes).unwrap();
        // SQLite has bytes that mean nothing; a flip there may pass, but then every record is still whole.
        match verified(folder.path()) {
            Ok(entries) => prop_assert_eq!(entries, RECORDS),
            Err(fault) => prop_assert!(fault.to_string().contains(".journal"), "{}", fault),
        }
    }
}

#[test]
fn a_missing_record_is_named() {
    for missing in [1, 3, 7, 9] {
        let folder = tempfile::tempdir().unwrap();
        let files = journal(folder.path());
        change(&files[usize::from(missing > 6)], &format!("DELETE FROM entry WHERE seq = {missing}"));
        let fault = verified(folder.path()).unwrap_err();
        assert!(matches!(fault, JournalError::Gap { expected, .. } if expected == Seq(missing)), "{fault}");
        let mut reader = Reader::open(folder.path(), Keys::default().sealing()).unwrap();
        let fault = reader.read(Seq(1), 100).unwrap_err();
        assert!(matches!(fault, JournalError::Gap { expected, .. } if expected == Seq(missing)), "{fault}");
    }
}

#[test]
fn a_missing_end_of_a_file_is_found_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let files = journal(folder.path());
    change(&files[0], "DELETE FROM entry WHERE seq = 6");
    let fault = try_open(options(folder.path())).err().unwrap();
    assert!(matches!(fault, JournalError::Gap { expected: Seq(6), found: Seq(7), .. }), "{fault}");
    assert!(fault.to_string().ends_with("holds seq 7 where seq 6 belongs: a record or a file is missing"));
}

#[test]
fn a_missing_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(Options { file_bytes_max: 1, ..options(folder.path()) }).journal;
    for _ in 0..3 {
        fill(&mut journal, 2);
        journal.switch_file_if_due(at(0)).unwrap();
    }
    journal.close().unwrap();
    fs::remove_file(folder.path().join("00000000000000000003.journal")).unwrap();
    for fault in [try_open(options(folder.path())).err().unwrap(), verified(folder.path()).unwrap_err()] {
        assert!(matches!(fault, JournalError::Gap { expected: Seq(3), found: Seq(5), .. }), "{fault}");
    }
}

#[test]
fn damage_among_the_last_records_is_found_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let files = journal(folder.path());
    flip(&files[1], "record", 11, 3);
    let fault = try_open(options(folder.path())).err().unwrap();
    assert!(matches!(fault, JournalError::Damaged { seq: Seq(11), part: Part::Checksum, .. }), "{fault}");
    let named = format!("record 11 in {} is damaged: its checksum does not match", files[1].display());
    assert_eq!(fault.to_string(), named);
}

#[test]
fn a_record_replaced_with_a_right_checksum_breaks_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let files = journal(folder.path());
    let forged: Vec<u8> = vec![0x83, 1, 2, 3];
    let connection = Connection::open(&files[0]).unwrap();
    let checksum = crc32c::crc32c(&forged);
    connection.execute("UPDATE entry SET record = ?, crc32c = ? WHERE seq = 2", (forged, checksum)).unwrap();
    drop(connection);
    let fault = verified(folder.path()).unwrap_err();
    assert!(matches!(fault, JournalError::Damaged { seq: Seq(2), part: Part::Chain, .. }), "{fault}");
}

#[test]
fn a_changed_header_is_refused() {
    let changes = [
        ("UPDATE header SET first_seq = 2", "its header is damaged"),
        ("UPDATE header SET prior_at = prior_at + 1", "its header is damaged"),
        ("DELETE FROM header", "its header is missing"),
    ];
    for (sql, why) in changes {
        let folder = tempfile::tempdir().unwrap();
        let files = journal(folder.path());
        change(&files[0], sql);
        let fault = try_open(options(folder.path())).err().unwrap();
        assert!(fault.to_string().ends_with(why), "{sql}: {fault}");
    }
}

#[test]
fn another_format_and_another_program_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let files = journal(folder.path());
    Connection::open(&files[1]).unwrap().pragma_update(None, "user_version", 9).unwrap();
    let fault = try_open(options(folder.path())).err().unwrap();
    assert!(fault.to_string().ends_with("has format 9; this program reads format 1"), "{fault}");
    Connection::open(&files[1]).unwrap().pragma_update(None, "application_id", 9).unwrap();
    let fault = try_open(options(folder.path())).err().unwrap();
    assert!(fault.to_string().ends_with("it is another program's SQLite file"), "{fault}");
}

#[test]
fn verify_tells_how_far_it_is() {
    let folder = tempfile::tempdir().unwrap();
    journal(folder.path());
    let mut told = Vec::new();
    let verified =
        verify(folder.path(), |progress| told.push((progress.file, progress.files, progress.entries))).unwrap();
    assert_eq!(told, [(1, 2, 6), (2, 2, 12)]);
    assert_eq!((verified.entries, verified.files, verified.first, verified.last), (12, 2, Seq(1), Seq(12)));
}
