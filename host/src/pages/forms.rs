//! Forms as browsers send them.

use axum::body::{Body, Bytes};
use axum::extract::{Form, FromRequest, Request};
use axum::http::{Method, header};
use connector_core::Secret;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::form_urlencoded::{Serializer, parse};

use super::Refused;

/// The field that shows that a form is of a page of this host, for this browser.
const TOKEN: &str = "form_token";

/// What a form says that is a button alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Button {}

/// A form whose sender is not known yet.
pub(super) struct Sent {
    tokens: Vec<String>,
    rest: String,
}

impl Sent {
    /// Reads it. Nothing but a form is taken: a page of somebody else's can send other texts without asking.
    pub(super) async fn read(request: Request) -> Result<Self, Refused> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Refused::old_form());
        }
        let body = Bytes::from_request(request, &()).await.map_err(|_| Refused::old_form())?;
        let (tokens, rest): (Vec<_>, Vec<_>) = parse(&body).into_owned().partition(|(name, _)| name == TOKEN);
        let tokens = tokens.into_iter().map(|(_, token)| token).collect();
        Ok(Self { tokens, rest: Serializer::new(String::new()).extend_pairs(rest).finish() })
    }

    /// What it says, if it carries this token and says all of that.
    pub(super) async fn with<T: DeserializeOwned>(self, token: &Secret) -> Result<T, Refused> {
        match self.tokens.as_slice() {
            [shown] if token.matches(shown) => self.without_token().await,
            _ => Err(Refused::old_form()),
        }
    }

    /// What it says, where something else in it shows that its sender may send it.
    pub(super) async fn without_token<T: DeserializeOwned>(self) -> Result<T, Refused> {
        let request = Request::builder()
            .method(Method::POST)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(self.rest));
        let Form(form) = Form::from_request(request.map_err(|_| Refused::old_form())?, &())
            .await
            .map_err(|_| Refused::old_form())?;
        Ok(form)
    }
}
