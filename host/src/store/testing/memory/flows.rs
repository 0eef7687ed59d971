//! Flows in memory.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{MemoryStore, there_already};
use crate::store::{FlowFilter, FlowRecord, Flows, Result};

#[async_trait]
impl Flows for MemoryStore {
    async fn put_flow(&self, flow: &FlowRecord) -> Result<()> {
        let mut state = self.lock();
        state.check_ours()?;
        if state.flows.values().any(|other| other.state_digest == flow.state_digest || other.id == flow.id) {
            return there_already("flow");
        }
        state.flows.retain(|_, other| other.expires_at > flow.created_at);
        state.flows.insert(flow.state_digest.clone(), flow.clone());
        Ok(())
    }

    async fn take_flow(&self, state_digest: &str, filter: &FlowFilter) -> Result<Option<FlowRecord>> {
        let mut state = self.lock();
        state.check_ours()?;
        let is_meant = state.flows.get(state_digest).is_some_and(|flow| passes(flow, filter));
        Ok(if is_meant { state.flows.remove(state_digest) } else { None })
    }

    async fn prune_flows(&self, now: Timestamp) -> Result<u64> {
        let mut state = self.lock();
        let before = state.flows.len();
        state.flows.retain(|_, flow| flow.expires_at > now);
        Ok(u64::try_from(before - state.flows.len()).unwrap_or(u64::MAX))
    }
}

fn passes(flow: &FlowRecord, filter: &FlowFilter) -> bool {
    filter.tenant.as_ref().is_none_or(|tenant| *tenant == flow.tenant)
        && filter.platform.as_ref().is_none_or(|platform| *platform == flow.platform)
        && filter.app.as_ref().is_none_or(|app| *app == flow.app)
}
