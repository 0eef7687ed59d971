//! What a listener does with clients of every kind, over sockets.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::routing::{get, post};
use axum::{Extension, Router, middleware};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::connections::{Door, HEAD, HEADERS, Open, PATIENCE};
use super::guard::{Guard, from_here};
use super::origin::Names;
use super::proxies::Proxies;
use super::slots::Most;
use super::tls::{Tls, TlsFiles};
use crate::api::Client;

/// Whatever is waited for is there by then.
const DEADLINE: Duration = Duration::from_mins(1);

/// Sooner than the library that reads heads would lose its own patience.
const SOON: Duration = Duration::from_secs(20);

/// A listener, and what is behind it.
struct Listening {
    open: Open,
    address: SocketAddr,
}

#[derive(Default)]
struct Wanted {
    proxies: &'static [&'static str],
    public_url: Option<&'static str>,
    in_all: Option<usize>,
    of_one: Option<usize>,
    tls: Option<Tls>,
    patience: Option<Duration>,
}

impl Listening {
    async fn new(wanted: Wanted) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let proxies = wanted.proxies.iter().map(|proxy| proxy.parse().unwrap()).collect::<Vec<_>>();
        let proxies = Proxies::new(&proxies);
        let patience = wanted.patience.unwrap_or(PATIENCE);
        let names = Names::of_this_machine(address, 80);
        let public = wanted.public_url.map(|url| url.parse().unwrap());
        let names = Some(public.iter().fold(names, Names::and));
        let guard = Guard { names, proxies: proxies.clone(), is_https: wanted.public_url.is_some(), patience };
        let most = Most { in_all: wanted.in_all.unwrap_or(512), of_one: wanted.of_one.unwrap_or(512) };
        let open = Door { listener, tls: wanted.tls, proxies, most, patience }.open(guard.before(router())).unwrap();
        Self { open, address }
    }

    async fn stream(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// The answer to a request with this first line and these headers besides the host.
    async fn ask(&self, line: &str, headers: &str) -> String {
        let host = format!("Host: {}\r\n", self.address);
        exchange(self.stream().await, &format!("{line}\r\n{host}{headers}Connection: close\r\n\r\n")).await
    }

    async fn get(&self, path: &str, headers: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1"), headers).await
    }
}

fn router() -> Router {
    let private = Router::new().route("/here", get(async || "here")).route_layer(middleware::from_fn(from_here));
    Router::new()
        .route("/alive", get(async || "alive"))
        .route("/panic", get(async || if DEADLINE.is_zero() { "" } else { panic!("hush") }))
        .route("/client", get(async |Extension(Client(address)): Extension<Client>| address.to_string()))
        .route("/text", post(async |text: String| text))
        .merge(private)
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    // Who is refused early may have hung up.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = timeout(DEADLINE, stream.read_to_end(&mut answer)).await.expect("it answers or hangs up");
    String::from_utf8(answer).unwrap()
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap_or_else(|| panic!("no status: {answer:?}")).parse().unwrap()
}

/// That an answer says what every answer has to say.
fn assert_hardened(answer: &str) {
    let head = answer.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
    for line in [
        "content-security-policy: default-src 'none'; frame-ancestors 'none'",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "cross-origin-opener-policy: same-origin",
        "cross-origin-resource-policy: same-origin",
    ] {
        assert_eq!(head.lines().filter(|told| *told == line).count(), 1, "{line}: {answer}");
    }
    assert!(!head.contains("\nserver:"), "{answer}");
}

#[tokio::test]
async fn a_handler_that_panics_has_failed_alone() {
    let listening = Listening::new(Wanted::default()).await;
    for _ in 0..3 {
        let answer = listening.get("/panic", "").await;
        assert_eq!(status(&answer), 500);
        assert!(answer.contains("application/problem+json") && answer.contains("problem:internal"), "{answer}");
        assert!(!answer.contains("hush"), "{answer}");
        assert_hardened(&answer);
        assert_eq!(status(&listening.get("/alive", "").await), 200, "others are served");
    }
}

