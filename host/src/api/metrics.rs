//! Counts: the latest, the history of one, and every sample there is, for a warehouse.

use axum::Json;
use axum::extract::State;
use connector_core::metrics::MetricName;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::Caller;
use super::connections::id;
use super::extract::{Asked, Named};
use super::page::{cursor, limit};
use super::problem::{Problem, Result};
use crate::api_keys::Right;
use crate::data::MetricsData;
use crate::host::Host;
use crate::store::StoredSample;
use crate::usual;

/// How fresh.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Fresh {
    /// How old a stored value may be, in seconds, 900 unless given. 0 asks the platform anew.
    #[param(value_type = Option<i64>, minimum = 0, maximum = 4_294_967_295.0)]
    max_age: Option<u32>,
}

/// Which part of a history.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Span {
    /// From this time on, such as `2026-11-22T12:00:00Z`.
    #[param(format = "date-time")]
    from: Option<String>,
    /// Up to this time.
    #[param(format = "date-time")]
    to: Option<String>,
    /// At most so many, 50 unless given, 200 at most.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// From where on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct After {
    /// Where the page before ended. From the beginning unless given.
    cursor: Option<String>,
    /// At most so many, 50 unless given, 200 at most.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// The values of one metric, oldest first.
#[derive(Serialize, ToSchema)]
pub(super) struct History {
    metric: String,
    samples: Vec<Observed>,
    /// The `from` of the next page. `null` on the last one.
    next: Option<String>,
}

/// The next samples there are.
#[derive(Serialize, ToSchema)]
pub(super) struct Samples {
    samples: Vec<Stored>,
    /// The `cursor` of whoever goes on later, also when nothing was new.
    next: String,
}

/// A value with the connection it is of.
#[derive(Serialize, ToSchema)]
pub(super) struct Stored {
    connection: String,
    platform: String,
    app: String,
    reference: Option<String>,
    metric: String,
    observed_at: String,
    value: i64,
}

/// One value at one time.
#[derive(Serialize, ToSchema)]
pub(super) struct Observed {
    observed_at: String,
    value: i64,
}

/// The counts of a connection: each a value with its time, or the reason why there is none.
#[utoipa::path(get, path = "/connections/{connection}/metrics", tag = "metrics", params(Fresh), responses(
    (status = 200, body = MetricsData)))]
pub(super) async fn latest(
    caller: Caller,
    State(host): State<Host>,
    Named(text): Named<String>,
    Asked(fresh): Asked<Fresh>,
) -> Result<Json<MetricsData>> {
    caller.may(Right::MetricsRead)?;
    let connected = host.connection(&caller.tenant, &id(&text)?).await?;
    let max_age = fresh.max_age.map_or(usual::AGE, |seconds| SignedDuration::from_secs(seconds.into()));
    let read = host.metrics(&connected, max_age).await?;
    Ok(Json(MetricsData::of(&connected.connection, &read, Problem::failure)))
}

/// The values of one metric from one time to another, both included.
#[utoipa::path(get, path = "/connections/{connection}/metrics/{metric}", tag = "metrics", params(Span), responses(
    (status = 200, body = History)))]
pub(super) async fn history(
    caller: Caller,
    State(host): State<Host>,
    Named((text, metric)): Named<(String, String)>,
    Asked(span): Asked<Span>,
) -> Result<Json<History>> {
    caller.may(Right::MetricsRead)?;
    let connected = host.connection(&caller.tenant, &id(&text)?).await?;
    let name: MetricName = metric.parse().map_err(|_| Problem::not_found("metric"))?;
    let from = time("from", span.from.as_deref())?.unwrap_or(Timestamp::MIN);
    let to = time("to", span.to.as_deref())?.unwrap_or(Timestamp::MAX);
    let limit = limit(span.limit)?;
    let page = host.store().history(&connected.connection.id, &name, from, to, limit).await?;
    let observed =
        |sample: crate::store::Sample| Observed { observed_at: sample.observed_at.to_string(), value: sample.value };
    let next = page.next.map(|at| at.to_string());
    Ok(Json(History { metric, samples: page.items.into_iter().map(observed).collect(), next }))
}

/// Every sample of the tenant in the order in which they were stored, for a warehouse that asks again and again: nothing is left out, and
/// nothing comes twice.
#[utoipa::path(get, path = "/samples", tag = "metrics", params(After), responses(
    (status = 200, body = Samples)))]
pub(super) async fn samples(
    caller: Caller,
    State(host): State<Host>,
    Asked(after): Asked<After>,
) -> Result<Json<Samples>> {
    caller.may(Right::MetricsRead)?;
    let cursor = after.cursor.as_deref().map(cursor).transpose()?;
    let page = host.store().samples_after(&caller.tenant, cursor, limit(after.limit)?).await?;
    Ok(Json(Samples { samples: page.samples.into_iter().map(Stored::from).collect(), next: page.next.to_string() }))
}

impl From<StoredSample> for Stored {
    fn from(sample: StoredSample) -> Self {
        Self {
            connection: sample.connection.to_string(),
            platform: sample.platform.to_string(),
            app: sample.app,
            reference: sample.reference,
            metric: sample.metric.to_string(),
            observed_at: sample.observed_at.to_string(),
            value: sample.value,
        }
    }
}

fn time(name: &str, text: Option<&str>) -> Result<Option<Timestamp>> {
    let wrong = |_| Problem::bad_value(format!("`{name}` is no time: write one such as 2026-11-22T12:00:00Z"));
    text.map(str::parse).transpose().map_err(wrong)
}
