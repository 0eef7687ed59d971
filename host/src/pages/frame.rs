//! What stands around every page of somebody who has signed in.

use super::viewer::Viewer;

/// The head of a page: who looks, and where they are.
pub(super) struct Frame {
    pub(super) viewer: Viewer,
    /// The path of the place of the head that this page is at.
    pub(super) place: &'static str,
}

impl Frame {
    pub(super) fn new(viewer: Viewer, place: &'static str) -> Self {
        Self { viewer, place }
    }
}
