//! API keys: what a program shows to be let in. A store never has the secret of one.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{ApiKeyId, AuditRecord, Result};
use crate::api_keys::Right;

/// A key that was made for a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyRecord {
    /// Its id.
    pub id: ApiKeyId,
    /// What people call it. No two live keys of a store have one name.
    pub name: String,
    /// For whose connections it is. `None` is the key of a server, which names the tenant with every request.
    pub tenant: Option<String>,
    /// What it allows.
    pub rights: BTreeSet<Right>,
    /// The SHA-256 of its secret in hex: the key is found by this, and a thief of the database finds nothing to show.
    pub digest: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is of no use, if that was said.
    pub expires_at: Option<Timestamp>,
    /// When it was taken back, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// How a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiKeyState {
    /// It lets its bearer in.
    Active,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

impl ApiKeyState {
    /// The state as one stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl ApiKeyRecord {
    /// How it stands at a time.
    pub fn state(&self, now: Timestamp) -> ApiKeyState {
        if self.revoked_at.is_some() {
            ApiKeyState::Revoked
        } else if self.expires_at.is_some_and(|expires_at| expires_at <= now) {
            ApiKeyState::Expired
        } else {
            ApiKeyState::Active
        }
    }
}

/// Keeps API keys. A key that is no longer of use stays, so that everybody sees what there was.
#[async_trait]
pub trait ApiKeys {
    /// Adds a key and records it. False when a key that is active as this one is made has its name: nothing has changed then.
    ///
    /// # Errors
    /// [`StoreError::Conflict`](super::StoreError::Conflict) when there is a key of this id or digest,
    /// [`StoreError::NotOurs`](super::StoreError::NotOurs) when the store is another instance's.
    async fn put_api_key(&self, key: &ApiKeyRecord, audit: &AuditRecord) -> Result<bool>;

    /// The key of this digest, however it stands. Every request to the API asks this.
    async fn api_key_by_digest(&self, digest: &str) -> Result<Option<ApiKeyRecord>>;

    /// All keys, the oldest first.
    async fn api_keys(&self) -> Result<Vec<ApiKeyRecord>>;

    /// Takes a key back for good and records it. False when there is no such key, or it was taken back before: nothing has changed then.
    ///
    /// # Errors
    /// [`StoreError::NotOurs`](super::StoreError::NotOurs) when the store is another instance's.
    async fn revoke_api_key(&self, id: &ApiKeyId, now: Timestamp, audit: &AuditRecord) -> Result<bool>;
}
