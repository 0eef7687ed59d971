//! The one file that names reqwest.
//!
//! Its defaults are unsafe for requests that carry secrets: it re-posts a form to another host on a 307, honours `HTTP_PROXY`, prints
//! whole URLs in its errors, has no deadline and reads without end. Each of those is switched off or replaced here.

use std::error::Error as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ::http::Response;
use ::reqwest::dns::{Addrs, Name, Resolve, Resolving};
use ::reqwest::redirect::Policy as Redirects;
use ::reqwest::{ClientBuilder, retry};
use async_trait::async_trait;
use url::Url;

use super::fence::{Fence, Lookup, System};
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
    fence: Option<Fence>,
}

impl ReqwestTransport {
    /// A transport; nothing is built yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A transport for URLs that somebody else named: it sends to where the fence lets requests through, over TLS or without.
    pub fn within(fence: Fence) -> Self {
        Self { fence: Some(fence), ..Self::default() }
    }

    fn client(&self, url: &Url) -> Result<&Client, TransportError> {
        match &self.fence {
            Some(fence) => self.fenced(fence, url),
            None => self.free(url),
        }
    }

    fn fenced(&self, fence: &Fence, url: &Url) -> Result<&Client, TransportError> {
        fence.check(url).map_err(|why| local(format!("{} is refused: {why}", host(url))))?;
        let (is_tls, lookup) = (url.scheme() == "https", Arc::new(System));
        let guard = Guard { fence: fence.clone(), is_tls, lookup };
        let client = if is_tls {
            self.tls.get_or_init(|| build(base().https_only(true).dns_resolver(guard)))
        } else {
            self.loopback.get_or_init(|| build(base().tls_certs_only([]).dns_resolver(guard)))
        };
        client.as_ref().map_err(Clone::clone)
    }

