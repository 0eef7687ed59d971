//! The store as a whole in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::PathBuf;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::tick::Tick;
use super::{MemoryStore, Row};
use crate::store::{
    AuditRecord, ConnectionRecord, GrantId, GrantRecord, GrantState, HeldPage, HeldScopes, Inventory, Place,
    RefreshMark, Result, Stock,
};

const KIND: &str = "memory";
/// It is always made anew, so that its shape has one step.
const ONLY_STEP: i64 = 1;

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Adds so many connections of a grant to those that hold the same.
fn add(all: &mut Vec<HeldScopes>, grant: &GrantRecord, connections: u64) {
    let is_alike = |held: &&mut HeldScopes| {
        (&held.platform, &held.app, &held.scopes) == (&grant.platform, &grant.app, &grant.scopes)
    };
    match all.iter_mut().find(is_alike) {
        Some(held) => held.connections += connections,
        None if connections > 0 => all.push(HeldScopes {
            platform: grant.platform.clone(),
            app: grant.app.clone(),
            scopes: grant.scopes.clone(),
            connections,
        }),
        None => {}
    }
}

#[async_trait]
impl Inventory for MemoryStore {
    async fn stock(&self) -> Result<Stock> {
        let state = self.lock();
        let mut grants = BTreeMap::new();
        for row in state.grants.values() {
            *grants.entry(row.grant.state.as_str().to_owned()).or_insert(0) += 1;
        }
        let disconnected = state.connections.iter().filter(|connection| connection.disconnected_at.is_some()).count();
        Ok(Stock {
            place: Place::File(PathBuf::from(KIND)),
            kind: KIND,
            schema_step: ONLY_STEP,
            grants,
            connections: count(state.connections.len() - disconnected),
            disconnected: count(disconnected),
            samples: count(state.samples.values().map(BTreeMap::len).sum()),
        })
    }

    async fn every_grant(&self) -> Result<Vec<GrantRecord>> {
        let mut all: Vec<_> = self.lock().grants.values().map(|row| row.grant.clone()).collect();
        all.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(all)
    }

    async fn every_connection(&self) -> Result<Vec<ConnectionRecord>> {
        Ok(self.lock().connections.clone())
    }

    async fn held_scopes(&self, tenant: Option<&str>, after: Option<&GrantId>, grants: u32) -> Result<HeldPage> {
        let state = self.lock();
        let next =
            state.grants.range::<GrantId, _>((after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded));
        let next = next.filter(|(_, row)| tenant.is_none_or(|tenant| row.grant.tenant == tenant));
        let mut page = HeldPage::default();
        for (id, Row { grant, .. }) in next.take(usize::try_from(grants).unwrap_or(usize::MAX)) {
            page.last = Some(id.clone());
            let connections = if grant.state.is_over() { 0 } else { state.live_connections(id) };
            add(&mut page.held, grant, count(connections));
        }
        Ok(page)
    }

    async fn doubt_refresh(&self, id: &GrantId, ago: SignedDuration, audit: &AuditRecord) -> Result<bool> {
        let mut state = self.lock();
        state.check_ours()?;
        let sent_at = Tick::of(&self.cx).now.saturating_sub(ago).unwrap_or(Timestamp::MIN);
        let Some(row) = state.grants.get_mut(id) else { return Ok(false) };
        let usable = matches!(row.grant.state, GrantState::Active | GrantState::Held { .. });
        if !usable || row.grant.refresh.is_none() {
            return Ok(false);
        }
        let unanswered = row.grant.refresh_mark.as_ref().map_or(1, |mark| mark.unanswered.max(1));
        row.grant.refresh_mark = Some(RefreshMark { attempt: None, sent_at, unanswered });
        row.sent = None;
        state.audit.push(audit.clone());
        Ok(true)
    }

    async fn carry_over(&self, grant: &GrantRecord, audit: &AuditRecord) -> Result<bool> {
        let mut state = self.lock();
        state.check_ours()?;
        let carried = !grant.state.is_over() && state.replace_grant(grant);
        if carried {
            state.audit.push(audit.clone());
        }
        Ok(carried)
    }
}
