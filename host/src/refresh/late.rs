//! Tokens that arrive after their grant has ended: a disconnect always wins, so they are given up at the platform and never stored as a
//! grant's.

use connector_core::grant::TokenSet;
use connector_core::http::RawAnswer;
use connector_core::oauth::{OAuthProvider, RefreshOutcome};
use jiff::SignedDuration;

use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::{GrantRecord, StoreError};

impl Host {
    /// Revokes what a refresh brought for a grant that moved meanwhile, unless somebody else's refresh moved it.
    pub(super) async fn came_late(&self, record: &GrantRecord, tokens: &TokenSet) -> Result<()> {
        let now = self.store().grant(&record.tenant, &record.id).await?;
        if now.is_some_and(|grant| !grant.state.is_over()) {
            return Ok(());
        }
        tracing::warn!(grant = %record.id, "a refresh was answered after its connection had been disconnected; its tokens are revoked");
        Box::pin(self.revoke_late(record, tokens)).await?;
        Err(Error::Request("the connection was disconnected while its token was refreshed".to_owned()))
    }

    /// The same for an answer nobody has read yet.
    pub(super) async fn revoke_answer(
        &self,
        record: &GrantRecord,
        oauth: &dyn OAuthProvider,
        answer: &RawAnswer,
    ) -> Result<()> {
        match oauth.read_refresh(answer) {
            RefreshOutcome::Refreshed(answer) => Box::pin(self.revoke_late(record, &answer.tokens)).await,
            _ => Ok(()),
        }
    }

    async fn revoke_late(&self, record: &GrantRecord, tokens: &TokenSet) -> Result<()> {
        // Whoever is at it meanwhile has moved it: then it is read again.
        while let Some(job) = self.store().revocation_of(&record.id).await? {
            if let Some(job) = self.renew_revocation(&job, tokens, SignedDuration::ZERO).await? {
                self.revoke_or_wait(&job).await;
                return Ok(());
            }
        }
        let Some(job) = self.revocation_with(record, tokens)? else { return Ok(()) };
        match self.insist(|| self.store().put_revocation(&job)).await {
            Ok(()) => self.revoke_or_wait(&job).await,
            // Another late answer of the same grant is being revoked.
            Err(Error::Store(StoreError::Conflict(why))) => {
                tracing::debug!(grant = %record.id, why, "revoked by another");
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
