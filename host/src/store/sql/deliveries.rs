//! Events on their way to receivers, in SQL.

use async_trait::async_trait;
use jiff::SignedDuration;

use super::fields::Fields;
use super::{Argument, Row, SqlStore, Statement, audit, events, grants, json, receivers, statement};
use crate::store::new_event::NewEvent;
use crate::store::{
    Attempted, AuditRecord, Deliveries, Delivery, DeliveryOutcome, DeliveryRecord, LastError, ReceiverId,
    ReceiverRecord, Resend, Result, WHOLE_STORE,
};

/// Whether no earlier event of the same connection is still on its way to the same receiver as `d`.
const FIRST: &str = "NOT EXISTS (SELECT 1 FROM event_deliveries e
                     WHERE e.receiver = d.receiver AND e.connection_id = d.connection_id AND e.outcome IS NULL
                       AND e.position < d.position)";

#[async_trait]
impl<D: Send + Sync> Deliveries for SqlStore<D> {
    async fn receivers_due(&self) -> Result<Vec<ReceiverRecord>> {
        let select = statement(
            "SELECT r.* FROM event_receivers r WHERE r.disabled_at IS NULL AND EXISTS (
                 SELECT 1 FROM event_deliveries d
                 WHERE d.receiver = r.id AND d.outcome IS NULL AND d.next_try_at <= {now})
             ORDER BY r.id",
        );
        self.fetch_all(select).await?.iter().map(receivers::receiver).collect()
    }

    async fn deliveries_due(&self, receiver: &ReceiverId, limit: u32) -> Result<Vec<Delivery>> {
        let select = statement(format!(
            "SELECT e.*, d.receiver, d.since, d.attempts, d.next_try_at, d.outcome, d.last_error
             FROM event_deliveries d JOIN events e ON e.tenant = d.tenant AND e.position = d.position
             WHERE d.receiver = $1 AND d.outcome IS NULL AND d.next_try_at <= {{now}} AND {FIRST}
             ORDER BY d.next_try_at, d.position"
        ));
        let select = select.bind(receiver.to_string()).limit(i64::from(limit.max(1)));
        self.fetch_all(select).await?.iter().map(delivery).collect()
    }

    async fn claim_delivery(&self, seen: &Delivery, rest: SignedDuration) -> Result<Option<Delivery>> {
        let update = format!(
            "UPDATE event_deliveries AS d SET next_try_at = {{now}} + $5, attempts = attempts + 1
             WHERE d.tenant = $1 AND d.position = $2 AND d.receiver = $3 AND d.next_try_at = $4
               AND d.outcome IS NULL AND d.next_try_at <= {{now}} AND {FIRST}
               AND EXISTS (SELECT 1 FROM event_receivers r WHERE r.id = d.receiver AND r.disabled_at IS NULL)
             RETURNING *"
        );
        let mut transaction = self.write_ours().await?;
        let claimed = transaction.fetch(seen_as(update, seen).bind(millis(rest))).await?;
        transaction.commit().await?;
        let Some(row) = claimed else { return Ok(None) };
        Ok(Some(Delivery { event: seen.event.clone(), record: record(&row)? }))
    }

    async fn settle_delivery(&self, claimed: &Delivery, attempted: &Attempted) -> Result<bool> {
        Ok(self.execute(settle(claimed, attempted)?).await? == 1)
    }

    async fn resend_events(&self, tenant: &str, which: &Resend, audit: &AuditRecord) -> Result<u64> {
        let mut transaction = self.write_ours().await?;
        transaction.lock_tenant(WHOLE_STORE).await?;
        let sent = transaction.execute(resend(tenant, which)).await?;
        if sent > 0 {
            transaction.execute(audit::insert(audit)).await?;
        }
        transaction.commit().await?;
        Ok(sent)
    }
}

/// Puts a new event on its way to whoever wants it.
pub(super) fn send_out(event: &NewEvent, position: i64) -> Statement {
    statement(
        "INSERT INTO event_deliveries (tenant, position, receiver, connection_id, since, attempts, next_try_at)
         SELECT tenant, $2, id, $3, {now}, 0, {now} FROM event_receivers
         WHERE tenant = $1 AND disabled_at IS NULL AND (kinds IS NULL OR kinds LIKE '% ' || $4 || ' %')",
    )
    .bind(event.tenant.clone())
    .bind(position)
    .bind(event.connection.to_string())
    .bind(event.kind.as_str())
}

