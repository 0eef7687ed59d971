//! Sessions: a user who has signed in, in one browser. A store never has what the browser shows.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{AuditRecord, Result, UserId, UserRecord};

/// A user who has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// The SHA-256 of its token in hex: the session is found by this, and a thief of the database finds nothing to show.
    pub digest: String,
    /// Whose it is.
    pub user: UserId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was used last, to about a minute.
    pub last_seen_at: Timestamp,
    /// When it ends, however it is used.
    pub expires_at: Timestamp,
}

/// Keeps sessions until they end.
#[async_trait]
pub trait Sessions {
    /// Begins a session of a user whose password was compared with this hash, and records it. False when the user is disabled or has another
    /// password by now: nothing has changed then.
    ///
    /// # Errors
    /// [`StoreError::Conflict`](super::StoreError::Conflict) when there is a session of this digest,
    /// [`StoreError::NotOurs`](super::StoreError::NotOurs) when the store is another instance's.
    async fn put_session(&self, session: &SessionRecord, password_hash: &str, audit: &AuditRecord) -> Result<bool>;

    /// The session of this digest with its user, however both stand. Every page asks this.
    async fn session_by_digest(&self, digest: &str) -> Result<Option<(SessionRecord, UserRecord)>>;

    /// Notes that a session is used now, unless that was noted after a time.
    async fn session_seen(&self, digest: &str, now: Timestamp, unless_after: Timestamp) -> Result<()>;

    /// Ends a session and records it. False when there is none: nothing has changed then.
    async fn end_session(&self, digest: &str, audit: &AuditRecord) -> Result<bool>;

    /// Ends the sessions of a user, but for the one of this digest, and records it if there were any. Says how many.
    async fn end_sessions(&self, user: &UserId, but: Option<&str>, audit: &AuditRecord) -> Result<u64>;

    /// The sessions of a user, the oldest first.
    async fn sessions_of(&self, user: &UserId) -> Result<Vec<SessionRecord>>;

    /// Forgets the sessions that ended by one time, or were used last by another. Says how many.
    async fn prune_sessions(&self, expired_at: Timestamp, idle_since: Timestamp) -> Result<u64>;
}
