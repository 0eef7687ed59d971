//! The health of apps in SQL.

use jiff::Timestamp;

use super::fields::{Fields, millis};
use super::{Row, Statement, Transaction, grants, json, statement};
use crate::store::{AppHealth, GrantRecord, Result, Settle, Settlement};

/// What is known against the app of a grant.
pub(super) async fn of(transaction: &mut Transaction, grant: &GrantRecord) -> Result<Option<AppHealth>> {
    let select = statement("SELECT * FROM app_health WHERE platform = $1 AND app = $2 AND client_id = $3");
    transaction.fetch(keyed(select, grant).locking()).await?.as_ref().map(read).transpose()
}

pub(super) fn select_all() -> Statement {
    statement("SELECT * FROM app_health ORDER BY platform, app, client_id")
}

/// What an attempt says about its app.
pub(super) struct Verdict {
    /// Whether nobody gets an answer.
    pub(super) is_down: bool,
    /// Whether anybody has to be told: not of what was known before.
    pub(super) is_news: bool,
}

/// Notes what an attempt says about the app, of which something may be `noted` already.
pub(super) async fn settle(
    transaction: &mut Transaction,
    grant: &GrantRecord,
    settle: &Settle,
    noted: bool,
    now: Timestamp,
) -> Result<Verdict> {
    let before = match &settle.settlement {
        Settlement::Refreshed(_) if !noted => None,
        _ => of(transaction, grant).await?,
    };
    let known = before.clone().unwrap_or_else(|| fresh(grant, now));
    let mut after = match &settle.settlement {
        Settlement::NotSent | Settlement::InDoubt => known.failed(now),
        Settlement::AskedToWait(retry_after) => known.asked_to_wait(*retry_after, now),
        Settlement::AppRefused { credentials } => {
            let news = !known.refuses(credentials);
            let refused = known.refused(credentials.clone(), now);
            transaction.execute(upsert(&AppHealth { last_error: settle.error.clone(), ..refused })?).await?;
            return Ok(Verdict { is_down: false, is_news: news });
        }
        // The platform has looked at the request, so it takes the app.
        Settlement::Refreshed(_) | Settlement::Unreadable(_) | Settlement::Refused | Settlement::Rejected { .. } => {
            if before.is_some() {
                let delete = statement("DELETE FROM app_health WHERE platform = $1 AND app = $2 AND client_id = $3");
                transaction.execute(keyed(delete, grant)).await?;
            }
            return Ok(Verdict { is_down: false, is_news: true });
        }
    };
    after.last_error.clone_from(&settle.error);
    transaction.execute(upsert(&after)?).await?;
    Ok(Verdict { is_down: after.is_down(), is_news: true })
}

fn fresh(grant: &GrantRecord, now: Timestamp) -> AppHealth {
    AppHealth::new(grant.platform.clone(), grant.app.clone(), grant.client_id.clone(), now)
}

fn keyed(statement: Statement, grant: &GrantRecord) -> Statement {
    statement.bind(grant.platform.to_string()).bind(grant.app.clone()).bind(grant.client_id.clone())
}

pub(super) fn upsert(health: &AppHealth) -> Result<Statement> {
    let upsert = statement(
        "INSERT INTO app_health (platform, app, client_id, failures, refused_credentials, since, next_try_at, last_error)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (platform, app, client_id) DO UPDATE
         SET failures = excluded.failures, refused_credentials = excluded.refused_credentials, since = excluded.since,
             next_try_at = excluded.next_try_at, last_error = excluded.last_error",
    )
    .bind(health.platform.to_string())
    .bind(health.app.clone())
    .bind(health.client_id.clone())
    .bind(health.failures)
    .bind(health.refused_credentials.clone())
    .bind(health.since.as_millisecond())
    .bind(millis(health.next_try_at))
    .bind(json::failure_text(health.last_error.as_ref())?);
    Ok(upsert)
}

pub(super) fn read(row: &Row) -> Result<AppHealth> {
    let fields = Fields::of("app's health", row);
    Ok(AppHealth {
        platform: fields.parse("platform")?,
        app: fields.get("app")?,
        client_id: fields.get("client_id")?,
        failures: fields.count("failures")?,
        refused_credentials: fields.get("refused_credentials")?,
        since: fields.time("since")?,
        next_try_at: fields.time_optional("next_try_at")?,
        last_error: grants::last_error(&fields)?,
    })
}
