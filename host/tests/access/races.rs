//! A disconnect and a refresh of one grant, by two processes, whose steps are taken in an order that a seed says.
//!
//! A process takes a step whenever it reads the clock, draws a random number, or deals with the platform, which it does between what it asks
//! of the store. `RACES=10000` for more orders.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use connector_core::account::{Account, Profile};
use connector_core::config::Settings;
use connector_core::http::{HttpTransport, Request, TransportError};
use connector_core::testing::{CountingRandom, FakeClock, FakeTransport, size};
use connector_core::{Clock, Context, Random, Registry, ScopeSet, SinceBoot};
use connector_host::store::testing::MemoryStore;
use connector_host::store::{
    AuditId, ConnectionId, Connections as _, GrantId, GrantRecord, GrantState, Grants as _, NewConnection,
    Revocations as _, Store,
};
use connector_host::testing::{Example, TENANT, allowed, sealed};
use connector_host::vault::{KeyRing, Vault};
use connector_host::{Host, Parts, Realm};
use fastrand::Rng;
use http::Response;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::runtime::Builder;
use url::form_urlencoded;

/// The two who race, by their index.
const REFRESH: usize = 0;
const DISCONNECT: usize = 1;

/// So long that only somebody who hangs is cut off.
const DEADLINE: Duration = Duration::from_mins(1);

/// How far the refresh had come when the disconnect was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Point {
    NotBegun,
    Marked,
    Sent,
    Processed,
    Answered,
    Committed,
}

/// What the two race for, and whose turn it is.
struct Race {
    table: Mutex<Table>,
    moved: Condvar,
    clock: FakeClock,
    random: CountingRandom,
    store: Arc<MemoryStore>,
    grant: GrantId,
}

struct Table {
    random: Rng,
    /// Of so many steps one gives the turn to the other.
    one_in: usize,
    turn: usize,
    over: [bool; 2],
    /// How far the refresh has come.
    at: Point,
    /// The same when the grant was first seen to be over.
    point: Option<Point>,
    platform: Platform,
}

/// A platform whose refresh tokens work once. The one pair of tokens that works has this number.
struct Platform {
    number: u32,
    is_alive: bool,
    /// How often a token came that had been used before.
    reuses: usize,
}

impl Race {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap()
    }

    fn step(&self, me: usize) {
        let mut table = self.table();
        if table.over == [true; 2] {
            return;
        }
        self.look(&mut table);
        let one_in = table.one_in;
        if !table.over[1 - me] && table.random.usize(0..one_in) == 0 {
            table.turn = 1 - me;
            self.moved.notify_all();
        }
        drop(self.wait(table, me));
    }

    fn wait<'a>(&self, table: MutexGuard<'a, Table>, me: usize) -> MutexGuard<'a, Table> {
        let (table, waited) = self.moved.wait_timeout_while(table, DEADLINE, |table| table.turn != me).unwrap();
        assert!(!waited.timed_out(), "the other one hangs");
        table
    }

    fn end(&self, me: usize) {
        let mut table = self.table();
        self.look(&mut table);
        (table.over[me], table.turn) = (true, 1 - me);
        self.moved.notify_all();
    }

    /// Looks at the grant. What is over holds no token, and never will again.
    fn look(&self, table: &mut Table) {
        let grant = self.store.peek(&self.grant).unwrap();
        if !grant.state.is_over() {
            table.at = match (table.at, &grant.refresh_mark) {
                _ if grant.generation > 1 => Point::Committed,
                (Point::NotBegun, Some(_)) => Point::Marked,
                (at, _) => at,
            };
            return;
        }
        assert!(grant.access.is_none() && grant.refresh.is_none() && grant.kept_answer.is_none(), "{table:?}");
        table.point.get_or_insert(table.at);
    }
}

impl Platform {
    fn answer(&mut self, path: &str, token: &str) -> (u16, Value) {
        let (kind, number) = token.rsplit_once('-').unwrap();
        let works = self.is_alive && number == self.number.to_string();
        if path == "/revoke" {
            self.is_alive &= !works;
            return (200, json!({}));
        }
        assert_eq!((path, kind), ("/token", "refresh"));
        if !works {
            self.reuses += usize::from(self.is_alive);
            return (400, json!({ "error": "invalid_grant" }));
        }
        self.number += 1;
        let (access, refresh) = (format!("access-{}", self.number), format!("refresh-{}", self.number));
        (200, json!({ "access_token": access, "refresh_token": refresh, "expires_in": 7200 }))
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the refresh is {:?}, the turn is {}'s, over are {:?}", self.at, self.turn, self.over)
    }
}

/// Clock, randomness and network of one of the two.
struct Process {
    me: usize,
    race: Arc<Race>,
}

impl Clock for Process {
    fn now(&self) -> Timestamp {
        self.race.step(self.me);
        self.race.clock.now()
    }

    fn since_boot(&self) -> Option<SinceBoot> {
        self.race.step(self.me);
        self.race.clock.since_boot()
    }
}

impl Random for Process {
    fn fill(&self, buffer: &mut [u8]) -> connector_core::Result<()> {
        self.race.step(self.me);
        self.race.random.fill(buffer)
    }
}

impl Process {
    /// The refresh has come as far as this, unless its grant is over.
    fn came_to(&self, point: Point) {
        if self.me == REFRESH {
            self.race.table().at = point;
        }
        self.race.step(self.me);
    }
}

