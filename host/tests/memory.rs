//! What stays in memory of tokens that were used: nothing. The whole memory of this process is searched, so this test has a program to
//! itself, with the allocator of the real one.
#![cfg(all(feature = "cli", target_os = "linux"))]
#![expect(clippy::unwrap_used, reason = "what helps a test may fail it")]

use std::alloc::System;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use connector_core::config::{Config, Layer};
use connector_core::http::{HttpTransport, Request, ReqwestTransport, TransportError};
use connector_core::oauth::CallbackParams;
use connector_core::testing::FakeClock;
use connector_core::{ConfiguredConnector, Context, Descriptor, Registration, Registry, Secret, SystemRandom};
use connector_host::cli::ZeroAlloc;
use connector_host::store::{ConnectionFilter, GrantId, SqliteStore, Store};
use connector_host::vault::{KeySource, unlock};
use connector_host::{Callback, ConnectRequest, Host, Parts, Realm};
use http::Response;
use jiff::SignedDuration;
use serde_json::json;
use tempfile::TempDir;

#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

const TENANT: &str = "default";

const PLATFORM: &str = r#"
verified_on = "2026-11-22"
base_urls = { api = "https://example.test" }

[oauth]
authorize = { at = { base = "api", path = "/authorize" } }
token = { at = { base = "api", path = "/token" } }
refresh = { class = "rotating_strict" }

[redirect.desktop]
schemes = ["http"]

[endpoints.me]
at = { base = "api", path = "/me" }

[accounts]
endpoint = "me"
id = "id"
"#;

const CONFIG: &str = r#"
[platforms.example.apps.default]
kind = "desktop"
client_id = "id-1"
client_secret = { file = "SECRET_FILE" }
scopes = ["read"]

[platforms.example.scopes.read]
product = "API"
description = "Everything"
fields.me = { id = "profile.id" }
"#;

const DESCRIPTOR: Descriptor = Descriptor { id: "example", name: "Example", package: env!("CARGO_PKG_NAME") };

/// A token that stands nowhere until it is made.
fn token(name: &str, issue: usize) -> String {
    Secret::from(format!("{name}-{issue}")).digest()
}

/// A token as no search finds it.
struct Masked(Vec<u8>);

const MASK: u8 = 0x5a;

impl Masked {
    fn of(name: &str, issue: usize) -> Self {
        Self(token(name, issue).bytes().map(|byte| byte ^ MASK).collect())
    }

    /// How often the token is in the memory of this process.
    fn copies(&self) -> usize {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let memory = File::open("/proc/self/mem").unwrap();
        maps.lines().filter(|line| line.contains(" rw")).map(|line| self.copies_in(&memory, line)).sum()
    }

    fn copies_in(&self, memory: &File, map: &str) -> usize {
        let range = map.split(' ').next().unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let (mut at, end) = (u64::from_str_radix(start, 16).unwrap(), u64::from_str_radix(end, 16).unwrap());
        let (mut chunk, mut found) = (vec![0; CHUNK], 0);
        while at < end {
            let length = usize::try_from(end - at).unwrap().min(CHUNK);
            // What cannot be read, such as a page that guards a stack, holds nothing.
            if memory.read_exact_at(&mut chunk[..length], at).is_ok() {
                found += chunk[..length].windows(self.0.len()).filter(|window| self.is(window)).count();
            }
            if length < CHUNK {
                break;
            }
            // With an overlap a token that lies across two chunks is whole in one of them.
            at += u64::try_from(CHUNK - self.0.len() + 1).unwrap();
        }
        found
    }

    fn is(&self, window: &[u8]) -> bool {
        window[0] ^ MASK == self.0[0] && window.iter().zip(&self.0).all(|(byte, masked)| byte ^ MASK == *masked)
    }
}

const CHUNK: usize = 64 * 1024;

/// Sends everything to a server on this machine, by the real client.
#[derive(Debug)]
struct ToServer {
    port: u16,
    client: ReqwestTransport,
}

#[async_trait]
impl HttpTransport for ToServer {
    async fn send(&self, mut request: Request) -> Result<Response<Vec<u8>>, TransportError> {
        request.url = format!("http://127.0.0.1:{}{}", self.port, request.url.path()).parse().unwrap();
        self.client.send(request).await
    }
}

