//! Grants in SQL.

use async_trait::async_trait;
use connector_core::scope::GrantScopes;
use connector_core::{PlatformId, ScopeSet};
use jiff::Timestamp;

use super::fields::{Fields, bytes, millis};
use super::{
    Row, SqlStore, Statement, Transaction, Work, audit, connections, disconnect, events, json, meta, order, statement,
};
use crate::store::new_event::NewEvent;
use crate::store::{
    AuditRecord, Connected, GrantId, GrantRecord, GrantState, Grants, LastError, LinkIntent, NewRevocation,
    Ownership as _, RefreshMark, Result, StateChange, StoreError,
};

#[async_trait]
impl<D: Send + Sync> Grants for SqlStore<D> {
    async fn put_grant(&self, grant: &GrantRecord, audit: &AuditRecord) -> Result<()> {
        self.share(Put { grant: grant.clone(), audit: audit.clone() }).await
    }

    async fn grant(&self, tenant: &str, id: &GrantId) -> Result<Option<GrantRecord>> {
        self.fetch(select(tenant, id)).await?.as_ref().map(grant).transpose()
    }

    async fn own_grant(&self, tenant: &str, id: &GrantId) -> Result<Option<GrantRecord>> {
        let select = statement(
            "SELECT *, (SELECT value FROM meta WHERE key = 'instance_name') AS owner FROM grants WHERE tenant = $1 AND id = $2",
        );
        let Some(row) = self.fetch(select.bind(tenant).bind(id.to_string())).await? else {
            return self.check_ours().await.map(|()| None);
        };
        meta::check_owner(Fields::of("store", &row).get("owner")?, self.name())?;
        grant(&row).map(Some)
    }

    async fn unlinked_grants(&self, tenant: &str) -> Result<Vec<GrantRecord>> {
        let select = statement(
            "SELECT * FROM grants WHERE tenant = $1 AND unlinked IS NOT NULL AND state = 'active' ORDER BY created_at, id",
        );
        self.fetch_all(select.bind(tenant.to_owned())).await?.iter().map(grant).collect()
    }

    async fn waiting_grants(&self, tenant: &str) -> Result<Vec<GrantRecord>> {
        let select = statement(
            "SELECT * FROM grants WHERE tenant = $1 AND unlinked IS NOT NULL AND state IN ('active', 'reauth_required')
             ORDER BY created_at, id",
        );
        self.fetch_all(select.bind(tenant.to_owned())).await?.iter().map(grant).collect()
    }

    async fn grants_needing(&self, reason: &str) -> Result<Vec<GrantRecord>> {
        let select = statement(
            "SELECT * FROM grants WHERE state = 'reauth_required' AND reason = $1 AND access IS NOT NULL ORDER BY id",
        );
        self.fetch_all(select.bind(reason.to_owned())).await?.iter().map(grant).collect()
    }

