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
pub(super) struct Kept {
    verifier: Option<String>,
    pub(super) redirect_uri: Url,
    requested: Vec<String>,
    pub(super) base_urls: BaseUrls,
    /// Flows that earlier versions began have none.
    client_id: Option<String>,
    /// Whether it asks for less than the app wants, because the platform had refused that.
    #[serde(default)]
    pub(super) asked_for_less: bool,
}

impl Kept {
    /// What is kept of a flow that begins.
    pub(super) fn of(pending: &PendingFlow, app: &App, asked_for_less: bool) -> Self {
        Self {
            verifier: pending.verifier.as_ref().map(|verifier| verifier.expose().to_owned()),
            redirect_uri: pending.redirect_uri.clone(),
            requested: pending.requested.iter().map(ToString::to_string).collect(),
            base_urls: app.base_urls.clone(),
            client_id: Some(app.client_id.clone()),
            asked_for_less,
        }
    }

    /// The text that is sealed.
    pub(super) fn write(&self) -> Result<Secret> {
        serde_json::to_string(self).map(Secret::from).map_err(|_| unreadable())
    }

    /// What was sealed.
    pub(super) fn read(sealed: &Secret) -> Result<Self> {
        serde_json::from_str(sealed.expose()).map_err(|_| unreadable())
    }

    /// Whether it began under the registration that the app has now. A code that was given to another is of no use to it.
    pub(super) fn began_under(&self, app: &App) -> bool {
        self.base_urls == app.base_urls && self.client_id.as_ref().is_none_or(|id| *id == app.client_id)
    }

    /// What was asked for, in order.
    pub(super) fn requested(&self) -> Result<Vec<Scope>> {
        Ok(self.requested.iter().map(|scope| scope.parse()).collect::<Result<_, _>>()?)
    }

    /// The pending flow, with the state that came back and matched its digest.
    pub(super) fn pending(&self, state: Secret) -> Result<PendingFlow> {
        let verifier = self.verifier.clone().map(Secret::from);
        Ok(PendingFlow { state, verifier, redirect_uri: self.redirect_uri.clone(), requested: self.requested()? })
    }
}

/// What the sealed text is bound to, so that it opens nowhere else.
pub(super) fn binding<'a>(tenant: &'a str, id: &'a FlowId) -> Binding<'a> {
    Binding { tenant, owner: id.as_str(), field: field::FLOW, generation: 0 }
}

fn unreadable() -> Error {
    Error::Machine("the stored flow cannot be read; start connecting again".to_owned())
}
