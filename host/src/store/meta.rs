//! What a store knows about itself.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{AuditRecord, Result};
use crate::vault::Sealed;

/// Names one store among all others. A copy of a store has the name of its original.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InstanceId(String);

impl InstanceId {
    /// Takes the id as text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Tells a store from others, and its vault's keys from others.
#[async_trait]
pub trait Meta {
    /// The id it got when it was made.
    async fn instance_id(&self) -> Result<InstanceId>;

    /// The constant sealed with the store's keys, see [`Vault::prove`](crate::vault::Vault::prove).
    async fn vault_check(&self) -> Result<Option<Sealed>>;

    /// Puts a constant in the place of the one that was seen, `None` where there was none, and adds the record of it. False means that
    /// somebody else was first: then nothing changes, and nothing is recorded.
    async fn set_vault_check(&self, seen: Option<&Sealed>, check: &Sealed, audit: Option<&AuditRecord>)
    -> Result<bool>;

    /// Writes down that a host works, and when: a row like any other, by which a host learns whether the store takes anything.
    ///
    /// # Errors
    /// [`StoreError::NotOurs`](super::StoreError::NotOurs) for whoever only looks.
    async fn note_alive(&self, now: Timestamp) -> Result<()>;

    /// Whether anything sealed is stored, apart from that constant.
    async fn has_sealed_rows(&self) -> Result<bool>;
}
