//! Who asks for a token gets one, and what each answer means for the connection.

use std::sync::Arc;
use std::time::Duration;

use connector_core::ErrorKind;
use connector_core::http::Reach;
use connector_core::metrics::Missing;
use connector_host::store::{ConnectionState, GrantState};
use connector_host::testing::TENANT;
use connector_host::{Revocation, Shown};
use jiff::SignedDuration;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Answer, Bench, Log, dead, first_error, kind, me, oauth_error, tokens};

#[tokio::test]
async fn any_number_of_callers_cause_one_refresh() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [tokens(2)]);
    bench.server.shut();
    let grant = bench.connected().await.connection.grant_id;
    let mut callers = JoinSet::new();
    for _ in 0..1_000 {
        let (host, grant) = (bench.host.clone(), grant.clone());
        callers.spawn(async move { host.session(TENANT, &grant).await.map(|session| session.grant.tokens.access) });
    }
    while bench.server.token_requests() == 0 {
        tokio::task::yield_now().await;
    }
    bench.server.open();
    while let Some(token) = callers.join_next().await {
        assert!(token.unwrap().unwrap().matches("access-2"));
    }
    assert_eq!(bench.server.token_requests(), 1);
    assert_eq!(bench.connected().await.grant.generation, 2);
}

#[tokio::test]
async fn a_refresh_whose_caller_went_away_is_stored() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [tokens(2)]);
    bench.server.shut();
    let (host, grant) = (bench.host.clone(), bench.connected().await.connection.grant_id);
    let caller = tokio::spawn(async move { host.session(TENANT, &grant).await.map(drop) });
    while bench.server.token_requests() == 0 {
        tokio::task::yield_now().await;
    }
    caller.abort();
    bench.server.open();
    bench.host.drain().await;
    assert_eq!(bench.connected().await.grant.generation, 2);
    assert_eq!(bench.session().await.unwrap(), "access-2");
    assert_eq!(bench.server.token_requests(), 1);
}

#[tokio::test]
async fn two_hosts_on_one_file_cause_one_refresh() {
    let bench = Bench::expired().await;
    let other = bench.another().await;
    bench.server.set("/token", [tokens(2), tokens(3)]);
    let grant = bench.connected().await.connection.grant_id;
    let (first, second) = tokio::join!(bench.host.session(TENANT, &grant), other.session(TENANT, &grant));
    for session in [first, second] {
        assert!(session.unwrap().grant.tokens.access.matches("access-2"));
    }
    assert_eq!(bench.server.token_requests(), 1);
}

#[tokio::test]
async fn a_fresh_token_asks_nobody() {
    let bench = Bench::new().await;
    bench.server.set("/token", [tokens(1)]);
    bench.server.set("/me", [me(7)]);
    bench.connect().await;
    assert_eq!(bench.session().await.unwrap(), "access-1");
    assert_eq!(bench.server.token_requests(), 1, "the exchange alone");
    let _others_write = bench.installation.file().lock(Duration::ZERO).unwrap();
    assert_eq!(bench.session().await.unwrap(), "access-1", "no lock, no write");
}

#[tokio::test]
async fn a_rejected_refresh_token_needs_its_person_and_nothing_else_does() {
    for (answer, expected, state) in [
        (oauth_error("invalid_grant"), "reauth_required", Some("refresh_token_rejected")),
        (oauth_error("invalid_client"), "config", None),
        (oauth_error("unauthorized_client"), "config", None),
        (oauth_error("invalid_request"), "rejected", None),
        (oauth_error("server_error"), "unavailable", None),
        (Answer::Json(429, json!({})), "rate_limited", None),
        (Answer::Json(502, json!({})), "unavailable", None),
        (Answer::Broken(Reach::NotSent), "unavailable", None),
        (Answer::Broken(Reach::MaybeSent), "unavailable", None),
    ] {
        let bench = Bench::expired().await;
        bench.server.set("/token", [answer]);
        let error = bench.session().await.unwrap_err();
        assert_eq!(kind(&error), expected, "{error}");
        match (state, bench.state().await) {
            (Some(expected), GrantState::ReauthRequired { reason }) => assert_eq!(reason, expected),
            (None, GrantState::Active) => {}
            (_, state) => panic!("{error}: {state:?}"),
        }
    }
}

