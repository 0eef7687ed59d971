//! Opens the database of a URL.

use connector_core::Context;

use super::pool::Pool;
use super::{PostgresServer, PostgresStore, migrate, url};
use crate::store::Result;
use crate::store::sql::Db;

impl PostgresStore {
    /// Opens the store in the database of a URL such as `postgres://user:password@host:5432/database`, or makes it there when the
    /// database is empty. A pooler in transaction mode may stand between.
    ///
    /// `?sslmode=verify-full` in the URL asks for a server with a certificate of its host; `&sslrootcert=FILE` names who may sign it.
    ///
    /// # Errors
    /// When the server cannot be reached or would lose what it has written, or the database holds something else or something newer. It is
    /// unchanged then. No error tells the URL.
    pub async fn open(cx: &Context, url: &str) -> Result<Self> {
        let pool = pool(url)?;
        migrate::bring_up_to_date(cx, &pool).await?;
        Ok(Self::new(Db::Postgres(pool), PostgresServer))
    }

    /// Opens the store of a URL as it is, for a look: nothing is made and nothing migrated. `None` where there is none that is up to date.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub async fn open_as_is(url: &str) -> Result<Option<Self>> {
        let pool = pool(url)?;
        let is_current = migrate::is_up_to_date(&pool).await?;
        Ok(is_current.then(|| Self::new(Db::Postgres(pool), PostgresServer)))
    }
}

fn pool(url: &str) -> Result<Pool> {
    let (options, place) = url::read(url)?;
    Ok(Pool::new(options, place))
}
