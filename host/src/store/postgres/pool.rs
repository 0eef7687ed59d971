//! The connections to the server, and what is asked through them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::{ConnectOptions as _, Connection as _, Error};
use tokio::time::timeout;

use super::begin::{MIGRATE, READ, WRITE};
use super::error::failed;
use super::transaction::Transacted;
use crate::store::sql::Statement;
use crate::store::{Place, Result, StoreError};

const CONNECTIONS: u32 = 10;

/// How long a call waits for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// After so long without use a connection is tried before it is trusted.
const UNPROVEN: Duration = Duration::from_secs(1);

/// The connections of a store.
pub(in crate::store) struct Pool {
    connections: PgPool,
    place: Arc<Place>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Pool {
    /// Connections are made when they are first needed.
    pub(super) fn new(options: PgConnectOptions, place: Place) -> Self {
        let connections = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .test_before_acquire(false)
            .before_acquire(|connection, used| {
                Box::pin(async move {
                    if used.idle_for >= UNPROVEN {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options);
        Self { connections, place: Arc::new(place) }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(in crate::store) async fn close(&self) {
        self.connections.close().await;
    }

    pub(in crate::store) async fn write(&self) -> Result<Transacted> {
        self.begin(WRITE).await
    }

    pub(in crate::store) async fn read(&self) -> Result<Transacted> {
        self.begin(READ).await
    }

    pub(super) async fn migrate(&self) -> Result<Transacted> {
        self.begin(MIGRATE).await
    }

    pub(in crate::store) async fn execute(&self, statement: Statement) -> Result<u64> {
        let mut transaction = self.write().await?;
        let rows = transaction.execute(statement).await?;
        transaction.commit().await?;
        Ok(rows)
    }

    pub(in crate::store) async fn fetch(&self, statement: Statement) -> Result<Option<PgRow>> {
        self.read().await?.fetch(statement).await
    }

    pub(in crate::store) async fn fetch_all(&self, statement: Statement) -> Result<Vec<PgRow>> {
        self.read().await?.fetch_all(statement).await
    }

    async fn begin(&self, how: &'static str) -> Result<Transacted> {
        match self.connections.begin_with(how).await {
            Ok(open) => Ok(Transacted::new(open, Arc::clone(&self.place))),
            Err(Error::PoolTimedOut) if self.connections.size() < CONNECTIONS => Err(self.silent().await),
            Err(error) => Err(failed(&self.place, error)),
        }
    }

    /// The driver tries again and again to reach a server that may be starting, and does not say in the end what it met. One more try
    /// does.
    async fn silent(&self) -> StoreError {
        if let Ok(Err(error)) = timeout(PATIENCE, self.connections.connect_options().connect()).await {
            return failed(&self.place, error);
        }
        let why = format!("no connection within {} s", PATIENCE.as_secs());
        StoreError::Unreachable { place: Place::clone(&self.place), why }
    }
}