#[async_trait]
impl HttpTransport for Process {
    async fn send(&self, request: Request) -> Result<Response<Vec<u8>>, TransportError> {
        let mut pairs = form_urlencoded::parse(&request.body);
        let token = pairs.find(|(name, _)| name == "refresh_token" || name == "token").unwrap().1;
        self.came_to(Point::Sent);
        let (status, body) = self.race.table().platform.answer(request.url.path(), &token);
        self.came_to(Point::Processed);
        tokio::task::yield_now().await;
        self.came_to(Point::Answered);
        Ok(Response::builder().status(status).body(body.to_string().into_bytes()).unwrap())
    }
}

/// What is the same in every race: what the platform takes to revoke access, and the parts of a host.
struct Template {
    example: Example,
    registry: Registry,
    settings: Settings,
    realm: Realm,
    ring: KeyRing,
}

impl Template {
    fn new(revoke: &'static str) -> Self {
        let example = Example { revoke: Some(revoke), ..Example::default() };
        Self {
            registry: example.registry().unwrap(),
            settings: example.settings().unwrap(),
            realm: example.realm().unwrap(),
            ring: KeyRing::generate(&FakeTransport::default().context()).unwrap(),
            example,
        }
    }

    fn host(&self, me: usize, race: &Arc<Race>) -> Host {
        let process = || Process { me, race: Arc::clone(race) };
        Host::new(Parts {
            registry: self.registry.clone(),
            settings: self.settings.clone(),
            realm: self.realm.clone(),
            store: Arc::clone(&race.store) as Arc<dyn Store>,
            vault: Vault::new(self.ring.clone()),
            cx: Context::new(Arc::new(process()), Arc::new(process()), Arc::new(process())),
            spool: None,
        })
    }

    /// A store with one connection, whose access token has expired.
    async fn race(&self, seed: u64) -> (Arc<Race>, ConnectionId) {
        let (clock, random) = (FakeClock::default(), CountingRandom::default());
        let plain = (Arc::new(FakeTransport::default()), Arc::new(clock.clone()), Arc::new(CountingRandom::default()));
        let cx = Context::new(plain.0, plain.1, plain.2);
        let store = Arc::new(MemoryStore::new(&cx).unwrap());
        let grant = GrantRecord { access_expires_at: Some(cx.now()), ..self.example.grant(&cx).unwrap() };
        let id = grant.id.clone();
        let grant = sealed(&cx, &Vault::new(self.ring.clone()), grant, "access-1", Some("refresh-1")).unwrap();
        store.put_grant(&grant, &allowed(&cx).unwrap()).await.unwrap();
        let account = Account { id: "p1".to_owned(), profile: Profile::default() };
        let (id_if_new, audit) = (ConnectionId::new(&cx).unwrap(), AuditId::new(&cx).unwrap());
        let new = vec![NewConnection { id_if_new, account, reference: None, audit }];
        let links = store.link_accounts(TENANT, &id, &ScopeSet::new(), new, cx.now()).await.unwrap();
        clock.advance(SignedDuration::from_mins(5));
        let (table, moved) = (Mutex::new(Table::new(seed)), Condvar::new());
        let race = Race { table, moved, clock, random, store, grant: id };
        (Arc::new(race), links.linked[0].connection.id.clone())
    }
}

impl Table {
    fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let platform = Platform { number: 1, is_alive: true, reuses: 0 };
        let (one_in, turn) = (random.choice([1, 2, 4, 16, 64]).unwrap(), random.usize(0..2));
        Self { random, one_in, turn, over: [false; 2], at: Point::NotBegun, point: None, platform }
    }
}

/// Does a piece of work when it is its turn, and whatever it has begun, in a runtime of its own.
fn take_part<T>(race: &Race, me: usize, host: &Host, work: impl Future<Output = T>) -> T {
    drop(race.wait(race.table(), me));
    let done = Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
        let done = work.await;
        host.drain().await;
        done
    });
    race.end(me);
    done
}

/// One race, and what must hold after it. Says how far the refresh had come when the disconnect was committed.
fn run(seed: u64, template: &Template) -> Point {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let (race, connection) = runtime.block_on(template.race(seed));
    let hosts = [REFRESH, DISCONNECT].map(|me| template.host(me, &race));
    let refreshed = std::thread::scope(|scope| {
        let refreshing = scope.spawn(|| {
            let work = hosts[REFRESH].session(TENANT, &race.grant);
            take_part(&race, REFRESH, &hosts[REFRESH], work).is_ok()
        });
        let work = hosts[DISCONNECT].disconnect(TENANT, &connection);
        take_part(&race, DISCONNECT, &hosts[DISCONNECT], work).unwrap();
        refreshing.join().unwrap()
    });
    let point = race.table().point.unwrap();
    assert!(!refreshed || point == Point::Committed, "seed {seed}: a caller got a token that came at {point:?}");
    runtime.block_on(async {
        for _ in 0..4 {
            race.clock.advance(SignedDuration::from_mins(10));
            hosts[DISCONNECT].revoke_due().await.unwrap();
        }
        assert!(race.store.revocation_of(&race.grant).await.unwrap().is_none(), "seed {seed}, at {point:?}");
    });
    let grant = race.store.peek(&race.grant).unwrap();
    assert_eq!(grant.state, GrantState::Disconnected, "seed {seed}, at {point:?}");
    race.look(&mut race.table());
    let table = race.table();
    let Platform { number, is_alive, reuses } = table.platform;
    assert_eq!((is_alive, reuses), (false, 0), "seed {seed}, at {point:?}, after {number} pairs of tokens");
    point
}

#[test]
fn after_a_disconnect_no_token_comes_back_and_the_last_ones_are_revoked() {
    let templates = ["access", "refresh"].map(Template::new);
    let mut points = BTreeMap::new();
    for seed in 0..size("RACES", 300) {
        *points.entry(run(seed as u64, &templates[seed % 2])).or_insert(0) += 1;
    }
    assert_eq!(points.len(), 6, "not every point was hit: {points:?}");
}
