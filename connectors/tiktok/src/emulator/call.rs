//! A request, read.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use axum::http::{HeaderMap, HeaderName, Uri};
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};
use url::form_urlencoded;

/// From here on a JSON number may be read as its neighbour.
const LARGEST_EXACT: f64 = 9_007_199_254_740_991.0;

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

    /// The body as a JSON object. Serde would read an array as the fields of a struct in their order, and none of them as all of their defaults.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice::<Map<String, Value>>(&self.body)
            .and_then(|object| serde_json::from_value(whole(Value::Object(object))))
            .map_err(|error| format!("the body cannot be used: {error}"))
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

/// JSON has one kind of numbers: 5.0 is 5, which serde tells apart.
fn whole(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(integer(&number).unwrap_or(number)),
        Value::Array(values) => values.into_iter().map(whole).collect(),
        Value::Object(object) => object.into_iter().map(|(key, value)| (key, whole(value))).collect(),
        other => other,
    }
}

/// A number that was written with a fraction of nothing, where that is exact.
fn integer(number: &Number) -> Option<Number> {
    let exact = |float: &f64| float.fract() == 0.0 && float.abs() <= LARGEST_EXACT;
    let float = number.as_f64().filter(|float| number.is_f64() && exact(float))?;
    Number::from_i128(format!("{float:.0}").parse().ok()?)
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
