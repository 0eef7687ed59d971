//! Users in memory.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{MemoryStore, State, there_already};
use crate::store::{AuditRecord, Result, UserCondition, UserId, UserRecord, Users, user_name_key};

#[async_trait]
impl Users for MemoryStore {
    async fn put_user(&self, user: &UserRecord, when: UserCondition, audit: &AuditRecord) -> Result<bool> {
        let mut state = self.lock();
        state.check_ours()?;
        let key = user_name_key(&user.name);
        let has_admin = state.users.iter().any(UserRecord::is_admin);
        let is_taken = state.users.iter().any(|other| user_name_key(&other.name) == key);
        if is_taken || (when == UserCondition::NoAdmin && has_admin) {
            return Ok(false);
        }
        if state.users.iter().any(|other| other.id == user.id) {
            return there_already("user");
        }
        state.users.push(user.clone());
        state.audit.push(audit.clone());
        Ok(true)
    }

    async fn user(&self, id: &UserId) -> Result<Option<UserRecord>> {
        Ok(self.lock().users.iter().find(|user| user.id == *id).cloned())
    }

    async fn user_by_name(&self, name: &str) -> Result<Option<UserRecord>> {
        let key = user_name_key(name);
        Ok(self.lock().users.iter().find(|user| user_name_key(&user.name) == key).cloned())
    }

    async fn users(&self) -> Result<Vec<UserRecord>> {
        let mut users = self.lock().users.clone();
        users.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(users)
    }

    async fn set_password(&self, id: &UserId, hash: &str, now: Timestamp, audit: &AuditRecord) -> Result<bool> {
        let mut state = self.lock();
        state.check_ours()?;
        let Some(user) = state.users.iter_mut().find(|user| user.id == *id) else { return Ok(false) };
        (user.password_hash, user.password_changed_at) = (hash.to_owned(), now);
        state.shut_out(id, audit);
        Ok(true)
    }

    async fn disable_user(&self, id: &UserId, now: Timestamp, audit: &AuditRecord) -> Result<bool> {
        let mut state = self.lock();
        state.check_ours()?;
        let Some(user) = state.users.iter_mut().find(|user| user.id == *id && user.is_active()) else {
            return Ok(false);
        };
        user.disabled_at = Some(now);
        state.shut_out(id, audit);
        Ok(true)
    }
}

impl State {
    fn shut_out(&mut self, id: &UserId, audit: &AuditRecord) {
        self.sessions.retain(|session| session.user != *id);
        self.audit.push(audit.clone());
    }
}
