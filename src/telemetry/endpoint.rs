//! What the MQTT endpoint counts.
//!
//! The handles are fetched once, when the endpoint starts, and shared by its connections: a message then costs a few
//! atomic additions and no look-up. The recorder must be installed before [`Meters::new`]; what is fetched earlier
//! counts into the void. Labels are closed lists, never a client or a topic.

#![expect(clippy::disallowed_macros, reason = "metric names live in telemetry: this is that place")]

use super::Seldom;
use metrics::{Counter, Gauge};
use std::net::IpAddr;

/// The endpoint's counters and gauges; cheap to share behind one `Arc`.
pub struct Meters {
    /// Clients that are logged in.
    pub connections: Gauge,
    /// Messages received, by quality of service; refused ones included.
    pub received_qos0: Counter,
    pub received_qos1: Counter,
    pub received_qos2: Counter,
    pub received_bytes: Counter,
    pub sent_bytes: Counter,
    /// PUBACKs and PUBRECs written after their release.
    pub acknowledged: Counter,
    pub refused_oversize: Counter,
    pub refused_topic: Counter,
    pub refused_quality: Counter,
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
    tls_reloads: Counter,
    tls_reload_failures: Counter,
    garbage: Seldom,
    misbehaving: Seldom,
    shared: Seldom,
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
    /// QoS 2 from a v5 client.
    QualityOfService,
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
            received_qos2: metrics::counter!("rettidig_endpoint_received_total", "qos" => "2"),
            received_bytes: metrics::counter!("rettidig_endpoint_received_bytes_total"),
            sent_bytes: metrics::counter!("rettidig_endpoint_sent_bytes_total"),
            acknowledged: metrics::counter!("rettidig_endpoint_acknowledged_total"),
            refused_oversize: metrics::counter!("rettidig_endpoint_refused_total", "reason" => "oversize"),
            refused_topic: metrics::counter!("rettidig_endpoint_refused_total", "reason" => "topic_not_permitted"),
            refused_quality: metrics::counter!("rettidig_endpoint_refused_total", "reason" => "quality_of_service"),
            rate_limited: metrics::counter!("rettidig_endpoint_rate_limited_total"),
            held_back: metrics::counter!("rettidig_endpoint_held_back_total"),
            outgoing_sent: metrics::counter!("rettidig_endpoint_outgoing_total", "step" => "sent"),
            outgoing_again: metrics::counter!("rettidig_endpoint_outgoing_total", "step" => "sent_again"),
            outgoing_delivered: metrics::counter!("rettidig_endpoint_outgoing_total", "step" => "delivered"),
            outgoing_declined: metrics::counter!("rettidig_endpoint_outgoing_total", "step" => "declined"),
            take_overs: metrics::counter!("rettidig_endpoint_take_overs_total"),
            sessions_expired: metrics::counter!("rettidig_endpoint_sessions_expired_total"),
            tls_reloads: metrics::counter!("rettidig_endpoint_tls_reloads_total"),
            tls_reload_failures: metrics::counter!("rettidig_endpoint_tls_reload_failures_total"),
            garbage: Seldom::new(),
            misbehaving: Seldom::new(),
            shared: Seldom::new(),
        }
    }

    /// Counts a connection that never got as far as being served.
    pub fn turned_away(&self, why: TurnedAway) {
        metrics::counter!("rettidig_endpoint_turned_away_total", "reason" => why.as_str()).increment(1);
    }

    /// Counts a message by its quality of service.
    pub fn received(&self, qos: u8) {
        [&self.received_qos0, &self.received_qos1, &self.received_qos2][usize::from(qos.min(2))].increment(1);
    }

    /// Somebody speaks to the port who does not speak MQTT as we do; often a device with a wrong setting.
    pub fn bad_greeting(&self, peer: IpAddr) {
        if let Some(kept_back) = self.garbage.may_speak() {
            tracing::warn!(%peer, kept_back, "a connection whose first packet is no CONNECT that is served was closed");
        }
    }

    /// A client whose connection had to be closed will come back and do it again: somebody must look at it.
    pub fn misbehaved(&self, client: &str, why: Ended) {
        if let Some(kept_back) = self.misbehaving.may_speak() {
            tracing::warn!(client, reason = why.as_str(), kept_back, "a client broke the protocol and was closed");
        }
    }

    /// Two programs under one login throw each other out for ever.
    pub fn shared_login(&self, login: &str) {
        if let Some(kept_back) = self.shared.may_speak() {
            tracing::warn!(
                login,
                kept_back,
                "a connection was replaced by one with the same login and another client id: give each its own login"
            );
        }
    }

    pub fn tls_reloaded(&self) {
        self.tls_reloads.increment(1);
        tracing::info!("TLS files were read again and are in force");
    }

    /// Once for each change of the files.
    pub fn tls_kept(&self, error: &str) {
        self.tls_reload_failures.increment(1);
        tracing::warn!(error, "changed TLS files cannot be used; those read before stay in force");
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
    pub const ALL: [Self; 11] = [
        Self::Disconnected,
        Self::Lost,
        Self::Silent,
        Self::Stuck,
        Self::TakenOver,
        Self::Expelled,
        Self::Violation,
        Self::Oversize,
        Self::QualityOfService,
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
            Self::QualityOfService => "quality_of_service",
            Self::Abandoned => "abandoned",
            Self::ShuttingDown => "shutting_down",
        }
    }
}

/// Whoever holds the key of one login tries to be another, or a device has the wrong name in its settings.
pub fn other_login(certificate_of: &str) {
    static LINES: Seldom = Seldom::new();
    if let Some(kept_back) = LINES.may_speak() {
        tracing::warn!(certificate_of, kept_back, "a client with this login's certificate gave another user name");
    }
}
