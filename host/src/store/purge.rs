//! Purges: one account erased for good.

use async_trait::async_trait;

use super::{AuditRecord, ConnectionId, Result};

/// The word of the record of a purge.
pub const PURGED: &str = "purged";

/// A connection to be erased.
#[derive(Clone, Debug)]
pub struct Purge {
    /// Whose.
    pub tenant: String,
    /// Which.
    pub connection: ConnectionId,
    /// Erase it although the platform has not been told that its access has ended.
    pub leave_access: bool,
    /// The record of it, [`PURGED`], which is all that stays besides the earlier records.
    pub audit: AuditRecord,
}

/// What purging did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purged {
    /// Everything about the account is deleted.
    Done,
    /// Nothing: its access is still to be revoked.
    AccessLeft,
}

/// Erases.
#[async_trait]
pub trait Purges {
    /// Deletes a disconnected connection with its samples and its latest reading, the flows that were to renew it, its grant if no other
    /// connection works by that, and the revocations of its person's access under the app. Earlier audit records stay: they name nobody.
    ///
    /// # Errors
    /// [`StoreError::NotFound`](super::StoreError::NotFound) when the tenant has no such connection,
    /// [`StoreError::Conflict`](super::StoreError::Conflict) when it is not disconnected.
    async fn purge_connection(&self, purge: &Purge) -> Result<Purged>;

    /// The records of all purges, of any tenant, the earliest first.
    async fn purge_records(&self) -> Result<Vec<AuditRecord>>;

    /// Makes what was deleted leave the store's files too. False where that cannot be done, or not while others read.
    async fn shred(&self) -> Result<bool>;
}