fn resend(tenant: &str, which: &Resend) -> Statement {
    match which {
        Resend::One(id) => statement(
            "INSERT INTO event_deliveries (tenant, position, receiver, connection_id, since, attempts, next_try_at)
             SELECT e.tenant, e.position, r.id, e.connection_id, {now}, 0, {now}
             FROM events e JOIN event_receivers r ON r.tenant = e.tenant
             WHERE e.tenant = $1 AND e.id = $2 AND r.disabled_at IS NULL
               AND (r.kinds IS NULL OR r.kinds LIKE '% ' || e.kind || ' %')
             ON CONFLICT (tenant, position, receiver) DO UPDATE
             SET since = excluded.since, attempts = 0, next_try_at = excluded.next_try_at, outcome = NULL, last_error = NULL
             WHERE event_deliveries.outcome IS NOT NULL",
        )
        .bind(tenant)
        .bind(id.to_string()),
        Resend::Dead => statement(
            "UPDATE event_deliveries
             SET since = {now}, attempts = 0, next_try_at = {now}, outcome = NULL, last_error = NULL
             WHERE tenant = $1 AND outcome = 'dead'
               AND EXISTS (SELECT 1 FROM event_receivers r WHERE r.id = receiver AND r.disabled_at IS NULL)",
        )
        .bind(tenant),
    }
}

fn settle(claimed: &Delivery, attempted: &Attempted) -> Result<Statement> {
    let again = |rest: SignedDuration, error: Option<&LastError>, taken_back: i64| {
        let update = "UPDATE event_deliveries SET next_try_at = {now} + $5, last_error = $6, attempts = attempts - $7
             WHERE tenant = $1 AND position = $2 AND receiver = $3 AND next_try_at = $4 AND outcome IS NULL";
        let update = seen_as(update.to_owned(), claimed).bind(millis(rest));
        Ok(update.bind(json::failure_text(error)?).bind(taken_back))
    };
    let end = |outcome: DeliveryOutcome, error: Option<&LastError>| {
        let update = "UPDATE event_deliveries SET outcome = $5, last_error = $6
             WHERE tenant = $1 AND position = $2 AND receiver = $3 AND next_try_at = $4 AND outcome IS NULL";
        Ok(seen_as(update.to_owned(), claimed).bind(outcome.as_str()).bind(json::failure_text(error)?))
    };
    match attempted {
        Attempted::Delivered => end(DeliveryOutcome::Delivered, None),
        Attempted::Dead(error) => end(DeliveryOutcome::Dead, Some(error)),
        Attempted::Again(rest, error) => again(*rest, Some(error), 0),
        Attempted::Released => again(SignedDuration::ZERO, claimed.record.last_error.as_ref(), 1),
    }
}

/// Binds which delivery it is, and when it may be tried next as it was seen.
fn seen_as(update: String, seen: &Delivery) -> Statement {
    statement(update)
        .bind(seen.event.tenant.clone())
        .bind(seen.event.place.position())
        .bind(seen.record.receiver.to_string())
        .bind(seen.record.next_try_at.as_millisecond())
}

fn millis(rest: SignedDuration) -> Argument {
    i64::try_from(rest.as_millis()).unwrap_or(i64::MAX).into()
}

fn delivery(row: &Row) -> Result<Delivery> {
    Ok(Delivery { event: events::event(row)?, record: record(row)? })
}

pub(super) fn record(row: &Row) -> Result<DeliveryRecord> {
    let fields = Fields::of("delivery", row);
    let outcome: Option<String> = fields.get("outcome")?;
    let known = |word: &str| {
        DeliveryOutcome::of(word).ok_or_else(|| fields.damaged("outcome", format_args!("`{word}` is none")))
    };
    Ok(DeliveryRecord {
        receiver: fields.parse("receiver")?,
        since: fields.time("since")?,
        attempts: fields.count("attempts")?,
        next_try_at: fields.time("next_try_at")?,
        outcome: outcome.as_deref().map(known).transpose()?,
        last_error: grants::last_error(&fields)?,
    })
}
