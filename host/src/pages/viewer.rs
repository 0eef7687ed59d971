//! Who looks at a page.

use std::fmt;

use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use connector_core::Secret;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::form_urlencoded::byte_serialize;

use super::cookies::Name;
use super::forms::Sent;
use super::{Pages, Refused};
use crate::host::Host;
use crate::store::Actor;
use crate::users::{SessionToken, Signed};
use crate::usual::TENANT;

/// The cookie of a session.
pub(super) const COOKIE: Name = Name { https: "__Host-connector-session", http: "connector-session" };

/// Somebody who has signed in, and whose connections they look at.
#[derive(Clone)]
pub(super) struct Viewer {
    /// The name that they signed in with.
    pub(super) name: String,
    /// Whether they may look at every tenant, the settings and the users.
    pub(super) is_admin: bool,
    /// Whose connections they look at: their own tenant, or, of an admin, the one that the address names with `tenant`.
    pub(super) tenant: String,
    /// What every form of this session carries (its field is `form_token`), so that nobody else can write one.
    pub(super) form_token: String,
    /// The user and the session.
    pub(super) signed: Signed,
}

impl Viewer {
    /// The host, for what the viewer has it do.
    pub(super) fn host(&self, host: &Host) -> Host {
        host.on_behalf_of(Actor::User(self.signed.user.id.clone()))
    }
}

impl fmt::Debug for Viewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Viewer").field("tenant", &self.tenant).field("is_admin", &self.is_admin).finish_non_exhaustive()
    }
}

/// A viewer who may look at every tenant. For others, what needs one is not there.
pub(super) struct Admin(pub(super) Viewer);

/// A form that was sent from a page of the viewer's own session, and what it says. A field that `T` does not know is refused if `T` says
/// `deny_unknown_fields`.
pub(super) struct Posted<T>(pub(super) Viewer, pub(super) T);

/// Why nobody looks.
pub(super) enum NoViewer {
    /// Nobody has signed in: the browser is sent to where one does, and from there to the page that it asked for.
    SignIn(Option<String>),
    /// Something else.
    Refused(Refused),
}

impl IntoResponse for NoViewer {
    fn into_response(self) -> Response {
        match self {
            Self::SignIn(None) => Redirect::to("/sign-in").into_response(),
            Self::SignIn(Some(next)) => {
                let next: String = byte_serialize(next.as_bytes()).collect();
                Redirect::to(&format!("/sign-in?next={next}")).into_response()
            }
            Self::Refused(refused) => refused.into_response(),
        }
    }
}

impl From<Refused> for NoViewer {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// What the address of a page may name.
#[derive(Deserialize)]
struct Named {
    tenant: Option<String>,
}

impl FromRequestParts<Pages> for Viewer {
    type Rejection = NoViewer;

    async fn from_request_parts(parts: &mut Parts, pages: &Pages) -> Result<Self, NoViewer> {
        let Some((token, signed)) = signed(pages, &CookieJar::from_headers(&parts.headers)).await? else {
            let asked = parts.uri.path_and_query().filter(|_| parts.method == Method::GET);
            return Err(NoViewer::SignIn(asked.map(ToString::to_string)));
        };
        // Of two tenants nobody knows which is meant.
        let Query(named) = Query::<Named>::try_from_uri(&parts.uri).map_err(|_| Refused::nothing_here())?;
        let named = named.tenant;
        let named = named.filter(|tenant| !tenant.is_empty()).unwrap_or_else(|| TENANT.to_owned());
        Ok(Self {
            name: signed.user.name.clone(),
            is_admin: signed.user.is_admin(),
            tenant: signed.user.tenant.clone().unwrap_or(named),
            form_token: token.form_token().expose().to_owned(),
            signed,
        })
    }
}

/// Who has signed in in this browser.
pub(super) async fn signed(pages: &Pages, jar: &CookieJar) -> Result<Option<(SessionToken, Signed)>, Refused> {
    let Some(shown) = COOKIE.shown(&pages.site, jar) else { return Ok(None) };
    let token = SessionToken(shown);
    let signed = pages.host.signed_in(&token).await?;
    Ok(signed.map(|signed| (token, signed)))
}

impl Viewer {
    /// Makes sure that this is an admin. What is theirs is not there for others.
    pub(super) fn admin(self) -> Result<Self, Refused> {
        if self.is_admin { Ok(self) } else { Err(Refused::nothing_here()) }
    }
}

impl FromRequestParts<Pages> for Admin {
    type Rejection = NoViewer;

    async fn from_request_parts(parts: &mut Parts, pages: &Pages) -> Result<Self, NoViewer> {
        Ok(Self(Viewer::from_request_parts(parts, pages).await?.admin()?))
    }
}

impl<T: DeserializeOwned> FromRequest<Pages> for Posted<T> {
    type Rejection = NoViewer;

    async fn from_request(request: Request, pages: &Pages) -> Result<Self, NoViewer> {
        let (mut parts, body) = request.into_parts();
        let viewer = Viewer::from_request_parts(&mut parts, pages).await?;
        let sent = Sent::read(Request::from_parts(parts, body)).await?;
        let form = sent.with(&Secret::from(viewer.form_token.as_str())).await?;
        Ok(Self(viewer, form))
    }
}
