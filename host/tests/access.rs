//! Keeping access: one refresh for everybody, stored first, and what each answer does to a connection.
#![cfg(feature = "sqlite")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "what helps a test may fail it")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use connector_core::config::{Config, Layer};
use connector_core::http::{Cause, HttpTransport, Reach, Request, TransportError};
use connector_core::metrics::Missing;
use connector_core::oauth::CallbackParams;
use connector_core::testing::{CountingRandom, FakeClock};
use connector_core::{ConfiguredConnector, Context, Descriptor, ErrorKind, Registration, Registry, Secret};
use connector_host::store::{Connected, ConnectionState, GrantState, SqliteStore, Store};
use connector_host::vault::unlock;
use connector_host::{Callback, ConnectRequest, Error, Host, Parts, Realm, Revocation, Shown};
use http::Response;
use jiff::SignedDuration;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, JoinSet};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

const TENANT: &str = "default";

const PLATFORM: &str = r#"
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
struct Server {
    answers: Mutex<BTreeMap<&'static str, Vec<Answer>>>,
    token_requests: AtomicUsize,
    gate: Semaphore,
}

#[derive(Clone)]
enum Answer {
    Json(u16, Value),
    Broken(Reach),
}

const OPEN: usize = 1_000_000;

impl Server {
    fn new() -> Arc<Self> {
        let answers = Mutex::new(BTreeMap::new());
        Arc::new(Self { answers, token_requests: AtomicUsize::new(0), gate: Semaphore::new(OPEN) })
    }

    /// What a path answers from now on; the last answer is repeated.
    fn set(&self, path: &'static str, answers: impl IntoIterator<Item = Answer>) {
        let mut answers: Vec<Answer> = answers.into_iter().collect();
        answers.reverse();
        self.answers.lock().unwrap().insert(path, answers);
    }

    fn shut(&self) {
        self.gate.forget_permits(OPEN);
    }

    fn open(&self) {
        self.gate.add_permits(OPEN);
    }

    fn token_requests(&self) -> usize {
        self.token_requests.load(Ordering::SeqCst)
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
        match self.next(&path) {
            Answer::Json(status, body) => {
                Ok(Response::builder().status(status).body(body.to_string().into_bytes()).unwrap())
            }
            Answer::Broken(reach) => {
                Err(TransportError { reach, cause: Cause::Exchange, message: "broken".to_owned() })
            }
        }
    }
}

/// Tokens of the n-th issue, good for two hours.
fn tokens(n: u32) -> Answer {
    Answer::Json(
        200,
        json!({ "access_token": format!("access-{n}"), "refresh_token": format!("refresh-{n}"), "expires_in": 7200,
                "scope": "read", "person": "p1" }),
    )
}

fn oauth_error(code: &str) -> Answer {
    Answer::Json(200, json!({ "error": code }))
}

fn me(followers: i64) -> Answer {
    Answer::Json(200, json!({ "id": "p1", "name": "Somebody", "followers": followers }))
}

struct Bench {
    host: Host,
    server: Arc<Server>,
    clock: FakeClock,
    dir: TempDir,
}

impl Bench {
    async fn new() -> Self {
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

    async fn host(dir: &TempDir, cx: &Context) -> Host {
        let secret = dir.path().join("secret");
        std::fs::write(&secret, "hush").unwrap();
        let config = CONFIG.replace("SECRET_FILE", secret.to_str().unwrap());
        let config = Config::of(vec![Layer::embedded("test", &config).unwrap()]).unwrap();
        let data = dir.path().join("data");
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(cx, &data).await.unwrap());
        let vault = unlock(cx, &data, &store).await.unwrap().vault;
        let registry = Registry::new([Registration::new(DESCRIPTOR, PLATFORM, ConfiguredConnector::build)]).unwrap();
        Host::new(Parts { registry, settings: config.settings, realm: Realm::Live, store, vault, cx: cx.clone() })
    }

    /// A host with one connection whose access token has expired.
    async fn expired() -> Self {
        let bench = Self::new().await;
        bench.server.set("/token", [tokens(1)]);
        bench.server.set("/me", [me(7)]);
        bench.connect().await;
        bench.clock.advance(SignedDuration::from_hours(3));
        bench.server.token_requests.store(0, Ordering::SeqCst);
        bench
    }

