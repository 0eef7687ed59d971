//! Requests that a program may send again without their being done again.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{KeyedRequestId, Result};
use crate::vault::Sealed;

/// A request that was sent under a key of the program's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedRequest {
    /// Its id, as the owner of what is sealed.
    pub id: KeyedRequestId,
    /// Whose it is. Two tenants may use one key.
    pub tenant: String,
    /// The SHA-256 of the key in hex.
    pub key_digest: String,
    /// The SHA-256 in hex of what was asked for: under one key that is always the same.
    pub request_digest: String,
    /// What it was answered. `None` while it is under way.
    pub answer: Option<Sealed>,
    /// Until when it is under way, if no answer comes: whoever carried it out is gone then.
    pub leased_until: Timestamp,
    /// Until when it is remembered.
    pub expires_at: Timestamp,
}

impl KeyedRequest {
    /// Whether it stands in the way of another under its key.
    pub fn counts(&self, now: Timestamp) -> bool {
        self.expires_at > now && (self.answer.is_some() || self.leased_until > now)
    }
}

/// Keeps what was sent under a key, so that it is done once.
#[async_trait]
pub trait Idempotency {
    /// Begins a request: of any number under one key of a tenant at the same time, one is begun. Gives the one that is there already, and
    /// begins nothing then. One that has expired, or whose lease has ended without an answer, makes room.
    ///
    /// # Errors
    /// [`StoreError::NotOurs`](super::StoreError::NotOurs) when the store is another instance's.
    async fn begin_request(&self, request: &KeyedRequest, now: Timestamp) -> Result<Option<KeyedRequest>>;

    /// Keeps the answer of a request that was begun. False when it has none to keep any more: another has taken its place.
    async fn answer_request(&self, id: &KeyedRequestId, answer: &Sealed) -> Result<bool>;

    /// Forgets a request that was begun and not answered, so that it may be sent again.
    async fn forget_request(&self, id: &KeyedRequestId) -> Result<()>;

    /// Removes what expired at this time or before, and says how many.
    async fn prune_requests(&self, now: Timestamp) -> Result<u64>;
}
