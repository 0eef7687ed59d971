//! Keeping access: one refresh for any number of callers and processes, that nobody can cancel, stored before anything else happens.
//!
//! A caller that finds an expired token joins the refresh of its grant in this process, or starts it. The refresh runs in a task of its
//! own. It takes the store's lock on the grant, which excludes other processes, reads the row again, and goes on only if nobody else has
//! refreshed it meanwhile. The answer is sealed and committed, by comparing the generation, before the lock is given back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use connector_core::account::Session;
use connector_core::grant::TokenAnswer;
use connector_core::http::Reach;
use connector_core::oauth::{RefreshClass, RefreshOutcome};
use connector_core::{Error as CoreError, ErrorKind};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::{GrantId, GrantRecord, GrantState, LastError, RefreshMark, Refreshed, new_id};
use crate::tokens::Place;

/// A token that expires within this time is not handed out: the call it is for takes time as well.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);

/// How long a refresh token that may be spent is left alone, where a second use of it would be the end of the grant. It is longer than a
/// token request may take.
const QUARANTINE: SignedDuration = SignedDuration::from_mins(2);

/// The refreshes under way in this process, by grant.
pub(crate) type InFlight = Mutex<HashMap<GrantId, watch::Receiver<Option<Outcome>>>>;

type Outcome = Result<(), Arc<Error>>;

impl Host {
    /// A grant with a token that is good now, under its app.
    ///
    /// A fresh token is opened and returned: no lock, no write. An expired one waits for the one refresh of its grant.
    ///
    /// # Errors
    /// When the grant needs its person, or the platform cannot be asked.
    pub async fn session(&self, tenant: &str, grant: &GrantId) -> Result<Session> {
        let record = self.live_grant(tenant, grant).await?;
        if is_fresh(record.access_expires_at, self.context().now()) {
            return self.opened(&record).await;
        }
        self.renewed(&record).await
    }

    /// The same after the platform refused a token, whatever its lifetime says.
    pub(crate) async fn session_after(&self, tenant: &str, grant: &GrantId, refused: &Session) -> Result<Session> {
        let record = self.live_grant(tenant, grant).await?;
        let session = self.opened(&record).await?;
        if session.grant.tokens.access.matches(refused.grant.tokens.access.expose()) {
            return self.renewed(&record).await;
        }
        Ok(session)
    }

    async fn renewed(&self, record: &GrantRecord) -> Result<Session> {
        self.refresh(record).await?;
        let record = self.live_grant(&record.tenant, &record.id).await?;
        self.opened(&record).await
    }

    async fn live_grant(&self, tenant: &str, grant: &GrantId) -> Result<GrantRecord> {
        let record = self.store().grant(tenant, grant).await?;
        let record = record.ok_or_else(|| Error::Request("this connection has no grant any more".to_owned()))?;
        match &record.state {
            GrantState::Active => Ok(record),
            GrantState::ReauthRequired { reason } => {
                Err(CoreError::reauth_required(reason.clone(), "the person has to connect this account again").into())
            }
            GrantState::Disconnecting | GrantState::Disconnected => {
                Err(Error::Request("the connection is disconnected".to_owned()))
            }
        }
    }

    /// Joins the refresh of this grant, or starts it.
    async fn refresh(&self, record: &GrantRecord) -> Result<()> {
        let mut done = self.join_refresh(record);
        let outcome = done.wait_for(Option::is_some).await.map(|outcome| outcome.clone());
        match outcome {
            Ok(Some(Ok(()))) => Ok(()),
            Ok(Some(Err(error))) => Err(error.into()),
            Ok(None) | Err(_) => Err(Error::Machine("the refresh ended without a result".to_owned())),
        }
    }

    fn join_refresh(&self, record: &GrantRecord) -> watch::Receiver<Option<Outcome>> {
        let mut all = self.refreshes().lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = all.get(&record.id) {
            return running.clone();
        }
        let (tell, done) = watch::channel(None);
        all.insert(record.id.clone(), done.clone());
        let (leaving, record) = (Leaving { host: self.clone(), grant: record.id.clone() }, record.clone());
        self.spawn(async move {
            let outcome = leaving.host.refresh_alone(&record).await.map_err(Arc::new);
            drop(leaving);
            tell.send_replace(Some(outcome));
        });
        done
    }

    /// Refreshes while nobody else does, unless somebody else already has.
    async fn refresh_alone(&self, seen: &GrantRecord) -> Result<()> {
        let _guard = self.store().lock_refresh(&seen.id).await?;
        let record = self.live_grant(&seen.tenant, &seen.id).await?;
        if record.generation != seen.generation {
            return Ok(());
        }
        let session = self.opened(&record).await?;
        let connector = &self.platform(record.platform.as_str())?.connector;
        let request = match connector.oauth().refresh_request(&session.app, &session.grant) {
            Ok(request) => request,
            Err(error) => return self.cannot_refresh(&record, error).await,
        };
        let class = connector.oauth().refresh_class();
        let Some(attempt) = self.mark(record, class).await? else { return Ok(()) };
        tracing::debug!(grant = %attempt.record.id, generation = attempt.record.generation, "refreshing");
        let answer = match self.context().send(request).await {
            Ok(answer) => answer,
            Err(error) if error.reach == Reach::NotSent => return self.not_processed(attempt, error.into()).await,
            Err(error) => return self.failed(&attempt.record, error.into()).await,
        };
        match connector.oauth().read_refresh(&answer) {
            RefreshOutcome::Refreshed(answer) => self.commit_refresh(attempt, session, answer).await,
            RefreshOutcome::Rejected(error) => self.rejected(attempt, error).await,
            RefreshOutcome::AppFault(error) | RefreshOutcome::Refused(error) | RefreshOutcome::NotProcessed(error) => {
                self.not_processed(attempt, error).await
            }
            // The token may be spent. The mark stays, so that the next refresh knows what a rejection means.
            RefreshOutcome::InDoubt(error) | RefreshOutcome::Unreadable(error) => {
                self.failed(&attempt.record, error).await
            }
        }
    }

