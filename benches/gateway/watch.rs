//! Looks at a running gateway from outside while something else keeps it busy.

use crate::gateway::{Child, metrics};
use crate::report::resident_mib;
use std::net::SocketAddr;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The most that was seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// Journal entries that history did not hold yet.
    pub behind: u64,
    pub resident_mib: u64,
}

pub struct Watch {
    stop: SyncSender<()>,
    thread: JoinHandle<Seen>,
}

impl Watch {
    pub fn start(child: &Child) -> Self {
        let (http, process) = (child.http, child.id());
        let (stop, stopped) = sync_channel(1);
        let thread = thread::spawn(move || {
            let mut seen = Seen::default();
            while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                look(&mut seen, http, process);
            }
            look(&mut seen, http, process);
            seen
        });
        Self { stop, thread }
    }

    pub fn end(self) -> Seen {
        drop(self.stop);
        self.thread.join().unwrap()
    }
}

fn look(seen: &mut Seen, http: SocketAddr, process: u32) {
    seen.behind = seen.behind.max(metrics(http).get("rettidig_store_behind_entries"));
    seen.resident_mib = seen.resident_mib.max(resident_mib(process));
}
