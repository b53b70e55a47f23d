//! What each command of `rettidig` does: one file per command, words to standard output, faults to standard error.
//!
//! A command returns an [`Outcome`]; its number is the exit code and part of the contract with scripts.

pub mod alarms;
mod ask;
pub mod backtest;
mod certificates;
pub mod check;
pub mod doctor;
pub mod explain;
pub mod init;
pub mod journal;
pub mod logins;
mod password;
mod past;
pub mod quarantine;
mod recorded;
pub mod registry;
mod render;
pub mod replay;
pub mod rules;
mod rules_shown;
pub mod run;
pub mod schema;
pub mod simulated;
pub mod status;
pub mod store;
pub mod test;
pub mod vault;

use crate::app::Source;
use crate::app::data_folder::DataFolderError;
use crate::config::{ConfigError, Loaded};
use crate::store::StoreError;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// For `--help`.
pub const EXIT_CODES: &str = "Exit codes: 0 done; 1 failed; 2 wrong usage; 65 faults in the input or configuration; \
69 the data folder is held, an address to listen on is taken, or the gateway is not reachable; 74 the journal failed \
or the disk is full; 78 the configuration cannot be read";

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Refused or failed: said on standard error.
    NotDone,
    /// The command was not understood: said on standard error.
    Usage,
    /// Faults in what was given: named on standard output.
    Faults,
    /// The data folder is held by another process, an address is taken, or no gateway answers.
    Unavailable,
    /// The journal failed or the disk is full; what was not synced was never acknowledged.
    JournalFailed,
    /// The configuration cannot be read at all.
    Unreadable,
}

impl Outcome {
    /// Says what went wrong and gives the exit code.
    #[must_use]
    pub fn report(outcome: anyhow::Result<Self>) -> ExitCode {
        match outcome {
            Ok(Self::Done) => ExitCode::SUCCESS,
            Ok(Self::NotDone) => ExitCode::FAILURE,
            Ok(Self::Usage) => ExitCode::from(2),
            Ok(Self::Faults) => ExitCode::from(65),
            Ok(Self::Unavailable) => ExitCode::from(69),
            Ok(Self::JournalFailed) => ExitCode::from(74),
            Ok(Self::Unreadable) => ExitCode::from(78),
            Err(error) => {
                complain(&format!("{error:#}"));
                Self::of_fault(&error).map_or(ExitCode::FAILURE, |outcome| Self::report(Ok(outcome)))
            }
        }
    }

    /// Faults of the machine that a script tells apart: who is in the way, and what is full.
    fn of_fault(error: &anyhow::Error) -> Option<Self> {
        let kinds = || error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
        let codes = error.chain().filter_map(|cause| cause.downcast_ref::<rusqlite::Error>()?.sqlite_error_code());
        if kinds().any(|kind| kind == io::ErrorKind::StorageFull)
            || codes.into_iter().any(|code| code == rusqlite::ErrorCode::DiskFull)
        {
            return Some(Self::JournalFailed);
        }
        let held = error.chain().any(<dyn std::error::Error>::is::<DataFolderError>);
        let away = error.chain().filter_map(|cause| cause.downcast_ref()).any(StoreError::retryable);
        (held || away || kinds().any(|kind| kind == io::ErrorKind::AddrInUse)).then_some(Self::Unavailable)
    }
}

/// The settings a command works with; or, said already, why there are none.
pub(super) fn load(source: &Source) -> Result<Loaded, Outcome> {
    source.load().map_err(|error| {
        complain(&error.to_string());
        match error {
            ConfigError::Unreadable { .. } => Outcome::Unreadable,
            ConfigError::Faulty { .. } => Outcome::Faults,
        }
    })
}

/// One line to standard output; a closed pipe is the reader's choice.
pub(super) fn say(text: &str) {
    writeln!(std::io::stdout(), "{}", text.trim_end_matches('\n')).ok();
}

/// One line to standard error.
pub(super) fn complain(text: &str) {
    writeln!(std::io::stderr(), "rettidig: {}", text.trim_end_matches('\n')).ok();
}

/// The runtime for sockets and files. One processor is left to the thread that decides: a second thread for sockets on
/// a machine with two would cost more in waking each other than it carries.
///
/// # Errors
/// When the system cannot give threads or timers.
pub(super) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = processors.saturating_sub(1).max(1);
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().thread_name("io").build()
}
