//! `rettidig alarm` and `rettidig task`: what is open, and the changes a person makes without the console.

use super::Outcome;
use super::ask::carry_out;
use crate::app::Source;
use crate::app::control::Request;
use clap::Subcommand;

#[derive(Subcommand)]
pub enum Alarm {
    /// Alarms that are not settled, the most urgent first
    List {
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
    /// A person has seen it
    Acknowledge {
        alarm: u64,
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
pub enum Task {
    /// Open tasks, the most urgent first
    List {
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
    /// Withdraw a task; the crew is told
    Cancel {
        task: u64,
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
}

/// # Errors
/// When the request cannot be served.
pub fn alarm(source: &Source, command: &Alarm) -> anyhow::Result<Outcome> {
    match *command {
        Alarm::List { json } => carry_out(source, Request::AlarmList, json),
        Alarm::Acknowledge { alarm, json } => carry_out(source, Request::AlarmAcknowledge { alarm }, json),
    }
}

/// # Errors
/// When the request cannot be served.
pub fn task(source: &Source, command: &Task) -> anyhow::Result<Outcome> {
    match *command {
        Task::List { json } => carry_out(source, Request::TaskList, json),
        Task::Cancel { task, json } => carry_out(source, Request::TaskCancel { task }, json),
    }
}
