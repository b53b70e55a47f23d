//! Why a store could not do what it was asked, and whether asking again can help.

use std::error::Error;
use std::path::Path;
use tokio_postgres::error::SqlState;

/// A store's refusal. No text of it holds a value or a password.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("open the store at \"{path}\": {reason}")]
    Open { path: String, reason: String },
    /// The file can never be read again.
    #[error(
        "the store's file \"{path}\" is damaged ({reason}); `rettidig store rebuild` moves it aside and makes history \
         again from the journal"
    )]
    Damaged { path: String, reason: String },
    /// Somebody has removed a table.
    #[error("{place} has lost the table {table}; `rettidig store rebuild` makes history again from the journal")]
    Incomplete { place: String, table: String },
    #[error("bring the store's tables up to date")]
    Migrate(#[source] Box<refinery::Error>),
    #[error(
        "the store's tables are version {found}, and this rettidig is older: it knows them up to version {known}; use the \
         rettidig that made them, or an empty database"
    )]
    Newer { found: i32, known: i32 },
    /// Another process holds the database, or its disk is full or away for the moment.
    #[error("the store is busy or its disk does not take the write")]
    Busy(#[source] rusqlite::Error),
    #[error("query the store")]
    Database(#[source] rusqlite::Error),
    /// PostgreSQL is not there, does not answer, has no connection to give or cannot take anything at present.
    #[error("{place} does not serve the store: {reason}")]
    Away { place: String, reason: String },
    /// PostgreSQL has taken offence at the row itself.
    #[error("PostgreSQL refuses the row: {0}")]
    Refused(String),
    /// It can never work with these settings.
    #[error("the store cannot be used: {0}")]
    Unusable(String),
    /// This entry can never be kept as it is.
    #[error("{what} {value} does not fit the store")]
    Unstorable { what: &'static str, value: String },
    #[error("\"{0}\" is not a cursor of this list")]
    Cursor(String),
}

impl StoreError {
    /// Whether the same call may succeed later. What is not retryable is a property of the entry or the question.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Open { .. }
            | Self::Damaged { .. }
            | Self::Incomplete { .. }
            | Self::Migrate(_)
            | Self::Newer { .. }
            | Self::Busy(_)
            | Self::Away { .. }
            | Self::Unusable(_) => true,
            Self::Database(_) | Self::Refused(_) | Self::Unstorable { .. } | Self::Cursor(_) => false,
        }
    }

    pub(super) fn open(path: &Path, error: &rusqlite::Error) -> Self {
        let (path, reason) = (path.display().to_string(), error.to_string());
        if damaged(error) { Self::Damaged { path, reason } } else { Self::Open { path, reason } }
    }

    /// The same fault of the file at this path.
    pub(super) fn of_file(self, path: &Path) -> Self {
        let said = if let Self::Busy(error) = &self {
            Some(error)
        } else if let Self::Migrate(error) = &self {
            sqlite_source(&**error)
        } else {
            None
        };
        match said.filter(|said| damaged(said)) {
            Some(said) => Self::open(path, said),
            None => self,
        }
    }

    /// The row is at fault only when PostgreSQL complains about data, a constraint or a limit of one value;
    /// everything else is the server's.
    pub(super) fn postgres(place: &str, error: &tokio_postgres::Error) -> Self {
        let of_the_row = |code: &SqlState| ["22", "23", "54"].iter().any(|class| code.code().starts_with(class));
        let reason = told(error);
        if error.code().is_some_and(of_the_row) {
            Self::Refused(reason)
        } else {
            Self::Away { place: place.to_owned(), reason }
        }
    }
}

fn damaged(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode as Code;
    error.sqlite_error_code().is_some_and(|code| [Code::NotADatabase, Code::DatabaseCorrupt].contains(&code))
}

/// What SQLite said, where it is behind this error.
fn sqlite_source<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rusqlite::Error> {
    std::iter::successors(error.source(), |error| (*error).source()).find_map(|error| error.downcast_ref())
}

/// The server's own words and code, without the detail that quotes rows; or what happened on the way to it.
pub(super) fn told(error: &tokio_postgres::Error) -> String {
    if let Some(fault) = error.as_db_error() {
        return format!("{} ({})", fault.message(), fault.code().code());
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        // The row itself is at fault only when a constraint or a type says so; everything else is the disk's.
        let row_at_fault = match error.sqlite_error_code() {
            Some(Code::ConstraintViolation | Code::TypeMismatch | Code::TooBig | Code::ParameterOutOfRange) | None => {
                true
            }
            Some(_) => false,
        };
        if row_at_fault { Self::Database(error) } else { Self::Busy(error) }
    }
}
