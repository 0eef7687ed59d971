//! Connecting an account from a product that has its own redirect URI at the platform: its key vouches for the person in its browser.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use connector_core::oauth::CallbackParams;
use connector_core::{Scope, Secret};
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

use super::caller::Caller;
use super::connections::id;
use super::extract::{Body, Named};
use super::platforms::with_app;
use super::problem::{Problem, Result};
use crate::api_keys::Right;
use crate::data::{FailureData, LinkedData, texts};
use crate::flow::{Asking, Callback, CameTo, Completed, ConnectRequest};
use crate::host::Host;
use crate::usual;

/// What to connect.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StartFlow {
    /// The platform's id.
    platform: String,
    /// The app, by the operator's name.
    #[serde(default = "usual_app")]
    #[schema(default = usual_app)]
    app: String,
    /// The product's own id for the connection.
    reference: Option<String>,
    /// Where the platform sends the browser back to: one of the product's own addresses, as it is registered at the platform.
    #[schema(format = "uri")]
    redirect_uri: String,
    /// The connection that is to be renewed. Its whole list of scopes is asked for again.
    reconnect: Option<String>,
    /// Only these of the scopes that the app wants, after the platform refused a request for a scope. Everything unless given.
    scopes: Option<Vec<String>>,
}

/// A flow that waits for its callback.
#[derive(Serialize, ToSchema)]
pub(super) struct Flow {
    /// Its id. Keep it in the session of the person who goes to `authorize_url`, and in nobody else's: who has it can end the flow.
    id: String,
    /// Where the person goes.
    authorize_url: String,
    /// The scopes it asks for, in order.
    requested: Vec<String>,
    /// When it ends by itself.
    expires_at: String,
}

/// What came back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CompleteFlow {
    /// The query of the address that the browser came back to, as it stands, without its `?`.
    query: String,
    /// The address itself, without its query. Where a product has an address for each platform this keeps one from being taken for another.
    #[schema(format = "uri")]
    redirect_uri: Option<String>,
    /// With a flow that renews a connection: whether another account than the connection's may be connected instead.
    #[serde(default)]
    other_account: bool,
}

/// What became of a flow that the person allowed.
#[derive(Serialize, ToSchema)]
pub(super) struct Ended {
    /// The connections: one for each account.
    connections: Vec<LinkedData>,
    /// What was asked for.
    requested: Vec<String>,
    /// What was granted. `null` where the platform does not say.
    granted: Option<Vec<String>>,
    /// The required scopes that were not granted. The connection is there and needs its person.
    lacks_required: Vec<String>,
    /// Scopes that an earlier grant of these accounts held and this one does not.
    lost: Vec<String>,
    /// Why the accounts could not be read yet. The access is stored, and it is tried again.
    waits: Option<FailureData>,
}

/// Starts a flow. It waits ten minutes for its callback.
#[utoipa::path(post, path = "/flows", tag = "flows", request_body = StartFlow, responses(
    (status = 201, body = Flow)))]
pub(super) async fn start(
    caller: Caller,
    State(host): State<Host>,
    Body(asked): Body<StartFlow>,
) -> Result<(StatusCode, Json<Flow>)> {
    caller.may(Right::ConnectionsWrite)?;
    let platform = with_app(&host, &caller, &asked.platform, &asked.app)?;
    let reconnects = match &asked.reconnect {
        Some(text) => Some(host.connection(&caller.tenant, &id(text)?).await?.connection.id),
        None => None,
    };
    let initiator = host.context().random_token()?;
    let request = ConnectRequest {
        tenant: caller.tenant,
        reference: asked.reference,
        platform: platform.linked.id().clone(),
        app: asked.app,
        redirect_uri: exact(&asked.redirect_uri)?,
        reconnects,
        initiator: initiator.clone(),
        asking: asking(asked.scopes)?,
    };
    let started = host.connect(request).await?;
    let flow = Flow {
        id: initiator.expose().to_owned(),
        authorize_url: started.authorize_url.into(),
        requested: texts(&started.requested),
        expires_at: started.expires_at.to_string(),
    };
    Ok((StatusCode::CREATED, Json(flow)))
}

/// Ends a flow with what the browser brought back. Of any number of such requests one is carried out.
#[utoipa::path(post, path = "/flows/{flow}/complete", tag = "flows", request_body = CompleteFlow, responses(
    (status = 200, body = Ended)))]
pub(super) async fn complete(
    caller: Caller,
    State(host): State<Host>,
    Named(flow): Named<String>,
    Body(came): Body<CompleteFlow>,
) -> Result<Json<Ended>> {
    caller.may(Right::ConnectionsWrite)?;
    let redirect_uri = came.redirect_uri.as_deref().map(exact).transpose()?;
    let callback = Callback {
        came_to: CameTo::Product { tenant: caller.tenant, redirect_uri },
        params: CallbackParams::from_query(&came.query),
        initiator: Secret::from(flow),
        other_account_allowed: came.other_account,
    };
    Ok(Json(host.complete(callback).await?.into()))
}

impl From<Completed> for Ended {
    fn from(completed: Completed) -> Self {
        let (linked, lost, waits) = match &completed.finished {
            Ok(finished) => (finished.linked.iter().map(LinkedData::from).collect(), texts(&finished.lost), None),
            Err(error) => (Vec::new(), Vec::new(), Some(Problem::failure(error))),
        };
        Self {
            connections: linked,
            requested: texts(&completed.requested),
            granted: completed.granted.as_ref().map(texts),
            lacks_required: texts(&completed.lacking),
            lost,
            waits,
        }
    }
}

/// An address as it is written: a platform compares it byte by byte with the one registered, so nothing is made of it here.
fn exact(text: &str) -> Result<Url> {
    let url: Url = text.parse().map_err(|_| Problem::bad_value("`redirect_uri` is no absolute address"))?;
    if url.as_str() == text {
        return Ok(url);
    }
    Err(Problem::bad_value(format!(
        "`redirect_uri` has another form than it is sent in: register and write it as {url}"
    )))
}

fn asking(scopes: Option<Vec<String>>) -> Result<Asking> {
    let Some(scopes) = scopes else { return Ok(Asking::Everything) };
    let read = scopes.iter().map(|scope| scope.parse::<Scope>()).collect::<Result<_, _>>();
    read.map(Asking::Less).map_err(|error| Problem::bad_value(error.to_string()))
}

pub(super) fn usual_app() -> String {
    usual::APP.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_sent_as_it_is_written_or_not_at_all() {
        assert!(exact("https://app.example/callback/one?x=1").is_ok());
        for text in ["https://app.example", "HTTPS://app.example/", "https://app.example:443/", "/callback", ""] {
            assert!(exact(text).is_err(), "{text}");
        }
    }
}
