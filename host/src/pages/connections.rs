//! The connections of a tenant, and what can be connected.

use askama::Template;
use axum::http::StatusCode;

use super::frame::Frame;
use super::viewer::Viewer;
use super::{Shown, page};

#[derive(Template)]
#[template(path = "connections.html")]
struct ConnectionsPage {
    frame: Frame,
}

/// Shows them.
pub(super) async fn show(viewer: Viewer) -> Shown {
    Ok(page(StatusCode::OK, &ConnectionsPage { frame: Frame::new(viewer, "/") }))
}
