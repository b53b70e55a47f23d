//! Why a store could not do what it was asked, and whether asking again can help.

/// A store's refusal.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("open the store at \"{path}\"")]
    Open { path: String, source: rusqlite::Error },
    #[error("bring the store's tables up to date")]
    Migrate(#[source] Box<refinery::Error>),
    /// Another process holds the database, or its disk is full or away for the moment.
    #[error("the store is busy or its disk does not take the write")]
    Busy(#[source] rusqlite::Error),
    #[error("query the store")]
    Database(#[source] rusqlite::Error),
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
            Self::Open { .. } | Self::Migrate(_) | Self::Busy(_) => true,
            Self::Database(_) | Self::Unstorable { .. } | Self::Cursor(_) => false,
        }
    }

    pub(super) fn open(path: &std::path::Path, source: rusqlite::Error) -> Self {
        Self::Open { path: path.display().to_string(), source }
    }
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