    /// Notes that the refresh token may be spent, before any byte leaves. `None` means that somebody else moved the grant.
    ///
    /// # Errors
    /// When the token may be under way already: a second request could spend what the first one is still spending.
    async fn mark(&self, mut record: GrantRecord, class: RefreshClass) -> Result<Option<Attempt>> {
        let (now, earlier) = (self.context().now(), record.refresh_mark.take());
        if let Some(mark) = earlier.as_ref().filter(|_| class == RefreshClass::RotatingStrict) {
            let until = mark.sent_at.saturating_add(QUARANTINE).unwrap_or(mark.sent_at);
            if now < until {
                return Err(in_quarantine(until).into());
            }
        }
        let unanswered = earlier.as_ref().map_or(0, |mark| mark.unanswered + 1);
        let mark = RefreshMark { attempt: new_id(self.context())?.to_string(), sent_at: now, unanswered };
        let (id, generation) = (&record.id, record.generation);
        let swapped = self.store().swap_refresh_mark(id, generation, earlier.clone(), Some(mark.clone())).await?;
        Ok(swapped.then_some(Attempt { record, earlier, mark }))
    }

    /// Stores the new tokens. Nothing runs between the answer and this commit, and a store that fails is tried again: the platform takes
    /// no other token any more.
    async fn commit_refresh(&self, attempt: Attempt, mut session: Session, answer: TokenAnswer) -> Result<()> {
        if let Err(error) = session.grant.take_refreshed(answer) {
            return self.rejected(attempt, error).await;
        }
        let record = attempt.record;
        let tokens = session.grant.tokens;
        let sealed = self.seal_tokens(Place::of_grant(&record.tenant, &record.id, record.generation + 1), &tokens)?;
        let refreshed = Refreshed {
            access: sealed.access,
            access_expires_at: tokens.access_expires_at,
            refresh: sealed.refresh,
            refresh_expires_at: tokens.refresh_expires_at,
            scopes: session.grant.scopes,
            at: self.context().now(),
        };
        if self.insist(|| self.store().commit_refresh(&record.id, record.generation, &refreshed)).await? {
            return Ok(());
        }
        Err(Error::Request("the connection changed while its token was refreshed; try again".to_owned()))
    }

    /// The token is as good as it was before the attempt, and as much in doubt.
    async fn not_processed(&self, attempt: Attempt, error: CoreError) -> Result<()> {
        let Attempt { record, earlier, mark } = attempt;
        self.store().swap_refresh_mark(&record.id, record.generation, Some(mark), earlier).await?;
        self.failed(&record, error).await
    }

    /// The grant needs its person, unless somebody else took over meanwhile: a failure never changes a row that has moved.
    ///
    /// A token that is rejected after an earlier refresh with it went unanswered was spent by that one: its answer is lost.
    async fn rejected(&self, attempt: Attempt, error: CoreError) -> Result<()> {
        let Attempt { record, earlier, mark } = attempt;
        let error = if earlier.is_some() { error.for_reason("refresh_result_lost") } else { error };
        if self.store().swap_refresh_mark(&record.id, record.generation, Some(mark), None).await? {
            self.needs_person(&record, &error).await?;
        }
        self.failed(&record, error).await
    }

    /// The grant cannot be refreshed at all.
    async fn cannot_refresh(&self, record: &GrantRecord, error: CoreError) -> Result<()> {
        self.needs_person(record, &error).await?;
        self.failed(record, error).await
    }

    async fn needs_person(&self, record: &GrantRecord, error: &CoreError) -> Result<()> {
        if let ErrorKind::ReauthRequired { reason } = error.kind() {
            let state = GrantState::ReauthRequired { reason: reason.clone() };
            self.store().set_grant_state(&record.id, record.generation, &state, self.context().now()).await?;
        }
        Ok(())
    }

    /// Notes what went wrong, and says it.
    async fn failed(&self, record: &GrantRecord, error: CoreError) -> Result<()> {
        let last_error = LastError::new(&error, self.context().now());
        self.store().note_grant_error(&record.id, Some(last_error)).await?;
        Err(error.context("the access token could not be refreshed").into())
    }
}

/// A refresh that is on record and not settled.
struct Attempt {
    /// The grant as it was before, without a mark.
    record: GrantRecord,
    /// The mark of an earlier attempt that was never answered.
    earlier: Option<RefreshMark>,
    /// The mark of this one.
    mark: RefreshMark,
}

/// Takes a refresh off the list of those under way, also when it ends by a panic.
struct Leaving {
    host: Host,
    grant: GrantId,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.host.refreshes().lock().unwrap_or_else(PoisonError::into_inner).remove(&self.grant);
    }
}

fn in_quarantine(until: Timestamp) -> CoreError {
    let message = format!(
        "the access token could not be refreshed: an earlier refresh was not answered, and the platform may still be at it; the next try is at {until:.0}"
    );
    CoreError::new(ErrorKind::Unavailable, message)
}

/// Whether a token is good for a call that starts now. One that never said when it ends is tried.
pub(crate) fn is_fresh(expires_at: Option<Timestamp>, now: Timestamp) -> bool {
    expires_at.is_none_or(|at| now.saturating_add(MARGIN).is_ok_and(|soon| soon < at))
}
