//! The samples of a tenant in the order in which they were stored.

use std::sync::Arc;

use connector_core::metrics::MetricName;
use tokio::task::JoinSet;

use super::bench::{Bench, TENANT};
use super::pages::{Dice, SIZES};
use super::{Check, Outcome};
use crate::store::{ConnectionId, ConnectionRecord, GrantRecord, Purge, Reading, SampleCursor, StoredSample};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "samples come in the order they were stored in", run: |bench| Box::pin(in_order(bench)) },
    Check { name: "a sample has its connection with it", run: |bench| Box::pin(with_connection(bench)) },
    Check { name: "no sample is skipped, whoever stores some meanwhile", run: |bench| Box::pin(while_stored(bench)) },
    Check { name: "a cursor stays good when samples are purged", run: |bench| Box::pin(purged(bench)) },
    Check { name: "the history of a metric comes by the page", run: |bench| Box::pin(history(bench)) },
];

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
type Told = (ConnectionId, MetricName, i64);

fn told(sample: &StoredSample) -> Told {
    (sample.connection.clone(), sample.metric.clone(), sample.value)
}

fn reading(bench: &Bench, minutes: i64, metrics: &[&str], value: i64) -> Result<Reading> {
    let values = metrics.iter().map(|metric| Ok((metric.parse()?, value))).collect::<Result<_>>()?;
    Ok(Reading { observed_at: bench.minutes(minutes), values, missing: [].into(), log_id: None })
}

/// What follows on a cursor, so much at a time, and the last cursor.
async fn rest(bench: &Bench, mut cursor: Option<SampleCursor>, size: u32) -> Result<(Vec<Told>, SampleCursor)> {
    let mut all = Vec::new();
    loop {
        let page = bench.store.samples_after(TENANT, cursor, size).await?;
        assert!(page.samples.len() <= size as usize, "{page:?}");
        assert!(page.samples.is_sorted_by(|one, next| one.position < next.position), "{page:?}");
        let next: SampleCursor = page.next.to_string().parse()?;
        if page.samples.is_empty() {
            assert_eq!(Some(next), cursor.or(Some(next)), "an empty page moves nothing");
            return Ok((all, next));
        }
        assert!(Some(next) > cursor && page.samples.last().is_some_and(|last| last.position == next));
        all.extend(page.samples.iter().map(told));
        cursor = Some(next);
    }
}

async fn others(bench: &Bench) -> Result<ConnectionRecord> {
    let grant = GrantRecord { tenant: "other".to_owned(), ..bench.grant()? };
    bench.put_grant(&grant).await?;
    Ok(bench.link(&grant, vec![bench.account("theirs")?], bench.now()).await?.linked.remove(0).connection)
}

