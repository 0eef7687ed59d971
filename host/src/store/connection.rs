//! Connections: accounts linked for a tenant.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use connector_core::account::{Account, Profile};
use connector_core::{PlatformId, ScopeSet};
use jiff::Timestamp;

use super::{Actor, AuditId, ConnectionId, GrantId, GrantRecord, GrantState, NewRevocation, Page, Result};
use crate::cursor::{self, CursorError, Kind};

/// One account linked for a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionRecord {
    /// Its id.
    pub id: ConnectionId,
    /// Whose it is.
    pub tenant: String,
    /// The product's own id for it.
    pub reference: Option<String>,
    /// The platform.
    pub platform: PlatformId,
    /// The app, by the operator's name.
    pub app: String,
    /// The grant it works by.
    pub grant_id: GrantId,
    /// The platform's raw, stable id of the account.
    pub account_id: String,
    /// What the platform said about the account.
    pub profile: Profile,
    /// When it was linked first.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// When it was disconnected, if it is.
    pub disconnected_at: Option<Timestamp>,
}

/// A connection and the grant it works by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// The connection.
    pub connection: ConnectionRecord,
    /// Its grant.
    pub grant: GrantRecord,
}

/// The grant a connection works by, and what whoever uses it has to know of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionGrant {
    /// The platform's stable id of the account.
    pub account_id: String,
    /// When the connection was given up, if it was.
    pub disconnected_at: Option<Timestamp>,
    /// The grant.
    pub grant: GrantRecord,
}

/// How a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConnectionState {
    /// It works, as far as is known.
    Active,
    /// It was imported or exported, and is not used until somebody says that it is ours.
    Held,
    /// The person has to connect again.
    ReauthRequired,
    /// It has been disconnected, and the platform is still to be told.
    Disconnecting,
    /// It has been disconnected.
    Disconnected,
}

impl ConnectionState {
    /// The state as one stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Held => "held",
            Self::ReauthRequired => "reauth_required",
            Self::Disconnecting => "disconnecting",
            Self::Disconnected => "disconnected",
        }
    }
}

impl FromStr for ConnectionState {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let all = [Self::Active, Self::Held, Self::ReauthRequired, Self::Disconnecting, Self::Disconnected];
        let found = all.into_iter().find(|state| state.as_str() == word);
        let words = all.map(ConnectionState::as_str).join(", ");
        found.ok_or_else(|| format!("`{}` is no state of a connection: use one of {words}", word.escape_debug()))
    }
}

impl Connected {
    /// How the connection stands, where it is known whether its grant lacks a scope that the configuration requires.
    pub(crate) fn state_given(&self, lacks_required: bool) -> ConnectionState {
        match self.state() {
            ConnectionState::Active if lacks_required => ConnectionState::ReauthRequired,
            state => state,
        }
    }

    /// How the connection stands by what is stored. It can be disconnected while its grant goes on for another account.
    pub fn state(&self) -> ConnectionState {
        match (self.connection.disconnected_at, &self.grant.state) {
            (_, GrantState::Disconnecting) => ConnectionState::Disconnecting,
            (Some(_), _) | (None, GrantState::Disconnected) => ConnectionState::Disconnected,
            (None, GrantState::ReauthRequired { .. }) => ConnectionState::ReauthRequired,
            (None, GrantState::Held { .. }) => ConnectionState::Held,
            (None, GrantState::Active) => ConnectionState::Active,
        }
    }
}

/// Which connections are asked for. How one stands is for whoever asks to see: it follows from its grant and the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionFilter {
    /// Whose.
    pub tenant: String,
    /// Of this platform only.
    pub platform: Option<PlatformId>,
    /// What the product calls by this only.
    pub reference: Option<String>,
    /// Of the account with this id at its platform only.
    pub account_id: Option<String>,
}

/// Where a list of connections goes on: behind the connection of this number, which it got when it was linked first and keeps, and which is
/// higher than those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionCursor(i64);

impl ConnectionCursor {
    /// Behind the connection of this number.
    pub fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number.
    pub fn number(self) -> i64 {
        self.0
    }
}

impl fmt::Display for ConnectionCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&cursor::write(Kind::Connections, &self.0.to_be_bytes()))
    }
}

impl FromStr for ConnectionCursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        cursor::read(Kind::Connections, text).map(|number| Self(i64::from_be_bytes(number)))
    }
}

/// A page of connections, each with its place in the list.
pub type ConnectionPage = Page<(ConnectionCursor, Connected), ConnectionCursor>;

/// An account that a grant reaches, to be linked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewConnection {
    /// The id the connection gets if the account was never linked before.
    pub id_if_new: ConnectionId,
    /// The account.
    pub account: Account,
    /// The product's own id for it. `None` leaves what is there.
    pub reference: Option<String>,
    /// The id of the record of it.
    pub audit: AuditId,
}

/// What linking did to one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// The connection as it is now.
    pub connection: ConnectionRecord,
    /// What it was before.
    pub link: Link,
    /// The grant it worked by before, if that was another one.
    pub previous_grant: Option<GrantId>,
}

/// What an account was to its tenant before it was linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Never linked before.
    New,
    /// Linked once, by another grant or disconnected since: the same connection goes on, with its history.
    Reconnected,
    /// Linked by this same grant already.
    Kept,
}

