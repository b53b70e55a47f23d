//! Connections: how they are made, what each is told first, and the tables they find.

use super::PostgresOptions;
use super::forget::Forgetting;
use crate::store::StoreError;
use crate::store::error::told;
use crate::store::migrations::{self, known};
use crate::store::retention::Month;
use crate::store::tables::TABLES;
use deadpool_postgres::{
    Hook, HookError, Manager as Connector, ManagerConfig as Recycling, Object, Pool, RecyclingMethod, Runtime,
};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Partitions are detached without a long lock from this version on.
const OLDEST: (i32, &str) = (140_000, "14");
/// To wait for somebody else's lock; then the step is tried again later.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
/// A machine that is gone is noticed after this, also where nothing is being asked.
const GONE_AFTER: Duration = Duration::from_secs(30);
/// Whoever holds it brings the tables up to date; one number for all programs of this kind.
pub(super) const MIGRATION_LOCK: i64 = 0x7265_7474_6964_6967;

/// The way to the database, shared by all calls.
pub(super) struct Link {
    pool: Pool,
    place: String,
    schema: Option<String>,
    /// What every connection is told to wait for somebody else's lock.
    pub lock_timeout: Duration,
    /// The tables are known to be up to date.
    prepared: AtomicBool,
    /// Held by the one call that writes: the months that have a partition.
    pub months: Mutex<Option<BTreeSet<Month>>>,
    /// How far it is with what is old enough to go.
    pub forgetting: Mutex<Forgetting>,
}

/// A connection that is thrown away unless its call has come to a good end.
pub(super) struct Connection(Option<Object>);

