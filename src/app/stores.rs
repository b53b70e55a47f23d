//! Which database holds history: the one in the settings, or a SQLite file in the data folder.

use super::data_folder;
use crate::config;
use crate::domain::time::{Span, Timestamp};
use crate::store::{PostgresOptions, PostgresStore, Retention, SqliteStore, Store, StoreError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// For the gateway. A PostgreSQL that is away is no reason not to start, nor one whose tables somebody else is changing:
/// the projector makes them when it can.
///
/// # Errors
/// When a file is damaged or newer than this program, or the settings can never work.
pub fn open(settings: &config::Store, data: &Path) -> Result<Arc<dyn Store>, StoreError> {
    let Some(options) = postgres(settings) else {
        return Ok(Arc::new(SqliteStore::open(&data_folder::store(data))?));
    };
    let store = PostgresStore::new(options)?;
    match store.look() {
        Err(error @ (StoreError::Newer { .. } | StoreError::Unusable(_))) => return Err(error),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "history is not reachable; the gateway starts without it and goes on trying");
        }
        Ok(_) => {}
    }
    Ok(Arc::new(store))
}

/// As [`open`], where a file that is damaged stands in nobody's way: it is moved aside and history begins anew. Says what
/// was done; `thorough` reads the whole file.
///
/// # Errors
/// As [`open`], or when the file cannot be moved.
pub fn open_or_begin_anew(
    settings: &config::Store,
    data: &Path,
    now: Timestamp,
    thorough: bool,
) -> Result<(Arc<dyn Store>, Option<String>), StoreError> {
    if settings.url.is_some() {
        return Ok((open(settings, data)?, None));
    }
    let path = data_folder::store(data);
    let opened = SqliteStore::open(&path).and_then(|store| {
        if thorough {
            store.check()?;
        }
        Ok(store)
    });
    let reason = match opened {
        Ok(store) => return Ok((Arc::new(store), None)),
        Err(StoreError::Damaged { reason, .. }) => reason,
        Err(error) => return Err(error),
    };
    let aside = move_aside(&path, now).map_err(|error| {
        let reason = format!("it is damaged ({reason}) and cannot be moved aside: {error}");
        StoreError::Open { path: path.display().to_string(), reason }
    })?;
    let said = format!(
        "history in {} was damaged ({reason}): the file is kept as {} and history is made again from the journal; look \
         at the disk, and remove that file when nobody needs it",
        path.display(),
        aside.display()
    );
    Ok((Arc::new(SqliteStore::open(&path)?), Some(said)))
}

/// A SQLite file and the two beside it under a name that says what they are.
fn move_aside(path: &Path, now: Timestamp) -> std::io::Result<PathBuf> {
    let moment = jiff::Timestamp::from_microsecond(now.as_micros()).unwrap_or_default();
    let with = |path: &Path, ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let aside = with(path, &format!(".damaged-{}", moment.strftime("%Y%m%dT%H%M%S.%6fZ")));
    // The file itself goes last: what broke off begins again.
    for ending in ["-wal", "-shm", ""] {
        match std::fs::rename(with(path, ending), with(&aside, ending)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(aside)
}

/// For questions beside a gateway, or without one; none when there is no history yet.
///
/// # Errors
/// When it is there and cannot be read.
pub fn open_to_read(settings: &config::Store, data: &Path) -> Result<Option<Arc<dyn Store>>, StoreError> {
    let Some(options) = postgres(settings) else {
        let path = data_folder::store(data);
        return Ok(if path.exists() { Some(Arc::new(SqliteStore::open_to_read(&path)?)) } else { None });
    };
    let store = PostgresStore::new(options)?;
    Ok(if store.look()? == 0 { None } else { Some(Arc::new(store)) })
}

/// Where history is, for texts.
#[must_use]
pub fn place(settings: &config::Store, data: &Path) -> String {
    let of_postgres = |options| PostgresStore::new(options).map(|store| store.place().to_owned());
    match postgres(settings).map(of_postgres) {
        Some(place) => place.unwrap_or_else(|error| error.to_string()),
        None => data_folder::store(data).display().to_string(),
    }
}

/// How the settings reach PostgreSQL, when they do.
#[must_use]
pub fn postgres(settings: &config::Store) -> Option<PostgresOptions> {
    let url = settings.url.as_ref()?;
    Some(PostgresOptions {
        config: url.config.clone(),
        tls: url.tls,
        ca: settings.ca.clone(),
        connections_max: settings.connections_max as usize,
        connect_timeout: duration(settings.connect_timeout),
        statement_timeout: duration(settings.statement_timeout),
        schema: None,
    })
}

#[must_use]
pub fn retention(settings: &config::Store) -> Retention {
    Retention { retain_for: settings.retain_for, summaries_for: settings.retain_summaries_for }
}

/// Settings are never negative.
fn duration(span: Span) -> Duration {
    Duration::from_micros(u64::try_from(span.as_micros()).unwrap_or_default())
}
