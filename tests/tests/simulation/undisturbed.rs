//! What no schedule disturbs goes straight to the store.

use std::collections::BTreeMap;

use async_trait::async_trait;
use connector_core::PlatformId;
use connector_core::metrics::MetricName;
use connector_host::store::{
    ApiKeyId, ApiKeyRecord, ApiKeys, Attempted, AuditRecord, ConnectLinkCursor, ConnectLinkId, ConnectLinkOutcome,
    ConnectLinkRecord, ConnectLinkStart, ConnectLinks, Connected, ConnectionId, ConnectionRecord, Deliveries, Delivery,
    EventCursor, EventFilter, EventRecord, Events, FlowFilter, FlowRecord, Flows, GrantId, GrantRecord, HeldPage,
    Idempotency, Import, Imported, Imports, InstanceId, InstanceName, Inventory, KeyedRequest, KeyedRequestId,
    LastValues, ListedEvent, Meta, Ownership, Page, Purge, Purged, Purges, Reading, ReceiverId, ReceiverRecord,
    Receivers, Reseal, Resealed, Resend, Result, Sample, SampleCursor, SamplePage, Samples, SealedCount, SealedRow,
    SealedRowId, SessionRecord, Sessions, Stock, UserCondition, UserId, UserRecord, Users,
};
use connector_host::vault::{KeyId, Sealed};
use jiff::{SignedDuration, Timestamp};

use crate::store::NodeStore;

#[async_trait]
impl Flows for NodeStore {
    async fn put_flow(&self, flow: &FlowRecord) -> Result<()> {
        self.memory().put_flow(flow).await
    }

    async fn take_flow(&self, state_digest: &str, filter: &FlowFilter) -> Result<Option<FlowRecord>> {
        self.memory().take_flow(state_digest, filter).await
    }

    async fn prune_flows(&self, now: Timestamp) -> Result<u64> {
        self.memory().prune_flows(now).await
    }
}

#[async_trait]
impl ConnectLinks for NodeStore {
    async fn put_connect_link(&self, link: &ConnectLinkRecord, most: u32, audit: &AuditRecord) -> Result<bool> {
        self.memory().put_connect_link(link, most, audit).await
    }

    async fn connect_link(&self, tenant: &str, id: &ConnectLinkId) -> Result<Option<ConnectLinkRecord>> {
        self.memory().connect_link(tenant, id).await
    }

    async fn connect_links_page(
        &self,
        tenant: &str,
        after: Option<ConnectLinkCursor>,
        limit: u32,
    ) -> Result<Page<ConnectLinkRecord, ConnectLinkCursor>> {
        self.memory().connect_links_page(tenant, after, limit).await
    }

    async fn connect_link_by_token(&self, token_digest: &str) -> Result<Option<ConnectLinkRecord>> {
        self.memory().connect_link_by_token(token_digest).await
    }

    async fn connect_link_of_browser(
        &self,
        id: &ConnectLinkId,
        browser_digest: &str,
    ) -> Result<Option<ConnectLinkRecord>> {
        self.memory().connect_link_of_browser(id, browser_digest).await
    }

    async fn connect_link_by_state(&self, state_digest: &str) -> Result<Option<ConnectLinkRecord>> {
        self.memory().connect_link_by_state(state_digest).await
    }

    async fn start_connect_link(&self, start: &ConnectLinkStart) -> Result<bool> {
        self.memory().start_connect_link(start).await
    }

    async fn end_connect_link(&self, state_digest: &str, outcome: &ConnectLinkOutcome, now: Timestamp) -> Result<bool> {
        self.memory().end_connect_link(state_digest, outcome, now).await
    }

    async fn cancel_connect_link(
        &self,
        tenant: &str,
        id: &ConnectLinkId,
        now: Timestamp,
        audit: &AuditRecord,
    ) -> Result<bool> {
        self.memory().cancel_connect_link(tenant, id, now, audit).await
    }

    async fn prune_connect_links(&self, expired_at: Timestamp) -> Result<u64> {
        self.memory().prune_connect_links(expired_at).await
    }
}

#[async_trait]
impl Idempotency for NodeStore {
    async fn begin_request(&self, request: &KeyedRequest, now: Timestamp) -> Result<Option<KeyedRequest>> {
        self.memory().begin_request(request, now).await
    }

    async fn answer_request(&self, id: &KeyedRequestId, answer: &Sealed) -> Result<bool> {
        self.memory().answer_request(id, answer).await
    }

    async fn forget_request(&self, id: &KeyedRequestId) -> Result<()> {
        self.memory().forget_request(id).await
    }

    async fn prune_requests(&self, now: Timestamp) -> Result<u64> {
        self.memory().prune_requests(now).await
    }
}

#[async_trait]
impl Samples for NodeStore {
    async fn append_samples(&self, connection: &ConnectionId, reading: &Reading) -> Result<()> {
        self.memory().append_samples(connection, reading).await
    }

    async fn latest_readings(&self, connections: &[ConnectionId]) -> Result<BTreeMap<ConnectionId, Reading>> {
        self.memory().latest_readings(connections).await
    }

