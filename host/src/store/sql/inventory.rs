//! The store as a whole in SQL.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::SignedDuration;

use super::fields::Fields;
use super::{Row, SqlStore, Statement, Transaction, connections, grants, statement};
use crate::store::{
    AuditRecord, ConnectionRecord, GrantId, GrantRecord, HeldPage, HeldScopes, Inventory, Result, Stock, StoreError,
};

#[async_trait]
impl<D: Send + Sync> Inventory for SqlStore<D> {
    async fn stock(&self) -> Result<Stock> {
        let mut view = self.read().await?;
        let grants = grants_by_state(&mut view).await?;
        let counts = statement(format!(
            "SELECT ({}) AS schema_step,
                    (SELECT count(*) FROM connections WHERE disconnected_at IS NULL) AS connections,
                    (SELECT count(*) FROM connections WHERE disconnected_at IS NOT NULL) AS disconnected,
                    (SELECT count(*) FROM samples) AS samples",
            self.db.schema_step()
        ));
        let row = view.fetch(counts).await?.ok_or_else(|| StoreError::corrupt("store", "nothing can be counted"))?;
        let fields = Fields::of("store", &row);
        Ok(Stock {
            place: self.db.place(),
            kind: self.db.kind(),
            schema_step: fields.get("schema_step")?,
            grants,
            connections: fields.amount("connections")?,
            disconnected: fields.amount("disconnected")?,
            samples: fields.amount("samples")?,
        })
    }

    async fn every_grant(&self) -> Result<Vec<GrantRecord>> {
        let select = statement("SELECT * FROM grants ORDER BY created_at, id");
        self.fetch_all(select).await?.iter().map(grants::grant).collect()
    }

    async fn every_connection(&self) -> Result<Vec<ConnectionRecord>> {
        let select = statement("SELECT * FROM connections ORDER BY number");
        self.fetch_all(select).await?.iter().map(connections::connection).collect()
    }

    async fn held_scopes(&self, tenant: Option<&str>, after: Option<&GrantId>, grants: u32) -> Result<HeldPage> {
        let rows = self.fetch_all(held(tenant, after, grants)).await?;
        let last = rows.first().map(|row| Fields::of("grant", row).parse("last")).transpose()?;
        let held = rows.iter().map(held_scopes).collect::<Result<Vec<_>>>()?;
        Ok(HeldPage { held: held.into_iter().filter(|held| held.connections > 0).collect(), last })
    }

    async fn doubt_refresh(&self, id: &GrantId, ago: SignedDuration, audit: &AuditRecord) -> Result<bool> {
        let update = statement(
            "UPDATE grants
             SET refresh_attempt = NULL, refresh_sent_at = {now} - $2, refresh_clock = NULL, refresh_tick = NULL,
                 refresh_unanswered = CASE WHEN refresh_unanswered > 1 THEN refresh_unanswered ELSE 1 END
             WHERE id = $1 AND state IN ('active', 'held') AND refresh IS NOT NULL",
        );
        let update = update.bind(id.to_string()).bind(i64::try_from(ago.as_millis()).unwrap_or_default());
        self.change_one(update, audit).await
    }

    async fn carry_over(&self, grant: &GrantRecord, audit: &AuditRecord) -> Result<bool> {
        if grant.state.is_over() {
            return Ok(false);
        }
        self.change_one(grants::replace(grant)?, audit).await
    }
}

/// The next grants, with what is alike together: few shapes of scopes are read, however many grants have them.
pub(super) fn held(tenant: Option<&str>, after: Option<&GrantId>, grants: u32) -> Statement {
    statement(
        "SELECT platform, app, scopes, CAST(sum(connections) AS BIGINT) AS connections, max(max(id)) OVER () AS last
         FROM (
            SELECT g.id, g.platform, g.app, g.scopes,
                   CASE WHEN g.state IN ('disconnecting', 'disconnected') THEN 0
                        ELSE (SELECT count(*) FROM connections c WHERE c.grant_id = g.id AND c.disconnected_at IS NULL)
                   END AS connections
            FROM grants g WHERE g.id > $1",
    )
    .bind(after.map(GrantId::to_string).unwrap_or_default())
    .and("g.tenant = $?", tenant)
    .then(" ORDER BY g.id")
    .limit(grants.into())
    .then(") AS page GROUP BY platform, app, scopes")
}

fn held_scopes(row: &Row) -> Result<HeldScopes> {
    let fields = Fields::of("grant", row);
    Ok(HeldScopes {
        platform: fields.parse("platform")?,
        app: fields.get("app")?,
        scopes: grants::scopes(&fields)?,
        connections: fields.amount("connections")?,
    })
}

async fn grants_by_state(view: &mut Transaction) -> Result<BTreeMap<String, u64>> {
    let rows = view.fetch_all(statement("SELECT state, count(*) AS grants FROM grants GROUP BY state")).await?;
    let counted = rows.iter().map(|row| {
        let fields = Fields::of("store", row);
        Ok((fields.get("state")?, fields.amount("grants")?))
    });
    counted.collect()
}
