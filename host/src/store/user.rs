//! Users: the people who sign in to the pages. A store never has the password of one.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{AuditRecord, Result, UserId};

/// Somebody who may sign in.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// The user's id.
    pub id: UserId,
    /// What the user signs in with. No two users of a store have one name, however it is capitalised.
    pub name: String,
    /// Whose connections the user sees. `None` is an admin, who sees those of every tenant.
    pub tenant: Option<String>,
    /// What the password is compared with, as a PHC text: its algorithm, cost, salt and hash.
    pub password_hash: String,
    /// When the user was added.
    pub created_at: Timestamp,
    /// Since when the user has this password.
    pub password_changed_at: Timestamp,
    /// Since when the user may not sign in, if that is so. It is for good.
    pub disabled_at: Option<Timestamp>,
}

impl UserRecord {
    /// Whether the user sees every tenant.
    pub fn is_admin(&self) -> bool {
        self.tenant.is_none()
    }

    /// Whether the user may sign in.
    pub fn is_active(&self) -> bool {
        self.disabled_at.is_none()
    }
}

/// A name as it is compared.
pub fn user_name_key(name: &str) -> String {
    name.to_lowercase()
}

impl fmt::Debug for UserRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, name, tenant, password_hash: _, created_at, password_changed_at, disabled_at } = self;
        let mut shown = f.debug_struct("UserRecord");
        shown.field("id", id).field("name", name).field("tenant", tenant).field("created_at", created_at);
        shown.field("password_changed_at", password_changed_at).field("disabled_at", disabled_at);
        shown.finish_non_exhaustive()
    }
}

/// Which users there have to be already for one to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserCondition {
    /// Whoever there is.
    Any,
    /// No admin.
    NoAdmin,
}

/// Keeps users. One who may not sign in any more stays, so that everybody sees who there was.
#[async_trait]
pub trait Users {
    /// Adds a user and records it. False when the name is taken, also by one who is disabled, or the condition does not hold: nothing has
    /// changed then.
    ///
    /// # Errors
    /// [`StoreError::Conflict`](super::StoreError::Conflict) when there is a user of this id,
    /// [`StoreError::NotOurs`](super::StoreError::NotOurs) when the store is another instance's.
    async fn put_user(&self, user: &UserRecord, when: UserCondition, audit: &AuditRecord) -> Result<bool>;

    /// A user, however he stands.
    async fn user(&self, id: &UserId) -> Result<Option<UserRecord>>;

    /// The user of a name, however it is capitalised and however he stands.
    async fn user_by_name(&self, name: &str) -> Result<Option<UserRecord>>;

    /// All users, the oldest first.
    async fn users(&self) -> Result<Vec<UserRecord>>;

    /// Gives a user another password, ends every session of his and records it. False when there is no such user: nothing has changed then.
    ///
    /// # Errors
    /// [`StoreError::NotOurs`](super::StoreError::NotOurs) when the store is another instance's.
    async fn set_password(&self, id: &UserId, hash: &str, now: Timestamp, audit: &AuditRecord) -> Result<bool>;

    /// Lets a user sign in no more, for good, ends every session of his and records it. False when there is no such user, or he was disabled
    /// before: nothing has changed then.
    ///
    /// # Errors
    /// [`StoreError::NotOurs`](super::StoreError::NotOurs) when the store is another instance's.
    async fn disable_user(&self, id: &UserId, now: Timestamp, audit: &AuditRecord) -> Result<bool>;
}
