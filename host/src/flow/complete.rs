use connector_core::app::{App, PlatformId};
use connector_core::grant::Grant;
use connector_core::oauth::CallbackParams;
use connector_core::{Error as CoreError, Scope, ScopeSet, Secret};
use jiff::Timestamp;
use serde_json::json;
use url::Url;

use super::accounts::Finished;
use super::pending::Kept;
use super::{Started, pending};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::{AuditRecord, FlowFilter, FlowRecord, GrantId, GrantRecord, LinkIntent, StoreError};
use crate::tokens::Place;

/// What came back from the browser.
#[derive(Debug)]
pub struct Callback {
    /// Where it came to.
    pub came_to: CameTo,
    /// Everything the browser brought.
    pub params: CallbackParams,
    /// Proves that whoever finishes the flow is whoever began it.
    pub initiator: Secret,
    /// Whether another account than the one to be renewed may be connected instead.
    pub other_account_allowed: bool,
}

/// Where a callback came to. It ends no flow that was begun for another place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CameTo {
    /// The host's own path of a platform and an app.
    Path {
        /// The platform.
        platform: PlatformId,
        /// The app, by the operator's name.
        app: String,
    },
    /// An address of a product, which vouches for the person in its browser.
    Product {
        /// Whose flows it may end.
        tenant: String,
        /// The address, if the product says it.
        redirect_uri: Option<Url>,
    },
}

/// What became of a flow that the person allowed.
#[derive(Debug)]
pub struct Completed {
    /// The connections, or why the accounts could not be read yet. The grant is stored either way.
    pub finished: Result<Finished>,
    /// What was asked for.
    pub requested: ScopeSet,
    /// What was granted, if the platform said.
    pub granted: Option<ScopeSet>,
    /// The required scopes that were not granted, in order. The connection is there and needs its person.
    pub lacking: Vec<Scope>,
}

impl Host {
    /// Ends a flow with its callback. The pending flow is used up before anything is sent; the exchange and the storing of its answer
    /// go on even if the caller goes away. A callback that came to the path of another app, or for another tenant, finds no flow and uses
    /// none up.
    ///
    /// # Errors
    /// When the callback belongs to no flow in progress or to another person's, when the person declined, when the platform refused.
    pub async fn complete(&self, callback: Callback) -> Result<Completed> {
        let host = self.pinned();
        self.detached(async move { host.complete_attached(callback).await }).await
    }

    /// What a callback reports that does not say which flow it belongs to, as those of some platforms do when they report an error.
    /// Anybody can send a browser here with such a callback, so nothing is sent and no flow is used up.
    ///
    /// # Errors
    /// When it says which flow it belongs to, or reports no error.
    pub fn stateless_error(&self, platform: &PlatformId, params: &CallbackParams) -> Result<CoreError> {
        if params.one("state")?.is_some() {
            return Err(not_in_progress().into());
        }
        let platform = self.platform(platform.as_str())?;
        let oauth = platform.connector.oauth();
        Ok(oauth.callback_error(params)?.ok_or_else(without_state)?)
    }