/// A platform that issues tokens one after the other and keeps none.
fn serve(listener: TcpListener) {
    let issue = AtomicUsize::new(0);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let (mut connection, mut request) = (connection.unwrap(), vec![0; 8 * 1024]);
            let length = connection.read(&mut request).unwrap();
            let body = if request[..length].starts_with(b"POST /token") {
                let issue = issue.fetch_add(1, Ordering::SeqCst) + 1;
                let (access, refresh) = (token("access", issue), token("refresh", issue));
                json!({ "access_token": access, "refresh_token": refresh, "expires_in": 7200, "scope": "read" })
            } else {
                json!({ "id": "p1" })
            };
            let body = body.to_string();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
            write!(connection, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
        }
    });
}

async fn host(dir: &TempDir, cx: &Context) -> Host {
    let secret = dir.path().join("secret");
    std::fs::write(&secret, "hush").unwrap();
    let config = CONFIG.replace("SECRET_FILE", secret.to_str().unwrap());
    let config = Config::of(vec![Layer::embedded("test", &config).unwrap()]).unwrap();
    let data = dir.path().join("data");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(cx, &data).await.unwrap());
    let vault = unlock(cx, &KeySource::in_dir(&data), &store).await.unwrap().vault;
    let registry = Registry::new([Registration::new(DESCRIPTOR, PLATFORM, ConfiguredConnector::build)]).unwrap();
    let (settings, realm, cx) = (config.settings, Realm::Live, cx.clone());
    Host::new(Parts { registry, settings, realm, store, vault, cx, spool: None })
}

async fn connect(host: &Host) -> GrantId {
    let initiator = Secret::from("this browser");
    let request = ConnectRequest {
        tenant: TENANT.to_owned(),
        reference: None,
        platform: "example".parse().unwrap(),
        app: "default".to_owned(),
        redirect_uri: "http://127.0.0.1:5000/callback".parse().unwrap(),
        reconnects: None,
        initiator: initiator.clone(),
    };
    let started = host.connect(request).await.unwrap();
    let state = started.authorize_url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let callback = Callback {
        platform: "example".parse().unwrap(),
        app: "default".to_owned(),
        params: CallbackParams::from_query(&format!("code=c&state={state}")),
        initiator,
        other_account_allowed: false,
    };
    host.complete(callback).await.unwrap().finished.unwrap();
    let filter = ConnectionFilter { tenant: TENANT.to_owned(), ..ConnectionFilter::default() };
    host.store().connections(&filter).await.unwrap().remove(0).connection.grant_id
}

#[tokio::test]
async fn no_copy_of_a_token_that_was_used_stays_in_memory() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let transport = ToServer { port: listener.local_addr().unwrap().port(), client: ReqwestTransport::new() };
    serve(listener);
    let (dir, clock) = (TempDir::new().unwrap(), FakeClock::default());
    let cx = Context::new(Arc::new(transport), Arc::new(clock.clone()), Arc::new(SystemRandom));
    let host = host(&dir, &cx).await;
    let grant = connect(&host).await;

    let session = host.session(TENANT, &grant).await.unwrap();
    assert_eq!(session.grant.tokens.access.expose(), token("access", 1));
    assert!(Masked::of("access", 1).copies() > 0, "a token that is alive is found");
    assert!(Masked::of("refresh", 1).copies() > 0, "a token that is alive is found");
    drop(session);
    // Refreshed, sealed, opened, sealed anew under another key, opened again.
    for _ in 0..3 {
        clock.advance(SignedDuration::from_hours(3));
        drop(host.session(TENANT, &grant).await.unwrap());
        host.rotation().add_key().await.unwrap();
        host.rotation().reseal(|_| ()).await.unwrap();
        drop(host.session(TENANT, &grant).await.unwrap());
    }
    host.drain().await;
    for issue in 1..=4 {
        for name in ["access", "refresh"] {
            assert_eq!(Masked::of(name, issue).copies(), 0, "{name} token of issue {issue}");
        }
    }
}
