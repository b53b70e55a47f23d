//! What the console needs from the rest of the house, as plain functions that `app` fills in.

use crate::board::Board;
use crate::domain::event::Command;
use crate::domain::ids::{AccountId, AlarmId, AssetId, PropertyName, RuleId, RuleVersion, Seq};
use crate::domain::reason::Verdict;
use crate::domain::time::Timestamp;
use crate::rules::Rule;
use crate::store::{Progress, Store};
use futures_util::future::BoxFuture;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;
type Port<In, Out> = Arc<dyn Fn(In) -> BoxFuture<'static, Out> + Send + Sync>;

pub type WhyPort = Port<AlarmId, Result<Option<Why>, Unavailable>>;

pub struct Ports {
    pub sign_in: Port<SignIn, Result<SignedIn, SignInRefusal>>,
    /// Whose session this is; `None` when it has ended or never was.
    pub session: Port<SessionToken, Result<Option<Account>, Unavailable>>,
    pub sign_out: Port<SessionToken, Result<(), Unavailable>>,
    /// Uses up the one-time admin link: sets the first account and signs it in.
    pub first_start: Port<FirstStart, Result<SignedIn, FirstStartRefusal>>,
    /// Sends a command the way of every event; answers after it is durable.
    pub command: Port<Command, Result<CommandAnswer, Unavailable>>,
    /// The rules in force, ordered by id.
    pub rules: Port<(), Result<Vec<Arc<Rule>>, Unavailable>>,
    /// Why an alarm stands at this moment; none when it is closed.
    pub why: WhyPort,
    pub board: Arc<Board>,
    pub store: Arc<dyn Store>,
    /// How far the store is.
    pub progress: Arc<Progress>,
    /// The metrics page in Prometheus text form.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    pub health: Arc<dyn Fn() -> Health + Send + Sync>,
    pub now: Now,
}

/// A session's secret, as it stands in the cookie. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionToken(String);

#[derive(Clone)]
pub struct SignIn {
    pub account: AccountId,
    pub password: String,
}

#[derive(Clone)]
pub struct FirstStart {
    /// The secret of the one-time link.
    pub token: String,
    pub account: AccountId,
    pub password: String,
}

#[derive(Clone, Debug)]
pub struct SignedIn {
    pub token: SessionToken,
    pub account: Account,
    pub expires_at: Timestamp,
}

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    pub roles: BTreeSet<Role>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Operator,
    Crew,
    Integrator,
    Auditor,
    Admin,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignInRefusal {
    /// Unknown account or wrong password: the answer does not tell which.
    Wrong,
    Unavailable,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstStartRefusal {
    /// The link is wrong, used or too old.
    Link,
    /// What the account or password must be instead.
    Unfit(String),
    Unavailable,
}

/// The engine's answer to a command, after it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandAnswer {
    pub seq: Seq,
    pub verdict: Verdict,
}

/// It cannot be done right now; nothing has been decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

/// Why an alarm stands, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    pub rule: RuleId,
    /// Of the rule as it was when it raised the alarm.
    pub version: Option<RuleVersion>,
    pub asset: AssetId,
    pub english: String,
    pub danish: String,
    /// The newest values that the rule reads; none about a person.
    pub values: Vec<WhyValue>,
    pub personal: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhyValue {
    pub property: PropertyName,
    pub english: String,
    pub danish: String,
    pub observed_at: Timestamp,
}

/// How the parts of the gateway are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    pub parts: Vec<HealthPart>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthPart {
    /// `journal`, `endpoint`, `broker/<name>`, `store`.
    pub name: String,
    pub ready: bool,
    /// Without it the gateway is not ready. The store is not needed: the present comes from memory.
    pub required: bool,
    /// Entries it is behind the journal, where that means something.
    pub behind: Option<u64>,
    /// One line for a person; never personal data.
    pub detail: String,
}

impl SessionToken {
    /// 1 to 256 characters that may stand in a cookie; `None` otherwise.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+' | b'/' | b'=');
        ((1..=256).contains(&text.len()) && text.bytes().all(fits)).then(|| Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(…)")
    }
}

impl Account {
    /// May look at alarms, tasks, history and quarantine.
    #[must_use]
    pub fn reads(&self) -> bool {
        self.roles.iter().any(|role| match role {
            Role::Operator | Role::Integrator | Role::Auditor | Role::Admin => true,
            Role::Crew => false,
        })
    }

    /// May acknowledge and cancel.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.roles.iter().any(|role| match role {
            Role::Operator | Role::Admin => true,
            Role::Crew | Role::Integrator | Role::Auditor => false,
        })
    }
}

impl Role {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Crew => "crew",
            Self::Integrator => "integrator",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }
}

impl Health {
    /// Every required part is ready.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.parts.iter().all(|part| part.ready || !part.required)
    }
}
