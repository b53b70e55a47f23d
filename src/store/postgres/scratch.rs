//! A schema beside the live tables, made for one comparison and removed after it.
//!
//! Whoever uses one holds an advisory lock of the schema's number for as long as it lives, by a connection that does
//! nothing else. A process that was killed has let go of it: the next comparison removes what it left.

use super::connect::{Connection, Link, quoted};
use crate::store::StoreError;

const PREFIX: &str = "rettidig_verify_";

pub(super) fn name(number: u64) -> String {
    format!("{PREFIX}{number:016x}")
}

/// The number of a schema that was made here; none of one that somebody else has named.
fn number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?;
    u64::from_str_radix(digits, 16).ok().filter(|number| self::name(*number) == name)
}

/// Takes the lock of this number and removes schemas whose lock nobody holds.
pub(super) async fn hold(link: &Link, number: u64) -> Result<Connection, StoreError> {
    let connection = link.any_connection().await?;
    let fault = |error| link.fault(&error);
    // A server may end what is idle, and removing many tables takes its time.
    let words = "SET idle_session_timeout = 0; SET statement_timeout = 0";
    connection.batch_execute(words).await.map_err(fault)?;
    // Before the schema is there, so that nobody ever sees it without its lock.
    connection.query_one("SELECT pg_advisory_lock($1)", &[&number.cast_signed()]).await.map_err(fault)?;
    sweep(link, &connection).await?;
    Ok(connection)
}

async fn sweep(link: &Link, connection: &Connection) -> Result<(), StoreError> {
    let fault = |error| link.fault(&error);
    let sql = "SELECT nspname::text FROM pg_namespace WHERE starts_with(nspname::text, $1)";
    let names = connection.query(sql, &[&PREFIX]).await.map_err(fault)?;
    for name in names.iter().map(|row| row.get::<_, &str>(0)) {
        let Some(number) = number(name).map(u64::cast_signed) else { continue };
        let free = connection.query_one("SELECT pg_try_advisory_lock($1)", &[&number]).await.map_err(fault)?;
        if !free.get::<_, bool>(0) {
            continue;
        }
        // One that another login made stays, and stands in nobody's way.
        let dropped = connection.batch_execute(&format!("DROP SCHEMA IF EXISTS {} CASCADE", quoted(name))).await;
        if let Err(error) = dropped {
            tracing::warn!(schema = name, error = &error as &dyn std::error::Error, "an old schema was not removed");
        }
        connection.query_one("SELECT pg_advisory_unlock($1)", &[&number]).await.map_err(fault)?;
    }
    Ok(())
}