    async fn all_last_values(&self, connections: &[ConnectionId]) -> Result<BTreeMap<ConnectionId, LastValues>> {
        self.memory().all_last_values(connections).await
    }

    async fn history(
        &self,
        connection: &ConnectionId,
        metric: &MetricName,
        from: Timestamp,
        to: Timestamp,
        limit: u32,
    ) -> Result<Page<Sample, Timestamp>> {
        self.memory().history(connection, metric, from, to, limit).await
    }

    async fn trends(
        &self,
        connections: &[ConnectionId],
        metric: &MetricName,
        from: Timestamp,
        to: Timestamp,
        spans: u32,
    ) -> Result<BTreeMap<ConnectionId, Vec<Sample>>> {
        self.memory().trends(connections, metric, from, to, spans).await
    }

    async fn samples_after(&self, tenant: &str, cursor: Option<SampleCursor>, limit: u32) -> Result<SamplePage> {
        self.memory().samples_after(tenant, cursor, limit).await
    }
}

#[async_trait]
impl Meta for NodeStore {
    async fn instance_id(&self) -> Result<InstanceId> {
        self.memory().instance_id().await
    }

    async fn vault_check(&self) -> Result<Option<Sealed>> {
        self.memory().vault_check().await
    }

    async fn set_vault_check(
        &self,
        seen: Option<&Sealed>,
        check: &Sealed,
        audit: Option<&AuditRecord>,
    ) -> Result<bool> {
        self.memory().set_vault_check(seen, check, audit).await
    }

    async fn note_alive(&self, now: Timestamp) -> Result<()> {
        self.memory().note_alive(now).await
    }

    async fn has_sealed_rows(&self) -> Result<bool> {
        self.memory().has_sealed_rows().await
    }
}

#[async_trait]
impl Ownership for NodeStore {
    fn name(&self) -> Option<&InstanceName> {
        self.memory().name()
    }

    async fn owner(&self) -> Result<Option<InstanceName>> {
        self.memory().owner().await
    }

    async fn claim_ownership(&self) -> Result<()> {
        self.memory().claim_ownership().await
    }

    async fn adopt(&self, name: &InstanceName, record: &AuditRecord) -> Result<()> {
        self.memory().adopt(name, record).await
    }
}

#[async_trait]
impl Inventory for NodeStore {
    async fn stock(&self) -> Result<Stock> {
        self.memory().stock().await
    }

    async fn every_grant(&self) -> Result<Vec<GrantRecord>> {
        self.memory().every_grant().await
    }

    async fn every_connection(&self) -> Result<Vec<ConnectionRecord>> {
        self.memory().every_connection().await
    }

    async fn held_scopes(&self, tenant: Option<&str>, after: Option<&GrantId>, grants: u32) -> Result<HeldPage> {
        self.memory().held_scopes(tenant, after, grants).await
    }

    async fn doubt_refresh(&self, id: &GrantId, ago: SignedDuration, audit: &AuditRecord) -> Result<bool> {
        self.memory().doubt_refresh(id, ago, audit).await
    }

    async fn carry_over(&self, grant: &GrantRecord, audit: &AuditRecord) -> Result<bool> {
        self.memory().carry_over(grant, audit).await
    }
}

#[async_trait]
impl Reseal for NodeStore {
    async fn count_sealed(&self) -> Result<Vec<SealedCount>> {
        self.memory().count_sealed().await
    }

    async fn sealed_otherwise(&self, key: KeyId, after: Option<&SealedRowId>, limit: u32) -> Result<Vec<SealedRow>> {
        self.memory().sealed_otherwise(key, after, limit).await
    }

    async fn reseal(&self, rows: &[Resealed]) -> Result<u64> {
        self.memory().reseal(rows).await
    }
}

#[async_trait]
impl Imports for NodeStore {
    async fn connections_of_accounts(
        &self,
        tenant: &str,
        platform: &PlatformId,
        accounts: &[String],
    ) -> Result<Vec<Connected>> {
        self.memory().connections_of_accounts(tenant, platform, accounts).await
    }

    async fn import_connections(&self, imports: &[Import]) -> Result<Vec<Imported>> {
        self.memory().import_connections(imports).await
    }
}

#[async_trait]
impl Purges for NodeStore {
    async fn purge_connection(&self, purge: &Purge) -> Result<Purged> {
        self.memory().purge_connection(purge).await
    }

    async fn purge_records(&self) -> Result<Vec<AuditRecord>> {
        self.memory().purge_records().await
    }

    async fn shred(&self) -> Result<bool> {
        self.memory().shred().await
    }
}

#[async_trait]
impl ApiKeys for NodeStore {
    async fn put_api_key(&self, key: &ApiKeyRecord, audit: &AuditRecord) -> Result<bool> {
        self.memory().put_api_key(key, audit).await
    }

    async fn api_key_by_digest(&self, digest: &str) -> Result<Option<ApiKeyRecord>> {
        self.memory().api_key_by_digest(digest).await
    }

    async fn api_keys(&self) -> Result<Vec<ApiKeyRecord>> {
        self.memory().api_keys().await
    }

