//! Who is told of events.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use connector_core::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::caller::Caller;
use super::extract::{Body, Named};
use super::problem::{Problem, Result};
use crate::api_keys::Right;
use crate::data::ReceiverData;
use crate::events::{NewReceiver, kinds};
use crate::host::Host;
use crate::store::{ReceiverId, ReceiverRecord};

/// A receiver to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Add {
    /// Where events are sent: https, and a public address.
    url: String,
    /// Which types of events. All where it is empty or absent.
    #[serde(default)]
    types: Vec<String>,
}

/// The tenant's receivers.
#[derive(Serialize, ToSchema)]
pub(super) struct Receivers {
    receivers: Vec<ReceiverData>,
}

/// That a receiver is removed.
#[derive(Serialize, ToSchema)]
pub(super) struct Removed {
    /// The id it had.
    removed: String,
}

/// The tenant's receivers, the oldest first.
#[utoipa::path(get, path = "/event-receivers", tag = "event-receivers", responses(
    (status = 200, body = Receivers),
))]
pub(super) async fn list(caller: Caller, State(host): State<Host>) -> Result<Json<Receivers>> {
    caller.may(Right::EventsRead)?;
    let receivers = host.store().receivers(&caller.tenant).await?;
    Ok(Json(Receivers { receivers: receivers.iter().map(ReceiverData::from).collect() }))
}

/// Adds a receiver. It is told of what happens from then on; its secret is shown in this answer alone.
#[utoipa::path(post, path = "/event-receivers", tag = "event-receivers", request_body = Add, responses(
    (status = 201, body = ReceiverData),
))]
pub(super) async fn add(
    caller: Caller,
    State(api): State<Arc<Api>>,
    Body(new): Body<Add>,
) -> Result<(StatusCode, Json<ReceiverData>)> {
    caller.may(Right::EventsWrite)?;
    let refused = |error: crate::Error| Problem::bad_value(error.to_string());
    let kinds = kinds(new.types.iter().map(String::as_str)).map_err(refused)?;
    let new = NewReceiver { tenant: caller.tenant.clone(), url: new.url, kinds };
    let added =
        caller.host(&api.host).add_receiver(new, &api.host.fence(&api.private_receivers)).await.map_err(|error| {
            match error {
                crate::Error::Request(why) => Problem::bad_value(why),
                error => error.into(),
            }
        })?;
    Ok((StatusCode::CREATED, Json(with_secret(&added))))
}

/// Gives a receiver a new secret. For a day its events are signed with the one before as well.
#[utoipa::path(post, path = "/event-receivers/{receiver}/rotate-secret", tag = "event-receivers", responses(
    (status = 200, body = ReceiverData),
))]
pub(super) async fn rotate(
    caller: Caller,
    State(host): State<Host>,
    Named(text): Named<String>,
) -> Result<Json<ReceiverData>> {
    caller.may(Right::EventsWrite)?;
    Ok(Json(with_secret(&caller.host(&host).rotate_receiver(&caller.tenant, &receiver(&text)?).await?)))
}

/// Removes a receiver, with what was on its way there.
#[utoipa::path(delete, path = "/event-receivers/{receiver}", tag = "event-receivers", responses(
    (status = 200, body = Removed),
))]
pub(super) async fn remove(
    caller: Caller,
    State(host): State<Host>,
    Named(text): Named<String>,
) -> Result<Json<Removed>> {
    caller.may(Right::EventsWrite)?;
    let id = receiver(&text)?;
    caller.host(&host).remove_receiver(&caller.tenant, &id).await?;
    Ok(Json(Removed { removed: id.to_string() }))
}

fn with_secret((receiver, secret): &(ReceiverRecord, Secret)) -> ReceiverData {
    ReceiverData { secret: Some(secret.expose().to_owned()), ..receiver.into() }
}

fn receiver(text: &str) -> Result<ReceiverId> {
    text.parse().map_err(|_| Problem::not_found("receiver"))
}
