//! Telling the platform that a grant has ended. The grant is over here already; what is left to tell is a record of its own, tried again
//! until it is done or its tokens have died.

use connector_core::account::Session;
use connector_core::grant::{Grant, TokenSet};
use connector_core::oauth::{OAuthProvider, RefreshOutcome, RevocationClass, RevokeOutcome};
use connector_core::scope::GrantScopes;
use connector_core::{Error as CoreError, ErrorKind};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::error::{Error, Result};
use crate::host::Host;
use crate::refresh::{QUARANTINE, is_fresh};
use crate::store::{
    AuditRecord, GrantRecord, LastError, RevocationId, RevocationOutcome, RevocationRecord, RevocationTokens,
};
use crate::tokens::{Place, SealedTokens};

/// How long a revocation is tried where the platform did not say when the tokens die.
const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(24 * 30);
/// The wait after the first attempt in vain; it doubles with each.
const FIRST_WAIT: SignedDuration = SignedDuration::from_mins(1);

/// How long a revocation belongs to whoever tries it: longer than its two requests may take.
const CLAIM: SignedDuration = SignedDuration::from_mins(3);

/// How a revocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revoked {
    /// The platform knows.
    Done,
    /// The person's access is used by another grant, so it was left alone.
    AccessShared,
    /// The platform no longer takes the tokens. The access may be gone there, or live on without anybody who could use it.
    TokensDead,
}

impl Revoked {
    fn outcome(self) -> RevocationOutcome {
        match self {
            Self::Done => RevocationOutcome::Revoked,
            Self::AccessShared | Self::TokensDead => RevocationOutcome::GivenUp,
        }
    }

    /// What goes on record.
    fn event(self) -> &'static str {
        match self.outcome() {
            RevocationOutcome::Revoked => "access_revoked",
            RevocationOutcome::GivenUp => "revocation_given_up",
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Done => "revoked",
            Self::AccessShared => "access_shared",
            Self::TokensDead => "tokens_dead",
        }
    }
}

impl Host {
    /// What would be left to tell the platform if this grant ended now; nothing where the platform takes no revocation.
    ///
    /// # Errors
    /// When the grant's tokens do not open.
    pub(crate) fn revocation_of(&self, grant: &GrantRecord) -> Result<Option<RevocationRecord>> {
        if grant.access.is_none() {
            return Ok(None);
        }
        self.revocation_with(grant, &self.open_record(grant)?)
    }

    /// The same with newer tokens than the record has.
    pub(crate) fn revocation_with(&self, grant: &GrantRecord, tokens: &TokenSet) -> Result<Option<RevocationRecord>> {
        let oauth = self.platform(grant.platform.as_str())?.connector.oauth();
        if oauth.revocation() == RevocationClass::NotOffered {
            return Ok(None);
        }
        let id = RevocationId::new(self.context())?;
        let now = self.context().now();
        let dies_at = if tokens.refresh.is_some() { tokens.refresh_expires_at } else { tokens.access_expires_at };
        Ok(Some(RevocationRecord {
            tokens: self.sealed_for(&grant.tenant, &id, tokens)?,
            id,
            grant_id: grant.id.clone(),
            grant_generation: grant.generation,
            tenant: grant.tenant.clone(),
            platform: grant.platform.clone(),
            app: grant.app.clone(),
            client_id: grant.client_id.clone(),
            base_urls: grant.base_urls.clone(),
            subject: grant.subject.clone(),
            attempts: 0,
            next_try_at: self.revocable_at(grant, oauth),
            expires_at: dies_at.unwrap_or_else(|| now.saturating_add(GIVE_UP_AFTER).unwrap_or(now)),
            last_error: None,
            created_at: now,
        }))
    }

    /// From when on the tokens may be used: one that may be under way in a refresh rests first, unless it is not needed.
    fn revocable_at(&self, grant: &GrantRecord, oauth: &dyn OAuthProvider) -> Timestamp {
        let now = self.context().now();
        let needs_refresh = oauth.revocation() == RevocationClass::LiveToken && !is_fresh(grant.access_expires_at, now);
        match &grant.refresh_mark {
            Some(mark) if needs_refresh => mark.sent_at.saturating_add(QUARANTINE).unwrap_or(now).max(now),
            _ => now,
        }
    }

