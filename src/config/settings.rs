//! The settings, checked: what every other room is started with.
//!
//! The shape is the shape of `rettidig.toml`; the JSON Schema is made from these types and their comments.

use super::knobs::{self, WrittenLength};
use super::secret::Secret;
use crate::domain::configuration::DispatchPolicy;
use crate::domain::time::Span;
use schemars::JsonSchema;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Settings of a Rettidig gateway. Every one has a default; an empty file is a valid file.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(title = "rettidig.toml", deny_unknown_fields)]
pub struct Settings {
    #[schemars(extend("default" = {}))]
    pub data: Data,
    #[schemars(extend("default" = {}))]
    pub endpoint: Endpoint,
    /// External brokers to read from, in the order of the file.
    #[schemars(rename = "broker", length(max = knobs::BROKERS_MAX), extend("default" = []))]
    pub brokers: Vec<Broker>,
    #[schemars(extend("default" = {}))]
    pub http: Http,
    #[schemars(extend("default" = {}))]
    pub journal: Journal,
    #[schemars(extend("default" = {}))]
    pub store: Store,
    #[schemars(extend("default" = {}))]
    pub limits: Limits,
    #[schemars(with = "super::schema::Dispatch", extend("default" = {}))]
    pub dispatch: DispatchPolicy,
    #[schemars(extend("default" = {}))]
    pub rules: Rules,
    #[schemars(extend("default" = {}))]
    pub log: Log,
}

/// Where the gateway keeps what it must not lose.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Data {
    /// Journal, store, vault and lock; relative to the working directory.
    #[schemars(extend("default" = "data"))]
    pub folder: PathBuf,
}

/// The gateway's own MQTT endpoint.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Endpoint {
    /// Addresses to listen on; an empty list turns the endpoint off. Port 0 picks a free one.
    #[schemars(with = "Vec<String>", length(max = knobs::LISTEN_MAX), extend("default" = ["127.0.0.1:1883"]))]
    pub listen: Vec<SocketAddr>,
    /// Listen beyond this machine without TLS: only where the network itself is closed.
    #[schemars(extend("default" = false))]
    pub without_tls: bool,
    pub tls: Option<TlsFiles>,
}

/// Certificates of the endpoint: PEM files, relative to the configuration folder.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Who signs the certificates of clients.
    pub client_ca: Option<PathBuf>,
    /// With `client_ca`: whether every client must show a certificate, or one without may log in by password.
    #[schemars(extend("default" = "required"))]
    pub client_certificate: ClientCertificate,
}

/// `required` turns a client without certificate away before it can say its password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum ClientCertificate {
    Required,
    Optional,
}

/// One external broker.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Broker {
    /// What the gateway calls it, in metrics and logs.
    pub name: String,
    pub host: String,
    /// 1883 without TLS, 8883 with, when nothing else is said.
    #[schemars(range(min = 1))]
    #[schemars(extend("default" = knobs::PORT.default))]
    pub port: u16,
    pub username: Option<String>,
    /// A file whose first line is the password, relative to the configuration folder; the environment may give the
    /// password itself.
    #[schemars(rename = "password_file", with = "Option<PathBuf>")]
    pub password: Option<Secret>,
    /// The name of the persistent session: two gateways never share one.
    #[schemars(extend("default" = "rettidig"))]
    pub client_id: String,
    /// Topic filters to read.
    #[schemars(length(min = 1, max = knobs::TOPICS_MAX))]
    pub subscribe: Vec<String>,
    /// Crews whose tasks go out through this broker instead of through our own endpoint.
    #[schemars(length(max = knobs::CREWS_MAX))]
    pub crews: Vec<String>,
    pub tls: Option<BrokerTls>,
}

/// TLS to an external broker: PEM files, relative to the configuration folder.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct BrokerTls {
    /// Who signs the broker's certificate.
    pub ca: PathBuf,
    /// Our own certificate and key, when the broker asks for one: both or neither.
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

