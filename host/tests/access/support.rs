//! A host with a platform that answers as it is told.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use connector_core::http::{Cause, HttpTransport, Reach, Request, TransportError};
use connector_core::testing::{CountingRandom, FakeClock};
use connector_core::{Context, ErrorKind};
use connector_host::store::{Connected, GrantId, GrantRecord, GrantState, SqliteStore};
use connector_host::testing::{Example, Installation, TENANT, allowed, connect, connected, sealed};
use connector_host::{Error, Host, Opened, Opening};
use http::Response;
use http::header::AUTHORIZATION;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tempfile::{Builder, TempDir};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// A platform that answers as it is told, and holds its token answers back while its gate is shut.
pub(crate) struct Server {
    answers: Mutex<BTreeMap<&'static str, Vec<Answer>>>,
    token_requests: AtomicUsize,
    revoked: Mutex<Vec<String>>,
    dead: Mutex<Vec<String>>,
    gate: Semaphore,
}

#[derive(Clone)]
pub(crate) enum Answer {
    Json(u16, Value),
    /// A success that breaks off after this much of its body.
    CutOff(String),
    Broken(Reach),
}

const OPEN: usize = 1_000_000;

impl Server {
    pub(crate) fn new() -> Arc<Self> {
        let answers = Mutex::new(BTreeMap::new());
        Arc::new(Self {
            answers,
            token_requests: AtomicUsize::new(0),
            revoked: Mutex::default(),
            dead: Mutex::default(),
            gate: Semaphore::new(OPEN),
        })
    }

    /// What a path answers from now on; the last answer is repeated.
    pub(crate) fn set(&self, path: &'static str, answers: impl IntoIterator<Item = Answer>) {
        let mut answers: Vec<Answer> = answers.into_iter().collect();
        answers.reverse();
        self.answers.lock().unwrap().insert(path, answers);
    }

    pub(crate) fn shut(&self) {
        self.gate.forget_permits(OPEN);
    }

    pub(crate) fn open(&self) {
        self.gate.add_permits(OPEN);
    }

    pub(crate) fn token_requests(&self) -> usize {
        self.token_requests.load(Ordering::SeqCst)
    }

    /// The tokens it was told to revoke.
    pub(crate) fn revoked(&self) -> Vec<String> {
        self.revoked.lock().unwrap().clone()
    }

    /// Refuses calls with this access token from now on.
    pub(crate) fn kill(&self, access: &str) {
        self.dead.lock().unwrap().push(format!("Bearer {access}"));
    }

    fn refuses(&self, request: &Request) -> bool {
        let said = request.headers.get(AUTHORIZATION).and_then(|said| said.to_str().ok());
        said.is_some_and(|said| self.dead.lock().unwrap().iter().any(|dead| dead == said))
    }

    fn next(&self, path: &str) -> Answer {
        let mut all = self.answers.lock().unwrap();
        let answers = all.get_mut(path).unwrap_or_else(|| panic!("nobody said what {path} answers"));
        if answers.len() > 1 { answers.pop().unwrap() } else { answers[0].clone() }
    }
}

#[async_trait]
impl HttpTransport for Server {
    async fn send(&self, request: Request) -> Result<Response<Vec<u8>>, TransportError> {
        let path = request.url.path().to_owned();
        if path == "/token" {
            self.token_requests.fetch_add(1, Ordering::SeqCst);
            let _gate = self.gate.acquire().await.unwrap();
        }
        if path == "/revoke" {
            let token = url::form_urlencoded::parse(&request.body).find(|(name, _)| name == "token");
            self.revoked.lock().unwrap().extend(token.map(|(_, token)| token.into_owned()));
        }
        let answer = if self.refuses(&request) { dead() } else { self.next(&path) };
        match answer {
            Answer::Json(status, body) => {
                Ok(Response::builder().status(status).body(body.to_string().into_bytes()).unwrap())
            }
            Answer::CutOff(body) => {
                let broken = TransportError::new(Reach::MaybeSent, Cause::Exchange, "broken");
                Err(broken.after(Response::new(body.into_bytes())))
            }
            Answer::Broken(reach) => Err(TransportError::new(reach, Cause::Exchange, "broken")),
        }
    }
}

/// Tokens of the n-th issue, good for two hours.
pub(crate) fn tokens(n: u32) -> Answer {
    Answer::Json(
        200,
        json!({ "access_token": format!("access-{n}"), "refresh_token": format!("refresh-{n}"), "expires_in": 7200,
                "scope": "read", "person": "p1" }),
    )
}

pub(crate) fn oauth_error(code: &str) -> Answer {
    Answer::Json(200, json!({ "error": code }))
}

/// What a call with a dead access token is answered.
pub(crate) fn dead() -> Answer {
    Answer::Json(401, json!({ "error": "token_dead" }))
}

pub(crate) fn me(followers: i64) -> Answer {
    Answer::Json(200, json!({ "id": "p1", "name": "Somebody", "followers": followers }))
}

