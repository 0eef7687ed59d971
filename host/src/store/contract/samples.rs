//! Samples.

use std::collections::BTreeMap;

use connector_core::metrics::MetricName;

use super::bench::Bench;
use super::{Check, Outcome};
use crate::store::{ConnectionId, Reading, Sample, StoreError};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "a reading comes back with what was missing", run: |bench| Box::pin(comes_back(bench)) },
    Check { name: "the history of a metric is kept in order", run: |bench| Box::pin(history(bench)) },
    Check { name: "a trend has the last value of each span, for each connection", run: |bench| Box::pin(trend(bench)) },
    Check { name: "a reading that comes late is no latest reading", run: |bench| Box::pin(comes_late(bench)) },
    Check { name: "a value missing now has its last value still", run: |bench| Box::pin(last_values(bench)) },
    Check { name: "what was counted of several connections is of each", run: |bench| Box::pin(of_several(bench)) },
    Check { name: "a sample is never changed", run: |bench| Box::pin(first_stays(bench)) },
    Check { name: "samples of no connection are refused", run: |bench| Box::pin(unknown(bench)) },
];

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn name(text: &str) -> Result<MetricName> {
    Ok(text.parse()?)
}

fn reading(bench: &Bench, minutes: i64, values: &[(&str, i64)]) -> Result<Reading> {
    let values =
        values.iter().map(|(metric, value)| Ok((name(metric)?, *value))).collect::<Result<BTreeMap<_, _>>>()?;
    Ok(Reading { observed_at: bench.minutes(minutes), values, missing: BTreeMap::new(), log_id: None })
}

async fn comes_back(bench: Bench) -> Outcome {
    let (_, connection) = bench.linked_one().await?;
    assert_eq!(bench.store.latest_reading(&connection.id).await?, None);
    let values = [("followers", 0), ("following", -1), ("views", i64::MAX), ("custom.lantern.stars", i64::MIN)];
    let mut full = reading(&bench, 0, &values)?;
    full.missing.insert(name("posts")?, "not_granted(\"list\")".to_owned());
    full.log_id = Some("2026".to_owned());
    bench.store.append_samples(&connection.id, &full).await?;
    assert_eq!(bench.store.latest_reading(&connection.id).await?, Some(full));
    let nothing = reading(&bench, 1, &[])?;
    bench.store.append_samples(&connection.id, &nothing).await?;
    assert_eq!(bench.store.latest_reading(&connection.id).await?, Some(nothing));
    Ok(())
}

async fn history(bench: Bench) -> Outcome {
    let (_, connections) = bench.linked(&["acct-1", "acct-2"]).await?;
    let [mine, other] = connections.as_slice() else { return Err("two accounts should be linked".into()) };
    for (minutes, value) in [(3, 30), (1, 10), (2, 20)] {
        let taken = reading(&bench, minutes, &[("followers", value), ("posts", 1)])?;
        bench.store.append_samples(&mine.id, &taken).await?;
    }
    bench.store.append_samples(&other.id, &reading(&bench, 2, &[("followers", 99)])?).await?;
    let followers = name("followers")?;
    let mut cases = vec![(0, 9, vec![10, 20, 30]), (2, 3, vec![20, 30]), (1, 1, vec![10])];
    cases.extend([(4, 9, vec![]), (3, 1, vec![])]);
    for (from, to, expected) in cases {
        let (from, to) = (bench.minutes(from), bench.minutes(to));
        let found = bench.store.history(&mine.id, &followers, from, to, 100).await?.items;
        assert_eq!(found.iter().map(|sample| sample.value).collect::<Vec<_>>(), expected);
        assert!(found.is_sorted_by_key(|sample| sample.observed_at));
    }
    Ok(())
}

async fn trend(bench: Bench) -> Outcome {
    let (_, connections) = bench.linked(&["acct-1", "acct-2"]).await?;
    let [mine, other] = connections.as_slice() else { return Err("two accounts should be linked".into()) };
    for minutes in [0, 1, 2, 3, 4, 9, 10, 11] {
        let taken = reading(&bench, minutes, &[("followers", minutes), ("posts", 100)])?;
        bench.store.append_samples(&mine.id, &taken).await?;
        bench.store.append_samples(&other.id, &reading(&bench, minutes, &[("followers", 99)])?).await?;
    }
    let followers = name("followers")?;
    for (from, to, spans, expected) in [
        (0, 10, 5, vec![2, 4, 10]),
        (0, 10, 1, vec![10]),
        (0, 10, 10, vec![1, 2, 3, 4, 9, 10]),
        (4, 8, 2, vec![]),
        (10, 4, 3, vec![]),
        (0, 10, 0, vec![10]),
        (0, 10, 3, vec![3, 4, 10]),
        (0, 10, 7, vec![1, 2, 4, 10]),
    ] {
        let (ids, minutes) = ([other.id.clone(), mine.id.clone()], (bench.minutes(from), bench.minutes(to)));
        let all = bench.store.trends(&ids, &followers, minutes.0, minutes.1, spans).await?;
        let of = |id| all.get(id).map_or(&[][..], Vec::as_slice);
        let (found, others) = (of(&mine.id), of(&other.id));
        let values: Vec<i64> = found.iter().map(|sample| sample.value).collect();
        assert_eq!(values, expected, "{from} to {to} in {spans}");
        assert!(found.is_sorted_by_key(|sample| sample.observed_at));
        assert!(others.len() == found.len() && others.iter().all(|sample| sample.value == 99), "{others:?}");
        assert_eq!(all.len(), if expected.is_empty() { 0 } else { 2 }, "who has none is not there");
    }
    assert!(bench.store.trends(&[], &followers, bench.minutes(0), bench.minutes(10), 5).await?.is_empty());
    Ok(())
}

