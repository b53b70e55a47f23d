//! What every connection of one endpoint shares.

use super::belfry::Belfry;
use super::options::Limits;
use super::ports::Ports;
use super::sessions::Sessions;
use super::tls::Tls;
use crate::telemetry::endpoint::Meters;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub(super) struct Context {
    pub ports: Ports,
    pub limits: Limits,
    pub meters: Meters,
    pub sessions: Arc<Sessions>,
    pub tls: Option<Tls>,
    pub shutdown: CancellationToken,
    pub belfry: Arc<Belfry>,
    /// One permit per connection that has not logged in.
    pub greetings: Arc<Semaphore>,
    /// One permit per connection that has.
    pub connections: Arc<Semaphore>,
    /// The number of the latest connection.
    pub numbers: AtomicU64,
}

impl Context {
    /// A number that no connection had before. Counting starts at the microsecond of the start, and no machine accepts
    /// a connection every microsecond: after a restart the numbers are higher than all before it.
    pub fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }
}
