//! The PostgreSQL store: a few connections, one writer, and a runtime of its own on which its calls wait.
//!
//! Nothing is connected before the first question, so that a gateway starts without it; each call has a limit, and a
//! connection whose call broke off is never used again. `synchronous_commit` is off for the writer: what a crash of the
//! server takes back is taken back with its checkpoint and is projected again from the journal.
//! `connect` opens connections and tables, `write` keeps batches by COPY, `lives` follows alarms and tasks, `months`
//! makes and drops partitions, `forget` removes what is old elsewhere, `read` answers, `scratch` is a schema beside the
//! live one for a comparison.

mod cells;
mod connect;
mod forget;
mod lives;
mod months;
mod read;
mod scratch;
mod write;

#[cfg(test)]
mod corner_tests;
#[cfg(test)]
mod outage_tests;
#[cfg(test)]
mod tests;

use super::history::{
    AlarmLife, LoggedEvent, ObservationAsked, Page, PageAsked, QuarantineKept, Rollup, RollupAsked, SetAside, State,
    StoredObservation, TaskLife,
};
use super::retention::{Retention, Tended};
use super::rows::Projected;
use super::tables::{Cell, Cells, Table};
use super::{Store, StoreError};
use crate::domain::ids::{JournalId, Seq};
use crate::domain::time::Timestamp;
use connect::{Connection, Link};
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// Steps that change tables or clear them may take longer than a question.
const LONG: Duration = Duration::from_secs(3_600);

/// How a PostgreSQL database is reached.
#[derive(Clone)]
pub struct PostgresOptions {
    /// With the password, which is never shown.
    pub config: tokio_postgres::Config,
    /// Use TLS, and refuse a server that has none.
    pub tls: bool,
    /// Who signs the server's certificate (PEM); the system's authorities when absent.
    pub ca: Option<PathBuf>,
    /// Connections at once, 2 at least: one writes.
    pub connections_max: usize,
    /// To get a connection.
    pub connect_timeout: Duration,
    /// To get an answer.
    pub statement_timeout: Duration,
    /// The schema that holds the tables, made when it is missing; that of the login when absent.
    pub schema: Option<String>,
}

/// History in a PostgreSQL database.
pub struct PostgresStore {
    link: Link,
    /// None only while it is dropped.
    runtime: Option<Runtime>,
    limit: Duration,
    closing: CancellationToken,
    /// Says that somebody lives in this schema.
    held: Option<Connection>,
}

impl PostgresStore {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// When the options can never work, or the system gives no thread.
    pub fn new(options: PostgresOptions) -> Result<Self, StoreError> {
        let limit = options.statement_timeout;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("store")
            .enable_all()
            .build()
            .map_err(|error| StoreError::Unusable(format!("no thread for it: {error}")))?;
        let link = Link::new(options)?;
        Ok(Self { link, runtime: Some(runtime), limit, closing: CancellationToken::new(), held: None })
    }

    /// Connects and brings the tables up to date.
    ///
    /// # Errors
    /// When it does not answer, is too old, or its tables are newer than this program.
    pub fn prepare(&self) -> Result<(), StoreError> {
        if self.wait(self.limit, self.link.ready())? {
            return Ok(());
        }
        self.wait(LONG, self.link.prepare())
    }