async fn comes_late(bench: Bench) -> Outcome {
    let (_, connection) = bench.linked_one().await?;
    let (newer, older) = (reading(&bench, 2, &[("followers", 2)])?, reading(&bench, 1, &[("followers", 1)])?);
    bench.store.append_samples(&connection.id, &newer).await?;
    bench.store.append_samples(&connection.id, &older).await?;
    assert_eq!(bench.store.latest_reading(&connection.id).await?, Some(newer));
    let (from, to) = (bench.minutes(0), bench.minutes(9));
    assert_eq!(bench.store.history(&connection.id, &name("followers")?, from, to, 100).await?.items.len(), 2);
    Ok(())
}

async fn last_values(bench: Bench) -> Outcome {
    let (_, connection) = bench.linked_one().await?;
    assert_eq!(bench.store.last_values(&connection.id).await?, BTreeMap::new());
    let both = reading(&bench, 1, &[("followers", 1), ("posts", 5)])?;
    let one = reading(&bench, 2, &[("followers", 2), ("custom.lantern.stars", 3)])?;
    for reading in [&one, &both] {
        bench.store.append_samples(&connection.id, reading).await?;
    }
    let sample = |minutes, value| Sample { observed_at: bench.minutes(minutes), value };
    let expected = BTreeMap::from([
        (name("followers")?, sample(2, 2)),
        (name("posts")?, sample(1, 5)),
        (name("custom.lantern.stars")?, sample(2, 3)),
    ]);
    assert_eq!(bench.store.last_values(&connection.id).await?, expected);
    Ok(())
}

async fn of_several(bench: Bench) -> Outcome {
    let (_, connections) = bench.linked(&["acct-1", "acct-2", "acct-3", "acct-4"]).await?;
    let [one, two, silent, unasked] = connections.as_slice() else {
        return Err("four accounts should be linked".into());
    };
    let readings = [(one, 1, 10), (two, 2, 20), (unasked, 3, 30)];
    for (connection, minutes, value) in readings {
        let taken = reading(&bench, minutes, &[("followers", value), ("posts", value + 1)])?;
        bench.store.append_samples(&connection.id, &taken).await?;
    }
    let ids = [two.id.clone(), silent.id.clone(), one.id.clone(), ConnectionId::new(&bench.cx)?];
    let (latest, values) = (bench.store.latest_readings(&ids).await?, bench.store.all_last_values(&ids).await?);
    assert!(latest.keys().eq(values.keys()), "{latest:?} {values:?}");
    for (connection, minutes, value) in [(one, 1, 10), (two, 2, 20)] {
        let sample = |value| Sample { observed_at: bench.minutes(minutes), value };
        assert_eq!(latest.get(&connection.id).map(|reading| reading.observed_at), Some(bench.minutes(minutes)));
        let expected = BTreeMap::from([(name("followers")?, sample(value)), (name("posts")?, sample(value + 1))]);
        assert_eq!(values.get(&connection.id), Some(&expected));
    }
    assert_eq!(values.len(), 2, "who was not asked about, and who has none, is not there");
    assert!(bench.store.latest_readings(&[]).await?.is_empty() && bench.store.all_last_values(&[]).await?.is_empty());
    Ok(())
}

async fn first_stays(bench: Bench) -> Outcome {
    let (_, connection) = bench.linked_one().await?;
    for value in [1, 2] {
        bench.store.append_samples(&connection.id, &reading(&bench, 1, &[("followers", value)])?).await?;
    }
    let (from, to) = (bench.minutes(0), bench.minutes(9));
    let found = bench.store.history(&connection.id, &name("followers")?, from, to, 100).await?.items;
    assert_eq!(found, [Sample { observed_at: bench.minutes(1), value: 1 }]);
    Ok(())
}

async fn unknown(bench: Bench) -> Outcome {
    let unknown = ConnectionId::new(&bench.cx)?;
    let refused = bench.store.append_samples(&unknown, &reading(&bench, 1, &[("followers", 1)])?).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    Ok(())
}
