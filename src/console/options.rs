//! The console's limits and where it listens; `config` fills it, the defaults are documented here.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Options {
    /// Default 127.0.0.1:8080.
    pub listen: Vec<SocketAddr>,
    /// The https address people use, when a proxy or load balancer ends TLS in front of us. Without it the console
    /// answers to localhost names only, because a session over plain http belongs on this machine.
    pub public_origin: Option<String>,
    /// Connections at once; further ones wait in the listening queue. Default 1,024.
    pub connections_max: usize,
    /// Live streams at once; further ones are told to come back. Default 256.
    pub streams_max: usize,
    /// Bytes of one request body. Default 16 KiB.
    pub body_bytes_max: usize,
    /// Bytes the system buffers for one client that reads slowly. Default 256 KiB.
    pub send_buffer_bytes: u32,
    /// A connection over which nothing moves for this long is closed; a slow screen reconnects and resumes.
    /// Default 20 s; must be longer than `heartbeat`.
    pub stall_after: Duration,
    /// How often a silent stream says that it is alive. Default 2 s.
    pub heartbeat: Duration,
    /// Least time between two groups of changes on one stream. Default 50 ms.
    pub pace: Duration,
    /// How often a stream asks whether its session still holds. Default 30 s.
    pub session_check: Duration,
    /// Rows of one kind in one piece of a stream. Default 500.
    pub part_rows_max: usize,
    /// Changed rows sent as a difference; beyond, the whole view is sent. Default 4,000.
    pub changes_max: usize,
    /// Attempts to sign in per minute and peer. Default 10.
    pub sign_ins_per_minute: u32,
    /// Peers whose attempts are remembered. Default 4,096.
    pub peers_max: usize,
    /// Passwords checked at once. Default 2.
    pub verifying_max: usize,
    /// Questions to the store at once; further ones are told to come back. Default 8.
    pub asking_max: usize,
    /// How long a question with `min_seq` waits for the store to be that far. Default 2 s.
    pub history_wait: Duration,
    /// How long the store has for an answer; less than `stall_after`, so that whoever asks is told.
    pub history_answer: Duration,
    /// Questions that wait so at once; further ones are told to come back. Default 64.
    pub waiting_max: usize,
    /// How long a command may wait for its verdict. Default 10 s.
    pub command_timeout: Duration,
    /// `/metrics` and `/health/ready` for anyone who can connect, instead of this machine only. Default no.
    pub metrics_open: bool,
    /// Time is scaled and data is invented: screens say so.
    pub simulated: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))],
            public_origin: None,
            connections_max: 1_024,
            streams_max: 256,
            body_bytes_max: 16 * 1024,
            send_buffer_bytes: 256 * 1024,
            stall_after: Duration::from_secs(20),
            heartbeat: Duration::from_secs(2),
            pace: Duration::from_millis(50),
            session_check: Duration::from_secs(30),
            part_rows_max: 500,
            changes_max: 4_000,
            sign_ins_per_minute: 10,
            peers_max: 4_096,
            verifying_max: 2,
            asking_max: 8,
            history_wait: Duration::from_secs(2),
            history_answer: Duration::from_secs(10),
            waiting_max: 64,
            command_timeout: Duration::from_secs(10),
            metrics_open: false,
            simulated: false,
        }
    }
}
