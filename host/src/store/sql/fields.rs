//! Reads the columns of a row, and says which one is wrong when one is.

use std::fmt::Display;
use std::str::FromStr;

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::Row;
use super::row::{InPostgres, InSqlite};

use crate::store::{Result, StoreError};
use crate::vault::Sealed;

/// The columns of one row.
pub(super) struct Fields<'r> {
    row: &'r Row,
    what: &'static str,
    /// What the names of its columns begin with, where a row holds two things.
    prefix: &'static str,
}

impl<'r> Fields<'r> {
    pub(super) fn of(what: &'static str, row: &'r Row) -> Self {
        Self::of_joined(what, row, "")
    }

    /// The same of one of the things in a row that holds two, by what the names of its columns begin with.
    pub(super) fn of_joined(what: &'static str, row: &'r Row, prefix: &'static str) -> Self {
        Self { row, what, prefix }
    }

    pub(super) fn get<T: InPostgres<'r> + InSqlite<'r>>(&self, column: &str) -> Result<T> {
        let got = match self.prefix {
            "" => self.row.get(column),
            prefix => self.row.get(&format!("{prefix}{column}")),
        };
        got.map_err(|error| self.damaged(column, error))
    }

    /// A number that is never negative: not every database has a type for it.
    pub(super) fn count(&self, column: &str) -> Result<u32> {
        u32::try_from(self.get::<i64>(column)?).map_err(|error| self.damaged(column, error))
    }

    /// A number of rows.
    pub(super) fn amount(&self, column: &str) -> Result<u64> {
        u64::try_from(self.get::<i64>(column)?).map_err(|error| self.damaged(column, error))
    }

    pub(super) fn parse<T: FromStr<Err: Display>>(&self, column: &str) -> Result<T> {
        self.get::<&str>(column)?.parse().map_err(|error| self.damaged(column, error))
    }

    pub(super) fn parse_optional<T: FromStr<Err: Display>>(&self, column: &str) -> Result<Option<T>> {
        let text: Option<&str> = self.get(column)?;
        text.map(|text| text.parse().map_err(|error| self.damaged(column, error))).transpose()
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        serde_json::from_str(self.get(column)?).map_err(|error| self.damaged(column, error))
    }

    pub(super) fn json_optional<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>> {
        let text: Option<&str> = self.get(column)?;
        text.map(|text| serde_json::from_str(text).map_err(|error| self.damaged(column, error))).transpose()
    }

    pub(super) fn time(&self, column: &str) -> Result<Timestamp> {
        Timestamp::from_millisecond(self.get(column)?).map_err(|error| self.damaged(column, error))
    }

    pub(super) fn time_optional(&self, column: &str) -> Result<Option<Timestamp>> {
        let time: Option<i64> = self.get(column)?;
        time.map(|time| Timestamp::from_millisecond(time).map_err(|error| self.damaged(column, error))).transpose()
    }

    pub(super) fn sealed(&self, column: &str) -> Result<Sealed> {
        Ok(Sealed::from_stored(self.get(column)?))
    }

    pub(super) fn sealed_optional(&self, column: &str) -> Result<Option<Sealed>> {
        Ok(self.get::<Option<Vec<u8>>>(column)?.map(Sealed::from_stored))
    }

    pub(super) fn damaged(&self, column: &str, why: impl Display) -> StoreError {
        StoreError::corrupt(self.what, format_args!("{column}: {why}"))
    }
}

/// A time that may be absent, as it is stored.
pub(super) fn millis(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::as_millisecond)
}

/// A sealed value that may be absent, as it is stored.
pub(super) fn bytes(sealed: Option<&Sealed>) -> Option<Vec<u8>> {
    sealed.map(|sealed| sealed.as_bytes().to_vec())
}
