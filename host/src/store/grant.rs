//! Grants: what people allowed, with the sealed tokens.

use async_trait::async_trait;
use connector_core::grant::BaseUrls;
use connector_core::scope::GrantScopes;
use connector_core::{Error, PlatformId, ScopeSet};
use jiff::Timestamp;

use super::{AuditRecord, Connected, ConnectionId, GrantId, NewRevocation, RefreshMark, Result};
use crate::vault::Sealed;

/// What a person allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantRecord {
    /// Its id.
    pub id: GrantId,
    /// Whose it is.
    pub tenant: String,
    /// The platform.
    pub platform: PlatformId,
    /// The app, by the operator's name.
    pub app: String,
    /// The app's public id at the platform, as it was when the grant was made.
    pub client_id: String,
    /// The origins it was made with, and the only ones it is sent to.
    pub base_urls: BaseUrls,
    /// The platform's id of whoever allowed it, if it said.
    pub subject: Option<String>,
    /// The scopes asked for and given.
    pub scopes: GrantScopes,
    /// The access token, sealed for this generation.
    pub access: Option<Sealed>,
    /// When it expires, if the platform said.
    pub access_expires_at: Option<Timestamp>,
    /// The refresh token, sealed for this generation.
    pub refresh: Option<Sealed>,
    /// When it expires, if the platform said.
    pub refresh_expires_at: Option<Timestamp>,
    /// From when the lives of the tokens count: before the request for them left.
    pub issued_at: Timestamp,
    /// Counts the token sets this grant has had. It never goes down, and a write that expects another one does nothing.
    pub generation: i64,
    /// What is known of the requests sent with the refresh token. `None` if none was, or each was answered.
    pub refresh_mark: Option<RefreshMark>,
    /// Before this time no refresh is sent: the platform refused the last one, and not for the token's sake.
    pub parked_until: Option<Timestamp>,
    /// The answer to a refresh that nobody could read yet, sealed for this generation. It may hold the next token.
    pub kept_answer: Option<Sealed>,
    /// How it stands.
    pub state: GrantState,
    /// Since when.
    pub state_since: Timestamp,
    /// What is to become of the accounts it reaches. `None` once they have been read and linked.
    pub unlinked: Option<LinkIntent>,
    /// What went wrong last, until something goes right.
    pub last_error: Option<LastError>,
    /// When the person allowed it, and never before what the store had then, see [`Grants::put_grant`].
    pub created_at: Timestamp,
    /// When its tokens, scopes or state changed last.
    pub updated_at: Timestamp,
}

impl GrantRecord {
    /// A grant as it begins: active, in its first generation, without tokens, scopes or base URLs. `client_id` is the app's public id at the
    /// platform.
    pub fn new(
        id: GrantId,
        tenant: impl Into<String>,
        platform: PlatformId,
        app: impl Into<String>,
        client_id: impl Into<String>,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            tenant: tenant.into(),
            platform,
            app: app.into(),
            client_id: client_id.into(),
            base_urls: BaseUrls::new(),
            subject: None,
            scopes: GrantScopes::default(),
            access: None,
            access_expires_at: None,
            refresh: None,
            refresh_expires_at: None,
            issued_at: now,
            generation: 1,
            refresh_mark: None,
            parked_until: None,
            kept_answer: None,
            state: GrantState::Active,
            state_since: now,
            unlinked: None,
            last_error: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// Whether its accounts are still to be linked, and the connection's would be among them: the flow was for that connection, or the same
    /// person allowed it who allowed the grant the connection works by.
    pub fn would_link(&self, Connected { connection, grant }: &Connected) -> bool {
        let Some(intent) = self.unlinked.as_ref().filter(|_| !self.state.is_over()) else { return false };
        let same_app =
            self.tenant == connection.tenant && self.platform == connection.platform && self.app == connection.app;
        let same_person = self.subject.is_some() && self.subject == grant.subject;
        same_app && (same_person || intent.reconnects.as_ref() == Some(&connection.id))
    }
}

/// What a flow was begun for, kept until the accounts of its grant have been read, which may fail and be tried again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkIntent {
    /// The product's own id for the connection.
    pub reference: Option<String>,
    /// The connection the flow was to renew.
    pub reconnects: Option<ConnectionId>,
    /// Whether another account than that one may be linked instead.
    pub other_account_allowed: bool,
}

/// How a grant stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantState {
    /// It works, as far as is known.
    Active,
    /// Somebody else may be refreshing it, who has the same tokens: nothing is sent with them until somebody says that they are ours.
    Held {
        /// A stable word for the reason: `imported` or `exported`.
        reason: String,
    },
    /// The person has to connect again.
    ReauthRequired {
        /// A stable word for the reason, such as `refresh_token_rejected`.
        reason: String,
    },
    /// It is being given up. Its tokens are gone from here.
    Disconnecting,
    /// It has been given up.
    Disconnected,
}

