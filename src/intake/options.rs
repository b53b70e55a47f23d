//! What an operator sets for one external broker, checked before anything is connected.
//!
//! Every number has a default and a stated answer when it is reached. `config` reads these from text; this file only
//! knows what makes sense together.

use super::back_off::BackOff;
use crate::domain::time::Span;
use smol_str::SmolStr;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Bytes of any text in MQTT.
const LENGTH_MAX: usize = u16::MAX as usize;

/// The largest limit that can be set: what is below it is held in memory.
const PACKET_BYTES_MAX: usize = 64 * 1024 * 1024;

#[derive(Clone, Debug)]
pub struct Options {
    /// The broker's name in the configuration: what messages from it name as their way in.
    pub name: SmolStr,
    /// A host name or an address.
    pub host: String,
    pub port: u16,
    pub tls: Option<TlsFiles>,
    pub credentials: Option<Credentials>,
    /// Stable over restarts and used by nobody else: the broker keeps our session, and what waits in it, under it.
    pub client_id: String,
    /// Topic filters, subscribed with QoS 1 on every connection.
    pub subscribe: Vec<String>,
    pub limits: Limits,
}

/// PEM files. They are read again for every connection, so a renewed certificate needs no restart.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// Whom to trust; on Debian `/etc/ssl/certs/ca-certificates.crt` for the public ones.
    pub ca: PathBuf,
    /// Our own certificate and its key, where the broker asks for one.
    pub identity: Option<(PathBuf, PathBuf)>,
}

#[derive(Clone)]
pub struct Credentials {
    pub username: String,
    pub password: String,
}

/// Limits of one broker connection.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a packet that is read whole. Of a longer message the head is handed on, to be quarantined and
    /// acknowledged, and the rest passes by unread.
    pub packet_bytes_max: usize,
    /// First bytes of such a message that are handed on.
    pub head_bytes: usize,
    /// Messages accepted and not yet acknowledged; beyond, the socket is not read. The protocol allows 65,535.
    pub unacknowledged_max: usize,
    /// Messages waiting to be published; beyond, `Handle::publish` says [`super::PublishError::QueueFull`].
    pub publish_queue_max: usize,
    /// Messages published that the broker has not taken over; beyond, the queue waits.
    pub publish_window_max: u16,
    /// Silence of this length ends the connection; a ping is sent well before. Whole seconds, at least one.
    pub keep_alive: Span,
    /// For connecting, and for a write the broker does not take.
    pub answer_within: Span,
    /// After a stop: how long to wait for acknowledgements still to be released.
    pub drain_for: Span,
    pub back_off: BackOff,
}

/// Why a broker connection could not even be tried. None of these heals by itself.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    #[error("broker {broker:?}: {setting} {value}: {expected}")]
    Setting { broker: SmolStr, setting: &'static str, value: String, expected: &'static str },
    #[error("broker {broker:?}: cannot use TLS file {}: {reason}", path.display())]
    TlsFile { broker: SmolStr, path: PathBuf, reason: String },
}

impl IntakeError {
    /// Whether trying again without changing anything may help.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        match self {
            Self::Setting { .. } | Self::TlsFile { .. } => false,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            packet_bytes_max: 4 * 1024 * 1024,
            head_bytes: 256,
            unacknowledged_max: 65_535,
            publish_queue_max: 4_096,
            publish_window_max: 1_024,
            keep_alive: Span::from_secs(30),
            answer_within: Span::from_secs(10),
            drain_for: Span::from_secs(10),
            back_off: BackOff::default(),
        }
    }
}