/// What linking did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// Each account that was linked, in the order given.
    pub linked: Vec<Linked>,
    /// The grants that nothing works by any more. Their tokens are gone.
    pub superseded: Vec<GrantId>,
}

/// A connection to be given up.
#[derive(Clone, Debug)]
pub struct Disconnect {
    /// Whose.
    pub tenant: String,
    /// Which.
    pub connection: ConnectionId,
    /// What is left to tell the platform: of its grant, should that end, and of grants that would link the account again.
    pub revocations: Vec<NewRevocation>,
    /// The id of the record of it.
    pub audit: AuditId,
    /// Who wants it, for the record.
    pub by: Option<Actor>,
    /// When.
    pub now: Timestamp,
}

/// What disconnecting did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disconnection {
    /// Nothing: it was disconnected already.
    Already,
    /// The connection is over; its grant goes on for another account.
    GrantGoesOn,
    /// The connection and its grant are over, and the tokens are gone from the grant.
    GrantEnded,
}

/// How many connections of an app are in a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateCount {
    /// The platform.
    pub platform: PlatformId,
    /// The app, by the operator's name.
    pub app: String,
    /// The state.
    pub state: ConnectionState,
    /// How many, never 0.
    pub count: u64,
}

/// Keeps connections.
#[async_trait]
pub trait Connections {
    /// Links the accounts a grant reaches, which settles its [`LinkIntent`](super::LinkIntent), and adds to what it ever held, so that it
    /// takes over what earlier grants of the accounts did. An account that was linked for this platform and app before keeps its
    /// connection.
    ///
    /// A grant may come late, because its accounts could not be read at first. It leaves alone a connection that has been given up since
    /// the grant was made, and a live one that works by an active grant made later.
    ///
    /// Grants of the same tenant that lose their last connection by this, or that were made for the same subject before and
    /// never got one, are deleted; and so is the grant itself if it came too late for every account. One that a connection refers to that
    /// was given up stays for that one's sake, ended and without its tokens.
    ///
    /// Each account that was not linked by this grant before is put on record as `connected` or `reconnected`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`](super::StoreError::NotFound) when the tenant has no such grant,
    /// [`StoreError::Conflict`](super::StoreError::Conflict) when the grant is over.
    async fn link_accounts(
        &self,
        tenant: &str,
        grant: &GrantId,
        ever_granted: &ScopeSet,
        accounts: Vec<NewConnection>,
        now: Timestamp,
    ) -> Result<Links>;

    /// The next connections after this one that pass the filter, the one linked first at the front, each with its place in the list: at most
    /// so many, and one at least. What a page costs does not grow with what there is.
    ///
    /// A connection that is there from the first page to the last is on one of them. One that is linked meanwhile may be.
    async fn connections_page(
        &self,
        filter: &ConnectionFilter,
        after: Option<ConnectionCursor>,
        limit: u32,
    ) -> Result<ConnectionPage>;

    /// All connections that pass the filter, the one linked first at the front.
    async fn connections(&self, filter: &ConnectionFilter) -> Result<Vec<Connected>> {
        let all = self.connections_page(filter, None, u32::MAX).await?;
        Ok(all.items.into_iter().map(|(_, found)| found).collect())
    }

    /// How many connections of any tenant there are, by platform, app and state, in this order.
    async fn count_by_state(&self) -> Result<Vec<StateCount>>;

    /// The connections that these accounts have under an app, in the order given.
    async fn connections_of(
        &self,
        tenant: &str,
        platform: &PlatformId,
        app: &str,
        account_ids: &[&str],
    ) -> Result<Vec<Connected>>;

    /// A tenant's connection.
    async fn connection(&self, tenant: &str, id: &ConnectionId) -> Result<Option<Connected>>;

    /// The grant of a tenant's connection, for whoever is about to use it: in one look, and without what a call does not need.
    ///
    /// # Errors
    /// [`StoreError::NotOurs`](super::StoreError::NotOurs) when the store is another instance's.
    async fn own_connection_grant(&self, tenant: &str, id: &ConnectionId) -> Result<Option<ConnectionGrant>>;

    /// Replaces what is known about the account.
    ///
    /// # Errors
    /// [`StoreError::NotFound`](super::StoreError::NotFound) when there is no such connection.
    async fn update_profile(&self, id: &ConnectionId, profile: &Profile, now: Timestamp) -> Result<()>;

    /// Disconnects. With the last live connection of a grant the grant ends: its tokens are wiped, its generation grows, so that no
    /// refresh under way can bring them back, and its revocation, if one is given, is stored in their place.
    ///
    /// Like a new grant, see [`Grants::put_grant`](super::Grants::put_grant), it never seems to happen before what the store has already.
    ///
    /// Grants that would link the account again when their accounts are read, see [`GrantRecord::would_link`], are deleted, and their
    /// revocations, as far as they are given, are stored. Unless it was disconnected already, `disconnected` is put on record.
    ///
    /// # Errors
    /// [`StoreError::NotFound`](super::StoreError::NotFound) when the tenant has no such connection,
    /// [`StoreError::Conflict`](super::StoreError::Conflict) when a revocation was made from an older token set than its grant now
    /// has, or of a grant that this does not concern: read again, seal again, try again.
    async fn disconnect(&self, disconnect: &Disconnect) -> Result<Disconnection>;
}
