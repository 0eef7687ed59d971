//! Events: listing them and sending them again.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::Caller;
use super::connections::id;
use super::extract::{Asked, Named};
use super::page::{cursor, limit};
use super::problem::{Problem, Result};
use crate::api_keys::Right;
use crate::data::EventData;
use crate::host::Host;
use crate::store::{EventFilter, EventId, Resend};

/// Which events.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// About this connection only.
    connection: Option<String>,
    /// Those only that a receiver did not get in time.
    #[serde(default)]
    dead: bool,
    /// Where the page before ended.
    cursor: Option<String>,
    /// At most so many, 50 unless given, 200 at most.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// A page of events, the earliest first.
#[derive(Serialize, ToSchema)]
#[schema(as = EventPage)]
pub(super) struct Page {
    events: Vec<EventData>,
    /// Gives the next page. `null` where nothing follows yet: then the cursor asked with goes on later.
    next: Option<String>,
}

/// How many deliveries begin anew.
#[derive(Serialize, ToSchema)]
pub(super) struct Resent {
    deliveries: u64,
}

/// The events of the last 30 days, the earliest first.
#[utoipa::path(get, path = "/events", tag = "events", params(Which), responses(
    (status = 200, body = Page),
))]
pub(super) async fn list(caller: Caller, State(host): State<Host>, Asked(which): Asked<Which>) -> Result<Json<Page>> {
    caller.may(Right::EventsRead)?;
    let filter = EventFilter {
        tenant: caller.tenant,
        connection: which.connection.as_deref().map(id).transpose()?,
        dead: which.dead,
        ..EventFilter::default()
    };
    let from = which.cursor.as_deref().map(cursor).transpose()?;
    let page = host.store().events_page(&filter, from, limit(which.limit)?).await?;
    Ok(Json(Page {
        events: page.items.iter().map(|listed| EventData::of(&host, listed)).collect(),
        next: page.next.map(|place| place.to_string()),
    }))
}

/// Sends an event again, to each receiver that wants its type.
#[utoipa::path(post, path = "/events/{event}/resend", tag = "events", responses(
    (status = 200, body = Resent),
))]
pub(super) async fn resend(
    caller: Caller,
    State(host): State<Host>,
    Named(text): Named<String>,
) -> Result<Json<Resent>> {
    caller.may(Right::EventsWrite)?;
    let id: EventId = text.parse().map_err(|_| Problem::not_found("event"))?;
    Ok(Json(Resent { deliveries: caller.host(&host).resend_events(&caller.tenant, &Resend::One(id)).await? }))
}