impl Link {
    pub(super) fn new(options: PostgresOptions) -> Result<Self, StoreError> {
        let place = place(&options.config);
        let mut config = options.config;
        config
            .ssl_mode(if options.tls { SslMode::Require } else { SslMode::Disable })
            .application_name("rettidig")
            .connect_timeout(options.connect_timeout)
            .keepalives_idle(GONE_AFTER)
            .tcp_user_timeout(GONE_AFTER);
        let tls = MakeRustlsConnect::new(trusting(options.ca.as_deref())?);
        let recycling = Recycling { recycling_method: RecyclingMethod::Fast };
        let connector = Connector::from_config(config, tls, recycling);
        let lock_timeout = LOCK_TIMEOUT.min(options.statement_timeout);
        let first_words = first_words(options.schema.as_deref(), options.statement_timeout, lock_timeout);
        let greeting = Hook::async_fn(move |client: &mut deadpool_postgres::ClientWrapper, _| {
            let first_words = first_words.clone();
            Box::pin(async move { client.batch_execute(&first_words).await.map_err(HookError::Backend) })
        });
        let timeout = Some(options.connect_timeout);
        let pool = Pool::builder(connector)
            .max_size(options.connections_max.max(2))
            .runtime(Runtime::Tokio1)
            .wait_timeout(timeout)
            .create_timeout(timeout)
            .recycle_timeout(timeout)
            .post_create(greeting)
            .build()
            .map_err(|error| StoreError::Unusable(error.to_string()))?;
        let prepared = AtomicBool::new(false);
        let (schema, months, forgetting) = (options.schema, Mutex::default(), Mutex::default());
        Ok(Self { pool, place, schema, lock_timeout, prepared, months, forgetting })
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn away(&self, reason: &str) -> StoreError {
        StoreError::Away { place: self.place.clone(), reason: reason.to_owned() }
    }

    /// What a fault of the client means to the caller. Missing tables are looked for again before the next call.
    pub(super) fn fault(&self, error: &tokio_postgres::Error) -> StoreError {
        use tokio_postgres::error::SqlState as Code;
        // What the statement names is not what it was.
        if error.code().is_some_and(|code| code.code().starts_with("42")) {
            self.prepared.store(false, Ordering::Relaxed);
        }
        if error.code().is_some_and(|code| [Code::UNDEFINED_TABLE, Code::INVALID_SCHEMA_NAME].contains(code)) {
            self.prepared.store(false, Ordering::Relaxed);
            let said = told(error);
            return self.away(&format!("a table is not there: {said}; `rettidig doctor` says what to do"));
        }
        // The only check there is: a month has gone since it was looked for.
        if error.code() == Some(&Code::CHECK_VIOLATION) {
            return self.away("the month of an observation has no partition; the next attempt makes it");
        }
        StoreError::postgres(&self.place, error)
    }

    pub(super) async fn connection(&self) -> Result<Connection, StoreError> {
        let connection = self.any_connection().await?;
        // A newer program may have brought the tables up to date since the last one was made.
        if connection.fresh() {
            self.not_newer(self.version(&connection).await?)?;
        }
        Ok(connection)
    }

    /// Also where the tables are not known yet.
    pub(super) async fn any_connection(&self) -> Result<Connection, StoreError> {
        use deadpool_postgres::PoolError;
        let object = self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => self.fault(&error),
            PoolError::Timeout(_) => self.away("no connection in time"),
            PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                self.away(&error.to_string())
            }
        })?;
        Ok(Connection(Some(object)))
    }

    /// Whether the tables are up to date; the database is asked until they are.
    pub(super) async fn ready(&self) -> Result<bool, StoreError> {
        if !self.prepared.load(Ordering::Relaxed) && self.look().await? == known(&migrations::postgres()) {
            self.begin_anew().await;
            self.prepared.store(true, Ordering::Relaxed);
        }
        Ok(self.prepared.load(Ordering::Relaxed))
    }

    /// The tables may be other ones than before.
    async fn begin_anew(&self) {
        *self.months.lock().await = None;
        *self.forgetting.lock().await = Forgetting::default();
    }

    /// Brings the tables up to date; whoever comes second waits for the lock a while, and in the end finds nothing to do.
    pub(super) async fn prepare(&self) -> Result<(), StoreError> {
        let mut connection = self.any_connection().await?;
        self.fit(&connection).await?;
        let mut sql = format!("SET statement_timeout = 0; SELECT pg_advisory_lock({MIGRATION_LOCK});");
        if let Some(schema) = &self.schema {
            sql = format!("CREATE SCHEMA IF NOT EXISTS {}; {sql}", quoted(schema));
        }
        connection.batch_execute(&sql).await.map_err(|error| self.fault(&error))?;
        let found = self.not_newer(self.version(&connection).await?)?;
        let runner = migrations::postgres();
        if found < known(&runner) {
            let client: &mut tokio_postgres::Client = &mut connection;
            runner.run_async(client).await.map_err(|error| self.unmigrated(error))?;
        }
        // The connection is thrown away, and with it the lock and the settings of this step.
        drop(connection);
        self.begin_anew().await;
        self.prepared.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Why the tables could not be made: in the server's words where it has said something.
    fn unmigrated(&self, error: refinery::Error) -> StoreError {
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            if let Some(said) = inner.downcast_ref::<tokio_postgres::Error>() {
                return self.away(&format!("its tables cannot be made: {}", told(said)));
            }
            source = inner.source();
        }
        StoreError::Migrate(Box::new(error))
    }

    pub(super) async fn look(&self) -> Result<i32, StoreError> {
        let connection = self.any_connection().await?;
        self.fit(&connection).await?;
        let found = self.not_newer(self.version(&connection).await?)?;
        if found == known(&migrations::postgres())
            && let Some(table) = self.missing(&connection).await?
        {
            return Err(StoreError::Incomplete { place: self.place.clone(), table });
        }
        connection.good();
        Ok(found)
    }

    /// A table that somebody has removed.
    async fn missing(&self, connection: &Connection) -> Result<Option<String>, StoreError> {
        let tables: Vec<_> = own_tables().collect();
        let sql = "SELECT name FROM unnest($1::text[]) name WHERE to_regclass(name) IS NULL LIMIT 1";
        let row = connection.query_opt(sql, &[&tables]).await.map_err(|error| self.fault(&error))?;
        Ok(row.map(|row| row.get(0)))
    }

    /// Removes what is left of the tables and makes them all again.
    pub(super) async fn make_again(&self) -> Result<(), StoreError> {
        let connection = self.any_connection().await?;
        let tables: Vec<_> = own_tables().chain(["refinery_schema_history"]).collect();
        let sql = format!(
            "SET statement_timeout = 0; SELECT pg_advisory_lock({MIGRATION_LOCK}); DROP TABLE IF EXISTS {}",
            tables.join(", ")
        );
        connection.batch_execute(&sql).await.map_err(|error| self.fault(&error))?;
        // With it goes the lock; whoever makes them first, makes them.
        drop(connection);
        self.prepare().await
    }

    /// Refuses tables that only a later program knows, from the first word on and until they are other ones.
    fn not_newer(&self, found: i32) -> Result<i32, StoreError> {
        let known = known(&migrations::postgres());
        if found > known {
            self.prepared.store(false, Ordering::Relaxed);
            return Err(StoreError::Newer { found, known });
        }
        Ok(found)
    }

    pub(super) async fn remove_schema(&self) -> Result<(), StoreError> {
        let Some(schema) = &self.schema else {
            return Err(StoreError::Unusable("only a schema of its own is removed".to_owned()));
        };
        let connection = self.connection().await?;
        let sql = format!("DROP SCHEMA IF EXISTS {} CASCADE", quoted(schema));
        connection.batch_execute(&sql).await.map_err(|error| self.fault(&error))?;
        self.prepared.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// The version of the tables; 0 when there are none.
    pub(super) async fn version(&self, connection: &Connection) -> Result<i32, StoreError> {
        let fault = |error| self.fault(&error);
        let there = "SELECT to_regclass('refinery_schema_history') IS NOT NULL";
        let there: bool = connection.query_one(there, &[]).await.and_then(|row| row.try_get(0)).map_err(fault)?;
        if !there {
            return Ok(0);
        }
        let newest = "SELECT COALESCE(max(version), 0) FROM refinery_schema_history";
        connection.query_one(newest, &[]).await.and_then(|row| row.try_get(0)).map_err(fault)
    }

    async fn fit(&self, connection: &Connection) -> Result<(), StoreError> {
        let sql = "SELECT current_setting('server_version_num')::int, current_setting('server_version'), \
                   current_setting('server_encoding')";
        let row = connection.query_one(sql, &[]).await.map_err(|error| self.fault(&error))?;
        let (number, name, encoding): (i32, String, String) = (row.get(0), row.get(1), row.get(2));
        if number < OLDEST.0 {
            return Err(StoreError::Unusable(format!("PostgreSQL {name} is too old: {} or later is needed", OLDEST.1)));
        }
        // What such a database cannot write would be set aside, entry by entry.
        if encoding != "UTF8" {
            let remedy = "make it with `createdb --encoding UTF8 --template template0`";
            return Err(StoreError::Unusable(format!("the database is encoded in {encoding}: {remedy}")));
        }
        Ok(())
    }
}