#[tokio::test]
async fn every_answer_is_hardened_whatever_it_says() {
    let listening =
        Listening::new(Wanted { public_url: Some("https://connect.example.com"), ..Wanted::default() }).await;
    for (line, wanted) in [
        ("GET /alive HTTP/1.1", 200),
        ("HEAD /alive HTTP/1.1", 200),
        ("GET /nothing HTTP/1.1", 404),
        ("POST /alive HTTP/1.1", 405),
        ("TRACE /alive HTTP/1.1", 501),
        ("CONNECT /alive HTTP/1.1", 501),
        ("PROPFIND /alive HTTP/1.1", 501),
        ("get /alive HTTP/1.1", 501),
        ("GET http://evil.example/alive HTTP/1.1", 403),
    ] {
        let answer = listening.ask(line, "X-Hush: hush\r\n").await;
        assert_eq!(status(&answer), wanted, "{line}");
        assert_hardened(&answer);
        assert!(answer.contains("strict-transport-security: max-age="), "{answer}");
        assert!(!answer.contains("hush"), "nothing is repeated: {answer}");
    }
    let plain = Listening::new(Wanted::default()).await.get("/alive", "").await;
    assert!(!plain.contains("strict-transport-security"), "{plain}");
}

#[tokio::test]
async fn a_proxy_says_for_whom_it_asks_and_no_more() {
    let behind =
        Listening::new(Wanted { proxies: &["127.0.0.1"], public_url: Some("https://a.example"), ..Wanted::default() })
            .await;
    let alone = Listening::new(Wanted::default()).await;
    let said = "X-Forwarded-For: 192.0.2.66, 192.0.2.1\r\nForwarded: for=192.0.2.66\r\n";
    assert!(behind.get("/client", said).await.ends_with("\r\n192.0.2.1"));
    assert!(alone.get("/client", said).await.ends_with("\r\n127.0.0.1"), "nobody is trusted to say that");
    for listening in [&behind, &alone] {
        for name in ["X-Forwarded-Host", "X-Host", "X-Original-Host", "Forwarded"] {
            let request = format!(
                "GET /alive HTTP/1.1\r\nHost: evil.example\r\n{name}: {}\r\nConnection: close\r\n\r\n",
                listening.address
            );
            assert_eq!(status(&exchange(listening.stream().await, &request).await), 403, "{name}");
        }
    }
}

#[tokio::test]
async fn what_is_for_this_machine_is_not_passed_on_by_a_proxy_there() {
    let behind =
        Listening::new(Wanted { proxies: &["127.0.0.1"], public_url: Some("https://a.example"), ..Wanted::default() })
            .await;
    assert_eq!(status(&behind.get("/here", "").await), 200);
    for passed_on in [
        "X-Forwarded-For: 192.0.2.1",
        "X-Forwarded-For: 127.0.0.1",
        "Forwarded: for=192.0.2.1",
        "X-Real-IP: 192.0.2.1",
        "Via: 1.1 proxy",
    ] {
        assert_eq!(status(&behind.get("/here", &format!("{passed_on}\r\n")).await), 404, "{passed_on}");
    }
    let request = "GET /here HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";
    assert_eq!(status(&exchange(behind.stream().await, request).await), 404, "under the name that others use");
}

#[tokio::test]
async fn a_head_has_its_limits() {
    let listening = Listening::new(Wanted::default()).await;
    let many = |count: usize| {
        (0..count).fold(String::new(), |mut all, n| {
            let _ = write!(all, "X-{n}: y\r\n");
            all
        })
    };
    // The host and the connection are headers as well.
    assert_eq!(status(&listening.get("/alive", &many(HEADERS - 2)).await), 200);
    assert_eq!(status(&listening.get("/alive", &many(HEADERS + 1)).await), 431);
    let large = |bytes: usize| format!("X-Large: {}\r\n", "y".repeat(bytes));
    assert_eq!(status(&listening.get("/alive", &large(HEAD - 1024)).await), 200);
    assert_eq!(status(&listening.get("/alive", &large(HEAD)).await), 431);
    assert_eq!(status(&listening.get("/alive", "").await), 200);
}

#[tokio::test]
async fn connections_that_never_ask_keep_nobody_out() {
    for (in_all, of_one) in [(64, 512), (512, 64)] {
        let listening =
            Listening::new(Wanted { in_all: Some(in_all), of_one: Some(of_one), ..Wanted::default() }).await;
        let mut open = Vec::new();
        for _ in 0..500 {
            let mut stream = listening.stream().await;
            let _ = stream.write_all(b"GET /alive HTTP/1.1\r\nHost:").await;
            open.push(stream);
        }
        for _ in 0..5 {
            assert_eq!(status(&listening.get("/alive", "").await), 200);
        }
        let mut ended = String::new();
        let first = timeout(DEADLINE, open[0].read_to_string(&mut ended)).await;
        assert!(first.is_ok() && ended.is_empty(), "the oldest made room");
    }
}

