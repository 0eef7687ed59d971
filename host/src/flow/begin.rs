use connector_core::app::{App, PlatformId};
use connector_core::oauth::{BeginRequest, Begun, NextStep, Purpose};
use connector_core::scope::{Wanted, list_scopes};
use connector_core::{Connector, Context, Scope, Secret};
use jiff::Timestamp;
use url::Url;

use super::pending::Kept;
use super::{FLOW_LIFE, pending};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::{ConnectionId, FlowId, FlowRecord};

/// Who is to be connected, where, and under which app.
#[derive(Clone, Debug)]
pub struct ConnectRequest {
    /// Whose connection it will be.
    pub tenant: String,
    /// The product's own id for it.
    pub reference: Option<String>,
    /// The platform.
    pub platform: PlatformId,
    /// The app's name.
    pub app: String,
    /// Where the platform sends the browser back to.
    pub redirect_uri: Url,
    /// The connection that is to be renewed, if it is one.
    pub reconnects: Option<ConnectionId>,
    /// Proves at the callback that whoever finishes the flow is whoever began it.
    pub initiator: Secret,
    /// What it asks for.
    pub asking: Asking,
}

/// What a flow asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Asking {
    /// Everything that the app wants and that is not pending.
    #[default]
    Everything,
    /// These of it alone, because the platform refused a request for everything, see [`ScopeRefused`](super::ScopeRefused).
    Less(Vec<Scope>),
}

impl Asking {
    /// The scopes, in the order of the app's list.
    fn of(&self, wanted: &Wanted) -> Result<Vec<Scope>> {
        let mut scopes = wanted.requested();
        if let Self::Less(less) = self {
            scopes.retain(|scope| less.contains(scope));
            if scopes.is_empty() {
                let message = format!("the app asks for none of {}, or they are pending", list_scopes(less));
                return Err(Error::Request(message));
            }
        }
        Ok(scopes)
    }
}

/// A flow that waits for its callback.
pub struct Started {
    /// Where the person goes. It holds the flow's state: show it to that person alone.
    pub authorize_url: Url,
    /// What it asks for, in order.
    pub requested: Vec<Scope>,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// The digest of its state.
    pub(crate) state_digest: String,
}

impl std::fmt::Debug for Started {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Started")
            .field("requested", &self.requested)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl Host {
    /// Starts a flow: the pending part is stored, sealed, for one use within [`FLOW_LIFE`].
    ///
    /// # Errors
    /// When the app cannot be used, the platform would refuse the redirect URI, or the store cannot be written or is
    /// another instance's.
    pub async fn connect(&self, request: ConnectRequest) -> Result<Started> {
        let host = self.pinned();
        self.store().check_ours().await?;
        let app = host.app_for(&request.tenant, request.platform.as_str(), &request.app)?;
        let purpose = if request.reconnects.is_some() { Purpose::Reauthorize } else { Purpose::Connect };
        let platform = host.platform(request.platform.as_str())?;
        let connector = platform.connector.as_ref();
        let scopes = request.asking.of(&app.wanted)?;
        let asked = BeginRequest { redirect_uri: request.redirect_uri, scopes, purpose };
        let (authorize_url, begun) =
            begun(&self.context().confined_to(&app.base_urls), connector, &app, &asked).await?;
        let now = self.context().now();
        let expires_at = now.saturating_add(FLOW_LIFE).unwrap_or(now);
        let state_digest = begun.pending.state.digest();
        let less = request.asking != Asking::Everything;
        let text = Kept::of(&begun.pending, &app, less).write()?;
        let id = FlowId::new(self.context())?;
        let record = FlowRecord {
            sealed: self.vault().seal(self.context(), &pending::binding(&request.tenant, &id), &text)?,
            id,
            state_digest: state_digest.clone(),
            tenant: request.tenant,
            platform: request.platform,
            app: request.app,
            reference: request.reference,
            reconnects: request.reconnects,
            initiator_digest: request.initiator.digest(),
            created_at: now,
            expires_at,
        };
        self.store().put_flow(&record).await?;
        Ok(Started { authorize_url, requested: begun.pending.requested, expires_at, state_digest })
    }
}

/// The authorize URL of a flow that is not started: nothing is stored.
///
/// # Errors
/// When the app cannot ask for this, such as with a redirect URI the platform refuses.
pub async fn authorize_url(
    cx: &Context,
    connector: &dyn Connector,
    app: &App,
    redirect_uri: Url,
    purpose: Purpose,
) -> Result<Url> {
    let request = BeginRequest { redirect_uri, scopes: app.wanted.requested(), purpose };
    Ok(begun(cx, connector, app, &request).await?.0)
}

async fn begun(cx: &Context, connector: &dyn Connector, app: &App, request: &BeginRequest) -> Result<(Url, Begun)> {
    let begun = connector.oauth().begin(cx, app, request).await?;
    match &begun.next {
        NextStep::Redirect(url) => Ok((url.clone(), begun)),
        other => Err(Error::Request(format!("the platform wants a step this host does not know: {other:?}"))),
    }
}