impl Connection {
    /// Whether nobody has used it yet.
    fn fresh(&self) -> bool {
        self.0.as_ref().is_some_and(|object| Object::metrics(object).recycle_count == 0)
    }

    /// Back to the others.
    pub(super) fn good(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // In the middle of something: nobody may go on where this call broke off.
        if let Some(object) = self.0.take() {
            drop(Object::take(object));
        }
    }
}

impl Deref for Connection {
    type Target = deadpool_postgres::ClientWrapper;

    #[expect(clippy::expect_used, reason = "it is there until `good` or `drop`, which end the value")]
    fn deref(&self) -> &Self::Target {
        self.0.as_ref().expect("a connection in use")
    }
}

impl DerefMut for Connection {
    #[expect(clippy::expect_used, reason = "it is there until `good` or `drop`, which end the value")]
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.0.as_mut().expect("a connection in use")
    }
}

/// What a store is made of, beside its months.
fn own_tables() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|table| table.name).chain(["journal"])
}

/// What every connection is told first.
fn first_words(schema: Option<&str>, statement_timeout: Duration, lock_timeout: Duration) -> String {
    let words = format!(
        "SET client_min_messages = warning; SET synchronous_commit = off; SET statement_timeout = {}; \
         SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {};",
        statement_timeout.as_millis(),
        lock_timeout.as_millis(),
        statement_timeout.as_millis(),
    );
    let search_path = schema.map(|schema| format!(" SET search_path = {};", quoted(schema)));
    words + &search_path.unwrap_or_default()
}

pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Host and database; never the login's password.
fn place(config: &tokio_postgres::Config) -> String {
    let host = config.get_hosts().first().map_or("localhost".to_owned(), |host| match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    });
    let port = config.get_ports().first().map_or(String::new(), |port| format!(":{port}"));
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("PostgreSQL at {host}{port}/{database}")
}

/// The named authorities only, or those of the system; there is no way to switch verification off.
fn trusting(ca: Option<&Path>) -> Result<ClientConfig, StoreError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca {
        let fault = |reason: String| StoreError::Unusable(format!("{}: {reason}", path.display()));
        let found: Vec<_> = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .map_err(|error: rustls_pki_types::pem::Error| fault(error.to_string()))?;
        if found.is_empty() {
            return Err(fault("it holds no certificate".to_owned()));
        }
        for certificate in found {
            roots.add(certificate).map_err(|error| fault(error.to_string()))?;
        }
    } else {
        // What the system holds and rustls cannot read is left out, as every client does.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::Unusable(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
