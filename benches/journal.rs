//! What a group commit costs, beside a bare file that is appended to and synced in the same run:
//! `cargo bench --bench journal`.
//!
//! Set `RETTIDIG_BENCH_FOLDER` to measure another disk than that of the temporary folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::allow_attributes, reason = "a failing benchmark may panic")]

use bytes::Bytes;
use divan::Bencher;
use divan::counter::ItemsCount;
use rettidig::domain::decision::Decision;
use rettidig::domain::event::{Event, Quarantined};
use rettidig::domain::ids::{ContentHash, JournalId};
use rettidig::domain::observation::{Finite, Identity, Observation, Observed, Quality, Value};
use rettidig::domain::reason::{QuarantineReason, Verdict};
use rettidig::domain::time::Timestamp;
use rettidig::domain::uplink::Ingress;
use rettidig::journal::{Journal, Options, Sealing};
use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;

/// About what a record of the journal takes.
const RECORD_BYTES: usize = 200;

#[path = "support/report.rs"]
mod report;

fn main() {
    let what = "One commit of so many events; the floor appends 200 bytes for each to a file, with a checksum over all, \
                and syncs it. `append_only` never syncs: encoding, hashing and SQLite.";
    report::keep("journal", what, divan::main);
}

/// The floor: bytes, a checksum and fdatasync.
#[divan::bench(args = [1, 64, 1024], sample_count = 50)]
fn bare_append(bencher: Bencher, batch: usize) {
    let folder = folder();
    let mut file = File::create(folder.path().join("bare")).unwrap();
    let records = vec![7; RECORD_BYTES * batch];
    bencher.counter(ItemsCount::new(batch)).bench_local(|| {
        file.write_all(&crc32c::crc32c(&records).to_be_bytes()).unwrap();
        file.write_all(&records).unwrap();
        file.sync_data().unwrap();
    });
}

/// One commit of so many events; the last column is events per second.
#[divan::bench(args = [1, 64, 1024], sample_count = 50)]
fn group_commit(bencher: Bencher, batch: usize) {
    let folder = folder();
    let mut journal = open(&folder);
    let event = observed();
    bencher.counter(ItemsCount::new(batch)).bench_local(|| {
        append(&mut journal, &event, batch);
        journal.sync().unwrap()
    });
}

/// The same without the disk: what encoding, hashing and SQLite cost.
#[divan::bench(args = [64, 1024], sample_count = 50)]
fn append_only(bencher: Bencher, batch: usize) {
    let folder = folder();
    let mut journal = open(&folder);
    let event = observed();
    bencher.counter(ItemsCount::new(batch)).bench_local(|| append(&mut journal, &event, batch));
}

/// A quarantined message with its first 256 bytes.
#[divan::bench(sample_count = 50)]
fn group_commit_of_64_quarantined(bencher: Bencher) {
    let folder = folder();
    let mut journal = open(&folder);
    let event = quarantined();
    bencher.counter(ItemsCount::new(64_usize)).bench_local(|| {
        append(&mut journal, &event, 64);
        journal.sync().unwrap()
    });
}

fn folder() -> tempfile::TempDir {
    match std::env::var_os("RETTIDIG_BENCH_FOLDER") {
        Some(folder) => tempfile::tempdir_in(folder).unwrap(),
        None => tempfile::tempdir().unwrap(),
    }
}

fn open(folder: &tempfile::TempDir) -> Journal {
    let sealing = Sealing {
        seal: Arc::new(|_, clear| Ok(clear.to_vec())),
        open: Arc::new(|_, sealed| Ok(Some(sealed.to_vec()))),
    };
    Journal::open(Options::new(folder.path().join("journal")), sealing, || JournalId([1; 16])).unwrap().journal
}

fn append(journal: &mut Journal, event: &Event, count: usize) {
    for _ in 0..count {
        let seq = journal.next_seq();
        let decision =
            Decision { seq, verdict: Verdict::Accepted, subject: None, facts: Vec::new(), effects: Vec::new() };
        journal.append(Timestamp::from_micros(1), event, &decision).unwrap();
    }
}

fn ingress() -> Ingress {
    Ingress {
        client: "gateway-1".into(),
        connection: 1,
        packet: Some(1),
        duplicate_flag: false,
        content: ContentHash([9; 16]),
    }
}

fn observed() -> Event {
    let observation = |property: &str, value: f64| Observation {
        property: property.into(),
        value: Value::Number(Finite::new(value).unwrap()),
        unit: "%".into(),
        quality: Quality::Accepted,
        observed_at: Timestamp::from_micros(1_790_000_000_000_000),
    };
    Event::Observed(Observed {
        device: "bin-0007-sensor".into(),
        identity: Identity::Network("24e124713d493245/118/85".into()),
        ingress: ingress(),
        received_at: Timestamp::from_micros(1_790_000_000_180_000),
        clock_ahead: None,
        observations: vec![observation("fill", 81.5), observation("temperature", 11.25)],
        redacted: Vec::new(),
        exercise: false,
    })
}

fn quarantined() -> Event {
    Event::Quarantined(Quarantined {
        reason: QuarantineReason::Unparsable,
        detail: "expected a value at byte 12".into(),
        topic: "rettidig/v1/up/bin-0007-sensor".into(),
        device: None,
        ingress: ingress(),
        received_at: Timestamp::from_micros(1_790_000_000_180_000),
        head: Bytes::from_static(&[7; 256]),
        length: 256,
    })
}
