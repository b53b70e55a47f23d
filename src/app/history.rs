//! What follows the journal at its own pace: checkpoints, pruning, and the store's projector.
//!
//! None of it is ever in the way of a commit.

use super::clock::Clock;
use super::data_folder::DataFolder;
use super::stores;
use crate::config;
use crate::domain::ids::{JournalId, Seq};
use crate::journal::{JournalError, Maintenance, Reader, Sealing};
use crate::store::{self, Projector, Store, Tending};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Between two checkpoints of the journal. Each makes the next syncs wait for the disk, as long as there is much to move:
/// little and often is what no sensor notices.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(250);
/// Pages in one of these times from which on the loop is at its limit, and has no time for it so often.
const PAGES_MANY: u64 = 2_048;
const CHECKPOINT_EVERY_AT_THE_LIMIT: Duration = Duration::from_secs(2);
/// Between two looks at what may be removed.
const PRUNE_EVERY: Duration = Duration::from_secs(1_800);

/// A tenth of the usual share of a processor that others want, and all of one that nobody wants (`nice(2)`).
#[cfg(target_os = "linux")]
const ASIDE_NICENESS: i32 = 10;

/// At the end history is waited for this long; what it lacks by then is in the journal and comes at the next start.
const END_WITHIN: Duration = Duration::from_secs(3);

/// What runs beside the loop; it ends with [`History::end`], or when this value goes.
#[derive(Default)]
pub(super) struct History {
    stop: CancellationToken,
    tasks: TaskTracker,
    /// The maintenance thread goes on for as long as this is there. It waits on it without the I/O runtime, which may
    /// end before it.
    maintaining: Option<SyncSender<()>>,
    store: Option<Arc<dyn Store>>,
}

impl History {
    /// Checkpoints and pruning, on a thread of their own, never inside a commit.
    pub fn maintain(&mut self, mut maintenance: Maintenance, clock: &Clock) -> anyhow::Result<()> {
        let clock = clock.clone();
        let (maintaining, ended) = sync_channel::<()>(0);
        let alive = self.tasks.token();
        self.maintaining = Some(maintaining);
        std::thread::Builder::new().name("maintenance".to_owned()).spawn(move || {
            let _alive = alive;
            let (mut pause, mut log_pages, mut unpruned) = (CHECKPOINT_EVERY, 0, Duration::ZERO);
            while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                unpruned += pause;
                match maintenance.checkpoint() {
                    Ok(done) => {
                        pause = pause_after(done.log_pages, log_pages);
                        log_pages = done.log_pages;
                    }
                    Err(error) => tracing::warn!(%error, "checkpoint failed; the next one tries again"),
                }
                if unpruned >= PRUNE_EVERY {
                    unpruned = Duration::ZERO;
                    if let Err(error) = maintenance.prune(clock.now()) {
                        tracing::warn!(%error, "old journal files were not removed");
                    }
                }
            }
        })?;
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "what the projector is made of")]
    pub fn project(
        &mut self,
        store: &Arc<dyn Store>,
        journal: JournalId,
        folder: &DataFolder,
        sealing: &Sealing,
        durable: watch::Receiver<Seq>,
        tending: Tending,
        embedded: bool,
    ) -> anyhow::Result<Arc<store::Progress>> {
        let ports = store::Ports {
            read: reading(Reader::open(folder.journal(), sealing.clone())?),
            seal: seal(sealing),
            durable,
            tending: Some(tending),
            // A server does the work by itself; what is left here is little, and without it the server waits.
            unhurried: embedded.then_some(step_back as fn()),
        };
        self.store = Some(Arc::clone(store));
        let projector = Projector::new(Arc::clone(store), journal, ports);
        let progress = projector.progress();
        let (stop, alive) = (self.stop.clone(), self.tasks.token());
        std::thread::Builder::new().name("projector".to_owned()).spawn(move || {
            let _alive = alive;
            if embedded {
                step_aside();
            }
            if let Err(error) = projector.run(&stop) {
                tracing::error!(%error, "history is not kept: the system gives no timer");
            }
        })?;
        Ok(progress)
    }

    /// Returns when the store has caught up, or was given its time, and the maintenance has ended.
    pub async fn end(self) {
        drop(self.maintaining);
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(END_WITHIN, self.tasks.wait()).await.is_ok() {
            return;
        }
        if let Some(store) = &self.store {
            store.close();
        }
        self.tasks.wait().await;
    }
}

/// Until the next checkpoint, after one that found the log so long; `before` is how long the last one found it.
const fn pause_after(log_pages: u64, before: u64) -> Duration {
    // A log that is shorter has begun again.
    let new = if log_pages < before { log_pages } else { log_pages - before };
    if new > PAGES_MANY { CHECKPOINT_EVERY_AT_THE_LIMIT } else { CHECKPOINT_EVERY }
}

/// Lets the threads that decide and acknowledge go first: what they leave behind can wait, a sensor should not. On Linux this is about
/// the calling thread alone.
pub(super) fn step_aside() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, ASIDE_NICENESS) {
        tracing::debug!(%error, "this thread keeps the usual priority");
    }
}

/// The calling thread takes only what no other wants of a processor, until it ends (`sched(7)`, SCHED_IDLE).
fn step_back() {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::{
            NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
            thread_native_id,
        };
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle) {
            tracing::trace!(?error, "this thread keeps its priority");
        }
    }
}

/// The journal as the projector reads it.
pub(super) fn reading(mut reader: Reader) -> store::Read {
    Box::new(move |from, max| {
        let entries = match reader.read(from, max) {
            // A store that is new, or was away for longer than the journal is kept: it goes on with what there is.
            Err(JournalError::Pruned { first, .. }) => {
                tracing::warn!(%from, %first, "history has a gap: the journal no longer holds what was in between");
                reader.read(first, max)?
            }
            read => read?,
        };
        Ok(entries.into_iter().map(|entry| (entry.seq, entry.at, entry.event, entry.decision)).collect())
    })
}

pub(super) fn seal(sealing: &Sealing) -> store::Seal {
    let sealing = sealing.clone();
    Arc::new(move |person, plain| {
        (sealing.seal)(person, plain).map(store::Sealed::Bytes).map_err(|error| error.to_string())
    })
}

/// What is forgotten, by the gateway's own clock.
pub(super) fn tending(settings: &config::Store, clock: &Clock) -> Tending {
    let clock = clock.clone();
    Tending { retention: stores::retention(settings), now: Box::new(move || clock.now()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_at_its_limit_is_left_alone_for_longer() {
        assert_eq!(pause_after(900, 0), CHECKPOINT_EVERY);
        assert_eq!(pause_after(1_900, 900), CHECKPOINT_EVERY);
        assert_eq!(pause_after(100, 4_000), CHECKPOINT_EVERY, "the log began again");
        assert_eq!(pause_after(5_000, 1_000), CHECKPOINT_EVERY_AT_THE_LIMIT);
        assert_eq!(pause_after(3_000, 4_000), CHECKPOINT_EVERY_AT_THE_LIMIT);
    }
}
