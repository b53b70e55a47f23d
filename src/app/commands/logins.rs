//! `rettidig client` and `rettidig user`: who may connect and who may sign in.

use super::ask::carry_out;
use super::{Outcome, password};
use crate::app::Source;
use crate::app::control::Request;
use clap::Subcommand;

#[derive(Subcommand)]
pub enum Client {
    /// Make an MQTT login; its password is shown once
    Add {
        /// The user name it connects with
        client: String,
        /// gateway (a network server), device=ID, crew=ID or service
        #[arg(long)]
        role: String,
        /// Log in with a certificate of this common name instead of a password
        #[arg(long)]
        certificate: Option<String>,
        /// Give a login that exists another password or certificate
        #[arg(long)]
        replace: bool,
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
    /// All MQTT logins
    List {
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
    /// Remove an MQTT login and end its connection
    Remove { client: String },
}

#[derive(Subcommand)]
pub enum User {
    /// Make an account; its password is asked for, or read from the first line of standard input
    Add {
        account: String,
        /// operator, crew, integrator, auditor or admin; operator=AREA for one area; may be given several times
        #[arg(long, required = true)]
        role: Vec<String>,
    },
    /// All accounts
    List {
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
    /// Another link that makes the first account, while there is no admin
    Link {
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
}

/// # Errors
/// When the request cannot be served.
pub fn client(source: &Source, command: Client) -> anyhow::Result<Outcome> {
    match command {
        Client::Add { client, role, certificate, replace, json } => {
            carry_out(source, Request::ClientAdd { client, role, certificate, replace }, json)
        }
        Client::List { json } => carry_out(source, Request::ClientList, json),
        Client::Remove { client } => carry_out(source, Request::ClientRemove { client }, false),
    }
}

/// # Errors
/// When no password is given, or the request cannot be served.
pub fn user(source: &Source, command: User) -> anyhow::Result<Outcome> {
    match command {
        User::Add { account, role } => {
            let password = password::ask(&account)?;
            carry_out(source, Request::UserAdd { account, roles: role, password }, false)
        }
        User::List { json } => carry_out(source, Request::UserList, json),
        User::Link { json } => carry_out(source, Request::UserLink, json),
    }
}
