//! A platform with a clock, whose refresh tokens work once, and a host with grants at it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use connector_core::Context;
use connector_core::http::{Cause, HttpTransport, Reach, Request, TransportError};
use connector_core::testing::{CountingRandom, FakeClock};
use connector_host::keeper::{Keep, Tally};
use connector_host::store::testing::MemoryStore;
use connector_host::store::{GrantId, GrantRecord, RevocationId, RevocationRecord, RevocationTokens};
use connector_host::testing::{Example, Installation, TENANT, allowed, sealed};
use connector_host::vault::{KeyRing, Sealed, Vault};
use connector_host::{Host, Opening, Parts};
use http::Response;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use url::form_urlencoded;

pub(crate) const ACCESS_LIFE: SignedDuration = SignedDuration::from_hours(2);
pub(crate) const REFRESH_LIFE: SignedDuration = SignedDuration::from_hours(24 * 180);

/// What it is like unless a test wants it otherwise.
pub(crate) fn example() -> Example {
    Example { revoke: Some("access"), ..Example::default() }
}

/// A platform whose refresh tokens work once.
pub(crate) struct Server {
    clock: FakeClock,
    state: Mutex<State>,
    in_flight: AtomicUsize,
    pub(crate) most_in_flight: AtomicUsize,
    gate: Semaphore,
}

#[derive(Default)]
struct State {
    /// The one refresh token of each grant that works, by grant.
    refresh: HashMap<String, u32>,
    access: HashMap<String, Timestamp>,
    /// When each token request came.
    requests: Vec<Timestamp>,
    /// The same by the time of the runtime.
    begun: Vec<Instant>,
    reuses: usize,
    next: Vec<Wrong>,
    app_refused: bool,
}

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wrong {
    NotSent,
    Unanswered,
    TooMany,
}

const OPEN: usize = 1_000_000;

impl Server {
    fn new(clock: FakeClock) -> Arc<Self> {
        let (in_flight, most_in_flight) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { clock, state: Mutex::default(), in_flight, most_in_flight, gate: Semaphore::new(OPEN) })
    }

    /// When each token request came.
    pub(crate) fn requests(&self) -> Vec<Timestamp> {
        self.state.lock().unwrap().requests.clone()
    }

    /// The same by the time of the runtime.
    pub(crate) fn begun(&self) -> Vec<Instant> {
        self.state.lock().unwrap().begun.clone()
    }

    /// How often a token came that had been used before.
    pub(crate) fn reuses(&self) -> usize {
        self.state.lock().unwrap().reuses
    }

    /// What goes wrong with the next requests.
    pub(crate) fn next(&self, wrong: impl IntoIterator<Item = Wrong>) {
        self.state.lock().unwrap().next.extend(wrong);
    }

    /// Takes none of a grant's tokens any more.
    pub(crate) fn forget(&self, grant: &GrantId) {
        self.state.lock().unwrap().refresh.remove(grant.as_str());
    }

    pub(crate) fn refuse_app(&self, refuse: bool) {
        self.state.lock().unwrap().app_refused = refuse;
    }

    /// Holds token answers back from now on.
    pub(crate) fn shut(&self) {
        self.gate.forget_permits(OPEN);
    }

    pub(crate) fn open(&self) {
        self.gate.add_permits(OPEN);
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Whether an access token works now.
    pub(crate) fn takes(&self, access: &str) -> bool {
        let now = connector_core::Clock::now(&self.clock);
        self.state.lock().unwrap().access.get(access).is_some_and(|expires_at| now < *expires_at)
    }

    fn token(&self, refresh: &str) -> Result<(u16, Value), Wrong> {
        let now = connector_core::Clock::now(&self.clock);
        let mut state = self.state.lock().unwrap();
        state.requests.push(now);
        if state.app_refused {
            return Ok((400, json!({ "error": "invalid_client" })));
        }
        let wrong = (!state.next.is_empty()).then(|| state.next.remove(0));
        match wrong {
            Some(Wrong::TooMany) => return Ok((429, json!({}))),
            Some(wrong) => return Err(wrong),
            None => {}
        }
        let (grant, number) = refresh.rsplit_once('#').unwrap();
        let number: u32 = number.parse().unwrap();
        if state.refresh.get(grant) != Some(&number) {
            state.reuses += 1;
            return Ok((400, json!({ "error": "invalid_grant" })));
        }
        let (next, access) = (number + 1, format!("{grant}!{}", number + 1));
        state.refresh.insert(grant.to_owned(), next);
        state.access.insert(access.clone(), now + ACCESS_LIFE);
        let body = json!({
            "access_token": access, "expires_in": ACCESS_LIFE.as_secs(),
            "refresh_token": format!("{grant}#{next}"), "refresh_expires_in": REFRESH_LIFE.as_secs(),
        });
        Ok((200, body))
    }
}

