//! What processes could not store, from the spool into the store.

use std::collections::BTreeSet;

use connector_core::http::RawAnswer;

use super::attempt::Attempt;
use super::keep::{Entry, blocking};
use super::told;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::spool::{Leftover, Leftovers};
use crate::store::{GrantId, GrantRecord};

/// What became of the answers in a spool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replayed {
    /// So many are on record now, and their entries gone.
    pub stored: usize,
    /// So many were of no use any more: the store has newer tokens, or has no such grant. Their entries are gone too.
    pub dropped: usize,
    /// So many stay, because the store does not take them or they cannot be read.
    pub waiting: usize,
    /// So many are for other stores, and left alone.
    pub foreign: usize,
    /// The grants, with the generation, whose answer only the spool has.
    unstored: BTreeSet<(GrantId, i64)>,
}

/// What became of one.
enum Fate {
    Stored,
    Dropped(&'static str),
    Foreign,
}

impl Host {
    /// Stores what processes that have ended left in the spool.
    ///
    /// # Errors
    /// When the spool cannot be read. An entry that cannot be stored stays for the next time.
    pub async fn replay_spool(&self) -> Result<Replayed> {
        let Some(spool) = self.spool().cloned() else { return Ok(Replayed::default()) };
        let found = blocking(move || spool.leftovers()).await?;
        for damaged in &found.damaged {
            tracing::error!(path = %damaged.path.display(), why = damaged.why, "an entry of the spool is damaged; it is kept");
        }
        let mut replayed = Replayed::default();
        self.note_held(&found, &mut replayed).await;
        for (entry, leftover) in self.in_order(found.entries, &mut replayed) {
            match self.replay(&entry).await {
                Ok(fate) => replayed.ended(&fate, &entry, leftover).await,
                Err(error) => replayed.waits(&entry, &error),
            }
        }
        Ok(replayed)
    }

    /// Whether the answer to an earlier request with a grant's token was found in the spool, and is stored by now.
    ///
    /// # Errors
    /// When it is there and not stored: then the token is spent, and must not be sent again.
    pub(super) async fn found_in_spool(&self, seen: &GrantRecord) -> Result<bool> {
        let replayed = self.replay_spool().await?;
        if replayed.unstored.iter().any(|(grant, generation)| *grant == seen.id && *generation >= seen.generation) {
            return Err(told::in_spool().into());
        }
        Ok(replayed.stored > 0 && self.live_grant(&seen.tenant, &seen.id).await?.generation != seen.generation)
    }

    /// Notes the answers that living processes are about to store.
    async fn note_held(&self, found: &Leftovers, replayed: &mut Replayed) {
        let Ok(store) = self.store_id().await else { return };
        let held = found.held.iter().filter_map(|sealed| self.open_entry(sealed).ok());
        replayed.unstored.extend(held.filter(|entry| entry.store == store.as_str()).filter_map(|entry| entry.key()));
    }

    /// The entries that can be read, each grant's in the order of its generations.
    fn in_order(&self, found: Vec<Leftover>, replayed: &mut Replayed) -> Vec<(Entry, Leftover)> {
        let mut entries = Vec::with_capacity(found.len());
        for leftover in found {
            match self.open_entry(leftover.sealed()) {
                Ok(entry) => entries.push((entry, leftover)),
                Err(error) => {
                    replayed.waiting += 1;
                    tracing::error!(%error, "an answer in the spool cannot be read; it is kept");
                }
            }
        }
        entries.sort_by_key(|(entry, _)| entry.generation);
        entries
    }

    /// Does what the answer means, as if it had just come.
    async fn replay(&self, entry: &Entry) -> Result<Fate> {
        if entry.store != self.store_id().await?.as_str() {
            return Ok(Fate::Foreign);
        }
        let answer = entry.answer.to_answer()?;
        let Some(record) = self.store().grant(&entry.tenant, &entry.grant.parse()?).await? else {
            return Ok(Fate::Dropped("its connection was erased"));
        };
        // A store that was put back to an earlier state has a lower one, and then this answer is newer than all it knows.
        if record.generation > entry.generation && !record.state.is_over() {
            return Ok(Fate::Dropped("the store has newer tokens"));
        }
        self.pinned().replay_for(record, entry.attempt.clone(), &answer).await.map(|()| Fate::Stored)
    }

    async fn replay_for(&self, record: GrantRecord, attempt: String, answer: &RawAnswer) -> Result<()> {
        let platform = self.platform(record.platform.as_str())?;
        let oauth = platform.connector.oauth();
        if record.state.is_over() {
            return self.revoke_answer(&record, oauth, answer).await;
        }
        let session = self.opened(&record).await?.session;
        let mut attempt = Attempt::resumed(record, attempt, session);
        match self.conclude(oauth, &mut attempt, answer).await {
            // Whatever else it says is on record now.
            Err(error) if !attempt.is_settled => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

impl Entry {
    fn key(&self) -> Option<(GrantId, i64)> {
        Some((self.grant.parse().ok()?, self.generation))
    }
}

impl Replayed {
    async fn ended(&mut self, fate: &Fate, entry: &Entry, leftover: Leftover) {
        let grant = &entry.grant;
        match fate {
            Fate::Stored => {
                self.stored += 1;
                tracing::warn!(grant, "an answer that only the spool had is stored");
            }
            Fate::Dropped(why) => {
                self.dropped += 1;
                tracing::warn!(grant, why, "an answer in the spool is of no use any more, and is dropped");
            }
            Fate::Foreign => {
                self.foreign += 1;
                tracing::debug!(grant, store = entry.store, "an answer in the spool is for another store, and stays");
                return;
            }
        }
        // What is found again then is known to the store.
        if let Err(error) = blocking(move || leftover.done()).await {
            tracing::error!(grant, %error, "an entry of the spool could not be removed");
        }
    }

    fn waits(&mut self, entry: &Entry, error: &Error) {
        tracing::error!(grant = entry.grant, %error, "an answer in the spool could not be stored yet");
        self.waiting += 1;
        if matches!(error, Error::Store(_)) {
            self.unstored.extend(entry.key());
        }
    }
}
