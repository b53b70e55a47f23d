//! `rettidig rules`: which are in force, which were, and which wait; back one step, and the second person.

use super::ask::carry_out;
use super::{Outcome, password};
use crate::app::Source;
use crate::app::control::{Credentials, Request};
use clap::{Args, Subcommand};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct RulesArguments {
    #[command(subcommand)]
    command: Option<Rules>,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
pub enum Rules {
    /// Agree to rules that another person has proposed; they come into force
    Approve {
        /// The version that waits, or its first digits
        version: String,
        /// The account that agrees; its password is asked for, or read from the first line of standard input
        #[arg(long = "as", value_name = "ACCOUNT")]
        account: String,
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
    /// Withdraw rules that wait; those in force stay
    Reject {
        /// The version that waits, or its first digits
        version: String,
        /// The account that withdraws them; its password is asked for, or read from the first line of standard input
        #[arg(long = "as", value_name = "ACCOUNT")]
        account: String,
        /// Why: mistake, not-tested, superseded or other
        #[arg(long)]
        reason: String,
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
    /// Put the rules in force that were before; once more goes forward again
    Rollback {
        /// Who does it; needed where changed rules need a second person
        #[arg(long = "as", value_name = "ACCOUNT")]
        account: Option<String>,
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
}

/// # Errors
/// When no password is given, or the request cannot be served.
pub fn rules(source: &Source, arguments: RulesArguments) -> anyhow::Result<Outcome> {
    match arguments.command {
        None => carry_out(source, Request::RulesList, arguments.json),
        Some(Rules::Approve { version, account, json }) => {
            let credentials = credentials(account)?;
            carry_out(source, Request::RulesApprove { version, credentials }, json)
        }
        Some(Rules::Reject { version, account, reason, json }) => {
            let credentials = credentials(account)?;
            carry_out(source, Request::RulesReject { version, reason, credentials }, json)
        }
        Some(Rules::Rollback { account, json }) => {
            let credentials = account.map(credentials).transpose()?;
            carry_out(source, Request::RulesRollback { credentials }, json)
        }
    }
}

/// # Errors
/// When no password is given.
pub(super) fn credentials(account: String) -> anyhow::Result<Credentials> {
    let password = password::prove(&account)?;
    Ok(Credentials { account, password })
}
