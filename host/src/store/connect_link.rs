//! Connect links: what a product gives to a person who has no login here. A store never has the token of one.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use connector_core::{PlatformId, Scope};
use jiff::{SignedDuration, Timestamp};

use super::{AuditRecord, ConnectLinkId, ConnectionId, Page, Result};
use crate::cursor::{self, CursorError, Kind};

/// A link that was made for one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectLinkRecord {
    /// Its id, which is no secret.
    pub id: ConnectLinkId,
    /// The SHA-256 of its token in hex: the link is found by this, and a thief of the database finds nothing to open.
    pub token_digest: String,
    /// Whose connection it will be.
    pub tenant: String,
    /// The platform.
    pub platform: PlatformId,
    /// The app, by the operator's name.
    pub app: String,
    /// The product's own id for the connection.
    pub reference: Option<String>,
    /// The connection that is to be renewed, if it is one.
    pub reconnects: Option<ConnectionId>,
    /// Where the browser goes in the end.
    pub return_url: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on nothing begins with it.
    pub expires_at: Timestamp,
    /// The SHA-256 in hex of what binds it to the browser that used it first.
    pub browser_digest: Option<String>,
    /// The digest of the state of the flow that began with it last.
    pub state_digest: Option<String>,
    /// What became of that flow.
    pub outcome: Option<ConnectLinkOutcome>,
    /// When nothing more could become of it, other than that its time was over.
    pub ended_at: Option<Timestamp>,
}

/// What became of a flow that began with a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectLinkOutcome {
    /// A callback came in time, and its code is being exchanged.
    Completing {
        /// Since when.
        since: Timestamp,
    },
    /// The accounts are connected.
    Connected {
        /// One for each account.
        connections: Vec<ConnectionId>,
    },
    /// The access is stored, and whose it is could not be read yet. That is tried again.
    Waiting,
    /// Nothing was connected. The same browser may try again until the link's time is over.
    Failed {
        /// Why, as one stable word.
        error: String,
        /// After the platform refused a request because of a scope: what may be asked for instead, once.
        instead: Vec<Scope>,
    },
    /// The product took the link back.
    Cancelled,
}

impl ConnectLinkOutcome {
    /// Whether nothing more can become of the link.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Failed { .. } | Self::Completing { .. })
    }

    /// Whether an exchange may be under way, which no process takes longer for than this.
    fn is_under_way(&self, now: Timestamp) -> bool {
        matches!(self, Self::Completing { since } if now.duration_since(*since) < COMPLETING_FOR)
    }
}

/// How long an exchange may be under way, until its process is taken for ended.
const COMPLETING_FOR: SignedDuration = SignedDuration::from_mins(3);

/// How a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectLinkState {
    /// Nobody has used it.
    Open,
    /// A browser has used it, and nothing has become of it yet.
    Started,
    /// See [`ConnectLinkOutcome::Connected`].
    Connected,
    /// See [`ConnectLinkOutcome::Waiting`].
    Waiting,
    /// See [`ConnectLinkOutcome::Failed`].
    Failed,
    /// See [`ConnectLinkOutcome::Cancelled`].
    Cancelled,
    /// Its time was over before anything became of it.
    Expired,
}

impl ConnectLinkState {
    /// All there are.
    pub const ALL: [Self; 7] =
        [Self::Open, Self::Started, Self::Connected, Self::Waiting, Self::Failed, Self::Cancelled, Self::Expired];

    /// The state as one stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Started => "started",
            Self::Connected => "connected",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for ConnectLinkState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ConnectLinkState {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|state| state.as_str() == word).ok_or_else(|| {
            let words = Self::ALL.map(Self::as_str).join(", ");
            format!("`{}` is no state of a connect link: use one of {words}", word.escape_debug())
        })
    }
}

/// Where a list of connect links goes on, the latest first: behind this one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectLinkCursor(ConnectLinkId);

impl ConnectLinkCursor {
    /// Behind this link.
    pub fn behind(id: ConnectLinkId) -> Self {
        Self(id)
    }

    /// The link that it is behind.
    pub fn id(&self) -> &ConnectLinkId {
        &self.0
    }
}

impl fmt::Display for ConnectLinkCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&cursor::write(Kind::ConnectLinks, &self.0.bytes()))
    }
}

impl FromStr for ConnectLinkCursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let place: [u8; 16] = cursor::read(Kind::ConnectLinks, text)?;
        ConnectLinkId::of_bytes(&place).map(Self::behind).ok_or(CursorError::Damaged)
    }
}

impl ConnectLinkRecord {
    /// Where a list of which this is the last one goes on.
    pub fn cursor(&self) -> ConnectLinkCursor {
        ConnectLinkCursor::behind(self.id.clone())
    }

