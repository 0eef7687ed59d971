//! The contract, kept by this store.

use std::sync::Arc;

use connector_core::testing::FakeTransport;

use super::MemoryStore;
use crate::store::contract;

#[tokio::test]
async fn every_check_of_the_contract_passes() {
    for check in contract::checks() {
        let cx = FakeTransport::default().context();
        let store = Arc::new(MemoryStore::new(&cx).unwrap());
        let outcome = tokio::spawn(async move { check.run(cx, store).await }).await;
        assert!(matches!(outcome, Ok(Ok(()))), "{}: {outcome:?}", check.name);
    }
}
