//! What pages are drawn with. All of it is in the program: no page loads anything from elsewhere.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::extract::Named;

/// A browser asks again after some minutes, so that nobody waits long for what a new version looks like.
const CACHE: &str = "private, max-age=300";

const CSS: &str = "text/css; charset=utf-8";

/// Each file, with its type.
const FILES: [(&str, &str, &str); 4] = [
    ("app.css", CSS, include_str!("../../templates/app.css")),
    // As its makers publish it, under the Zero-Clause BSD licence beside it.
    ("htmx.js", "text/javascript; charset=utf-8", include_str!("../../templates/vendor/htmx-2.0.11.min.js")),
    ("pages.css", CSS, include_str!("../../templates/pages.css")),
    ("theme.css", CSS, include_str!("../../templates/theme.css")),
];

/// Gives one of them.
pub(super) async fn file(Named(name): Named<String>) -> Response {
    match FILES.into_iter().find(|(known, ..)| *known == name) {
        Some((_, kind, text)) => ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, CACHE)], text).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
