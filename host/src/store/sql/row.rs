//! A row of any of the databases.

#[cfg(feature = "sqlite")]
use crate::store::sqlite;

/// A row, as its driver read it.
pub(in crate::store) enum Row {
    #[cfg(feature = "postgres")]
    Postgres(sqlx::postgres::PgRow),
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::SqliteRow),
}

impl Row {
    /// What stands in a column, or why it cannot be read.
    pub(super) fn get<'r, T: InPostgres<'r> + InSqlite<'r>>(&'r self, column: &str) -> Result<T, String> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(row) => sqlx::Row::try_get(row, column).map_err(|error| error.to_string()),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(row) => row.get(column),
        }
    }
}

/// What a column holds when every driver that is built can read it.
macro_rules! readable {
    ($name:ident, $feature:literal, $($by:tt)+) => {
        #[cfg(feature = $feature)]
        pub(super) trait $name<'r>: $($by)+ {}

        #[cfg(feature = $feature)]
        impl<'r, T: $($by)+> $name<'r> for T {}

        #[cfg(not(feature = $feature))]
        pub(super) trait $name<'r> {}

        #[cfg(not(feature = $feature))]
        impl<T> $name<'_> for T {}
    };
}

readable!(InPostgres, "postgres", sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>);
readable!(InSqlite, "sqlite", sqlite::InSqlite<'r>);
