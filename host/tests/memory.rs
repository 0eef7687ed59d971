//! What stays in memory of tokens that were used: nothing. The whole memory of this process is searched, so this test has a program to
//! itself, with the allocator of the real one.
#![cfg(all(feature = "cli", feature = "testing", target_os = "linux"))]
#![expect(clippy::unwrap_used, reason = "what helps a test may fail it")]

use std::alloc::System;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use connector_core::http::{HttpTransport, Request, ReqwestTransport, TransportError};
use connector_core::testing::FakeClock;
use connector_core::{Context, Secret, SystemRandom};
use connector_host::cli::ZeroAlloc;
use connector_host::testing::{Example, Installation, TENANT, connect, connected};
use http::Response;
use jiff::SignedDuration;
use serde_json::json;

#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

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

#[tokio::test]
async fn no_copy_of_a_token_that_was_used_stays_in_memory() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let transport = ToServer { port: listener.local_addr().unwrap().port(), client: ReqwestTransport::new() };
    serve(listener);
    let clock = FakeClock::default();
    let cx = Context::new(Arc::new(transport), Arc::new(clock.clone()), Arc::new(SystemRandom));
    let installation = Installation::new(Example::default(), cx).unwrap();
    let host = installation.host().await.unwrap();
    connect(&host).await.unwrap();
    let grant = connected(&host).await.unwrap().connection.grant_id;

    let session = host.session(TENANT, &grant).await.unwrap();
    assert_eq!(session.grant.tokens.access.expose(), token("access", 1));
    assert!(Masked::of("access", 1).copies() > 0, "a token that is alive is found");
    assert_eq!(Masked::of("refresh", 1).copies(), 0, "whoever calls the platform has no refresh token");
    let alive = Secret::from(token("refresh", 1));
    assert!(Masked::of("refresh", 1).copies() > 0, "a token that is alive is found");
    drop((session, alive));
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