/// The console and its API.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Http {
    /// One address; put a proxy with TLS before it to reach it from elsewhere. Port 0 picks a free one.
    #[schemars(with = "String", extend("default" = "127.0.0.1:8080"))]
    pub listen: SocketAddr,
    /// The https address that people open, when a proxy ends TLS in front; the page then answers to it alone.
    /// Without it the page answers on this machine only.
    pub public_origin: Option<String>,
    /// Metrics and readiness for everyone who reaches the address, instead of this machine only.
    #[schemars(extend("default" = false))]
    pub metrics_open: bool,
}

/// The durable log of everything that happened.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Journal {
    /// A new file is begun when this size is reached.
    #[schemars(transform = knobs::JOURNAL_FILE_MEBIBYTES_MAX.in_schema())]
    pub file_mebibytes_max: u32,
    /// A new file is begun when the present one is this old.
    #[schemars(with = "WrittenLength", transform = knobs::JOURNAL_FILE_AGE_MAX.in_schema())]
    pub file_age_max: Span,
    /// Files older than this are removed.
    #[schemars(with = "WrittenLength", transform = knobs::JOURNAL_RETAIN_FOR.in_schema())]
    pub retain_for: Span,
    /// How often the engine's state is saved, to start quickly from.
    #[schemars(with = "WrittenLength", transform = knobs::JOURNAL_SNAPSHOT_EVERY.in_schema())]
    pub snapshot_every: Span,
}

/// History for questions, projected from the journal and rebuilt from it at any time.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Store {
    /// A PostgreSQL database, such as `postgres://rettidig@db.example.dk/rettidig`. Without it: SQLite in the data folder.
    #[schemars(with = "Option<String>")]
    pub url: Option<StoreUrl>,
    /// A file whose first line is the password of the database, relative to the configuration folder; the environment
    /// may give the password itself.
    #[schemars(rename = "password_file", with = "Option<PathBuf>")]
    pub password: Option<Secret>,
    /// Who signs the database's certificate (PEM), relative to the configuration folder; the system's authorities when
    /// absent.
    pub ca: Option<PathBuf>,
    /// Talk to a database on another machine without TLS: only where the network itself is closed.
    #[schemars(extend("default" = false))]
    pub without_tls: bool,
    /// Connections to the database at once. A further question waits for one.
    #[schemars(transform = knobs::STORE_CONNECTIONS_MAX.in_schema())]
    pub connections_max: u32,
    /// How long a connection may take to come; then the projector tries again later.
    #[schemars(with = "WrittenLength", transform = knobs::STORE_CONNECT_TIMEOUT.in_schema())]
    pub connect_timeout: Span,
    /// How long an answer of the database may take; then the question has failed.
    #[schemars(with = "WrittenLength", transform = knobs::STORE_STATEMENT_TIMEOUT.in_schema())]
    pub statement_timeout: Span,
    /// Observations, the log of events and quarantined messages are kept this long, in whole months.
    #[schemars(with = "WrittenLength", transform = knobs::STORE_RETAIN_FOR.in_schema())]
    pub retain_for: Span,
    /// Alarms, tasks and the hourly roll-ups are kept this long, in whole months.
    #[schemars(with = "WrittenLength", transform = knobs::STORE_RETAIN_SUMMARIES_FOR.in_schema())]
    pub retain_summaries_for: Span,
}

/// A database's address, read and checked. It may hold a password, so it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl {
    pub config: tokio_postgres::Config,
    /// Use TLS, and refuse a server that has none.
    pub tls: bool,
}

impl std::fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreUrl(…)")
    }
}