async fn in_order(bench: Bench) -> Outcome {
    let (mut dice, mut expected) = (Dice(3), Vec::new());
    let ((_, connections), theirs) = (bench.linked(&["acct-1", "acct-2"]).await?, others(&bench).await?);
    let (nothing, start) = rest(&bench, None, 1).await?;
    assert_eq!(nothing, []);
    for value in 0..30 {
        let id = dice.one_of(&[&connections[0].id, &connections[1].id, &theirs.id]);
        let metrics = dice.one_of(&[&["followers"][..], &["followers", "posts"], &["posts", "views"], &[]]);
        // Now and then a time comes again, and what is stored for it stays as it is.
        let taken = reading(&bench, dice.one_of(&[5, 9, 1, 7, 3, value + 10]), metrics, value)?;
        bench.store.append_samples(id, &taken).await?;
        if *id != theirs.id {
            expected.extend(taken.values.into_keys().map(|metric| (id.clone(), metric, taken.observed_at, value)));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    expected.retain(|(id, metric, at, _)| seen.insert((id.clone(), metric.clone(), *at)));
    let expected: Vec<_> = expected.into_iter().map(|(id, metric, _, value)| (id, metric, value)).collect();
    for size in SIZES {
        assert_eq!(rest(&bench, None, size).await?.0, expected, "{size} a page");
        assert_eq!(rest(&bench, Some(start), size).await?.0, expected, "{size} a page, from the front");
    }
    assert_eq!(bench.store.samples_after("nobody", None, 9).await?.samples, []);
    Ok(())
}

async fn with_connection(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    let mut account = bench.account("acct-1")?;
    account.reference = Some("person-1".to_owned());
    let connection = bench.link(&grant, vec![account], bench.now()).await?.linked.remove(0).connection;
    bench.store.append_samples(&connection.id, &reading(&bench, 3, &["followers"], -7)?).await?;
    let page = bench.store.samples_after(TENANT, None, 9).await?;
    let expected = StoredSample {
        position: page.next,
        connection: connection.id,
        platform: connection.platform,
        app: connection.app,
        reference: Some("person-1".to_owned()),
        metric: "followers".parse()?,
        observed_at: bench.minutes(3),
        value: -7,
    };
    assert_eq!(page.samples, [expected]);
    Ok(())
}

/// One reads while several store. What he has at the end is what he gets who begins anew, in the same order.
async fn while_stored(bench: Bench) -> Outcome {
    let (_, connections) = bench.linked(&["acct-1", "acct-2", "acct-3", "acct-4"]).await?;
    let mut writers = JoinSet::new();
    for connection in connections {
        let (store, bench) = (Arc::clone(&bench.store), bench.clone());
        writers.spawn(async move {
            for minutes in 0..12 {
                let taken = reading(&bench, minutes, &["followers", "posts", "views"], minutes)?;
                store.append_samples(&connection.id, &taken).await?;
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        });
    }
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let over = writers.is_empty();
        let (some, next) = rest(&bench, cursor, 5).await?;
        all.extend(some);
        cursor = Some(next);
        if over {
            break;
        }
        while let Some(writer) = writers.try_join_next() {
            writer??;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(all.len(), 4 * 12 * 3);
    assert_eq!(all, rest(&bench, None, 100).await?.0);
    Ok(())
}

async fn purged(bench: Bench) -> Outcome {
    let (_, gone) = bench.linked_one().await?;
    bench.store.append_samples(&gone.id, &reading(&bench, 1, &["followers", "posts"], 1)?).await?;
    let (_, cursor) = rest(&bench, None, 9).await?;
    bench.disconnect(TENANT, &gone.id, bench.now(), vec![]).await?;
    let (tenant, connection, audit) = (TENANT.to_owned(), gone.id, bench.audit("purged")?);
    bench.store.purge_connection(&Purge { tenant, connection, leave_access: true, audit }).await?;
    assert_eq!(rest(&bench, None, 9).await?.0, []);
    let (_, again) = bench.linked_one().await?;
    bench.store.append_samples(&again.id, &reading(&bench, 1, &["followers"], 2)?).await?;
    let expected = vec![(again.id, "followers".parse()?, 2)];
    assert_eq!(rest(&bench, Some(cursor), 9).await?.0, expected, "its place is not that of one that was read");
    Ok(())
}

async fn history(bench: Bench) -> Outcome {
    let (_, connection) = bench.linked_one().await?;
    for minutes in 0..9 {
        bench.store.append_samples(&connection.id, &reading(&bench, minutes, &["followers"], minutes)?).await?;
    }
    let followers = "followers".parse()?;
    for (size, (first, last)) in SIZES.into_iter().flat_map(|size| [(0, 8), (2, 6)].map(|span| (size, span))) {
        let (mut all, mut from) = (Vec::new(), Some(bench.minutes(first)));
        while let Some(begin) = from {
            let page = bench.store.history(&connection.id, &followers, begin, bench.minutes(last), size).await?;
            assert!(!page.items.is_empty() && page.items.len() <= size as usize, "{page:?}");
            all.extend(page.items.into_iter().map(|sample| sample.value));
            from = page.next;
        }
        assert_eq!(all, (first..=last).collect::<Vec<_>>(), "{size} a page");
    }
    Ok(())
}
