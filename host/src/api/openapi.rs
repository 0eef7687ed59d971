//! The description of the API itself (`OpenAPI` 3.1), made of the routes and the types they use.

use axum::routing::get;
use axum::{Json, Router};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder};
use utoipa::{Modify, OpenApi as Describe};

use super::idempotency::LONGEST;
use super::problem::Problem;

/// The name of the answer of a request that was not done.
const NOT_DONE: &str = "NotDone";

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
    components(schemas(Problem)),
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

/// Says of every route what none has to say itself: its problems, and the parts of its path.
pub(super) fn finished(mut description: OpenApi) -> OpenApi {
    let components = description.components.get_or_insert_default();
    components.responses.insert(NOT_DONE.to_owned(), not_done().into());
    for (path, item) in &mut description.paths.paths {
        item.parameters = Some(parts(path).map(RefOr::T).collect());
        for operation in operations(item) {
            name(operation);
            for statuses in ["4XX", "5XX"] {
                operation.responses.responses.insert(statuses.to_owned(), Ref::from_response_name(NOT_DONE).into());
            }
        }
    }
    description
}

/// Names an operation by its tag as well, for each name stands once in a description, and says of its answers what has to be said.
fn name(operation: &mut Operation) {
    let tags = operation.tags.iter().flatten();
    let names: Vec<&str> = tags.chain(&operation.operation_id).map(String::as_str).collect();
    operation.operation_id = Some(names.join("_"));
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            "It is done".clone_into(&mut response.description);
        }
    }
}

/// Says of every route that it takes an idempotency key.
pub(super) fn take_keys(description: &mut OpenApi) {
    let length = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(LONGEST));
    let key = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("A fresh text of visible characters, such as a UUID. Sent again with the same key within a day, the same request is not done again, and its answer is repeated."))
        .schema(Some(length.pattern(Some("^[!-~]+$"))))
        .build();
    for operation in description.paths.paths.values_mut().flat_map(operations) {
        operation.parameters.get_or_insert_default().push(key.clone().into());
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().flatten()
}

fn not_done() -> Response {
    let problem = Content::new(Some(Ref::from_schema_name("Problem")));
    ResponseBuilder::new()
        .description("The request was not done, and why")
        .content("application/problem+json", problem)
        .build()
}

/// The parts of a path that stand for something.
fn parts(path: &str) -> impl Iterator<Item = Parameter> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some(format!("The {name}, by its id or name")))
            .schema(Some(Object::with_type(Type::String)))
            .build()
    })
}

/// Serves it, to anybody: it says nothing about this installation.
pub(super) fn router<S: Clone + Send + Sync + 'static>(description: OpenApi) -> Router<S> {
    Router::new().route("/openapi.json", get(async move || Json(description)))
}
