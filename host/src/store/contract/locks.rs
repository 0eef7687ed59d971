//! One refresh at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::{JoinSet, yield_now};

use super::bench::Bench;
use super::{Check, Outcome};
use crate::store::GrantId;

pub(super) const CHECKS: &[Check] = &[
    Check { name: "a grant's lock is held by one at a time", run: |bench| Box::pin(one_at_a_time(bench)) },
    Check { name: "a lock ends with its guard", run: |bench| Box::pin(ends_with_guard(bench)) },
];

async fn one_at_a_time(bench: Bench) -> Outcome {
    let (grant, held) = (GrantId::new(&bench.cx)?, Arc::new(AtomicBool::new(false)));
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let (store, grant, held) = (Arc::clone(&bench.store), grant.clone(), Arc::clone(&held));
        tasks.spawn(async move {
            let guard = store.lock_refresh(&grant).await?;
            assert!(!held.swap(true, Ordering::SeqCst), "two hold one lock");
            for _ in 0..20 {
                yield_now().await;
            }
            held.store(false, Ordering::SeqCst);
            drop(guard);
            Ok::<_, crate::store::StoreError>(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    Ok(())
}

async fn ends_with_guard(bench: Bench) -> Outcome {
    for _ in 0..200 {
        drop(bench.store.lock_refresh(&GrantId::new(&bench.cx)?).await?);
    }
    Ok(())
}
