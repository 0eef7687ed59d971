//! The contract, kept by this store, and what only its own rooms can show.

use std::sync::Arc;

use connector_core::testing::FakeTransport;

use super::PostgresStore;
use crate::store::{contract, testing};

/// `url` makes the way to a fresh database.
async fn every_check_passes(url: impl Fn() -> String) {
    for check in contract::checks() {
        let cx = FakeTransport::default().context();
        let store = Arc::new(PostgresStore::open(&cx, &url()).await.unwrap());
        let outcome = tokio::spawn({
            let store = Arc::clone(&store);
            async move { check.run(cx, store).await }
        });
        let outcome = outcome.await;
        assert!(matches!(outcome, Ok(Ok(()))), "{}: {outcome:?}", check.name);
        store.close().await;
    }
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
