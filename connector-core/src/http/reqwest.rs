//! The one file that names reqwest.
//!
//! Its defaults are unsafe for requests that carry secrets: it re-posts a form to another host on a 307, honours `HTTP_PROXY`, prints
//! whole URLs in its errors, has no deadline and reads without end. Each of those is switched off or replaced here.

use std::error::Error as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use ::http::Response;
use ::reqwest::redirect::Policy as Redirects;
use ::reqwest::{ClientBuilder, retry};
use async_trait::async_trait;
use url::Url;

use super::{Cause, HttpTransport, Reach, Request, TransportError, is_loopback};

const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

#[expect(clippy::disallowed_types, reason = "this is the file that wraps it")]
type Client = ::reqwest::Client;

/// Sends over TLS to any host, and in plain HTTP to this machine alone.
///
/// The two clients are built on first use and once, so that listing connectors costs nothing, and so that the emulator works on a
/// machine without CA certificates.
#[derive(Debug, Default)]
pub struct ReqwestTransport {
    tls: OnceLock<Result<Client, TransportError>>,
    loopback: OnceLock<Result<Client, TransportError>>,
}

impl ReqwestTransport {
    /// A transport; nothing is built yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn client(&self, url: &Url) -> Result<&Client, TransportError> {
        let client = match url.scheme() {
            "https" => self.tls.get_or_init(|| build(base().https_only(true))),
            "http" if is_loopback(url) => self.loopback.get_or_init(|| {
                build(
                    base().tls_certs_only([]).resolve("localhost", SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)),
                )
            }),
            scheme => {
                return Err(local(format!(
                    "{scheme}://{} is refused: only https, or http to this machine, may carry tokens",
                    host(url)
                )));
            }
        };
        client.as_ref().map_err(Clone::clone)
    }
}

#[async_trait]
impl HttpTransport for ReqwestTransport {
    async fn send(&self, request: Request) -> Result<Response<Vec<u8>>, TransportError> {
        let client = self.client(&request.url)?;
        let host = host(&request.url).to_owned();
        tracing::debug!(method = %request.method, host, path = request.url.path(), "sending");
        let answer = client
            .request(request.method, request.url)
            .headers(request.headers)
            .body(request.body)
            .timeout(request.policy.deadline)
            .send()
            .await
            .map_err(|error| failed(&host, &error, request.policy.deadline))?;
        read(answer, &host, request.policy).await
    }
}

fn base() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("connector-host/", env!("CARGO_PKG_VERSION")))
        .redirect(Redirects::none())
        .retry(retry::never())
        .referer(false)
        .no_proxy()
        .connect_timeout(CONNECT_DEADLINE)
}

fn build(builder: ClientBuilder) -> Result<Client, TransportError> {
    builder.build().map_err(|error| {
        let cause = causes(&error);
        if cause.contains("No CA certificates") {
            local("this machine has no CA certificates, so no https host can be checked: install the package `ca-certificates`, or set SSL_CERT_FILE to a bundle".to_owned())
        } else {
            local(format!("the HTTP client cannot be built: {cause}"))
        }
    })
}

/// Reads the body up to the cap, counted after decompression.
async fn read(
    mut answer: ::reqwest::Response,
    host: &str,
    policy: super::Policy,
) -> Result<Response<Vec<u8>>, TransportError> {
    let mut whole = Response::new(Vec::new());
    *whole.status_mut() = answer.status();
    *whole.headers_mut() = std::mem::take(answer.headers_mut());
    while let Some(chunk) = answer.chunk().await.map_err(|error| failed(host, &error.without_url(), policy.deadline))? {
        if whole.body().len() + chunk.len() > policy.body_cap {
            return Err(maybe_sent(format!("{host} answered more than the {} bytes allowed here", policy.body_cap)));
        }
        whole.body_mut().extend_from_slice(&chunk);
    }
    Ok(whole)
}

fn failed(host: &str, error: &::reqwest::Error, deadline: Duration) -> TransportError {
    let what = match (error.is_connect(), error.is_timeout()) {
        (true, true) => format!("{host} did not accept a connection within {} s", CONNECT_DEADLINE.as_secs()),
        (true, false) => format!("{host} cannot be reached: {}", causes(error)),
        (false, true) => format!("{host} did not answer within {} s", deadline.as_secs()),
        (false, false) => format!("the exchange with {host} broke off: {}", causes(error)),
    };
    let reach = if error.is_connect() || error.is_builder() { Reach::NotSent } else { Reach::MaybeSent };
    let cause = if error.is_timeout() { Cause::Deadline } else { Cause::Exchange };
    TransportError { reach, cause, message: what }
}

/// The innermost cause: the outer ones repeat it, and the outermost prints the URL.
fn causes(error: &::reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(inner) = cause.and_then(std::error::Error::source) {
        cause = Some(inner);
    }
    cause.map_or_else(|| "no cause given".to_owned(), ToString::to_string)
}

fn local(message: String) -> TransportError {
    TransportError { reach: Reach::NotSent, cause: Cause::Machine, message }
}

fn maybe_sent(message: String) -> TransportError {
    TransportError { reach: Reach::MaybeSent, cause: Cause::Exchange, message }
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or("(no host)")
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;
    use crate::http::Policy;
    use ::http::Method;

    /// Serves one connection with the given bytes and gives the URL to ask.
    fn serve(answer: impl Into<Vec<u8>>) -> Url {
        let answer = answer.into();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/path?code=hush", listener.local_addr().unwrap()).parse().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(&answer);
        });
        url
    }

    async fn send(url: Url, policy: Policy) -> Result<Response<Vec<u8>>, TransportError> {
        ReqwestTransport::new().send(Request::new(Method::GET, url, policy)).await
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_is_not_followed() {
        let url =
            serve("HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(send(url, Policy::READ).await.unwrap().status(), 307);
    }

    #[tokio::test]
    async fn the_cap_ends_an_endless_body() {
        let mut endless = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        endless.resize(100_000, b'x');
        let error = send(serve(endless), Policy { body_cap: 1000, ..Policy::READ }).await.unwrap_err();
        assert_eq!(error.message, "127.0.0.1 answered more than the 1000 bytes allowed here");
        assert_eq!(error.reach, Reach::MaybeSent);
    }

    #[tokio::test]
    async fn a_closed_port_means_nothing_was_sent_and_no_query_is_shown() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("http://127.0.0.1:{port}/?code=hush").parse().unwrap();
        let error = send(url, Policy::READ).await.unwrap_err();
        assert_eq!(error.reach, Reach::NotSent);
        assert!(!format!("{error:?} {error}").contains("hush"), "{error}");
    }

    #[tokio::test]
    async fn a_silent_host_ends_at_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/?code=hush", listener.local_addr().unwrap()).parse().unwrap();
        let error = send(url, Policy { deadline: Duration::from_millis(50), ..Policy::READ }).await.unwrap_err();
        assert_eq!(error.reach, Reach::MaybeSent);
        assert!(!error.message.contains("hush"), "{error}");
    }

    #[tokio::test]
    async fn plain_http_to_another_host_is_refused() {
        let error = send("http://example.com/?code=hush".parse().unwrap(), Policy::READ).await.unwrap_err();
        assert_eq!(
            error.message,
            "http://example.com is refused: only https, or http to this machine, may carry tokens"
        );
        assert_eq!(error.cause, Cause::Machine);
    }
}
