//! What everybody in a schedule shares: the time, the luck, and what is written down.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use connector_core::Context;
use connector_core::testing::FakeTransport;
use connector_host::Host;
use connector_host::store::testing::MemoryStore;
use connector_host::store::{ConnectionId, GrantId};
use connector_host::vault::{KeyRing, Vault};
use fastrand::Rng;
use tokio::time::Instant;

use crate::clock::{SimClock, SimRandom, elapsed};
use crate::ledger::Ledger;
use crate::node;
use crate::plan::{MINUTE, NODES, Phase, Plan, SECOND};
use crate::template::Template;

/// The node that comes when all is well again, to settle what is left.
pub(crate) const SETTLER: usize = NODES;

/// What is broken on purpose, to show that it is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutation {
    Nothing,
    /// A token never rests.
    NoRest,
    /// A write does not compare what it was meant for.
    NoCompare,
    /// The store says that it has stored new tokens, and has not.
    Forgetful,
    /// A request that was not answered counts as not sent.
    Careless,
}

/// One life of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    pub node: usize,
    pub incarnation: u32,
}

pub(crate) struct World {
    pub start: Instant,
    pub plan: Plan,
    pub template: Arc<Template>,
    pub mutation: Mutation,
    pub memory: Arc<MemoryStore>,
    pub store_clock: Arc<SimClock>,
    pub clocks: Vec<Arc<SimClock>>,
    pub vault: Vault,
    pub hosts: Mutex<Vec<Option<Host>>>,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub rng: Rng,
    pub ledger: Ledger,
    pub grants: Vec<GrantId>,
    pub connections: Vec<ConnectionId>,
    pub incarnations: Vec<u32>,
    pub cut_until: Vec<i64>,
    pub phase: Option<(Phase, i64)>,
    /// Whether an account's latest attempt began while nobody was answered.
    pub began_while_down: Vec<bool>,
    /// The attempt by which an account is given up.
    pub given_up: Vec<Option<String>>,
    /// Nothing fails any more.
    pub well: bool,
    pub history: Option<Vec<String>>,
}

impl World {
    pub(crate) fn new(plan: Plan, template: &Arc<Template>, mutation: Mutation, keep_history: bool) -> Arc<Self> {
        let start = Instant::now();
        let store_clock = Arc::new(SimClock::new(start, 0, plan.boot_clock.then(|| "machine".to_owned())));
        let wrong_by = plan.wrong_by.into_iter().chain([0]);
        let clocks = wrong_by.map(|by| Arc::new(SimClock::new(start, by, Some("machine".to_owned())))).collect();
        let random = Arc::new(SimRandom::new(plan.seed));
        let transport = Arc::new(FakeTransport::default());
        let memory = MemoryStore::new(&Context::new(transport, Arc::clone(&store_clock) as _, random)).unwrap();
        let state = State {
            rng: Rng::with_seed(plan.seed ^ 0x5EED),
            ledger: Ledger::default(),
            grants: Vec::new(),
            connections: Vec::new(),
            incarnations: vec![0; NODES + 1],
            cut_until: vec![0; NODES + 1],
            phase: None,
            began_while_down: vec![false; plan.grants],
            given_up: vec![None; plan.grants],
            well: false,
            history: keep_history.then(Vec::new),
        };
        Arc::new(Self {
            start,
            template: Arc::clone(template),
            mutation,
            memory: Arc::new(memory),
            store_clock,
            clocks,
            vault: vault(),
            hosts: Mutex::new(vec![None; NODES + 1]),
            plan,
            state: Mutex::new(state),
        })
    }

    pub(crate) fn now(&self) -> i64 {
        elapsed(self.start)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note(&self, line: impl FnOnce() -> String) {
        let now = self.now();
        if let Some(history) = &mut self.lock().history {
            history.push(format!("{:>5}.{:03} s  {}", now / 1_000, now % 1_000, line()));
        }
    }

    pub(crate) fn host(&self, node: usize) -> Option<(Host, Life)> {
        let host = self.hosts.lock().unwrap_or_else(PoisonError::into_inner)[node].clone()?;
        Some((host, Life { node, incarnation: self.lock().incarnations[node] }))
    }

    pub(crate) fn set_host(&self, node: usize, host: Option<Host>) {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)[node] = host;
    }

    pub(crate) fn lives(&self, life: Life) -> bool {
        self.lock().incarnations[life.node] == life.incarnation
    }

    /// Goes on if the node has not died. What is done by a dead one stands still for ever, as it does in a process that is gone.
    pub(crate) async fn gate(&self, life: Life) {
        if !self.lives(life) {
            pending::<()>().await;
        }
    }

    /// One more step of a node, after which it may be dead.
    pub(crate) async fn step(self: &Arc<Self>, life: Life) {
        let dies = {
            let mut state = self.lock();
            let crashes = if state.well { 0 } else { self.plan.crashes };
            crashes > 0 && state.rng.u32(0..1_000) < crashes
        };
        if dies && self.lives(life) {
            let down = self.lock().rng.i64(1..3 * MINUTE);
            self.crash(life.node, down);
        }
        self.gate(life).await;
    }

    /// Ends a node where it stands. What it sent goes on its way.
    pub(crate) fn crash(self: &Arc<Self>, node: usize, down: i64) {
        if self.hosts.lock().unwrap_or_else(PoisonError::into_inner)[node].take().is_none() {
            return;
        }
        let now = self.now();
        {
            let mut state = self.lock();
            let incarnation = state.incarnations[node];
            state.ledger.crashes.push((node, incarnation, now));
            state.incarnations[node] += 1;
        }
        self.note(|| format!("node {node} dies, for {down} ms"));
        let world = Arc::clone(self);
        tokio::spawn(async move {
            sleep(down).await;
            node::start(&world, node);
        });
    }

    pub(crate) fn phase(&self) -> Option<Phase> {
        let now = self.now();
        self.lock().phase.filter(|(_, until)| now < *until).map(|(phase, _)| phase)
    }

    pub(crate) fn account_of(&self, grant: &GrantId) -> Option<usize> {
        self.lock().grants.iter().position(|known| known == grant)
    }
}

/// Every vault has the same key.
pub(crate) fn vault() -> Vault {
    Vault::new(KeyRing::generate(&FakeTransport::default().context()).unwrap())
}

pub(crate) async fn sleep(millis: i64) {
    tokio::time::sleep(Duration::from_millis(u64::try_from(millis).unwrap_or_default())).await;
}

/// How long a request may be on its way before another may follow it: the rest of a token, less the time that may pass between the record
/// of an attempt and its request.
pub(crate) const SPACING: i64 = 2 * MINUTE - 30 * SECOND;
