//! API keys.

use std::collections::BTreeSet;

use jiff::Timestamp;
use tokio::task::JoinSet;

use super::bench::{Bench, TENANT};
use super::{Check, Outcome};
use crate::api_keys::Right;
use crate::store::{ApiKeyId, ApiKeyRecord, StoreError};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "an API key is found by its digest", run: |bench| Box::pin(found(bench)) },
    Check { name: "API keys are listed oldest first", run: |bench| Box::pin(listed(bench)) },
    Check { name: "an API key is revoked once, for good", run: |bench| Box::pin(revoked(bench)) },
    Check { name: "no two active API keys have one name", run: |bench| Box::pin(one_name(bench)) },
    Check { name: "of many API keys of one name one is made", run: |bench| Box::pin(raced(bench)) },
    Check { name: "no two API keys have one digest", run: |bench| Box::pin(one_digest(bench)) },
    Check { name: "API keys of another instance are only looked at", run: |bench| Box::pin(only_looked_at(bench)) },
];

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn key(bench: &Bench, name: &str, digest: &str) -> Result<ApiKeyRecord> {
    Ok(ApiKeyRecord {
        id: ApiKeyId::new(&bench.cx)?,
        name: name.to_owned(),
        tenant: Some(TENANT.to_owned()),
        rights: Right::ALL.into(),
        digest: digest.to_owned(),
        created_at: bench.now(),
        expires_at: Some(bench.minutes(60)),
        revoked_at: None,
    })
}

async fn put(bench: &Bench, key: &ApiKeyRecord) -> crate::store::Result<bool> {
    bench.store.put_api_key(key, &bench.audit("api_key_created")?).await
}

async fn revoke(bench: &Bench, id: &ApiKeyId, now: Timestamp) -> crate::store::Result<bool> {
    bench.store.revoke_api_key(id, now, &bench.audit("api_key_revoked")?).await
}

async fn found(bench: Bench) -> Outcome {
    let full = key(&bench, "full", "aa")?;
    let bare = ApiKeyRecord { tenant: None, rights: BTreeSet::new(), expires_at: None, ..key(&bench, "bare", "bb")? };
    for key in [full, bare] {
        assert_eq!(bench.store.api_key_by_digest(&key.digest).await?, None);
        assert!(put(&bench, &key).await?);
        assert_eq!(bench.store.api_key_by_digest(&key.digest).await?, Some(key));
    }
    for unknown in ["", "a", "AA", "a%"] {
        assert_eq!(bench.store.api_key_by_digest(unknown).await?, None);
    }
    let events: Vec<_> = bench.on_record().await?.into_iter().map(|(event, _)| event).collect();
    assert_eq!(events, ["api_key_created", "api_key_created"]);
    Ok(())
}

async fn listed(bench: Bench) -> Outcome {
    assert_eq!(bench.store.api_keys().await?, []);
    let mut made = Vec::new();
    for minutes in [2, 0, 1, 1] {
        let number = made.len().to_string();
        let key = ApiKeyRecord { created_at: bench.minutes(minutes), ..key(&bench, &number, &number)? };
        assert!(put(&bench, &key).await?);
        made.push(key);
    }
    made.sort_by_key(|key| (key.created_at, key.id.clone()));
    assert_eq!(bench.store.api_keys().await?, made);
    Ok(())
}

async fn revoked(bench: Bench) -> Outcome {
    let (one, other) = (key(&bench, "one", "aa")?, key(&bench, "other", "bb")?);
    for key in [&one, &other] {
        assert!(put(&bench, key).await?);
    }
    assert!(revoke(&bench, &one.id, bench.minutes(1)).await?);
    let ended = ApiKeyRecord { revoked_at: Some(bench.minutes(1)), ..one };
    let before = bench.on_record().await?;
    assert!(!revoke(&bench, &ended.id, bench.minutes(2)).await?, "it was revoked before");
    assert!(!revoke(&bench, &ApiKeyId::new(&bench.cx)?, bench.now()).await?, "there is no such key");
    assert_eq!(bench.on_record().await?, before);
    assert_eq!(bench.store.api_key_by_digest("aa").await?, Some(ended.clone()));
    assert_eq!(bench.store.api_keys().await?, [ended, other]);
    Ok(())
}

async fn one_name(bench: Bench) -> Outcome {
    let first = key(&bench, "name", "aa")?;
    assert!(put(&bench, &first).await?);
    let before = bench.on_record().await?;
    let elsewhere = ApiKeyRecord { tenant: None, ..key(&bench, "name", "bb")? };
    let at_the_end = ApiKeyRecord { created_at: bench.minutes(59), ..key(&bench, "name", "cc")? };
    for same in [elsewhere, at_the_end] {
        assert!(!put(&bench, &same).await?, "{same:?}");
        assert_eq!(bench.store.api_key_by_digest(&same.digest).await?, None);
    }
    assert_eq!(bench.on_record().await?, before);

    let (created_at, expires_at) = (bench.minutes(60), None);
    let after = ApiKeyRecord { created_at, expires_at, ..key(&bench, "name", "dd")? };
    assert!(put(&bench, &after).await?, "the first one has expired by then");
    let later = ApiKeyRecord { created_at: bench.minutes(500_000), ..key(&bench, "name", "ee")? };
    assert!(!put(&bench, &later).await?, "a key without an end never expires");
    assert!(revoke(&bench, &after.id, bench.minutes(61)).await?);
    assert!(put(&bench, &later).await?, "a revoked key leaves its name");
    Ok(())
}

async fn raced(bench: Bench) -> Outcome {
    let mut racers = JoinSet::new();
    for number in 0..8 {
        let (bench, key) = (bench.clone(), key(&bench, "raced", &number.to_string())?);
        racers.spawn(async move { put(&bench, &key).await });
    }
    let mut made = 0;
    for outcome in racers.join_all().await {
        made += usize::from(outcome?);
    }
    assert_eq!((made, bench.store.api_keys().await?.len()), (1, 1));
    Ok(())
}

async fn one_digest(bench: Bench) -> Outcome {
    let first = key(&bench, "first", "aa")?;
    assert!(put(&bench, &first).await?);
    for same in [key(&bench, "second", "aa")?, ApiKeyRecord { id: first.id.clone(), ..key(&bench, "third", "bb")? }] {
        let again = put(&bench, &same).await;
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    }
    assert_eq!(bench.store.api_keys().await?, [first]);
    Ok(())
}

async fn only_looked_at(bench: Bench) -> Outcome {
    let first = key(&bench, "first", "aa")?;
    assert!(put(&bench, &first).await?);
    bench.store.adopt(&"elsewhere".parse()?, &bench.audit("store_adopted")?).await?;
    let made = put(&bench, &key(&bench, "second", "bb")?).await;
    assert!(matches!(made, Err(StoreError::NotOurs { .. })), "{made:?}");
    let ended = revoke(&bench, &first.id, bench.now()).await;
    assert!(matches!(ended, Err(StoreError::NotOurs { .. })), "{ended:?}");
    assert_eq!(bench.store.api_keys().await?, std::slice::from_ref(&first), "everything can be seen");
    assert_eq!(bench.store.api_key_by_digest("aa").await?, Some(first));
    Ok(())
}
