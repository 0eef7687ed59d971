//! Brings the schema up to date, after making sure that the file is ours.

use std::path::Path;

use connector_core::Context;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnection;
use sqlx::{ConnectOptions as _, Connection as _, Error, Row as _};

use super::error::{NOT_A_DATABASE, failed, primary_code};
use super::execute;
use super::lock::FileLocks;
use super::meta::INSTANCE;
use super::open::{options, verify};
use crate::store::{Result, StoreError, new_id};

/// "Conn" in the header of the file, which tells our databases from others.
const APPLICATION_ID: i64 = 0x436f_6e6e;

static MIGRATOR: Migrator = sqlx::migrate!("migrations/sqlite");

pub(super) async fn bring_up_to_date(cx: &Context, path: &Path, locks: &FileLocks) -> Result<()> {
    let mut connection = options(path).connect().await.map_err(|error| unreadable(path, error))?;
    let outcome = inspect_and_migrate(cx, path, &mut connection, locks).await;
    connection.close().await.map_err(failed)?;
    outcome
}

async fn inspect_and_migrate(
    cx: &Context,
    path: &Path,
    connection: &mut SqliteConnection,
    locks: &FileLocks,
) -> Result<()> {
    if inspect(path, connection).await? != Found::Current {
        let _only_one = locks.migration().await?;
        if inspect(path, connection).await? != Found::Current {
            migrate(cx, connection).await?;
        }
    }
    verify(connection).await.map_err(failed)
}

/// What a file is, for this version.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Current,
    ToMigrate,
}

/// Reads only. Everything that is neither empty nor ours, and everything newer, ends here.
async fn inspect(path: &Path, connection: &mut SqliteConnection) -> Result<Found> {
    let row = sqlx::query(
        "SELECT (SELECT application_id FROM pragma_application_id),
                (SELECT count(*) FROM sqlite_master),
                (SELECT count(*) FROM sqlite_master WHERE name = 'meta')",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(|error| unreadable(path, error))?;
    let [application, everything, meta] = numbers(&row).map_err(failed)?;
    match application {
        0 if everything == 0 => return Ok(Found::ToMigrate),
        APPLICATION_ID => {}
        _ => return Err(foreign(path, "is another program's database")),
    }
    if meta == 0 {
        return Ok(Found::ToMigrate);
    }
    compare_steps(path, connection).await
}

async fn compare_steps(path: &Path, connection: &mut SqliteConnection) -> Result<Found> {
    let row = sqlx::query(
        "SELECT (SELECT max(version) FROM _sqlx_migrations), (SELECT count(*) FROM meta WHERE key = 'instance')",
    )
    .fetch_one(connection)
    .await
    .map_err(failed)?;
    let [found, named] = numbers(&row).map_err(failed)?;
    let known = MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or_default();
    match found.cmp(&known) {
        std::cmp::Ordering::Greater => Err(StoreError::Newer { path: path.to_owned(), found, known }),
        std::cmp::Ordering::Equal if named == 1 => Ok(Found::Current),
        _ => Ok(Found::ToMigrate),
    }
}

/// Each step is a transaction of its own. Whatever a crash leaves behind, the next start goes on from there.
async fn migrate(cx: &Context, connection: &mut SqliteConnection) -> Result<()> {
    sqlx::query("PRAGMA application_id = 1131376238").execute(&mut *connection).await.map_err(failed)?;
    sqlx::query("PRAGMA journal_mode = WAL").execute(&mut *connection).await.map_err(failed)?;
    MIGRATOR.run(&mut *connection).await.map_err(|error| StoreError::corrupt("schema", error))?;
    let instance = new_id(cx).map_err(StoreError::database)?.to_string();
    let name_it = sqlx::query("INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING");
    execute(connection, name_it.bind(INSTANCE).bind(instance.into_bytes())).await?;
    Ok(())
}

fn numbers<const N: usize>(row: &sqlx::sqlite::SqliteRow) -> Result<[i64; N], Error> {
    let mut numbers = [0; N];
    for (index, number) in numbers.iter_mut().enumerate() {
        *number = row.try_get(index)?;
    }
    Ok(numbers)
}

fn unreadable(path: &Path, error: Error) -> StoreError {
    match &error {
        Error::Database(found) if primary_code(&**found) == Some(NOT_A_DATABASE) => foreign(path, "is not a database"),
        _ => failed(error),
    }
}

fn foreign(path: &Path, why: &'static str) -> StoreError {
    StoreError::Foreign { path: path.to_owned(), why }
}
