//! Sessions: what begins when somebody signs in.

use connector_core::Secret;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::record;
use crate::error::Result;
use crate::host::Host;
use crate::store::{SessionRecord, UserRecord};

/// How long a session lives that nobody uses.
const IDLE: SignedDuration = SignedDuration::from_hours(12);

/// How long a session lives however it is used.
const LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How exactly it is known when a session was used last.
const SEEN: SignedDuration = SignedDuration::from_mins(1);

/// What a browser shows: the store knows its digest alone.
#[derive(Clone, Debug)]
pub(crate) struct SessionToken(pub(crate) Secret);

impl SessionToken {
    /// What every form of this session carries. Nobody comes to the token by it.
    pub(crate) fn form_token(&self) -> Secret {
        form_token("session", &self.0)
    }
}

/// What forms carry that belong to whoever has this secret: another one for each label.
pub(crate) fn form_token(label: &str, secret: &Secret) -> Secret {
    let digest = Sha256::digest(format!("connector-host form {label}\n{}", secret.expose()));
    Secret::from(hex::encode(digest))
}

/// Somebody who has signed in.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) user: UserRecord,
    pub(crate) session: SessionRecord,
}

/// Whether a session lets anybody in.
fn is_alive(session: &SessionRecord, now: Timestamp) -> bool {
    now < session.expires_at && now.duration_since(session.last_seen_at) < IDLE
}

impl Host {
    /// Begins a session of a user whose password has just been found right. `None` if it is no longer.
    pub(super) async fn begin_session(&self, user: &UserRecord) -> Result<Option<SessionToken>> {
        let (cx, now) = (self.context(), self.context().now());
        // Those that are over are of no use to anybody.
        self.store().prune_sessions(now, now - IDLE).await?;
        let token = cx.random_token()?;
        let session = SessionRecord {
            digest: token.digest(),
            user: user.id.clone(),
            created_at: now,
            last_seen_at: now,
            expires_at: now + LIFE,
        };
        let begun = self.store().put_session(&session, &user.password_hash, &record(cx, "signed_in", user)?).await?;
        Ok(begun.then_some(SessionToken(token)))
    }

    /// Who has signed in with this token, if the session lives. That it is used is noted.
    pub(crate) async fn signed_in(&self, token: &SessionToken) -> Result<Option<Signed>> {
        let (now, found) = (self.context().now(), self.store().session_by_digest(&token.0.digest()).await?);
        let Some((session, user)) = found.filter(|(session, user)| is_alive(session, now) && user.is_active()) else {
            return Ok(None);
        };
        if now.duration_since(session.last_seen_at) >= SEEN {
            self.store().session_seen(&session.digest, now, now - SEEN).await?;
        }
        Ok(Some(Signed { user, session }))
    }

    /// Ends a session, if it is still there.
    pub(crate) async fn sign_out(&self, signed: &Signed) -> Result<()> {
        let record = record(self.context(), "signed_out", &signed.user)?;
        self.store().end_session(&signed.session.digest, &record).await?;
        Ok(())
    }

    /// Ends the sessions of a user, but for one. Says how many.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn end_sessions(&self, user: &UserRecord, but: Option<&str>) -> Result<u64> {
        let record = record(self.context(), "sessions_ended", user)?.by(self.actor());
        Ok(self.store().end_sessions(&user.id, but, &record).await?)
    }

    /// The sessions of a user that live, the oldest first.
    pub(crate) async fn sessions_of(&self, user: &UserRecord) -> Result<Vec<SessionRecord>> {
        let now = self.context().now();
        let all = self.store().sessions_of(&user.id).await?;
        Ok(all.into_iter().filter(|session| is_alive(session, now)).collect())
    }
}
