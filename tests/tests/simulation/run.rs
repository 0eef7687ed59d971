//! One schedule, from its seed to what was seen.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use connector_core::account::Account as PlatformAccount;
use connector_core::account::Profile;
use connector_core::scope::{GrantScopes, Granted, GrantedSource, split_scopes};
use connector_core::{Clock as _, Context};
use connector_host::store::{
    AuditId, ConnectionId, Connections as _, GrantRecord, Grants as _, LinkIntent, NewConnection, Refreshes as _,
    Revocations as _,
};
use connector_host::testing::{TENANT, allowed, sealed};
use tokio::time::{Instant, sleep_until};

use crate::checks::{self, Final};
use crate::clock::{SimRandom, at};
use crate::ledger::{Account, Durable, Verdict};
use crate::node;
use crate::plan::{Event, MINUTE, NODES, Plan, SECOND};
use crate::platform::{MARK, access_token, refresh_token};
use crate::template::Template;
use crate::world::{Mutation, SETTLER, World, sleep};

/// What became of a schedule.
#[derive(Debug)]
pub(crate) struct Seen {
    pub violations: Vec<String>,
    pub counts: Counts,
    pub history: Vec<String>,
}

/// How much of what happened, to show that a run was worth something.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub schedules: u64,
    pub sends: u64,
    pub rotations: u64,
    pub unanswered: u64,
    pub alarms: u64,
    pub crashes: u64,
    pub store_faults: u64,
    pub handouts: u64,
    pub lost: u64,
    pub given_up: u64,
    pub ended: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.schedules += other.schedules;
        self.sends += other.sends;
        self.rotations += other.rotations;
        self.unanswered += other.unanswered;
        self.alarms += other.alarms;
        self.crashes += other.crashes;
        self.store_faults += other.store_faults;
        self.handouts += other.handouts;
        self.lost += other.lost;
        self.given_up += other.given_up;
        self.ended += other.ended;
    }
}

impl Seen {
    pub(crate) fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.history.hash(&mut hasher);
        hasher.finish()
    }
}

/// Runs the schedule of a seed.
pub(crate) fn run(seed: u64, template: &Arc<Template>, mutation: Mutation, keep_history: bool) -> Seen {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let world = World::new(Plan::new(seed), template, mutation, keep_history);
        world.note(|| format!("{:?}", world.plan));
        connect(&world).await;
        for node in 0..NODES {
            node::start(&world, node);
        }
        play(&world).await;
        let settled = settle(&world).await;
        let outcome = conclude(&world, &settled);
        // Hosts hold the world that holds them.
        (0..=SETTLER).for_each(|node| world.set_host(node, None));
        outcome
    })
}

/// Puts the grants and their connections into the store.
async fn connect(world: &Arc<World>) {
    let transport = Arc::new(connector_core::testing::FakeTransport::default());
    let random = Arc::new(SimRandom::new(world.plan.seed ^ 0xC0));
    let cx = Context::new(transport, Arc::clone(&world.store_clock) as _, random);
    for account in 0..world.plan.grants {
        let grant = grant(world, &cx, account);
        let connection = ConnectionId::new(&cx).unwrap();
        let audit = allowed(&cx).unwrap().of_grant(&grant.id);
        world.memory.put_grant(&grant, &audit).await.unwrap();
        let accounts = vec![NewConnection {
            id_if_new: connection.clone(),
            account: PlatformAccount { id: format!("p{account}"), profile: Profile::default() },
            reference: None,
            audit: AuditId::new(&cx).unwrap(),
        }];
        world.memory.link_accounts(TENANT, &grant.id, &[].into(), accounts, at(0)).await.unwrap();
        let mut state = world.lock();
        state.grants.push(grant.id);
        state.connections.push(connection);
        let ends = world.plan.first_expiry;
        state.ledger.accounts.push(Account { current: 1, dead: None, access_ends: vec![ends] });
        state.ledger.durable.push(vec![Durable { at: 0, generation: 1, token: 1 }]);
    }
}

fn grant(world: &World, cx: &Context, account: usize) -> GrantRecord {
    let granted = Granted::Known { scopes: split_scopes("read"), source: GrantedSource::Token };
    let grant = GrantRecord {
        subject: Some(format!("p{account}")),
        scopes: GrantScopes::of_flow(split_scopes("read"), granted),
        access_expires_at: Some(at(world.plan.first_expiry)),
        refresh_expires_at: Some(at(180 * 24 * 60 * MINUTE)),
        issued_at: at(world.plan.first_expiry - world.plan.life * SECOND),
        unlinked: Some(LinkIntent::default()),
        ..world.template.example.grant(cx).unwrap()
    };
    let (access, refresh) = (access_token(account, 1), refresh_token(account, 1));
    sealed(cx, &world.vault, grant, &access, Some(&refresh)).unwrap()
}

