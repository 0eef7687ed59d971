//! Keeping access: one refresh for any number of callers, processes and nodes, that nobody can cancel, stored before anything else happens.
//!
//! A caller that finds an expired token joins the refresh of its grant in this process, or starts it. The refresh runs in a task of its
//! own: [`attempt`] says how it goes. What comes of it is in the row of the grant, which is all that others need to see.

mod attempt;
mod keep;
mod late;
mod replay;
mod scopes;
mod terms;
mod told;
mod verdict;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use connector_core::account::Session;
use connector_core::{Error as CoreError, ErrorKind};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::sync::SetOnce;
use tokio::time::timeout;

pub use self::replay::Replayed;
pub(crate) use self::terms::QUARANTINE;
#[cfg(feature = "web")]
pub(crate) use self::terms::rests_until;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::{AuditRecord, GrantId, GrantRecord, GrantState, StateChange};

/// A token that expires within this time is not handed out: the call it is for takes time as well.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);
/// How long a caller waits for a refresh, which goes on without it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The refreshes under way in this process, by grant.
pub(crate) type InFlight = Mutex<HashMap<GrantId, Tell>>;

/// How a refresh ended for those who waited: where the new token is from. What they asked for is in the store, or in their hands.
type Outcome = Result<(Renewed, Option<Current>), Arc<Error>>;

/// A grant's newest token, under its app.
#[derive(Clone)]
pub(crate) struct Current {
    pub(crate) session: Session,
    /// The generation of the grant that the token is of.
    pub(crate) generation: i64,
}

impl Current {
    /// The same for calls to the platform. None needs a refresh token, so none gets it.
    fn for_calls(mut self) -> Self {
        self.session.grant.tokens.refresh = None;
        self
    }
}

/// Tells those who wait, the longest waiting first. What is told first stands.
type Tell = Arc<SetOnce<Outcome>>;

/// Where a new token came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renewed {
    /// This process asked for it.
    Here,
    /// Another process did.
    Elsewhere,
}

/// Why a refresh is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Because {
    /// The token expires.
    Expiring,
    /// The platform refused the token before its time.
    Refused,
    /// The platform says that a scope is missing, which the grant should hold.
    Scopes,
}

impl Host {
    /// A grant with an access token that is good now, under its app. The refresh token stays here.
    ///
    /// A fresh token is opened and returned: no lock, no write. An expired one waits for the one refresh of its grant.
    ///
    /// # Errors
    /// When the grant needs its person, also because it lacks a scope that the configuration requires, when the platform cannot be asked, or
    /// the store is another instance's.
    pub async fn session(&self, tenant: &str, grant: &GrantId) -> Result<Session> {
        let session = self.session_as_it_is(tenant, grant).await?;
        session.app.wanted.check_required(&session.grant.scopes)?;
        Ok(session)
    }

    /// The same, whatever scopes the configuration requires of it.
    pub(crate) async fn session_as_it_is(&self, tenant: &str, grant: &GrantId) -> Result<Session> {
        let record = self.store().own_grant(tenant, grant).await?;
        Ok(self.current(record).await?.session)
    }

    /// The same of a grant that was looked up already, together with the owner of the store.
    #[cfg(feature = "web")]
    pub(crate) async fn current_of(&self, record: GrantRecord) -> Result<Current> {
        let current = self.current(Some(record)).await?;
        current.session.app.wanted.check_required(&current.session.grant.scopes)?;
        Ok(current)
    }

    async fn current(&self, record: Option<GrantRecord>) -> Result<Current> {
        let record = live(record)?;
        if is_fresh(record.access_expires_at, self.context().now()) {
            return self.opened_for_calls(&record).await;
        }
        self.pinned().renewed(&record, Because::Expiring).await
    }

    /// The same after the platform refused a token, whatever its lifetime says.
    pub(crate) async fn session_after(&self, tenant: &str, grant: &GrantId, refused: &Session) -> Result<Session> {
        let record = self.live_grant(tenant, grant).await?;
        let session = self.opened_for_calls(&record).await?.session;
        if session.grant.tokens.access.matches(refused.grant.tokens.access.expose()) {
            return Ok(self.renewed(&record, Because::Refused).await?.session);
        }
        Ok(session)
    }

    /// A token in its last minute is better than none.
    async fn renewed(&self, record: &GrantRecord, because: Because) -> Result<Current> {
        match self.refresh(record, because).await {
            // The refresh may have begun under another configuration than the call that joined it.
            Ok(Some(Current { session, generation })) => {
                Ok(Current { session: Session { app: self.app_of(record)?, ..session }, generation })
            }
            Ok(None) => self.opened_for_calls(&self.live_grant(&record.tenant, &record.id).await?).await,
            Err(error) if because == Because::Expiring && self.is_alive(record) && !error.is_not_ours() => {
                tracing::warn!(grant = %record.id, %error, "the access token is used for as long as it lives");
                self.opened_for_calls(record).await
            }
            Err(error) => Err(error),
        }
    }

