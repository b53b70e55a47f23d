//! What is said over the control socket. The form is versioned; both ends are usually the same program.
//!
//! `Request` has no `Debug` form: it may hold a password.

use crate::domain::time::Timestamp;
use crate::registry::RowFault;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

pub(super) const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
pub(super) struct Asked<R> {
    pub version: u32,
    pub request: R,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Answered {
    pub version: u32,
    pub result: Result<Response, Failure>,
}

/// What somebody wants.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Request {
    Status,
    /// `kind` is a [`crate::registry::Kind`] by its name.
    RegistryImport {
        kind: String,
        /// The file's name: its ending tells the format.
        file: String,
        /// Base64.
        content: String,
        /// Without it nothing is changed, only compared.
        apply: bool,
    },
    RegistryExport {
        kind: String,
    },
    RegistryRemove {
        kind: String,
        id: String,
    },
    ClientAdd {
        client: String,
        /// `gateway`, `service`, `device=ID` or `crew=ID`.
        role: String,
        /// Log in with a certificate of this common name instead of a secret.
        certificate: Option<String>,
        /// Give a login that exists another secret or certificate.
        replace: bool,
    },
    ClientList,
    ClientRemove {
        client: String,
    },
    UserAdd {
        account: String,
        /// `operator`, or `operator=AREA` for one area only.
        roles: Vec<String>,
        password: String,
    },
    UserList,
    UserLink,
    AlarmList,
    AlarmAcknowledge {
        alarm: u64,
    },
    TaskList,
    TaskCancel {
        task: u64,
    },
    Reload {
        /// Who asks; needed where changed rules need a second person.
        #[serde(default)]
        credentials: Option<Credentials>,
    },
    /// Which rules are in force since when, what they replaced and what waits.
    RulesList,
    RulesApprove {
        /// The version, or its first digits.
        version: String,
        credentials: Credentials,
    },
    RulesReject {
        version: String,
        /// A [`crate::domain::reason::RulesRejected`] by its name.
        reason: String,
        credentials: Credentials,
    },
    RulesRollback {
        #[serde(default)]
        credentials: Option<Credentials>,
    },
    TlsReload,
    /// `to` is absolute: the gateway works in a folder of its own.
    VaultBackup {
        to: PathBuf,
    },
}

/// An account and its password. No `Debug` form, as `Request`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Credentials {
    pub account: String,
    pub password: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Response {
    Status(Box<Status>),
    Import {
        applied: bool,
        /// `registry::Diff`, version 1.
        diff: serde_json::Value,
        /// The same for a person.
        text: String,
        /// Names and phone numbers that go to the vault.
        personal: usize,
        /// The last event it became; none when nothing was changed.
        seq: Option<u64>,
    },
    Export {
        text: String,
    },
    /// Shown once.
    Secret {
        client: String,
        role: String,
        secret: String,
        note: Option<String>,
    },
    Clients {
        clients: Vec<ClientRow>,
    },
    Users {
        users: Vec<UserRow>,
    },
    Link {
        link: String,
    },
    Alarms {
        alarms: Vec<AlarmRow>,
    },
    Tasks {
        tasks: Vec<TaskRow>,
    },
    Reloaded {
        /// Rules or sensor types differ from those that were in force.
        changed: bool,
        version: String,
        /// Sections of the settings that a running gateway does not take on.
        needs_restart: Vec<String>,
        /// Rules that decide otherwise than before.
        #[serde(default)]
        rules: Vec<RuleRow>,
        /// The version of the rules alone.
        #[serde(default)]
        rules_version: String,
        /// The rules wait for a second person under their version; nothing was changed.
        #[serde(default)]
        proposed: bool,
        /// What a person should know about the rules in force.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    Rules(Box<RulesShown>),
    Done {
        text: String,
        seq: Option<u64>,
    },
}

/// What has become of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleRow {
    pub rule: String,
    /// `new`, `removed` or `changed`.
    pub became: String,
    /// Calls that go on where they were.
    #[serde(default)]
    pub kept: Vec<String>,
    /// Calls that begin anew.
    #[serde(default)]
    pub begun: Vec<String>,
    /// It `enters`, `stays` in or `leaves` the shadow; none when it raises alarms, as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<String>,
}

