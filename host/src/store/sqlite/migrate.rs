//! Brings the schema up to date, after making sure that the file is ours.

use std::path::Path;

use connector_core::Context;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{Error, Row as _};

use super::error::{NOT_A_DATABASE, failed, primary_code};
use super::lock;
use super::open::options;
use crate::store::sql::INSTANCE;
use crate::store::{Result, StoreError, new_id};

/// "Conn" in the header of the file, which tells our databases from others.
pub(super) const APPLICATION_ID: i64 = 0x436f_6e6e;

static MIGRATOR: Migrator = sqlx::migrate!("migrations/sqlite");

pub(super) async fn bring_up_to_date(cx: &Context, path: &Path, locks: &Path) -> Result<()> {
    let file = SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options(path));
    let outcome = inspect_and_migrate(cx, path, &file, locks).await;
    file.close().await;
    outcome
}

pub(super) async fn inspect_and_migrate(cx: &Context, path: &Path, file: &SqlitePool, locks: &Path) -> Result<()> {
    if inspect(path, file).await? == Found::Current {
        return Ok(());
    }
    let _only_one = lock::migration(locks).await?;
    if inspect(path, file).await? == Found::ToMigrate {
        migrate(cx, file).await?;
    }
    Ok(())
}

/// What a file is, for this version.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Current,
    ToMigrate,
}

/// Reads only. Everything that is neither empty nor ours, and everything newer, ends here.
async fn inspect(path: &Path, file: &SqlitePool) -> Result<Found> {
    let row = sqlx::query(
        "SELECT (SELECT application_id FROM pragma_application_id),
                (SELECT count(*) FROM sqlite_master),
                (SELECT count(*) FROM sqlite_master WHERE name = 'meta')",
    )
    .fetch_one(file)
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
    compare_steps(path, file).await
}

async fn compare_steps(path: &Path, file: &SqlitePool) -> Result<Found> {
    let row = sqlx::query(
        "SELECT (SELECT max(version) FROM _sqlx_migrations),
                EXISTS (SELECT 1 FROM meta WHERE key = 'instance') AND (SELECT journal_mode FROM pragma_journal_mode) = 'wal'",
    )
    .fetch_one(file)
    .await
    .map_err(failed)?;
    let [found, complete] = numbers(&row).map_err(failed)?;
    let known = MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or_default();
    match found.cmp(&known) {
        std::cmp::Ordering::Greater => Err(StoreError::Newer { place: path.into(), found, known }),
        std::cmp::Ordering::Equal if complete == 1 => Ok(Found::Current),
        _ => Ok(Found::ToMigrate),
    }
}

/// Each step is a transaction of its own. Whatever a crash leaves behind, the next start goes on from there.
async fn migrate(cx: &Context, file: &SqlitePool) -> Result<()> {
    sqlx::query("PRAGMA application_id = 1131376238").execute(file).await.map_err(failed)?;
    sqlx::query("PRAGMA journal_mode = WAL").execute(file).await.map_err(failed)?;
    MIGRATOR.run(file).await.map_err(|error| StoreError::corrupt("schema", error))?;
    let instance = new_id(cx).map_err(StoreError::database)?.to_string();
    let name_it = sqlx::query("INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING");
    name_it.bind(INSTANCE).bind(instance.into_bytes()).execute(file).await.map_err(failed)?;
    Ok(())
}

fn numbers<const N: usize>(row: &SqliteRow) -> Result<[i64; N], Error> {
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
    StoreError::Foreign { place: path.into(), why }
}
