//! What happened.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::Caller;
use super::connections::id;
use super::extract::Asked;
use super::page::{cursor, limit};
use super::problem::Result;
use crate::api_keys::Right;
use crate::data::AuditData;
use crate::host::Host;
use crate::store::{self, AuditFilter};

/// Which records.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// About this connection only, and the grants it works or worked by. One that is erased has its records still.
    connection: Option<String>,
    /// Of this event only.
    event: Option<String>,
    /// Where the page before ended.
    cursor: Option<String>,
    /// At most so many, 50 unless given, 200 at most.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// A page of records, the latest first.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditPage)]
pub(super) struct Page {
    records: Vec<AuditData>,
    /// Gives the next page. `null` on the last one.
    next: Option<String>,
}

/// What happened with the tenant's connections, the latest first.
#[utoipa::path(get, path = "/audit", tag = "audit", params(Which), responses(
    (status = 200, body = Page)))]
pub(super) async fn list(caller: Caller, State(host): State<Host>, Asked(which): Asked<Which>) -> Result<Json<Page>> {
    caller.may(Right::AuditRead)?;
    let limit = limit(which.limit)?;
    let filter = AuditFilter {
        connection: which.connection.as_deref().map(id).transpose()?,
        event: which.event,
        before: which.cursor.as_deref().map(cursor).transpose()?,
        // One more than is given says whether there is another page.
        limit: Some(limit + 1),
        ..AuditFilter::default()
    };
    let found = host.store().audit(&caller.tenant, &filter).await?;
    let page = store::Page::of(found, limit, |last, _| last.cursor().to_string());
    Ok(Json(Page { records: page.items.iter().map(AuditData::from).collect(), next: page.next }))
}
