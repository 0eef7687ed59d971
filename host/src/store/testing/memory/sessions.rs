//! Sessions in memory.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{MemoryStore, there_already};
use crate::store::{AuditRecord, Result, SessionRecord, Sessions, UserId, UserRecord};

#[async_trait]
impl Sessions for MemoryStore {
    async fn put_session(&self, session: &SessionRecord, password_hash: &str, audit: &AuditRecord) -> Result<bool> {
        let mut state = self.lock();
        state.check_ours()?;
        let may = |user: &UserRecord| user.is_active() && user.password_hash == password_hash;
        if !state.users.iter().any(|user| user.id == session.user && may(user)) {
            return Ok(false);
        }
        if state.sessions.iter().any(|other| other.digest == session.digest) {
            return there_already("session");
        }
        state.sessions.push(session.clone());
        state.audit.push(audit.clone());
        Ok(true)
    }

    async fn session_by_digest(&self, digest: &str) -> Result<Option<(SessionRecord, UserRecord)>> {
        let state = self.lock();
        let found = state.sessions.iter().find(|session| session.digest == digest);
        Ok(found.and_then(|session| {
            let user = state.users.iter().find(|user| user.id == session.user)?;
            Some((session.clone(), user.clone()))
        }))
    }

    async fn session_seen(&self, digest: &str, now: Timestamp, unless_after: Timestamp) -> Result<()> {
        let mut state = self.lock();
        let found = state.sessions.iter_mut().find(|session| session.digest == digest);
        if let Some(session) = found.filter(|session| session.last_seen_at <= unless_after) {
            session.last_seen_at = now;
        }
        Ok(())
    }

    async fn end_session(&self, digest: &str, audit: &AuditRecord) -> Result<bool> {
        Ok(self.end_those(|session| session.digest == digest, Some(audit)) > 0)
    }

    async fn end_sessions(&self, user: &UserId, but: Option<&str>, audit: &AuditRecord) -> Result<u64> {
        let meant = |session: &SessionRecord| session.user == *user && Some(session.digest.as_str()) != but;
        Ok(self.end_those(meant, Some(audit)))
    }

    async fn sessions_of(&self, user: &UserId) -> Result<Vec<SessionRecord>> {
        let mut all: Vec<_> = self.lock().sessions.iter().filter(|session| session.user == *user).cloned().collect();
        all.sort_by(|a, b| (a.created_at, &a.digest).cmp(&(b.created_at, &b.digest)));
        Ok(all)
    }

    async fn prune_sessions(&self, expired_at: Timestamp, idle_since: Timestamp) -> Result<u64> {
        let is_over = |session: &SessionRecord| session.expires_at <= expired_at || session.last_seen_at <= idle_since;
        Ok(self.end_those(is_over, None))
    }
}

impl MemoryStore {
    /// Ends the sessions that are meant, and records it if there were any. Says how many.
    fn end_those(&self, meant: impl Fn(&SessionRecord) -> bool, audit: Option<&AuditRecord>) -> u64 {
        let mut state = self.lock();
        let before = state.sessions.len();
        state.sessions.retain(|session| !meant(session));
        let ended = before - state.sessions.len();
        state.audit.extend(audit.filter(|_| ended > 0).cloned());
        ended.try_into().unwrap_or(u64::MAX)
    }
}
