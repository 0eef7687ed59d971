//! Who looks at a page.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};

use super::Pages;

/// Somebody who has signed in, and whose connections they look at.
#[derive(Clone, Debug)]
pub(super) struct Viewer {
    /// The name that they signed in with.
    pub(super) name: String,
    /// Whether they may look at every tenant, the settings and the users.
    pub(super) is_admin: bool,
    /// Whose connections they look at: their own tenant, or, of an admin, the one that the address names with `tenant`.
    pub(super) tenant: String,
    /// What every form of this session carries (its field is `form_token`), so that nobody else can write one.
    pub(super) form_token: String,
}

/// That nobody has signed in: the browser is sent to where one does.
pub(super) struct SignIn;

impl IntoResponse for SignIn {
    fn into_response(self) -> Response {
        Redirect::to("/sign-in").into_response()
    }
}

impl FromRequestParts<Pages> for Viewer {
    type Rejection = SignIn;

    async fn from_request_parts(_: &mut Parts, _: &Pages) -> Result<Self, SignIn> {
        Err(SignIn)
    }
}

/// A form of this viewer's own, and what it says.
pub(super) struct Posted<T>(pub(super) Viewer, pub(super) T);

/// A viewer who is an admin.
pub(super) struct Admin(pub(super) Viewer);

impl FromRequestParts<Pages> for Admin {
    type Rejection = SignIn;

    async fn from_request_parts(parts: &mut Parts, pages: &Pages) -> Result<Self, SignIn> {
        Viewer::from_request_parts(parts, pages).await.map(Self)
    }
}

impl<T> FromRequest<Pages> for Posted<T> {
    type Rejection = SignIn;

    async fn from_request(_: Request, _: &Pages) -> Result<Self, SignIn> {
        Err(SignIn)
    }
}
