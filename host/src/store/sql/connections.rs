//! Connections in SQL.

use std::collections::HashMap;

use async_trait::async_trait;
use connector_core::account::Profile;
use connector_core::{PlatformId, ScopeSet};
use jiff::Timestamp;

use super::fields::Fields;
use super::{Row, SqlStore, Statement, Transaction, disconnect, grants, json, link, meta, statement};
use crate::store::{
    Connected, ConnectionCursor, ConnectionFilter, ConnectionGrant, ConnectionId, ConnectionPage, ConnectionRecord,
    Connections, Disconnect, Disconnection, GrantId, GrantRecord, Links, NewConnection, Ownership as _, Result,
    StateCount, StoreError,
};

/// Selects connections, each in one row with its grant, by a condition.
macro_rules! joined {
    ($condition:literal) => {
        concat!(
            "SELECT c.id AS c_id, c.tenant AS c_tenant, c.reference AS c_reference, c.platform AS c_platform,
                    c.app AS c_app, c.grant_id AS c_grant_id, c.account_id AS c_account_id, c.profile AS c_profile,
                    c.created_at AS c_created_at, c.updated_at AS c_updated_at, c.disconnected_at AS c_disconnected_at,
                    grants.*
             FROM connections c LEFT JOIN grants ON grants.tenant = c.tenant AND grants.id = c.grant_id
             WHERE ",
            $condition
        )
    };
}

#[async_trait]
impl<D: Send + Sync> Connections for SqlStore<D> {
    async fn link_accounts(
        &self,
        tenant: &str,
        grant: &GrantId,
        ever_granted: &ScopeSet,
        accounts: Vec<NewConnection>,
        now: Timestamp,
    ) -> Result<Links> {
        let (tenant, grant, ever_granted) = (tenant.to_owned(), grant.clone(), ever_granted.clone());
        self.share(link::ToLink { tenant, grant, ever_granted, accounts, now }).await
    }

    async fn connections_page(
        &self,
        filter: &ConnectionFilter,
        after: Option<ConnectionCursor>,
        limit: u32,
    ) -> Result<ConnectionPage> {
        let next = next(filter, after, limit);
        let mut view = self.read().await?;
        let grants = grants_of(&mut view, &next).await?;
        let rows = view.fetch_all(next).await?;
        let found = rows.iter().map(|row| connected(row, &grants)).collect::<Result<Vec<_>>>()?;
        Ok(ConnectionPage::of(found, limit, |(place, _), _| *place))
    }

    async fn count_by_state(&self) -> Result<Vec<StateCount>> {
        let select = statement(
            "SELECT c.platform AS platform, c.app AS app,
                    CASE WHEN c.disconnected_at IS NULL OR g.state = 'disconnecting' THEN g.state ELSE 'disconnected' END AS shown,
                    count(*) AS connections
             FROM connections c JOIN grants g ON g.id = c.grant_id
             GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        );
        let mut counts = self.fetch_all(select).await?.iter().map(state_count).collect::<Result<Vec<_>>>()?;
        counts.sort_by(|a, b| (&a.platform, &a.app, a.state).cmp(&(&b.platform, &b.app, b.state)));
        Ok(counts)
    }

    async fn connections_of(
        &self,
        tenant: &str,
        platform: &PlatformId,
        app: &str,
        account_ids: &[&str],
    ) -> Result<Vec<Connected>> {
        if let [account] = account_ids {
            let select = statement(joined!("c.tenant = $1 AND c.platform = $2 AND c.app = $3 AND c.account_id = $4"));
            let select = select.bind(tenant).bind(platform.as_str()).bind(app).bind(*account);
            return Ok(self.fetch(select).await?.as_ref().map(found).transpose()?.into_iter().collect());
        }
        let mut view = self.read().await?;
        let mut found = Vec::new();
        for account in account_ids {
            let Some(row) = view.fetch(link::of_account(tenant, platform, app, account)).await? else { continue };
            found.push(with_grant(&mut view, connection(&row)?).await?);
        }
        Ok(found)
    }

    async fn connection(&self, tenant: &str, id: &ConnectionId) -> Result<Option<Connected>> {
        self.fetch(with_its_grant(tenant, id)).await?.as_ref().map(found).transpose()
    }

    async fn own_connection_grant(&self, tenant: &str, id: &ConnectionId) -> Result<Option<ConnectionGrant>> {
        let Some(row) = self.fetch(its_grant(tenant, id)).await? else {
            return self.check_ours().await.map(|()| None);
        };
        meta::check_owner(Fields::of("store", &row).get("owner")?, self.name())?;
        let connection = Fields::of_joined("connection", &row, "c_");
        Ok(Some(ConnectionGrant {
            account_id: connection.get("account_id")?,
            disconnected_at: connection.time_optional("disconnected_at")?,
            grant: joined_grant(&row, id)?,
        }))
    }

    async fn update_profile(&self, id: &ConnectionId, profile: &Profile, now: Timestamp) -> Result<()> {
        let update = statement("UPDATE connections SET profile = $2, updated_at = $3 WHERE id = $1")
            .bind(id.to_string())
            .bind(json::to_text(&json::profile_fields(profile))?)
            .bind(now.as_millisecond());
        if self.execute(update).await? == 0 {
            return Err(missing(id));
        }
        Ok(())
    }

    async fn disconnect(&self, disconnect: &Disconnect) -> Result<Disconnection> {
        let mut transaction = self.write_ours().await?;
        transaction.lock_tenant(&disconnect.tenant).await?;
        let done = disconnect::disconnect(&mut transaction, disconnect).await?;
        transaction.commit().await?;
        Ok(done)
    }
}

