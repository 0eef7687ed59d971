//! A pending flow at rest: its secrets sealed, in a form of its own.

use connector_core::grant::BaseUrls;
use connector_core::oauth::PendingFlow;
use connector_core::{Scope, Secret};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::{Error, Result};
use crate::store::FlowId;
use crate::vault::{Binding, field};

/// What a pending flow holds besides its state, which is known by its digest alone until it comes back.
#[derive(Deserialize, Serialize)]
struct Kept {
    verifier: Option<String>,
    redirect_uri: Url,
    requested: Vec<String>,
    base_urls: BaseUrls,
}

/// The text that is sealed.
pub(super) fn write(pending: &PendingFlow, base_urls: &BaseUrls) -> Result<Secret> {
    let kept = Kept {
        verifier: pending.verifier.as_ref().map(|verifier| verifier.expose().to_owned()),
        redirect_uri: pending.redirect_uri.clone(),
        requested: pending.requested.iter().map(ToString::to_string).collect(),
        base_urls: base_urls.clone(),
    };
    serde_json::to_string(&kept).map(Secret::from).map_err(|_| unreadable())
}

/// The pending flow, with the state that came back and matched its digest.
pub(super) fn read(sealed: &Secret, state: Secret) -> Result<(PendingFlow, BaseUrls)> {
    let kept: Kept = serde_json::from_str(sealed.expose()).map_err(|_| unreadable())?;
    let requested = kept.requested.iter().map(|scope| scope.parse()).collect::<Result<Vec<Scope>, _>>()?;
    let pending =
        PendingFlow { state, verifier: kept.verifier.map(Secret::from), redirect_uri: kept.redirect_uri, requested };
    Ok((pending, kept.base_urls))
}

/// What the sealed text is bound to, so that it opens nowhere else.
pub(super) fn binding<'a>(tenant: &'a str, id: &'a FlowId) -> Binding<'a> {
    Binding { tenant, owner: id.as_str(), field: field::FLOW, generation: 0 }
}

fn unreadable() -> Error {
    Error::Machine("the stored flow cannot be read; start connecting again".to_owned())
}
