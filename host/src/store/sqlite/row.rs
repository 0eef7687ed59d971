//! A row, as `SQLite` gave it.

use std::fmt;
use std::sync::Arc;

use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlResult, Value, ValueRef};

/// The values of a row, whatever their types.
pub(in crate::store) struct SqliteRow {
    pub(super) columns: Arc<Columns>,
    pub(super) values: Vec<Value>,
}

/// The names of the columns of some rows, in one text: they are made anew for whatever is looked up.
pub(super) struct Columns {
    names: String,
    ends: Vec<usize>,
}

impl Columns {
    pub(super) fn of(row: &Row<'_>) -> Self {
        let statement = row.as_ref();
        let mut columns = Self { names: String::new(), ends: Vec::with_capacity(statement.column_count()) };
        for place in 0..statement.column_count() {
            // A name that is no text is nobody's, and keeps its place.
            columns.names.push_str(statement.column_name(place).unwrap_or_default());
            columns.ends.push(columns.names.len());
        }
        columns
    }

    fn place(&self, name: &str) -> Option<usize> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).position(|(start, end)| self.names.get(start..*end) == Some(name))
    }
}

impl SqliteRow {
    /// What stands in the column of a name.
    ///
    /// # Errors
    /// Why it cannot be read: there is no such column, or it holds something else.
    pub(in crate::store) fn get<'r, T: InSqlite<'r>>(&'r self, column: &str) -> Result<T, String> {
        let place = self.columns.place(column);
        let value =
            place.and_then(|place| self.values.get(place)).ok_or_else(|| "there is no such column".to_owned())?;
        T::read(value.into()).map_err(|error| error.to_string())
    }
}

/// It may hold what is sealed, and shows nothing of it.
impl fmt::Debug for SqliteRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteRow").finish_non_exhaustive()
    }
}

/// What a value of a row can be read as.
pub(in crate::store) trait InSqlite<'r>: Sized {
    fn read(value: ValueRef<'r>) -> FromSqlResult<Self>;
}

impl<'r> InSqlite<'r> for &'r str {
    fn read(value: ValueRef<'r>) -> FromSqlResult<Self> {
        value.as_str()
    }
}

impl<'r> InSqlite<'r> for &'r [u8] {
    fn read(value: ValueRef<'r>) -> FromSqlResult<Self> {
        value.as_blob()
    }
}

impl<'r, T: InSqlite<'r>> InSqlite<'r> for Option<T> {
    fn read(value: ValueRef<'r>) -> FromSqlResult<Self> {
        if value == ValueRef::Null { Ok(None) } else { T::read(value).map(Some) }
    }
}

macro_rules! owned {
    ($($of:ty),+) => {$(
        impl InSqlite<'_> for $of {
            fn read(value: ValueRef<'_>) -> FromSqlResult<Self> {
                Self::column_result(value)
            }
        }
    )+};
}

owned!(bool, i64, String, Vec<u8>);
