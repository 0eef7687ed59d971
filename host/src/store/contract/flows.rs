//! Flows under way.

use tokio::task::JoinSet;

use super::bench::{Bench, TENANT, platform};
use super::{Check, Outcome};
use crate::store::{FlowFilter, StoreError};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "a flow comes back as it was put, once", run: |bench| Box::pin(comes_back_once(bench)) },
    Check { name: "of a thousand takers one gets the flow", run: |bench| Box::pin(one_taker(bench)) },
    Check { name: "a flow is taken by whom it is for alone", run: |bench| Box::pin(taken_where_meant(bench)) },
    Check { name: "flows are pruned when they have expired", run: |bench| Box::pin(pruned(bench)) },
    Check { name: "a new flow clears away the expired ones", run: |bench| Box::pin(pruned_by_a_new_one(bench)) },
    Check { name: "no two flows have one state", run: |bench| Box::pin(one_state(bench)) },
];

async fn comes_back_once(bench: Bench) -> Outcome {
    let full = bench.flow("full")?;
    let mut bare = bench.flow("bare")?;
    (bare.reference, bare.reconnects) = (None, None);
    for flow in [full, bare] {
        bench.store.put_flow(&flow).await?;
        let digest = flow.state_digest.clone();
        assert_eq!(bench.take_flow(&digest).await?, Some(flow));
        assert_eq!(bench.take_flow(&digest).await?, None, "a flow is for one use");
    }
    assert_eq!(bench.take_flow("unknown").await?, None);
    Ok(())
}

async fn one_taker(bench: Bench) -> Outcome {
    bench.store.put_flow(&bench.flow("raced")?).await?;
    let mut takers = JoinSet::new();
    for _ in 0..1_000 {
        let bench = bench.clone();
        takers.spawn(async move { bench.take_flow("raced").await });
    }
    let mut taken = 0;
    while let Some(taker) = takers.join_next().await {
        taken += usize::from(taker??.is_some());
    }
    assert_eq!(taken, 1);
    Ok(())
}

async fn taken_where_meant(bench: Bench) -> Outcome {
    let flow = bench.flow("meant")?;
    bench.store.put_flow(&flow).await?;
    let own = FlowFilter {
        tenant: Some(TENANT.to_owned()),
        platform: Some(flow.platform.clone()),
        app: Some(flow.app.clone()),
    };
    for other in [
        FlowFilter { tenant: Some("other".to_owned()), ..own.clone() },
        FlowFilter { platform: Some(platform("beacon")?), ..own.clone() },
        FlowFilter { app: Some("second".to_owned()), ..own.clone() },
    ] {
        assert_eq!(bench.store.take_flow("meant", &other).await?, None, "{other:?}");
    }
    assert_eq!(bench.store.take_flow("meant", &own).await?, Some(flow), "who it is not for uses up nothing");
    assert_eq!(bench.store.take_flow("meant", &own).await?, None);
    Ok(())
}

async fn pruned(bench: Bench) -> Outcome {
    put_for(&bench, [("past", -1), ("now", 0), ("later", 1)]).await?;
    let now = bench.now();
    assert_eq!(bench.store.prune_flows(now).await?, 2);
    assert_eq!(bench.store.prune_flows(now).await?, 0);
    assert!(bench.take_flow("later").await?.is_some());
    Ok(())
}

async fn pruned_by_a_new_one(bench: Bench) -> Outcome {
    put_for(&bench, [("past", -1), ("now", 0), ("later", 1)]).await?;
    bench.store.put_flow(&bench.flow("new")?).await?;
    for (digest, stays) in [("past", false), ("now", false), ("later", true), ("new", true)] {
        assert_eq!(bench.take_flow(digest).await?.is_some(), stays, "{digest}");
    }
    Ok(())
}

/// Stores flows that began long ago and end in so many minutes.
async fn put_for<const N: usize>(bench: &Bench, flows: [(&str, i64); N]) -> Outcome {
    for (digest, minutes) in flows {
        let mut flow = bench.flow(digest)?;
        (flow.created_at, flow.expires_at) = (bench.minutes(-10), bench.minutes(minutes));
        bench.store.put_flow(&flow).await?;
    }
    Ok(())
}

async fn one_state(bench: Bench) -> Outcome {
    bench.store.put_flow(&bench.flow("same")?).await?;
    let again = bench.store.put_flow(&bench.flow("same")?).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    Ok(())
}
