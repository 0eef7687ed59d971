//! A row of any of the databases.

use sqlx::Error;

/// A row, as its driver read it.
pub(in crate::store) enum Row {
    #[cfg(feature = "postgres")]
    Postgres(sqlx::postgres::PgRow),
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::sqlite::SqliteRow),
}

impl Row {
    pub(super) fn get<'r, T: InPostgres<'r> + InSqlite<'r>>(&'r self, column: &str) -> Result<T, Error> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(row) => sqlx::Row::try_get(row, column),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(row) => sqlx::Row::try_get(row, column),
        }
    }
}

/// What a column holds when every driver that is built can read it.
macro_rules! readable {
    ($name:ident, $feature:literal, $database:path) => {
        #[cfg(feature = $feature)]
        pub(super) trait $name<'r>: sqlx::Decode<'r, $database> + sqlx::Type<$database> {}

        #[cfg(feature = $feature)]
        impl<'r, T: sqlx::Decode<'r, $database> + sqlx::Type<$database>> $name<'r> for T {}

        #[cfg(not(feature = $feature))]
        pub(super) trait $name<'r> {}

        #[cfg(not(feature = $feature))]
        impl<T> $name<'_> for T {}
    };
}

readable!(InPostgres, "postgres", sqlx::Postgres);
readable!(InSqlite, "sqlite", sqlx::Sqlite);
