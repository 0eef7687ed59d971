//! A person who allows everything at [`Example`](super::Example).

use connector_core::Secret;
use connector_core::oauth::CallbackParams;

use super::{Example, Outcome, TENANT};
use crate::store::{Connected, ConnectionFilter};
use crate::{Asking, Callback, CameTo, ConnectRequest, Host};

/// Who begins flows here.
const INITIATOR: &str = "this browser";

/// Connects an account at the platform `example`, which answers the exchange and says whose account it is.
pub async fn connect(host: &Host) -> Outcome {
    let callback = begin(host).await?;
    host.complete(callback).await?.finished?;
    Ok(())
}

/// Begins a flow, and gives the callback by which it is allowed.
pub async fn begin(host: &Host) -> Outcome<Callback> {
    let url = host.connect(request()?).await?.authorize_url;
    let state = url.query_pairs().find(|(name, _)| name == "state").ok_or("no state")?.1.into_owned();
    callback(&format!("code=c&state={state}"))
}

/// What begins a flow at the platform `example`.
pub fn request() -> Outcome<ConnectRequest> {
    Ok(ConnectRequest {
        tenant: TENANT.to_owned(),
        reference: None,
        platform: "example".parse()?,
        app: Example::APP.to_owned(),
        redirect_uri: "http://127.0.0.1:5000/callback".parse()?,
        reconnects: None,
        initiator: Secret::from(INITIATOR),
        asking: Asking::Everything,
    })
}

/// A callback of whoever began it, with this query.
pub fn callback(query: &str) -> Outcome<Callback> {
    Ok(Callback {
        came_to: CameTo::Path { platform: "example".parse()?, app: Example::APP.to_owned() },
        params: CallbackParams::from_query(query),
        initiator: Secret::from(INITIATOR),
        other_account_allowed: false,
    })
}

/// The first connection there is.
pub async fn connected(host: &Host) -> Outcome<Connected> {
    let filter = ConnectionFilter { tenant: TENANT.to_owned(), ..ConnectionFilter::default() };
    let connected = host.store().connections(&filter).await?.into_iter().next();
    Ok(connected.ok_or("there is no connection")?)
}
