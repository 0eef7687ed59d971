//! Flows under way.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::bench::Bench;
use super::{Check, Outcome};
use crate::store::StoreError;

pub(super) const CHECKS: &[Check] = &[
    Check { name: "a flow comes back as it was put, once", run: |bench| Box::pin(comes_back_once(bench)) },
    Check { name: "of a thousand takers one gets the flow", run: |bench| Box::pin(one_taker(bench)) },
    Check { name: "flows are pruned when they have expired", run: |bench| Box::pin(pruned(bench)) },
    Check { name: "no two flows have one state", run: |bench| Box::pin(one_state(bench)) },
];

async fn comes_back_once(bench: Bench) -> Outcome {
    let full = bench.flow("full")?;
    let mut bare = bench.flow("bare")?;
    (bare.reference, bare.reconnects) = (None, None);
    for flow in [full, bare] {
        bench.store.put_flow(&flow).await?;
        let digest = flow.state_digest.clone();
        assert_eq!(bench.store.take_flow(&digest).await?, Some(flow));
        assert_eq!(bench.store.take_flow(&digest).await?, None, "a flow is for one use");
    }
    assert_eq!(bench.store.take_flow("unknown").await?, None);
    Ok(())
}

async fn one_taker(bench: Bench) -> Outcome {
    bench.store.put_flow(&bench.flow("raced")?).await?;
    let mut takers = JoinSet::new();
    for _ in 0..1_000 {
        let store = Arc::clone(&bench.store);
        takers.spawn(async move { store.take_flow("raced").await });
    }
    let mut taken = 0;
    while let Some(taker) = takers.join_next().await {
        taken += usize::from(taker??.is_some());
    }
    assert_eq!(taken, 1);
    Ok(())
}

async fn pruned(bench: Bench) -> Outcome {
    for (digest, minutes) in [("past", -1), ("now", 0), ("later", 1)] {
        let mut flow = bench.flow(digest)?;
        flow.expires_at = bench.minutes(minutes);
        bench.store.put_flow(&flow).await?;
    }
    let now = bench.now();
    assert_eq!(bench.store.prune_flows(now).await?, 2);
    assert_eq!(bench.store.prune_flows(now).await?, 0);
    assert!(bench.store.take_flow("later").await?.is_some());
    Ok(())
}

async fn one_state(bench: Bench) -> Outcome {
    bench.store.put_flow(&bench.flow("same")?).await?;
    let again = bench.store.put_flow(&bench.flow("same")?).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    Ok(())
}
