//! What is asked at the same time happens one after the other.

use std::sync::Arc;

use connector_core::scope::{Granted, GrantedSource, split_scopes};
use tokio::task::JoinSet;

use super::bench::{Bench, TENANT};
use super::{Check, Outcome};
use crate::store::{ConnectionFilter, Disconnection, GrantRecord, Links, Reading, Refreshed, Settlement, StoreError};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "grants that link the same accounts at once take turns",
        run: |bench| Box::pin(same_accounts(bench)),
    },
    Check {
        name: "of the grants of one person that link at once one stays",
        run: |bench| Box::pin(same_person(bench)),
    },
    Check { name: "linking and refreshing at once lose nothing", run: |bench| Box::pin(link_and_refresh(bench)) },
    Check {
        name: "a refresh and the end of its grant exclude each other",
        run: |bench| Box::pin(end_and_refresh(bench)),
    },
    Check { name: "readings that come at once are all kept", run: |bench| Box::pin(readings(bench)) },
];

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Links these accounts to every grant at once.
async fn link_at_once(bench: &Bench, grants: &[GrantRecord], accounts: &[&str]) -> Result<Vec<Outcomes>> {
    let mut racers = JoinSet::new();
    for (turn, grant) in grants.iter().enumerate() {
        let mut accounts = accounts.iter().map(|id| bench.account(id)).collect::<Result<Vec<_>>>()?;
        let all = accounts.len().max(1);
        accounts.rotate_left(turn % all);
        let (bench, grant) = (bench.clone(), grant.clone());
        racers.spawn(async move { bench.link(&grant, accounts, bench.now()).await });
    }
    Ok(racers.join_all().await)
}

type Outcomes = crate::store::Result<Links>;

async fn same_accounts(bench: Bench) -> Outcome {
    let mut grants = Vec::new();
    for person in 0..8 {
        let grant = GrantRecord { subject: Some(person.to_string()), ..bench.grant()? };
        bench.put_grant(&grant).await?;
        grants.push(grant);
    }
    for outcome in link_at_once(&bench, &grants, &["acct-1", "acct-2", "acct-3"]).await? {
        outcome?;
    }
    let filter = ConnectionFilter { tenant: TENANT.to_owned(), ..ConnectionFilter::default() };
    let found = bench.store.connections(&filter).await?;
    assert_eq!(found.len(), 3, "an account has one connection");
    let last = found.first().map(|found| found.grant.id.clone());
    assert!(found.iter().all(|found| Some(&found.grant.id) == last.as_ref()), "each grant links all or none");
    for grant in grants {
        let stays = bench.store.grant(TENANT, &grant.id).await?.is_some();
        assert_eq!(stays, Some(&grant.id) == last.as_ref(), "what lost its connections goes");
    }
    Ok(())
}

async fn same_person(bench: Bench) -> Outcome {
    for round in 0..5 {
        let mut grants = Vec::new();
        for _ in 0..8 {
            grants.push(bench.stored_grant().await?);
        }
        let mut winners = 0;
        for outcome in link_at_once(&bench, &grants, &[&format!("acct-{round}")]).await? {
            match outcome {
                Err(StoreError::NotFound { .. }) => {}
                outcome => winners += usize::from(!outcome?.linked.is_empty()),
            }
        }
        assert_eq!(winners, 1, "the first ends the others");
    }
    Ok(())
}

async fn link_and_refresh(bench: Bench) -> Outcome {
    for round in 0..20 {
        let grant = bench.stored_grant().await?;
        let mut scopes = grant.scopes.clone();
        scopes.observe(Granted::Known { scopes: split_scopes("list"), source: GrantedSource::Token });
        let refreshed = Refreshed { scopes: scopes.clone(), ..bench.refreshed("second") };
        let inherited = ["publish".parse()?].into();
        let accounts = vec![bench.account(&format!("acct-{round}"))?];
        let (linked, committed) = tokio::join!(
            bench.store.link_accounts(TENANT, &grant.id, &inherited, accounts, bench.now()),
            bench.settle(&grant, "a", Settlement::Refreshed(Box::new(refreshed.clone()))),
        );
        linked?;
        assert!(committed?);
        let stored = bench.read(&grant).await?;
        scopes.ever_granted.extend(inherited);
        assert_eq!((stored.access, stored.generation), (Some(refreshed.access), 2));
        assert_eq!((stored.scopes, stored.unlinked), (scopes, None), "both are there");
    }
    Ok(())
}

async fn end_and_refresh(bench: Bench) -> Outcome {
    for _ in 0..20 {
        let (grant, connection) = bench.linked_one().await?;
        let refreshed = bench.refreshed("second");
        let (ended, committed) = tokio::join!(
            bench.disconnect(TENANT, &connection.id, bench.now(), vec![bench.revocation(&grant)?]),
            bench.settle(&grant, "a", Settlement::Refreshed(Box::new(refreshed.clone()))),
        );
        let stored = bench.read(&grant).await?;
        match (ended, committed?) {
            (Ok(Disconnection::GrantEnded), false) => assert_eq!((stored.access, stored.refresh), (None, None)),
            (Err(StoreError::Conflict(_)), true) => assert_eq!(stored.access, Some(refreshed.access)),
            (ended, committed) => panic!("disconnected: {ended:?}, refreshed: {committed}"),
        }
    }
    Ok(())
}

async fn readings(bench: Bench) -> Outcome {
    let (_, connection) = bench.linked_one().await?;
    let names = ["followers".parse()?, "posts".parse()?, "views".parse()?];
    let mut racers = JoinSet::new();
    for minutes in 0..20 {
        let values = names.iter().cloned().map(|name| (name, minutes)).collect();
        let observed_at = bench.minutes(minutes);
        let reading = Reading { observed_at, values, missing: [].into(), log_id: None };
        let (store, id) = (Arc::clone(&bench.store), connection.id.clone());
        racers.spawn(async move { store.append_samples(&id, &reading).await });
    }
    while let Some(racer) = racers.join_next().await {
        racer??;
    }
    let newest = bench.store.latest_reading(&connection.id).await?.ok_or("there is no reading")?;
    assert_eq!(newest.observed_at, bench.minutes(19));
    for name in &names {
        let kept = bench.store.history(&connection.id, name, bench.minutes(0), bench.minutes(20), 100).await?.items;
        assert_eq!(kept.len(), 20);
    }
    Ok(())
}
