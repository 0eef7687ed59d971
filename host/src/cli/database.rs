//! The database that `--database` names, for a host of several processes.

use std::path::Path;
use std::sync::Arc;

use connector_core::{Context, Secret};

use super::args::Global;
use crate::error::{Error, Result};
use crate::store::Store;
use crate::vault::KeyFile;

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

/// Opens it. No error tells the URL, which may hold a password.
///
/// # Errors
/// What is no URL of a `PostgreSQL` database, and what opening it says.
pub(super) async fn open(cx: &Context, url: &Secret, dir: &Path) -> Result<Arc<dyn Store>> {
    let scheme = url.expose().split_once("://").map(|(scheme, _)| scheme);
    if !matches!(scheme, Some("postgres" | "postgresql")) {
        return Err(Error::Request(
            "--database takes the URL of a PostgreSQL database, postgres://USER:PASSWORD@HOST:PORT/DATABASE; leave it out, and unset CONNECTOR_DATABASE_URL, to keep data in a file of the data directory".to_owned(),
        ));
    }
    let store = connect(cx, url).await?;
    if store.vault_check().await?.is_some() && !dir.join(KeyFile::NAME).exists() {
        return Err(other_key(dir, "the database was sealed with a key that this machine does not have"));
    }
    Ok(store)
}

/// What to do where the key of a machine is not that of the database.
pub(super) fn other_key(dir: &Path, why: impl std::fmt::Display) -> Error {
    Error::Machine(format!(
        "{why}. All machines of one database need the same key file: copy `{}` from a machine that works to `{}`, readable for you alone",
        KeyFile::NAME,
        dir.join(KeyFile::NAME).display()
    ))
}

#[cfg(feature = "postgres")]
async fn connect(cx: &Context, url: &Secret) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(crate::store::PostgresStore::open(cx, url.expose()).await?))
}

#[cfg(not(feature = "postgres"))]
async fn connect(_: &Context, _: &Secret) -> Result<Arc<dyn Store>> {
    Err(Error::Request("this program was built without PostgreSQL: leave out --database".to_owned()))
}
