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

/// How long a revocation belongs to whoever tries it: longer than a request may take with what follows it, which is a minute for its answer
/// and two for a store that does not take it. Between its two requests it is reserved anew.
const CLAIM: SignedDuration = SignedDuration::from_mins(5);

/// How a revocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revoked {
    /// The platform knows.
    Done,
    /// The person's access is used by another grant, so it was left alone.
    AccessShared,
    /// Nobody knows whose access it is, and other grants are alive that it may be shared with.
    PersonUnknown,
    /// The platform no longer takes the tokens. The access may be gone there, or live on without anybody who could use it.
    TokensDead,
}

impl Revoked {
    fn outcome(self) -> RevocationOutcome {
        match self {
            Self::Done => RevocationOutcome::Revoked,
            Self::AccessShared | Self::PersonUnknown | Self::TokensDead => RevocationOutcome::GivenUp,
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
            Self::PersonUnknown => "person_unknown",
            Self::TokensDead => "tokens_dead",
        }
    }
}

impl Host {
    /// What would be left to tell the platform if this grant ended now, with these tokens of its own or newer ones; nothing where the
    /// platform takes no revocation.
    ///
    /// # Errors
    /// When the platform is not configured, or the tokens cannot be sealed.
    pub(crate) fn revocation_with(&self, grant: &GrantRecord, tokens: &TokenSet) -> Result<Option<RevocationRecord>> {
        let platform = self.platform(grant.platform.as_str())?;
        let oauth = platform.connector.oauth();
        if oauth.revocation() == RevocationClass::NotOffered {
            return Ok(None);
        }
        let id = RevocationId::new(self.context())?;
        let now = self.context().now();
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
            next_try_at: revocable_at(grant, oauth, now),
            expires_at: die_at(tokens, now),
            last_error: None,
            created_at: now,
        }))
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
        let (host, job) = (self.pinned(), job.clone());
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
        let Some(job) = self.store().revocation_of(&seen.grant_id).await? else { return Ok(Revoked::Done) };
        let Some(mut job) = self.store().claim_revocation(&job, CLAIM).await? else {
            return Err(at_it(job.next_try_at).into());
        };
        let now = self.context().now();
        let tried = if job.expires_at <= now { Ok(Revoked::TokensDead) } else { self.try_revoke(&mut job).await };
        match tried {
            Ok(revoked) => self.finish(&job, revoked, now).await,
            Err(error) => {
                let shown = error.connector().map_or_else(
                    || LastError::new(&CoreError::config(error.to_string()), now),
                    |error| LastError::new(error, now),
                );
                self.store().postpone_revocation(&job, rest_after(job.attempts), &shown).await?;
                Err(error)
            }
        }
    }

    /// Stores how it ended, unless somebody else has it by now: theirs are the newer tokens.
    async fn finish(&self, job: &RevocationRecord, revoked: Revoked, now: Timestamp) -> Result<Revoked> {
        let audit = AuditRecord::new(self.context(), &job.tenant, revoked.event())?.of_grant(&job.grant_id);
        let audit = audit.with(&json!({ "because": revoked.as_str(), "attempts": job.attempts }));
        if self.store().finish_revocation(job, revoked.outcome(), now, &audit).await? {
            return Ok(revoked);
        }
        match self.store().revocation_of(&job.grant_id).await? {
            Some(theirs) if revoked != Revoked::Done => Err(at_it(theirs.next_try_at).into()),
            _ => Ok(revoked),
        }
    }

    async fn try_revoke(&self, job: &mut RevocationRecord) -> Result<Revoked> {
        if let Some(shared) = self.shared(job).await? {
            return Ok(shared);
        }
        let platform = self.platform(job.platform.as_str())?;
        let oauth = platform.connector.oauth();
        let mut session = self.session_of(job)?;
        let live = is_fresh(job.tokens.access_expires_at, self.context().now());
        if oauth.revocation() == RevocationClass::LiveToken && !live {
            match self.freshen(job, oauth, &mut session).await {
                Ok(()) => {}
                Err(error) if is_dead(&error) => return Ok(Revoked::TokensDead),
                Err(error) => return Err(error),
            }
            // The refresh took its time, in which the person may have come back.
            if let Some(shared) = self.shared(job).await? {
                return Ok(shared);
            }
        }
        let request = oauth.revoke_request(&session.app, &session.grant)?;
        let answer =
            self.context().confined_to(&session.grant.base_urls).send(request).await.map_err(CoreError::from)?;
        match oauth.read_revoke(&answer) {
            RevokeOutcome::Gone => Ok(Revoked::Done),
            RevokeOutcome::Retry(error) | RevokeOutcome::Refused(error) => Err(error.into()),
        }
    }

    /// Whether the person's access lives on under another grant, or may: connected again meanwhile, or for another tenant. A platform
    /// revokes a person's whole access to an app, so that would die with it.
    async fn shared(&self, job: &RevocationRecord) -> Result<Option<Revoked>> {
        let subject = job.subject.as_deref();
        let shared = self.store().is_shared(&job.grant_id, &job.platform, &job.client_id, subject).await?;
        Ok(shared.then_some(if subject.is_some() { Revoked::AccessShared } else { Revoked::PersonUnknown }))
    }

    /// Gets a live token for a platform that revokes by nothing else.
    async fn freshen(
        &self,
        job: &mut RevocationRecord,
        oauth: &dyn OAuthProvider,
        session: &mut Session,
    ) -> Result<()> {
        let request = oauth.refresh_request(&session.app, &session.grant)?;
        let answer =
            self.context().confined_to(&session.grant.base_urls).send(request).await.map_err(CoreError::from)?;
        match oauth.read_refresh(&answer) {
            RefreshOutcome::Refreshed(answer) => session.grant.take_refreshed(answer)?,
            RefreshOutcome::Unreadable(error)
            | RefreshOutcome::Rejected(error)
            | RefreshOutcome::AppFault(error)
            | RefreshOutcome::Refused(error)
            | RefreshOutcome::NotProcessed(error)
            | RefreshOutcome::InDoubt(error) => return Err(error.into()),
        }
        // Should somebody else have it by now, these tokens revoke all the same.
        let renew = || self.renew_revocation(job, &session.grant.tokens, CLAIM);
        if let Some(renewed) = self.insist(&job.grant_id, renew).await? {
            *job = renewed;
        }
        Ok(())
    }

    /// Gives a revocation newer tokens, and reserves it for so long. `None` when it has moved since it was read.
    pub(crate) async fn renew_revocation(
        &self,
        job: &RevocationRecord,
        tokens: &TokenSet,
        rest: SignedDuration,
    ) -> Result<Option<RevocationRecord>> {
        let sealed = self.sealed_for(&job.tenant, &job.id, tokens)?;
        let expires_at = die_at(tokens, self.context().now());
        Ok(self.store().update_revocation_tokens(job, &sealed, expires_at, rest).await?)
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

    fn sealed_for(&self, tenant: &str, id: &RevocationId, tokens: &TokenSet) -> Result<RevocationTokens> {
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

/// From when on the tokens may be used: one that may be under way in a refresh rests first, unless it is not needed.
fn revocable_at(grant: &GrantRecord, oauth: &dyn OAuthProvider, now: Timestamp) -> Timestamp {
    let needs_refresh = oauth.revocation() == RevocationClass::LiveToken && !is_fresh(grant.access_expires_at, now);
    match &grant.refresh_mark {
        Some(mark) if needs_refresh => mark.sent_at.saturating_add(QUARANTINE).unwrap_or(now),
        _ => now,
    }
}

/// When the tokens are of no use any more.
fn die_at(tokens: &TokenSet, now: Timestamp) -> Timestamp {
    let dies_at = if tokens.refresh.is_some() { tokens.refresh_expires_at } else { tokens.access_expires_at };
    dies_at.unwrap_or_else(|| now.saturating_add(GIVE_UP_AFTER).unwrap_or(now))
}

/// How long it rests after one more attempt in vain.
fn rest_after(attempts: u32) -> SignedDuration {
    FIRST_WAIT.saturating_mul(1 << attempts.min(10))
}
