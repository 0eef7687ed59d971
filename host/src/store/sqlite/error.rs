//! What `SQLite` says, in our words.

use rusqlite::{Error, ErrorCode, ffi};

use crate::store::{Place, StoreError};

pub(super) fn failed(error: Error) -> StoreError {
    let Error::SqliteFailure(code, said) = &error else { return StoreError::database(error) };
    let why = said.clone().unwrap_or_else(|| code.to_string());
    match (code.code, code.extended_code) {
        (_, ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY) => {
            StoreError::Conflict("it is there already".to_owned())
        }
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => StoreError::Busy,
        (ErrorCode::ReadOnly, _) => StoreError::NotWritable { place: Place::File("the database".into()), why },
        // SQLite says the same of a file that is whole and could not be read.
        (ErrorCode::DatabaseCorrupt, _) => StoreError::corrupt(
            "database",
            format!("{why}, unless its disk failed, of which the system's log has more"),
        ),
        (ErrorCode::NotADatabase, _) => StoreError::corrupt("database", why),
        _ => StoreError::database(error),
    }
}

/// Whether a file holds something else than a database.
pub(super) fn is_no_database(error: &Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::NotADatabase)
}
