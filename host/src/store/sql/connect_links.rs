//! Connect links in SQL.

use async_trait::async_trait;
use jiff::Timestamp;

use super::fields::{Fields, millis};
use super::{Row, SqlStore, Statement, audit, json, statement};
use crate::store::{
    AuditRecord, ConnectLinkCursor, ConnectLinkId, ConnectLinkOutcome, ConnectLinkRecord, ConnectLinkStart,
    ConnectLinks, Page, Result,
};

#[async_trait]
impl<D: Send + Sync> ConnectLinks for SqlStore<D> {
    async fn put_connect_link(&self, link: &ConnectLinkRecord, most: u32, record: &AuditRecord) -> Result<bool> {
        let mut transaction = self.write_ours().await?;
        // One after the other, so that each counts those before it.
        transaction.lock_tenant(&link.tenant).await?;
        if transaction.execute(insert(link, most)?).await? != 1 {
            return Ok(false);
        }
        transaction.execute(audit::insert(record)).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn connect_link(&self, tenant: &str, id: &ConnectLinkId) -> Result<Option<ConnectLinkRecord>> {
        let select = statement("SELECT * FROM connect_links WHERE id = $1 AND tenant = $2");
        self.fetch(select.bind(id.to_string()).bind(tenant)).await?.as_ref().map(link).transpose()
    }

    async fn connect_links_page(
        &self,
        tenant: &str,
        after: Option<ConnectLinkCursor>,
        limit: u32,
    ) -> Result<Page<ConnectLinkRecord, ConnectLinkCursor>> {
        let rows = self.fetch_all(next(tenant, after.as_ref(), limit)).await?;
        let found = rows.iter().map(link).collect::<Result<Vec<_>>>()?;
        Ok(Page::of(found, limit, |last, _| last.cursor()))
    }

    async fn connect_link_by_token(&self, token_digest: &str) -> Result<Option<ConnectLinkRecord>> {
        let select = statement("SELECT * FROM connect_links WHERE token_digest = $1").bind(token_digest);
        self.fetch(select).await?.as_ref().map(link).transpose()
    }

    async fn connect_link_of_browser(
        &self,
        id: &ConnectLinkId,
        browser_digest: &str,
    ) -> Result<Option<ConnectLinkRecord>> {
        let select = statement("SELECT * FROM connect_links WHERE id = $1 AND browser_digest = $2");
        self.fetch(select.bind(id.to_string()).bind(browser_digest)).await?.as_ref().map(link).transpose()
    }

    async fn connect_link_by_state(&self, state_digest: &str) -> Result<Option<ConnectLinkRecord>> {
        let select = statement("SELECT * FROM connect_links WHERE state_digest = $1").bind(state_digest);
        self.fetch(select).await?.as_ref().map(link).transpose()
    }

    async fn start_connect_link(&self, start: &ConnectLinkStart) -> Result<bool> {
        let mut transaction = self.write_ours().await?;
        let select = statement("SELECT * FROM connect_links WHERE id = $1").bind(start.id.to_string());
        let found = transaction.fetch(select.locking()).await?.as_ref().map(link).transpose()?;
        let Some(found) = found.filter(|found| found.may_start(Some(&start.browser_digest), start.now)) else {
            return Ok(false);
        };
        if let Some(before) = found.state_digest {
            transaction.execute(statement("DELETE FROM flows WHERE state_digest = $1").bind(before)).await?;
        }
        let update =
            statement("UPDATE connect_links SET browser_digest = $2, state_digest = $3, outcome = NULL WHERE id = $1");
        let update = update.bind(start.id.to_string()).bind(start.browser_digest.clone());
        transaction.execute(update.bind(start.state_digest.clone())).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn end_connect_link(&self, state_digest: &str, outcome: &ConnectLinkOutcome, now: Timestamp) -> Result<bool> {
        let update = statement(
            "UPDATE connect_links SET outcome = $2, ended_at = $3
             WHERE state_digest = $1 AND ended_at IS NULL AND (outcome IS NULL OR $4 = 0)",
        );
        let update = update.bind(state_digest).bind(json::to_text(&json::Outcome::from(outcome))?);
        let update = update.bind(millis(outcome.is_final().then_some(now)));
        let begins = matches!(outcome, ConnectLinkOutcome::Completing { .. });
        Ok(self.execute(update.bind(i64::from(begins))).await? == 1)
    }

    async fn cancel_connect_link(
        &self,
        tenant: &str,
        id: &ConnectLinkId,
        now: Timestamp,
        record: &AuditRecord,
    ) -> Result<bool> {
        let mut transaction = self.write_ours().await?;
        let select = statement("SELECT * FROM connect_links WHERE id = $1 AND tenant = $2");
        let select = select.bind(id.to_string()).bind(tenant).locking();
        let found = transaction.fetch(select).await?.as_ref().map(link).transpose()?;
        let Some(found) = found.filter(|found| found.may_end(now)) else { return Ok(false) };
        let update =
            statement("UPDATE connect_links SET outcome = $2, ended_at = $3 WHERE id = $1").bind(id.to_string());
        let update = update.bind(json::to_text(&json::Outcome::Cancelled)?).bind(now.as_millisecond());
        transaction.execute(update).await?;
        if let Some(begun) = found.state_digest {
            transaction.execute(statement("DELETE FROM flows WHERE state_digest = $1").bind(begun)).await?;
        }
        transaction.execute(audit::insert(record)).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn prune_connect_links(&self, expired_at: Timestamp) -> Result<u64> {
        let delete = statement("DELETE FROM connect_links WHERE expires_at <= $1").bind(expired_at.as_millisecond());
        self.execute(delete).await
    }
}

pub(super) fn next(tenant: &str, after: Option<&ConnectLinkCursor>, limit: u32) -> Statement {
    let which = statement("SELECT * FROM connect_links WHERE tenant = $1").bind(tenant);
    let which = which.and("id < $?", after.map(|after| after.id().to_string()));
    which.then(" ORDER BY id DESC").limit(i64::from(limit.max(1)) + 1)
}

pub(super) fn insert(link: &ConnectLinkRecord, most: u32) -> Result<Statement> {
    let insert = statement(
        "INSERT INTO connect_links (id, token_digest, tenant, platform, app, reference, reconnects, return_url, created_at,
                                    expires_at, browser_digest, state_digest, outcome, ended_at)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14
         WHERE (SELECT count(*) FROM connect_links WHERE tenant = $3 AND ended_at IS NULL AND expires_at > $9) < $15",
    )
    .bind(link.id.to_string())
    .bind(link.token_digest.clone())
    .bind(link.tenant.clone())
    .bind(link.platform.to_string())
    .bind(link.app.clone())
    .bind(link.reference.clone())
    .bind(link.reconnects.as_ref().map(ToString::to_string))
    .bind(link.return_url.clone())
    .bind(link.created_at.as_millisecond())
    .bind(link.expires_at.as_millisecond())
    .bind(link.browser_digest.clone())
    .bind(link.state_digest.clone())
    .bind(link.outcome.as_ref().map(|outcome| json::to_text(&json::Outcome::from(outcome))).transpose()?)
    .bind(millis(link.ended_at))
    .bind(most);
    Ok(insert)
}

fn link(row: &Row) -> Result<ConnectLinkRecord> {
    let fields = Fields::of("connect link", row);
    Ok(ConnectLinkRecord {
        id: fields.parse("id")?,
        token_digest: fields.get("token_digest")?,
        tenant: fields.get("tenant")?,
        platform: fields.parse("platform")?,
        app: fields.get("app")?,
        reference: fields.get("reference")?,
        reconnects: fields.parse_optional("reconnects")?,
        return_url: fields.get("return_url")?,
        created_at: fields.time("created_at")?,
        expires_at: fields.time("expires_at")?,
        browser_digest: fields.get("browser_digest")?,
        state_digest: fields.get("state_digest")?,
        outcome: fields.json_optional::<json::Outcome>("outcome")?.map(ConnectLinkOutcome::try_from).transpose()?,
        ended_at: fields.time_optional("ended_at")?,
    })
}
