//! A store in memory: for tests that want thousands of them, and no file.
//!
//! It keeps the whole contract, as the databases do, except that nothing survives the process. What is asked of it is done at once, one
//! call after the other, and never waits.

mod api_keys;
mod audit;
mod connect_links;
mod connections;
mod deliveries;
mod disconnect;
mod events;
mod flows;
mod grants;
mod health;
mod idempotency;
mod import;
mod inventory;
mod link;
mod meta;
mod purge;
mod receivers;
mod refreshes;
mod reseal;
mod revocations;
mod samples;
mod sessions;
#[cfg(test)]
mod tests;
mod tick;
mod users;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use connector_core::metrics::MetricName;
use connector_core::{Context, PlatformId};
use jiff::{SignedDuration, Timestamp};

use crate::store::{
    ApiKeyRecord, AppHealth, AuditRecord, ConnectLinkRecord, ConnectionId, ConnectionRecord, DeliveryRecord,
    EventCursor, EventRecord, FlowRecord, GrantId, GrantRecord, InstanceId, InstanceName, KeyedRequest, Reading,
    ReceiverId, ReceiverRecord, Result, RevocationId, RevocationRecord, SessionRecord, StoreError, UserRecord, new_id,
};
use crate::vault::Sealed;

/// A store in memory. Its clock is that of its context: a host of several nodes gives each node a context of its own, and the store one
/// more.
#[derive(Debug)]
pub struct MemoryStore {
    cx: Context,
    instance: InstanceId,
    state: Mutex<State>,
}

/// All that is stored.
#[derive(Clone, Debug, Default)]
struct State {
    owner: Option<InstanceName>,
    vault_check: Option<Sealed>,
    flows: BTreeMap<String, FlowRecord>,
    grants: BTreeMap<GrantId, Row>,
    /// In the order they were made.
    connections: Vec<ConnectionRecord>,
    /// The number that each connection was given, also of those that were purged.
    numbers: BTreeMap<ConnectionId, i64>,
    revocations: BTreeMap<RevocationId, RevocationRecord>,
    health: BTreeMap<(PlatformId, String, String), AppHealth>,
    samples: BTreeMap<ConnectionId, BTreeMap<(MetricName, Timestamp), Kept>>,
    /// How many samples were ever given, also of connections that were purged.
    positions: i64,
    readings: BTreeMap<ConnectionId, Reading>,
    api_keys: Vec<ApiKeyRecord>,
    users: Vec<UserRecord>,
    sessions: Vec<SessionRecord>,
    connect_links: Vec<ConnectLinkRecord>,
    /// By tenant and digest of the key.
    requests: BTreeMap<(String, String), KeyedRequest>,
    audit: Vec<AuditRecord>,
    /// When each tenant's latest grant was made, or its latest connection given up.
    latest: BTreeMap<String, Timestamp>,
    /// In the order in which they were stored.
    events: Vec<EventRecord>,
    receivers: Vec<ReceiverRecord>,
    deliveries: BTreeMap<(EventCursor, ReceiverId), DeliveryRecord>,
    /// When the call that is under way began, by the store's clock.
    now: Timestamp,
}

/// A value with its place among all samples, in the order in which they were stored.
#[derive(Clone, Copy, Debug)]
struct Kept {
    value: i64,
    position: i64,
}

/// A grant with what a store alone knows of it.
#[derive(Clone, Debug)]
struct Row {
    grant: GrantRecord,
    /// When the latest request was sent, by the clock that nobody can set.
    sent: Option<tick::Boot>,
}

impl MemoryStore {
    /// An empty store. Time is measured by the clock of this context.
    ///
    /// # Errors
    /// When the context has no randomness to give.
    pub fn new(cx: &Context) -> connector_core::Result<Self> {
        let instance = InstanceId::new(new_id(cx)?.to_string());
        Ok(Self { cx: cx.clone(), instance, state: Mutex::default() })
    }

    /// A grant of any tenant, as it is now.
    pub fn peek(&self, id: &GrantId) -> Option<GrantRecord> {
        self.lock().grants.get(id).map(|row| row.grant.clone())
    }

    /// Everything it keeps, as text and bytes: for a test that looks for what must not be there.
    pub fn dump(&self) -> Vec<u8> {
        let state = self.lock();
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = write!(text, "{:?}", *state);
        let mut bytes = text.into_bytes();
        bytes.extend(state.sealed().flat_map(Sealed::as_bytes));
        bytes
    }

    /// A change that fails half-way must not show: each call checks first and changes then, or changes a copy.
    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.now = tick::Tick::of(&self.cx).now;
        state
    }
}

impl State {
    fn sealed(&self) -> impl Iterator<Item = &Sealed> {
        let grants = self.grants.values().map(|row| &row.grant);
        let grants = grants.flat_map(|grant| [&grant.access, &grant.refresh, &grant.kept_answer]);
        let tokens = self.revocations.values().map(|revocation| &revocation.tokens);
        let revocations = tokens.flat_map(|tokens| [&tokens.access, &tokens.refresh]);
        let previous = self.receivers.iter().map(|receiver| &receiver.previous_secret);
        let optional = grants.chain(revocations).chain(previous).chain([&self.vault_check]).flatten();
        let optional = optional.chain(self.receivers.iter().map(|receiver| &receiver.secret));
        let answers = self.requests.values().filter_map(|request| request.answer.as_ref());
        optional.chain(self.flows.values().map(|flow| &flow.sealed)).chain(answers)
    }

    fn of_tenant(&self, tenant: &str, id: &GrantId) -> Option<&Row> {
        self.grants.get(id).filter(|row| row.grant.tenant == tenant)
    }

    fn of_tenant_mut(&mut self, tenant: &str, id: &GrantId) -> Option<&mut Row> {
        self.grants.get_mut(id).filter(|row| row.grant.tenant == tenant)
    }

    /// The time at which a grant is made or a connection given up: now, or just after the latest of them, should this clock be behind.
    fn next(&mut self, tenant: &str, now: Timestamp) -> Timestamp {
        let latest = self.latest.entry(tenant.to_owned()).or_insert(now);
        *latest = if now >= *latest { now } else { *latest + SignedDuration::from_millis(1) };
        *latest
    }

    fn has_connection(&self, grant: &GrantId) -> bool {
        self.connections.iter().any(|connection| connection.grant_id == *grant)
    }

    fn has_live_connection(&self, grant: &GrantId) -> bool {
        self.live_connections(grant) > 0
    }
}

fn there_already<T>(what: &str) -> Result<T> {
    Err(StoreError::Conflict(format!("there is such a {what} already")))
}
