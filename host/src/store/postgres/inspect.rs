//! Finds out what a database is, without a change.

use std::collections::BTreeMap;

use sqlx::Row as _;
use sqlx::migrate::Migrator;

use super::error::failed;
use super::transaction::Transacted;
use crate::store::sql::{INSTANCE, statement};
use crate::store::{Place, Result, StoreError};

/// What a database is, for this version.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Current,
    /// Which steps of the schema are done, with the checksum of each.
    ToMigrate(BTreeMap<i64, Vec<u8>>),
}

/// Reads only. Everything that is neither empty nor ours, and everything newer, ends here.
pub(super) async fn inspect(view: &mut Transacted, place: &Place, migrator: &Migrator) -> Result<Found> {
    let select = statement(
        "SELECT current_setting('fsync') = 'on' AS durable,
                current_schema() IS NOT NULL AS writable,
                coalesce(obj_description(to_regclass('meta'), 'pg_class') = 'connector-host', false) AS ours,
                EXISTS (SELECT 1 FROM pg_class JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
                        WHERE nspname <> 'information_schema' AND nspname !~ '^pg_' AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
                          AND NOT EXISTS (SELECT 1 FROM pg_depend
                                          WHERE pg_depend.classid = 'pg_class'::regclass AND pg_depend.objid = pg_class.oid
                                            AND pg_depend.deptype = 'e')) AS occupied",
    );
    let row = view.fetch(select).await?.ok_or_else(|| StoreError::database("an answer without a row"))?;
    let says = |column: &str| row.try_get::<bool, _>(column).map_err(|error| failed(place, error));
    let foreign = |why| StoreError::Foreign { place: place.clone(), why };
    match (says("ours")?, says("occupied")?) {
        _ if !says("durable")? => Err(StoreError::database(format!(
            "`{place}` runs with `fsync = off`, which loses what it has written when the power fails: turn it on"
        ))),
        (true, _) => compare_steps(view, place, migrator).await,
        (false, true) => Err(foreign("is another program's database")),
        (false, false) if says("writable")? => Ok(Found::ToMigrate(BTreeMap::new())),
        (false, false) => {
            let why = "its search path names no schema that is there".to_owned();
            Err(StoreError::NotWritable { place: place.clone(), why })
        }
    }
}

async fn compare_steps(view: &mut Transacted, place: &Place, migrator: &Migrator) -> Result<Found> {
    let done = done(view, place).await?;
    let known = migrator.iter().map(|migration| migration.version).max().unwrap_or_default();
    let found = done.keys().next_back().copied().unwrap_or_default();
    if found > known {
        return Err(StoreError::Newer { place: place.clone(), found, known });
    }
    let named = view.fetch(statement("SELECT 1 FROM meta WHERE key = $1").bind(INSTANCE)).await?.is_some();
    let complete = migrator.iter().all(|migration| done.contains_key(&migration.version));
    Ok(if complete && named { Found::Current } else { Found::ToMigrate(done) })
}

async fn done(view: &mut Transacted, place: &Place) -> Result<BTreeMap<i64, Vec<u8>>> {
    let rows = view.fetch_all(statement("SELECT version, checksum FROM _sqlx_migrations")).await?;
    let steps = rows.iter().map(|row| Ok((row.try_get("version")?, row.try_get("checksum")?)));
    steps.collect::<Result<_, sqlx::Error>>().map_err(|error| failed(place, error))
}
