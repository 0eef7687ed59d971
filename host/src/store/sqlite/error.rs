//! What `SQLite` says, in our words.

use sqlx::Error;
use sqlx::error::DatabaseError;

use crate::store::{Place, StoreError};

/// Primary result codes, <https://www.sqlite.org/rescode.html>.
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READ_ONLY: i32 = 8;
const CORRUPT: i32 = 11;
pub(super) const NOT_A_DATABASE: i32 = 26;

pub(super) fn failed(error: Error) -> StoreError {
    match &error {
        Error::PoolTimedOut => StoreError::Busy,
        Error::Database(found) if found.is_unique_violation() => StoreError::Conflict("it is there already".to_owned()),
        Error::Database(found) => match primary_code(&**found) {
            Some(BUSY | LOCKED) => StoreError::Busy,
            Some(READ_ONLY) => {
                let place = Place::File("the database".into());
                StoreError::NotWritable { place, why: found.message().to_owned() }
            }
            Some(CORRUPT | NOT_A_DATABASE) => StoreError::corrupt("database", found.message()),
            _ => StoreError::database(error),
        },
        _ => StoreError::database(error),
    }
}

/// The primary code of an error; `SQLite` refines it in the higher bits.
pub(super) fn primary_code(error: &dyn DatabaseError) -> Option<i32> {
    error.code()?.parse::<i32>().ok().map(|code| code & 0xff)
}