/// How much of everything; each limit has a stated answer when it is reached.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Limits {
    /// Events that wait to be decided. When full, sockets are not read until there is room.
    #[schemars(transform = knobs::INBOX_EVENTS_MAX.in_schema())]
    pub inbox_events_max: u32,
    /// Events made durable by one sync. The rest waits for the next.
    #[schemars(transform = knobs::BATCH_EVENTS_MAX.in_schema())]
    pub batch_events_max: u32,
    /// Bytes in one message. A longer one is quarantined as oversize.
    #[schemars(transform = knobs::PAYLOAD_BYTES_MAX.in_schema())]
    pub payload_bytes_max: u32,
    /// First bytes of a quarantined message that are kept.
    #[schemars(transform = knobs::QUARANTINE_HEAD_BYTES.in_schema())]
    pub quarantine_head_bytes: u32,
    /// Values in one message. A message with more is quarantined as oversize.
    #[schemars(transform = knobs::OBSERVATIONS_MAX.in_schema())]
    pub observations_max: u32,
    /// How far a device's clock may be ahead of ours before the time of arrival is used instead.
    #[schemars(with = "WrittenLength", transform = knobs::CLOCK_AHEAD_TOLERANCE.in_schema())]
    pub clock_ahead_tolerance: Span,
    /// MQTT connections to the endpoint. A further one is refused.
    #[schemars(transform = knobs::CONNECTIONS_MAX.in_schema())]
    pub connections_max: u32,
    /// Messages a second from one device or crew. A client above it is read more slowly.
    #[schemars(transform = knobs::MESSAGES_PER_S_MAX.in_schema())]
    pub messages_per_s_max: u32,
    /// Messages a second from one network server, which speaks for many devices.
    #[schemars(transform = knobs::GATEWAY_MESSAGES_PER_S_MAX.in_schema())]
    pub gateway_messages_per_s_max: u32,
    /// Messages one client may send before the first is acknowledged (MQTT 5 Receive Maximum).
    #[schemars(transform = knobs::RECEIVE_MAXIMUM.in_schema())]
    pub receive_maximum: u32,
    /// The longest keep-alive a client may ask for; a longer one is set to this.
    #[schemars(with = "WrittenLength", transform = knobs::KEEP_ALIVE_MAX.in_schema())]
    pub keep_alive_max: Span,
    /// Deliveries to crews that wait for their client. When full, the newest of the lowest priority wait with the engine
    /// until there is room.
    #[schemars(transform = knobs::DELIVERIES_PENDING_MAX.in_schema())]
    pub deliveries_pending_max: u32,
    /// Closed alarms and tasks that the live screens still show; older ones are in the history.
    #[schemars(transform = knobs::CLOSED_ROWS_MAX.in_schema())]
    pub closed_rows_max: u32,
    /// Assets of one kind that the memory of rules is planned for.
    #[schemars(transform = knobs::PLANNED_ASSETS.in_schema())]
    pub planned_assets: u32,
    /// What rules may remember about that many assets. Rules that need more are not loaded; the fault names the costliest.
    #[schemars(transform = knobs::RULE_STATE_MEBIBYTES_MAX.in_schema())]
    pub rule_state_mebibytes_max: u32,
    /// Screens that follow live. A further one is told to try again later.
    #[schemars(transform = knobs::LIVE_STREAMS_MAX.in_schema())]
    pub live_streams_max: u32,
    /// Bytes in one HTTP request. A longer one is refused.
    #[schemars(transform = knobs::REQUEST_BYTES_MAX.in_schema())]
    pub request_bytes_max: u32,
}

/// What the gateway writes to its standard error output.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Log {
    #[schemars(extend("default" = "info"))]
    pub level: LogLevel,
    #[schemars(extend("default" = "text"))]
    pub format: LogFormat,
}

/// How changed rules come into force.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Rules {
    /// Who must agree before changed rule files are in force. Read at the start only.
    #[schemars(extend("default" = "none"))]
    pub approval: Approval,
}

/// With `second-person` one account proposes changed rules and another approves them; with `none` a reload is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum Approval {
    None,
    SecondPerson,
}

/// The least important line that is still written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// `text` for people, `json` for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

impl Approval {
    pub const ALL: [Self; 2] = [Self::None, Self::SecondPerson];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SecondPerson => "second-person",
        }
    }
}

impl ClientCertificate {
    pub const ALL: [Self; 2] = [Self::Required, Self::Optional];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Optional => "optional",
        }
    }
}

impl LogLevel {
    pub const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl LogFormat {
    pub const ALL: [Self; 2] = [Self::Text, Self::Json];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl Limits {
    /// Bytes that rules may remember about the planned assets of one kind.
    #[must_use]
    pub const fn rule_state_bytes_max(&self) -> u64 {
        self.rule_state_mebibytes_max as u64 * 1_024 * 1_024
    }
}

impl Journal {
    /// Bytes after which a new file is begun.
    #[must_use]
    pub const fn file_bytes_max(&self) -> u64 {
        self.file_mebibytes_max as u64 * 1_024 * 1_024
    }
}
