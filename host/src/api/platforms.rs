//! Platforms, their apps and their scopes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::Caller;
use super::extract::Named;
use super::problem::{Problem, Result};
use crate::configuration::ConfiguredPlatform;
use crate::data::{PlatformData, ScopeEntryData};
use crate::host::Host;

/// The platforms of a host.
#[derive(Serialize, ToSchema)]
pub(super) struct Platforms {
    platforms: Vec<PlatformData>,
}

/// The scopes of a platform.
#[derive(Serialize, ToSchema)]
pub(super) struct Scopes {
    scopes: Vec<ScopeEntryData>,
}

/// The platform, where it has an app of this name for the caller's tenant.
pub(super) fn with_app(host: &Host, caller: &Caller, platform: &str, app: &str) -> Result<Arc<ConfiguredPlatform>> {
    let platform = host.platform(platform).map_err(|_| Problem::not_found("platform"))?;
    let is_there = platform.settings.apps.get(app).is_some_and(|app| app.is_for(&caller.tenant));
    if is_there { Ok(platform) } else { Err(Problem::not_found("app")) }
}

/// The platforms that can be connected here, with their apps and abilities.
#[utoipa::path(get, path = "/platforms", tag = "platforms", responses(
    (status = 200, body = Platforms)))]
pub(super) async fn list(caller: Caller, State(host): State<Host>) -> Json<Platforms> {
    let emulated = host.is_emulated();
    let platforms =
        host.platforms().iter().map(|platform| PlatformData::of_host(platform, &caller.tenant, emulated)).collect();
    Json(Platforms { platforms })
}

/// The catalogue of a platform: each scope, what it unlocks, and which apps ask for it.
#[utoipa::path(get, path = "/platforms/{platform}/scopes", tag = "platforms", responses(
    (status = 200, body = Scopes)))]
pub(super) async fn scopes(caller: Caller, State(host): State<Host>, Named(id): Named<String>) -> Result<Json<Scopes>> {
    let platform = host.platform(&id).map_err(|_| Problem::not_found("platform"))?;
    Ok(Json(Scopes {
        scopes: ScopeEntryData::all_of(platform.linked.id(), &platform.settings.of_tenant(&caller.tenant)),
    }))
}