    async fn give_up_grant(
        &self,
        tenant: &str,
        id: &GrantId,
        revocation: Option<NewRevocation>,
        audit: &AuditRecord,
    ) -> Result<bool> {
        let mut transaction = self.write_tenant(tenant).await?;
        let Some(row) = transaction.fetch(select(tenant, id).locking()).await? else { return Ok(false) };
        if !disconnect::give_up(&mut transaction, &grant(&row)?, revocation.as_ref()).await? {
            return Ok(false);
        }
        transaction.execute(audit::insert(audit)).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn last_requested(&self, platform: &PlatformId, app: &str, client_id: &str) -> Result<Option<ScopeSet>> {
        // As it is written by `json::Scopes`, whose first field says what was asked for.
        let select = statement(
            "SELECT scopes FROM grants WHERE platform = $1 AND app = $2 AND client_id = $3 AND scopes NOT LIKE '{\"requested\":[],%'
             ORDER BY created_at DESC, id DESC LIMIT 1",
        );
        let select = select.bind(platform.to_string()).bind(app.to_owned()).bind(client_id.to_owned());
        // It may walk all grants of the app, for which whoever wants a single row shall not wait.
        let rows = self.fetch_all(select).await?;
        rows.first().map(|row| scopes(&Fields::of("grant", row)).map(|scopes| scopes.requested)).transpose()
    }

    async fn set_grant_state(&self, change: &StateChange) -> Result<bool> {
        if change.state.is_over() {
            return Err(StoreError::Conflict("a grant ends with its last connection".to_owned()));
        }
        let update = statement(
            "UPDATE grants SET state = $3, reason = $4, state_since = $5, updated_at = $5
             WHERE id = $1 AND generation = $2 AND state IN ('active', 'held', 'reauth_required')
               AND state = $6 AND reason IS NOT DISTINCT FROM $7
               AND ($3 <> 'held' OR refresh_sent_at IS NULL)",
        )
        .bind(change.grant.to_string())
        .bind(change.generation)
        .bind(change.state.as_str())
        .bind(reason(&change.state))
        .bind(change.since.as_millisecond())
        .bind(change.seen.as_str())
        .bind(reason(&change.seen));
        let mut transaction = self.write_ours().await?;
        let select = statement("SELECT * FROM grants WHERE id = $1").bind(change.grant.to_string()).locking();
        let Some(before) = transaction.fetch(select).await? else { return Ok(false) };
        if transaction.execute(update).await? != 1 {
            return Ok(false);
        }
        transaction.execute(audit::insert(&change.audit)).await?;
        let before = grant(&before)?;
        let after = GrantRecord { state: change.state.clone(), state_since: change.since, ..before.clone() };
        let told = events(&mut transaction, &before, &after, change.since).await?;
        events::record(&mut transaction, told).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn is_shared(
        &self,
        id: &GrantId,
        platform: &PlatformId,
        client_id: &str,
        subject: Option<&str>,
    ) -> Result<bool> {
        let select = statement(
            "WITH persons AS (
                 SELECT $3 AS person WHERE $3 IS NOT NULL
                 UNION
                 SELECT account_id FROM connections WHERE grant_id = $4
                    AND EXISTS (SELECT 1 FROM grants WHERE id = $4 AND subject IS NULL))
             SELECT 1 FROM grants
             WHERE platform = $1 AND client_id = $2 AND id <> $4
               AND (NOT EXISTS (SELECT 1 FROM persons) OR subject IN (SELECT person FROM persons) OR EXISTS (
                   SELECT 1 FROM connections
                   WHERE grant_id = grants.id AND account_id IN (SELECT person FROM persons) AND disconnected_at IS NULL))
               AND (state IN ('active', 'held') OR (state = 'reauth_required' AND EXISTS (
                   SELECT 1 FROM connections WHERE grant_id = grants.id AND disconnected_at IS NULL)))
             LIMIT 1",
        )
        .bind(platform.to_string())
        .bind(client_id.to_owned())
        .bind(subject.map(str::to_owned))
        .bind(id.to_string());
        // It may walk all grants of the app, for which whoever wants a single row shall not wait.
        Ok(!self.fetch_all(select).await?.is_empty())
    }

    async fn note_grant_error(&self, id: &GrantId, error: Option<LastError>) -> Result<()> {
        let update = statement("UPDATE grants SET last_error = $2 WHERE id = $1").bind(id.to_string());
        self.execute(update.bind(json::failure_text(error.as_ref())?)).await?;
        Ok(())
    }
}

/// A new grant.
struct Put {
    grant: GrantRecord,
    audit: AuditRecord,
}

#[async_trait]
impl Work for Put {
    type Output = ();