    /// Whether it answers and its tables are known; changes nothing. The version of its tables, 0 when there are none.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub fn look(&self) -> Result<i32, StoreError> {
        self.wait(self.limit, self.link.look())
    }

    /// A store in a schema of its own beside the tables that `options` lead to, empty and prepared. What earlier ones
    /// left there when they were killed is removed; `number` is nobody else's.
    ///
    /// # Errors
    /// As [`Self::prepare`], or when the login may not make a schema.
    pub fn scratch(options: PostgresOptions, number: u64) -> Result<Self, StoreError> {
        let mut store = Self::new(PostgresOptions { schema: Some(scratch::name(number)), ..options })?;
        store.held = Some(store.wait(LONG, scratch::hold(&store.link, number))?);
        store.prepare()?;
        Ok(store)
    }

    /// Removes the schema of the options with everything in it.
    ///
    /// # Errors
    /// When there is no such option, or the server does not do it.
    pub fn remove_schema(&self) -> Result<(), StoreError> {
        self.wait(LONG, self.link.remove_schema())
    }

    /// Host and database, for texts.
    #[must_use]
    pub fn place(&self) -> &str {
        self.link.place()
    }

    /// Runs to its end or its limit. Whoever asks blocks; it is never asked from an asynchronous task.
    fn wait<T>(&self, limit: Duration, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let Some(runtime) = &self.runtime else {
            return Err(self.link.away("it is being closed"));
        };
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.closing.cancelled() => Err(self.link.away("it is being closed")),
                done = tokio::time::timeout(limit, work) => {
                    done.unwrap_or_else(|_| Err(self.link.away(&format!("no answer within {} s", limit.as_secs_f32()))))
                }
            }
        })
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.closing.cancel();
        drop(self.held.take());
        // The last owner may be an asynchronous task, where waiting for threads is not allowed.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Store for PostgresStore {
    fn checkpoint(&self, journal: JournalId) -> Result<Option<Seq>, StoreError> {
        self.prepare()?;
        self.wait(self.limit, read::checkpoint(&self.link, journal))
    }

    fn project(&self, journal: JournalId, entries: &[Projected]) -> Result<(), StoreError> {
        self.prepare()?;
        let done = self.wait(self.limit, write::project(&self.link, journal, entries));
        if done.as_ref().is_err_and(|error| !error.retryable()) {
            // An entry is at fault only where this program knows the tables.
            self.look()?;
        }
        done
    }

    fn set_aside(&self, journal: JournalId, seq: Seq, at: Timestamp, reason: &str) -> Result<(), StoreError> {
        self.prepare()?;
        self.wait(self.limit, write::set_aside(&self.link, journal, seq, at, reason))
    }

    fn kept_at(&self, journal: JournalId, seq: Seq) -> Result<Option<Timestamp>, StoreError> {
        self.wait(self.limit, read::kept_at(&self.link, journal, seq))
    }

    fn clear(&self) -> Result<(), StoreError> {
        match self.prepare() {
            Err(StoreError::Incomplete { .. }) => self.wait(LONG, self.link.make_again()),
            prepared => prepared.and_then(|()| self.wait(LONG, write::clear(&self.link))),
        }
    }

    fn alarms(&self, asked: &PageAsked) -> Result<Page<AlarmLife>, StoreError> {
        self.wait(self.limit, read::alarms(&self.link, asked))
    }

    fn tasks(&self, asked: &PageAsked) -> Result<Page<TaskLife>, StoreError> {
        self.wait(self.limit, read::tasks(&self.link, asked))
    }

    fn observations(&self, asked: &ObservationAsked, page: &PageAsked) -> Result<Page<StoredObservation>, StoreError> {
        self.wait(self.limit, read::observations(&self.link, asked, page))
    }

    fn quarantine(&self, asked: &PageAsked) -> Result<Page<QuarantineKept>, StoreError> {
        self.wait(self.limit, read::quarantine(&self.link, asked))
    }

    fn events(&self, asked: &PageAsked) -> Result<Page<LoggedEvent>, StoreError> {
        self.wait(self.limit, read::events(&self.link, asked))
    }

    fn set_asides(&self, asked: &PageAsked) -> Result<Page<SetAside>, StoreError> {
        self.wait(self.limit, read::set_asides(&self.link, asked))
    }

    fn rollups(&self, asked: &RollupAsked, page: &PageAsked) -> Result<Page<Rollup>, StoreError> {
        // The hours are fetched before they are put together: one question for one page.
        super::rollup::page(asked, page, |from, until, hours_max| {
            self.wait(self.limit, read::hours(&self.link, asked, from, until, hours_max))
        })
    }

    fn tend(&self, now: Timestamp, retention: &Retention) -> Result<Tended, StoreError> {
        self.prepare()?;
        self.wait(LONG, months::tend(&self.link, now, &retention.cutoff(now)))
    }

    fn close(&self) {
        self.closing.cancel();
    }

    fn state(&self) -> Result<State, StoreError> {
        self.wait(self.limit, read::state(&self.link))
    }

    fn rows(
        &self,
        table: &'static Table,
        journal: JournalId,
        after: Option<&[Cell<'static>]>,
        rows_max: usize,
    ) -> Result<Vec<Cells>, StoreError> {
        self.wait(self.limit, read::rows(&self.link, table, journal, after, rows_max))
    }
}