#[tokio::test]
async fn a_blip_is_forgotten_by_the_next_refresh() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [Answer::Broken(Reach::MaybeSent), oauth_error("invalid_client"), tokens(2)]);
    assert_eq!(kind(&bench.session().await.unwrap_err()), "unavailable");
    assert!(bench.connected().await.grant.refresh_mark.is_some(), "the token may be spent, and that is on record");
    bench.clock.advance(SignedDuration::from_mins(3));
    assert_eq!(kind(&bench.session().await.unwrap_err()), "config");
    bench.clock.advance(SignedDuration::from_mins(3));
    assert_eq!(bench.session().await.unwrap(), "access-2");
    let grant = bench.connected().await.grant;
    assert!(grant.refresh_mark.is_none() && grant.last_error.is_none());
}

#[tokio::test]
async fn a_rejection_after_an_unanswered_refresh_says_that_its_answer_was_lost() {
    let bench = Bench::expired().await;
    let rejected = oauth_error("invalid_grant");
    // What was not processed in between takes nothing of the doubt away.
    bench.server.set("/token", [Answer::Broken(Reach::MaybeSent), Answer::Json(429, json!({})), rejected]);
    for _ in 0..3 {
        assert_eq!(bench.state().await, GrantState::Active);
        bench.session().await.unwrap_err();
        bench.clock.advance(SignedDuration::from_mins(3));
    }
    assert_eq!(bench.state().await, GrantState::ReauthRequired { reason: "refresh_result_lost".to_owned() });
}

#[tokio::test]
async fn a_token_that_may_be_under_way_is_not_sent_again_at_once() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [Answer::Broken(Reach::MaybeSent), tokens(2)]);
    for _ in 0..3 {
        assert_eq!(kind(&bench.session().await.unwrap_err()), "unavailable");
    }
    assert_eq!(bench.server.token_requests(), 1);
    bench.clock.advance(SignedDuration::from_mins(2));
    assert_eq!(bench.session().await.unwrap(), "access-2");
}

#[tokio::test]
async fn a_store_that_fails_after_the_answer_is_tried_until_it_works() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [tokens(2)]);
    bench.by_others("CREATE TRIGGER full BEFORE UPDATE OF generation ON grants BEGIN SELECT RAISE(ABORT, 'full'); END");
    let (log, mut lines) = Log::new();
    let _log = tracing::subscriber::set_default(log);
    let (host, grant) = (bench.host.clone(), bench.connected().await.connection.grant_id);
    let mut caller = tokio::spawn(async move { host.session(TENANT, &grant).await.map(drop) });
    first_error(&mut lines, &mut caller).await;
    assert_eq!(bench.connected().await.grant.generation, 1);
    assert_eq!(bench.host.unsaved(), 1);
    bench.by_others("DROP TRIGGER full");
    caller.await.unwrap().unwrap();
    assert_eq!(bench.host.unsaved(), 0);
    assert_eq!(bench.session().await.unwrap(), "access-2");
    assert_eq!(bench.server.token_requests(), 1);
}

#[tokio::test]
async fn a_store_that_fails_after_the_exchange_loses_nobody() {
    let bench = Arc::new(Bench::new().await);
    bench.server.set("/token", [tokens(1)]);
    bench.server.set("/me", [me(7)]);
    bench.by_others("CREATE TRIGGER full BEFORE INSERT ON grants BEGIN SELECT RAISE(ABORT, 'full'); END");
    let (log, mut lines) = Log::new();
    let _log = tracing::subscriber::set_default(log);
    let mut connecting = tokio::spawn({
        let bench = Arc::clone(&bench);
        async move { bench.connect().await }
    });
    first_error(&mut lines, &mut connecting).await;
    bench.by_others("DROP TRIGGER full");
    connecting.await.unwrap();
    assert_eq!(bench.session().await.unwrap(), "access-1");
    assert_eq!(bench.server.token_requests(), 1);
}

#[tokio::test]
async fn another_persons_tokens_are_not_stored() {
    let bench = Bench::expired().await;
    let body = json!({ "access_token": "a", "refresh_token": "r", "person": "p2" });
    bench.server.set("/token", [Answer::Json(200, body)]);
    assert_eq!(kind(&bench.session().await.unwrap_err()), "reauth_required");
    let grant = bench.connected().await.grant;
    assert_eq!((grant.generation, grant.subject.as_deref()), (1, Some("p1")));
    assert_eq!(grant.state, GrantState::ReauthRequired { reason: "identity_changed".to_owned() });
}

