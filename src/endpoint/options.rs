//! What an operator may set: where the endpoint listens, its certificates and every limit with its answer.
//!
//! Reading these from a file is the room `config`'s work. Start with [`Limits`]: each field says what happens when the
//! limit is reached.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Everything the endpoint is started with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Addresses without TLS; port 0 picks a free one.
    pub listen: Vec<SocketAddr>,
    /// Addresses with TLS; they need [`Options::tls`].
    pub listen_tls: Vec<SocketAddr>,
    pub tls: Option<TlsFiles>,
    pub limits: Limits,
}

/// PEM files, read at start, when they change, and by [`Handle::reload_tls`](super::Handle::reload_tls).
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The server's certificate, followed by its chain.
    pub certificate: PathBuf,
    /// The private key of that certificate.
    pub key: PathBuf,
    /// Who signs client certificates. With it, a certificate may stand in for the password.
    pub client_ca: Option<PathBuf>,
    /// With `client_ca`: what becomes of a client that shows none.
    pub client_certificate: ClientCertificate,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificate {
    /// Its handshake fails.
    #[default]
    Required,
    /// It may log in by password.
    Optional,
}

/// Every queue and every wait has an end. The sentence on each field is the answer when it is reached.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Logged-in connections. One more is refused: CONNACK *server busy* (v5) or *server unavailable* (v3.1.1).
    pub connections_max: usize,
    /// Connections that have not logged in yet. One more is closed at once, so that strangers who only connect
    /// cannot keep clients out.
    pub greetings_max: usize,
    /// Sessions remembered, connected or not. One more is refused: CONNACK *quota exceeded* / *server unavailable*.
    pub sessions_max: usize,
    /// Bytes of one MQTT packet with its header. A longer PUBLISH is reported through `Ports::refused` with its first
    /// bytes; then v3.1.1 is acknowledged and skipped, v5 is disconnected with *packet too large*.
    pub packet_bytes_max: usize,
    /// First bytes of a refused message that are handed on.
    pub head_bytes: usize,
    /// Unacknowledged messages of one connection, told to v5 clients, at least 1. Beyond it v3.1.1 is read no further
    /// until acknowledgements leave; v5 is disconnected with *receive maximum exceeded*.
    pub receive_maximum: u16,
    /// Messages per second of one client. The socket is not read for the rest of that second.
    pub messages_per_s_max: u32,
    /// Messages to one session that it has not acknowledged. One more is an error to the caller, who keeps it.
    pub outgoing_max: usize,
    /// Of these, how many are on the wire at once; a v5 client may ask for fewer.
    pub outgoing_in_flight_max: u16,
    /// Subscriptions of one session. One more gets a failure code in SUBACK.
    pub subscriptions_max: usize,
    /// The longest keep alive. A v5 client is told; for all, silence of 1.5 times ends the connection. It also stands
    /// in for a keep alive of 0.
    pub keep_alive_max: Duration,
    /// How long a session outlives its connection at most; a v5 client is told.
    pub session_expiry_max: Duration,
    /// Time for TLS handshake and CONNECT together; then the connection is closed.
    pub connect_within: Duration,
    /// How long the answer to a wrong login is delayed.
    pub login_delay: Duration,
    /// A client that takes none of the bytes written to it for so long is disconnected.
    pub write_within: Duration,
    /// How often the TLS files are looked at for a change.
    pub tls_look_every: Duration,
    /// How long drain waits for outstanding acknowledgements; what is not released by then is not acknowledged.
    pub drain_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            greetings_max: 256,
            sessions_max: 20_000,
            packet_bytes_max: 128 * 1024,
            head_bytes: 256,
            receive_maximum: 4_096,
            messages_per_s_max: 10_000,
            outgoing_max: 128,
            outgoing_in_flight_max: 16,
            subscriptions_max: 32,
            keep_alive_max: Duration::from_secs(3_600),
            session_expiry_max: Duration::from_secs(7 * 24 * 3_600),
            connect_within: Duration::from_secs(10),
            login_delay: Duration::from_secs(1),
            write_within: Duration::from_secs(30),
            tls_look_every: Duration::from_secs(60),
            drain_within: Duration::from_secs(5),
        }
    }
}
