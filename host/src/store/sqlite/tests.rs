//! The contract, kept by this store.

use std::sync::Arc;

use connector_core::testing::FakeTransport;
use tempfile::TempDir;

use super::SqliteStore;
use crate::store::contract;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_check_of_the_contract_passes() {
    for check in contract::checks() {
        let (dir, cx) = (TempDir::new().unwrap(), FakeTransport::default().context());
        let store = Arc::new(SqliteStore::open(&cx, dir.path()).await.unwrap());
        let outcome = tokio::spawn(async move { check.run(cx, store).await }).await;
        assert!(matches!(outcome, Ok(Ok(()))), "{}: {outcome:?}", check.name);
    }
}