    /// How it stands at a time. A flow that began in time may still end well when the link's own time is over.
    pub fn state(&self, now: Timestamp) -> ConnectLinkState {
        match &self.outcome {
            Some(ConnectLinkOutcome::Connected { .. }) => ConnectLinkState::Connected,
            Some(ConnectLinkOutcome::Waiting) => ConnectLinkState::Waiting,
            Some(ConnectLinkOutcome::Cancelled) => ConnectLinkState::Cancelled,
            Some(outcome) if outcome.is_under_way(now) => ConnectLinkState::Started,
            _ if self.expires_at <= now => ConnectLinkState::Expired,
            Some(ConnectLinkOutcome::Failed { .. }) => ConnectLinkState::Failed,
            _ if self.browser_digest.is_some() => ConnectLinkState::Started,
            _ => ConnectLinkState::Open,
        }
    }

    /// Whether a browser with this digest may begin a flow with it at a time.
    pub fn may_start(&self, browser_digest: Option<&str>, now: Timestamp) -> bool {
        let its_own = self.browser_digest.is_none() || self.browser_digest.as_deref() == browser_digest;
        its_own && self.may_end(now)
    }

    /// Whether it is of use at a time, and no exchange is under way.
    pub fn may_end(&self, now: Timestamp) -> bool {
        let under_way = self.outcome.as_ref().is_some_and(|outcome| outcome.is_under_way(now));
        !under_way
            && matches!(self.state(now), ConnectLinkState::Open | ConnectLinkState::Started | ConnectLinkState::Failed)
    }
}

/// A browser that uses a link.
#[derive(Clone, Debug)]
pub struct ConnectLinkStart {
    /// The link.
    pub id: ConnectLinkId,
    /// The SHA-256 in hex of what the browser has of its own.
    pub browser_digest: String,
    /// The digest of the state of the flow that it begins.
    pub state_digest: String,
    /// When.
    pub now: Timestamp,
}

/// Keeps connect links. One that is of no use any more stays for a while, so that the product can read what became of it.
#[async_trait]
pub trait ConnectLinks {
    /// Adds a link and records it, unless its tenant has so many that have not ended by the time it was made, nor has their time: of any number
    /// that are added at once no more are than fit. False when it has: nothing has changed then.
    ///
    /// # Errors
    /// [`StoreError::Conflict`](super::StoreError::Conflict) when there is a link of this id or token,
    /// [`StoreError::NotOurs`](super::StoreError::NotOurs) when the store is another instance's.
    async fn put_connect_link(&self, link: &ConnectLinkRecord, most: u32, audit: &AuditRecord) -> Result<bool>;

    /// A link of a tenant.
    async fn connect_link(&self, tenant: &str, id: &ConnectLinkId) -> Result<Option<ConnectLinkRecord>>;

    /// A tenant's next links, the latest first, however they stand: at most so many, and one at least.
    async fn connect_links_page(
        &self,
        tenant: &str,
        after: Option<ConnectLinkCursor>,
        limit: u32,
    ) -> Result<Page<ConnectLinkRecord, ConnectLinkCursor>>;

    /// The link of a token, however it stands.
    async fn connect_link_by_token(&self, token_digest: &str) -> Result<Option<ConnectLinkRecord>>;

    /// A link that the browser with this digest has used.
    async fn connect_link_of_browser(
        &self,
        id: &ConnectLinkId,
        browser_digest: &str,
    ) -> Result<Option<ConnectLinkRecord>>;

    /// The link whose last flow has this state, however it stands.
    async fn connect_link_by_state(&self, state_digest: &str) -> Result<Option<ConnectLinkRecord>>;

    /// Gives the link to a browser, which begins a flow with it: of any number of browsers at the same time one has it, and that one may do
    /// so again. The flow that it began before is taken out. False when [`ConnectLinkRecord::may_start`] is: nothing has changed then.
    ///
    /// # Errors
    /// [`StoreError::NotOurs`](super::StoreError::NotOurs) when the store is another instance's.
    async fn start_connect_link(&self, start: &ConnectLinkStart) -> Result<bool>;

    /// Stores what became of the flow with this state. False when another flow has begun with the link since, it had ended, or its callback
    /// was there before and this is another: nothing has changed then.
    async fn end_connect_link(&self, state_digest: &str, outcome: &ConnectLinkOutcome, now: Timestamp) -> Result<bool>;

    /// Takes a link of a tenant back, with the flow that began with it, and records it. False when there is none, it had ended, or its code is
    /// being exchanged: nothing has changed then.
    ///
    /// # Errors
    /// [`StoreError::NotOurs`](super::StoreError::NotOurs) when the store is another instance's.
    async fn cancel_connect_link(
        &self,
        tenant: &str,
        id: &ConnectLinkId,
        now: Timestamp,
        audit: &AuditRecord,
    ) -> Result<bool>;

    /// Removes what expired at this time or before, and says how many.
    async fn prune_connect_links(&self, expired_at: Timestamp) -> Result<u64>;
}
