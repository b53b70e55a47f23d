//! The PostgreSQL store against a real PostgreSQL.

use super::connect::quoted;
use super::*;
use crate::domain::time::Span;
use crate::store::conformance::{self, JOURNAL};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

#[path = "../../../tests/support/postgres.rs"]
pub(super) mod cluster;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn options(cluster: &cluster::Cluster, database: &str) -> PostgresOptions {
    PostgresOptions {
        config: cluster.config(database),
        tls: false,
        ca: None,
        connections_max: 4,
        connect_timeout: Duration::from_secs(10),
        statement_timeout: PATIENCE,
        schema: None,
    }
}

/// A store in a schema of its own, for suites that need many.
fn in_schema(database: &str) -> PostgresStore {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let schema = format!("s{}", COUNT.fetch_add(1, Ordering::Relaxed));
    PostgresStore::new(PostgresOptions { schema: Some(schema), ..options(cluster::shared(), database) }).unwrap()
}

#[test]
fn postgres_conforms() {
    let database = cluster::shared().database();
    conformance::holds(&|| Box::new(in_schema(&database)));
}