    /// A grant as it is stored, for calls to the platform.
    async fn opened_for_calls(&self, record: &GrantRecord) -> Result<Current> {
        Ok(self.opened(record).await?.for_calls())
    }

    fn is_alive(&self, record: &GrantRecord) -> bool {
        record.access_expires_at.is_none_or(|at| self.context().now() < at)
    }

    pub(crate) async fn live_grant(&self, tenant: &str, grant: &GrantId) -> Result<GrantRecord> {
        live(self.store().grant(tenant, grant).await?)
    }

    /// Notes that the person has to connect again, whatever the refresh token is worth. False when the grant has moved.
    pub(crate) async fn needs_person(&self, record: &GrantRecord, reason: &str) -> Result<bool> {
        let audit = AuditRecord::new(self.context(), &record.tenant, "reauth_required")?.of_grant(&record.id);
        let change = StateChange {
            grant: record.id.clone(),
            generation: record.generation,
            seen: record.state.clone(),
            state: GrantState::ReauthRequired { reason: reason.to_owned() },
            since: self.context().now(),
            audit: audit.with(&json!({ "reason": reason, "generation": record.generation })),
        };
        Ok(self.store().set_grant_state(&change).await?)
    }

    /// Joins the refresh of this grant, or starts it, and waits for what comes of it: the new session, unless it is in the store alone.
    pub(crate) async fn refresh(&self, record: &GrantRecord, because: Because) -> Result<Option<Current>> {
        match timeout(PATIENCE, self.refresh_to_end(record, because)).await {
            Ok(outcome) => outcome.map(|(_, session)| session),
            Err(_) => Err(told::takes_long().into()),
        }
    }

    /// The same for whoever has the time to wait as long as it takes.
    pub(crate) async fn refresh_to_end(
        &self,
        record: &GrantRecord,
        because: Because,
    ) -> Result<(Renewed, Option<Current>)> {
        let done = self.join_refresh(record, because);
        Ok(done.wait().await.clone()?)
    }

    fn join_refresh(&self, record: &GrantRecord, because: Because) -> Tell {
        let mut all = self.refreshes().lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = all.get(&record.id) {
            return Arc::clone(running);
        }
        let done = Arc::new(SetOnce::new());
        all.insert(record.id.clone(), Arc::clone(&done));
        let running = Running { host: self.pinned(), grant: record.id.clone(), outcome: None, done: Arc::clone(&done) };
        let record = record.clone();
        self.spawn(async move {
            let outcome = running.host.refresh_alone(&record, because, &running.done).await;
            running.end(outcome.map(|renewed| (renewed, None)).map_err(Arc::new));
        });
        done
    }
}

/// The grant, if it may be used.
fn live(record: Option<GrantRecord>) -> Result<GrantRecord> {
    let record = record.ok_or_else(|| Error::Request("this connection has no grant any more".to_owned()))?;
    match &record.state {
        GrantState::Active => Ok(record),
        GrantState::Held { reason } => Err(Error::Request(format!(
            "the connection is held here ({reason}): adopt it once nobody else refreshes it"
        ))),
        GrantState::ReauthRequired { reason } => {
            Err(CoreError::reauth_required(reason.clone(), "the person has to connect this account again").into())
        }
        GrantState::Disconnecting | GrantState::Disconnected => {
            Err(Error::Request("the connection is disconnected".to_owned()))
        }
    }
}

/// A refresh under way. When it ends, also by a panic, it leaves the list first, so that nobody joins what is over, and then tells those who
/// wait, the longest waiting first.
struct Running {
    host: Host,
    grant: GrantId,
    outcome: Option<Outcome>,
    done: Tell,
}

impl Running {
    fn end(mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
        drop(self);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.host.refreshes().lock().unwrap_or_else(PoisonError::into_inner).remove(&self.grant);
        let lost = || Err(Arc::new(Error::Machine("the refresh ended without a result".to_owned())));
        // It may have been told already, that the answer is in the spool.
        let _ = self.done.set(self.outcome.take().unwrap_or_else(lost));
    }
}

/// Whether a token is good for a call that starts now. One that never said when it ends is tried.
pub(crate) fn is_fresh(expires_at: Option<Timestamp>, now: Timestamp) -> bool {
    expires_at.is_none_or(|at| now.saturating_add(MARGIN).is_ok_and(|soon| soon < at))
}

/// Whether an error says that the grant needs its person, and why.
fn reason(error: &CoreError) -> Option<&str> {
    match error.kind() {
        ErrorKind::ReauthRequired { reason } => Some(reason),
        _ => None,
    }
}
