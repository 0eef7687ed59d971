//! What pages are drawn with. All of it is in the program: no page loads anything from elsewhere.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

const CSS: &str = "text/css; charset=utf-8";

/// Each file, with its type.
const FILES: [(&str, &str, &str); 3] = [
    ("app.css", CSS, include_str!("../../templates/app.css")),
    ("pages.css", CSS, include_str!("../../templates/pages.css")),
    ("theme.css", CSS, include_str!("../../templates/theme.css")),
];

/// Gives one of them.
pub(super) async fn file(Path(name): Path<String>) -> Response {
    match FILES.into_iter().find(|(known, ..)| *known == name) {
        Some((_, kind, text)) => ([(header::CONTENT_TYPE, kind)], text).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
