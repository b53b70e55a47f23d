//! Metering of the journal: how long appending and syncing take, how large batches are, what maintenance does.
#![expect(clippy::disallowed_macros, reason = "metric names live in telemetry, and this is it")]

use crate::domain::ids::Seq;
use crate::domain::time::Timestamp;
use metrics::{counter, gauge, histogram};
use std::time::Duration;

/// One group commit is durable: `inserting` is the time its records took to reach SQLite, `committing` the sync.
pub fn synced(records: u64, bytes: u64, inserting: Duration, committing: Duration) {
    histogram!("rettidig_journal_append_seconds").record(inserting);
    histogram!("rettidig_journal_commit_seconds").record(committing);
    histogram!("rettidig_journal_batch_records").record(records as f64);
    counter!("rettidig_journal_records_total").increment(records);
    counter!("rettidig_journal_bytes_total").increment(bytes);
}

pub fn file_switched() {
    counter!("rettidig_journal_file_switches_total").increment(1);
}

pub fn checkpointed(pages: u64, took: Duration) {
    counter!("rettidig_journal_checkpointed_pages_total").increment(pages);
    histogram!("rettidig_journal_checkpoint_seconds").record(took);
}

pub fn pruned(files: usize) {
    counter!("rettidig_journal_pruned_files_total").increment(files as u64);
}

/// A snapshot has been set off; the loop goes on.
pub fn snapshot_taken(paused: Duration) {
    histogram!("rettidig_journal_snapshot_pause_seconds").record(paused);
}

pub fn snapshot_written(bytes: u64, took: Duration) {
    histogram!("rettidig_journal_snapshot_seconds").record(took);
    histogram!("rettidig_journal_snapshot_bytes").record(bytes as f64);
}

/// The newest snapshot reaches `seq`, and the engine was there at `at`.
pub fn snapshot_is(seq: Seq, at: Timestamp) {
    gauge!("rettidig_journal_snapshot_seq").set(seq.0 as f64);
    gauge!("rettidig_journal_snapshot_timestamp_seconds").set(at.as_micros() as f64 / 1e6);
}

/// Everything up to `seq` is released.
pub fn released(seq: Seq) {
    gauge!("rettidig_journal_seq").set(seq.0 as f64);
}
