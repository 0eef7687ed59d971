//! Events in SQL.

use async_trait::async_trait;
use jiff::Timestamp;

use super::fields::Fields;
use super::{Row, SqlStore, Statement, Transaction, deliveries, facts, feed, statement};
use crate::store::new_event::NewEvent;
use crate::store::{
    ConnectionId, DeliveryRecord, EventCursor, EventFilter, EventId, EventRecord, Events, ListedEvent, Page, Result,
    WHOLE_STORE,
};

#[async_trait]
impl<D: Send + Sync> Events for SqlStore<D> {
    async fn events_page(
        &self,
        filter: &EventFilter,
        from: Option<EventCursor>,
        limit: u32,
    ) -> Result<Page<ListedEvent, EventCursor>> {
        let mut view = self.read().await?;
        let mut found = Vec::new();
        for row in view.fetch_all(next(filter, from, limit)).await? {
            let event = event(&row)?;
            found.push(ListedEvent { deliveries: Vec::new(), event });
        }
        for listed in &mut found {
            listed.deliveries = deliveries_of(&mut view, &listed.event).await?;
        }
        Ok(Page::of(found, limit, |last, _| last.event.place))
    }

    async fn keep_event_body(&self, event: &EventRecord, body: &str) -> Result<Option<String>> {
        let unless_erased = if event.facts.is_some() { "AND facts IS NOT NULL" } else { "" };
        let update = statement(format!(
            "UPDATE events SET body = coalesce(body, $3) WHERE tenant = $1 AND position = $2 {unless_erased} RETURNING body"
        ));
        let update = update.bind(event.tenant.clone()).bind(event.place.position()).bind(body);
        let mut transaction = self.write().await?;
        let kept = transaction.fetch(update).await?;
        transaction.commit().await?;
        kept.as_ref().map(|kept| Fields::of("event", kept).get("body")).transpose()
    }

    async fn prune_events(&self, before: Timestamp) -> Result<u64> {
        let mut transaction = self.write_ours().await?;
        // One after the other with whoever sends events again: an event must not go whose way begins anew.
        transaction.lock_tenant(WHOLE_STORE).await?;
        let before = before.as_millisecond();
        let ways = statement(
            "DELETE FROM event_deliveries WHERE since < $1 AND (outcome IS NOT NULL OR NOT EXISTS (
                 SELECT 1 FROM event_receivers r WHERE r.id = receiver AND r.disabled_at IS NULL))",
        )
        .bind(before);
        transaction.execute(ways).await?;
        let events = statement(
            "DELETE FROM events WHERE at < $1 AND NOT EXISTS (
                 SELECT 1 FROM event_deliveries d WHERE d.tenant = events.tenant AND d.position = events.position)",
        );
        let pruned = transaction.execute(events.bind(before)).await?;
        transaction.commit().await?;
        Ok(pruned)
    }
}

/// Stores events, and puts them on their way. This comes last in its transaction: from here on all others who store events or samples of the
/// same tenants wait.
pub(super) async fn record(transaction: &mut Transaction, mut events: Vec<NewEvent>) -> Result<()> {
    // In order, so that two who do this for the same tenants never wait for each other.
    events.sort_by(|a, b| a.tenant.cmp(&b.tenant));
    for event in events {
        let (_, position) = feed::take(transaction, event.tenant.clone(), 1).await?;
        transaction.execute(insert(&event, position)?).await?;
        transaction.execute(deliveries::send_out(&event, position)).await?;
    }
    Ok(())
}

fn insert(event: &NewEvent, position: i64) -> Result<Statement> {
    let insert = statement(
        "INSERT INTO events (tenant, position, id, connection_id, kind, at, facts) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(event.tenant.clone())
    .bind(position)
    .bind(EventId::of(&event.tenant, EventCursor::new(position)).to_string())
    .bind(event.connection.to_string())
    .bind(event.kind.as_str())
    .bind(event.at.as_millisecond())
    .bind(facts::write(&event.facts)?);
    Ok(insert)
}

/// Erases what the events of a connection know.
pub(super) fn erase(tenant: &str, connection: &ConnectionId) -> Statement {
    statement("UPDATE events SET facts = NULL, body = NULL WHERE tenant = $1 AND connection_id = $2")
        .bind(tenant)
        .bind(connection.to_string())
}

fn next(filter: &EventFilter, from: Option<EventCursor>, limit: u32) -> Statement {
    let (front, order, open) = if filter.latest_first { ("<", "DESC", i64::MAX) } else { (">", "ASC", i64::MIN) };
    let which = statement(format!("SELECT * FROM events WHERE tenant = $1 AND position {front} $2"))
        .bind(filter.tenant.clone())
        .bind(from.map_or(open, EventCursor::position))
        .and("connection_id = $?", filter.connection.as_ref().map(ToString::to_string))
        .and("id = $?", filter.id.as_ref().map(ToString::to_string));
    let which = which.and(
        "EXISTS (SELECT 1 FROM event_deliveries d WHERE d.tenant = events.tenant AND d.position = events.position
                                                    AND d.outcome = $?)",
        filter.dead.then(|| "dead".to_owned()),
    );
    which.then(&format!(" ORDER BY position {order}")).limit(i64::from(limit.max(1)) + 1)
}

async fn deliveries_of(view: &mut Transaction, event: &EventRecord) -> Result<Vec<DeliveryRecord>> {
    let select = statement("SELECT * FROM event_deliveries WHERE tenant = $1 AND position = $2 ORDER BY receiver");
    let rows = view.fetch_all(select.bind(event.tenant.clone()).bind(event.place.position())).await?;
    rows.iter().map(deliveries::record).collect()
}

pub(super) fn event(row: &Row) -> Result<EventRecord> {
    let fields = Fields::of("event", row);
    let known: Option<String> = fields.get("facts")?;
    let kind: String = fields.get("kind")?;
    Ok(EventRecord {
        id: fields.parse("id")?,
        place: EventCursor::new(fields.get("position")?),
        tenant: fields.get("tenant")?,
        connection: fields.parse("connection_id")?,
        kind: kind.parse().map_err(|why: String| fields.damaged("kind", why))?,
        at: fields.time("at")?,
        facts: known.as_deref().map(facts::read).transpose()?,
        body: fields.get("body")?,
    })
}
