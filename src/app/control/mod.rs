//! Commands of people and scripts: the same request, served by a running gateway or by one command alone.
//!
//! A running gateway listens on `data/control.sock`: one request per line in JSON, one answer per line. When nobody
//! listens there, a command takes the lock of the data folder and serves its own request. Whatever changes what is
//! decided becomes an event in both cases; logins and accounts are the vault's. Who may use the socket is the data
//! folder's matter: only its owner can reach it.
//!
//! Start with [`serve`]; `wire` is what is said, `backend` who does it, `socket` how it is carried.

mod alarms;
mod backend;
mod logins;
mod registry;
mod reload;
mod rules;
mod serve;
mod socket;
mod wire;

pub(in crate::app) use logins::first_start_link;
pub(in crate::app) use wire::written;

pub use backend::{Backend, Offline, Running};
pub use reload::Reload;
pub use serve::serve;
pub use socket::{AskError, Listener, ask};
pub use wire::{
    AlarmRow, ClientRow, Credentials, Failure, FailureKind, FaultRow, Part, ProposalRow, RejectionRow, Request,
    Response, RuleInForce, RuleRow, RulesInForce, RulesShown, Status, TaskRow, UserRow,
};