    async fn connect(&self) {
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

    async fn connected(&self) -> Connected {
        let filter = connector_host::store::ConnectionFilter { tenant: TENANT.to_owned(), ..Default::default() };
        self.host.store().connections(&filter).await.unwrap().remove(0)
    }

    async fn session(&self) -> Result<String, Error> {
        let grant = self.connected().await.connection.grant_id;
        let session = self.host.session(TENANT, &grant).await?;
        Ok(session.grant.tokens.access.expose().to_owned())
    }

    /// Does what only another program would do to the database.
    async fn by_others(&self, statement: &'static str) {
        let options = SqliteConnectOptions::new().filename(self.dir.path().join("data/store.db"));
        let mut connection = options.connect().await.unwrap();
        sqlx::query(statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    async fn state(&self) -> GrantState {
        self.connected().await.grant.state
    }
}

/// A log that only says that the host reported an error.
struct Log(UnboundedSender<()>);

impl Log {
    fn new() -> (Self, UnboundedReceiver<()>) {
        let (sender, receiver) = unbounded_channel();
        (Self(sender), receiver)
    }
}

/// Waits until the host has reported an error, while the work it reports on goes on.
async fn first_error<T: std::fmt::Debug>(lines: &mut UnboundedReceiver<()>, work: &mut JoinHandle<T>) {
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

fn kind(error: &Error) -> &'static str {
    error.kind().map_or("none", ErrorKind::as_str)
}

#[tokio::test]
async fn any_number_of_callers_cause_one_refresh() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [tokens(2)]);
    bench.server.shut();
    let grant = bench.connected().await.connection.grant_id;
    let mut callers = JoinSet::new();
    for _ in 0..1_000 {
        let (host, grant) = (bench.host.clone(), grant.clone());
        callers.spawn(async move { host.session(TENANT, &grant).await.map(|session| session.grant.tokens.access) });
    }
    while bench.server.token_requests() == 0 {
        tokio::task::yield_now().await;
    }
    bench.server.open();
    while let Some(token) = callers.join_next().await {
        assert!(token.unwrap().unwrap().matches("access-2"));
    }
    assert_eq!(bench.server.token_requests(), 1);
    assert_eq!(bench.connected().await.grant.generation, 2);
}

#[tokio::test]
async fn a_refresh_whose_caller_went_away_is_stored() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [tokens(2)]);
    bench.server.shut();
    let (host, grant) = (bench.host.clone(), bench.connected().await.connection.grant_id);
    let caller = tokio::spawn(async move { host.session(TENANT, &grant).await.map(drop) });
    while bench.server.token_requests() == 0 {
        tokio::task::yield_now().await;
    }
    caller.abort();
    bench.server.open();
    bench.host.drain().await;
    assert_eq!(bench.connected().await.grant.generation, 2);
    assert_eq!(bench.session().await.unwrap(), "access-2");
    assert_eq!(bench.server.token_requests(), 1);
}

#[tokio::test]
async fn two_hosts_on_one_file_cause_one_refresh() {
    let bench = Bench::expired().await;
    let other = Bench::host(&bench.dir, bench.host.context()).await;
    bench.server.set("/token", [tokens(2), tokens(3)]);
    let grant = bench.connected().await.connection.grant_id;
    let (first, second) = tokio::join!(bench.host.session(TENANT, &grant), other.session(TENANT, &grant));
    for session in [first, second] {
        assert!(session.unwrap().grant.tokens.access.matches("access-2"));
    }
    assert_eq!(bench.server.token_requests(), 1);
}

#[tokio::test]
async fn a_fresh_token_asks_nobody() {
    let bench = Bench::new().await;
    bench.server.set("/token", [tokens(1)]);
    bench.server.set("/me", [me(7)]);
    bench.connect().await;
    assert_eq!(bench.session().await.unwrap(), "access-1");
    assert_eq!(bench.server.token_requests(), 1, "the exchange alone");
}

#[tokio::test]
async fn a_rejected_refresh_token_needs_its_person_and_nothing_else_does() {
    for (answer, expected, state) in [
        (oauth_error("invalid_grant"), "reauth_required", Some("refresh_token_rejected")),
        (oauth_error("invalid_client"), "config", None),
        (oauth_error("unauthorized_client"), "config", None),
        (oauth_error("invalid_request"), "rejected", None),
        (oauth_error("server_error"), "unavailable", None),
        (Answer::Json(429, json!({})), "rate_limited", None),
        (Answer::Json(502, json!({})), "unavailable", None),
        (Answer::Broken(Reach::NotSent), "unavailable", None),
        (Answer::Broken(Reach::MaybeSent), "unavailable", None),
    ] {
        let bench = Bench::expired().await;
        bench.server.set("/token", [answer]);
        let error = bench.session().await.unwrap_err();
        assert_eq!(kind(&error), expected, "{error}");
        match (state, bench.state().await) {
            (Some(expected), GrantState::ReauthRequired { reason }) => assert_eq!(reason, expected),
            (None, GrantState::Active) => {}
            (_, state) => panic!("{error}: {state:?}"),
        }
    }
}

