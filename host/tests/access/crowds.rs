//! Many at once.

use std::sync::Arc;

use connector_core::testing::size;
use connector_host::store::{AuditFilter, GrantState};
use connector_host::testing::TENANT;
use jiff::SignedDuration;
use serde_json::json;
use tokio::task::{JoinSet, yield_now};

use crate::support::{Answer, Bench, kind, oauth_error, tokens};

/// Tokens that say nobody's name.
fn anybodys_tokens() -> Answer {
    Answer::Json(200, json!({ "access_token": "access-2", "refresh_token": "refresh-2", "expires_in": 7200 }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_callers_of_one_grant_cause_one_request() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [tokens(2), oauth_error("invalid_grant")]);
    bench.server.shut();
    let grant = bench.connected().await.connection.grant_id;
    let mut callers = JoinSet::new();
    for _ in 0..10_000 {
        let (host, grant) = (bench.host.clone(), grant.clone());
        // A caller whose patience ends on a slow machine asks again, as a person would.
        callers.spawn(async move {
            loop {
                match host.session(TENANT, &grant).await {
                    Err(error) if kind(&error) == "unavailable" => {}
                    session => return session.map(|session| session.grant.tokens.access),
                }
            }
        });
    }
    while bench.server.token_requests() == 0 {
        yield_now().await;
    }
    bench.server.open();
    while let Some(token) = callers.join_next().await {
        assert!(token.unwrap().unwrap().matches("access-2"));
    }
    assert_eq!(bench.server.token_requests(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_grants_with_ten_callers_each_cause_a_thousand_requests() {
    let bench = Bench::expired().await;
    let grants = bench.grants(1_000).await;
    bench.server.set("/token", [anybodys_tokens()]);
    let mut callers = JoinSet::new();
    for grant in grants.iter().flat_map(|grant| std::iter::repeat_n(grant, 10)) {
        let (host, grant) = (bench.host.clone(), grant.clone());
        // A caller whose patience ends before its turn has come asks again, as a person would.
        callers.spawn(async move { while host.session(TENANT, &grant).await.is_err() {} });
    }
    while let Some(called) = callers.join_next().await {
        called.unwrap();
    }
    assert_eq!(bench.server.token_requests(), 1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_that_are_refused_cause_one_refresh() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [tokens(2), tokens(3), oauth_error("invalid_grant")]);
    assert_eq!(bench.session().await.unwrap(), "access-2");
    bench.server.kill("access-2");
    let connected = Arc::new(bench.connected().await);
    let mut callers = JoinSet::new();
    for _ in 0..1_000 {
        let (host, connected) = (bench.host.clone(), Arc::clone(&connected));
        callers.spawn(async move { host.metrics(&connected, SignedDuration::ZERO).await.map(|metrics| metrics.error) });
    }
    while let Some(called) = callers.join_next().await {
        assert!(matches!(called.unwrap(), Ok(None)));
    }
    assert_eq!(bench.server.token_requests(), 2, "one because it had expired, one because it was refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_thousand_callers_who_went_away_asked_for_is_stored() {
    let bench = Bench::expired().await;
    let grants = bench.grants(1_000).await;
    bench.server.set("/token", [anybodys_tokens()]);
    bench.server.shut();
    let callers: Vec<_> = grants
        .iter()
        .map(|grant| {
            let (host, grant) = (bench.host.clone(), grant.clone());
            tokio::spawn(async move { host.session(TENANT, &grant).await.map(drop) })
        })
        .collect();
    while bench.server.token_requests() < 1_000 {
        yield_now().await;
    }
    callers.iter().for_each(tokio::task::JoinHandle::abort);
    bench.server.open();
    bench.host.drain().await;
    for grant in &grants {
        let stored = bench.host.store().grant(TENANT, grant).await.unwrap().unwrap();
        assert_eq!((stored.generation, stored.refresh_mark), (2, None));
    }
    assert_eq!(bench.server.token_requests(), 1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_secret_changes_no_connection_of_a_thousand() {
    let bench = Bench::expired().await;
    let grants = bench.grants(1_000).await;
    bench.server.set("/token", [oauth_error("invalid_client")]);
    for grant in &grants {
        bench.host.session(TENANT, grant).await.unwrap_err();
    }
    assert_eq!(bench.server.token_requests(), 1, "the first one says it for all");
    for grant in &grants {
        let stored = bench.host.store().grant(TENANT, grant).await.unwrap().unwrap();
        assert_eq!((stored.state, stored.refresh_mark), (GrantState::Active, None));
    }
    let told = AuditFilter { event: Some("app_refused".to_owned()), ..AuditFilter::default() };
    assert_eq!(bench.host.store().audit(TENANT, &told).await.unwrap().len(), 1);
}

/// Two processes, one token: whichever order they come in, a rejection never undoes what the other one stored.
///
/// `RACES=1000` for more rounds.
#[tokio::test]
async fn a_rejection_never_beats_a_success() {
    for round in 0..size("RACES", 50) {
        let bench = Arc::new(Bench::expired().await);
        let other = bench.another_server([oauth_error("invalid_grant")]).await;
        bench.server.set("/token", [tokens(2)]);
        let grant = bench.connected().await.connection.grant_id;
        bench.server.shut();
        let first = tokio::spawn({
            let bench = Arc::clone(&bench);
            async move { bench.session().await }
        });
        while bench.server.token_requests() == 0 {
            yield_now().await;
        }
        bench.clock.advance(SignedDuration::from_mins(3));
        let second = tokio::spawn(async move { other.session(TENANT, &grant).await.map(drop) });
        for _ in 0..round % 50 {
            yield_now().await;
        }
        bench.server.open();
        assert_eq!(first.await.unwrap().unwrap(), "access-2");
        let _ = second.await.unwrap();
        let grant = bench.connected().await.grant;
        assert_eq!((grant.state, grant.generation), (GrantState::Active, 2), "in round {round}");
    }
}
