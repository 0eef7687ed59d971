//! Keeps what a connector sends at the addresses of its platform.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use url::Origin;

use super::{Cause, HttpTransport, Reach, Request, TransportError};
use crate::grant::BaseUrls;

/// Sends requests to some origins and to no others: whoever is handed a token can use it at its platform alone.
pub struct Confined {
    inner: Arc<dyn HttpTransport>,
    origins: Vec<Origin>,
}

impl Confined {
    /// Lets requests through to the origins of these URLs, scheme and port included.
    pub fn to(base_urls: &BaseUrls, inner: Arc<dyn HttpTransport>) -> Self {
        Self { inner, origins: base_urls.values().map(url::Url::origin).collect() }
    }
}

impl fmt::Debug for Confined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Confined").field("origins", &self.origins).finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpTransport for Confined {
    /// # Errors
    /// As the transport within; and before anything leaves, when the request would go elsewhere.
    async fn send(&self, request: Request) -> Result<::http::Response<Vec<u8>>, TransportError> {
        let origin = request.url.origin();
        if !self.origins.contains(&origin) {
            let message = format!(
                "a request to {} was not sent: a connector calls the base URLs of its platform and nobody else; add it to [base_urls] of its platform.toml if it belongs there",
                origin.ascii_serialization()
            );
            return Err(TransportError::new(Reach::NotSent, Cause::Machine, message));
        }
        self.inner.send(request).await
    }
}

#[cfg(test)]
mod tests {
    use ::http::Method;

    use super::*;
    use crate::ErrorKind;
    use crate::http::Policy;
    use crate::testing::FakeTransport;

    const API: &str = "https://api.example";

    async fn send(url: &str) -> (Result<u16, TransportError>, usize) {
        let transport = FakeTransport::default();
        transport.answer(200, "{}");
        let base_urls = BaseUrls::from([("api".to_owned(), API.parse().unwrap())]);
        let request = Request::new(Method::GET, url.parse().unwrap(), Policy::READ);
        let answer = transport.context().confined_to(&base_urls).send(request).await;
        (answer.map(|answer| answer.status), transport.sent().len())
    }

    #[tokio::test]
    async fn a_request_to_the_platform_leaves() {
        for url in [API, "https://api.example:443/v2/user?fields=a", "https://API.example/x"] {
            assert!(matches!(send(url).await, (Ok(200), 1)), "{url}");
        }
    }

    #[tokio::test]
    async fn a_request_to_anybody_else_does_not() {
        for url in [
            "https://evil.example/?token=hush",
            "http://api.example/",
            "https://api.example:8443/",
            "https://api.example.evil.example/",
            "https://evil.example/https://api.example/",
            "https://api.example@evil.example/",
            "https://sub.api.example/",
            "https://api.example./",
            "data:text/plain,api.example",
        ] {
            let (answer, sent) = send(url).await;
            let error = answer.unwrap_err();
            assert_eq!((sent, error.reach), (0, Reach::NotSent), "{url}");
            assert!(!error.message.contains("hush"), "{error}");
            assert_eq!(crate::Error::from(error).kind(), &ErrorKind::Config);
        }
    }
}
