//! One call for a whole batch: many connections are woken from inside their runtime.
//!
//! Waking a connection from outside costs a system call and often an interrupt of the other processor, and a batch wakes
//! as many connections as it has senders, all on the thread that decides. That thread makes one call here instead.

use super::acknowledge::Line;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

#[derive(Debug, Default)]
pub(super) struct Belfry {
    called: Mutex<Called>,
    bell: Notify,
}

#[derive(Debug, Default)]
struct Called {
    /// To be rung. No more than there are messages on their way.
    lines: Vec<Arc<Line>>,
    /// Nobody rings here any more.
    left: bool,
}

impl Belfry {
    /// Rings these lines soon. From any thread; takes a lock for as long as the lines are noted down.
    pub fn call(&self, lines: Vec<Arc<Line>>) {
        let mut called = self.called();
        if called.left {
            drop(called);
            ring(&lines);
            return;
        }
        called.lines.extend(lines);
        drop(called);
        self.bell.notify_one();
    }

    /// Rings until `shutdown`; whoever calls later rings by itself.
    pub async fn attend(&self, shutdown: CancellationToken) {
        while shutdown.run_until_cancelled(self.bell.notified()).await.is_some() {
            let lines = mem::take(&mut self.called().lines);
            ring(&lines);
        }
        let mut called = self.called();
        called.left = true;
        ring(&mem::take(&mut called.lines));
    }

    /// A panic while it was held leaves a list that is still true.
    fn called(&self) -> MutexGuard<'_, Called> {
        self.called.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn ring(lines: &[Arc<Line>]) {
    for line in lines {
        line.ring();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    fn lines(count: u16) -> Vec<Arc<Line>> {
        (0..count).map(|_| Arc::new(Line::new(1))).collect()
    }

    async fn all_rung(lines: &[Arc<Line>]) -> bool {
        for line in lines {
            if timeout(Duration::from_secs(60), line.rung()).await.is_err() {
                return false;
            }
        }
        true
    }

    #[tokio::test(start_paused = true)]
    async fn every_line_is_rung_before_during_and_after() {
        let belfry = Arc::new(Belfry::default());
        let shutdown = CancellationToken::new();
        let [before, during, after] = [lines(3), lines(3), lines(3)];
        belfry.call(before.clone());
        let (ringer, until) = (Arc::clone(&belfry), shutdown.clone());
        let tracker = tokio_util::task::TaskTracker::new();
        let attending = tracker.spawn(async move { ringer.attend(until).await });
        assert!(all_rung(&before).await);
        belfry.call(during.clone());
        assert!(all_rung(&during).await);
        shutdown.cancel();
        attending.await.unwrap();
        belfry.call(after.clone());
        assert!(all_rung(&after).await, "nobody rings any more, so the caller does");
    }
}
