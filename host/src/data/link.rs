//! A connect link and how it stands.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::texts;
#[cfg(feature = "cli")]
use crate::links::ConnectLinkPlan;
use crate::store::{ConnectLinkOutcome, ConnectLinkRecord};

/// A link for one person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConnectLink)]
pub(crate) struct ConnectLinkData {
    /// Its id, which is no secret.
    pub(crate) id: String,
    /// `open`, `started`, `failed` (the same browser may try again), `connected`, `waiting` (the access is stored, and the connection follows),
    /// `cancelled` or `expired`.
    pub(crate) state: &'static str,
    /// The platform's id.
    pub(crate) platform: String,
    /// The app, by the operator's name.
    pub(crate) app: String,
    /// The product's own id for the connection.
    pub(crate) reference: Option<String>,
    /// The connection that is to be renewed, if it is one.
    pub(crate) reconnect: Option<String>,
    /// Where the browser goes in the end.
    pub(crate) return_url: Option<String>,
    /// When it was made.
    pub(crate) created_at: String,
    /// From when on nothing begins with it.
    pub(crate) expires_at: String,
    /// With `connected`: the connections, one for each account.
    pub(crate) connections: Vec<String>,
    /// With `failed`: why, as one stable word.
    pub(crate) error: Option<String>,
}

/// What a link would do.
#[cfg(feature = "cli")]
#[derive(Debug, Serialize)]
pub(crate) struct ConnectLinkPlanData {
    /// The scopes it asks for, in order.
    pub(crate) requested: Vec<String>,
    /// Where the platform sends the browser back to. It has to be registered there.
    pub(crate) redirect_uri: String,
    /// From when on nothing begins with it.
    pub(crate) expires_at: String,
}

impl ConnectLinkData {
    /// How it stands at a time.
    pub(crate) fn of(link: &ConnectLinkRecord, now: Timestamp) -> Self {
        let (connections, error) = match &link.outcome {
            Some(ConnectLinkOutcome::Connected { connections }) => (texts(connections), None),
            Some(ConnectLinkOutcome::Failed { error, .. }) => (Vec::new(), Some(error.clone())),
            Some(
                ConnectLinkOutcome::Completing { .. } | ConnectLinkOutcome::Waiting | ConnectLinkOutcome::Cancelled,
            )
            | None => (Vec::new(), None),
        };
        Self {
            id: link.id.to_string(),
            state: link.state(now).as_str(),
            platform: link.platform.to_string(),
            app: link.app.clone(),
            reference: link.reference.clone(),
            reconnect: link.reconnects.as_ref().map(ToString::to_string),
            return_url: link.return_url.clone(),
            created_at: link.created_at.to_string(),
            expires_at: link.expires_at.to_string(),
            connections,
            error,
        }
    }
}

#[cfg(feature = "cli")]
impl From<&ConnectLinkPlan> for ConnectLinkPlanData {
    fn from(plan: &ConnectLinkPlan) -> Self {
        Self {
            requested: texts(&plan.requested),
            redirect_uri: plan.redirect_uri.to_string(),
            expires_at: plan.expires_at.to_string(),
        }
    }
}
