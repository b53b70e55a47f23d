//! Starting the endpoint.
//!
//! Every address is bound and every TLS file read before anything is served: a start that fails has served nobody.
//! It ends with the token: listeners close at once, connections after their last acknowledgement or `drain_within`.

use super::context::Context;
use super::handle::Handle;
use super::listener;
use super::options::Options;
use super::ports::Ports;
use super::sessions::Sessions;
use super::tls::{self, Tls, TlsError};
use crate::telemetry::endpoint::Meters;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Why the endpoint did not start.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    #[error("listening on {address}: {source}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("address {0} is to serve TLS, but no certificate is set")]
    NoCertificate(SocketAddr),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl EndpointError {
    /// Whether the same start may succeed later: an address may become free, a file does not mend itself.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        match self {
            Self::Listen { .. } => true,
            Self::NoCertificate(_) | Self::Tls(_) => false,
        }
    }
}

/// A way to start; see [`Endpoint::start`].
#[derive(Debug)]
pub struct Endpoint;

/// A started endpoint.
#[derive(Clone)]
pub struct Running {
    /// The addresses in the order of `Options::listen`, with the ports that were picked.
    pub local_addrs: Vec<SocketAddr>,
    /// The same for `Options::listen_tls`.
    pub local_addrs_tls: Vec<SocketAddr>,
    pub handle: Handle,
}

impl Endpoint {
    /// Binds all addresses and serves until `shutdown`. All tasks run on `tracker`.
    ///
    /// # Errors
    /// When an address cannot be bound or TLS cannot be served; then nothing is served.
    pub async fn start(
        options: Options,
        ports: Ports,
        shutdown: CancellationToken,
        tracker: TaskTracker,
    ) -> Result<Running, EndpointError> {
        if let (Some(address), None) = (options.listen_tls.first(), &options.tls) {
            return Err(EndpointError::NoCertificate(*address));
        }
        let loaded = options.tls.as_ref().map(Tls::load).transpose()?;
        let plain = bind(&options.listen).await?;
        let over_tls = bind(&options.listen_tls).await?;
        let limits = options.limits;
        let started_at = (ports.now)();
        let context = Arc::new(Context {
            numbers: AtomicU64::new(started_at.as_micros().unsigned_abs()),
            ports,
            meters: Meters::new(),
            sessions: Arc::new(Sessions::new(limits.sessions_max)),
            tls: loaded,
            shutdown,
            belfry: Arc::default(),
            greetings: Arc::new(Semaphore::new(limits.greetings_max)),
            connections: Arc::new(Semaphore::new(limits.connections_max)),
            limits,
        });
        let running = Running {
            local_addrs: plain.iter().map(|(_, address)| *address).collect(),
            local_addrs_tls: over_tls.iter().map(|(_, address)| *address).collect(),
            handle: Handle { context: Arc::clone(&context) },
        };
        let plain = plain.into_iter().map(|(listener, _)| (listener, false));
        let over_tls = over_tls.into_iter().map(|(listener, _)| (listener, true));
        for (listener, over_tls) in plain.chain(over_tls) {
            tracker.spawn(listener::listen(listener, over_tls, Arc::clone(&context), tracker.clone()));
        }
        tracker.spawn(tls::watch(Arc::clone(&context)));
        let (belfry, shutdown) = (Arc::clone(&context.belfry), context.shutdown.clone());
        tracker.spawn(async move { belfry.attend(shutdown).await });
        tracker.spawn(listener::sweep(context));
        Ok(running)
    }
}

async fn bind(addresses: &[SocketAddr]) -> Result<Vec<(TcpListener, SocketAddr)>, EndpointError> {
    let mut bound = Vec::with_capacity(addresses.len());
    for &address in addresses {
        let refused = |source| EndpointError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let local = listener.local_addr().map_err(refused)?;
        bound.push((listener, local));
    }
    Ok(bound)
}
