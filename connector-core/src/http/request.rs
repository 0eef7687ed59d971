use std::fmt;
use std::time::Duration;

use ::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};
use ::http::{HeaderMap, HeaderValue, Method};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use crate::{Error, Result, Secret};

/// One request, with the rules for sending it. `Debug` shows method, host and path alone.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where it goes. The query may hold secrets.
    pub url: Url,
    /// The headers. Values that authenticate are marked sensitive.
    pub headers: HeaderMap,
    /// The body, empty for none.
    pub body: Vec<u8>,
    /// How it may be sent.
    pub policy: Policy,
}

/// How a request may be sent. Redirects are never followed and ambient proxies never used, whatever the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether a failed try may be repeated.
    pub retries: Retries,
    /// The time for the whole exchange, body included.
    pub deadline: Duration,
    /// The largest decompressed body that is read, in bytes.
    pub body_cap: usize,
}

/// Whether a failed try may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retries {
    /// Sent once, whatever happens: the request changes something.
    Never,
    /// Repeating it does no harm.
    Reads,
}

impl Policy {
    /// For the token and revocation endpoints: sent once, a long deadline so that a late answer is still an answer, a small body.
    pub const TOKEN: Self = Self { retries: Retries::Never, deadline: Duration::from_mins(1), body_cap: 64 * 1024 };
    /// For reading data.
    pub const READ: Self =
        Self { retries: Retries::Reads, deadline: Duration::from_secs(20), body_cap: 8 * 1024 * 1024 };
    /// For asking whether somebody answers: once, and for no longer than a person at a terminal likes to wait.
    pub const PROBE: Self = Self { retries: Retries::Never, deadline: Duration::from_secs(10), body_cap: 64 * 1024 };
}

impl Request {
    /// A request without headers or body.
    pub fn new(method: Method, url: Url, policy: Policy) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: Vec::new(), policy }
    }

    /// Asks a host for nothing but the head of an answer. It carries nothing that anybody could misuse.
    pub fn probe(url: Url) -> Self {
        Self::new(Method::HEAD, url, Policy::PROBE)
    }

    /// Sets a header.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sends the pairs as `application/x-www-form-urlencoded`.
    pub fn form<'a>(mut self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        self.body = Serializer::new(String::new()).extend_pairs(pairs).finish().into_bytes();
        self.header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
    }

    /// Sends the value as `application/json`.
    pub fn json(mut self, value: &Value) -> Self {
        self.body = value.to_string().into_bytes();
        self.header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
    }

    /// Authenticates with a bearer token (RFC 6750 section 2.1).
    ///
    /// # Errors
    /// When the token holds characters that no header can carry.
    pub fn bearer(self, token: &Secret) -> Result<Self> {
        self.authorization(&format!("Bearer {}", token.expose()))
    }

    /// Authenticates the client with HTTP Basic; id and secret are form-encoded first (RFC 6749 section 2.3.1).
    ///
    /// # Errors
    /// When no header can carry the pair, which base64 does not let happen.
    pub fn basic(self, id: &str, secret: &Secret) -> Result<Self> {
        let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let pair = STANDARD.encode(format!("{}:{}", encode(id), encode(secret.expose())));
        self.authorization(&format!("Basic {pair}"))
    }

    fn authorization(self, text: &str) -> Result<Self> {
        let mut value = HeaderValue::from_str(text)
            .map_err(|_| Error::protocol("the token holds characters that no HTTP header can carry"))?;
        value.set_sensitive(true);
        Ok(self.header(AUTHORIZATION, value))
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.url.host_str().unwrap_or_default();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("host", &host)
            .field("path", &self.url.path())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request::new(Method::POST, "https://api.example/token?secret=1".parse().unwrap(), Policy::TOKEN)
    }

    #[test]
    fn debug_shows_no_query_header_or_body() {
        let request = request().form([("client_secret", "hush")]).bearer(&Secret::from("act.live")).unwrap();
        let text = format!("{request:?}");
        assert_eq!(text, r#"Request { method: POST, host: "api.example", path: "/token", .. }"#);
    }

    #[test]
    fn form_values_survive() {
        let request = request().form([("code", "a*1!4608+b&c=%")]);
        assert_eq!(String::from_utf8(request.body).unwrap(), "code=a*1%214608%2Bb%26c%3D%25");
    }

    #[test]
    fn basic_encodes_id_and_secret_before_joining_them() {
        let request = request().basic("id:1", &Secret::from("a b")).unwrap();
        let value = request.headers[AUTHORIZATION].to_str().unwrap().strip_prefix("Basic ").unwrap().to_owned();
        assert_eq!(STANDARD.decode(value).unwrap(), b"id%3A1:a+b");
    }
}
