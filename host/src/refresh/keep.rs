//! Keeping an answer that the store does not take: the store is asked again and again, and meanwhile the answer is sealed in the spool, so
//! that not even the end of the process loses it.

use connector_core::Secret;
use connector_core::http::RawAnswer;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use tokio::time::{Duration, timeout};

use super::attempt::Attempt;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::insist::silent;
use crate::spool::Slot;
use crate::store::{self, Settle, Settlement};
use crate::tokens::KeptAnswer;
use crate::vault::{Binding, Sealed};

/// A store that has not taken an answer after so long is taken to be failing.
const SPOOL_AFTER: SignedDuration = SignedDuration::from_secs(1);
/// The time between two tries to put it into the spool.
const SPOOL_EVERY: SignedDuration = SignedDuration::from_secs(2);
/// How long a store is tried before what is in the spool is left to a later pass. With the time that a request may take it is less than a
/// token rests: until then nobody else takes the answer for lost.
const TRY_FOR: SignedDuration = SignedDuration::from_secs(45);
/// The same where the process is the only place that has the answer.
const CLING_FOR: SignedDuration = SignedDuration::from_mins(15);
/// How long a store may take for an answer that is kept somewhere already.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// Where an entry of the spool belongs. No tenant is named by the empty text.
const PLACE: Binding<'static> = Binding { tenant: "", owner: "spool", field: "entry", generation: 0 };

/// An answer in the spool, with the attempt it answers.
#[derive(Deserialize, Serialize)]
pub(super) struct Entry {
    /// Which store it is for.
    pub(super) store: String,
    pub(super) tenant: String,
    pub(super) grant: String,
    pub(super) generation: i64,
    pub(super) attempt: String,
    pub(super) answer: KeptAnswer,
}

impl Host {
    /// A place on the disk for the answer to come, if there is a spool.
    pub(super) async fn reserve_slot(&self) -> Result<Option<Slot>> {
        let Some(spool) = self.spool().cloned() else { return Ok(None) };
        // An entry names its store, which may not answer by then.
        self.store_id().await?;
        if let Some(slot) = spool.reuse()? {
            return Ok(Some(slot));
        }
        blocking(move || spool.reserve()).await.map(Some)
    }

    /// Stores what came of an attempt, and does not give up: the answer exists nowhere else. False means that the grant has moved.
    pub(super) async fn store_outcome(
        &self,
        settle: &Settle,
        attempt: &mut Attempt,
        answer: &RawAnswer,
    ) -> Result<bool> {
        let stored = self.until_kept(attempt, answer, || self.settle_once(settle)).await?;
        attempt.is_settled |= stored;
        Ok(stored)
    }

    async fn settle_once(&self, settle: &Settle) -> store::Result<bool> {
        Ok(self.store().settle_refresh(settle).await? || self.has_stored(settle).await?)
    }

    /// Whether an earlier try was kept after all: a store that is lost in the middle of a commit cannot say.
    async fn has_stored(&self, settle: &Settle) -> store::Result<bool> {
        let Settlement::Refreshed(ours) = &settle.settlement else { return Ok(false) };
        let now = self.store().grant(&settle.tenant, &settle.grant).await?;
        Ok(now.is_some_and(|now| now.access.as_ref() == Some(&ours.access)))
    }

    /// Does something at the store with an answer, which goes into the spool if that takes long. Where it is kept already, the store is
    /// tried once, and the rest left to a later pass.
    pub(super) async fn until_kept<'a, T, F, E>(
        &'a self,
        attempt: &mut Attempt,
        answer: &RawAnswer,
        call: impl Fn() -> F + Send + 'a,
    ) -> Result<T>
    where
        T: 'a,
        F: Future<Output = Result<T, E>> + Send + 'a,
        E: Into<Error>,
    {
        if attempt.is_kept {
            return timeout(ANSWERS_WITHIN, call())
                .await
                .map_or_else(|_| Err(silent()), |done| done.map_err(Into::into));
        }
        let (mut storing, mut limit) = (self.insistence(&attempt.record.id, call), SPOOL_AFTER);
        loop {
            if let Some(done) = storing.within(limit).await {
                return done;
            }
            if limit >= CLING_FOR || attempt.is_kept {
                return Err(storing.given_up());
            }
            // Neither waits for the other.
            tokio::select! {
                biased;
                done = storing.within(CLING_FOR) => return done.unwrap_or_else(|| Err(storing.given_up())),
                () = self.spool_answer(attempt, answer) => {}
            }
            limit = if attempt.is_kept { TRY_FOR } else { limit.saturating_add(SPOOL_EVERY) };
        }
    }

    /// Puts the answer into the spool. From then on it is durable, and whoever waits may use what it brought.
    async fn spool_answer(&self, attempt: &mut Attempt, answer: &RawAnswer) {
        match self.try_spool(attempt, answer).await {
            Ok(spooled) => attempt.is_kept = spooled,
            Err(error) => {
                tracing::error!(grant = %attempt.record.id, %error, "the answer to a refresh could not be put into the spool");
            }
        }
        if attempt.is_kept {
            tracing::warn!(grant = %attempt.record.id, "the answer to a refresh is in the spool until the store takes it");
            attempt.tell_session();
        }
    }

    async fn try_spool(&self, attempt: &mut Attempt, answer: &RawAnswer) -> Result<bool> {
        if attempt.slot.is_none() {
            return Ok(false);
        }
        let entry = Entry {
            store: self.store_id().await?.to_string(),
            tenant: attempt.record.tenant.clone(),
            grant: attempt.record.id.to_string(),
            generation: attempt.record.generation,
            attempt: attempt.name.clone(),
            answer: KeptAnswer::of(answer),
        };
        let sealed = self.seal_entry(&entry)?;
        let Some(mut slot) = attempt.slot.take() else { return Ok(false) };
        let (slot, written) = blocking(move || {
            let written = slot.write(sealed.as_bytes());
            Ok((slot, written))
        })
        .await?;
        attempt.slot = Some(slot);
        written?;
        Ok(true)
    }

    fn seal_entry(&self, entry: &Entry) -> Result<Sealed> {
        let text = Secret::from(serde_json::to_string(entry).map_err(|error| Error::Machine(error.to_string()))?);
        Ok(self.vault().seal(self.context(), &PLACE, &text)?)
    }

    /// Opens an entry as it was written.
    pub(super) fn open_entry(&self, sealed: &[u8]) -> Result<Entry> {
        let text = self.vault().open(&PLACE, &Sealed::from_stored(sealed.to_vec()))?;
        serde_json::from_str(text.expose())
            .map_err(|_| Error::Machine("an entry of the spool is not one of this version".to_owned()))
    }

    /// Takes the answer out of the spool again, if it is there: what it means is on record.
    pub(super) async fn clear_slot(&self, attempt: &mut Attempt) {
        let Some(mut slot) = attempt.slot.take().filter(Slot::is_used) else { return };
        // What is found again then is known to the store already.
        if let Err(error) = blocking(move || slot.clear()).await {
            tracing::warn!(%error, "an entry of the spool could not be cleared");
        }
    }
}

/// Runs what waits for a disk where it may wait.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, crate::spool::SpoolError> + Send + 'static,
) -> Result<T> {
    let done = spawn_blocking(work).await;
    Ok(done.map_err(|_| Error::Machine("a task that writes to the disk failed".to_owned()))??)
}
