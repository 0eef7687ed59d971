//! Keeping an answer that the store does not take: tried again, and meanwhile sealed in the spool, so that not even the end of the process
//! loses it.

use std::time::Duration;

use connector_core::Secret;
use connector_core::http::RawAnswer;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::attempt::Attempt;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::moment::Moment;
use crate::spool::{Leftover, Slot};
use crate::store::{GrantRecord, Settle, Settlement, StoreError};
use crate::tokens::KeptAnswer;
use crate::vault::{Binding, Sealed};

/// After so long a store that fails is taken to be failing.
const SPOOL_AFTER: SignedDuration = SignedDuration::from_secs(1);
/// How long a store is tried before what is in the spool is left to a later pass.
const TRY_FOR: SignedDuration = SignedDuration::from_mins(2);
/// The same where the process is the only place that has the answer.
const CLING_FOR: SignedDuration = SignedDuration::from_mins(15);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Where an entry of the spool belongs. No tenant is named by the empty text.
const PLACE: Binding<'static> = Binding { tenant: "", owner: "spool", field: "entry", generation: 0 };

/// An answer in the spool, with the attempt it answers.
#[derive(Deserialize, Serialize)]
struct Entry {
    tenant: String,
    grant: String,
    generation: i64,
    attempt: String,
    answer: KeptAnswer,
}

impl Host {
    /// A place on the disk for the answer to come, if there is a spool.
    pub(super) async fn reserve_slot(&self) -> Result<Option<Slot>> {
        let Some(spool) = self.spool().cloned() else { return Ok(None) };
        blocking(move || spool.reserve()).await.map(Some)
    }

