//! A request, read.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use axum::http::{HeaderMap, HeaderName, Uri};
use serde::de::DeserializeOwned;
use url::form_urlencoded;

/// What an endpoint gets to see. It has no `Debug`: it may hold secrets.
pub(super) struct Call {
    pub(super) uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for Call {
    type Rejection = BytesRejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let (uri, headers) = (request.uri().clone(), request.headers().clone());
        Ok(Self { uri, headers, body: Bytes::from_request(request, state).await? })
    }
}

impl Call {
    pub(super) fn query(&self) -> Params {
        Params::parse(self.uri.query().unwrap_or_default().as_bytes())
    }

    /// The body, if it says that it is a form.
    pub(super) fn form(&self) -> Option<Params> {
        let kind = self.header(&CONTENT_TYPE)?.split(';').next()?.trim();
        kind.eq_ignore_ascii_case("application/x-www-form-urlencoded").then(|| Params::parse(&self.body))
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.body).map_err(|error| format!("the body cannot be used: {error}"))
    }

    pub(super) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header(&AUTHORIZATION)?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
    }

    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        self.header(&COOKIE)?
            .split(';')
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// The last part of the path.
    pub(super) fn tail(&self) -> &str {
        self.uri.path().rsplit('/').next().unwrap_or_default()
    }

    fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Names and values of a query or a form, in order.
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    fn parse(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// The first value that is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).find(|value| !value.is_empty())
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a name comes twice.
    pub(super) fn repeats(&self) -> bool {
        self.0.iter().enumerate().any(|(index, (key, _))| self.0[..index].iter().any(|(earlier, _)| earlier == key))
    }
}
