//! The store as a whole, over all tenants: for whoever looks after it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::SignedDuration;

use super::{AuditRecord, ConnectionRecord, GrantId, GrantRecord, Place, Result};

/// What a store is and how much is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stock {
    /// Where it is, without secrets.
    pub place: Place,
    /// The database it is in, as one stable word.
    pub kind: &'static str,
    /// The last step of its schema.
    pub schema_step: i64,
    /// How many grants there are in each state, by the state's word. A state without any is missing.
    pub grants: BTreeMap<String, u64>,
    /// How many connections have not been disconnected.
    pub connections: u64,
    /// How many have been.
    pub disconnected: u64,
    /// How many values of metrics are kept.
    pub samples: u64,
}

/// Looks at a store as a whole.
#[async_trait]
pub trait Inventory {
    /// What it is and how much is in it.
    async fn stock(&self) -> Result<Stock>;

    /// Every grant of every tenant, the oldest first.
    async fn every_grant(&self) -> Result<Vec<GrantRecord>>;

    /// Every connection of every tenant, the oldest first.
    async fn every_connection(&self) -> Result<Vec<ConnectionRecord>>;

    /// Notes that a grant's refresh token may have been sent without anybody here knowing what came of it, as after a restore: a
    /// request that was sent so long ago, by the clock of the store, and ended in doubt. It is recorded with this. False means that the
    /// grant is neither active nor held, or has no refresh token: then nothing changes, and nothing is recorded.
    async fn doubt_refresh(&self, id: &GrantId, ago: SignedDuration, audit: &AuditRecord) -> Result<bool>;

    /// Puts a grant as another state of this store knows it in place of what this one knows: its tokens with their generation and what was
    /// sent, its scopes, and how it stands. Whose it is, its subject and what is to become of its accounts stay. It is recorded with this.
    /// False means that there is no such grant, that it is over in one of the two, or is of a later generation here: then nothing changes.
    async fn carry_over(&self, grant: &GrantRecord, audit: &AuditRecord) -> Result<bool>;
}
