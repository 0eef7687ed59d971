//! The store as a whole.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::bench::{Bench, TENANT};
use super::{Check, Outcome};
use crate::store::{Begun, Reading, RefreshTerms};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "what is in a store is counted", run: |bench| Box::pin(counted(bench)) },
    Check { name: "all tenants are seen", run: |bench| Box::pin(all_tenants(bench)) },
    Check { name: "a token may be put in doubt", run: |bench| Box::pin(doubted(bench)) },
];

async fn counted(bench: Bench) -> Outcome {
    let empty = bench.store.stock().await?;
    assert!(empty.grants.is_empty() && !empty.kind.is_empty() && empty.schema_step > 0, "{empty:?}");
    assert_eq!((empty.connections, empty.disconnected, empty.samples), (0, 0, 0));
    let (_, connections) = bench.linked(&["acct-1", "acct-2"]).await?;
    let (ended, other) = (bench.stored_grant().await?, bench.account("acct-3")?);
    let other = bench.link(&ended, vec![other], bench.now()).await?.linked.remove(0).connection;
    bench.disconnect(TENANT, &other.id, bench.now(), vec![]).await?;
    let values = [("followers".parse()?, 7), ("posts".parse()?, 3)].into();
    let reading = Reading { observed_at: bench.now(), values, missing: BTreeMap::new(), log_id: None };
    bench.store.append_samples(&connections[0].id, &reading).await?;
    let stock = bench.store.stock().await?;
    assert_eq!(stock.grants, [("active".to_owned(), 1), ("disconnected".to_owned(), 1)].into());
    assert_eq!((stock.connections, stock.disconnected, stock.samples), (2, 1, 2));
    Ok(())
}

async fn all_tenants(bench: Bench) -> Outcome {
    let (first, connections) = bench.linked(&["acct-1"]).await?;
    let mut second = bench.grant()?;
    "other".clone_into(&mut second.tenant);
    bench.put_grant(&second).await?;
    let grants: Vec<_> = bench.store.every_grant().await?.into_iter().map(|grant| grant.id).collect();
    assert_eq!(grants, [first.id, second.id]);
    assert_eq!(bench.store.every_connection().await?, connections);
    Ok(())
}

async fn doubted(bench: Bench) -> Outcome {
    let quarantine = SignedDuration::from_mins(30);
    let terms = RefreshTerms { quarantine, repeat_within: SignedDuration::ZERO, most_unanswered: Some(2) };
    let grant = bench.stored_grant().await?;
    assert!(bench.store.doubt_refresh(&grant.id, SignedDuration::ZERO).await?);
    let begun = bench.begin_with(&grant, "a", terms, "credentials").await?;
    assert!(matches!(begun, Begun::Quarantined(_)), "it rests as after a request: {begun:?}");
    assert!(bench.store.doubt_refresh(&grant.id, SignedDuration::from_hours(1)).await?);
    let Begun::Send(sent) = bench.begin_with(&grant, "b", terms, "credentials").await? else {
        return Err("it has rested and may be sent".into());
    };
    assert_eq!(sent.refresh_mark.map(|mark| mark.unanswered), Some(1), "a rejection says that the answer is lost");
    let (ended, connection) = bench.linked_one().await?;
    bench.disconnect(TENANT, &connection.id, bench.now(), vec![]).await?;
    assert!(!bench.store.doubt_refresh(&ended.id, SignedDuration::ZERO).await?, "it has no token");
    Ok(())
}
