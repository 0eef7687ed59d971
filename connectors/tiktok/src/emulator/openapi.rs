//! What is said of the routes to programs, as `OpenAPI`, at `/openapi.json`.

/// The document.
pub(super) const DOCUMENT: &str = include_str!("../../templates/openapi.json");

#[cfg(test)]
#[path = "openapi_tests.rs"]
mod tests;
