//! The description of the API itself (`OpenAPI` 3.1), made of the routes and the types they use.

use axum::routing::get;
use axum::{Json, Router};
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi as Describe};

use crate::host::Host;

/// What is said about the API as a whole.
#[derive(Describe)]
#[openapi(
    info(
        title = "connector-host",
        description = "Linked social accounts: platforms, connections, tokens, metrics. Each request carries a key that `connector-host api-keys create` made; a key for any tenant names the tenant with the header `Connector-Tenant`.",
        version = env!("CARGO_PKG_VERSION"),
    ),
    servers((url = "/api/v1")),
    security(("key" = [])),
    modifiers(&Key)
)]
pub(super) struct Description;

struct Key;

impl Modify for Key {
    fn modify(&self, openapi: &mut OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        openapi.components.get_or_insert_default().add_security_scheme("key", scheme);
    }
}

/// Serves it, to anybody: it says nothing about this installation.
pub(super) fn router(description: OpenApi) -> Router<Host> {
    Router::new().route("/openapi.json", get(async move || Json(description)))
}
