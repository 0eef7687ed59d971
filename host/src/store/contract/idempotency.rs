//! Requests under keys.

use tokio::task::JoinSet;

use super::bench::{Bench, sealed};
use super::{Check, Outcome};
use crate::store::KeyedRequest;

pub(super) const CHECKS: &[Check] = &[
    Check { name: "a request is begun once under a key", run: |bench| Box::pin(begun_once(bench)) },
    Check { name: "of many requests under one key one is begun", run: |bench| Box::pin(raced(bench)) },
    Check { name: "an answered request comes back with its answer", run: |bench| Box::pin(answered(bench)) },
    Check { name: "a request without an answer makes room after its lease", run: |bench| Box::pin(left(bench)) },
    Check { name: "a forgotten request is begun anew", run: |bench| Box::pin(forgotten(bench)) },
    Check { name: "requests are pruned when they have expired", run: |bench| Box::pin(pruned(bench)) },
];

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

async fn begin(bench: &Bench, request: &KeyedRequest, minutes: i64) -> Result<Option<KeyedRequest>> {
    Ok(bench.store.begin_request(request, bench.minutes(minutes)).await?)
}

async fn begun_once(bench: Bench) -> Outcome {
    let first = bench.request("aa")?;
    assert_eq!(begin(&bench, &first, 0).await?, None);
    let other = KeyedRequest { request_digest: "ef".repeat(32), ..bench.request("aa")? };
    assert_eq!(begin(&bench, &other, 4).await?, Some(first.clone()), "it is under way, whatever the other asks for");
    assert_eq!(begin(&bench, &bench.request("bb")?, 0).await?, None, "another key");
    let elsewhere = KeyedRequest { tenant: "other".to_owned(), ..bench.request("aa")? };
    assert_eq!(begin(&bench, &elsewhere, 0).await?, None, "another tenant");
    assert_eq!(begin(&bench, &other, 0).await?, Some(first));
    Ok(())
}

async fn raced(bench: Bench) -> Outcome {
    // What made room for them counts no more.
    assert_eq!(begin(&bench, &bench.request("raced")?, 0).await?, None);
    let mut racers = JoinSet::new();
    for _ in 0..50 {
        let (bench, request) = (bench.clone(), bench.request("raced")?);
        let request = KeyedRequest { leased_until: bench.minutes(20), ..request };
        racers.spawn(async move {
            Ok::<_, String>((begin(&bench, &request, 6).await.map_err(|e| e.to_string())?, request))
        });
    }
    let mut begun = Vec::new();
    let mut found = Vec::new();
    while let Some(racer) = racers.join_next().await {
        match racer?? {
            (None, request) => begun.push(request),
            (Some(known), _) => found.push(known),
        }
    }
    assert_eq!(begun.len(), 1);
    assert!(found.iter().all(|known| *known == begun[0]), "all others find the one");
    Ok(())
}

async fn answered(bench: Bench) -> Outcome {
    let first = bench.request("aa")?;
    assert_eq!(begin(&bench, &first, 0).await?, None);
    let answer = sealed("answer");
    assert!(bench.store.answer_request(&first.id, &answer).await?);
    assert!(!bench.store.answer_request(&first.id, &sealed("another")).await?, "it has one");
    bench.store.forget_request(&first.id).await?;
    let kept = KeyedRequest { answer: Some(answer), ..first };
    assert_eq!(begin(&bench, &bench.request("aa")?, 59).await?, Some(kept), "longer than its lease");
    assert_eq!(begin(&bench, &bench.request("aa")?, 60).await?, None, "it has expired");
    Ok(())
}

async fn left(bench: Bench) -> Outcome {
    let first = bench.request("aa")?;
    assert_eq!(begin(&bench, &first, 0).await?, None);
    let second = KeyedRequest { leased_until: bench.minutes(10), ..bench.request("aa")? };
    assert_eq!(begin(&bench, &second, 5).await?, None);
    assert!(!bench.store.answer_request(&first.id, &sealed("late")).await?, "another has taken its place");
    bench.store.forget_request(&first.id).await?;
    assert_eq!(begin(&bench, &bench.request("aa")?, 6).await?, Some(second), "who comes late changes nothing");
    Ok(())
}

async fn forgotten(bench: Bench) -> Outcome {
    let first = bench.request("aa")?;
    assert_eq!(begin(&bench, &first, 0).await?, None);
    bench.store.forget_request(&first.id).await?;
    assert!(!bench.store.answer_request(&first.id, &sealed("late")).await?);
    assert_eq!(begin(&bench, &bench.request("aa")?, 0).await?, None);
    Ok(())
}

async fn pruned(bench: Bench) -> Outcome {
    for (key, minutes) in [("past", -1), ("now", 0), ("later", 1)] {
        let request = KeyedRequest { expires_at: bench.minutes(minutes), ..bench.request(key)? };
        assert_eq!(begin(&bench, &request, -2).await?, None);
    }
    assert_eq!(bench.store.prune_requests(bench.now()).await?, 2);
    assert_eq!(bench.store.prune_requests(bench.now()).await?, 0);
    assert!(begin(&bench, &bench.request("later")?, 0).await?.is_some());
    Ok(())
}