impl GrantState {
    /// The state as one stable word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Held { .. } => "held",
            Self::ReauthRequired { .. } => "reauth_required",
            Self::Disconnecting => "disconnecting",
            Self::Disconnected => "disconnected",
        }
    }

    /// Whether it is held for this reason.
    pub fn is_held_for(&self, wanted: &str) -> bool {
        matches!(self, Self::Held { reason } if reason == wanted)
    }

    /// Whether it has been or is being given up.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Disconnecting | Self::Disconnected)
    }
}

/// A change of the state of a grant.
#[derive(Clone, Debug)]
pub struct StateChange {
    /// Of which grant.
    pub grant: GrantId,
    /// The generation that whoever decided this has seen.
    pub generation: i64,
    /// The state they have seen: what they decided holds for no other.
    pub seen: GrantState,
    /// The new state.
    pub state: GrantState,
    /// Since when.
    pub since: Timestamp,
    /// The record of it.
    pub audit: AuditRecord,
}

/// What went wrong, as it is shown and told to the platform's support.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastError {
    /// When.
    pub at: Timestamp,
    /// The word of the error's kind.
    pub kind: String,
    /// The sentence.
    pub message: String,
    /// The platform's own code.
    pub code: Option<String>,
    /// The platform's request id.
    pub log_id: Option<String>,
}

impl LastError {
    /// What there is to keep of an error.
    pub fn new(error: &Error, at: Timestamp) -> Self {
        Self {
            at,
            kind: error.kind().as_str().to_owned(),
            message: error.message().to_owned(),
            code: error.code().map(str::to_owned),
            log_id: error.log_id().map(str::to_owned),
        }
    }
}

/// Keeps grants. Writes to tokens and state compare the generation, so that a late answer never overwrites a newer one.
#[async_trait]
pub trait Grants {
    /// Stores a new grant, and the record of it. Should it seem to be made before the tenant's latest grant was, or its latest connection was
    /// given up, it is stored as made just after: the clocks of several machines do not agree, and what is made later is not to be taken
    /// for what came late.
    ///
    /// # Errors
    /// [`StoreError::Conflict`](super::StoreError::Conflict) when there is one with this id.
    async fn put_grant(&self, grant: &GrantRecord, audit: &AuditRecord) -> Result<()>;

    /// A tenant's grant.
    async fn grant(&self, tenant: &str, id: &GrantId) -> Result<Option<GrantRecord>>;

    /// The same, for whoever is about to use it, in one look.
    ///
    /// # Errors
    /// [`StoreError::NotOurs`](super::StoreError) when the store is another instance's.
    async fn own_grant(&self, tenant: &str, id: &GrantId) -> Result<Option<GrantRecord>>;

    /// A tenant's active grants whose accounts have not been linked, oldest first.
    async fn unlinked_grants(&self, tenant: &str) -> Result<Vec<GrantRecord>>;

    /// The same, with those that need their person before their accounts can be linked.
    async fn waiting_grants(&self, tenant: &str) -> Result<Vec<GrantRecord>>;

    /// The grants of any tenant that need their person for this reason and still have tokens, by id.
    async fn grants_needing(&self, reason: &str) -> Result<Vec<GrantRecord>>;

    /// Deletes a grant that no connection works by, with its tokens, and stores its revocation, if one is given, in their place. False means
    /// that the tenant has none of this id, or that a connection works by it: then nothing changes, and nothing is recorded.
    ///
    /// # Errors
    /// [`StoreError::Conflict`](super::StoreError::Conflict) when the revocation is another grant's, or was made from the grant as it
    /// was before it moved: its tokens, or what is known of its latest refresh.
    async fn give_up_grant(
        &self,
        tenant: &str,
        id: &GrantId,
        revocation: Option<NewRevocation>,
        audit: &AuditRecord,
    ) -> Result<bool>;

    /// What the latest flow asked for that a person completed under this registration, of whichever tenant: the platform accepted a request
    /// for these. Grants that came without a flow say nothing.
    async fn last_requested(&self, platform: &PlatformId, app: &str, client_id: &str) -> Result<Option<ScopeSet>>;

    /// Changes the state of a grant that still is of the generation and in the state that were seen, and is not over, and records it. False means that somebody else moved it, or that
    /// it was to be held while nobody knows whether its refresh token is spent: then nothing changes. A grant is ended by
    /// [`Connections::disconnect`](super::Connections::disconnect) alone.
    ///
    /// # Errors
    /// [`StoreError::Conflict`](super::StoreError::Conflict) when the new state is one of the two that end a grant.
    async fn set_grant_state(&self, change: &StateChange) -> Result<bool>;

    /// Whether another grant, of any tenant, stands for the same access, or may: same platform, same registration, same person. To give
    /// one up at the platform would end both. The accounts of live connections stand for the person as well as a subject does, and of a
    /// grant that came without a subject those of all its connections. Where none of that is known, any other grant may be the same
    /// person's. A grant counts while it is active, or needs its person and has a live connection to be renewed.
    async fn is_shared(
        &self,
        id: &GrantId,
        platform: &PlatformId,
        client_id: &str,
        subject: Option<&str>,
    ) -> Result<bool>;

    /// Notes what went wrong last, or that nothing is wrong.
    async fn note_grant_error(&self, id: &GrantId, error: Option<LastError>) -> Result<()>;
}
