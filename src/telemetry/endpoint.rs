//! What the MQTT endpoint counts.
//!
//! The handles are fetched once, when the endpoint starts, and shared by its connections: a message then costs a few
//! atomic additions and no look-up. The recorder must be installed before [`Meters::new`]; what is fetched earlier
//! counts into the void. Labels are closed lists, never a client or a topic.

#![expect(clippy::disallowed_macros, reason = "metric names live in telemetry: this is that place")]

use metrics::{Counter, Gauge};

/// The endpoint's counters and gauges; cheap to share behind one `Arc`.
pub struct Meters {
    /// Clients that are logged in.
    pub connections: Gauge,
    /// Messages received, by quality of service; refused ones included.
    pub received_qos0: Counter,
    pub received_qos1: Counter,
    pub received_bytes: Counter,
    pub sent_bytes: Counter,
    /// PUBACKs written after their release.
    pub acknowledged: Counter,
    pub refused_oversize: Counter,
    pub refused_topic: Counter,
    /// Seconds cut short because a client exceeded its rate.
    pub rate_limited: Counter,
    /// Messages whose acceptance made a connection wait.
    pub held_back: Counter,
    pub outgoing_sent: Counter,
    pub outgoing_again: Counter,
    pub outgoing_delivered: Counter,
    /// Messages the client answered with a reason code that means no.
    pub outgoing_declined: Counter,
    pub take_overs: Counter,
    pub sessions_expired: Counter,
    pub tls_reloads: Counter,
}

/// Why a connection or a login was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnedAway {
    /// The limit of connections, of greetings or of sessions is reached.
    Full,
    WrongCredentials,
    NotPermitted,
    Unavailable,
    /// Neither user name nor client certificate.
    Anonymous,
    /// The first packet was no CONNECT we can serve.
    BadGreeting,
    /// No complete CONNECT within the time for it.
    TooSlow,
    TlsHandshake,
}

/// Why an established connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Disconnected,
    Lost,
    Silent,
    Stuck,
    TakenOver,
    Expelled,
    Violation,
    Oversize,
    /// An acknowledgement was dropped without release: closed so that the client sends again.
    Abandoned,
    ShuttingDown,
}

impl Meters {
    /// Fetches every handle from the recorder that is installed.
    #[must_use]
    pub fn new() -> Self {
        Self {
            connections: metrics::gauge!("rettidig_endpoint_connections"),
            received_qos0: metrics::counter!("rettidig_endpoint_received_total", "qos" => "0"),
            received_qos1: metrics::counter!("rettidig_endpoint_received_total", "qos" => "1"),
            received_bytes: metrics::counter!("rettidig_endpoint_received_bytes_total"),
            sent_bytes: metrics::counter!("rettidig_endpoint_sent_bytes_total"),
            acknowledged: metrics::counter!("rettidig_endpoint_acknowledged_total"),
            refused_oversize: metrics::counter!("rettidig_endpoint_refused_total", "reason" => "oversize"),
            refused_topic: metrics::counter!("rettidig_endpoint_refused_total", "reason" => "topic_not_permitted"),
            rate_limited: metrics::counter!("rettidig_endpoint_rate_limited_total"),
            held_back: metrics::counter!("rettidig_endpoint_held_back_total"),
            outgoing_sent: metrics::counter!("rettidig_endpoint_outgoing_total", "step" => "sent"),
            outgoing_again: metrics::counter!("rettidig_endpoint_outgoing_total", "step" => "sent_again"),
            outgoing_delivered: metrics::counter!("rettidig_endpoint_outgoing_total", "step" => "delivered"),
            outgoing_declined: metrics::counter!("rettidig_endpoint_outgoing_total", "step" => "declined"),
            take_overs: metrics::counter!("rettidig_endpoint_take_overs_total"),
            sessions_expired: metrics::counter!("rettidig_endpoint_sessions_expired_total"),
            tls_reloads: metrics::counter!("rettidig_endpoint_tls_reloads_total"),
        }
    }

    /// Counts a connection that never got as far as being served.
    pub fn turned_away(&self, why: TurnedAway) {
        metrics::counter!("rettidig_endpoint_turned_away_total", "reason" => why.as_str()).increment(1);
    }

    /// Counts the end of a connection that was served.
    pub fn ended(&self, why: Ended) {
        metrics::counter!("rettidig_endpoint_ended_total", "reason" => why.as_str()).increment(1);
    }
}

impl Default for Meters {
    fn default() -> Self {
        Self::new()
    }
}

impl TurnedAway {
    pub const ALL: [Self; 8] = [
        Self::Full,
        Self::WrongCredentials,
        Self::NotPermitted,
        Self::Unavailable,
        Self::Anonymous,
        Self::BadGreeting,
        Self::TooSlow,
        Self::TlsHandshake,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::WrongCredentials => "wrong_credentials",
            Self::NotPermitted => "not_permitted",
            Self::Unavailable => "unavailable",
            Self::Anonymous => "anonymous",
            Self::BadGreeting => "bad_greeting",
            Self::TooSlow => "too_slow",
            Self::TlsHandshake => "tls_handshake",
        }
    }
}

impl Ended {
    pub const ALL: [Self; 10] = [
        Self::Disconnected,
        Self::Lost,
        Self::Silent,
        Self::Stuck,
        Self::TakenOver,
        Self::Expelled,
        Self::Violation,
        Self::Oversize,
        Self::Abandoned,
        Self::ShuttingDown,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Lost => "lost",
            Self::Silent => "silent",
            Self::Stuck => "stuck",
            Self::TakenOver => "taken_over",
            Self::Expelled => "expelled",
            Self::Violation => "violation",
            Self::Oversize => "oversize",
            Self::Abandoned => "abandoned",
            Self::ShuttingDown => "shutting_down",
        }
    }
}
