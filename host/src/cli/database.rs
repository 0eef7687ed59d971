//! The database that `--database` names, for a host of several processes.

use std::sync::Arc;

use connector_core::{Context, Secret};

use super::args::Global;
use crate::error::{Error, Result};
use crate::store::{InstanceName, Store};
use crate::vault::{self, KeyFile, KeySource};

/// Refuses a database for emulators: what they make is no data of the platforms.
///
/// # Errors
/// When both are asked for.
pub(super) fn check(global: &Global) -> Result<()> {
    if global.emulator && global.database.is_some() {
        return Err(Error::Request(
            "an emulator's data live in a directory of their own: leave out --database, or unset CONNECTOR_DATABASE_URL, to use --emulator".to_owned(),
        ));
    }
    Ok(())
}

/// Refuses a database on a server for what is done with files.
///
/// # Errors
/// When one is named.
pub(super) fn refuse(global: &Global) -> Result<()> {
    if global.database.is_some() {
        return Err(Error::Request(
            "a database on a server is copied and put back by its own tools, such as pg_dump and pg_restore; afterwards run `connector-host store restored --since TIME`, so that no refresh token is trusted that was used since".to_owned(),
        ));
    }
    Ok(())
}

/// Opens it. No error tells the URL, which may hold a password.
///
/// # Errors
/// What is no URL of a `PostgreSQL` database, and what opening it says.
pub(super) async fn open(cx: &Context, url: &Secret, name: Option<InstanceName>) -> Result<Arc<dyn Store>> {
    check_scheme(url)?;
    connect(cx, url, name).await
}

/// Opens it as it is, for a look. `None` where it is empty, or of an earlier version.
///
/// # Errors
/// As [`open`].
pub(super) async fn open_as_is(url: &Secret, name: Option<InstanceName>) -> Result<Option<Arc<dyn Store>>> {
    check_scheme(url)?;
    look(url, name).await
}

fn check_scheme(url: &Secret) -> Result<()> {
    let scheme = url.expose().split_once("://").map(|(scheme, _)| scheme);
    if !matches!(scheme, Some("postgres" | "postgresql")) {
        return Err(Error::Request(
            "--database takes the URL of a PostgreSQL database, postgres://USER:PASSWORD@HOST:PORT/DATABASE; leave it out, and unset CONNECTOR_DATABASE_URL, to keep data in a file of the data directory".to_owned(),
        ));
    }
    Ok(())
}

/// Makes sure that the keys of this machine are those of a database that several machines share. None of them makes a key once one of them
/// has.
///
/// # Errors
/// When the keys are missing or other ones than those of the database, with what to do.
pub(super) async fn check_keys(source: &KeySource, store: &Arc<dyn Store>) -> Result<()> {
    let Some(proof) = store.vault_check().await? else { return Ok(()) };
    let file = match source {
        KeySource::DataDir(dir) => Some(dir.join(KeyFile::NAME)),
        KeySource::File(path) => Some(path.clone()),
        _ => None,
    };
    if file.is_some_and(|file| !file.exists()) {
        return Err(other_key(source, "the database was sealed with a key that this machine does not have"));
    }
    vault::check_keys(source, &proof).map_err(|error| other_key(source, error))
}

/// What to do where the keys of a machine are not those of the database.
fn other_key(source: &KeySource, why: impl std::fmt::Display) -> Error {
    Error::Machine(format!(
        "{why}. All machines of one database need the same keys, and this one looks for them in {source}: copy the key file of a machine that works to here, readable for you alone"
    ))
}

#[cfg(feature = "postgres")]
async fn connect(cx: &Context, url: &Secret, name: Option<InstanceName>) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(crate::store::PostgresStore::open(cx, url.expose()).await?.under(name)))
}

#[cfg(feature = "postgres")]
async fn look(url: &Secret, name: Option<InstanceName>) -> Result<Option<Arc<dyn Store>>> {
    let store = crate::store::PostgresStore::open_as_is(url.expose()).await?;
    Ok(store.map(|store| Arc::new(store.under(name)) as Arc<dyn Store>))
}

#[cfg(not(feature = "postgres"))]
#[expect(clippy::unused_async, reason = "with PostgreSQL it waits for the server")]
async fn connect(_: &Context, _: &Secret, _: Option<InstanceName>) -> Result<Arc<dyn Store>> {
    Err(without_postgres())
}

#[cfg(not(feature = "postgres"))]
#[expect(clippy::unused_async, reason = "with PostgreSQL it waits for the server")]
async fn look(_: &Secret, _: Option<InstanceName>) -> Result<Option<Arc<dyn Store>>> {
    Err(without_postgres())
}

#[cfg(not(feature = "postgres"))]
fn without_postgres() -> Error {
    Error::Request("this program was built without PostgreSQL: leave out --database".to_owned())
}