#[async_trait]
impl HttpTransport for Server {
    async fn send(&self, request: Request) -> Result<Response<Vec<u8>>, TransportError> {
        if request.url.path() != "/token" {
            return Ok(Response::new(b"{}".to_vec()));
        }
        self.state.lock().unwrap().begun.push(Instant::now());
        let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_in_flight.fetch_max(now, Ordering::SeqCst);
        let _gate = self.gate.acquire().await.unwrap();
        tokio::task::yield_now().await;
        let mut pairs = form_urlencoded::parse(&request.body);
        let refresh = pairs.find(|(name, _)| name == "refresh_token").unwrap().1.into_owned();
        let answer = self.token(&refresh);
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        let failed = |reach| TransportError::new(reach, Cause::Exchange, "broken");
        match answer {
            Ok((status, body)) => Ok(Response::builder().status(status).body(body.to_string().into_bytes()).unwrap()),
            Err(Wrong::NotSent) => Err(failed(Reach::NotSent)),
            Err(_) => Err(failed(Reach::MaybeSent)),
        }
    }
}

pub(crate) struct Bench {
    pub(crate) host: Host,
    pub(crate) server: Arc<Server>,
    pub(crate) clock: FakeClock,
    pub(crate) installation: Installation,
    vault: Vault,
}

/// A platform, its clock, and an installation with nothing in it.
fn begin(example: Example) -> (Arc<Server>, FakeClock, Installation) {
    let clock = FakeClock::default();
    let server = Server::new(clock.clone());
    let transport = Arc::clone(&server) as Arc<dyn HttpTransport>;
    let cx = Context::new(transport, Arc::new(clock.clone()), Arc::new(CountingRandom::default()));
    (server, clock, Installation::new(example, cx).unwrap())
}

impl Bench {
    pub(crate) async fn new(example: Example) -> Self {
        let (server, clock, installation) = begin(example);
        let (host, vault) = (installation.host().await.unwrap(), installation.vault().await.unwrap());
        Self { host, server, clock, installation, vault }
    }

    /// The same with a store that does all at once, so that the time of the runtime can stand still.
    pub(crate) fn in_memory(example: Example) -> Self {
        let (server, clock, installation) = begin(example);
        let (cx, example) = (installation.cx.clone(), &installation.example);
        let ring = KeyRing::generate(&cx).unwrap();
        let host = Host::new(Parts {
            registry: example.registry().unwrap(),
            settings: example.settings().unwrap(),
            realm: example.realm().unwrap(),
            store: Arc::new(MemoryStore::new(&cx).unwrap()),
            vault: Vault::new(ring.clone()),
            cx,
            spool: None,
        });
        Self { host, server, clock, installation, vault: Vault::new(ring) }
    }

    /// Another process on the same data.
    pub(crate) async fn another(&self, example: Example) -> Host {
        let (registry, settings) = (example.registry(), example.settings_in(self.installation.parent()));
        let (registry, settings) = (registry.unwrap(), settings.unwrap());
        let opening = Opening { registry, settings, ..self.installation.opening().await.unwrap() };
        Host::open(opening).await.unwrap().host
    }

