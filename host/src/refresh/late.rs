//! Tokens that arrive after their grant has ended: a disconnect always wins, so they are given up at the platform and never stored as a
//! grant's.

use connector_core::grant::TokenSet;
use connector_core::http::RawAnswer;
use connector_core::oauth::{OAuthProvider, RefreshOutcome};
use jiff::SignedDuration;

use super::Renewed;
use super::attempt::Attempt;
use super::verdict::read;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::{GrantRecord, RevocationRecord, StoreError};

/// What has become of a grant whose new tokens could not be stored.
enum Late {
    /// Somebody else's refresh moved it.
    Moved,
    /// It is over, and the tokens are in the record of what is to be revoked, if there is anything to revoke.
    Over(Option<Box<RevocationRecord>>),
}

impl Host {
    /// Revokes what a refresh brought for a grant that moved meanwhile, unless somebody else's refresh moved it.
    pub(super) async fn came_late(&self, attempt: &mut Attempt, answer: &RawAnswer) -> Result<Renewed> {
        // Nobody gets them.
        attempt.tell = None;
        let (record, tokens) = (attempt.record.clone(), attempt.session.grant.tokens.clone());
        let late = self.until_kept(attempt, answer, || self.note_late(&record, &tokens)).await?;
        attempt.is_settled = true;
        self.clear_slot(attempt).await;
        let Late::Over(job) = late else { return Ok(Renewed::Elsewhere) };
        tracing::warn!(grant = %record.id, "a refresh was answered after its connection had been disconnected; its tokens are revoked");
        if let Some(job) = job {
            self.revoke_or_wait(&job).await;
        }
        Err(Error::Request("the connection was disconnected while its token was refreshed".to_owned()))
    }

    /// The same for an answer nobody has read yet, of a grant that is over.
    pub(super) async fn revoke_answer(
        &self,
        record: &GrantRecord,
        oauth: &dyn OAuthProvider,
        answer: &RawAnswer,
    ) -> Result<()> {
        if let RefreshOutcome::Refreshed(answer) = read(oauth, answer)
            && let Some(job) = self.put_late(record, &answer.tokens).await?
        {
            self.revoke_or_wait(&job).await;
        }
        Ok(())
    }

    async fn note_late(&self, record: &GrantRecord, tokens: &TokenSet) -> Result<Late> {
        let now = self.store().grant(&record.tenant, &record.id).await?;
        if now.is_some_and(|grant| !grant.state.is_over()) {
            return Ok(Late::Moved);
        }
        Ok(Late::Over(self.put_late(record, tokens).await?.map(Box::new)))
    }

    /// Puts the tokens where what is to be revoked is.
    async fn put_late(&self, record: &GrantRecord, tokens: &TokenSet) -> Result<Option<RevocationRecord>> {
        // Whoever is at it meanwhile has moved it: then it is read again.
        while let Some(job) = self.store().revocation_of(&record.id).await? {
            if let Some(renewed) = self.renew_revocation(&job, tokens, SignedDuration::ZERO).await? {
                return Ok(Some(renewed));
            }
        }
        let Some(job) = self.revocation_with(record, tokens)? else { return Ok(None) };
        match self.store().put_revocation(&job).await {
            Ok(()) => Ok(Some(job)),
            // Another late answer of the same grant is being revoked.
            Err(StoreError::Conflict(why)) => {
                tracing::debug!(grant = %record.id, why, "revoked by another");
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}
