//! A pending flow at rest: its secrets sealed, in a form of its own.

use connector_core::app::App;
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
    /// Flows that earlier versions began have none.
    client_id: Option<String>,
}

/// The registration that a flow began under.
pub(super) struct BeganUnder {
    client_id: Option<String>,
    base_urls: BaseUrls,
}

impl BeganUnder {
    /// Whether it is the one that the app has now. A code that was given to another is of no use to it.
    pub(super) fn is(&self, app: &App) -> bool {
        self.base_urls == app.base_urls && self.client_id.as_ref().is_none_or(|id| *id == app.client_id)
    }
}

/// The text that is sealed.
pub(super) fn write(pending: &PendingFlow, app: &App) -> Result<Secret> {
    let kept = Kept {
        verifier: pending.verifier.as_ref().map(|verifier| verifier.expose().to_owned()),
        redirect_uri: pending.redirect_uri.clone(),
        requested: pending.requested.iter().map(ToString::to_string).collect(),
        base_urls: app.base_urls.clone(),
        client_id: Some(app.client_id.clone()),
    };
    serde_json::to_string(&kept).map(Secret::from).map_err(|_| unreadable())
}

/// The pending flow, with the state that came back and matched its digest, and the registration it began under.
pub(super) fn read(sealed: &Secret, state: Secret) -> Result<(PendingFlow, BeganUnder)> {
    let kept: Kept = serde_json::from_str(sealed.expose()).map_err(|_| unreadable())?;
    let requested = kept.requested.iter().map(|scope| scope.parse()).collect::<Result<Vec<Scope>, _>>()?;
    let pending =
        PendingFlow { state, verifier: kept.verifier.map(Secret::from), redirect_uri: kept.redirect_uri, requested };
    Ok((pending, BeganUnder { client_id: kept.client_id, base_urls: kept.base_urls }))
}

/// What the sealed text is bound to, so that it opens nowhere else.
pub(super) fn binding<'a>(tenant: &'a str, id: &'a FlowId) -> Binding<'a> {
    Binding { tenant, owner: id.as_str(), field: field::FLOW, generation: 0 }
}

fn unreadable() -> Error {
    Error::Machine("the stored flow cannot be read; start connecting again".to_owned())
}
