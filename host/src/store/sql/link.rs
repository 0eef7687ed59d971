//! Links the accounts of a grant.

use std::collections::BTreeSet;

use async_trait::async_trait;
use connector_core::{PlatformId, ScopeSet};
use jiff::Timestamp;
use serde_json::json;

use super::fields::Fields;
use super::{Statement, Transaction, Work, audit, connections, disconnect, events, grants, json, statement};
use crate::store::new_event::NewEvent;
use crate::store::{
    AuditId, AuditRecord, Connected, ConnectionRecord, GrantId, GrantRecord, GrantState, Link, Linked, Links,
    NewConnection, Result, StoreError,
};

/// The accounts of a grant, to be linked.
pub(super) struct ToLink {
    pub(super) tenant: String,
    pub(super) grant: GrantId,
    pub(super) ever_granted: ScopeSet,
    pub(super) accounts: Vec<NewConnection>,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for ToLink {
    type Output = Links;

    async fn run(&self, transaction: &mut Transaction) -> Result<Links> {
        transaction.lock_tenant(&self.tenant).await?;
        let grant = live_grant(transaction, &self.tenant, &self.grant).await?;
        let links = link_all(transaction, &grant, self.accounts.clone(), self.now).await?;
        settle(transaction, grant, &self.ever_granted, self.now).await?;
        Ok(links)
    }
}

/// Links the accounts for which the grant does not come too late. A grant that comes too late for all is superseded itself.
async fn link_all(
    transaction: &mut Transaction,
    grant: &GrantRecord,
    accounts: Vec<NewConnection>,
    now: Timestamp,
) -> Result<Links> {
    let mut linked = Vec::with_capacity(accounts.len());
    let any_account = !accounts.is_empty();
    let mut told = Vec::new();
    for account in accounts {
        let id = account.audit.clone();
        let Some((done, before)) = link(transaction, grant, account, now).await? else { continue };
        told.extend(NewEvent::linked(grant, &done, before.as_ref(), now));
        if let Some(record) = record(id, grant, &done, now) {
            transaction.execute(audit::insert(&record)).await?;
        }
        linked.push(done);
    }
    let late = any_account && linked.is_empty();
    let superseded = supersede(transaction, grant, &linked, late, now).await?;
    events::record(transaction, told).await?;
    Ok(Links { linked, superseded })
}

/// What goes on record about a link.
fn record(id: AuditId, grant: &GrantRecord, done: &Linked, now: Timestamp) -> Option<AuditRecord> {
    let event = match done.link {
        Link::New => "connected",
        Link::Reconnected => "reconnected",
        Link::Kept => return None,
    };
    let previous = done.previous_grant.as_ref().map(ToString::to_string);
    let record = AuditRecord::with_id(id, now, &grant.tenant, event).of_connection(&done.connection.id);
    Some(record.of_grant(&grant.id).with(&json!({ "previous_grant": previous })))
}

/// The grant, if accounts can still be linked to it.
async fn live_grant(transaction: &mut Transaction, tenant: &str, id: &GrantId) -> Result<GrantRecord> {
    let missing = || StoreError::NotFound { what: "grant", id: id.to_string() };
    let grant = grants::grant(&transaction.fetch(grants::select(tenant, id).locking()).await?.ok_or_else(missing)?)?;
    if grant.state.is_over() {
        return Err(StoreError::Conflict(format!("the grant {id} has been given up")));
    }
    Ok(grant)
}

/// Links an account, and says how its connection stood before.
async fn link(
    transaction: &mut Transaction,
    grant: &GrantRecord,
    new: NewConnection,
    now: Timestamp,
) -> Result<Option<(Linked, Option<Connected>)>> {
    let select = of_account(&grant.tenant, &grant.platform, &grant.app, &new.account.id).locking();
    let Some(row) = transaction.fetch(select).await? else {
        return Ok(Some((add(transaction, grant, new, now).await?, None)));
    };
    let connected = connections::with_grant(transaction, connections::connection(&row)?).await?;
    if is_late(grant, &connected) {
        return Ok(None);
    }
    let renewed = renew(transaction, grant, connected.connection.clone(), new, now).await?;
    Ok(Some((renewed, Some(connected))))
}

pub(super) fn of_account(tenant: &str, platform: &PlatformId, app: &str, account_id: &str) -> Statement {
    statement("SELECT * FROM connections WHERE tenant = $1 AND platform = $2 AND app = $3 AND account_id = $4")
        .bind(tenant)
        .bind(platform.to_string())
        .bind(app)
        .bind(account_id)
}

/// Whether the connection was given up after the grant was made, or works by one that was made later.
fn is_late(grant: &GrantRecord, Connected { connection, grant: current }: &Connected) -> bool {
    match connection.disconnected_at {
        Some(given_up) => grant.created_at < given_up,
        None => grant.id != current.id && current.state == GrantState::Active && grant.created_at < current.created_at,
    }
}

pub(super) async fn add(
    transaction: &mut Transaction,
    grant: &GrantRecord,
    new: NewConnection,
    now: Timestamp,
) -> Result<Linked> {
    let connection = ConnectionRecord {
        id: new.id_if_new,
        tenant: grant.tenant.clone(),
        reference: new.reference,
        platform: grant.platform.clone(),
        app: grant.app.clone(),
        grant_id: grant.id.clone(),
        account_id: new.account.id,
        profile: new.account.profile,
        created_at: now,
        updated_at: now,
        disconnected_at: None,
    };
    let insert = statement(
        "INSERT INTO connections (id, tenant, reference, platform, app, grant_id, account_id, profile, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
    )
    .bind(connection.id.to_string())
    .bind(connection.tenant.clone())
    .bind(connection.reference.clone())
    .bind(connection.platform.to_string())
    .bind(connection.app.clone())
    .bind(connection.grant_id.to_string())
    .bind(connection.account_id.clone())
    .bind(json::to_text(&json::profile_fields(&connection.profile))?)
    .bind(now.as_millisecond());
    transaction.execute(insert).await?;
    Ok(Linked { connection, link: Link::New, previous_grant: None })
}

pub(super) async fn renew(
    transaction: &mut Transaction,
    grant: &GrantRecord,
    mut connection: ConnectionRecord,
    new: NewConnection,
    now: Timestamp,
) -> Result<Linked> {
    let previous = std::mem::replace(&mut connection.grant_id, grant.id.clone());
    let was_live = connection.disconnected_at.take().is_none();
    connection.profile.update(new.account.profile);
    connection.reference = new.reference.or(connection.reference);
    connection.updated_at = now;
    let update = statement(
        "UPDATE connections SET grant_id = $2, reference = $3, profile = $4, updated_at = $5, disconnected_at = NULL
         WHERE id = $1",
    )
    .bind(connection.id.to_string())
    .bind(connection.grant_id.to_string())
    .bind(connection.reference.clone())
    .bind(json::to_text(&json::profile_fields(&connection.profile))?)
    .bind(now.as_millisecond());
    transaction.execute(update).await?;
    let previous_grant = (previous != grant.id).then_some(previous);
    let link = if was_live && previous_grant.is_none() { Link::Kept } else { Link::Reconnected };
    Ok(Linked { connection, link, previous_grant })
}

/// Ends what the new grant takes the place of: grants that have just lost their last connection, and older ones of the same subject
/// that never got one. One that came too late goes itself. What a connection that was given up still refers to stays, without its tokens.
pub(super) async fn supersede(
    transaction: &mut Transaction,
    grant: &GrantRecord,
    linked: &[Linked],
    late: bool,
    now: Timestamp,
) -> Result<Vec<GrantId>> {
    let mut candidates: BTreeSet<GrantId> = linked.iter().filter_map(|linked| linked.previous_grant.clone()).collect();
    candidates.extend(older_of_subject(transaction, grant).await?);
    candidates.extend(late.then(|| grant.id.clone()));
    let mut superseded = Vec::new();
    for id in candidates {
        let deleted = transaction.execute(grants::delete_unused(&grant.tenant, &id)).await? == 1;
        if deleted || disconnect::end_without_connection(transaction, &grant.tenant, &id, now).await? {
            superseded.push(id);
        }
    }
    Ok(superseded)
}

async fn older_of_subject(transaction: &mut Transaction, grant: &GrantRecord) -> Result<Vec<GrantId>> {
    let Some(subject) = grant.subject.clone() else { return Ok(Vec::new()) };
    let select = statement(
        "SELECT id FROM grants
         WHERE tenant = $1 AND platform = $2 AND app = $3 AND subject = $4 AND id <> $5 AND created_at <= $6",
    )
    .bind(grant.tenant.clone())
    .bind(grant.platform.to_string())
    .bind(grant.app.clone())
    .bind(subject)
    .bind(grant.id.to_string())
    .bind(grant.created_at.as_millisecond());
    transaction.fetch_all(select).await?.iter().map(|row| Fields::of("grant", row).parse("id")).collect()
}

/// Nothing is left to do for the grant but to be used.
async fn settle(
    transaction: &mut Transaction,
    mut grant: GrantRecord,
    ever_granted: &ScopeSet,
    now: Timestamp,
) -> Result<()> {
    grant.scopes.ever_granted.extend(ever_granted.iter().cloned());
    let update = statement("UPDATE grants SET unlinked = NULL, scopes = $2, updated_at = $3 WHERE id = $1")
        .bind(grant.id.to_string())
        .bind(json::to_text(&json::Scopes::from(&grant.scopes))?)
        .bind(now.as_millisecond());
    transaction.execute(update).await?;
    Ok(())
}
