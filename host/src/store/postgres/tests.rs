//! The contract, kept by this store. What only it promises is in the files beside this one.

use std::sync::Arc;

use connector_core::Context;
use connector_core::testing::FakeTransport;

use super::PostgresStore;
use crate::store::Store;
use crate::store::contract::{self, Check, Outcome};
use crate::store::testing::{self, Server};

pub(super) fn cx() -> Context {
    FakeTransport::default().context()
}

/// A server and the name and URL of a fresh database in it.
pub(super) fn fresh() -> Option<(&'static Server, String, String)> {
    let server = testing::postgres()?;
    let url = server.fresh_database();
    let (name, _) = url.rsplit('/').find_map(|part| part.split_once("?host=")).unwrap();
    let name = name.to_owned();
    Some((server, name, url))
}

pub(super) async fn open(url: &str) -> PostgresStore {
    PostgresStore::open(&cx(), url).await.unwrap()
}

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
    let cx = cx();
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