/// The rules in force, and what there is beside them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesShown {
    /// `none` or `second-person`.
    pub approval: String,
    /// None before the first configuration.
    pub in_force: Option<RulesInForce>,
    /// What a rollback would put in force again.
    pub former: Option<RulesInForce>,
    pub proposal: Option<ProposalRow>,
    pub rejection: Option<RejectionRow>,
    /// The version of the files on disk; none when they cannot be read.
    pub files: Option<String>,
    /// What a person should know about the rules in force.
    pub note: Option<String>,
    pub rules: Vec<RuleInForce>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesInForce {
    pub version: String,
    /// Since when, and with which event; none when that was before it was kept.
    pub since: Option<String>,
    pub event: Option<u64>,
    /// None when a start put them in force.
    pub by: Option<String>,
    pub approved_by: Option<String>,
    /// The version of the files that were rolled back, while these stand in their place.
    pub in_place_of: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalRow {
    pub version: String,
    pub by: String,
    pub at: String,
    pub event: u64,
    /// Each rule with `new`, `removed` or `changed`.
    pub changes: Vec<(String, String)>,
    pub further: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectionRow {
    pub version: String,
    pub by: String,
    pub at: String,
    pub event: u64,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleInForce {
    pub rule: String,
    pub version: String,
    pub file: String,
    pub applies_to: String,
    pub priority: u8,
    pub shadow: bool,
}

/// How a running gateway is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub program: String,
    pub process: u32,
    pub mqtt: Vec<SocketAddr>,
    pub mqtts: Vec<SocketAddr>,
    pub http: Vec<SocketAddr>,
    /// The last event.
    pub seq: u64,
    pub at: String,
    pub configuration: String,
    pub assets: usize,
    pub devices: usize,
    pub devices_silent: usize,
    pub crews: usize,
    pub people: usize,
    pub alarms: usize,
    pub tasks_open: usize,
    /// Since the start.
    pub received: u64,
    pub quarantined: u64,
    pub duplicates: u64,
    /// Events that wait to be decided.
    pub waiting: usize,
    pub ledger_balanced: bool,
    /// As `/health/ready` tells it.
    #[serde(default)]
    pub parts: Vec<Part>,
}

/// A part of the gateway, and whether it does its work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub name: String,
    pub ready: bool,
    /// The gateway is not ready without it.
    pub required: bool,
    /// Entries it is behind the journal, where that means something.
    pub behind: Option<u64>,
    pub detail: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientRow {
    pub client: String,
    pub role: String,
    pub has_secret: bool,
    pub certificate: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRow {
    pub account: String,
    pub roles: Vec<String>,
    pub made_at: String,
    pub locked_until: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmRow {
    pub alarm: u64,
    pub priority: u8,
    pub rule: String,
    pub asset: String,
    pub active: bool,
    pub acknowledged: bool,
    pub raised_at: String,
    pub exercise: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRow {
    pub task: u64,
    pub alarm: u64,
    pub priority: u8,
    pub kind: String,
    pub asset: String,
    pub status: String,
    pub stage: Option<String>,
    pub crew: Option<String>,
    pub requested_at: String,
    pub exercise: bool,
}

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub kind: FailureKind,
    /// Names the place and the remedy.
    pub text: String,
    /// Faults of a file, all of them.
    pub faults: Vec<FaultRow>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// There are faults in what was given.
    Faults,
    /// Well understood, and not done.
    Refused,
    /// The gateway is stopping or not there.
    Unavailable,
    /// The journal failed.
    Journal,
    /// Something else failed.
    Failed,
}

/// See [`RowFault`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultRow {
    pub file: String,
    pub row: u32,
    pub column: String,
    pub reason: String,
}

impl Request {
    /// Means nothing without a running gateway.
    #[must_use]
    pub const fn needs_gateway(&self) -> bool {
        matches!(
            self,
            Self::Status
                | Self::Reload { .. }
                | Self::RulesApprove { .. }
                | Self::RulesReject { .. }
                | Self::RulesRollback { .. }
                | Self::TlsReload
        )
    }

    /// Only looks: no reason to make a data folder.
    #[must_use]
    pub const fn only_looks(&self) -> bool {
        matches!(
            self,
            Self::Status
                | Self::RegistryExport { .. }
                | Self::ClientList
                | Self::UserList
                | Self::AlarmList
                | Self::TaskList
                | Self::RulesList
                | Self::VaultBackup { .. }
        )
    }
}

impl Failure {
    pub(super) fn new(kind: FailureKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), faults: Vec::new() }
    }

    pub(super) fn refused(text: impl Into<String>) -> Self {
        Self::new(FailureKind::Refused, text)
    }

    pub(super) fn failed(error: &anyhow::Error) -> Self {
        Self::new(FailureKind::Failed, format!("{error:#}"))
    }

    pub(super) fn stopping() -> Self {
        Self::new(FailureKind::Unavailable, "the gateway is stopping; nothing was changed")
    }

    pub(super) fn of_file(file: &str, faults: &[RowFault]) -> Self {
        let plural = if faults.len() == 1 { "" } else { "s" };
        let row = |fault: &RowFault| FaultRow {
            file: fault.file.to_string(),
            row: fault.row,
            column: fault.column.to_string(),
            reason: fault.reason.clone(),
        };
        let text = format!("{} fault{plural} in {file}; nothing was changed", faults.len());
        Self { kind: FailureKind::Faults, text, faults: faults.iter().map(row).collect() }
    }
}

/// RFC 3339; a moment outside the calendar as its microseconds.
pub(in crate::app) fn written(moment: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(moment.as_micros())
        .map_or_else(|_| format!("{moment:?}"), |moment| moment.to_string())
}
