//! One refresh at a time.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{GrantId, Result};

/// Lets one refresh of a grant run at a time, over all tasks and processes that use the store.
///
/// It spares requests and waiting; correctness rests on the generation and the mark of the grant, see [`Grants`](super::Grants).
#[async_trait]
pub trait RefreshLocks {
    /// Waits until nobody else holds the lock of this grant. It ends with the guard, or with the process. Other grants may share the lock:
    /// whoever holds one must not wait for a second.
    async fn lock_refresh(&self, grant: &GrantId) -> Result<Box<dyn RefreshGuard>>;
}

/// Holds the lock of a grant until it is dropped.
pub trait RefreshGuard: Debug + Send + Sync {}