#[tokio::test]
async fn an_answer_without_a_refresh_token_keeps_the_old_one() {
    let bench = Bench::expired().await;
    let body = json!({ "access_token": "access-2", "refresh_token": "", "expires_in": 60 });
    bench.server.set("/token", [Answer::Json(200, body), tokens(3)]);
    assert_eq!(bench.session().await.unwrap(), "access-2");
    assert_eq!(bench.session().await.unwrap(), "access-3", "the old refresh token still refreshes");
}

#[tokio::test]
async fn a_token_the_platform_refuses_is_refreshed_once() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [tokens(2), tokens(3)]);
    bench.server.set("/me", [dead(), me(8)]);
    let metrics = bench.host.metrics(&bench.connected().await, SignedDuration::ZERO).await.unwrap();
    assert!(metrics.error.is_none(), "{:?}", metrics.error);
    assert_eq!(bench.server.token_requests(), 2, "one because it had expired, one because it was refused");

    bench.server.set("/me", [dead()]);
    let metrics = bench.host.metrics(&bench.connected().await, SignedDuration::ZERO).await.unwrap();
    assert_eq!(metrics.error.as_ref().map(kind), Some("reauth_required"));
    assert_eq!(bench.server.token_requests(), 3, "and not again and again");
}

#[tokio::test]
async fn a_failed_reading_shows_the_last_value_as_stale_and_never_a_zero() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [tokens(2)]);
    let read = async || bench.host.metrics(&bench.connected().await, SignedDuration::ZERO).await.unwrap();
    let followers = "followers".parse().unwrap();
    assert!(matches!(&read().await.cells[&followers], Shown::Value(sample) if sample.value == 7));
    bench.server.set("/me", [Answer::Json(500, json!({}))]);
    let metrics = read().await;
    assert_eq!(metrics.error.as_ref().map(kind), Some("unavailable"));
    let Shown::Stale(sample, Missing::Failed(ErrorKind::Unavailable)) = &metrics.cells[&followers] else {
        panic!("{:?}", metrics.cells)
    };
    assert_eq!(sample.value, 7);
}

#[tokio::test]
async fn disconnecting_wipes_the_tokens_and_revokes_with_a_live_one() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [tokens(2)]);
    bench.server.set("/revoke", [Answer::Json(503, json!({})), Answer::Json(200, json!({}))]);
    let id = bench.connected().await.connection.id;
    let done = bench.host.disconnect(TENANT, &id).await.unwrap();
    assert!(matches!(done.revocation, Revocation::Pending(_)), "{:?}", done.revocation);
    let connected = bench.connected().await;
    assert!(connected.grant.access.is_none() && connected.grant.refresh.is_none());
    assert_eq!(connected.state(), ConnectionState::Disconnecting);
    assert!(bench.session().await.is_err());

    bench.clock.advance(SignedDuration::from_mins(5));
    bench.host.revoke_due().await.unwrap();
    assert_eq!(bench.connected().await.state(), ConnectionState::Disconnected);
    assert_eq!(bench.server.token_requests(), 1, "the stale token was refreshed once, before the first try");
}

#[tokio::test]
async fn a_pending_revocation_does_not_kill_the_access_of_somebody_who_came_back() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [tokens(2), tokens(3)]);
    bench.server.set("/revoke", [Answer::Json(503, json!({})), Answer::Broken(Reach::NotSent)]);
    let id = bench.connected().await.connection.id;
    bench.host.disconnect(TENANT, &id).await.unwrap();
    bench.connect().await;
    assert_eq!(bench.connected().await.connection.id, id, "the same connection goes on");
    bench.clock.advance(SignedDuration::from_mins(5));
    bench.server.set("/revoke", [Answer::Json(500, json!("nobody may ask"))]);
    bench.host.revoke_due().await.unwrap();
    assert!(bench.host.store().revocations_due(bench.host.context().now()).await.unwrap().is_empty());
    assert_eq!(bench.connected().await.state(), ConnectionState::Active);
}
