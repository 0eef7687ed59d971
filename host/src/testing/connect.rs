//! A person who allows everything at [`Example`](super::Example).

use connector_core::Secret;
use connector_core::oauth::CallbackParams;

use super::{Example, Outcome, TENANT};
use crate::store::{Connected, ConnectionFilter};
use crate::{Asking, Callback, ConnectRequest, Host};

/// Connects an account at the platform `example`, which answers the exchange and says whose account it is.
pub async fn connect(host: &Host) -> Outcome {
    let initiator = Secret::from("this browser");
    let request = ConnectRequest {
        tenant: TENANT.to_owned(),
        reference: None,
        platform: "example".parse()?,
        app: Example::APP.to_owned(),
        redirect_uri: "http://127.0.0.1:5000/callback".parse()?,
        reconnects: None,
        initiator: initiator.clone(),
        asking: Asking::Everything,
    };
    let started = host.connect(request).await?;
    let state = started.authorize_url.query_pairs().find(|(name, _)| name == "state").ok_or("no state")?.1.into_owned();
    let callback = Callback {
        platform: "example".parse()?,
        app: Example::APP.to_owned(),
        params: CallbackParams::from_query(&format!("code=c&state={state}")),
        initiator,
        other_account_allowed: false,
    };
    host.complete(callback).await?.finished?;
    Ok(())
}

/// The first connection there is.
pub async fn connected(host: &Host) -> Outcome<Connected> {
    let filter = ConnectionFilter { tenant: TENANT.to_owned(), ..ConnectionFilter::default() };
    let connected = host.store().connections(&filter).await?.into_iter().next();
    Ok(connected.ok_or("there is no connection")?)
}