#[tokio::test]
async fn a_head_or_a_body_that_does_not_come_is_not_waited_for() {
    let wanted = Wanted { patience: Some(Duration::from_millis(200)), ..Wanted::default() };
    let listening = Listening::new(wanted).await;
    let mut silent = listening.stream().await;
    let mut half = listening.stream().await;
    half.write_all(b"GET /alive HTTP/1.1\r\nHo").await.unwrap();
    for stream in [&mut silent, &mut half] {
        let mut answer = Vec::new();
        let _ = timeout(SOON, stream.read_to_end(&mut answer)).await.expect("it ends");
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
    }
    let mut slow = listening.stream().await;
    let head = format!("POST /text HTTP/1.1\r\nHost: {}\r\nContent-Length: 9\r\n\r\nabc", listening.address);
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(SOON, slow.read_to_end(&mut answer)).await.expect("it ends");
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn who_closes_lets_the_answer_under_way_go_out() {
    let listening = Listening::new(Wanted::default()).await;
    let mut stream = listening.stream().await;
    let head = "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    let head = format!("POST /text HTTP/1.1\r\nHost: {}\r\n{head}", listening.address);
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    timeout(DEADLINE, stream.read_exact(&mut go_on)).await.unwrap().unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n", "the body is waited for");
    let address = listening.address;
    let closing = tokio::spawn(listening.open.close(DEADLINE));
    timeout(DEADLINE, async { while TcpStream::connect(address).await.is_ok() {} }).await.expect("nobody new gets in");
    let answer = exchange(stream, "abc").await;
    assert!(status(&answer) == 200 && answer.ends_with("abc"), "{answer}");
    closing.await.unwrap();
}

/// A certificate of its own for `localhost`, in two files.
struct Certified {
    files: TlsFiles,
    trusted: CertificateDer<'static>,
}

fn certify(dir: &std::path::Path) -> Certified {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = TlsFiles { chain: dir.join("chain.pem"), key: dir.join("key.pem") };
    std::fs::write(&files.chain, made.cert.pem()).unwrap();
    // A key that everybody may read is refused.
    let _ = std::fs::remove_file(&files.key);
    let mut file = crate::private_files::create(&files.key).unwrap();
    std::io::Write::write_all(&mut file, made.signing_key.serialize_pem().as_bytes()).unwrap();
    Certified { files, trusted: made.cert.der().clone() }
}

async fn ask_by_tls(listening: &Listening, trusted: &CertificateDer<'static>) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, listening.stream().await).await?;
    let request = format!("GET /alive HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", listening.address);
    Ok(exchange(stream, &request).await)
}

#[tokio::test]
async fn a_certificate_is_read_anew_when_it_changes_and_stays_when_that_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let first = certify(dir.path());
    let listening = Listening::new(Wanted { tls: Some(Tls::open(&first.files).unwrap()), ..Wanted::default() }).await;
    assert_eq!(status(&ask_by_tls(&listening, &first.trusted).await.unwrap()), 200);
    // Who speaks plainly is told nothing.
    assert!(!listening.get("/alive", "").await.contains("HTTP/1.1 200"));
    std::fs::write(&first.files.chain, "no certificate").unwrap();
    assert_eq!(status(&ask_by_tls(&listening, &first.trusted).await.unwrap()), 200, "the one before stays");
    let second = certify(dir.path());
    assert_eq!(status(&ask_by_tls(&listening, &second.trusted).await.unwrap()), 200);
    assert!(ask_by_tls(&listening, &first.trusted).await.is_err());
}

#[test]
fn what_is_no_certificate_is_refused_with_what_is_wrong() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let why = |files: &TlsFiles| Tls::open(files).err().unwrap().to_string();
    let (made, another) = (certify(dir.path()).files, certify(other.path()).files);
    assert!(why(&TlsFiles { key: another.key, ..made.clone() }).contains("is not that of the certificate"));
    assert!(why(&TlsFiles { chain: made.key.clone(), ..made.clone() }).contains("no certificate in it"));
    assert!(why(&TlsFiles { key: dir.path().join("none"), ..made.clone() }).contains("none is of no use for TLS"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&made.key, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(why(&made).contains("everybody may read"));
    }
}
