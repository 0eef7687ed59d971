//! Brings the schema up to date, after making sure that the file is ours.

use std::path::Path;

use connector_core::Context;
use rusqlite::{Connection, Error};
use rusqlite_migration::{M, Migrations};

use super::error::{failed, is_no_database};
use super::pool::on_blocking_thread;
use super::{connection, lock};
use crate::store::sql::INSTANCE;
use crate::store::{Result, StoreError, new_id};

/// "Conn" in the header of the file, which tells our databases from others.
pub(super) const APPLICATION_ID: i64 = 0x436f_6e6e;

/// The steps of the schema, of which the file counts how many it has seen.
const STEPS: &[M<'static>] = &[
    M::up(include_str!("../../../migrations/sqlite/0001_begin.sql")),
    M::up(include_str!("../../../migrations/sqlite/0002_pages.sql")),
    M::up(include_str!("../../../migrations/sqlite/0003_api_keys.sql")),
    M::up(include_str!("../../../migrations/sqlite/0004_connect_links.sql")),
    M::up(include_str!("../../../migrations/sqlite/0005_events.sql")),
    M::up(include_str!("../../../migrations/sqlite/0006_idempotency.sql")),
    M::up(include_str!("../../../migrations/sqlite/0007_grants_of_a_tenant.sql")),
    M::up(include_str!("../../../migrations/sqlite/0008_users.sql")),
    M::up(include_str!("../../../migrations/sqlite/0009_connect_links_of_a_tenant.sql")),
];

pub(super) async fn bring_up_to_date(cx: &Context, path: &Path, locks: &Path) -> Result<()> {
    let (cx, path, locks) = (cx.clone(), path.to_owned(), locks.to_owned());
    let bring = move || {
        let file = connection::open(&path).map_err(|error| unreadable(&path, error))?;
        inspect_and_migrate(&cx, &path, file, &locks)
    };
    on_blocking_thread(bring).await
}

/// Whether the file is ours and needs no step of the schema. Reads only.
pub(super) async fn is_up_to_date(path: &Path) -> Result<bool> {
    let path = path.to_owned();
    let look = move || {
        let file = connection::open(&path).map_err(|error| unreadable(&path, error))?;
        Ok(inspect(&path, &file)? == Found::Current)
    };
    on_blocking_thread(look).await
}

pub(super) fn inspect_and_migrate(cx: &Context, path: &Path, mut file: Connection, locks: &Path) -> Result<()> {
    if inspect(path, &file)? == Found::Current {
        return Ok(());
    }
    let _only_one = lock::migration(locks)?;
    if inspect(path, &file)? == Found::ToMigrate {
        migrate(cx, &mut file)?;
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
fn inspect(path: &Path, file: &Connection) -> Result<Found> {
    let select = "SELECT (SELECT application_id FROM pragma_application_id),
                         (SELECT count(*) FROM sqlite_master),
                         (SELECT count(*) FROM sqlite_master WHERE name = 'meta')";
    let [application, everything, meta] = numbers(file, select).map_err(|error| unreadable(path, error))?;
    match application {
        0 if everything == 0 => return Ok(Found::ToMigrate),
        APPLICATION_ID => {}
        _ => return Err(foreign(path, "is another program's database")),
    }
    if meta == 0 {
        return Ok(Found::ToMigrate);
    }
    compare_steps(path, file)
}

fn compare_steps(path: &Path, file: &Connection) -> Result<Found> {
    let select = "SELECT (SELECT user_version FROM pragma_user_version),
                         EXISTS (SELECT 1 FROM meta WHERE key = 'instance')
                             AND (SELECT journal_mode FROM pragma_journal_mode) = 'wal'";
    let [found, complete] = numbers(file, select).map_err(failed)?;
    let known = STEPS.len().try_into().unwrap_or(i64::MAX);
    match found.cmp(&known) {
        std::cmp::Ordering::Greater => Err(StoreError::Newer { place: path.into(), found, known }),
        std::cmp::Ordering::Equal if complete == 1 => Ok(Found::Current),
        _ => Ok(Found::ToMigrate),
    }
}

/// All steps are one transaction. Whatever a crash leaves behind, the next start goes on from there.
fn migrate(cx: &Context, file: &mut Connection) -> Result<()> {
    file.execute_batch("PRAGMA application_id = 1131376238; PRAGMA journal_mode = WAL").map_err(failed)?;
    Migrations::from_slice(STEPS).to_latest(file).map_err(|error| match error {
        rusqlite_migration::Error::RusqliteError { err, .. } => failed(err),
        error => StoreError::corrupt("schema", error),
    })?;
    let instance = new_id(cx).map_err(StoreError::database)?.to_string();
    let name_it = "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    file.execute(name_it, (INSTANCE, instance.into_bytes())).map_err(failed)?;
    Ok(())
}

fn numbers<const N: usize>(file: &Connection, select: &str) -> Result<[i64; N], Error> {
    file.query_row(select, [], |row| {
        let mut numbers = [0; N];
        for (index, number) in numbers.iter_mut().enumerate() {
            *number = row.get(index)?;
        }
        Ok(numbers)
    })
}

fn unreadable(path: &Path, error: Error) -> StoreError {
    if is_no_database(&error) { foreign(path, "is not a database") } else { failed(error) }
}

fn foreign(path: &Path, why: &'static str) -> StoreError {
    StoreError::Foreign { place: path.into(), why }
}
