//! Purges in SQL.

use async_trait::async_trait;

use super::fields::Fields;
use super::{SqlStore, Statement, Transaction, audit, connections, events, grants, statement};
use crate::store::{AuditRecord, Connected, PURGED, Purge, Purged, Purges, Result, StoreError};

#[async_trait]
impl<D: Send + Sync> Purges for SqlStore<D> {
    async fn purge_connection(&self, purge: &Purge) -> Result<Purged> {
        let mut transaction = self.write_ours().await?;
        transaction.lock_tenant(&purge.tenant).await?;
        let row = transaction.fetch(connections::select(&purge.tenant, &purge.connection).locking()).await?;
        let row = row.ok_or_else(|| connections::missing(&purge.connection))?;
        let number: i64 = Fields::of("connection", &row).get("number")?;
        let connected = connections::with_locked_grant(&mut transaction, connections::connection(&row)?).await?;
        if connected.connection.disconnected_at.is_none() {
            return Err(StoreError::Conflict(format!("the connection {} is not disconnected", purge.connection)));
        }
        if !purge.leave_access && has_revocation(&mut transaction, &connected).await? {
            return Ok(Purged::AccessLeft);
        }
        erase(&mut transaction, &connected, number).await?;
        transaction.execute(audit::insert(&purge.audit)).await?;
        transaction.commit().await?;
        Ok(Purged::Done)
    }

    async fn purge_records(&self) -> Result<Vec<AuditRecord>> {
        let select = statement("SELECT * FROM audit WHERE event = $1 ORDER BY at, id").bind(PURGED);
        self.fetch_all(select).await?.iter().map(audit::record).collect()
    }

    async fn shred(&self) -> Result<bool> {
        self.db.shred().await
    }
}

async fn has_revocation(transaction: &mut Transaction, connected: &Connected) -> Result<bool> {
    let select = statement(
        "SELECT 1 FROM revocations
         WHERE grant_id = $1 OR (tenant = $2 AND platform = $3 AND app = $4 AND (subject = $5 OR subject = $6)) LIMIT 1",
    );
    Ok(transaction.fetch(of_person(select, connected)).await?.is_some())
}

async fn erase(transaction: &mut Transaction, connected: &Connected, number: i64) -> Result<()> {
    let connection = &connected.connection;
    transaction.execute(statement("DELETE FROM samples WHERE connection = $1").bind(number)).await?;
    transaction.execute(statement("DELETE FROM readings WHERE connection = $1").bind(number)).await?;
    transaction.execute(statement("DELETE FROM connections WHERE number = $1").bind(number)).await?;
    let flows = statement("DELETE FROM flows WHERE reconnects = $1").bind(connection.id.to_string());
    transaction.execute(flows).await?;
    let links = statement("DELETE FROM connect_links WHERE reconnects = $1 OR outcome LIKE $2");
    let named = format!("%\"{}\"%", connection.id);
    transaction.execute(links.bind(connection.id.to_string()).bind(named)).await?;
    transaction.execute(events::erase(&connection.tenant, &connection.id)).await?;
    let revocations = statement(
        "DELETE FROM revocations
         WHERE grant_id = $1 OR (tenant = $2 AND platform = $3 AND app = $4 AND (subject = $5 OR subject = $6))",
    );
    transaction.execute(of_person(revocations, connected)).await?;
    transaction.execute(grants::delete_unused(&connection.tenant, &connected.grant.id)).await?;
    Ok(())
}

/// Whoever allowed it is known by the grant's subject; where a platform has one account a person, by the account as well.
fn of_person(statement: Statement, connected: &Connected) -> Statement {
    let Connected { connection, grant } = connected;
    statement
        .bind(grant.id.to_string())
        .bind(connection.tenant.clone())
        .bind(connection.platform.to_string())
        .bind(connection.app.clone())
        .bind(grant.subject.clone())
        .bind(connection.account_id.clone())
}
