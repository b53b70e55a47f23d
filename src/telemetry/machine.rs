//! What the gateway takes of its machine: disk, memory, processor, file descriptors.
#![expect(clippy::disallowed_macros, reason = "metric names live in telemetry, and this is it")]

use super::catalogue::PARTS;
use metrics::{counter, gauge};

/// One reading of the data folder's disk, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// Journal, snapshots, store, vault, crash notes.
    pub parts: [u64; PARTS.len()],
    pub free: u64,
    pub size: u64,
}

/// One reading of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Process {
    pub cpu_seconds: f64,
    pub resident_bytes: u64,
    pub open_fds: u64,
    pub max_fds: u64,
    pub threads: u64,
    /// Since 1970.
    pub started_at_seconds: f64,
}

pub fn disk(disk: &Disk) {
    for (part, bytes) in PARTS.into_iter().zip(disk.parts) {
        gauge!("rettidig_data_bytes", "part" => part).set(bytes as f64);
    }
    gauge!("rettidig_data_free_bytes").set(disk.free as f64);
    gauge!("rettidig_data_disk_bytes").set(disk.size as f64);
}

pub fn process(process: &Process) {
    // Counters are whole numbers here; a second of processor time is fine enough for a rate over minutes.
    counter!("process_cpu_seconds_total").absolute(process.cpu_seconds as u64);
    gauge!("process_resident_memory_bytes").set(process.resident_bytes as f64);
    gauge!("process_open_fds").set(process.open_fds as f64);
    gauge!("process_max_fds").set(process.max_fds as f64);
    gauge!("process_threads").set(process.threads as f64);
    gauge!("process_start_time_seconds").set(process.started_at_seconds);
}
