//! Flows in memory.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{MemoryStore, there_already};
use crate::store::{FlowRecord, Flows, Result};

#[async_trait]
impl Flows for MemoryStore {
    async fn put_flow(&self, flow: &FlowRecord) -> Result<()> {
        let mut state = self.lock();
        state.check_ours()?;
        if state.flows.values().any(|other| other.state_digest == flow.state_digest || other.id == flow.id) {
            return there_already("flow");
        }
        state.flows.insert(flow.state_digest.clone(), flow.clone());
        Ok(())
    }

    async fn take_flow(&self, state_digest: &str) -> Result<Option<FlowRecord>> {
        let mut state = self.lock();
        state.check_ours()?;
        Ok(state.flows.remove(state_digest))
    }

    async fn prune_flows(&self, now: Timestamp) -> Result<u64> {
        let mut state = self.lock();
        let before = state.flows.len();
        state.flows.retain(|_, flow| flow.expires_at > now);
        Ok(u64::try_from(before - state.flows.len()).unwrap_or(u64::MAX))
    }
}
