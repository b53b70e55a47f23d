//! What the gateway takes of its machine, read at the moment of asking: the data folder's disk and the process.
//!
//! Linux tells the process in `/proc`. What cannot be read is told as zero: metering never stops anything.

use crate::telemetry::machine::{Disk, Process};
use std::fs;
use std::path::{Path, PathBuf};

/// `/proc` counts processor time in these; fixed on every Linux that is served (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// The disk of the data folder, and what each part of the folder takes.
pub(super) fn disk(root: &Path) -> Disk {
    let (free, size) =
        rustix::fs::statvfs(root).map_or((0, 0), |disk| (disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize));
    let journal = root.join("journal");
    let store = files(root).filter(|path| named(path).starts_with("store.db")).map(|path| bytes(&path)).sum();
    let parts = [
        folder(&journal),
        folder(&journal.join("snapshots")),
        store,
        folder(&root.join("vault")),
        folder(&root.join("crash")),
    ];
    Disk { parts, free, size }
}

/// This process, as `/proc` tells it.
pub(super) fn process() -> Process {
    let read = |name: &str| fs::read_to_string(format!("/proc/{name}")).unwrap_or_default();
    let stat = read("self/stat");
    // The program's name comes first, in brackets, and may hold spaces.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    let limits = read("self/limits");
    let max_fds = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap_or_default();
    let booted_at = number_after(&read("stat"), "btime");
    Process {
        cpu_seconds: (field(11) + field(12)) / TICKS_PER_SECOND,
        threads: field(17) as u64,
        started_at_seconds: booted_at as f64 + field(19) / TICKS_PER_SECOND,
        resident_bytes: number_after(&read("self/status"), "VmRSS:") * 1_024,
        open_fds: fs::read_dir("/proc/self/fd").map_or(0, |listed| listed.count() as u64),
        max_fds: max_fds.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0),
    }
}

fn number_after(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Bytes of the files in a folder, without those in folders inside it.
fn folder(path: &Path) -> u64 {
    files(path).map(|file| bytes(&file)).sum()
}

fn files(path: &Path) -> impl Iterator<Item = PathBuf> {
    let listed = fs::read_dir(path).into_iter().flatten();
    listed.filter_map(|entry| entry.ok().map(|entry| entry.path()))
}

/// A file may go between the listing and the look.
fn bytes(path: &Path) -> u64 {
    fs::metadata(path).ok().filter(fs::Metadata::is_file).map_or(0, |file| file.len())
}

fn named(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_the_folder_counts_its_own_files() {
        let root = tempfile::tempdir().unwrap();
        for (path, bytes) in [
            ("journal/00000000000000000001.journal", 10),
            ("journal/00000000000000000001.journal-wal", 5),
            ("journal/snapshots/00000000000000000001.snapshot", 7),
            ("store.db", 3),
            ("store.db-wal", 1),
            ("addresses.json", 100),
            ("vault/vault.db", 2),
            ("crash/note", 4),
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, vec![0; bytes]).unwrap();
        }
        let disk = disk(root.path());
        assert_eq!(disk.parts, [15, 7, 4, 2, 4]);
        assert!(disk.free > 0 && disk.size >= disk.free, "{disk:?}");
    }

    #[test]
    fn the_process_knows_itself() {
        let before = process();
        let _open = fs::File::open("/proc/self/stat").unwrap();
        let after = process();
        assert!(after.resident_bytes > 1 << 20 && after.threads >= 1, "{after:?}");
        assert!(after.open_fds > 3 && after.open_fds < after.max_fds, "{after:?}");
        assert!(after.cpu_seconds >= before.cpu_seconds);
        // Between 2020 and 2100.
        assert!((1.577e9..4.1e9).contains(&after.started_at_seconds), "{after:?}");
    }
}