pub(crate) struct Bench {
    pub(crate) host: Host,
    pub(crate) server: Arc<Server>,
    pub(crate) clock: FakeClock,
    pub(crate) installation: Installation,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let (server, clock) = (Server::new(), FakeClock::default());
        let transport = Arc::clone(&server) as Arc<dyn HttpTransport>;
        let cx = Context::new(transport, Arc::new(clock.clone()), Arc::new(CountingRandom::default()));
        let example = Example { revoke: Some("access"), ..Example::default() };
        let installation = Installation::new(example, cx).unwrap();
        let host = installation.host().await.unwrap();
        Self { host, server, clock, installation }
    }

    /// Another host on the same data, as another process would be.
    pub(crate) async fn another(&self) -> Host {
        self.installation.host().await.unwrap()
    }

    /// The same, at a platform whose refresh tokens stay the same.
    pub(crate) async fn another_non_rotating(&self) -> Host {
        let example = Example { refresh: "non_rotating", ..self.installation.example.clone() };
        let opening = Opening { registry: example.registry().unwrap(), ..self.installation.opening().await.unwrap() };
        Host::open(opening).await.unwrap().host
    }

    /// The same, at a platform that answers its token requests with these.
    pub(crate) async fn another_server(&self, answers: impl IntoIterator<Item = Answer>) -> Host {
        let server = Server::new();
        server.set("/token", answers);
        let cx = Context::new(server, Arc::new(self.clock.clone()), Arc::new(CountingRandom::default()));
        Host::open(Opening { cx, ..self.installation.opening().await.unwrap() }).await.unwrap().host
    }

    /// A host on the store of another directory, with the keys and the spool of this one.
    pub(crate) async fn on_store_of(&self, dir: &Path) -> Opened {
        let store = Arc::new(SqliteStore::open(self.host.context(), dir).await.unwrap());
        Host::open(Opening { store, ..self.installation.opening().await.unwrap() }).await.unwrap()
    }

    /// A host with one connection whose access token has expired.
    pub(crate) async fn expired() -> Self {
        let bench = Self::new().await;
        bench.server.set("/token", [tokens(1)]);
        bench.server.set("/me", [me(7)]);
        bench.connect().await;
        bench.clock.advance(SignedDuration::from_hours(3));
        bench.server.token_requests.store(0, Ordering::SeqCst);
        bench
    }

    /// So many more grants with an expired access token.
    pub(crate) async fn grants(&self, count: usize) -> Vec<GrantId> {
        let (cx, vault) = (self.host.context(), self.installation.vault().await.unwrap());
        let first = self.connected().await.grant;
        let mut ids = Vec::new();
        for _ in 0..count {
            let id = GrantId::new(cx).unwrap();
            let grant = GrantRecord { id: id.clone(), ..first.clone() };
            let grant = sealed(cx, &vault, grant, "old", Some("old")).unwrap();
            self.host.store().put_grant(&grant, &allowed(cx).unwrap()).await.unwrap();
            ids.push(id);
        }
        ids
    }

    pub(crate) async fn connect(&self) {
        connect(&self.host).await.unwrap();
    }

    pub(crate) async fn connected(&self) -> Connected {
        connected(&self.host).await.unwrap()
    }

    pub(crate) async fn session(&self) -> Result<String, Error> {
        let grant = self.connected().await.connection.grant_id;
        let session = self.host.session(TENANT, &grant).await?;
        Ok(session.grant.tokens.access.expose().to_owned())
    }

    /// Does what only another program would do to the database.
    pub(crate) fn by_others(&self, statement: &str) {
        self.installation.file().run(statement).unwrap();
    }

    /// Another directory, with the store as it is now.
    pub(crate) async fn copy_of_store(&self) -> TempDir {
        let copy = Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap();
        let store = self.installation.store().await.unwrap();
        store.back_up(&copy.path().join("store.db")).await.unwrap();
        copy
    }

    pub(crate) async fn state(&self) -> GrantState {
        self.connected().await.grant.state
    }
}

/// A log that only says that the host reported an error.
pub(crate) struct Log(UnboundedSender<()>);

impl Log {
    pub(crate) fn new() -> (Self, UnboundedReceiver<()>) {
        let (sender, receiver) = unbounded_channel();
        (Self(sender), receiver)
    }
}

/// Waits until the host has reported an error, while the work it reports on goes on.
pub(crate) async fn first_error<T: std::fmt::Debug>(lines: &mut UnboundedReceiver<()>, work: &mut JoinHandle<T>) {
    tokio::select! {
        biased;
        line = lines.recv() => line.unwrap(),
        done = work => panic!("it ended at the first failure of the store: {done:?}"),
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR && metadata.target().starts_with("connector_host")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        // The test has seen enough when nobody receives any more.
        let _ = self.0.send(());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

pub(crate) fn kind(error: &Error) -> &'static str {
    error.kind().map_or("none", ErrorKind::as_str)
}