#[tokio::test]
async fn a_blip_is_forgotten_by_the_next_refresh() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [Answer::Broken(Reach::MaybeSent), oauth_error("invalid_client"), tokens(2)]);
    assert_eq!(kind(&bench.session().await.unwrap_err()), "unavailable");
    assert!(bench.connected().await.grant.refresh_mark.is_some(), "the token may be spent, and that is on record");
    bench.clock.advance(SignedDuration::from_mins(3));
    assert_eq!(kind(&bench.session().await.unwrap_err()), "config");
    bench.clock.advance(SignedDuration::from_mins(3));
    assert_eq!(bench.session().await.unwrap(), "access-2");
    let grant = bench.connected().await.grant;
    assert!(grant.refresh_mark.is_none() && grant.last_error.is_none());
}

#[tokio::test]
async fn a_rejection_after_an_unanswered_refresh_says_that_its_answer_was_lost() {
    let bench = Bench::expired().await;
    let rejected = oauth_error("invalid_grant");
    // What was not processed in between takes nothing of the doubt away.
    bench.server.set("/token", [Answer::Broken(Reach::MaybeSent), Answer::Json(429, json!({})), rejected]);
    for _ in 0..3 {
        assert_eq!(bench.state().await, GrantState::Active);
        bench.session().await.unwrap_err();
        bench.clock.advance(SignedDuration::from_mins(3));
    }
    assert_eq!(bench.state().await, GrantState::ReauthRequired { reason: "refresh_result_lost".to_owned() });
}

#[tokio::test]
async fn a_token_that_may_be_under_way_is_not_sent_again_at_once() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [Answer::Broken(Reach::MaybeSent), tokens(2)]);
    for _ in 0..3 {
        assert_eq!(kind(&bench.session().await.unwrap_err()), "unavailable");
    }
    assert_eq!(bench.server.token_requests(), 1);
    bench.clock.advance(SignedDuration::from_mins(2));
    assert_eq!(bench.session().await.unwrap(), "access-2");
}

#[tokio::test]
async fn a_store_that_fails_after_the_answer_is_tried_until_it_works() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [tokens(2)]);
    bench
        .by_others("CREATE TRIGGER full BEFORE UPDATE OF generation ON grants BEGIN SELECT RAISE(ABORT, 'full'); END")
        .await;
    let (log, mut lines) = Log::new();
    let _log = tracing::subscriber::set_default(log);
    let (host, grant) = (bench.host.clone(), bench.connected().await.connection.grant_id);
    let mut caller = tokio::spawn(async move { host.session(TENANT, &grant).await.map(drop) });
    first_error(&mut lines, &mut caller).await;
    assert_eq!(bench.connected().await.grant.generation, 1);
    assert_eq!(bench.host.unsaved(), 1);
    bench.by_others("DROP TRIGGER full").await;
    caller.await.unwrap().unwrap();
    assert_eq!(bench.host.unsaved(), 0);
    assert_eq!(bench.session().await.unwrap(), "access-2");
    assert_eq!(bench.server.token_requests(), 1);
}

#[tokio::test]
async fn a_store_that_fails_after_the_exchange_loses_nobody() {
    let bench = Arc::new(Bench::new().await);
    bench.server.set("/token", [tokens(1)]);
    bench.server.set("/me", [me(7)]);
    bench.by_others("CREATE TRIGGER full BEFORE INSERT ON grants BEGIN SELECT RAISE(ABORT, 'full'); END").await;
    let (log, mut lines) = Log::new();
    let _log = tracing::subscriber::set_default(log);
    let mut connecting = tokio::spawn({
        let bench = Arc::clone(&bench);
        async move { bench.connect().await }
    });
    first_error(&mut lines, &mut connecting).await;
    bench.by_others("DROP TRIGGER full").await;
    connecting.await.unwrap();
    assert_eq!(bench.session().await.unwrap(), "access-1");
    assert_eq!(bench.server.token_requests(), 1);
}

