//! What follows the journal at its own pace: checkpoints, pruning, and the store's projector.
//!
//! None of it is ever in the way of a commit.

use super::clock::Clock;
use super::data_folder::DataFolder;
use crate::domain::ids::{JournalId, Seq};
use crate::journal::{Maintenance, Reader, Sealing};
use crate::store::{self, Projector, Store};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Between two checkpoints of the journal.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(2);
/// Checkpoints between two looks at what may be removed.
const CHECKPOINTS_PER_PRUNE: u32 = 900;

/// Ends with its token; the tracker waits for it.
#[derive(Clone, Default)]
pub(super) struct History {
    pub stop: CancellationToken,
    pub tasks: TaskTracker,
}

impl History {
    /// Checkpoints and pruning, on a thread of their own, never inside a commit.
    pub fn maintain(&self, mut maintenance: Maintenance, clock: &Clock) -> anyhow::Result<()> {
        let (clock, token) = (clock.clone(), self.stop.clone());
        let runtime = tokio::runtime::Handle::current();
        let alive = self.tasks.token();
        std::thread::Builder::new().name("maintenance".to_owned()).spawn(move || {
            let _alive = alive;
            let mut rounds = 0_u32;
            let pause =
                || runtime.block_on(async { tokio::time::timeout(CHECKPOINT_EVERY, token.cancelled()).await.is_err() });
            while pause() {
                if let Err(error) = maintenance.checkpoint() {
                    tracing::warn!(%error, "checkpoint failed; the next one tries again");
                }
                rounds += 1;
                if rounds.is_multiple_of(CHECKPOINTS_PER_PRUNE)
                    && let Err(error) = maintenance.prune(clock.now())
                {
                    tracing::warn!(%error, "old journal files were not removed");
                }
            }
        })?;
        Ok(())
    }

    pub fn project(
        &self,
        store: &Arc<dyn Store>,
        journal: JournalId,
        folder: &DataFolder,
        sealing: &Sealing,
        durable: watch::Receiver<Seq>,
    ) -> anyhow::Result<Arc<store::Progress>> {
        let mut reader = Reader::open(folder.journal(), sealing.clone())?;
        let seal = sealing.clone();
        let ports = store::Ports {
            read: Box::new(move |from, max| {
                let entries = reader.read(from, max)?;
                Ok(entries.into_iter().map(|entry| (entry.seq, entry.at, entry.event, entry.decision)).collect())
            }),
            seal: Arc::new(move |person, plain| {
                (seal.seal)(person, plain).map(store::Sealed::Bytes).map_err(|error| error.to_string())
            }),
            durable,
            tending: None,
        };
        let projector = Projector::new(Arc::clone(store), journal, ports);
        let progress = projector.progress();
        self.tasks.spawn(projector.run(self.stop.clone()));
        Ok(progress)
    }
}