    async fn run(&self, transaction: &mut Transaction) -> Result<()> {
        let Self { grant, audit } = self;
        transaction.lock_tenant(&grant.tenant).await?;
        let created_at = order::next(transaction, &grant.tenant, grant.created_at).await?;
        transaction.execute(insert(&GrantRecord { created_at, ..grant.clone() })?).await?;
        transaction.execute(audit::insert(audit)).await.map(drop)
    }
}

pub(super) fn select(tenant: &str, id: &GrantId) -> Statement {
    statement("SELECT * FROM grants WHERE tenant = $1 AND id = $2").bind(tenant.to_owned()).bind(id.to_string())
}

/// What is told of the live connections of a grant that stands otherwise than before.
pub(super) async fn events(
    transaction: &mut Transaction,
    before: &GrantRecord,
    after: &GrantRecord,
    at: Timestamp,
) -> Result<Vec<NewEvent>> {
    let select = statement("SELECT * FROM connections WHERE grant_id = $1 AND disconnected_at IS NULL ORDER BY number");
    let rows = transaction.fetch_all(select.bind(before.id.to_string())).await?;
    let changed = |row: &Row| {
        let connection = connections::connection(row)?;
        let before = Connected { connection: connection.clone(), grant: before.clone() };
        Ok(NewEvent::changed(&before, &Connected { connection, grant: after.clone() }, at))
    };
    rows.iter().filter_map(|row| changed(row).transpose()).collect()
}

/// Deletes a grant that no connection works by.
pub(super) fn delete_unused(tenant: &str, id: &GrantId) -> Statement {
    let delete = statement(
        "DELETE FROM grants WHERE tenant = $1 AND id = $2 AND NOT EXISTS (SELECT 1 FROM connections WHERE grant_id = $2)",
    );
    delete.bind(tenant.to_owned()).bind(id.to_string())
}

pub(super) fn insert(grant: &GrantRecord) -> Result<Statement> {
    let mark = grant.refresh_mark.as_ref();
    let insert = statement(
        "INSERT INTO grants (id, tenant, platform, app, client_id, base_urls, subject, scopes,
                             access, access_expires_at, refresh, refresh_expires_at, issued_at, generation,
                             refresh_attempt, refresh_sent_at, refresh_unanswered, parked_until, kept_answer,
                             state, reason, state_since, unlinked, last_error, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
                 $24, $25, $26)",
    )
    .bind(grant.id.to_string())
    .bind(grant.tenant.clone())
    .bind(grant.platform.to_string())
    .bind(grant.app.clone())
    .bind(grant.client_id.clone())
    .bind(json::to_text(&grant.base_urls)?)
    .bind(grant.subject.clone())
    .bind(json::to_text(&json::Scopes::from(&grant.scopes))?)
    .bind(bytes(grant.access.as_ref()))
    .bind(millis(grant.access_expires_at))
    .bind(bytes(grant.refresh.as_ref()))
    .bind(millis(grant.refresh_expires_at))
    .bind(grant.issued_at.as_millisecond())
    .bind(grant.generation)
    .bind(mark.and_then(|mark| mark.attempt.clone()))
    .bind(mark.map(|mark| mark.sent_at.as_millisecond()))
    .bind(mark.map(|mark| mark.unanswered))
    .bind(millis(grant.parked_until))
    .bind(bytes(grant.kept_answer.as_ref()))
    .bind(grant.state.as_str())
    .bind(reason(&grant.state))
    .bind(grant.state_since.as_millisecond())
    .bind(grant.unlinked.as_ref().map(|intent| json::to_text(&json::Intent::from(intent))).transpose()?)
    .bind(json::failure_text(grant.last_error.as_ref())?)
    .bind(grant.created_at.as_millisecond())
    .bind(grant.updated_at.as_millisecond());
    Ok(insert)
}

/// Puts a grant of the same or a later generation in place of a stored one that is not over. Whose it is, its subject and what is to become of
/// its accounts stay.
pub(super) fn replace(grant: &GrantRecord) -> Result<Statement> {
    let mark = grant.refresh_mark.as_ref();
    let update = statement(
        "UPDATE grants
         SET client_id = $2, base_urls = $3, scopes = $4, access = $5, access_expires_at = $6, refresh = $7,
             refresh_expires_at = $8, issued_at = $9, generation = $10, refresh_attempt = $11, refresh_sent_at = $12,
             refresh_unanswered = $13, refresh_clock = NULL, refresh_tick = NULL, parked_until = $14, kept_answer = $15,
             state = $16, reason = $17, state_since = $18, last_error = $19, updated_at = $20
         WHERE id = $1 AND generation <= $10 AND state IN ('active', 'held', 'reauth_required')",
    )
    .bind(grant.id.to_string())
    .bind(grant.client_id.clone())
    .bind(json::to_text(&grant.base_urls)?)
    .bind(json::to_text(&json::Scopes::from(&grant.scopes))?)
    .bind(bytes(grant.access.as_ref()))
    .bind(millis(grant.access_expires_at))
    .bind(bytes(grant.refresh.as_ref()))
    .bind(millis(grant.refresh_expires_at))
    .bind(grant.issued_at.as_millisecond())
    .bind(grant.generation)
    .bind(mark.and_then(|mark| mark.attempt.clone()))
    .bind(mark.map(|mark| mark.sent_at.as_millisecond()))
    .bind(mark.map(|mark| mark.unanswered))
    .bind(millis(grant.parked_until))
    .bind(bytes(grant.kept_answer.as_ref()))
    .bind(grant.state.as_str())
    .bind(reason(&grant.state))
    .bind(grant.state_since.as_millisecond())
    .bind(json::failure_text(grant.last_error.as_ref())?)
    .bind(grant.updated_at.as_millisecond());
    Ok(update)
}