    async fn revoke_api_key(&self, id: &ApiKeyId, now: Timestamp, audit: &AuditRecord) -> Result<bool> {
        self.memory().revoke_api_key(id, now, audit).await
    }
}

#[async_trait]
impl Users for NodeStore {
    async fn put_user(&self, user: &UserRecord, when: UserCondition, audit: &AuditRecord) -> Result<bool> {
        self.memory().put_user(user, when, audit).await
    }

    async fn user(&self, id: &UserId) -> Result<Option<UserRecord>> {
        self.memory().user(id).await
    }

    async fn user_by_name(&self, name: &str) -> Result<Option<UserRecord>> {
        self.memory().user_by_name(name).await
    }

    async fn users(&self) -> Result<Vec<UserRecord>> {
        self.memory().users().await
    }

    async fn set_password(&self, id: &UserId, hash: &str, now: Timestamp, audit: &AuditRecord) -> Result<bool> {
        self.memory().set_password(id, hash, now, audit).await
    }

    async fn disable_user(&self, id: &UserId, now: Timestamp, audit: &AuditRecord) -> Result<bool> {
        self.memory().disable_user(id, now, audit).await
    }
}

#[async_trait]
impl Sessions for NodeStore {
    async fn put_session(&self, session: &SessionRecord, password_hash: &str, audit: &AuditRecord) -> Result<bool> {
        self.memory().put_session(session, password_hash, audit).await
    }

    async fn session_by_digest(&self, digest: &str) -> Result<Option<(SessionRecord, UserRecord)>> {
        self.memory().session_by_digest(digest).await
    }

    async fn session_seen(&self, digest: &str, now: Timestamp, unless_after: Timestamp) -> Result<()> {
        self.memory().session_seen(digest, now, unless_after).await
    }

    async fn end_session(&self, digest: &str, audit: &AuditRecord) -> Result<bool> {
        self.memory().end_session(digest, audit).await
    }

    async fn end_sessions(&self, user: &UserId, but: Option<&str>, audit: &AuditRecord) -> Result<u64> {
        self.memory().end_sessions(user, but, audit).await
    }

    async fn sessions_of(&self, user: &UserId) -> Result<Vec<SessionRecord>> {
        self.memory().sessions_of(user).await
    }

    async fn prune_sessions(&self, expired_at: Timestamp, idle_since: Timestamp) -> Result<u64> {
        self.memory().prune_sessions(expired_at, idle_since).await
    }
}

#[async_trait]
impl Events for NodeStore {
    async fn events_page(
        &self,
        filter: &EventFilter,
        from: Option<EventCursor>,
        limit: u32,
    ) -> Result<Page<ListedEvent, EventCursor>> {
        self.memory().events_page(filter, from, limit).await
    }

    async fn keep_event_body(&self, event: &EventRecord, body: &str) -> Result<Option<String>> {
        self.memory().keep_event_body(event, body).await
    }

    async fn prune_events(&self, before: Timestamp) -> Result<u64> {
        self.memory().prune_events(before).await
    }
}

#[async_trait]
impl Receivers for NodeStore {
    async fn put_receiver(&self, receiver: &ReceiverRecord, audit: &AuditRecord) -> Result<()> {
        self.memory().put_receiver(receiver, audit).await
    }

    async fn receivers(&self, tenant: &str) -> Result<Vec<ReceiverRecord>> {
        self.memory().receivers(tenant).await
    }

    async fn every_receiver(&self) -> Result<Vec<ReceiverRecord>> {
        self.memory().every_receiver().await
    }

    async fn rotate_receiver(&self, seen: &Sealed, new: &ReceiverRecord, audit: &AuditRecord) -> Result<bool> {
        self.memory().rotate_receiver(seen, new, audit).await
    }

    async fn disable_receiver(&self, id: &ReceiverId, why: &str, now: Timestamp, audit: &AuditRecord) -> Result<bool> {
        self.memory().disable_receiver(id, why, now, audit).await
    }

    async fn remove_receiver(&self, tenant: &str, id: &ReceiverId, audit: &AuditRecord) -> Result<bool> {
        self.memory().remove_receiver(tenant, id, audit).await
    }
}

#[async_trait]
impl Deliveries for NodeStore {
    async fn receivers_due(&self) -> Result<Vec<ReceiverRecord>> {
        self.memory().receivers_due().await
    }

    async fn deliveries_due(&self, receiver: &ReceiverId, limit: u32) -> Result<Vec<Delivery>> {
        self.memory().deliveries_due(receiver, limit).await
    }

    async fn claim_delivery(&self, seen: &Delivery, rest: SignedDuration) -> Result<Option<Delivery>> {
        self.memory().claim_delivery(seen, rest).await
    }

    async fn settle_delivery(&self, claimed: &Delivery, attempted: &Attempted) -> Result<bool> {
        self.memory().settle_delivery(claimed, attempted).await
    }

    async fn resend_events(&self, tenant: &str, which: &Resend, audit: &AuditRecord) -> Result<u64> {
        self.memory().resend_events(tenant, which, audit).await
    }
}
