//! People's window: the HTTP API, the live stream, sign-in and the embedded pages.
//!
//! It shows the present from the board and the past from the store, and turns a click into a command that goes the
//! way of every other event. It decides nothing, keeps nothing but attempts to sign in, and a panic in it stops one
//! request. Passwords and sessions belong to the vault; `app` connects the two by [`Ports`].
//!
//! Start with `router` (every address at one glance), then `live` (the stream).

mod access;
mod attempts;
mod command;
mod health;
mod history;
mod live;
mod options;
mod pages;
mod patient;
mod ports;
mod present;
mod problem;
mod requests;
mod router;
mod rules;
mod session;
mod site;
mod why;
mod wire;

#[cfg(test)]
mod tests;

pub use options::Options;
pub use ports::{
    Account, CommandAnswer, FirstStart, FirstStartRefusal, Health, HealthPart, Now, Ports, Role, SessionToken, SignIn,
    SignInRefusal, SignedIn, Unavailable, Why, WhyPort, WhyValue,
};

use crate::telemetry;
use attempts::Attempts;
use patient::PatientListener;
use site::Site;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The console could not start.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    #[error("listen on \"{address}\"")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("\"{0}\" is not an origin such as \"https://rettidig.example.dk\"")]
    PublicOrigin(String),
}

impl ConsoleError {
    /// Whether starting again may succeed: a port may become free, a setting does not mend itself.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        match self {
            Self::Listen { .. } => true,
            Self::PublicOrigin(_) => false,
        }
    }
}

/// The console, listening.
#[derive(Clone, Debug)]
pub struct Running {
    /// Where it listens; with port 0 asked for, the port that was given.
    pub addresses: Vec<SocketAddr>,
    streams: Arc<Semaphore>,
    streams_max: usize,
}

impl Running {
    /// Live streams being served.
    #[must_use]
    pub fn streams_open(&self) -> usize {
        self.streams_max - self.streams.available_permits()
    }
}

/// What every request sees.
type Shared = Arc<Console>;

struct Console {
    ports: Ports,
    options: Options,
    site: Site,
    attempts: Attempts,
    /// Passwords being checked: each costs tens of MiB and a core for the time.
    verifying: Semaphore,
    /// Questions to the store in progress.
    asking: Arc<Semaphore>,
    /// Questions that wait for the store to be far enough.
    waiting: Semaphore,
    streams: Arc<Semaphore>,
    shutdown: CancellationToken,
}

/// Binds all addresses and serves them until `shutdown`; `tracker` then waits for requests under way.
///
/// Must be called inside a Tokio runtime.
pub fn start(
    options: Options,
    ports: Ports,
    shutdown: &CancellationToken,
    tracker: &TaskTracker,
) -> Result<Running, ConsoleError> {
    let console = Arc::new(Console {
        site: Site::new(options.public_origin.as_deref())?,
        attempts: Attempts::new(options.sign_ins_per_minute, options.peers_max),
        verifying: Semaphore::new(options.verifying_max),
        asking: Arc::new(Semaphore::new(options.asking_max)),
        waiting: Semaphore::new(options.waiting_max),
        streams: Arc::new(Semaphore::new(options.streams_max)),
        shutdown: shutdown.clone(),
        ports,
        options,
    });
    let service = router::router(&console);
    let connections = Arc::new(Semaphore::new(console.options.connections_max));
    let mut addresses = Vec::new();
    let mut listeners = Vec::new();
    for address in &console.options.listen {
        let listener = PatientListener::bind(*address, &console.options, Arc::clone(&connections))
            .map_err(|source| ConsoleError::Listen { address: *address, source })?;
        addresses.push(listener.address());
        listeners.push(listener);
    }
    for listener in listeners {
        let make = service.clone().into_make_service_with_connect_info::<patient::Peer>();
        let stop = shutdown.clone().cancelled_owned();
        tracker.spawn(async move {
            if let Err(error) = axum::serve(listener, make).with_graceful_shutdown(stop).await {
                tracing::error!(%error, "the console has stopped listening");
            }
        });
    }
    Ok(Running { addresses, streams: Arc::clone(&console.streams), streams_max: console.options.streams_max })
}

impl Console {
    /// A place among the live streams; `None` when all are taken.
    fn stream_slot(&self) -> Option<OwnedSemaphorePermit> {
        let slot = Arc::clone(&self.streams).try_acquire_owned().ok()?;
        telemetry::console::streams(self.options.streams_max - self.streams.available_permits());
        Some(slot)
    }
}
