//! A host with a platform that answers as it is told.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use connector_core::config::{Config, Layer};
use connector_core::http::{Cause, HttpTransport, Reach, Request, TransportError};
use connector_core::oauth::CallbackParams;
use connector_core::testing::{CountingRandom, FakeClock};
use connector_core::{ConfiguredConnector, Context, Descriptor, ErrorKind, Registration, Registry, Secret};
use connector_host::store::{
    AuditRecord, Connected, ConnectionFilter, GrantId, GrantRecord, GrantState, SqliteStore, Store,
};
use connector_host::vault::{Binding, IfMissing, KeyFile, KeySource, Vault, field, unlock};
use connector_host::{Callback, ConnectRequest, Error, Host, Parts, Realm, Spool};
use http::Response;
use jiff::SignedDuration;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tempfile::{Builder, TempDir};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

pub(crate) const TENANT: &str = "default";

pub(crate) const PLATFORM: &str = r#"
verified_on = "2026-11-22"
base_urls = { api = "https://example.test" }

[oauth]
authorize = { at = { base = "api", path = "/authorize" } }
token = { at = { base = "api", path = "/token" }, answer = { subject = "/person" } }
refresh = { class = "rotating_strict" }
revoke = { at = { base = "api", path = "/revoke" }, token = "access" }

[redirect.desktop]
schemes = ["http"]

[api_errors]
code = ["/error"]
kinds = { token_dead = "reauth_required" }

[endpoints.me]
at = { base = "api", path = "/me" }

[accounts]
endpoint = "me"
id = "id"

[account_metrics]
endpoint = "me"
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
fields.me = { id = "profile.id", name = "profile.display_name", followers = "metric.followers" }
"#;

const DESCRIPTOR: Descriptor = Descriptor { id: "example", name: "Example", package: env!("CARGO_PKG_NAME") };

/// A platform that answers as it is told, and holds its token answers back while its gate is shut.
pub(crate) struct Server {
    answers: Mutex<BTreeMap<&'static str, Vec<Answer>>>,
    token_requests: AtomicUsize,
    revoked: Mutex<Vec<String>>,
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
        match self.next(&path) {
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

pub(crate) fn me(followers: i64) -> Answer {
    Answer::Json(200, json!({ "id": "p1", "name": "Somebody", "followers": followers }))
}

pub(crate) struct Bench {
    pub(crate) host: Host,
    pub(crate) server: Arc<Server>,
    pub(crate) clock: FakeClock,
    pub(crate) dir: TempDir,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let parent = TempDir::new().unwrap();
        let (server, clock) = (Server::new(), FakeClock::default());
        let cx = Context::new(
            Arc::clone(&server) as Arc<dyn HttpTransport>,
            Arc::new(clock.clone()),
            Arc::new(CountingRandom::default()),
        );
        let host = Self::host(&parent, &cx).await;
        Self { host, server, clock, dir: parent }
    }

    pub(crate) async fn host(dir: &TempDir, cx: &Context) -> Host {
        Self::host_on(PLATFORM, dir, cx, &dir.path().join("data")).await
    }

    /// A host on the store of another directory, with the keys and the spool of this one.
    pub(crate) async fn host_on(platform: &'static str, dir: &TempDir, cx: &Context, store: &Path) -> Host {
        let secret = dir.path().join("secret");
        std::fs::write(&secret, "hush").unwrap();
        let config = CONFIG.replace("SECRET_FILE", secret.to_str().unwrap());
        let config = Config::of(vec![Layer::embedded("test", &config).unwrap()]).unwrap();
        let data = dir.path().join("data");
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(cx, store).await.unwrap());
        let vault = unlock(cx, &KeySource::in_dir(&data), &store).await.unwrap().vault;
        let registry = Registry::new([Registration::new(DESCRIPTOR, platform, ConfiguredConnector::build)]).unwrap();
        let spool = Some(Spool::open(&data.join("spool")).unwrap());
        let (settings, realm, cx) = (config.settings, Realm::Live, cx.clone());
        Host::new(Parts { registry, settings, realm, store, vault, cx, spool })
    }

    /// Another host on the same data, as another process would be.
    pub(crate) async fn another(&self) -> Host {
        Self::host(&self.dir, self.host.context()).await
    }

    /// The same, at a platform whose refresh tokens stay the same.
    pub(crate) async fn another_non_rotating(&self) -> Host {
        let platform = PLATFORM.replace("rotating_strict", "non_rotating").leak();
        Self::host_on(platform, &self.dir, self.host.context(), &self.dir.path().join("data")).await
    }

    /// The same, at a platform that answers its token requests with these.
    pub(crate) async fn another_server(&self, answers: impl IntoIterator<Item = Answer>) -> Host {
        let server = Server::new();
        server.set("/token", answers);
        let random = Arc::new(CountingRandom::default());
        Self::host(&self.dir, &Context::new(server, Arc::new(self.clock.clone()), random)).await
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
        let (cx, store) = (self.host.context(), self.host.store());
        let data = self.dir.path().join("data");
        let vault = Vault::new(KeyFile::load_or_create(cx, &data, IfMissing::Refuse).unwrap().ring);
        let first = self.connected().await.grant;
        let mut ids = Vec::new();
        for _ in 0..count {
            let id = GrantId::new(cx).unwrap();
            let seal = |field| {
                let place = Binding { tenant: TENANT, owner: id.as_str(), field, generation: 1 };
                Some(vault.seal(cx, &place, &"old".into()).unwrap())
            };
            let (access, refresh) = (seal(field::ACCESS), seal(field::REFRESH));
            let allowed = AuditRecord::new(cx, TENANT, "access_allowed").unwrap();
            let grant = GrantRecord { id: id.clone(), access, refresh, ..first.clone() };
            store.put_grant(&grant, &allowed).await.unwrap();
            ids.push(id);
        }
        ids
    }

    pub(crate) async fn connect(&self) {
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
        let started = self.host.connect(request).await.unwrap();
        let state = started.authorize_url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        let callback = Callback {
            platform: "example".parse().unwrap(),
            app: "default".to_owned(),
            params: CallbackParams::from_query(&format!("code=c&state={state}")),
            initiator,
            other_account_allowed: false,
        };
        self.host.complete(callback).await.unwrap().finished.unwrap();
    }

    pub(crate) async fn connected(&self) -> Connected {
        let filter = ConnectionFilter { tenant: TENANT.to_owned(), ..Default::default() };
        self.host.store().connections(&filter).await.unwrap().remove(0)
    }

    pub(crate) async fn session(&self) -> Result<String, Error> {
        let grant = self.connected().await.connection.grant_id;
        let session = self.host.session(TENANT, &grant).await?;
        Ok(session.grant.tokens.access.expose().to_owned())
    }

    /// Does what only another program would do to the database.
    pub(crate) async fn by_others(&self, statement: &'static str) {
        let options = SqliteConnectOptions::new().filename(self.dir.path().join("data/store.db"));
        let mut connection = options.connect().await.unwrap();
        sqlx::query(statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Somebody who writes to the database, and does not end.
    pub(crate) async fn busy(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.dir.path().join("data/store.db"));
        let mut connection = options.connect().await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
        connection
    }

    /// Another directory, with the store as it is now.
    pub(crate) async fn copy_of_store(&self) -> TempDir {
        let copy = Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap();
        let path = copy.path().join("store.db");
        let options = SqliteConnectOptions::new().filename(self.dir.path().join("data/store.db"));
        let mut connection = options.connect().await.unwrap();
        sqlx::query("VACUUM INTO $1").bind(path.to_str().unwrap()).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
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