    /// Tries every revocation that is due. What fails again stays for the next time. In another instance's store nothing is tried.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn revoke_due(&self) -> Result<()> {
        if !self.is_ours().await? {
            return Ok(());
        }
        for job in self.store().revocations_due(self.context().now()).await? {
            self.revoke_or_wait(&job).await;
        }
        Ok(())
    }

    /// Tries one revocation, and stores what came of it. It goes on even if the caller goes away.
    pub(crate) async fn revoke(&self, job: &RevocationRecord) -> Result<Revoked> {
        let (host, job) = (self.clone(), job.clone());
        self.detached(async move { host.revoke_alone(&job).await }).await
    }

    /// Tries a revocation that nobody waits for.
    pub(crate) async fn revoke_or_wait(&self, job: &RevocationRecord) {
        if let Err(error) = self.revoke(job).await {
            tracing::warn!(platform = %job.platform, grant = %job.grant_id, %error, "a revocation is still pending");
        }
    }

    /// Tries it while nobody else does, unless somebody else already has.
    async fn revoke_alone(&self, seen: &RevocationRecord) -> Result<Revoked> {
        let Some(mut job) = self.store().revocation_of(&seen.grant_id).await? else { return Ok(Revoked::Done) };
        let now = self.context().now();
        let until = now.saturating_add(CLAIM).unwrap_or(now);
        if now < job.next_try_at || !self.store().claim_revocation(&job, until).await? {
            return Err(at_it(job.next_try_at).into());
        }
        job.next_try_at = until;
        let tried = if job.expires_at <= now { Ok(Revoked::TokensDead) } else { self.try_revoke(&job).await };
        match tried {
            Ok(revoked) => {
                let audit = AuditRecord::new(self.context(), &job.tenant, revoked.event())?.of_grant(&job.grant_id);
                let audit = audit.with(&json!({ "because": revoked.as_str(), "attempts": job.attempts }));
                self.store().finish_revocation(&job.id, revoked.outcome(), now, &audit).await?;
                Ok(revoked)
            }
            Err(error) => {
                let shown = error.connector().map_or_else(
                    || LastError::new(&CoreError::config(error.to_string()), now),
                    |error| LastError::new(error, now),
                );
                self.store().postpone_revocation(&job.id, next_try(job.attempts, now), &shown).await?;
                Err(error)
            }
        }
    }

    async fn try_revoke(&self, job: &RevocationRecord) -> Result<Revoked> {
        if self.is_shared(job).await? {
            return Ok(Revoked::AccessShared);
        }
        let oauth = self.platform(job.platform.as_str())?.connector.oauth();
        let mut session = self.session_of(job)?;
        let live = is_fresh(job.tokens.access_expires_at, self.context().now());
        if oauth.revocation() == RevocationClass::LiveToken && !live {
            match self.freshen(job, oauth, &mut session).await {
                Ok(()) => {}
                Err(error) if is_dead(&error) => return Ok(Revoked::TokensDead),
                Err(error) => return Err(error),
            }
            // The refresh took its time, in which the person may have come back.
            if self.is_shared(job).await? {
                return Ok(Revoked::AccessShared);
            }
        }
        let request = oauth.revoke_request(&session.app, &session.grant)?;
        let answer = self.context().send(request).await.map_err(CoreError::from)?;
        match oauth.read_revoke(&answer) {
            RevokeOutcome::Gone => Ok(Revoked::Done),
            RevokeOutcome::Retry(error) | RevokeOutcome::Refused(error) => Err(error.into()),
        }
    }

    /// Whether the person's access lives on under another grant: connected again meanwhile, or for another tenant. A platform revokes a
    /// person's whole access to an app, so that would die with it.
    async fn is_shared(&self, job: &RevocationRecord) -> Result<bool> {
        let Some(subject) = &job.subject else { return Ok(false) };
        Ok(self.store().is_shared(&job.grant_id, &job.platform, &job.client_id, subject).await?)
    }

    /// Gets a live token for a platform that revokes by nothing else.
    async fn freshen(&self, job: &RevocationRecord, oauth: &dyn OAuthProvider, session: &mut Session) -> Result<()> {
        let request = oauth.refresh_request(&session.app, &session.grant)?;
        let answer = self.context().send(request).await.map_err(CoreError::from)?;
        match oauth.read_refresh(&answer) {
            RefreshOutcome::Refreshed(answer) => session.grant.take_refreshed(answer)?,
            RefreshOutcome::Unreadable(error)
            | RefreshOutcome::Rejected(error)
            | RefreshOutcome::AppFault(error)
            | RefreshOutcome::Refused(error)
            | RefreshOutcome::NotProcessed(error)
            | RefreshOutcome::InDoubt(error) => return Err(error.into()),
        }
        let tokens = self.sealed_for(&job.tenant, &job.id, &session.grant.tokens)?;
        let claimed = job.next_try_at;
        self.insist(&job.grant_id, || self.store().update_revocation_tokens(&job.id, &tokens, claimed)).await?;
        Ok(())
    }

    fn session_of(&self, job: &RevocationRecord) -> Result<Session> {
        let app = self.app_at(&job.platform, &job.app, &job.client_id, &job.base_urls)?;
        let access =
            job.tokens.access.clone().ok_or_else(|| Error::Request("the revocation holds no token".to_owned()))?;
        let sealed = SealedTokens { access, refresh: job.tokens.refresh.clone() };
        let tokens = self.open_tokens(place(&job.tenant, &job.id), &sealed)?;
        let grant = Grant {
            tokens,
            scopes: GrantScopes::default(),
            subject: job.subject.clone(),
            base_urls: job.base_urls.clone(),
        };
        Ok(Session { app, grant })
    }

    pub(crate) fn sealed_for(&self, tenant: &str, id: &RevocationId, tokens: &TokenSet) -> Result<RevocationTokens> {
        let sealed = self.seal_tokens(place(tenant, id), tokens)?;
        Ok(RevocationTokens {
            access: Some(sealed.access),
            access_expires_at: tokens.access_expires_at,
            refresh: sealed.refresh,
            refresh_expires_at: tokens.refresh_expires_at,
        })
    }
}

fn at_it(until: Timestamp) -> CoreError {
    let message = format!("its tokens are in use elsewhere just now; the next try is at {until:.0}");
    CoreError::new(ErrorKind::Unavailable, message)
}

/// Whether the tokens are of no use any more.
fn is_dead(error: &Error) -> bool {
    matches!(error.kind(), Some(ErrorKind::ReauthRequired { .. }))
}

fn place<'a>(tenant: &'a str, id: &'a RevocationId) -> Place<'a> {
    Place { tenant, owner: id.as_str(), generation: 0 }
}

fn next_try(attempts: u32, now: Timestamp) -> Timestamp {
    let wait = FIRST_WAIT.saturating_mul(1 << attempts.min(10));
    now.saturating_add(wait).unwrap_or(now)
}
