//! Revocations: what is left to tell a platform after a grant has ended here.

use async_trait::async_trait;
use connector_core::PlatformId;
use connector_core::grant::BaseUrls;
use jiff::{SignedDuration, Timestamp};

use super::{AuditRecord, GrantId, GrantRecord, LastError, RefreshMark, Result, RevocationId, StoreError};
use crate::vault::Sealed;

/// Everything needed to give a grant up at its platform, apart from the grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationRecord {
    /// Its id, and the owner of what is sealed.
    pub id: RevocationId,
    /// The grant it ends.
    pub grant_id: GrantId,
    /// The generation of the grant the tokens are of.
    pub grant_generation: i64,
    /// Whose the grant was.
    pub tenant: String,
    /// The platform.
    pub platform: PlatformId,
    /// The app, by the operator's name.
    pub app: String,
    /// The app's public id at the platform.
    pub client_id: String,
    /// The origins the grant was made with.
    pub base_urls: BaseUrls,
    /// The platform's id of whoever allowed it.
    pub subject: Option<String>,
    /// The tokens.
    pub tokens: RevocationTokens,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// When to try next, by the store's clock; at once if that is when it was made. Each attempt moves it, so that it also tells one
    /// attempt from the next.
    pub next_try_at: Timestamp,
    /// When to give it up.
    pub expires_at: Timestamp,
    /// What went wrong last.
    pub last_error: Option<LastError>,
    /// When the grant ended.
    pub created_at: Timestamp,
}

/// A revocation that is to take the place of a grant's tokens, and how the grant stood when they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRevocation {
    /// What is to be stored.
    pub record: RevocationRecord,
    /// What was known of the grant's latest refresh. When to revoke follows from it: a refresh token that is under way is not sent again.
    pub mark: Option<RefreshMark>,
}

impl NewRevocation {
    /// That it was made from one of these grants as it is now, which a store looks at before it takes the revocation.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is another grant's, or the grant has moved since: tokens that were refreshed meanwhile would revoke
    /// nothing, and one that was sent meanwhile has to rest.
    pub fn check_origin<'g>(&self, grants: impl IntoIterator<Item = &'g GrantRecord>) -> Result<()> {
        let id = &self.record.grant_id;
        let made_from = (id, self.record.grant_generation, self.mark.as_ref());
        let is_now = |grant: &GrantRecord| (&grant.id, grant.generation, grant.refresh_mark.as_ref()) == made_from;
        if grants.into_iter().any(is_now) {
            return Ok(());
        }
        Err(StoreError::Conflict(format!("the tokens of the grant {id} changed while it was being given up")))
    }
}

/// The tokens of a revocation, sealed for it with generation 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationTokens {
    /// The access token.
    pub access: Option<Sealed>,
    /// When it expires, if the platform said.
    pub access_expires_at: Option<Timestamp>,
    /// The refresh token.
    pub refresh: Option<Sealed>,
    /// When it expires, if the platform said.
    pub refresh_expires_at: Option<Timestamp>,
}

/// How a revocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationOutcome {
    /// The platform knows.
    Revoked,
    /// It will not be tried again: the tokens are dead anyhow, or the person has connected again. The grant keeps what went wrong last.
    GivenUp,
}

/// Keeps revocations until they are done.
#[async_trait]
pub trait Revocations {
    /// Those to be tried now, the longest due first; also those that have expired, for the caller to give up.
    async fn revocations_due(&self, now: Timestamp) -> Result<Vec<RevocationRecord>>;

    /// The one that ends this grant, if it is not done.
    async fn revocation_of(&self, grant: &GrantId) -> Result<Option<RevocationRecord>>;

    /// Stores one for a grant that is over or gone.
    ///
    /// # Errors
    /// [`StoreError::Conflict`](super::StoreError::Conflict) when there is one for this grant, or the grant is not over.
    async fn put_revocation(&self, revocation: &RevocationRecord) -> Result<()>;

    /// Reserves it for the caller for so long by the store's clock, if it is due and nobody else has since the record was read. What comes
    /// back is the record as it is from now on: whoever writes with it writes only as long as nobody else has reserved it. `None` means
    /// that it is not due, that somebody else has it, or that it is done.
    async fn claim_revocation(&self, seen: &RevocationRecord, rest: SignedDuration)
    -> Result<Option<RevocationRecord>>;

    /// Removes it with its tokens, calls the grant disconnected, and records it. False means that it was done already, or that it was
    /// reserved or given newer tokens since the record was read: then nothing changes, and nothing is recorded.
    async fn finish_revocation(
        &self,
        seen: &RevocationRecord,
        outcome: RevocationOutcome,
        now: Timestamp,
        audit: &AuditRecord,
    ) -> Result<bool>;

    /// Counts an attempt in vain and lets it rest for so long by the store's clock. False as for
    /// [`finish_revocation`](Self::finish_revocation).
    async fn postpone_revocation(
        &self,
        seen: &RevocationRecord,
        rest: SignedDuration,
        error: &LastError,
    ) -> Result<bool>;

    /// Replaces the tokens by newer ones, to be given up at this time, and lets it rest for so long by the store's clock. What comes back
    /// is the record as it is from now on; `None` as for [`finish_revocation`](Self::finish_revocation).
    async fn update_revocation_tokens(
        &self,
        seen: &RevocationRecord,
        tokens: &RevocationTokens,
        expires_at: Timestamp,
        rest: SignedDuration,
    ) -> Result<Option<RevocationRecord>>;
}