    /// Stores what came of an attempt, and does not give up: the answer exists nowhere else. False means that the grant has moved.
    pub(super) async fn store_outcome(
        &self,
        settle: &Settle,
        attempt: &mut Attempt,
        answer: &RawAnswer,
    ) -> Result<bool> {
        let (began, mut pause, mut spooled) = (Moment::now(self.context()), FIRST_PAUSE, false);
        let mut unsaved = None;
        loop {
            let error = match self.store().settle_refresh(settle).await {
                Ok(stored) => {
                    let stored = stored || self.has_stored(settle).await?;
                    return self.clear_slot(attempt, spooled).await.map(|()| stored);
                }
                Err(error) => error,
            };
            unsaved.get_or_insert_with(|| self.count_unsaved());
            let waited = began.elapsed(self.context()).unwrap_or(SignedDuration::ZERO);
            if hopeless(&error) || waited > if spooled { TRY_FOR } else { CLING_FOR } {
                return Err(error.into());
            }
            tracing::error!(grant = %settle.grant, %error, "the answer to a refresh is not stored yet; trying again");
            if !spooled && waited >= SPOOL_AFTER {
                spooled = self.spool_answer(attempt, answer).await;
            }
            tokio::time::sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    /// Whether an earlier try was kept after all: a store that is lost in the middle of a commit cannot say.
    async fn has_stored(&self, settle: &Settle) -> Result<bool> {
        let Settlement::Refreshed(ours) = &settle.settlement else { return Ok(false) };
        let now = self.store().grant(&settle.tenant, &settle.grant).await?;
        Ok(now.is_some_and(|now| now.access.as_ref() == Some(&ours.access)))
    }

    /// Puts the answer into the spool. From then on it is durable, and whoever waits may use what it brought.
    async fn spool_answer(&self, attempt: &mut Attempt, answer: &RawAnswer) -> bool {
        match self.try_spool(attempt, answer).await {
            Ok(true) => {
                tracing::warn!(grant = %attempt.record.id, "the answer to a refresh is in the spool until the store takes it");
                attempt.tell_session();
                true
            }
            Ok(false) => false,
            Err(error) => {
                tracing::error!(grant = %attempt.record.id, %error, "the answer to a refresh could not be put into the spool");
                false
            }
        }
    }

    async fn try_spool(&self, attempt: &mut Attempt, answer: &RawAnswer) -> Result<bool> {
        let Some(mut slot) = attempt.slot.take() else { return Ok(false) };
        let entry = Entry {
            tenant: attempt.record.tenant.clone(),
            grant: attempt.record.id.to_string(),
            generation: attempt.record.generation,
            attempt: attempt.name.clone(),
            answer: KeptAnswer::of(answer),
        };
        let text = Secret::from(serde_json::to_string(&entry).map_err(|error| Error::Machine(error.to_string()))?);
        let sealed = self.vault().seal(self.context(), &PLACE, &text)?;
        let (slot, written) = blocking(move || {
            let written = slot.write(sealed.as_bytes());
            Ok((slot, written))
        })
        .await?;
        attempt.slot = Some(slot);
        written?;
        Ok(true)
    }

    async fn clear_slot(&self, attempt: &mut Attempt, spooled: bool) -> Result<()> {
        let Some(mut slot) = attempt.slot.take().filter(|_| spooled) else { return Ok(()) };
        let cleared = blocking(move || slot.clear()).await;
        // What is found again then is known to the store already.
        if let Err(error) = cleared {
            tracing::warn!(%error, "an entry of the spool could not be cleared");
        }
        Ok(())
    }

    /// Stores what processes that have ended left in the spool, and says how many answers that were.
    ///
    /// # Errors
    /// When the spool cannot be read. An entry that cannot be stored stays for the next time.
    pub async fn replay_spool(&self) -> Result<usize> {
        let Some(spool) = self.spool().cloned() else { return Ok(0) };
        let found = blocking(move || spool.leftovers()).await?;
        for damaged in found.damaged {
            tracing::error!(path = %damaged.path.display(), why = damaged.why, "an entry of the spool is damaged; it is kept");
        }
        let mut replayed = 0;
        for leftover in found.entries {
            match self.replay(&leftover).await {
                Ok(()) => {
                    blocking(move || leftover.done()).await?;
                    replayed += 1;
                }
                Err(error) => tracing::error!(%error, "an answer in the spool could not be stored yet"),
            }
        }
        Ok(replayed)
    }

    /// Does what the answer means, as if it had just come.
    async fn replay(&self, leftover: &Leftover) -> Result<()> {
        let text = self.vault().open(&PLACE, &Sealed::from_stored(leftover.sealed().to_vec()))?;
        let entry: Entry = serde_json::from_str(text.expose())
            .map_err(|_| Error::Machine("an entry of the spool is not one of this version".to_owned()))?;
        let answer = entry.answer.into_answer()?;
        let Some(record) = self.store().grant(&entry.tenant, &entry.grant.parse()?).await? else {
            tracing::warn!(grant = entry.grant, "an answer in the spool is for a connection that was erased");
            return Ok(());
        };
        if record.generation != entry.generation && !record.state.is_over() {
            return Ok(());
        }
        self.replay_for(record, entry.attempt, &answer).await
    }

    async fn replay_for(&self, record: GrantRecord, attempt: String, answer: &RawAnswer) -> Result<()> {
        let oauth = self.platform(record.platform.as_str())?.connector.oauth();
        if record.state.is_over() {
            return self.revoke_answer(&record, oauth, answer).await;
        }
        let attempt = Attempt::resumed(record.clone(), attempt, self.opened(&record).await?);
        match self.conclude(oauth, attempt, answer).await {
            Err(Error::Store(error)) => Err(error.into()),
            // Whatever else it says is on record now.
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

/// A failure that no patience mends.
fn hopeless(error: &StoreError) -> bool {
    matches!(error, StoreError::Conflict(_) | StoreError::NotFound { .. })
}

/// Runs what waits for a disk where it may wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, crate::spool::SpoolError> + Send + 'static,
) -> Result<T> {
    let done = spawn_blocking(work).await;
    Ok(done.map_err(|_| Error::Machine("a task that writes to the disk failed".to_owned()))??)
}
