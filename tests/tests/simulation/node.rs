//! One node: a host with its own clock, its network and its way to the store.

use std::sync::Arc;

use connector_core::Context;
use connector_core::account::Session;
use connector_host::keeper::Keep;
use connector_host::store::Store;
use connector_host::testing::TENANT;
use connector_host::{Host, Parts};

use crate::clock::SimRandom;
use crate::ledger::Handout;
use crate::plan::SECOND;
use crate::platform::{Wire, parse_token};
use crate::store::NodeStore;
use crate::world::{Life, SETTLER, World, sleep, vault};

const KEEP_EVERY: i64 = 30 * SECOND;

/// Starts a node that does not run.
pub(crate) fn start(world: &Arc<World>, node: usize) {
    if world.host(node).is_some() {
        return;
    }
    let life = Life { node, incarnation: world.lock().incarnations[node] };
    let seed = world.plan.seed ^ ((node as u64 + 1) << 32) ^ (u64::from(life.incarnation) << 40);
    let cx = Context::new(
        Arc::new(Wire { world: Arc::clone(world), life }),
        Arc::clone(&world.clocks[node]) as _,
        Arc::new(SimRandom::new(seed)),
    );
    let store: Arc<dyn Store> = Arc::new(NodeStore { world: Arc::clone(world), life });
    let template = &world.template;
    let registry =
        if world.plan.revokes_live_tokens { &template.revokes_live_tokens } else { &template.revokes_any_token }
            .clone();
    let (settings, realm) = (template.settings.clone(), template.realm.clone());
    let host = Host::new(Parts { registry, settings, realm, store, vault: vault(), cx, spool: None });
    world.set_host(node, Some(host.clone()));
    world.note(|| format!("node {node} starts"));
    if node != SETTLER {
        let world = Arc::clone(world);
        tokio::spawn(async move {
            let first = world.lock().rng.i64(0..KEEP_EVERY);
            sleep(first).await;
            while world.lives(life) {
                keep(&host).await;
                sleep(KEEP_EVERY).await;
            }
        });
    }
}

/// One pass of a node over what is due. What fails now is due again the next time.
pub(crate) async fn keep(host: &Host) {
    let _ = host.keep(&Keep::default()).await;
}

/// Somebody who wants a token, and goes away after so long.
pub(crate) async fn call(world: Arc<World>, node: usize, account: usize, patience: Option<i64>) {
    let Some((host, life)) = world.host(node) else { return };
    let grant = world.lock().grants[account].clone();
    let session = tokio::spawn({
        let world = Arc::clone(&world);
        async move {
            if let Ok(session) = host.session(TENANT, &grant).await
                && world.lives(life)
            {
                note_handout(&world, &session);
            }
        }
    });
    if let Some(patience) = patience {
        sleep(patience).await;
        session.abort();
    }
}

fn note_handout(world: &World, session: &Session) {
    let token = parse_token(session.grant.tokens.access.expose());
    let mut state = world.lock();
    let Some(('a', account, token)) = token else {
        state.ledger.wrong.push(format!("a caller got no access token but {token:?}"));
        return;
    };
    let durable = state.ledger.durable[account].iter().any(|durable| durable.token == token);
    state.ledger.handouts.push(Handout { account, token, durable });
}

/// Gives a connection up.
pub(crate) async fn disconnect(world: Arc<World>, node: usize, account: usize) {
    let Some((host, _)) = world.host(node) else { return };
    let connection = world.lock().connections[account].clone();
    let done = host.disconnect(TENANT, &connection).await;
    world.note(|| format!("the disconnect of account {account} ended: {:?}", done.map(|done| done.revocation)));
}
