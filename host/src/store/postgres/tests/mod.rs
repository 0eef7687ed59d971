//! The contract, kept by this store, and what only its own rooms can show.

mod bench;
mod promises;
mod schema;

use std::sync::Arc;

use connector_core::testing::FakeTransport;

use super::PostgresStore;
use crate::store::contract::{self, Check, Outcome};
use crate::store::{Store, testing};

/// A few at a time: what takes long is to make the databases. `url` makes the way to a fresh one.
async fn every_check_passes(url: impl Fn() -> String) {
    for checks in contract::checks().chunks(6) {
        let mut running = Vec::new();
        for check in checks.iter().copied() {
            running.push((check.name, tokio::spawn(run(check, url()))));
        }
        for (name, outcome) in running {
            let outcome = outcome.await;
            assert!(matches!(outcome, Ok(Ok(()))), "{name}: {outcome:?}");
        }
    }
}

async fn run(check: Check, url: String) -> Outcome {
    let cx = FakeTransport::default().context();
    let store = Arc::new(PostgresStore::open(&cx, &url).await?);
    check.run(cx, Arc::clone(&store) as Arc<dyn Store>).await?;
    store.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_check_of_the_contract_passes() {
    let Some(server) = testing::postgres() else { return };
    every_check_passes(|| server.fresh_database()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_check_of_the_contract_passes_behind_a_pooler_in_transaction_mode() {
    let Some(server) = testing::postgres() else { return };
    let Some(pooler) = server.pooler() else { return };
    every_check_passes(|| pooler.before(&server.fresh_database())).await;
}