pub(super) fn select(tenant: &str, id: &ConnectionId) -> Statement {
    statement("SELECT * FROM connections WHERE tenant = $1 AND id = $2").bind(tenant.to_owned()).bind(id.to_string())
}

/// The same with its grant: one row, so one look.
pub(super) fn with_its_grant(tenant: &str, id: &ConnectionId) -> Statement {
    statement(joined!("c.tenant = $1 AND c.id = $2")).bind(tenant).bind(id.as_str())
}

/// Its grant, what of it is needed to use that, and the owner of the store.
pub(super) fn its_grant(tenant: &str, id: &ConnectionId) -> Statement {
    let select = statement(
        "SELECT c.account_id AS c_account_id, c.disconnected_at AS c_disconnected_at,
                (SELECT value FROM meta WHERE key = 'instance_name') AS owner, grants.*
         FROM connections c LEFT JOIN grants ON grants.tenant = c.tenant AND grants.id = c.grant_id
         WHERE c.tenant = $1 AND c.id = $2",
    );
    select.bind(tenant).bind(id.as_str())
}

/// What a row of `joined!` holds.
fn found(row: &Row) -> Result<Connected> {
    let connection = read(&Fields::of_joined("connection", row, "c_"))?;
    let grant = joined_grant(row, &connection.id)?;
    Ok(Connected { connection, grant })
}

/// The grant in a row that it was joined to, if it is there.
fn joined_grant(row: &Row, connection: &ConnectionId) -> Result<GrantRecord> {
    let id: Option<&str> = Fields::of("grant", row).get("id")?;
    id.ok_or_else(|| no_grant(connection))?;
    grants::grant(row)
}

pub(super) fn connection(row: &Row) -> Result<ConnectionRecord> {
    read(&Fields::of("connection", row))
}

fn read(fields: &Fields<'_>) -> Result<ConnectionRecord> {
    Ok(ConnectionRecord {
        id: fields.parse("id")?,
        tenant: fields.get("tenant")?,
        reference: fields.get("reference")?,
        platform: fields.parse("platform")?,
        app: fields.get("app")?,
        grant_id: fields.parse("grant_id")?,
        account_id: fields.get("account_id")?,
        profile: json::profile(fields.json("profile")?),
        created_at: fields.time("created_at")?,
        updated_at: fields.time("updated_at")?,
        disconnected_at: fields.time_optional("disconnected_at")?,
    })
}

/// A connection together with its grant.
pub(super) async fn with_grant(view: &mut Transaction, connection: ConnectionRecord) -> Result<Connected> {
    let select = grants::select(&connection.tenant, &connection.grant_id);
    joined(view.fetch(select).await?, connection)
}

/// A connection together with its grant, which nobody else changes until the transaction ends.
pub(super) async fn with_locked_grant(
    transaction: &mut Transaction,
    connection: ConnectionRecord,
) -> Result<Connected> {
    let select = grants::select(&connection.tenant, &connection.grant_id).locking();
    joined(transaction.fetch(select).await?, connection)
}

fn joined(grant: Option<Row>, connection: ConnectionRecord) -> Result<Connected> {
    let grant = grants::grant(&grant.ok_or_else(|| no_grant(&connection.id))?)?;
    Ok(Connected { connection, grant })
}

pub(super) fn missing(id: &ConnectionId) -> StoreError {
    StoreError::NotFound { what: "connection", id: id.to_string() }
}

/// The next connections after the cursor, and one more than fits on a page. The numbers of a tenant's connections are given under its lock, so
/// that none comes in late before one that was seen.
pub(super) fn next(filter: &ConnectionFilter, after: Option<ConnectionCursor>, limit: u32) -> Statement {
    statement("SELECT * FROM connections WHERE tenant = $1 AND number > $2")
        .bind(filter.tenant.clone())
        .bind(after.map_or(i64::MIN, ConnectionCursor::number))
        .and("reference = $?", filter.reference.clone())
        .and("account_id = $?", filter.account_id.clone())
        .and("platform = $?", filter.platform.as_ref().map(PlatformId::to_string))
        .then(" ORDER BY number")
        .limit(i64::from(limit.max(1)) + 1)
}

/// The grants of the connections that this selects.
async fn grants_of(view: &mut Transaction, connections: &Statement) -> Result<HashMap<GrantId, GrantRecord>> {
    let select = format!("SELECT * FROM grants WHERE id IN (SELECT grant_id FROM ({}) AS page)", connections.sql);
    let grants = view.fetch_all(Statement { sql: select.into(), ..connections.clone() }).await?;
    grants.iter().map(|row| grants::grant(row).map(|grant| (grant.id.clone(), grant))).collect()
}

fn connected(row: &Row, grants: &HashMap<GrantId, GrantRecord>) -> Result<(ConnectionCursor, Connected)> {
    let cursor = ConnectionCursor::new(Fields::of("connection", row).get("number")?);
    let connection = connection(row)?;
    let grant = grants.get(&connection.grant_id).cloned().ok_or_else(|| no_grant(&connection.id))?;
    Ok((cursor, Connected { connection, grant }))
}

fn state_count(row: &Row) -> Result<StateCount> {
    let fields = Fields::of("count", row);
    Ok(StateCount {
        platform: fields.parse("platform")?,
        app: fields.get("app")?,
        state: fields.parse("shown")?,
        count: fields.count("connections")?.into(),
    })
}

fn no_grant(connection: &ConnectionId) -> StoreError {
    StoreError::corrupt("connection", format_args!("the grant of {connection} is missing"))
}