#[tokio::test]
async fn another_persons_tokens_are_not_stored() {
    let bench = Bench::expired().await;
    let body = json!({ "access_token": "a", "refresh_token": "r", "person": "p2" });
    bench.server.set("/token", [Answer::Json(200, body)]);
    assert_eq!(kind(&bench.session().await.unwrap_err()), "reauth_required");
    let grant = bench.connected().await.grant;
    assert_eq!((grant.generation, grant.subject.as_deref()), (1, Some("p1")));
    assert_eq!(grant.state, GrantState::ReauthRequired { reason: "identity_changed".to_owned() });
}

#[tokio::test]
async fn an_answer_without_a_refresh_token_keeps_the_old_one() {
    let bench = Bench::expired().await;
    let body = json!({ "access_token": "access-2", "refresh_token": "", "expires_in": 60 });
    bench.server.set("/token", [Answer::Json(200, body), tokens(3)]);
    assert_eq!(bench.session().await.unwrap(), "access-2");
    assert_eq!(bench.session().await.unwrap(), "access-3", "the old refresh token still refreshes");
}

#[tokio::test]
async fn a_token_the_platform_refuses_is_refreshed_once() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [tokens(2), tokens(3)]);
    let dead = Answer::Json(401, json!({ "error": "token_dead" }));
    bench.server.set("/me", [dead.clone(), me(8)]);
    let metrics = bench.host.metrics(&bench.connected().await, SignedDuration::ZERO).await.unwrap();
    assert!(metrics.error.is_none(), "{:?}", metrics.error);
    assert_eq!(bench.server.token_requests(), 2, "one because it had expired, one because it was refused");

    bench.server.set("/me", [dead]);
    let metrics = bench.host.metrics(&bench.connected().await, SignedDuration::ZERO).await.unwrap();
    assert_eq!(metrics.error.as_ref().map(kind), Some("reauth_required"));
    assert_eq!(bench.server.token_requests(), 3, "and not again and again");
}

#[tokio::test]
async fn a_failed_reading_shows_the_last_value_as_stale_and_never_a_zero() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [tokens(2)]);
    let read = async || bench.host.metrics(&bench.connected().await, SignedDuration::ZERO).await.unwrap();
    let followers = "followers".parse().unwrap();
    assert!(matches!(&read().await.cells[&followers], Shown::Value(sample) if sample.value == 7));
    bench.server.set("/me", [Answer::Json(500, json!({}))]);
    let metrics = read().await;
    assert_eq!(metrics.error.as_ref().map(kind), Some("unavailable"));
    let Shown::Stale(sample, Missing::Failed(ErrorKind::Unavailable)) = &metrics.cells[&followers] else {
        panic!("{:?}", metrics.cells)
    };
    assert_eq!(sample.value, 7);
}

#[tokio::test]
async fn disconnecting_wipes_the_tokens_and_revokes_with_a_live_one() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [tokens(2)]);
    bench.server.set("/revoke", [Answer::Json(503, json!({})), Answer::Json(200, json!({}))]);
    let id = bench.connected().await.connection.id;
    let done = bench.host.disconnect(TENANT, &id).await.unwrap();
    assert!(matches!(done.revocation, Revocation::Pending(_)), "{:?}", done.revocation);
    let connected = bench.connected().await;
    assert!(connected.grant.access.is_none() && connected.grant.refresh.is_none());
    assert_eq!(connected.state(), ConnectionState::Disconnecting);
    assert!(bench.session().await.is_err());

    bench.clock.advance(SignedDuration::from_mins(5));
    bench.host.revoke_due().await.unwrap();
    assert_eq!(bench.connected().await.state(), ConnectionState::Disconnected);
    assert_eq!(bench.server.token_requests(), 1, "the stale token was refreshed once, before the first try");
}

#[tokio::test]
async fn a_pending_revocation_does_not_kill_the_access_of_somebody_who_came_back() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [tokens(2), tokens(3)]);
    bench.server.set("/revoke", [Answer::Json(503, json!({})), Answer::Broken(Reach::NotSent)]);
    let id = bench.connected().await.connection.id;
    bench.host.disconnect(TENANT, &id).await.unwrap();
    bench.connect().await;
    assert_eq!(bench.connected().await.connection.id, id, "the same connection goes on");
    bench.clock.advance(SignedDuration::from_mins(5));
    bench.server.set("/revoke", [Answer::Json(500, json!("nobody may ask"))]);
    bench.host.revoke_due().await.unwrap();
    assert!(bench.host.store().revocations_due(bench.host.context().now()).await.unwrap().is_empty());
    assert_eq!(bench.connected().await.state(), ConnectionState::Active);
}
