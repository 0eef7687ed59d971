//! Imports in SQL.

use std::collections::BTreeSet;

use async_trait::async_trait;
use connector_core::PlatformId;
use connector_core::account::{Account, Profile};
use serde_json::json;

use super::{Row, SqlStore, Transaction, audit, connections, events, grants, link, order, statement};
use crate::store::new_event::NewEvent;
use crate::store::{
    AuditRecord, Connected, ConnectionId, GrantRecord, Import, Imported, Imports, NewConnection, Result, SeenGrant,
};

#[async_trait]
impl<D: Send + Sync> Imports for SqlStore<D> {
    async fn connections_of_accounts(
        &self,
        tenant: &str,
        platform: &PlatformId,
        accounts: &[String],
    ) -> Result<Vec<Connected>> {
        let mut view = self.read().await?;
        let mut found = Vec::new();
        for account in accounts {
            let select = statement(
                "SELECT * FROM connections WHERE tenant = $1 AND platform = $2 AND account_id = $3 ORDER BY number",
            );
            let select = select.bind(tenant.to_owned()).bind(platform.to_string()).bind(account.clone());
            for row in view.fetch_all(select).await? {
                found.push(connections::with_grant(&mut view, connections::connection(&row)?).await?);
            }
        }
        Ok(found)
    }

    async fn import_connections(&self, imports: &[Import]) -> Result<Vec<Imported>> {
        let mut transaction = self.write_ours().await?;
        // In order, so that two who import for the same tenants never wait for each other.
        let tenants: BTreeSet<&str> = imports.iter().map(|import| import.grant.tenant.as_str()).collect();
        for tenant in tenants {
            transaction.lock_tenant(tenant).await?;
        }
        let mut all = Vec::with_capacity(imports.len());
        let mut told = Vec::new();
        for one in imports {
            all.push(import(&mut transaction, one, &mut told).await?);
        }
        events::record(&mut transaction, told).await?;
        transaction.commit().await?;
        Ok(all)
    }
}

/// Does one import, and adds what is told of it.
async fn import(transaction: &mut Transaction, import: &Import, told: &mut Vec<NewEvent>) -> Result<Imported> {
    let grant = &import.grant;
    let found = match transaction
        .fetch(link::of_account(&grant.tenant, &grant.platform, &grant.app, &import.account_id).locking())
        .await?
    {
        Some(row) => Some(current(transaction, &row).await?),
        None => None,
    };
    if found.as_ref().map(seen) != import.seen || found.as_ref().is_some_and(is_over) {
        return Ok(Imported::Moved);
    }
    if let Some(found) = found.as_ref().filter(|found| found.grant.id == grant.id) {
        let replaced = transaction.execute(grants::replace(grant)?).await? == 1;
        if replaced {
            told.extend(grants::events(transaction, &found.grant, grant, grant.updated_at).await?);
        }
        refer(transaction, &found.connection.id, import).await?;
        record(transaction, import, found, "updated").await?;
        return Ok(Imported::Updated(found.connection.id.clone()));
    }
    let created_at = order::next(transaction, &grant.tenant, grant.created_at).await?;
    let grant = &GrantRecord { created_at, ..grant.clone() };
    transaction.execute(grants::insert(grant)?).await?;
    let account = Account { id: import.account_id.clone(), profile: Profile::default() };
    let (id_if_new, reference, audit) = (import.id_if_new.clone(), import.reference.clone(), import.audit.clone());
    let new = NewConnection { id_if_new, account, reference, audit };
    let before = found.clone();
    let (outcome, linked) = match found {
        None => ("new", link::add(transaction, grant, new, grant.created_at).await?),
        Some(found) => ("reconnected", link::renew(transaction, grant, found.connection, new, grant.created_at).await?),
    };
    told.extend(NewEvent::linked(grant, &linked, before.as_ref(), grant.created_at));
    let connected = Connected { connection: linked.connection.clone(), grant: grant.clone() };
    link::supersede(transaction, grant, &[linked], false, grant.created_at).await?;
    record(transaction, import, &connected, outcome).await?;
    Ok(Imported::Linked(connected.connection.id))
}

async fn current(transaction: &mut Transaction, row: &Row) -> Result<Connected> {
    connections::with_locked_grant(transaction, connections::connection(row)?).await
}

fn seen(found: &Connected) -> SeenGrant {
    let grant = &found.grant;
    SeenGrant { id: grant.id.clone(), generation: grant.generation, state: grant.state.clone() }
}

/// What was given up stays given up.
fn is_over(found: &Connected) -> bool {
    found.connection.disconnected_at.is_some() || found.grant.state.is_over()
}

/// What the product calls the connection, unless the import does not say.
async fn refer(transaction: &mut Transaction, id: &ConnectionId, import: &Import) -> Result<()> {
    let Some(reference) = import.reference.clone() else { return Ok(()) };
    let update = statement("UPDATE connections SET reference = $2, updated_at = $3 WHERE id = $1");
    let update = update.bind(id.to_string()).bind(reference).bind(import.grant.updated_at.as_millisecond());
    transaction.execute(update).await?;
    Ok(())
}

async fn record(transaction: &mut Transaction, import: &Import, done: &Connected, outcome: &str) -> Result<()> {
    let grant = &import.grant;
    let record = AuditRecord::with_id(import.audit.clone(), grant.updated_at, &grant.tenant, "imported");
    let record = record.of_connection(&done.connection.id).of_grant(&grant.id);
    transaction.execute(audit::insert(&record.with(&json!({ "outcome": outcome })))).await?;
    Ok(())
}