    /// A process on the same data that has other keys.
    pub(crate) async fn with_other_keys(&self) -> Host {
        let Opening { registry, settings, realm, store, cx, .. } = self.installation.opening().await.unwrap();
        let vault = Vault::new(KeyRing::generate(&cx).unwrap());
        Host::new(Parts { registry, settings, realm, store, vault, cx, spool: None })
    }

    /// A revocation that is due, of a grant that was made under an app that is gone.
    pub(crate) async fn revocation_of_an_app_that_is_gone(&self) {
        let (cx, now) = (self.host.context(), self.host.context().now());
        let revocation = RevocationRecord {
            id: RevocationId::new(cx).unwrap(),
            grant_id: GrantId::new(cx).unwrap(),
            grant_generation: 1,
            tenant: TENANT.to_owned(),
            platform: "example".parse().unwrap(),
            app: "gone".to_owned(),
            client_id: "id-1".to_owned(),
            base_urls: self.installation.example.base_urls().unwrap(),
            subject: None,
            tokens: RevocationTokens {
                access: Some(Sealed::from_stored(vec![1])),
                access_expires_at: Some(now + ACCESS_LIFE),
                refresh: None,
                refresh_expires_at: None,
            },
            attempts: 0,
            next_try_at: now,
            expires_at: now + REFRESH_LIFE,
            last_error: None,
            created_at: now,
        };
        self.host.store().put_revocation(&revocation).await.unwrap();
    }

    /// A grant that was made just now.
    pub(crate) async fn grant(&self) -> GrantId {
        self.grant_with(true).await
    }

    /// The same, made under an app of this name and id.
    pub(crate) async fn grant_of(&self, app: &str, client_id: &str) -> GrantId {
        let (app, client_id) = (app.to_owned(), client_id.to_owned());
        self.put(GrantRecord { app, client_id, ..self.made_just_now() }, true).await
    }

    /// The same, with a refresh token or without.
    pub(crate) async fn grant_with(&self, refresh: bool) -> GrantId {
        self.put(self.made_just_now(), refresh).await
    }

    fn made_just_now(&self) -> GrantRecord {
        self.installation.example.grant(self.host.context()).unwrap()
    }

    async fn put(&self, grant: GrantRecord, refresh: bool) -> GrantId {
        let (cx, id) = (self.host.context(), grant.id.clone());
        let (access_token, refresh_token) = (format!("{id}!1"), format!("{id}#1"));
        let grant = GrantRecord {
            access_expires_at: Some(cx.now() + ACCESS_LIFE),
            refresh_expires_at: refresh.then_some(cx.now() + REFRESH_LIFE),
            ..grant
        };
        let refresh_token = refresh.then_some(&*refresh_token);
        let grant = sealed(cx, &self.vault, grant, &access_token, refresh_token).unwrap();
        self.host.store().put_grant(&grant, &allowed(cx).unwrap()).await.unwrap();
        let mut state = self.server.state.lock().unwrap();
        state.refresh.insert(id.to_string(), 1);
        state.access.insert(access_token, cx.now() + ACCESS_LIFE);
        id
    }

    /// So many grants whose refresh tokens have begun the last quarter of their lives.
    pub(crate) async fn due(&self, count: usize) -> Vec<GrantId> {
        let mut grants = Vec::new();
        for _ in 0..count {
            grants.push(self.grant().await);
        }
        self.clock.advance(SignedDuration::from_hours(24 * 136));
        grants
    }

    pub(crate) async fn read(&self, grant: &GrantId) -> GrantRecord {
        self.host.store().grant(TENANT, grant).await.unwrap().unwrap()
    }

    pub(crate) async fn pass(&self) -> Tally {
        self.host.keep(&Keep::default()).await.unwrap()
    }
}