    fn free(&self, url: &Url) -> Result<&Client, TransportError> {
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

/// Gives the addresses that the fence lets through, for a connection to one of them.
struct Guard<L = System> {
    fence: Fence,
    is_tls: bool,
    lookup: Arc<L>,
}

impl<L: Lookup + 'static> Resolve for Guard<L> {
    fn resolve(&self, name: Name) -> Resolving {
        let (fence, is_tls, lookup) = (self.fence.clone(), self.is_tls, Arc::clone(&self.lookup));
        Box::pin(async move {
            let found = fence.addresses(lookup.as_ref(), name.as_str(), is_tls).await?;
            // The port is that of the URL.
            Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
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

/// Reads the body up to the cap, counted after decompression. What was read until a failure goes along with it.
async fn read(
    mut answer: ::reqwest::Response,
    host: &str,
    policy: super::Policy,
) -> Result<Response<Vec<u8>>, TransportError> {
    let mut whole = Response::new(Vec::new());
    *whole.status_mut() = answer.status();
    *whole.headers_mut() = std::mem::take(answer.headers_mut());
    loop {
        let chunk = match answer.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Ok(whole),
            Err(error) => return Err(failed(host, &error.without_url(), policy.deadline).after(whole)),
        };
        let room = policy.body_cap - whole.body().len();
        make_room(whole.body_mut(), chunk.len().min(room), policy.body_cap);
        whole.body_mut().extend(chunk.iter().take(room));
        if chunk.len() > room {
            let message = format!("{host} answered more than the {} bytes allowed here", policy.body_cap);
            return Err(TransportError::new(Reach::MaybeSent, Cause::Exchange, message).after(whole));
        }
    }
}

/// A body that outgrows this gets room for all that may come at once: memory that is not touched costs nothing, and a body that is copied as
/// it grows takes twice its size.
const SMALL: usize = 1024 * 1024;

fn make_room(body: &mut Vec<u8>, more: usize, cap: usize) {
    let length = body.len() + more;
    if length > SMALL && length > body.capacity() {
        body.reserve_exact(cap - body.len());
    }
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
    TransportError::new(reach, cause, what)
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
    TransportError::new(Reach::NotSent, Cause::Machine, message)
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or("(no host)")
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;
    use crate::http::{Policy, Sent};
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

    const WHOLE: &str = r#"{"access_token":"act.hush","refresh_token":"rft.hush"}"#;

    /// A chunk with the whole text, and no end of the body.
    fn endless(status: &str, text: &str) -> String {
        format!("HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{text}\r\n", text.len())
    }

    /// What had come when the exchange failed.
    async fn part(url: Url, policy: Policy) -> Option<(String, TransportError)> {
        let request = Request::new(Method::POST, url, policy);
        match crate::Context::system(std::sync::Arc::new(ReqwestTransport::new())).send_once(request).await {
            Sent::CutOff(answer, error) => Some((String::from_utf8(answer.body).unwrap(), error)),
            Sent::Failed(_) => None,
            Sent::Answered(answer) => panic!("it is whole: {answer:?}"),
        }
    }

    #[tokio::test]
    async fn what_came_before_the_connection_broke_is_not_thrown_away() {
        for answer in [
            endless("200 OK", WHOLE),
            format!("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{WHOLE}"),
            endless("201 Created", WHOLE),
        ] {
            let (came, error) = part(serve(answer.clone()), Policy::TOKEN).await.unwrap();
            assert_eq!(came, WHOLE, "{answer}");
            assert_eq!((error.reach, error.cause), (Reach::MaybeSent, Cause::Exchange), "{error}");
        }
        assert!(part(serve(endless("500 Oops", WHOLE)), Policy::TOKEN).await.is_none());
    }

    #[tokio::test]
    async fn what_came_before_the_deadline_is_not_thrown_away() {
        // As long as it takes this machine to read what is there.
        for millis in [100, 1_000, 10_000, 60_000] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
            let (hold, waiting) = std::sync::mpsc::channel::<()>();
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(endless("200 OK", WHOLE).as_bytes());
                let _ = waiting.recv();
            });
            let part = part(url, Policy { deadline: Duration::from_millis(millis), ..Policy::TOKEN }).await;
            drop(hold);
            server.join().unwrap();
            let Some((came, error)) = part else { continue };
            assert_eq!((came.as_str(), error.cause), (WHOLE, Cause::Deadline));
            return;
        }
        panic!("nothing came within a minute");
    }

    #[tokio::test]
    async fn what_came_below_the_cap_is_not_thrown_away() {
        let (url, policy) = (serve(endless("200 OK", WHOLE)), Policy { body_cap: 20, ..Policy::TOKEN });
        assert_eq!(part(url, policy).await.unwrap().0, WHOLE[..20]);
    }

    #[tokio::test]
    async fn no_error_shows_what_came() {
        let error = send(serve(endless("200 OK", WHOLE)), Policy::TOKEN).await.unwrap_err();
        assert!(error.partial.is_some());
        let shown = format!("{error} {error:?}");
        let error = crate::Error::from(error);
        let shown = format!("{shown} {error} {error:?}");
        assert!(!shown.contains("hush"), "{shown}");
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

    struct Alternates(std::sync::atomic::AtomicUsize);

    #[async_trait]
    impl Lookup for Alternates {
        async fn addresses(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
            let number = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok(vec![Ipv4Addr::new(127, 0, 0, if number.is_multiple_of(2) { 2 } else { 1 }).into()])
        }
    }

    /// `127.0.0.2` stands for what is open, `127.0.0.1` for what is not.
    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn what_is_checked_is_what_is_connected_to() {
        let inside = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = inside.local_addr().unwrap().port();
        inside.set_nonblocking(true).unwrap();
        let fence = Fence::with_open(["127.0.0.2".parse().unwrap()]);
        let guard = Guard { fence, is_tls: false, lookup: Arc::new(Alternates(0.into())) };
        let client = build(base().tls_certs_only([]).pool_max_idle_per_host(0).dns_resolver(guard)).unwrap();
        for _ in 0..1_000 {
            client.get(format!("http://rebinds.example:{port}/")).send().await.unwrap_err();
        }
        assert_eq!(inside.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "nobody came");
    }

    #[tokio::test]
    async fn a_fence_keeps_requests_from_this_machine() {
        let url = serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        let request = || Request::new(Method::POST, url.clone(), Policy::READ);
        let open = Fence::with_open(super::super::Network::LOOPBACK);
        let refused = ReqwestTransport::within(Fence::default()).send(request()).await.unwrap_err();
        assert_eq!((refused.reach, refused.cause), (Reach::NotSent, Cause::Machine), "{refused}");
        assert!(!refused.message.contains("hush"), "{refused}");
        assert_eq!(ReqwestTransport::within(open).send(request()).await.unwrap().status(), 200);
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
