//! A statement as `SQLite` takes it.

use std::sync::Arc;

use connector_core::Context;
use rusqlite::types::{ToSql, ToSqlOutput, Value, ValueRef};
use rusqlite::{CachedStatement, Connection, Error};

use super::SqliteRow;
use super::row::Columns;
use crate::store::sql::{Argument, Statement};

/// The argument that is the time.
const NOW: &str = "$now";

/// Runs a statement that writes, and says how many rows it wrote.
pub(super) fn execute(connection: &Connection, cx: &Context, statement: &Statement) -> Result<u64, Error> {
    let written = prepare(connection, cx, statement)?.raw_execute()?;
    Ok(written.try_into().unwrap_or(u64::MAX))
}

/// The first rows of what a statement selects, at most so many.
pub(super) fn fetch(
    connection: &Connection,
    cx: &Context,
    statement: &Statement,
    most: usize,
) -> Result<Vec<SqliteRow>, Error> {
    let mut prepared = prepare(connection, cx, statement)?;
    let (mut found, mut columns, mut rows) = (Vec::new(), None::<Arc<Columns>>, prepared.raw_query());
    while found.len() < most
        && let Some(row) = rows.next()?
    {
        // By the first step a statement that was kept knows what another process has changed about the tables.
        let columns = columns.get_or_insert_with(|| Arc::new(Columns::of(row)));
        let values = (0..row.as_ref().column_count()).map(|index| row.get_ref(index).map(value));
        let values = values.collect::<Result<_, _>>()?;
        found.push(SqliteRow { columns: Arc::clone(columns), values });
    }
    Ok(found)
}

/// Text that is none stays as it is: whoever asks for it is told, and nobody else.
fn value(value: ValueRef<'_>) -> Value {
    Value::try_from(value)
        .unwrap_or_else(|_| value.as_bytes().map_or(Value::Null, |bytes| Value::Blob(bytes.to_owned())))
}

/// The statement with its arguments. `SQLite` counts them in the order in which they first appear, so each is found by its name.
fn prepare<'c>(connection: &'c Connection, cx: &Context, statement: &Statement) -> Result<CachedStatement<'c>, Error> {
    let mut prepared = connection.prepare_cached(&statement.text(NOW))?;
    for place in 1..=prepared.parameter_count() {
        let name = prepared.parameter_name(place).unwrap_or_default();
        if name == NOW {
            prepared.raw_bind_parameter(place, cx.now().as_millisecond())?;
            continue;
        }
        let number: Option<usize> = name.strip_prefix('$').and_then(|number| number.parse().ok());
        let argument = number.and_then(|number| statement.arguments.get(number.checked_sub(1)?));
        let argument = argument.ok_or_else(|| Error::InvalidParameterName(name.to_owned()))?;
        prepared.raw_bind_parameter(place, argument)?;
    }
    Ok(prepared)
}

impl ToSql for Argument {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self {
            Self::Bytes(bytes) => bytes.as_deref().map(ValueRef::Blob),
            Self::Integer(integer) => integer.map(ValueRef::Integer),
            Self::Text(text) => text.as_deref().map(|text| ValueRef::Text(text.as_bytes())),
        };
        Ok(ToSqlOutput::Borrowed(value.unwrap_or(ValueRef::Null)))
    }
}
