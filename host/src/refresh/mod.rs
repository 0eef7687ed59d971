//! Keeping access: one refresh for any number of callers, processes and nodes, that nobody can cancel, stored before anything else happens.
//!
//! A caller that finds an expired token joins the refresh of its grant in this process, or starts it. The refresh runs in a task of its
//! own: [`attempt`] says how it goes. What comes of it is in the row of the grant, which is all that others need to see.

mod attempt;
mod late;
mod terms;
mod told;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use connector_core::account::Session;
use connector_core::{Error as CoreError, ErrorKind};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::SetOnce;
use tokio::time::timeout;

use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::{GrantId, GrantRecord, GrantState};

/// A token that expires within this time is not handed out: the call it is for takes time as well.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);
/// How long a caller waits for a refresh, which goes on without it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The refreshes under way in this process, by grant.
pub(crate) type InFlight = Mutex<HashMap<GrantId, Arc<SetOnce<Outcome>>>>;

/// How a refresh ended for those who waited.
type Outcome = Result<(), Arc<Error>>;

/// Why a refresh is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Because {
    /// The token expires.
    Expiring,
    /// The platform refused the token before its time.
    Refused,
}

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
            return self.open_session(&record);
        }
        self.renewed(&record, Because::Expiring).await
    }

    /// The same after the platform refused a token, whatever its lifetime says.
    pub(crate) async fn session_after(&self, tenant: &str, grant: &GrantId, refused: &Session) -> Result<Session> {
        let record = self.live_grant(tenant, grant).await?;
        let session = self.open_session(&record)?;
        if session.grant.tokens.access.matches(refused.grant.tokens.access.expose()) {
            return self.renewed(&record, Because::Refused).await;
        }
        Ok(session)
    }

    /// A token in its last minute is better than none.
    async fn renewed(&self, record: &GrantRecord, because: Because) -> Result<Session> {
        match self.refresh(record, because).await {
            Ok(()) => self.open_session(&self.live_grant(&record.tenant, &record.id).await?),
            Err(error) if because == Because::Expiring && self.is_alive(record) => {
                tracing::warn!(grant = %record.id, %error, "the access token is used for as long as it lives");
                self.open_session(record)
            }
            Err(error) => Err(error),
        }
    }

    fn is_alive(&self, record: &GrantRecord) -> bool {
        record.access_expires_at.is_none_or(|at| self.context().now() < at)
    }

    pub(crate) async fn live_grant(&self, tenant: &str, grant: &GrantId) -> Result<GrantRecord> {
        let record = self.store().grant(tenant, grant).await?;
        let record = record.ok_or_else(|| Error::Request("this connection has no grant any more".to_owned()))?;
        match &record.state {
            GrantState::Active => Ok(record),
            GrantState::Held => Err(Error::Request(
                "the connection was imported and is held: adopt it once its old owner no longer refreshes it"
                    .to_owned(),
            )),
            GrantState::ReauthRequired { reason } => {
                Err(CoreError::reauth_required(reason.clone(), "the person has to connect this account again").into())
            }
            GrantState::Disconnecting | GrantState::Disconnected => {
                Err(Error::Request("the connection is disconnected".to_owned()))
            }
        }
    }

    /// Joins the refresh of this grant, or starts it, and waits for what comes of it.
    pub(crate) async fn refresh(&self, record: &GrantRecord, because: Because) -> Result<()> {
        let done = self.join_refresh(record, because);
        match timeout(PATIENCE, done.wait()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Arc::clone(error).into()),
            Err(_) => Err(told::takes_long().into()),
        }
    }

    fn join_refresh(&self, record: &GrantRecord, because: Because) -> Arc<SetOnce<Outcome>> {
        let mut all = self.refreshes().lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = all.get(&record.id) {
            return Arc::clone(running);
        }
        let done = Arc::new(SetOnce::new());
        all.insert(record.id.clone(), Arc::clone(&done));
        let running = Running { host: self.clone(), grant: record.id.clone(), outcome: None, done: Arc::clone(&done) };
        let record = record.clone();
        self.spawn(async move {
            let outcome = running.host.refresh_alone(&record, because).await;
            running.end(outcome.map_err(Arc::new));
        });
        done
    }
}

/// A refresh under way. When it ends, also by a panic, it leaves the list first, so that nobody joins what is over, and then tells those who
/// wait, the longest waiting first.
struct Running {
    host: Host,
    grant: GrantId,
    outcome: Option<Outcome>,
    done: Arc<SetOnce<Outcome>>,
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
        // It is set here alone.
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
