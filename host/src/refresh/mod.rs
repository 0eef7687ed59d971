//! Keeping access: one refresh for any number of callers, processes and nodes, that nobody can cancel, stored before anything else happens.
//!
//! A caller that finds an expired token joins the refresh of its grant in this process, or starts it. The refresh runs in a task of its
//! own: [`attempt`] says how it goes. What comes of it is in the row of the grant, which is all that others need to see.

mod attempt;
mod keep;
mod late;
mod terms;
mod told;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use connector_core::account::Session;
use connector_core::{Error as CoreError, ErrorKind};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::timeout;

pub(crate) use self::terms::QUARANTINE;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::{GrantId, GrantRecord, GrantState};

/// A token that expires within this time is not handed out: the call it is for takes time as well.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);
/// How long a caller waits for a refresh, which goes on without it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The refreshes under way in this process, by grant.
pub(crate) type InFlight = Mutex<HashMap<GrantId, watch::Receiver<Option<Outcome>>>>;

/// How a refresh ended for those who waited: what they asked for is in their hands, or in the store.
type Outcome = Result<Option<Session>, Arc<Error>>;

/// Tells those who wait.
type Tell = watch::Sender<Option<Outcome>>;

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
            return self.opened(&record).await;
        }
        self.renewed(&record, Because::Expiring).await
    }

    /// The same after the platform refused a token, whatever its lifetime says.
    pub(crate) async fn session_after(&self, tenant: &str, grant: &GrantId, refused: &Session) -> Result<Session> {
        let record = self.live_grant(tenant, grant).await?;
        let session = self.opened(&record).await?;
        if session.grant.tokens.access.matches(refused.grant.tokens.access.expose()) {
            return self.renewed(&record, Because::Refused).await;
        }
        Ok(session)
    }

    /// A token in its last minute is better than none.
    async fn renewed(&self, record: &GrantRecord, because: Because) -> Result<Session> {
        match self.refresh(record, because).await {
            Ok(Some(session)) => Ok(session),
            Ok(None) => self.opened(&self.live_grant(&record.tenant, &record.id).await?).await,
            Err(error) if because == Because::Expiring && self.is_alive(record) => {
                tracing::warn!(grant = %record.id, %error, "the access token is used for as long as it lives");
                self.opened(record).await
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

    /// Joins the refresh of this grant, or starts it, and waits for what comes of it: the new session, unless it is in the store alone.
    pub(crate) async fn refresh(&self, record: &GrantRecord, because: Because) -> Result<Option<Session>> {
        let mut done = self.join_refresh(record, because);
        let outcome = timeout(PATIENCE, done.wait_for(Option::is_some)).await;
        match outcome.map(|outcome| outcome.map(|outcome| outcome.clone())) {
            Ok(Ok(Some(Ok(session)))) => Ok(session),
            Ok(Ok(Some(Err(error)))) => Err(error.into()),
            Ok(Ok(None) | Err(_)) => Err(Error::Machine("the refresh ended without a result".to_owned())),
            Err(_) => Err(told::takes_long().into()),
        }
    }

    fn join_refresh(&self, record: &GrantRecord, because: Because) -> watch::Receiver<Option<Outcome>> {
        let mut all = self.refreshes().lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = all.get(&record.id) {
            return running.clone();
        }
        let (tell, done) = watch::channel(None);
        all.insert(record.id.clone(), done.clone());
        let (leaving, record) = (Leaving { host: self.clone(), grant: record.id.clone() }, record.clone());
        self.spawn(async move {
            let outcome = leaving.host.refresh_alone(&record, because, &tell).await;
            drop(leaving);
            // Whoever got the new token in hand already needs nothing else.
            tell.send_if_modified(|told| {
                let is_news = told.is_none();
                told.get_or_insert(outcome.map(|()| None).map_err(Arc::new));
                is_news
            });
        });
        done
    }
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