pub(super) fn grant(row: &Row) -> Result<GrantRecord> {
    let fields = Fields::of("grant", row);
    Ok(GrantRecord {
        id: fields.parse("id")?,
        tenant: fields.get("tenant")?,
        platform: fields.parse("platform")?,
        app: fields.get("app")?,
        client_id: fields.get("client_id")?,
        base_urls: fields.json("base_urls")?,
        subject: fields.get("subject")?,
        scopes: scopes(&fields)?,
        access: fields.sealed_optional("access")?,
        access_expires_at: fields.time_optional("access_expires_at")?,
        refresh: fields.sealed_optional("refresh")?,
        refresh_expires_at: fields.time_optional("refresh_expires_at")?,
        issued_at: fields.time("issued_at")?,
        generation: fields.get("generation")?,
        refresh_mark: mark(&fields)?,
        parked_until: fields.time_optional("parked_until")?,
        kept_answer: fields.sealed_optional("kept_answer")?,
        state: state(&fields)?,
        state_since: fields.time("state_since")?,
        unlinked: unlinked(&fields)?,
        last_error: last_error(&fields)?,
        created_at: fields.time("created_at")?,
        updated_at: fields.time("updated_at")?,
    })
}

pub(super) fn scopes(fields: &Fields<'_>) -> Result<GrantScopes> {
    fields.json::<json::Scopes>("scopes")?.try_into().map_err(|error| fields.damaged("scopes", error))
}

fn unlinked(fields: &Fields<'_>) -> Result<Option<LinkIntent>> {
    let stored: Option<json::Intent> = fields.json_optional("unlinked")?;
    stored.map(LinkIntent::try_from).transpose().map_err(|error| fields.damaged("unlinked", error))
}

fn state(fields: &Fields<'_>) -> Result<GrantState> {
    match fields.get("state")? {
        "active" => Ok(GrantState::Active),
        "held" => Ok(GrantState::Held { reason: fields.get("reason")? }),
        "reauth_required" => Ok(GrantState::ReauthRequired { reason: fields.get("reason")? }),
        "disconnecting" => Ok(GrantState::Disconnecting),
        "disconnected" => Ok(GrantState::Disconnected),
        _ => Err(fields.damaged("state", "there is no such state")),
    }
}

pub(super) fn reason(state: &GrantState) -> Option<String> {
    match state {
        GrantState::Held { reason } | GrantState::ReauthRequired { reason } => Some(reason.clone()),
        _ => None,
    }
}

fn mark(fields: &Fields<'_>) -> Result<Option<RefreshMark>> {
    let Some(sent_at) = fields.time_optional("refresh_sent_at")? else { return Ok(None) };
    let (attempt, unanswered) = (fields.get("refresh_attempt")?, fields.count("refresh_unanswered")?);
    Ok(Some(RefreshMark { attempt, sent_at, unanswered }))
}

pub(super) fn last_error(fields: &Fields<'_>) -> Result<Option<LastError>> {
    let stored: Option<json::Failure> = fields.json_optional("last_error")?;
    stored.map(LastError::try_from).transpose().map_err(|error| fields.damaged("last_error", error))
}