impl Options {
    /// Settings for a broker at `host:port` without TLS and with the default limits.
    #[must_use]
    pub fn new(name: &str, host: &str, port: u16, client_id: &str) -> Self {
        Self {
            name: SmolStr::new(name),
            host: host.to_owned(),
            port,
            tls: None,
            credentials: None,
            client_id: client_id.to_owned(),
            subscribe: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// # Errors
    /// The first setting that can not work, with what is expected instead.
    pub fn check(&self) -> Result<(), IntakeError> {
        let limits = &self.limits;
        let second = Span::from_secs(1);
        let rules: [(&'static str, String, bool, &'static str); 8] = [
            ("host", format!("{:?}", self.host), !self.host.is_empty(), "must name a host or an address"),
            (
                "client_id",
                format!("{:?}", self.client_id),
                (1..=LENGTH_MAX).contains(&self.client_id.len()),
                "must not be empty: the broker keeps our session under it",
            ),
            (
                "packet_bytes_max",
                limits.packet_bytes_max.to_string(),
                (128..=PACKET_BYTES_MAX).contains(&limits.packet_bytes_max),
                "must lie between 128 and 67108864",
            ),
            (
                "unacknowledged_max",
                limits.unacknowledged_max.to_string(),
                (1..=65_535).contains(&limits.unacknowledged_max),
                "must lie between 1 and 65535",
            ),
            (
                "publish_queue_max",
                limits.publish_queue_max.to_string(),
                (1..=1_000_000).contains(&limits.publish_queue_max),
                "must lie between 1 and 1000000",
            ),
            (
                "publish_window_max",
                limits.publish_window_max.to_string(),
                (1..=60_000).contains(&limits.publish_window_max),
                "must lie between 1 and 60000",
            ),
            (
                "keep_alive",
                limits.keep_alive.to_string(),
                (second..=Span::from_hours(18)).contains(&limits.keep_alive),
                "must lie between 1s and 18h",
            ),
            (
                "answer_within",
                limits.answer_within.to_string(),
                (second..=Span::from_hours(1)).contains(&limits.answer_within),
                "must lie between 1s and 1h",
            ),
        ];
        for (setting, value, holds, expected) in rules {
            if !holds {
                return Err(self.fault(setting, value, expected));
            }
        }
        match self.subscribe.iter().find(|filter| !valid_filter(filter)) {
            Some(filter) => Err(self.fault(
                "subscribe",
                format!("{filter:?}"),
                "is no MQTT topic filter: \"+\" stands for one whole level, \"#\" only at the end",
            )),
            None => Ok(()),
        }
    }

    fn fault(&self, setting: &'static str, value: String, expected: &'static str) -> IntakeError {
        IntakeError::Setting { broker: self.name.clone(), setting, value, expected }
    }
}

/// MQTT 3.1.1 §4.7: wildcards stand alone on their level, `#` only on the last.
fn valid_filter(filter: &str) -> bool {
    let levels: Vec<_> = filter.split('/').collect();
    let fits = |(at, level): (usize, &&str)| match *level {
        "#" => at + 1 == levels.len(),
        "+" => true,
        text => !text.contains(['+', '#', '\0']),
    };
    (1..=LENGTH_MAX).contains(&filter.len()) && levels.iter().enumerate().all(fits)
}

/// A setting as the runtime wants it; negative lengths do not pass [`Options::check`] and count as none.
pub(super) fn duration(span: Span) -> Duration {
    Duration::from_micros(u64::try_from(span.as_micros()).unwrap_or(0))
}

/// A password never reaches a log, not even by accident.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({:?}, …)", self.username)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_follow_the_standard() {
        for filter in ["#", "+", "a/b", "a/+/c", "a/#", "+/+", "/a", "application/+/device/+/event/up"] {
            assert!(valid_filter(filter), "{filter}");
        }
        for filter in ["", "a#", "a/#/b", "a+/b", "#/a", "a/b+"] {
            assert!(!valid_filter(filter), "{filter}");
        }
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_value() {
        let good = Options::new("city", "broker.example", 1883, "rettidig");
        assert!(good.check().is_ok());
        let mut bad = good.clone();
        bad.limits.publish_window_max = 0;
        let error = bad.check().map_err(|error| error.to_string());
        assert_eq!(error, Err("broker \"city\": publish_window_max 0: must lie between 1 and 60000".to_owned()));
        let mut bad = good.clone();
        bad.subscribe = vec!["up/#/x".to_owned()];
        assert!(bad.check().is_err_and(|error| error.to_string().contains("\"up/#/x\"") && !error.retryable()));
        let mut bad = good;
        bad.client_id = String::new();
        assert!(bad.check().is_err());
    }

    #[test]
    fn a_password_is_never_printed() {
        let credentials = Credentials { username: "rettidig".to_owned(), password: "hunter2".to_owned() };
        assert!(!format!("{credentials:?}").contains("hunter2"));
    }
}
