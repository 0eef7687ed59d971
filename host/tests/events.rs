//! Events on their way to receivers that come and go, in a time that is made up.
#![cfg(all(feature = "web", feature = "sqlite", feature = "testing"))]
#![expect(clippy::unwrap_used, reason = "what helps a test may fail it")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use connector_core::account::{Account, Profile};
use connector_core::http::{Cause, Fence, HttpTransport, Reach, Request, TransportError};
use connector_core::testing::{CountingRandom, FakeClock, FakeTransport};
use connector_core::{Context, ScopeSet, Secret};
use connector_host::events::{Courier, NewReceiver, verify};
use connector_host::store::testing::MemoryStore;
use connector_host::store::{
    AuditId, ConnectionId, ConnectionRecord, Connections as _, DeliveryOutcome, Disconnect, EventFilter, GrantRecord,
    GrantState, NewConnection, Reading, Resend, StateChange, Store,
};
use connector_host::testing::{Example, TENANT, allowed, connect, connected};
use connector_host::vault::{KeyRing, Vault};
use connector_host::{Host, Parts};
use http::Response;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// What a receiver does with what comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Takes,
    IsDown,
    Answers(u16),
    /// It says nothing, and the courier is told to stop meanwhile.
    IsSilent,
}

/// A receiver that remembers what it took, and every attempt.
struct Receiver {
    mood: Mutex<Mood>,
    taken: Mutex<Vec<Came>>,
    attempts: Mutex<Vec<Came>>,
    stop: CancellationToken,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Came {
    id: String,
    time: String,
    signature: String,
    body: String,
}

impl Came {
    fn data(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn of(request: &Request) -> Self {
        let header = |name: &str| request.headers.get(name).unwrap().to_str().unwrap().to_owned();
        Self {
            id: header("webhook-id"),
            time: header("webhook-timestamp"),
            signature: header("webhook-signature"),
            body: String::from_utf8(request.body.clone()).unwrap(),
        }
    }
}

#[async_trait]
impl HttpTransport for Receiver {
    async fn send(&self, request: Request) -> Result<Response<Vec<u8>>, TransportError> {
        let came = Came::of(&request);
        self.attempts.lock().unwrap().push(came.clone());
        let status = match *self.mood.lock().unwrap() {
            Mood::IsDown => return Err(TransportError::new(Reach::NotSent, Cause::Exchange, "nobody is there")),
            Mood::Takes => 200,
            Mood::IsSilent => 0,
            Mood::Answers(status) => status,
        };
        if status == 0 {
            self.stop.cancel();
            std::future::pending::<()>().await;
        }
        if status == 200 {
            self.taken.lock().unwrap().push(came);
        }
        let mut answer = Response::new(Vec::new());
        *answer.status_mut() = http::StatusCode::from_u16(status).unwrap();
        Ok(answer)
    }
}

/// A host in a made-up time, with one connection and one receiver.
struct World {
    clock: FakeClock,
    host: Host,
    store: Arc<MemoryStore>,
    receiver: Arc<Receiver>,
    secret: Secret,
    stop: CancellationToken,
}

impl World {
    async fn new() -> Self {
        let (platform, clock) = (FakeTransport::default(), FakeClock::default());
        platform.answer(200, r#"{ "access_token": "access-1", "expires_in": 7200, "scope": "read" }"#);
        platform.answer(200, r#"{ "id": "p1", "name": "Somebody", "followers": 7 }"#);
        let cx = Context::new(Arc::new(platform), Arc::new(clock.clone()), Arc::new(CountingRandom::default()));
        let (example, store) = (Example::default(), Arc::new(MemoryStore::new(&cx).unwrap()));
        let host = Host::new(Parts {
            registry: example.registry().unwrap(),
            settings: example.settings().unwrap(),
            realm: example.realm().unwrap(),
            store: Arc::clone(&store) as Arc<dyn Store>,
            vault: Vault::new(KeyRing::generate(&cx).unwrap()),
            cx,
            spool: None,
        });
        let new = NewReceiver { tenant: TENANT.to_owned(), url: URL.to_owned(), kinds: [].into() };
        let (_, secret) = host.add_receiver(new, &Fence::default()).await.unwrap();
        connect(&host).await.unwrap();
        let (mood, taken, attempts) = (Mutex::new(Mood::Takes), Mutex::default(), Mutex::default());
        let stop = CancellationToken::new();
        let receiver = Arc::new(Receiver { mood, taken, attempts, stop: stop.clone() });
        Self { clock, host, store, receiver, secret, stop }
    }

    fn courier(&self) -> Courier {
        let transport: Arc<dyn HttpTransport> = Arc::clone(&self.receiver) as Arc<dyn HttpTransport>;
        Courier::by(transport, &self.host, self.stop.clone())
    }

    fn is(&self, mood: Mood) {
        *self.receiver.mood.lock().unwrap() = mood;
    }

    /// Time passes, and what is due meanwhile is tried each minute.
    async fn pass(&self, time: SignedDuration) {
        let courier = self.courier();
        for _ in 0..time.as_mins() {
            self.clock.advance(SignedDuration::from_mins(1));
            self.host.deliver(&courier).await.unwrap();
        }
    }

    fn taken(&self) -> Vec<Came> {
        self.receiver.taken.lock().unwrap().clone()
    }

    async fn count(&self, connection: &ConnectionRecord, followers: i64) {
        let values = [("followers".parse().unwrap(), followers)].into();
        let observed_at = self.host.context().now();
        let reading = Reading { observed_at, values, missing: [].into(), log_id: None };
        self.host.store().append_samples(&connection.id, &reading).await.unwrap();
    }

    async fn disconnect(&self, connection: &ConnectionRecord) {
        let cx = self.host.context();
        let disconnect = Disconnect {
            tenant: TENANT.to_owned(),
            connection: connection.id.clone(),
            revocations: Vec::new(),
            audit: AuditId::new(cx).unwrap(),
            by: None,
            now: cx.now(),
        };
        self.host.store().disconnect(&disconnect).await.unwrap();
    }
}

const URL: &str = "https://receiver.example/events";

#[tokio::test]
async fn a_receiver_that_was_down_for_a_day_gets_every_event_once_and_in_order() {
    let world = World::new().await;
    let first = connected(&world.host).await.unwrap();
    let others = more_connections(&world, 9).await;
    let all: Vec<_> = std::iter::once(&first.connection).chain(&others).collect();
    world.is(Mood::IsDown);
    for hour in 0..24 {
        for connection in &all {
            world.count(connection, hour).await;
        }
        world.pass(SignedDuration::from_hours(1)).await;
    }
    assert!(world.taken().is_empty());
    let tried = world.receiver.attempts.lock().unwrap().len();
    assert!(tried < 10 * 60, "a receiver that is down is left alone more and more: {tried} attempts");
    world.is(Mood::Takes);
    world.pass(SignedDuration::from_hours(2)).await;

    let filter = EventFilter { tenant: TENANT.to_owned(), ..EventFilter::default() };
    let stored = world.host.store().events_page(&filter, None, 10_000).await.unwrap().items;
    assert_eq!(stored.len(), 10 + 24 * 10);
    let (mut came, mut told) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
    for taken in world.taken() {
        let connection = taken.data()["data"]["connection"]["id"].as_str().unwrap().to_owned();
        came.entry(connection).or_default().push(taken.id);
    }
    for listed in stored {
        assert!(listed.deliveries.iter().all(|delivery| delivery.outcome == Some(DeliveryOutcome::Delivered)));
        told.entry(listed.event.connection.to_string()).or_default().push(listed.event.id.to_string());
    }
    assert_eq!(came, told, "each once, and each connection's in their order");
}

/// So many more connections, each by a grant of its own.
async fn more_connections(world: &World, count: usize) -> Vec<ConnectionRecord> {
    let (cx, store) = (world.host.context(), &world.store);
    let mut made = Vec::new();
    for number in 0..count {
        let grant = Example::default().grant(cx).unwrap();
        store_grant(world, &grant).await;
        let account = Account { id: format!("more-{number}"), profile: Profile::default() };
        let new = NewConnection {
            id_if_new: ConnectionId::new(cx).unwrap(),
            account,
            reference: None,
            audit: AuditId::new(cx).unwrap(),
        };
        let links = store.link_accounts(TENANT, &grant.id, &ScopeSet::new(), vec![new], cx.now()).await.unwrap();
        made.extend(links.linked.into_iter().map(|linked| linked.connection));
    }
    made
}

async fn store_grant(world: &World, grant: &GrantRecord) {
    let record = allowed(world.host.context()).unwrap();
    world.host.store().put_grant(grant, &record).await.unwrap();
}

#[tokio::test]
async fn what_is_sent_says_what_happened_and_is_signed() {
    let world = World::new().await;
    let was = connected(&world.host).await.unwrap();
    let cx = world.host.context();
    let change = StateChange {
        grant: was.grant.id.clone(),
        generation: was.grant.generation,
        seen: GrantState::Active,
        state: GrantState::ReauthRequired { reason: "user_revoked".to_owned() },
        since: cx.now(),
        audit: allowed(cx).unwrap(),
    };
    assert!(world.host.store().set_grant_state(&change).await.unwrap());
    world.disconnect(&was.connection).await;
    world.pass(SignedDuration::from_mins(1)).await;
    let taken = world.taken();
    let shown = taken.iter().map(Came::data).collect::<Vec<_>>();
    let kinds: Vec<_> = shown.iter().map(|body| body["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["connection.created", "connection.state_changed", "connection.disconnected"]);
    let changed = &shown[1]["data"];
    assert_eq!(changed["connection"]["state"], "reauth_required");
    assert_eq!(changed["connection"]["reason"], "user_revoked");
    assert_eq!(changed["connection"]["account_id"], "p1");
    assert_eq!(changed["connection"]["since"], change.since.to_string());
    assert_eq!(changed["previous_state"], "active");
    assert_eq!(changed["abilities_lost"], serde_json::json!(["account.metrics"]));
    assert_eq!(shown[0]["data"]["abilities_lost"], serde_json::json!([]));
    for came in &taken {
        let now = cx.now();
        verify(&world.secret, &came.id, &came.time, &came.signature, &came.body, now).unwrap();
        assert!(!came.body.contains("access-1"), "{}", came.body);
    }
}

#[tokio::test]
async fn each_attempt_sends_the_same_with_a_time_and_signatures_of_its_own() {
    let world = World::new().await;
    world.is(Mood::Answers(500));
    world.pass(SignedDuration::from_mins(5)).await;
    world.is(Mood::Takes);
    let receiver = world.host.store().receivers(TENANT).await.unwrap().remove(0);
    let (_, new) = world.host.rotate_receiver(TENANT, &receiver.id).await.unwrap();
    world.pass(SignedDuration::from_mins(10)).await;
    let attempts = world.receiver.attempts.lock().unwrap().clone();
    assert!(attempts.len() > 2, "{attempts:?}");
    assert!(attempts.iter().all(|came| (&came.id, &came.body) == (&attempts[0].id, &attempts[0].body)));
    let last = attempts.last().unwrap();
    let sent_at = Timestamp::from_second(last.time.parse().unwrap()).unwrap();
    for secret in [&world.secret, &new] {
        verify(secret, &last.id, &last.time, &last.signature, &last.body, sent_at).unwrap();
    }
    let connection = connected(&world.host).await.unwrap().connection;
    world.pass(SignedDuration::from_hours(24)).await;
    world.count(&connection, 1).await;
    world.pass(SignedDuration::from_mins(1)).await;
    let later = world.taken().pop().unwrap();
    assert!(!later.signature.contains(' '), "after a day the old secret signs no more");
}

#[tokio::test]
async fn after_three_days_an_event_is_dead_until_somebody_sends_it_again() {
    let world = World::new().await;
    world.is(Mood::Answers(302));
    world.pass(SignedDuration::from_hours(73)).await;
    let filter = EventFilter { tenant: TENANT.to_owned(), dead: true, ..EventFilter::default() };
    let dead = world.host.store().events_page(&filter, None, 10).await.unwrap().items;
    assert_eq!(dead.len(), 1);
    assert!(dead[0].deliveries[0].last_error.as_ref().unwrap().message.contains("HTTP 302"));
    let tried = world.receiver.attempts.lock().unwrap().len();
    world.pass(SignedDuration::from_hours(2)).await;
    assert_eq!(world.receiver.attempts.lock().unwrap().len(), tried, "it is tried no more");
    world.is(Mood::Takes);
    assert_eq!(world.host.resend_events(TENANT, &Resend::Dead).await.unwrap(), 1);
    world.pass(SignedDuration::from_mins(1)).await;
    assert_eq!(world.taken().iter().map(|came| came.id.as_str()).collect::<Vec<_>>(), [dead[0].event.id.as_str()]);
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_left_alone() {
    let world = World::new().await;
    world.is(Mood::Answers(410));
    let connection = connected(&world.host).await.unwrap().connection;
    world.count(&connection, 1).await;
    world.pass(SignedDuration::from_hours(2)).await;
    assert_eq!(world.receiver.attempts.lock().unwrap().len(), 1);
    let receiver = world.host.store().receivers(TENANT).await.unwrap().remove(0);
    assert!(receiver.disabled_at.is_some() && receiver.disabled_reason.unwrap().contains("410"));
}

#[tokio::test]
async fn a_courier_that_is_stopped_leaves_nothing_taken() {
    let world = World::new().await;
    world.is(Mood::IsSilent);
    assert_eq!(world.host.deliver(&world.courier()).await.unwrap(), 0);
    let due = world.host.store().receivers_due().await.unwrap();
    assert_eq!(due.len(), 1, "what was not sent is due at once");
    assert_eq!(world.receiver.attempts.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn no_receiver_is_added_inside() {
    let world = World::new().await;
    for url in ["http://receiver.example/", "https://127.0.0.1/", "https://169.254.169.254/", "not a url"] {
        let new = NewReceiver { tenant: TENANT.to_owned(), url: url.to_owned(), kinds: [].into() };
        let error = world.host.add_receiver(new, &Fence::default()).await.unwrap_err().to_string();
        assert!(error.starts_with("no event can be sent to this URL"), "{error}");
    }
}
