//! What `PostgreSQL` says, in our words.

use std::error::Error as _;

use sqlx::Error;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

use crate::store::{Place, StoreError};

/// What went wrong before anything was to last: nothing was changed.
pub(super) fn failed(place: &Place, error: Error) -> StoreError {
    let place = place.clone();
    match error {
        Error::Database(found) => match found.try_downcast_ref::<PgDatabaseError>() {
            Some(found) => refused(place, found),
            None => StoreError::database(found.message()),
        },
        Error::PoolTimedOut => StoreError::Busy,
        Error::Io(_)
        | Error::Tls(_)
        | Error::Protocol(_)
        | Error::PoolClosed
        | Error::WorkerCrashed
        | Error::BeginFailed => StoreError::Unreachable { place, why: reason(&error) },
        _ => StoreError::database(error),
    }
}

/// What went wrong while a change was made to last. Only a server that is still there can say that it was not.
pub(super) fn uncommitted(place: &Place, error: Error) -> StoreError {
    match &error {
        Error::Database(found) => match found.try_downcast_ref::<PgDatabaseError>() {
            Some(found) if is_answer(found) => failed(place, error),
            _ => StoreError::Lost { place: place.clone(), why: found.message().to_owned() },
        },
        _ => StoreError::Lost { place: place.clone(), why: reason(&error) },
    }
}

/// Whether the server itself answered, and goes on: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn is_answer(found: &PgDatabaseError) -> bool {
    let (connection, operator, unknown) = ("08", "57", "40003");
    let code = found.code();
    found.severity() == PgSeverity::Error
        && !(code.starts_with(connection) || code.starts_with(operator) || code == unknown)
}

/// By its code. What a row holds is in the detail of a message, which goes no further than this.
fn refused(place: Place, found: &PgDatabaseError) -> StoreError {
    let why = found.message().to_owned();
    match found.code() {
        "23505" => StoreError::Conflict("it is there already".to_owned()),
        // Waited too long for a lock, a deadlock, cancelled by a time limit.
        "40001" | "40P01" | "55P03" | "57014" => StoreError::Busy,
        // Read-only, no permission, no schema to write to.
        "25006" | "42501" | "3F000" => StoreError::NotWritable { place, why },
        "XX001" | "XX002" => StoreError::corrupt("database", why),
        code if ["08", "28", "3D", "53", "57"].iter().any(|class| code.starts_with(class)) => {
            StoreError::Unreachable { place, why }
        }
        code => StoreError::database(format!("{why} (SQLSTATE {code})")),
    }
}

/// The sentence of an error and of what caused it.
fn reason(error: &Error) -> String {
    match error.source() {
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}
