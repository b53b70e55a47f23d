//! Accepting sockets.
//!
//! One task per address hands each socket to a task of its own, tracked so that drain waits for it. A socket for which
//! there is no permit is closed at once. When the system has no sockets left, accepting rests for a moment.

use super::context::Context;
use super::login::{self, Caller};
use crate::telemetry::endpoint::TurnedAway;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::task::TaskTracker;

/// Accepting again after the system refused, for example because it has no file descriptors left.
const REST: Duration = Duration::from_millis(100);
/// How often sessions are looked through for those whose time is over.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Accepts until shutdown.
pub(super) async fn listen(listener: TcpListener, over_tls: bool, context: Arc<Context>, tracker: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            () = context.shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                sleep(REST).await;
                continue;
            }
        };
        let Ok(greeting) = Arc::clone(&context.greetings).try_acquire_owned() else {
            context.meters.turned_away(TurnedAway::Full);
            continue;
        };
        let caller = Caller { peer, over_tls, plain: None, _greeting: greeting };
        tracker.spawn(login::serve(socket, caller, Arc::clone(&context)));
    }
}

/// Forgets sessions whose time is over, until shutdown.
pub(super) async fn sweep(context: Arc<Context>) {
    let mut every = interval(SWEEP_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = context.shutdown.cancelled() => return,
            _ = every.tick() => context.meters.sessions_expired.increment(context.sessions.sweep() as u64),
        }
    }
}
