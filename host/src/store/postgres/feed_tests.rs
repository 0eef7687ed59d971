//! That whoever reads the samples on and on gets all of them, whoever commits late.

use std::sync::Arc;
use std::time::Duration;

use connector_core::account::Account;
use connector_core::{Context, ScopeSet};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, timeout};

use super::PostgresStore;
use super::tests::{cx, fresh, open};
use crate::store::sql::{Row, append_to_feed, statement};
use crate::store::testing::Server;
use crate::store::{
    AuditId, AuditRecord, ConnectionId, Connections as _, GrantId, GrantRecord, Grants as _, NewConnection, Reading,
    Samples as _,
};

const LONG: Duration = Duration::from_secs(30);

async fn linked(cx: &Context, store: &PostgresStore, tenant: &str, account: &str) -> ConnectionId {
    let platform = "lantern".parse().unwrap();
    let grant = GrantRecord::new(GrantId::new(cx).unwrap(), tenant, platform, "default", "client-1", cx.now());
    store.put_grant(&grant, &AuditRecord::new(cx, tenant, "access_allowed").unwrap()).await.unwrap();
    let id = ConnectionId::new(cx).unwrap();
    let account = Account { id: account.to_owned(), profile: [].into_iter().collect() };
    let new = NewConnection { id_if_new: id.clone(), account, reference: None, audit: AuditId::new(cx).unwrap() };
    store.link_accounts(tenant, &grant.id, &ScopeSet::new(), vec![new], cx.now()).await.unwrap();
    id
}

fn reading(value: i64) -> Reading {
    let observed_at = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(value);
    let values = [("followers".parse().unwrap(), value)].into();
    Reading { observed_at, values, missing: [].into(), log_id: None }
}

/// Waits until somebody waits for a lock.
async fn until_blocked(server: &Server, name: &str) {
    let deadline = Instant::now() + LONG;
    let blocked =
        format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND wait_event_type = 'Lock'");
    while server.run(name, &blocked) == "0" {
        assert!(Instant::now() < deadline, "nobody waits for the transaction that is under way");
        tokio::task::yield_now().await;
    }
}

async fn values(store: &PostgresStore, tenant: &str) -> Vec<i64> {
    let page = store.samples_after(tenant, None, 100).await.unwrap();
    page.samples.into_iter().map(|sample| sample.value).collect()
}

/// Another node has stored a sample and is slow to commit. Nobody of the tenant overtakes it, so no cursor passes it by.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sample_that_is_committed_late_is_behind_every_cursor() {
    let Some((server, name, url)) = fresh() else { return };
    let (cx, slow, quick) = (cx(), open(&url).await, Arc::new(open(&url).await));
    let late = linked(&cx, &slow, "default", "acct-1").await;
    let early = linked(&cx, &slow, "default", "acct-2").await;
    let theirs = linked(&cx, &slow, "other", "acct-1").await;
    quick.append_samples(&early, &reading(1)).await.unwrap();

    let mut transaction = slow.write().await.unwrap();
    let number = statement("SELECT number FROM connections WHERE id = $1").bind(late.to_string());
    let Some(Row::Postgres(row)) = transaction.fetch(number).await.unwrap() else { panic!("no row of this database") };
    let number: i64 = sqlx::Row::get(&row, "number");
    append_to_feed(&mut transaction, number, "default".to_owned(), &reading(2)).await.unwrap();

    let (store, id) = (Arc::clone(&quick), early.clone());
    let waiting = tokio::spawn(async move { store.append_samples(&id, &reading(3)).await });
    until_blocked(server, &name).await;
    timeout(LONG, quick.append_samples(&theirs, &reading(7))).await.unwrap().unwrap();
    assert_eq!(values(&quick, "other").await, [7], "another tenant waits for nobody");

    let first = quick.samples_after("default", None, 100).await.unwrap();
    assert_eq!(first.samples.iter().map(|sample| sample.value).collect::<Vec<_>>(), [1]);
    transaction.commit().await.unwrap();
    timeout(LONG, waiting).await.unwrap().unwrap().unwrap();
    let next = quick.samples_after("default", Some(first.next), 100).await.unwrap();
    assert_eq!(next.samples.iter().map(|sample| sample.value).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(values(&quick, "default").await, [1, 2, 3]);
}

/// One that gives up leaves no gap that anybody waits for.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sample_that_is_never_committed_holds_up_nobody() {
    let Some((_, _, url)) = fresh() else { return };
    let (cx, store) = (cx(), open(&url).await);
    let id = linked(&cx, &store, "default", "acct-1").await;
    let mut transaction = store.write().await.unwrap();
    let taken = append_to_feed(&mut transaction, 1, "default".to_owned(), &reading(1)).await;
    taken.unwrap();
    drop(transaction);
    timeout(LONG, store.append_samples(&id, &reading(2))).await.unwrap().unwrap();
    assert_eq!(values(&store, "default").await, [2]);
}