    /// Gives a flow up because of an error that a callback reported without saying whose it is: the flow's own callback is no longer taken.
    /// Gives what there is to say about it, which may be an offer to ask for less.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn end_by(&self, started: &Started, initiator: &Secret, error: CoreError) -> Result<Error> {
        match self.store().take_flow(&started.state_digest, &FlowFilter::default()).await? {
            Some(flow) if error.refuses_a_scope() => {
                let app = self.app(flow.platform.as_str(), &flow.app)?;
                let kept = self.kept(&flow)?;
                Ok(self.scope_refused(flow, &kept, &app, error, initiator.clone()).await?.into())
            }
            _ => Ok(error.into()),
        }
    }

    fn kept(&self, flow: &FlowRecord) -> Result<Kept> {
        Kept::read(&self.vault().open(&pending::binding(&flow.tenant, &flow.id), &flow.sealed)?)
    }

    async fn complete_attached(&self, callback: Callback) -> Result<Completed> {
        let state = callback.params.one("state")?.map(Secret::from).ok_or_else(without_state)?;
        let taken = self.store().take_flow(&state.digest(), &callback.came_to.filter()).await?;
        let flow = taken.ok_or_else(not_in_progress)?;
        let kept = self.kept(&flow)?;
        self.check(&flow, &kept, &callback)?;
        let app = self.app(flow.platform.as_str(), &flow.app)?;
        if !kept.began_under(&app) {
            return Err(CoreError::invalid_callback(
                "the app has another id or talks to another address than when this flow began; start connecting again",
            )
            .into());
        }
        let platform = self.platform(flow.platform.as_str())?;
        let oauth = platform.connector.oauth();
        let asked_at = self.context().now();
        let cx = self.context().confined_to(&app.base_urls);
        let grant = match oauth.complete(&cx, &app, &kept.pending(state)?, &callback.params).await {
            Err(error) if error.refuses_a_scope() => {
                return Err(self.scope_refused(flow, &kept, &app, error, callback.initiator).await?.into());
            }
            completed => completed?,
        };
        let record = self.store_grant(&flow, &app, &grant, asked_at, callback.other_account_allowed).await?;
        let (requested, granted) = (grant.scopes.requested.clone(), grant.scopes.granted.scopes().cloned());
        self.check_nameable(&record).await?;
        let finished = match self.accounts_of(&record).await {
            Ok(accounts) => Ok(self.link(&record, accounts).await.map_err(unless_overtaken)?),
            Err(error) => match unless_overtaken(error) {
                overtaken @ Error::NotLinked(_) => return Err(overtaken),
                error => Err(error),
            },
        };
        Ok(Completed { finished, requested, granted, lacking: app.wanted.lacking(&grant.scopes) })
    }

    /// A flow is for one address, ten minutes, and whoever began it.
    fn check(&self, flow: &FlowRecord, kept: &Kept, callback: &Callback) -> Result<()> {
        let same_address = callback.came_to.is_at(&kept.redirect_uri);
        let in_time = self.context().now() < flow.expires_at;
        let same_person = callback.initiator.digest() == flow.initiator_digest;
        let why = match (same_address, in_time, same_person) {
            (true, true, true) => return Ok(()),
            (false, ..) => "this callback came to another address than its flow was begun for; start connecting again",
            (true, false, _) => "this flow began more than ten minutes ago; start connecting again",
            (true, true, false) => "this flow was begun by somebody else, so nothing was connected",
        };
        Err(CoreError::invalid_callback(why).into())
    }

    async fn store_grant(
        &self,
        flow: &FlowRecord,
        app: &App,
        grant: &Grant,
        issued_at: Timestamp,
        other_account_allowed: bool,
    ) -> Result<GrantRecord> {
        let id = GrantId::new(self.context())?;
        let now = self.context().now();
        let sealed = self.seal_tokens(Place::of_grant(&flow.tenant, &id, 1), &grant.tokens)?;
        let intent = LinkIntent {
            reference: flow.reference.clone(),
            reconnects: flow.reconnects.clone(),
            other_account_allowed,
        };
        let record = GrantRecord {
            base_urls: grant.base_urls.clone(),
            subject: grant.subject.clone(),
            scopes: grant.scopes.clone(),
            access: Some(sealed.access),
            access_expires_at: grant.tokens.access_expires_at,
            refresh: sealed.refresh,
            refresh_expires_at: grant.tokens.refresh_expires_at,
            issued_at,
            unlinked: Some(intent),
            ..GrantRecord::new(
                id,
                flow.tenant.clone(),
                flow.platform.clone(),
                flow.app.clone(),
                app.client_id.clone(),
                now,
            )
        };
        // The code is used up, so these tokens are to be had nowhere else.
        let audit = AuditRecord::new(self.context(), &record.tenant, "access_allowed")?.of_grant(&record.id);
        let audit = audit.with(&json!({ "platform": record.platform.as_str(), "app": record.app }));
        match self.insist(&record.id, || self.store().put_grant(&record, &audit)).await {
            // A store that was lost in the middle of a commit may have kept it: nobody else has this id.
            Ok(()) | Err(Error::Store(StoreError::Conflict(_))) => self.live_grant(&record.tenant, &record.id).await,
            Err(error) => Err(error),
        }
    }
}

impl CameTo {
    /// The flows that may be ended there.
    fn filter(&self) -> FlowFilter {
        match self.clone() {
            Self::Path { platform, app } => {
                FlowFilter { platform: Some(platform), app: Some(app), ..FlowFilter::default() }
            }
            Self::Product { tenant, .. } => FlowFilter { tenant: Some(tenant), ..FlowFilter::default() },
        }
    }

    /// Whether it is this address, as far as that is said. A callback that one address got in place of another has shown its code to
    /// whoever is there, so its flow is over.
    fn is_at(&self, redirect_uri: &Url) -> bool {
        match self {
            Self::Product { redirect_uri: Some(uri), .. } => uri == redirect_uri,
            Self::Product { redirect_uri: None, .. } | Self::Path { .. } => true,
        }
    }
}

/// A new grant is gone before its accounts are linked when another one of the same person came after it and took its place.
fn unless_overtaken(error: Error) -> Error {
    match error {
        Error::Store(StoreError::NotFound { what: "grant", .. }) => Error::NotLinked(
            "the same account was connected once more at the same moment, and that connection is the one that counts"
                .to_owned(),
        ),
        error => error,
    }
}

fn without_state() -> CoreError {
    CoreError::invalid_callback("the callback has no `state`, so it belongs to no flow; start connecting again")
}

fn not_in_progress() -> CoreError {
    CoreError::invalid_callback(
        "this callback belongs to no flow in progress: it was used already, is older than ten minutes, or was not begun here; start connecting again",
    )
}