async fn play(world: &Arc<World>) {
    let until = |millis: i64| world.start + Duration::from_millis(u64::try_from(millis).unwrap_or_default());
    for (at, event) in world.plan.events.clone() {
        sleep_until(until(at)).await;
        world.note(|| format!("{event:?}"));
        happen(world, &event);
    }
    sleep_until(until(world.plan.end)).await;
}

fn happen(world: &Arc<World>, event: &Event) {
    let now = world.now();
    match *event {
        Event::Call { node, grant, patience } => {
            drop(tokio::spawn(node::call(Arc::clone(world), node, grant, patience)));
        }
        Event::Crash { node, down } => world.crash(node, down),
        Event::Jump { node, by } => world.clocks[node].jump(by),
        Event::StoreJump { by } => world.store_clock.jump(by),
        Event::Cut { node, lasts } => world.lock().cut_until[node] = now + lasts,
        Event::Phase { what, lasts } => world.lock().phase = Some((what, now + lasts)),
        Event::Disconnect { node, grant } => {
            drop(tokio::spawn(node::disconnect(Arc::clone(world), node, grant)));
        }
    }
}

/// So many looks are close together; those after them wait for what has time.
const SOON: usize = 40;

/// All is well again. Waits until nothing is left to settle, and says how that went.
async fn settle(world: &Arc<World>) -> Final {
    world.lock().well = true;
    world.note(|| "all is well".to_owned());
    (0..=SETTLER).for_each(|node| node::start(world, node));
    let (settler, _) = world.host(SETTLER).unwrap();
    let began = Instant::now();
    let mut blocked = false;
    let (mut unsettled, mut after) = (Vec::new(), 0);
    for round in 0..600 {
        sleep(if round < SOON { 30 * SECOND } else { 10 * 60 * SECOND }).await;
        node::keep(&settler).await;
        blocked |= !world.memory.app_health().await.unwrap().is_empty();
        blocked |= rows(world).iter().flatten().any(|grant| grant.parked_until.is_some());
        let doubts = doubts(world);
        if round < SOON && !(doubts.is_empty() && unsettled.is_empty()) {
            after = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
        }
        unsettled = doubts;
        if unsettled.is_empty() && round >= 10 && pending(world).await.is_empty() {
            break;
        }
    }
    unsettled.extend(pending(world).await);
    Final { rows: rows(world), unsettled, after, blocked, leaks: leaks(world) }
}

fn rows(world: &World) -> Vec<Option<GrantRecord>> {
    let grants = world.lock().grants.clone();
    grants.iter().map(|id| world.memory.peek(id)).collect()
}

/// The grants of which nobody knows yet whether their token is spent.
fn doubts(world: &World) -> Vec<String> {
    let doubtful = |grant: &GrantRecord| is_doubtful(world, grant) && grant.kept_answer.is_none();
    let rows = rows(world).into_iter().enumerate();
    let doubtful = rows.filter(|(_, row)| row.as_ref().is_some_and(doubtful));
    doubtful.map(|(account, _)| format!("account {account} is in doubt")).collect()
}

/// The revocations that wait for their next try, which a clock that was set back puts off.
async fn pending(world: &World) -> Vec<String> {
    let mut pending = Vec::new();
    let grants = world.lock().grants.clone();
    for (account, id) in grants.iter().enumerate() {
        if world.memory.revocation_of(id).await.unwrap().is_some() {
            pending.push(format!("the revocation of account {account} is pending"));
        }
    }
    pending
}

/// Whether a request of the grant was not answered, or its sender should be done by now.
fn is_doubtful(world: &World, grant: &GrantRecord) -> bool {
    let Some(mark) = &grant.refresh_mark else { return false };
    let age = world.store_clock.now().duration_since(mark.sent_at);
    mark.attempt.is_none() || age.as_secs() > 90 || age.is_negative()
}

fn leaks(world: &World) -> bool {
    let dump = world.memory.dump();
    dump.windows(MARK.len()).any(|window| window == MARK.as_bytes())
}

fn conclude(world: &World, last: &Final) -> Seen {
    let mut state = world.lock();
    let violations = checks::violations(&state.ledger, last);
    let ledger = &state.ledger;
    let count = |number: usize| number as u64;
    let sends =
        |wanted: fn(&crate::ledger::Send) -> bool| count(ledger.sends.iter().filter(|send| wanted(send)).count());
    let counts = Counts {
        schedules: 1,
        sends: count(ledger.sends.len()),
        rotations: sends(|send| send.verdict == Some(Verdict::Rotated)),
        unanswered: sends(|send| send.delivered.is_none()),
        alarms: sends(|send| send.verdict == Some(Verdict::Alarm)),
        crashes: count(ledger.crashes.len()),
        store_faults: count(ledger.store_faults.len()),
        handouts: count(ledger.handouts.len()),
        lost: count(ledger.reauths.len()),
        given_up: count(ledger.reauths.iter().filter(|reauth| reauth.is_unanswered() && !reauth.rotated).count()),
        ended: count(last.rows.iter().flatten().filter(|grant| grant.state.is_over()).count()),
    };
    Seen { violations, counts, history: state.history.take().unwrap_or_default() }
}
