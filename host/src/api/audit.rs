//! What happened.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::Caller;
use super::connections::id;
use super::extract::Asked;
use super::page::{cursor, is_longer, limit};
use super::problem::{Problem, Result};
use crate::api_keys::Right;
use crate::data::AuditData;
use crate::host::Host;
use crate::store::AuditFilter;

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
    (status = 200, body = Page), (status = "4XX", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", body = Problem, content_type = "application/problem+json"),
))]
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
    let mut records = host.store().audit(&caller.tenant, &filter).await?;
    let is_last = !is_longer(&mut records, limit);
    let next = records.last().filter(|_| !is_last).map(|record| record.cursor().to_string());
    Ok(Json(Page { records: records.iter().map(AuditData::from).collect(), next }))
}
