//! The configuration: what a change of it would mean, before it is made.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use connector_core::config::{Config, LayerName, Problem as Finding, Problems};
use serde::Deserialize;
use tokio::task::spawn_blocking;
use utoipa::ToSchema;

use super::Api;
use super::caller::Caller;
use super::extract::Body;
use super::problem::{Problem, Result};
use crate::api_keys::Right;
use crate::data::{Mistake, PlanData};
use crate::host::Host;
use crate::layers::{ConfigFiles, unlinked};

/// A file that is not used yet.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Candidate {
    /// What stands in it, as TOML.
    file: String,
    /// Whether it would be there in place of the operator's own file. Else it is laid over all there are.
    #[serde(default)]
    replace: bool,
}

/// What a change of the configuration would mean for the tenant's connections, before it is made. Nothing is changed.
#[utoipa::path(post, path = "/config/plan", tag = "config", request_body = Candidate, responses((status = 200, body = PlanData)))]
pub(super) async fn plan(
    caller: Caller,
    State(api): State<Arc<Api>>,
    Body(candidate): Body<Candidate>,
) -> Result<Json<PlanData>> {
    caller.may(Right::ConfigRead)?;
    let files = api.files.clone().ok_or_else(no_files)?;
    let host = api.host.pinned();
    let (present, config) = (files.labels(), read(files, candidate, &host).await?);
    let plan = host.plan(&caller.tenant, &config.settings).await?;
    let warnings: Vec<Finding> = unlinked(&config, host.registry()).map(|(_, finding)| finding).collect();
    let candidate = config.layers.iter().map(LayerName::to_string).collect();
    Ok(Json(PlanData::of(&plan, present, candidate, &warnings)))
}

/// The candidate with what stays of the files, read anew. A disk may let its reader wait.
async fn read(files: ConfigFiles, candidate: Candidate, host: &Host) -> Result<Config> {
    let registry = host.registry().clone();
    let read = spawn_blocking(move || files.load_with(&candidate.file, candidate.replace, &registry)).await;
    read.map_err(|_| Problem::internal())?.map_err(|problems| refused(&problems))
}

fn refused(problems: &Problems) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "configuration_refused", "The configuration would be wrong")
        .with("mend what `problems` names: `file` is `request` for what was sent")
        .problems(Mistake::all(&problems.0))
}

fn no_files() -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unsupported", "The host is not configured by files")
        .with("whoever configures it knows what a change would mean")
}
