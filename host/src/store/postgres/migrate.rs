//! Brings the schema up to date, after making sure that the database is ours.
//!
//! The driver's own way holds a lock of the session and gives its statements names, neither of which a pooler keeps apart.

use std::collections::BTreeMap;

use connector_core::Context;
use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, Migrator};

use super::inspect::{Found, inspect};
use super::pool::Pool;
use super::transaction::Transacted;
use crate::store::sql::{INSTANCE, statement};
use crate::store::{Result, StoreError, new_id};

static MIGRATOR: Migrator = sqlx::migrate!("migrations/postgres");

/// The same table as the driver's, so that its tools can read it.
const STEPS: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version        BIGINT PRIMARY KEY,
    description    TEXT NOT NULL,
    installed_on   TIMESTAMPTZ NOT NULL DEFAULT now(),
    success        BOOLEAN NOT NULL,
    checksum       BYTEA NOT NULL,
    execution_time BIGINT NOT NULL
)";

/// Whether the database is ours and needs no step of the schema. Reads only.
pub(super) async fn is_up_to_date(pool: &Pool) -> Result<bool> {
    Ok(inspect(&mut pool.read().await?, pool.place(), &MIGRATOR).await? == Found::Current)
}

pub(super) async fn bring_up_to_date(cx: &Context, pool: &Pool) -> Result<()> {
    if is_up_to_date(pool).await? {
        return Ok(());
    }
    let mut transaction = pool.migrate().await?;
    // One process at a time, until its transaction ends. The number is "Conn", among the locks with one.
    transaction.execute(statement("SELECT pg_advisory_xact_lock($1)").bind(0x436f_6e6e_i64)).await?;
    if let Found::ToMigrate(done) = inspect(&mut transaction, pool.place(), &MIGRATOR).await? {
        migrate(cx, &mut transaction, &done).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// All steps are one transaction: whatever ends it leaves the database as it was.
async fn migrate(cx: &Context, transaction: &mut Transacted, done: &BTreeMap<i64, Vec<u8>>) -> Result<()> {
    transaction.run(STEPS.into_sql_str()).await?;
    for step in MIGRATOR.iter() {
        match done.get(&step.version) {
            None => apply(transaction, step).await?,
            Some(checksum) if checksum.as_slice() == &*step.checksum => {}
            Some(_) => {
                let why = format_args!("step {} is not the one that this version knows", step.version);
                return Err(StoreError::corrupt("schema", why));
            }
        }
    }
    let instance = new_id(cx).map_err(StoreError::database)?.to_string();
    let name_it = statement("INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING");
    transaction.execute(name_it.bind(INSTANCE).bind(instance.into_bytes())).await?;
    Ok(())
}

async fn apply(transaction: &mut Transacted, step: &Migration) -> Result<()> {
    transaction.run(step.sql.clone()).await?;
    let note = statement(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES ($1, $2, true, $3, 0)",
    )
    .bind(step.version)
    .bind(&*step.description)
    .bind(step.checksum.to_vec());
    transaction.execute(note).await?;
    Ok(())
}
