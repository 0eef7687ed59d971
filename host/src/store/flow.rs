//! Flows under way.

use async_trait::async_trait;
use connector_core::PlatformId;
use jiff::Timestamp;

use super::{ConnectionId, FlowId, Result};
use crate::vault::Sealed;

/// A flow that waits for its callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowRecord {
    /// Its id, for the audit and as the owner of what is sealed.
    pub id: FlowId,
    /// The SHA-256 of its `state` in hex: the callback finds it by this, and a thief of the database finds nothing.
    pub state_digest: String,
    /// Whose connection it will be.
    pub tenant: String,
    /// The platform.
    pub platform: PlatformId,
    /// The app, by the operator's name.
    pub app: String,
    /// The product's own id for the connection.
    pub reference: Option<String>,
    /// The connection this flow renews, if it renews one.
    pub reconnects: Option<ConnectionId>,
    /// The SHA-256 in hex of what binds the flow to the browser or the listener it began in.
    pub initiator_digest: String,
    /// What the provider wants back: verifier and the like.
    pub sealed: Sealed,
    /// When it began.
    pub created_at: Timestamp,
    /// When it is too late.
    pub expires_at: Timestamp,
}

/// Whose flow a callback may end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowFilter {
    /// Of this tenant only.
    pub tenant: Option<String>,
    /// Of this platform only.
    pub platform: Option<PlatformId>,
    /// Of the app of this name only.
    pub app: Option<String>,
}

/// Keeps flows for one use.
#[async_trait]
pub trait Flows {
    /// Stores a flow, and removes those that had expired when it began.
    ///
    /// # Errors
    /// [`StoreError::Conflict`](super::StoreError::Conflict) when there is one with this state or this id.
    async fn put_flow(&self, flow: &FlowRecord) -> Result<()>;

    /// Takes a flow out, if it passes the filter: of any number of callers at the same time, one gets it. What does not pass stays as it was.
    /// The caller checks whether it has expired.
    async fn take_flow(&self, state_digest: &str, filter: &FlowFilter) -> Result<Option<FlowRecord>>;

    /// Removes what expired at this time or before, and says how many.
    async fn prune_flows(&self, now: Timestamp) -> Result<u64>;
}
