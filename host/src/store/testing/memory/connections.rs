//! Connections in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use connector_core::account::Profile;
use connector_core::{PlatformId, ScopeSet};
use jiff::Timestamp;

use super::{MemoryStore, State};
use crate::store::{
    Connected, ConnectionCursor, ConnectionFilter, ConnectionGrant, ConnectionId, ConnectionPage, ConnectionRecord,
    Connections, Disconnect, Disconnection, GrantId, Links, NewConnection, Result, StateCount, StoreError,
};

#[async_trait]
impl Connections for MemoryStore {
    async fn link_accounts(
        &self,
        tenant: &str,
        grant: &GrantId,
        ever_granted: &ScopeSet,
        accounts: Vec<NewConnection>,
        now: Timestamp,
    ) -> Result<Links> {
        let mut state = self.lock();
        let grant = state.grant_to_link(tenant, grant)?;
        let links = state.link_all(&grant, accounts, now)?;
        if let Some(row) = state.grants.get_mut(&grant.id) {
            row.grant.unlinked = None;
            row.grant.scopes.ever_granted.extend(ever_granted.iter().cloned());
            row.grant.updated_at = now;
        }
        Ok(links)
    }

    async fn connections_page(
        &self,
        filter: &ConnectionFilter,
        after: Option<ConnectionCursor>,
        limit: u32,
    ) -> Result<ConnectionPage> {
        let state = self.lock();
        let placed = state.connections.iter().filter(|connection| passes(connection, filter));
        let placed = placed.map(|connection| (state.cursor_of(&connection.id), connection.clone()));
        let next = placed.filter(|(place, _)| Some(*place) > after);
        let most = usize::try_from(limit.max(1)).unwrap_or(usize::MAX).saturating_add(1);
        let found = next.take(most).map(|(place, connection)| Ok((place, state.with_grant(connection)?)));
        Ok(ConnectionPage::of(found.collect::<Result<_>>()?, limit, |(place, _), _| *place))
    }

    async fn count_by_state(&self) -> Result<Vec<StateCount>> {
        let state = self.lock();
        let mut counts = BTreeMap::new();
        for connection in &state.connections {
            let found = state.with_grant(connection.clone())?;
            let key = (connection.platform.clone(), connection.app.clone(), found.state());
            *counts.entry(key).or_insert(0) += 1;
        }
        Ok(counts
            .into_iter()
            .map(|((platform, app, state), count)| StateCount { platform, app, state, count })
            .collect())
    }

    async fn connections_of(
        &self,
        tenant: &str,
        platform: &PlatformId,
        app: &str,
        account_ids: &[&str],
    ) -> Result<Vec<Connected>> {
        let state = self.lock();
        let found = account_ids.iter().map(|account| state.of_account(tenant, platform, app, account));
        found.filter_map(Result::transpose).collect()
    }

    async fn connection(&self, tenant: &str, id: &ConnectionId) -> Result<Option<Connected>> {
        unless_missing(self.lock().connected(tenant, id))
    }

    async fn own_connection_grant(&self, tenant: &str, id: &ConnectionId) -> Result<Option<ConnectionGrant>> {
        let state = self.lock();
        state.check_ours()?;
        let found = unless_missing(state.connected(tenant, id))?;
        Ok(found.map(|Connected { connection: ConnectionRecord { account_id, disconnected_at, .. }, grant }| {
            ConnectionGrant { account_id, disconnected_at, grant }
        }))
    }

    async fn update_profile(&self, id: &ConnectionId, profile: &Profile, now: Timestamp) -> Result<()> {
        let mut state = self.lock();
        let found = state.connections.iter_mut().find(|connection| connection.id == *id);
        let connection = found.ok_or_else(|| StoreError::NotFound { what: "connection", id: id.to_string() })?;
        connection.profile = profile.clone();
        connection.updated_at = now;
        Ok(())
    }

    async fn disconnect(&self, disconnect: &Disconnect) -> Result<Disconnection> {
        let mut state = self.lock();
        state.check_ours()?;
        state.disconnect(disconnect)
    }
}

fn unless_missing(found: Result<Connected>) -> Result<Option<Connected>> {
    match found {
        Err(StoreError::NotFound { .. }) => Ok(None),
        found => found.map(Some),
    }
}

fn passes(connection: &ConnectionRecord, filter: &ConnectionFilter) -> bool {
    connection.tenant == filter.tenant
        && filter.platform.as_ref().is_none_or(|platform| *platform == connection.platform)
        && filter.account_id.as_ref().is_none_or(|account| *account == connection.account_id)
        && (filter.reference.is_none() || filter.reference == connection.reference)
}

impl State {
    fn cursor_of(&self, id: &ConnectionId) -> ConnectionCursor {
        ConnectionCursor::new(self.numbers.get(id).copied().unwrap_or_default())
    }

    /// A connection together with its grant.
    pub(super) fn with_grant(&self, connection: ConnectionRecord) -> Result<Connected> {
        let missing = || StoreError::corrupt("connection", format_args!("the grant of {} is missing", connection.id));
        let grant = self.grants.get(&connection.grant_id).map(|row| row.grant.clone()).ok_or_else(missing)?;
        Ok(Connected { connection, grant })
    }
}
