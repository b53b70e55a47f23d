//! What the twin needs of the gateway: an address to talk MQTT to, and the other hand on the shared clock.
//!
//! The app fills these ports; the twin knows nothing else of the gateway. Messages never go through here: they
//! travel over MQTT like any device's.

use super::municipality::Logins;
use crate::domain::alarm::Priority;
use crate::domain::ids::{AssetId, CrewId, TaskId};
use crate::domain::task::{TaskStage, TaskStatus};
use crate::domain::time::{Span, Timestamp};
use smol_str::SmolStr;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The gateway, as the twin sees it.
#[derive(Clone)]
pub struct GatewayPorts {
    /// The gateway's own MQTT endpoint, without TLS.
    pub address: SocketAddr,
    /// Secrets of all logins that the scene needs.
    pub logins: Logins,
    /// The gateway quarantines payloads above this as oversize; its endpoint must let somewhat larger packets in.
    pub payload_bytes_max: usize,
    /// Moves the shared clock forward, never back. Resolves when all deadlines up to the given moment are decided,
    /// durable and released.
    pub advance: Arc<dyn Fn(Timestamp) -> BoxFuture<'static, ()> + Send + Sync>,
    /// Resolves when the gateway is idle: nothing in the inbox, nothing unreleased, and every delivery to a connected
    /// crew acknowledged by its client.
    pub settled: Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>,
    pub report: Arc<dyn Fn() -> Counts + Send + Sync>,
    /// What is open at present, for the screen; called a few times a second at the wall.
    pub open: Arc<dyn Fn() -> Open + Send + Sync>,
    /// Time at the wall since any fixed moment: for pacing and nothing else.
    pub wall: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// Where people can look at it in a browser.
    pub page: Option<Page>,
    /// Ends the run early, at the next tick.
    pub stop: CancellationToken,
}

/// The web page and how to sign in there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub address: String,
    /// Account and password, or one line that says how to get in.
    pub logins: Vec<String>,
}

/// What the gateway has counted since it started. Everything but the latency depends on seed and simulated time only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// Messages taken in and decided, whatever the verdict. Not what depends on the wall: batches, releases, receipts.
    pub events: u64,
    pub alarms: u64,
    pub tasks: u64,
    pub completed: u64,
    pub quarantined: u64,
    pub duplicates: u64,
    /// Received = decided + quarantined + duplicate + in flight.
    pub ledger_balanced: bool,
    pub latency: Latency,
}

/// From the message at the socket to the decision released, in milliseconds at the wall.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Latency {
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// What is open at present.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// Open alarms by priority, P1 first.
    pub alarms: [u64; Priority::ALL.len()],
    /// Open tasks, the most urgent first. The screen shows as many as fit; a few dozen are enough.
    pub tasks: Vec<OpenTask>,
    /// How many tasks are open in all.
    pub tasks_open: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenTask {
    pub task: TaskId,
    pub kind: SmolStr,
    pub priority: Priority,
    pub status: TaskStatus,
    pub stage: Option<TaskStage>,
    pub crew: Option<CrewId>,
    pub asset: AssetId,
    pub requested_at: Timestamp,
}

/// How fast simulated time goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    /// So many simulated seconds for each second at the wall.
    Times(u32),
    /// As fast as the machine can.
    Max,
}

impl Speed {
    /// Ten simulated minutes each second: a minute of demo is a working day.
    pub const DEFAULT: Self = Self::Times(600);

    /// How much simulated time `wall` stands for. Flat out, it is the time that the default speed would give: the
    /// same `--for` is the same day at any speed that is not asked for.
    #[must_use]
    pub fn simulated(self, wall: Duration) -> Span {
        let factor = match self {
            Self::Times(factor) => factor,
            Self::Max => Self::DEFAULT_FACTOR,
        };
        let micros = i64::try_from(wall.as_micros()).unwrap_or(i64::MAX);
        Span::from_micros(micros).times(i64::from(factor))
    }

    const DEFAULT_FACTOR: u32 = 600;

    /// Reads `600`, `600x` or `max`.
    ///
    /// # Errors
    /// The text that is expected instead.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text == "max" {
            return Ok(Self::Max);
        }
        match text.trim_end_matches('x').parse() {
            Ok(0) | Err(_) => Err("simulated seconds for each second, such as \"600\", or \"max\""),
            Ok(factor) => Ok(Self::Times(factor)),
        }
    }
}

impl std::fmt::Display for Speed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Times(factor) => write!(f, "{factor}x"),
            Self::Max => f.write_str("max"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_seconds_are_a_working_day_at_any_speed_not_asked_for() {
        let minute = Duration::from_secs(60);
        assert_eq!(Speed::DEFAULT.simulated(minute), Span::from_hours(10));
        assert_eq!(Speed::Max.simulated(minute), Span::from_hours(10));
        assert_eq!(Speed::Times(60).simulated(minute), Span::from_hours(1));
    }

    #[test]
    fn a_speed_reads_back_what_it_prints() {
        for text in ["600x", "1x", "max"] {
            assert_eq!(Speed::parse(text).map(|speed| speed.to_string()).as_deref(), Ok(text));
        }
        for text in ["0", "", "fast", "-3", "1.5"] {
            assert!(Speed::parse(text).is_err(), "{text:?}");
        }
    }
}
